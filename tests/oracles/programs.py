"""Random whole programs: a recipe that any array library can follow.

A recipe is plain data, so that Hypothesis can shrink it and a failure prints it. `follow` runs it in a
library, which is a table from operation to function: einback's (symbols), NumPy's with complex numbers (see
`complex_step`), or JAX's. Every operation keeps values moderate, so that differences stay accurate.

Axes have the sizes n, m, k, which are 2, 3 and 2, or the size 1, or formulas of these: windows shorten an axis,
groups fuse axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from einback.ir.extents import evaluate

__all__ = [
    "CLASSICAL",
    "SIZES",
    "Ids",
    "Kind",
    "Op",
    "Recipe",
    "Shape",
    "draw_unary",
    "follow",
    "follow_all",
    "length",
    "pick",
    "random_arrays",
    "random_ids",
    "recipes",
]

SIZES = {"n": 2, "m": 3, "k": 2, "1": 1}
Shape = tuple[str, ...]
Kind = Callable[[st.DrawFn, Sequence[Shape]], tuple["Op", Shape]]  # draws an operation on values of some shapes

UNARY = (
    "tanh", "sin", "cos", "arctan", "sigmoid", "softplus", "silu", "gelu", "erf", "relu", "abs", "square",
    "exp", "expm1", "sqrt1", "log1", "inverse1", "negative", "leaky",
)  # fmt: skip
BINARY = ("add", "subtract", "multiply", "divide1", "maximum", "minimum", "choose", "logaddexp", "hypot1", "power1")
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "logsumexp")
NORMALISATIONS = ("softmax", "log_softmax")

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Op:
    """An operation on earlier values: a name, which values it reads, and what else it needs to know."""

    name: str
    reads: tuple[int, ...]
    detail: Any = None


@dataclass(frozen=True)
class Ids:
    """An array of whole numbers below the length of a size."""

    shape: Shape
    below: str


@dataclass(frozen=True)
class Recipe:
    """Inputs x0, x1, .. of the given shapes, then operations; the result sums the entries of all unread values."""

    inputs: tuple[Shape, ...]
    ops: tuple[Op, ...]

    @property
    def ids(self) -> list[Ids]:
        """The inputs of whole numbers: every gather has its own."""
        return [op.detail.ids for op in self.ops if op.name == "gather"]

    @property
    def unread(self) -> list[int]:
        """The values that no operation reads."""
        read = {k for op in self.ops for k in op.reads}
        return [k for k in range(len(self.inputs), len(self.inputs) + len(self.ops)) if k not in read]


def length(size: str) -> int:
    """The number of entries along an axis of a size."""
    return SIZES[size] if size in SIZES else evaluate(size, SIZES)


def follow_all(recipe: Recipe, library: Mapping[str, Any], inputs: Sequence[Any], ids: Sequence[Any] = ()) -> list[Any]:
    """All values of a recipe, in a library: the inputs first."""
    values, more = list(inputs), iter(ids)
    for op in recipe.ops:
        operands = [values[k] for k in op.reads]
        if op.name == "gather":
            operands.append(next(more))
        values.append(library[op.name](*operands, *(() if op.detail is None else (op.detail,))))
    return values


def follow(recipe: Recipe, library: Mapping[str, Any], inputs: Sequence[Any], ids: Sequence[Any] = ()) -> Any:
    """The scalar that the recipe computes, in a library."""
    values = follow_all(recipe, library, inputs, ids)
    first, *unread = recipe.unread
    total = library["sum"](values[first], (None, False))
    for k in unread:
        total = library["add"](total, library["sum"](values[k], (None, False)))
    return total


def random_arrays(recipe: Recipe, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=[length(size) for size in shape]) for shape in recipe.inputs]


def random_ids(recipe: Recipe, seed: int) -> list[np.ndarray]:
    """Whole numbers, of which some repeat."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, length(ids.below), [length(size) for size in ids.shape]) for ids in recipe.ids]


@st.composite
def recipes(draw: st.DrawFn, kinds: Sequence[Kind], most_ops: int = 8) -> Recipe:
    """Two or three inputs of up to three axes, and two to eight operations of some kinds (see `CLASSICAL`)."""
    axes = st.sampled_from("nmk")
    first = tuple(draw(st.lists(axes, min_size=1, max_size=3)))
    others = draw(st.lists(st.lists(axes, max_size=3).map(tuple), min_size=1, max_size=2))
    shapes = [first, *others]
    ops: list[Op] = []
    for _ in range(draw(st.integers(2, most_ops))):
        op, shape = draw(st.sampled_from(kinds))(draw, shapes)
        ops.append(op)
        shapes.append(shape)
    return Recipe((first, *others), tuple(ops))


def pick(draw: st.DrawFn, shapes: Sequence[Shape]) -> int:
    """An earlier value, the newest one most likely."""
    return len(shapes) - 1 - draw(st.integers(0, len(shapes) - 1).map(lambda back: back // 2))


def _draw_einsum(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    """Up to three operands; labels repeat at will, on both sides."""
    reads = tuple(pick(draw, shapes) for _ in range(draw(st.integers(1, 3))))
    sizes = dict.fromkeys(size for k in reads for size in shapes[k])
    letters = {size: _LETTERS[3 * m : 3 * m + 3] for m, size in enumerate(sizes)}
    terms = ["".join(draw(st.sampled_from(letters[size])) for size in shapes[k]) for k in reads]
    used = sorted(set("".join(terms)))
    out = draw(st.lists(st.sampled_from(used), min_size=draw(st.sampled_from((1, 1, 0))), max_size=3)) if used else []
    size_of = {letter: size for size, own in letters.items() for letter in own}
    return Op("einsum", reads, ",".join(terms) + "->" + "".join(out)), tuple(size_of[letter] for letter in out)


def draw_unary(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    k = pick(draw, shapes)
    return Op(draw(st.sampled_from(UNARY)), (k,)), shapes[k]


def _draw_binary(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    """Two values whose shapes broadcast; a value with itself where none fits the first."""
    k = pick(draw, shapes)
    mates = [m for m, shape in enumerate(shapes) if _broadcast(shapes[k], shape) is not None]
    m = draw(st.sampled_from(mates))
    reads = draw(st.sampled_from([(k, m), (m, k)]))
    shape = _broadcast(shapes[k], shapes[m])
    assert shape is not None
    return Op(draw(st.sampled_from(BINARY)), reads), shape


def _broadcast(a: Shape, b: Shape) -> Shape | None:
    """NumPy's rule, on names of sizes."""
    rank = max(len(a), len(b))
    pairs = list(zip(("1",) * (rank - len(a)) + a, ("1",) * (rank - len(b)) + b, strict=True))
    if any(x != y and "1" not in (x, y) for x, y in pairs):
        return None
    return tuple(y if x == "1" else x for x, y in pairs)


def _draw_reduction(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    k = pick(draw, shapes)
    rank = len(shapes[k])
    if not rank:
        return draw_unary(draw, shapes)
    axes = tuple(draw(st.lists(st.integers(0, rank - 1), min_size=1, unique=True).map(sorted)))
    keep = draw(st.booleans())
    shape = tuple("1" if a in axes else size for a, size in enumerate(shapes[k]) if keep or a not in axes)
    return Op(draw(st.sampled_from(REDUCTIONS)), (k,), (axes, keep)), shape


def _draw_softmax(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    k = pick(draw, shapes)
    if not shapes[k]:
        return draw_unary(draw, shapes)
    axis = draw(st.integers(0, len(shapes[k]) - 1))
    return Op(draw(st.sampled_from(NORMALISATIONS)), (k,), axis), shapes[k]


def _draw_scale(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    """a * x + b with numbers a and b."""
    k = pick(draw, shapes)
    numbers = st.sampled_from((-2, -1, -0.5, 0, 0.1, 1, 3))
    return Op("affine", (k,), (draw(numbers), draw(numbers))), shapes[k]


# An einsum and two arguments twice as often as the others.
CLASSICAL: tuple[Kind, ...] = (
    _draw_einsum,
    _draw_binary,
    draw_unary,
    _draw_reduction,
    _draw_softmax,
    _draw_scale,
    _draw_einsum,
    _draw_binary,
)
