"""Which indices need their sizes written, `max[u:2](x[2*i+u])`, for the text to be read back as it was.

An index that some axis is read under has the axis's size. One that stands in computed positions alone has as many
values as fit (the range rule, `einback.notation.ranges`), if all others of these positions are known, and one in none
is as large as it is called. Where none of this says its size, that stands behind it, on the left or in the bracket of
its reduction. Equal names with other primes are of one size, which is written once.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

from einback.formula.tree import Affine, Eye, Group, Index, Place, Ref, Tree, carried, subtrees
from einback.ir.extents import is_formula, negative, plus, product, quotient
from einback.ir.sizes import Size

__all__ = ["plain_reads", "written_sizes"]

Part: TypeAlias = tuple[Tree, tuple[Place, ...]]


def plain_reads(body: Tree, chosen: Mapping[Index, str], besides: Container[str] = ()) -> set[str]:
    """The names, less their primes, of the indices that axes of tensors, `besides` some, are read under."""
    tensors = (one.indices for one, _ in _parts(body) if isinstance(one, Ref) and one.name not in besides)
    return {_base(chosen[index]) for places in tensors for index in _plain(places)}


def written_sizes(body: Tree, chosen: Mapping[Index, str], inputs: Set[str]) -> dict[Index, Size]:
    """The indices of a statement whose sizes the text has to say. Of a formula nothing can be said: it is a rule's.

    `inputs` names the indices that axes of inputs are read under in any statement. Those of other tensors are settled
    where these are defined.
    """
    parts = list(_parts(body))
    names = _classes(parts, chosen)
    computed = {names[index] for _, around in parts for place in around for index in carried(place)
                if isinstance(place, Affine | Group)}  # fmt: skip
    called = {names[index] for index in chosen if _base(chosen[index]) == index.size} - computed
    read = inputs | plain_reads(body, chosen)
    known = called | {names[index] for index in chosen if _base(chosen[index]) in read}
    ruled = {names[index] for index in chosen if is_formula(index.size)}
    first = {names[index]: index for index in reversed([*chosen])}  # those on the left before others
    waiting = {name: first[name] for name in [*dict.fromkeys(names.values())][::-1] if name not in known | ruled}
    told = [place for one, around in parts if isinstance(one, Ref) for place in around if isinstance(place, Affine)]
    deltas = [place for one, around in parts if isinstance(one, Eye) for place in around if isinstance(place, Affine)]
    rule = _Rule(names, told, deltas)
    found: dict[Index, Size] = {}
    while waiting:
        everything = {*known, *ruled, *waiting}
        ready = [name for name, index in waiting.items() if rule.bound(name, known) == index.size]
        if not ready:
            unsaid = [name for name, index in waiting.items() if rule.bound(name, everything) != index.size]
            ready = [next(iter(unsaid or waiting))]  # the last one read: a window's index before its place
            found[waiting[ready[0]]] = waiting[ready[0]].size
            known.add(ready[0])
        for name in ready:
            del waiting[name]
    return found


def _parts(tree: Tree) -> Iterator[Part]:
    """Every tensor and delta in reading order, with the places it is read at."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Ref | Eye):
            yield part, part.indices
        stack.extend(reversed(subtrees(part)))


def _plain(places: Iterable[Place]) -> Iterator[Index]:
    return (place for place in places if isinstance(place, Index))


def _base(name: str) -> str:
    return name.rstrip("'")


def _classes(parts: Iterable[Part], chosen: Mapping[Index, str]) -> dict[Index, str]:
    """A name for each index, that of all indices of its size: equal but for primes, or on one delta."""
    same: dict[str, str] = {}

    def find(name: str) -> str:
        while name in same:
            name = same[name]
        return name

    for one, around in parts:
        if isinstance(one, Eye) and len(pair := [find(_base(chosen[place])) for place in _plain(around)]) == 2:
            if pair[0] != pair[1]:
                same[pair[1]] = pair[0]
    return {index: find(_base(name)) for index, name in chosen.items()}


@dataclass(frozen=True, slots=True)
class _Rule:
    """The range rule: what the positions of tensors, or else those of deltas, leave to the indices of a name."""

    names: Mapping[Index, str]
    told: Sequence[Affine]
    deltas: Sequence[Affine]

    def bound(self, name: str, known: Iterable[str]) -> Size | None:
        """How many values fit; None where that is not said, or hangs on what is not known."""
        for places in (self.told, self.deltas):
            bounds = [
                self._room(name, place) if {*self._around(place)} <= {name, *known} else None
                for place in places
                if name in self._around(place) and self._counts(place)
            ]
            if bounds:
                return None if None in bounds else _least([bound for bound in bounds if bound is not None])
        return None

    def _around(self, place: Affine) -> list[str]:
        return [self.names[index] for index in carried(place)]

    def _counts(self, place: Affine) -> bool:
        """Whether a position says anything of sizes: no step is negative."""
        numbers = [step for step in (*place.steps, place.offset) if isinstance(step, int)]
        indices = len(set(_plain(place.places)))
        return indices == len(place.places) == len(numbers) - 1 and min(numbers[:-1], default=0) > 0

    def _room(self, name: str, place: Affine) -> Size:
        steps = list(zip(_plain(place.places), map(_whole, place.steps), strict=True))
        others = [product(step, plus(index.size, -1)) for index, step in steps if self.names[index] != name]
        offset = _whole(place.offset)
        room = plus(place.size, -1, 2 * max(-offset, 0), -max(offset, 0), *map(negative, others))
        return plus(quotient(room, sum(step for index, step in steps if self.names[index] == name)), 1)


def _whole(size: Size) -> int:
    assert isinstance(size, int)
    return size


def _least(bounds: Sequence[Size]) -> Size | None:
    """The smallest, if that is known and an index may have so few values."""
    least = bounds[0]
    for bound in bounds[1:]:
        difference = plus(bound, negative(least))
        if not isinstance(difference, int):
            return None
        least = bound if difference < 0 else least
    return None if isinstance(least, int) and least < 1 else least
