"""Pieces of source text that know how tightly they bind, and arrays as such a text and the axes that it has.

An `Array` stands for the value of a node. Its text need not have all of the node's axes: one along which the value only
repeats is left to broadcasting, so `axes` gives for each axis of the node the axis of the text, or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from einback.ir.nodes import Number
from einback.plan.dtypes import DType

__all__ = [
    "ANY", "ATOM", "PRODUCT", "SUM", "UNARY", "Array", "Code", "Labels", "atom", "combine", "literal", "matched",
    "relabelled",
]  # fmt: skip

Labels = Sequence[int]

ANY, SUM, PRODUCT, UNARY, ATOM = range(5)


@dataclass(frozen=True, slots=True)
class Code:
    """An expression; `level` says what holds it together outermost."""

    text: str
    level: int = ATOM

    def at(self, level: int) -> str:
        """The text where nothing looser than `level` can stand.

        >>> Code("a + b", SUM).at(PRODUCT)
        '(a + b)'
        """
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True, slots=True)
class Array:
    """The value of a node as text; `axes` are those of the text, by axis of the node, in any order.

    A `weak` one is a Python number, a `mask` holds bools. Of one over something, `below` is that.
    """

    code: Code
    axes: tuple[int | None, ...]
    dtype: DType
    weak: bool = False
    mask: bool = False
    below: Code | None = None

    @property
    def rank(self) -> int:
        """How many axes the text has."""
        return sum(axis is not None for axis in self.axes)


def atom(text: str, rank: int, dtype: DType, *, mask: bool = False) -> Array:
    """An array with all of its axes in order."""
    return Array(Code(text), tuple(range(rank)), dtype, mask=mask)


def literal(value: Number) -> Code:
    """A number as Python writes it.

    >>> literal(Fraction(1, 3)).text, literal(Fraction(-2)).text, literal(0.5).text
    ('1 / 3', '-2', '0.5')
    """
    if isinstance(value, Fraction):
        if value.denominator == 1 and abs(value) < 1 << 53:
            return Code(str(value), ATOM if value >= 0 else UNARY)
        if value.denominator in (2, 4, 8) or max(abs(value.numerator), value.denominator) >= 1 << 53:
            value = float(value)
        else:
            return Code(f"{value.numerator} / {value.denominator}", PRODUCT)
    if not math.isfinite(value):
        return Code(f'float("{value}")')
    return Code(repr(float(value)), ATOM if value >= 0 else UNARY)


def relabelled(value: Array, labels: Labels, out: Labels) -> Array:
    """The value over other axes: `labels` are those it has, each once, `out` those wanted; what it lacks repeats."""
    at = dict(zip(labels, value.axes, strict=True))
    return replace(value, axes=tuple(at.get(label) for label in out))


def matched(value: Array, places: Sequence[int], transposed: Callable[[Code, Sequence[int]], Code]) -> Code:
    """The text with its axes in the order of some axes of the node, ready to broadcast against others over these.

    Axes along which it repeats are `None` in an index, but for the first ones, which broadcasting adds.
    """
    own = [value.axes[k] for k in places]
    order = [axis for axis in own if axis is not None]
    code = transposed(value.code, order) if order != sorted(order) else value.code
    first = next((k for k, axis in enumerate(own) if axis is not None), len(own))
    if None not in own[first:]:
        return code
    index = ", ".join("None" if axis is None else ":" for axis in own[first:])
    return Code(f"{code.at(ATOM)}[{index}]")


def _natural(places: list[int], values: Sequence[Array]) -> list[int]:
    """The axes in the order of a value that has them all, so that it stands as it is."""
    for value in values:
        if all(value.axes[k] is not None for k in places):
            return sorted(places, key=lambda k: value.axes[k] or 0)
    return places


def combine(
    values: Sequence[Array],
    dtype: DType,
    write: Callable[[list[Code]], Code],
    transposed: Callable[[Code, Sequence[int]], Code],
) -> Array:
    """An expression of values over the same axes, aligned by broadcasting."""
    rank = len(values[0].axes)
    places = _natural([k for k in range(rank) if any(value.axes[k] is not None for value in values)], values)
    at = {place: axis for axis, place in enumerate(places)}
    codes = [matched(value, places, transposed) for value in values]
    return Array(write(codes), tuple(at.get(k) for k in range(rank)), dtype)
