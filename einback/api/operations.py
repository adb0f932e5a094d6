"""Functions on tensors: NumPy's elementwise names, and reductions over axes.

The elementwise functions are made from the table in `einback.rules.composite`; every one of them takes
tensors and numbers, and broadcasts. `axis` is a position, an index name, or a tuple of them.
"""

from __future__ import annotations

from typing import Protocol

from einback.api.axes import Axis, resolve_axes
from einback.api.scope import Scope
from einback.api.tensor import Operand, Tensor, combine, elementwise, nodes_of
from einback.errors import EinbackError
from einback.rules import composite

__all__ = ["ELEMENTWISE", "log_softmax", "logsumexp", "max", "mean", "min", "prod", "softmax", "sum"]


class Elementwise(Protocol):
    """A function of tensors and numbers, entry by entry."""

    def __call__(self, *operands: Operand) -> Tensor: ...


_SIGNATURES = {
    "above": "above(a, b): 1 where a > b, 1/2 where they tie, 0 elsewhere",
    "clip": "clip(x, low, high)",
    "gelu": "gelu(x) = x Φ(x), with the normal distribution function Φ",
    "leaky_relu": "leaky_relu(x, slope=0.01): x where x > 0, slope x elsewhere",
    "log_sigmoid": "log_sigmoid(x) = -softplus(-x)",
    "logaddexp": "logaddexp(a, b) = log(exp(a) + exp(b))",
    "relu": "relu(x) = max(x, 0), with derivative 0 at 0",
    "sigmoid": "sigmoid(x) = 1 / (1 + exp(-x))",
    "silu": "silu(x) = x sigmoid(x)",
    "softplus": "softplus(x) = log(1 + exp(x))",
    "where": "where(condition, a, b): a where the condition holds, b elsewhere",
    **{
        name: f"{name}(a, b)"
        for name, function in composite.FUNCTIONS.items()
        if function.arities == (2,) and name not in ("above", "logaddexp")
    },
}


def _elementwise(function: composite.Function) -> Elementwise:
    def apply(*operands: Operand) -> Tensor:
        if len(operands) not in function.arities:
            takes = " or ".join(map(str, function.arities))
            plural = "" if function.arities == (1,) else "s"
            raise EinbackError(f"{function.name} takes {takes} operand{plural}, {len(operands)} were given")
        return elementwise(function.build, *operands)

    apply.__name__ = apply.__qualname__ = function.name
    apply.__doc__ = f"{_SIGNATURES.get(function.name, f'{function.name}(x)')}, entry by entry; operands broadcast."
    return apply


ELEMENTWISE: dict[str, Elementwise] = {name: _elementwise(f) for name, f in composite.FUNCTIONS.items()}


def _reduced(name: str, operand: Operand, axis: Axis, keepdims: bool) -> Tensor:
    x = _tensor(operand)
    axes = sorted(resolve_axes(x.names, x.shape, axis))
    if not axes:
        return x
    node = composite.REDUCTIONS[name](x.node, axes)
    names = tuple(own for k, own in enumerate(x.names) if k not in axes)
    if keepdims:
        node = composite.keep(node, axes, x.shape)
        names = tuple("" if k in axes else own for k, own in enumerate(x.names))
    return combine(node, names, [x])


def _along(name: str, operand: Operand, axis: Axis) -> Tensor:
    x = _tensor(operand)
    axes = sorted(resolve_axes(x.names, x.shape, axis))
    return combine(composite.AXIS_FUNCTIONS[name](x.node, axes), x.names, [x])


def _tensor(x: object) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(nodes_of([x])[0], (), Scope())


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over some axes, or all.

    >>> import einback as eb
    >>> print(eb.sum(eb.tensor("X[n,d]"), axis="d"))
    y[n] = X[n,d]
    """
    return _reduced("sum", x, axis, keepdims)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over some axes, or all."""
    return _reduced("mean", x, axis, keepdims)


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest entry; its gradient is shared evenly among entries that tie."""
    return _reduced("max", x, axis, keepdims)


def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest entry; its gradient is shared evenly among entries that tie."""
    return _reduced("min", x, axis, keepdims)


def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product of the entries. Derivatives are right with zeros among them, to any order."""
    return _reduced("prod", x, axis, keepdims)


def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))), without overflow."""
    return _reduced("logsumexp", x, axis, keepdims)


def softmax(x: Operand, axis: Axis = None) -> Tensor:
    """exp(x - logsumexp(x)): positive entries that sum to one along the axes."""
    return _along("softmax", x, axis)


def log_softmax(x: Operand, axis: Axis = None) -> Tensor:
    """x - logsumexp(x), the logarithm of the softmax."""
    return _along("log_softmax", x, axis)
