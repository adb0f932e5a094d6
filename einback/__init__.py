"""einback: a gradient compiler for Einstein notation.

Declare layers as einsum strings or index expressions, read their gradients as formulas, and run them as
straight-line NumPy programs. The elementwise functions (`einback.relu`, `einback.exp`, ..) come from a table:
`einback.ELEMENTWISE` lists them.

Importing it imports almost nothing: a name is looked up in its module when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from einback.errors import (
    ArrayError,
    CompileError,
    DerivativeError,
    EinbackError,
    NotationError,
    ShapeError,
    did_you_mean,
)

if TYPE_CHECKING:  # what the table below says at run time
    from einback.api import linalg
    from einback.api.blocks import Blocks, blocks
    from einback.api.checking import Check, check
    from einback.api.compiling import compile, evaluate
    from einback.api.declaring import Program, einsum, eye, ones, program, tensor, tensors
    from einback.api.derivation import Derivation, derivation
    from einback.api.derivatives import gauss_newton, grad, hessian, hvp, jacobian, jvp, vjp
    from einback.api.diagrams import diagram, graph
    from einback.api.entries import Entries, entries
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
    from einback.api.saving import Loaded, load
    from einback.api.structured import Structured
    from einback.api.tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "ELEMENTWISE",
    "ArrayError",
    "Blocks",
    "Check",
    "CompileError",
    "Derivation",
    "DerivativeError",
    "EinbackError",
    "Entries",
    "Layer",
    "Loaded",
    "NotationError",
    "Program",
    "ShapeError",
    "Structured",
    "Tensor",
    "blocks",
    "check",
    "compile",
    "derivation",
    "diagram",
    "einsum",
    "entries",
    "evaluate",
    "expand",
    "eye",
    "flatten",
    "gauss_newton",
    "grad",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "layer",
    "linalg",
    "load",
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

# The modules of `einback.api`, and the names that are taken from each.
_HOMES = {
    "blocks": "Blocks blocks",
    "checking": "Check check",
    "compiling": "compile evaluate",
    "declaring": "Program einsum eye ones program tensor tensors",
    "derivation": "Derivation derivation",
    "derivatives": "gauss_newton grad hessian hvp jacobian jvp vjp",
    "diagrams": "diagram graph",
    "entries": "Entries entries",
    "expanding": "expand",
    "indexing": "flatten one_hot unflatten",
    "layers": "Layer layer",
    "operations": "ELEMENTWISE log_softmax logsumexp max mean min prod softmax sum",
    "saving": "Loaded load",
    "structured": "Structured",
    "tensor": "Tensor",
}
_HOME = {name: f"einback.api.{module}" for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Elementwise:
    """A name of the table, or an elementwise function: type checkers know the others from above."""
    found: Any
    if name == "linalg":
        found = import_module("einback.api.linalg")
    elif name in _HOME:
        found = getattr(import_module(_HOME[name]), name)
    else:
        found = import_module("einback.api.operations").ELEMENTWISE.get(name)
    if found is None:
        raise AttributeError(f"module 'einback' has no attribute {name!r}. {did_you_mean(name, __dir__())}".strip())
    globals()[name] = found
    return found  # type: ignore[no-any-return]


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", *import_module("einback.api.operations").ELEMENTWISE])
