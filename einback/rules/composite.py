"""What users write that is not a node of its own: broadcasting, arithmetic, means, softmax, aliases.

Everything here is built from the IR's few kinds. Broadcasting is NumPy's, on symbolic shapes: axes are
aligned from the right, missing ones are filled with `Ones`, and an axis of the literal size 1 meets any
other size. Such an axis is read at its only entry (a sum over one entry) and laid out again with `Ones`,
so that a derivative falls back to the operand's own shape by the ordinary rule for sums.

The tables hold the names a user may call: `FUNCTIONS` entry by entry, `REDUCTIONS` over axes that
disappear, `AXIS_FUNCTIONS` over axes that stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Final

from einback.errors import ShapeError
from einback.ir import build
from einback.ir.nodes import Const, Map, Node, Number, Ones, Shape
from einback.ir.sizes import Equality, Size, merge_sizes
from einback.rules.complex import check_defined
from einback.rules.scalar import TABLE

__all__ = [
    "AXIS_FUNCTIONS",
    "FUNCTIONS",
    "REDUCTIONS",
    "Function",
    "add",
    "align",
    "broadcast_shapes",
    "broadcast_to",
    "divide",
    "elementwise",
    "inverse",
    "keep",
    "log_softmax",
    "logsumexp",
    "matmul",
    "mean",
    "multiply",
    "negative",
    "power",
    "softmax",
    "sqrt",
    "square",
    "subtract",
]

# Broadcasting


def broadcast_shapes(*shapes: Shape) -> tuple[Shape, frozenset[Equality]]:
    """The common shape of some shapes, and the sizes that are equal from then on.

    >>> broadcast_shapes(("n", "d"), (1, 3))
    (('n', 3), frozenset({('d', 3)}))
    """
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[Size] = [1] * rank
    learned: set[Equality] = set()
    for shape in shapes:
        for axis, size in enumerate(shape, start=rank - len(shape)):
            have = result[axis]
            if size in (1, have):
                continue
            if have == 1:
                result[axis] = size
                continue
            if isinstance(have, int) and isinstance(size, int):
                raise ShapeError(
                    f"shapes {_brackets(shapes)} do not broadcast: sizes {have} and {size} meet on axis {axis - rank}",
                    hint="axes are aligned from the right; only a size of 1 meets another size",
                )
            learned.add((have, size))
            result[axis] = merge_sizes(have, size)
    return tuple(result), frozenset(learned)


def broadcast_to(node: Node, shape: Shape) -> Node:
    """`node` laid out over `shape`, aligned from the right."""
    first = len(shape) - node.rank
    new = [axis for axis, size in enumerate(shape) if axis < first or (node.shape[axis - first] == 1 and size != 1)]
    if not new:
        return node
    # A label of its own for an axis of size 1 that stretches: it is summed over its only entry.
    own = [("one", axis) if axis in new else axis for axis in range(first, len(shape))]
    ones = [Ones(shape[axis]) for axis in new]
    return build.einsum([node, *ones], [own, *([axis] for axis in new)], range(len(shape)))


def align(*nodes: Node) -> tuple[Node, ...]:
    """The nodes laid out over their common shape; a `Const` stands for itself."""
    shape, _ = broadcast_shapes(*(node.shape for node in nodes))
    return tuple(node if isinstance(node, Const) else broadcast_to(node, shape) for node in nodes)


def keep(node: Node, axes: Sequence[int], shape: Shape) -> Node:
    """What a reduction of `shape` over `axes` left, with these axes back as axes of size 1."""
    kept = [k for k in range(len(shape)) if k not in axes]
    return build.broadcast(node, tuple(size if k in kept else 1 for k, size in enumerate(shape)), kept)


# Arithmetic, with broadcasting


def elementwise(fn: str, *nodes: Node) -> Node:
    """A row of the scalar table, entry by entry. Raises `EinbackError` where it is not defined at complex tensors."""
    check_defined(fn, nodes)
    return Map(fn, align(*nodes))


def add(a: Node, b: Node) -> Node:
    return _weighted(a, b, Fraction(1))


def subtract(a: Node, b: Node) -> Node:
    return _weighted(a, b, Fraction(-1))


def multiply(a: Node, b: Node) -> Node:
    if isinstance(a, Const):
        a, b = b, a
    if isinstance(b, Const):
        return build.const(a.value * b.value) if isinstance(a, Const) else build.scale(a, b.value)
    return build.multiply(*align(a, b)) if a.rank and b.rank else build.multiply(a, b)


def divide(a: Node, b: Node) -> Node:
    if isinstance(b, Const):
        return multiply(a, build.const(inverse(b.value)))
    return multiply(a, build.power(b, -1))


def power(a: Node, b: Node) -> Node:
    """a ** b; a constant exponent stays one, so that the power rule can read it."""
    if isinstance(b, Const) and not isinstance(a, Const):
        return build.power(a, b.value)
    return elementwise("power", a, b)


def negative(node: Node) -> Node:
    return build.const(-node.value) if isinstance(node, Const) else build.scale(node, -1)


def sqrt(node: Node) -> Node:
    return power(node, build.const(Fraction(1, 2)))


def square(node: Node) -> Node:
    return power(node, build.const(2))


def inverse(value: Number) -> Number:
    """1 / value, with the infinity and the NaN that floating-point division gives.

    >>> inverse(Fraction(4)), inverse(Fraction(0))
    (Fraction(1, 4), inf)
    """
    return math.copysign(math.inf, value) if value == 0 else 1 / value


def matmul(a: Node, b: Node) -> tuple[Node, frozenset[Equality]]:
    """NumPy's matmul: the last axis of a meets the one before the last of b; axes before these broadcast."""
    row, column = a.rank > 1, b.rank > 1
    batch, equalities = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    inner = (a.shape[-1], b.shape[-2] if column else b.shape[-1])
    if inner[0] != inner[1]:
        if isinstance(inner[0], int) and isinstance(inner[1], int):
            raise ShapeError(
                f"the operands of @ do not fit: {inner[0]} columns on the left, {inner[1]} rows on the right"
            )
        equalities |= {inner}
    left = broadcast_to(a, batch + a.shape[-2:]) if row else a
    right = broadcast_to(b, batch + b.shape[-2:]) if column else b
    dots, i, k = tuple(range(len(batch))), ("i",) if row else (), ("k",) if column else ()
    terms = [(*(dots if row else ()), *i, "j"), (*(dots if column else ()), "j", *k)]
    return build.einsum([left, right], terms, (*dots, *i, *k)), equalities


# Over axes


def mean(node: Node, axes: Sequence[int]) -> Node:
    """The sum over the axes by the number of entries in them."""
    count = math.prod(size for k in axes if isinstance(size := node.shape[k], int))
    symbols = [size for k in axes if isinstance(size := node.shape[k], str)]
    result = build.total(node, axes)
    if symbols:
        result = build.multiply(result, *(build.power(build.size_of(size), -1) for size in symbols))
    # NumPy's mean of no entries is 0 / 0.
    weight = Fraction(1, count) if count else math.nan
    return result if weight == 1 else build.scale(result, weight)


def _extreme(fn: str, node: Node, axes: Sequence[int]) -> Node:
    check_defined(fn, [node])
    return build.reduce(fn, node, axes)


def logsumexp(node: Node, axes: Sequence[int]) -> Node:
    return build.reduce("logsumexp", node, axes)


def log_softmax(node: Node, axes: Sequence[int]) -> Node:
    """x - logsumexp(x): as long as the subtraction comes first, nothing overflows."""
    rest = [k for k in range(node.rank) if k not in axes]
    return build.add((node, build.broadcast(logsumexp(node, axes), node.shape, rest)), (1, -1))


def softmax(node: Node, axes: Sequence[int]) -> Node:
    """exp(x - logsumexp(x)), right to the end of the range of floats."""
    return Map("exp", (log_softmax(node, axes),))


# The names that users call


@dataclass(frozen=True, slots=True)
class Function:
    """A function of entries: `build` takes nodes, and broadcasts them; `arities` are the counts it takes."""

    name: str
    arities: tuple[int, ...]
    build: Callable[..., Node]


_ALIASES = {
    "absolute": "abs",
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "conjugate": "conj",
    "fabs": "abs",
    "swish": "silu",
}


def _log_sigmoid(x: Node) -> Node:
    return negative(elementwise("softplus", negative(x)))


def _leaky_relu(x: Node, slope: Node | None = None) -> Node:
    return elementwise("leaky_relu", x, build.const(0.01) if slope is None else slope)


def _clip(x: Node, low: Node, high: Node) -> Node:
    return elementwise("minimum", elementwise("maximum", x, low), high)


_BUILT: tuple[Function, ...] = (
    Function("add", (2,), add),
    Function("clip", (3,), _clip),
    Function("divide", (2,), divide),
    Function("leaky_relu", (1, 2), _leaky_relu),
    Function("log_sigmoid", (1,), _log_sigmoid),
    Function("multiply", (2,), multiply),
    Function("negative", (1,), negative),
    Function("pow", (2,), power),
    Function("power", (2,), power),
    Function("reciprocal", (1,), lambda x: divide(build.const(1), x)),
    Function("sqrt", (1,), sqrt),
    Function("square", (1,), square),
    Function("subtract", (2,), subtract),
    Function("true_divide", (2,), divide),
)


def _functions() -> dict[str, Function]:
    table = {name: Function(name, (row.arity,), partial(elementwise, name)) for name, row in TABLE.items()}
    table |= {alias: Function(alias, table[name].arities, table[name].build) for alias, name in _ALIASES.items()}
    return table | {function.name: function for function in _BUILT}


FUNCTIONS: Final[dict[str, Function]] = _functions()

REDUCTIONS: Final[dict[str, Callable[[Node, Sequence[int]], Node]]] = {
    "sum": build.total,
    "mean": mean,
    "max": partial(_extreme, "max"),
    "min": partial(_extreme, "min"),
    "prod": partial(build.reduce, "prod"),
    "logsumexp": logsumexp,
}

AXIS_FUNCTIONS: Final[dict[str, Callable[[Node, Sequence[int]], Node]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
}


def _weighted(a: Node, b: Node, weight: Fraction) -> Node:
    """a + weight * b; a number next to a tensor is laid over it."""
    if isinstance(a, Const) and isinstance(b, Const):
        return build.const(a.value + weight * b.value)
    if isinstance(b, Const):
        return build.add((a, build.ones(a.shape)), (1, weight * b.value))
    if isinstance(a, Const):
        return build.add((build.ones(b.shape), b), (a.value, weight))
    return build.add(align(a, b), (1, weight))


def _brackets(shapes: Sequence[Shape]) -> str:
    return " and ".join(f"[{','.join(map(str, shape))}]" for shape in shapes)
