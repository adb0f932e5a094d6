"""einback: a gradient compiler for Einstein notation.

Declare layers as einsum strings or index expressions, read their gradients as formulas, and run them as
straight-line NumPy programs.
"""

from typing import TYPE_CHECKING, Any

from einback.api.declaring import Program, einsum, eye, ones, program, tensor, tensors
from einback.api.derivatives import grad, hessian, hvp, jacobian, jvp, vjp
from einback.api.layers import Layer, layer
from einback.api.operations import ELEMENTWISE, log_softmax, logsumexp, max, mean, min, prod, softmax, sum
from einback.api.tensor import Tensor
from einback.errors import ArrayError, CompileError, DerivativeError, EinbackError, NotationError, ShapeError
