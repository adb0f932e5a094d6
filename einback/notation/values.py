"""What a part of a statement becomes while it is lowered: a node, the index of each axis, and a weight.

The weight is kept out of the node so that it ends up as one exact number in front of a product or a term.
Constants are values of the node 1. A tensor that was just read may have one index twice, and relations beside it: the
windows and one-hot tensors that say where computed positions are. They become factors of the product that the read
stands in, and are summed away at once where it stands in none.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from einback.ir import build
from einback.ir.nodes import Const, Node, Number

__all__ = ["Factor", "Value", "number", "plus", "times"]

_UNIT: Final = build.const(1)
_BITS: Final = 1000  # exact numbers longer than this become floats, whose range this is

Factor = tuple[Node, tuple[str, ...]]  # a node, and the index of each axis


@dataclass(frozen=True, slots=True)
class Value:
    """weight * node * the product of the relations; the indices of `places` are those that these sum away."""

    node: Node
    indices: tuple[str, ...] = ()
    weight: Number = Fraction(1)
    relations: tuple[Factor, ...] = ()
    places: frozenset[str] = frozenset()

    @property
    def is_number(self) -> bool:
        return isinstance(self.node, Const)

    def full(self) -> Node:
        """The node with its weight."""
        if self.is_number:
            return build.const(self.weight)
        return build.scale(self.node, self.weight) if self.weight != 1 else self.node

    def factors(self) -> tuple[Factor, ...]:
        """The node and its relations."""
        return ((self.node, self.indices), *self.relations)

    def plain(self) -> Value:
        """The same with distinct indices: a diagonal is read, and relations are summed away."""
        factors = self.factors()
        distinct = tuple(dict.fromkeys(index for _, own in factors for index in own if index not in self.places))
        if distinct == self.indices and not self.relations:
            return self
        node = build.einsum([node for node, _ in factors], [own for _, own in factors], distinct)
        return Value(node, distinct, self.weight)


def number(value: Number) -> Value:
    return Value(_UNIT, (), value)


def times(a: Number, b: Number) -> Number:
    return _short(a * b)


def plus(a: Number, b: Number) -> Number:
    return _short(a + b)


def _short(value: Number) -> Number:
    """The number, as a float where its fraction has grown long."""
    if isinstance(value, float) or max(value.numerator.bit_length(), value.denominator.bit_length()) <= _BITS:
        return value
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
