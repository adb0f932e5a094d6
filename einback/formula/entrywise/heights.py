"""Upper and lower indices: at which height every index of a right-hand side stands, and which sums need a sign.

An index that is summed and stands at two places of one product stands up at one and down at the other. What is free
has the height that it has on the left. Everything else, an index at one place or at three, is no contraction: its sum
is written, and all its places have one height. Where that leaves a choice, tensors keep their own heights: vectors up,
of others the first index up and the rest down; then a matrix is transposed, A_i^j, before both its indices stand at
one height, A_ij.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product as combinations

from einback.errors import NotationError
from einback.formula.entrywise.sum_writers import Heights, natural_heights
from einback.formula.tree import (
    ONE,
    Call,
    Eye,
    Fill,
    Index,
    Number,
    Over,
    Place,
    Position,
    Power,
    Product,
    Ref,
    SizeOf,
    Sum,
    Tree,
    references,
)

__all__ = ["Assignment"]

_TRIED = 10  # contracted indices of a product up to which all ways are tried

Up = Mapping[Index, bool]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Gives heights to the indices of trees; `turned` names a tensor whose own heights are turned over."""

    turned: str = ""
    heights: dict[Tree, Heights] = field(default_factory=dict)

    def body(self, tree: Tree, left: Sequence[Place], heights: Heights) -> Tree:
        """A right-hand side whose left side has its indices at these heights."""
        places = zip(_indices(left), heights, strict=True)
        return self.place(tree, dict(places))

    def place(self, tree: Tree, up: Up) -> Tree:
        """The tree with its free indices at the heights `up`, its contractions silent and all other sums written."""
        match tree:
            case Ref() | Eye() | Fill():
                return self.marked(tree, tuple(up[index] for index in _plain(tree)))
            case Number() | SizeOf():
                return tree
            case Position():
                raise _refused("the value of an index has no height")
            case Call():
                return Call(tree.fn, tuple(self.place(arg, up) for arg in tree.args))
            case Over():
                return Over(
                    tree.fn, tree.over, self.place(tree.body, self.opened(tree.over, [tree.body], up)), tree.keeps
                )
            case Power():
                return Power(self.place(tree.base, up), self.place(tree.exponent, up))
            case Sum():
                return Sum(tuple(self.term(term, up) for term in tree.terms))
            case Product():
                return self.term(tree, up)
            case _:
                raise TypeError(f"unknown tree {type(tree).__name__}")

    def marked(self, tree: Ref | Eye | Fill, heights: Heights) -> Tree:
        """A tensor of its own with heights: one tree may stand at two places."""
        own = replace(tree)
        self.heights[own] = heights
        return own

    def opened(self, over: Sequence[Index], parts: Sequence[Tree], up: Up) -> Up:
        """The heights, and those of indices that a sign binds, which have one height at all their places."""
        return {**up, **self.chosen(parts, (), [index for index in over if index not in up], up)}

    def term(self, tree: Product, up: Up) -> Product:
        factors = _unsquared(tree)
        silent, written = _parted(replace(tree, factors=tuple(factors)))
        choice = self.chosen([*factors, *tree.divisors], silent, written, up)
        up = {**up, **{index: choice[index] for index in written}}
        firsts = {index: choice[index] for index in silent}
        seen: dict[Index, int] = {}
        above = [self.factor(factor, up, firsts, seen) for factor in factors]
        below = [self.place(divisor, up) for divisor in tree.divisors]
        if not written:
            return Product(tree.coefficient, tuple(above), tuple(below))
        outer, inner = _split(above, tree.bound)
        outside, inside = _split(below, tree.bound)
        return Product(tree.coefficient, (*outer, Over("sum", tuple(written), Product(ONE, inner, inside))), outside)

    def factor(self, tree: Tree, up: Up, firsts: Mapping[Index, bool], seen: dict[Index, int]) -> Tree:
        """A factor; a contracted index has its chosen height at its first place and the other one at its second."""

        def height(index: Index) -> bool:
            if index not in firsts:
                return up[index]
            seen[index] = seen.get(index, 0) + 1
            return firsts[index] is (seen[index] == 1)

        if isinstance(tree, Ref | Eye | Fill):
            return self.marked(tree, tuple(height(index) for index in _plain(tree)))
        return self.place(tree, {**up, **{index: height(index) for index in tree.free if index in firsts}})

    def chosen(
        self, parts: Sequence[Tree], silent: Sequence[Index], written: Sequence[Index], up: Up
    ) -> dict[Index, bool]:
        """For every bound index whether it stands up: a contracted one at its first place, others at all of them."""
        slots = [slot for part in parts for slot in _slots(part, self.turned)]
        bound = [*silent, *written]
        first = {index: _first(index, parts, self.turned) for index in bound}
        if len(bound) > _TRIED:
            return first
        ways = combinations(*((first[index], not first[index]) for index in bound))
        tried = (dict(zip(bound, way, strict=True)) for way in ways)
        return min(tried, key=lambda way: _cost(slots, way, set(silent), up))


def _split(parts: Sequence[Tree], bound: Sequence[Index]) -> tuple[tuple[Tree, ...], tuple[Tree, ...]]:
    """The parts of a product that have nothing to do with what it is summed over, and the others."""
    outer = tuple(part for part in parts if set(part.free).isdisjoint(bound))
    return outer, tuple(part for part in parts if not set(part.free).isdisjoint(bound))


# The indices of a tensor, its own heights, and whether it is a factor itself.
Slot = tuple[tuple[Index, ...], Heights, bool]


def _plain(tree: Ref | Eye | Fill) -> tuple[Index, ...]:
    return _indices(tree.indices)


def _indices(places: Sequence[Place]) -> tuple[Index, ...]:
    """The indices of a tensor; one at a computed position has none that could stand up or down."""
    indices = tuple(place for place in places if isinstance(place, Index))
    if len(indices) < len(places):
        raise _refused("an index that is computed, as in x[2*i+u], E[token[t],d] or y[(h w)], has no height")
    return indices


def _refused(fact: str) -> NotationError:
    return NotationError(f"Ricci notation has no form for this: {fact}", hint="ask for notation='sum' or 'index'")


def _unsquared(tree: Product) -> list[Tree]:
    """The factors, with x_i x^i for a square that is summed over all its indices."""
    factors: list[Tree] = []
    for factor in tree.factors:
        if isinstance(factor, Power) and _is_square(factor) and isinstance(factor.base, Ref):
            others = [part for part in (*tree.factors, *tree.divisors) if part is not factor]
            alone = all(index in tree.bound and not any(index in part.free for part in others) for index in factor.free)
            if factor.free and alone and len(set(factor.base.indices)) == len(factor.base.indices):
                factors += [factor.base, replace(factor.base)]
                continue
        factors.append(factor)
    return factors


def _is_square(tree: Power) -> bool:
    return isinstance(tree.exponent, Number) and tree.exponent.value == Fraction(2)


def _parted(tree: Product) -> tuple[list[Index], list[Index]]:
    """The summed indices that stand at two places of the product, and all others."""
    places: dict[Index, int] = dict.fromkeys(tree.bound, 0)
    for factor in tree.factors:
        for index in factor.free if not isinstance(factor, Ref | Eye | Fill) else _plain(factor):
            if index in places:
                places[index] += 1
    divided = {index for divisor in tree.divisors for index in divisor.free}
    silent = [index for index, number in places.items() if number == 2 and index not in divided]
    return silent, [index for index in places if index not in silent]


def _own(tree: Tree, turned: str) -> Heights:
    """The heights that a tensor has by itself; none for what is as good at any."""
    if isinstance(tree, Ref):
        return natural_heights(len(tree.indices), tree.name == turned and not tree.fn)
    return ()


def _first(index: Index, parts: Iterable[Tree], turned: str) -> bool:
    """The height that an index has by itself where it stands first, up if no tensor has it."""
    for part in parts:
        for ref in references(part):
            for place, own in zip(ref.indices, _own(ref, turned), strict=False):
                if place is index:
                    return own
    return True


def _slots(factor: Tree, turned: str) -> list[tuple[Tree, Slot]]:
    refs = list(references(factor))
    return [(factor, (_plain(ref), _own(ref, turned), ref is factor)) for ref in refs if ref.indices]


def _cost(slots: Sequence[tuple[Tree, Slot]], way: Up, silent: Container[Index], up: Up) -> int:
    """How far tensors stand from their own heights: a step an index, three for a matrix that is no longer mixed.

    The other index of a matrix follows where it is not known yet: the matrix is transposed.
    """
    seen: dict[Index, int] = {}
    holder: dict[Index, Tree] = {}
    total = 0
    for factor, (indices, own, direct) in slots:
        heights = []
        for index in indices:
            if index not in silent:
                heights.append(way.get(index, up.get(index)))
                continue
            if direct or holder.get(index) is not factor:
                seen[index] = seen.get(index, 0) + 1
                holder[index] = factor
            heights.append(way[index] is (seen[index] == 1))
        moved = sum(height is not None and height is not wanted for height, wanted in zip(heights, own, strict=True))
        follows = len(heights) == 2 and None in heights
        total += moved * (2 if follows else 1) + 3 * (len(heights) == 2 and heights[0] is heights[1])
    return total
