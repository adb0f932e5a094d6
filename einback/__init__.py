"""einback: a gradient compiler for Einstein notation.

Declare layers as einsum strings or index expressions, read their gradients as formulas, and run them as
straight-line NumPy programs. The elementwise functions (`einback.relu`, `einback.exp`, ..) come from a table:
`einback.ELEMENTWISE` lists them.
"""

from einback.api import linalg
from einback.api.checking import Check, check
from einback.api.compiling import compile, evaluate
from einback.api.declaring import Program, einsum, eye, ones, program, tensor, tensors
from einback.api.derivatives import gauss_newton, grad, hessian, hvp, jacobian, jvp, vjp
from einback.api.expanding import expand
from einback.api.indexing import flatten, one_hot, unflatten
from einback.api.layers import Layer, layer
from einback.api.operations import (
    ELEMENTWISE,
    Elementwise,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    prod,
    softmax,
    sum,
)
from einback.api.structured import Structured
from einback.api.tensor import Tensor
from einback.errors import (
    ArrayError,
    CompileError,
    DerivativeError,
    EinbackError,
    NotationError,
    ShapeError,
    did_you_mean,
)

__version__ = "0.1.0"

__all__ = [
    "ELEMENTWISE",
    "ArrayError",
    "Check",
    "CompileError",
    "DerivativeError",
    "EinbackError",
    "Layer",
    "NotationError",
    "Program",
    "ShapeError",
    "Structured",
    "Tensor",
    "check",
    "compile",
    "einsum",
    "evaluate",
    "expand",
    "eye",
    "flatten",
    "gauss_newton",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "layer",
    "linalg",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "one_hot",
    "ones",
    "prod",
    "program",
    "softmax",
    "sum",
    "tensor",
    "tensors",
    "unflatten",
    "vjp",
]


def __getattr__(name: str) -> Elementwise:
    found = ELEMENTWISE.get(name)
    if found is None:
        raise AttributeError(f"module 'einback' has no attribute {name!r}. {did_you_mean(name, __dir__())}".strip())
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", *ELEMENTWISE])
