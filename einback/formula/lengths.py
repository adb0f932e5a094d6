"""Which indices need their sizes written, `max[u:2](x[2*i+u])`, for the text to be read back as it was.

An index that some axis is read under has the axis's size. One that stands in computed positions alone has as many
values as fit (the range rule, `einback.notation.ranges`), if all others of these positions are known, and one in none
is as large as it is called. Where none of this says its size, that stands behind it, on the left or in the bracket of
its reduction. It is said once: names that are equal but for primes have one size in all lines of a text, and so have
the indices of an axis where its tensor is defined and where it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from einback.formula.tree import Affine, Eye, Index, Place, Ref, Tree, carried, subtrees
from einback.ir.extents import is_formula, negative, plus, product, quotient
from einback.ir.sizes import Size

__all__ = ["written_sizes"]

Part: TypeAlias = tuple[Tree, tuple[Place, ...]]
Names: TypeAlias = Mapping[Index, str]


class Line(Protocol):
    """name[left] = body, with the names of all its indices."""

    @property
    def name(self) -> str: ...
    @property
    def left(self) -> tuple[Place, ...]: ...
    @property
    def body(self) -> Tree: ...
    @property
    def chosen(self) -> Names: ...


def written_sizes(lines: Sequence[Line]) -> dict[Index, Size]:
    """The indices of a text whose sizes it has to say. Of a formula nothing can be said: it is a rule's."""
    chosen = {index: line.chosen[index] for line in lines for place in line.left for index in carried(place)}
    chosen |= {index: name for line in lines for index, name in line.chosen.items()}
    defined = {line.name: line.left for line in lines}
    parts = [part for line in lines for part in _parts(line.body)]
    names = _classes(parts, chosen, defined)
    known = _known(parts, chosen, names, defined)
    ruled = {names[index] for index in chosen if is_formula(index.size)}
    first = {names[index]: index for index in reversed([*chosen])}  # those on the left before others
    waiting = {name: first[name] for name in [*dict.fromkeys(names.values())][::-1] if name not in known | ruled}
    rule = _Rule([*_uses(parts, Ref, names, defined)], [*_uses(parts, Eye, names, defined)])
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


def _base(name: str) -> str:
    return name.rstrip("'")


def _classes(parts: Iterable[Part], chosen: Names, defined: Mapping[str, Sequence[Place]]) -> dict[Index, str]:
    """A name for each index, that of all indices of its size: equal but for primes, or on one delta or one axis."""
    same: dict[str, str] = {}

    def find(name: str) -> str:
        while name in same:
            name = same[name]
        return name

    for one, around in parts:
        pairs = zip(around, defined.get(one.name, ()), strict=False) if isinstance(one, Ref) else [around]
        for a, b in pairs:
            if isinstance(a, Index) and isinstance(b, Index):
                root, other = find(_base(chosen[a])), find(_base(chosen[b]))
                if root != other:
                    same[other] = root
    return {index: find(_base(name)) for index, name in chosen.items()}


def _known(parts: Sequence[Part], chosen: Names, names: Names, defined: Mapping[str, Sequence[Place]]) -> set[str]:
    """What axes of inputs are read under, and what is called as its size: in no computed position, nor is the size that
    of an axis which is read at one.
    """
    inputs = [around for one, around in parts if isinstance(one, Ref) and one.name not in defined]
    computed = [place for _, around in parts for place in around if not isinstance(place, Index)]
    sizes = {place.size for around in inputs for place in around if isinstance(place, Affine)}
    called = {names[index] for index in chosen if _base(chosen[index]) == index.size and index.size not in sizes}
    called -= {names[index] for place in computed for index in carried(place)}
    return called | {names[place] for around in inputs for place in around if isinstance(place, Index)}


@dataclass(frozen=True, slots=True)
class _Use:
    """A computed position that says something of sizes: no step is negative."""

    place: Affine
    steps: tuple[tuple[str, int, Size], ...]  # of each index: its name, its step, its size
    needs: frozenset[str]  # what has to be known of it, the length of its axis too


def _uses(
    parts: Iterable[Part], kind: type[Tree], names: Names, defined: Mapping[str, Sequence[Place]]
) -> Iterator[_Use]:
    for one, around in parts:
        if not isinstance(one, kind):
            continue
        left = defined.get(one.name, ()) if isinstance(one, Ref) else ()
        for axis, place in enumerate(around):
            if isinstance(place, Affine) and isinstance(place.offset, int):
                pairs = list(zip(place.places, place.steps, strict=True))
                steps = tuple((names[index], step, index.size) for index, step in pairs
                              if isinstance(index, Index) and isinstance(step, int) and step > 0)  # fmt: skip
                if len(steps) == len(pairs):
                    axes = (names[index] for index in (carried(left[axis]) if left else ()))
                    yield _Use(place, steps, frozenset({*(name for name, _, _ in steps), *axes}))


@dataclass(frozen=True, slots=True)
class _Rule:
    """The range rule: what the positions of tensors, or else those of deltas, leave to the indices of a name."""

    told: Sequence[_Use]
    deltas: Sequence[_Use]

    def bound(self, name: str, known: Iterable[str]) -> Size | None:
        """How many values fit; None where that is not said, or hangs on what is not known."""
        for uses in (self.told, self.deltas):
            own = [use for use in uses if any(one == name for one, _, _ in use.steps)]
            if own:
                ready = all(use.needs <= {name, *known} for use in own)
                return _least([_room(name, use) for use in own]) if ready else None
        return None


def _room(name: str, use: _Use) -> Size:
    assert isinstance(use.place.offset, int)
    offset = use.place.offset
    others = [product(step, plus(size, -1)) for one, step, size in use.steps if one != name]
    room = plus(use.place.size, -1, 2 * max(-offset, 0), -max(offset, 0), *map(negative, others))
    return plus(quotient(room, sum(step for one, step, _ in use.steps if one == name)), 1)


def _least(bounds: Sequence[Size]) -> Size | None:
    """The smallest, if that is known and an index may have so few values."""
    least = bounds[0]
    for bound in bounds[1:]:
        difference = plus(bound, negative(least))
        if not isinstance(difference, int):
            return None
        least = bound if difference < 0 else least
    return None if isinstance(least, int) and least < 1 else least
