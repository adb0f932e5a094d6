"""The range rule: how many values an index has that only computed positions read.

An index that an axis is read under has the axis's size. One that stands in computed positions alone, such as i in
`x[2*i+u]`, has as many values as fit:

    s i + o + ..  no minus sign   it stays inside the axis: n = (size - 1 - o - reach) // s + 1, where reach is what
                                  the others add at most, the sum of step * (number of values - 1)
    s i - p + ..  minus before p  p zeros stand at both ends: n = (size + 2 p - 1 - reach) // s + 1
    i in a group  (h i)           what the axis has by what the others have

A position with a negative step tells no size. Of several positions that bound one index the smallest counts, and those
of deltas only where no tensor is read at one. The others must be known: `settle` starts where only one is open in a
position, and goes on with what that decides. At the end every position is checked: without a minus sign it lies inside
its axis, and a group fills it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from einback.ir.extents import negative, plus, product, quotient, symbols_in
from einback.ir.sizes import Size
from einback.notation import index_messages
from einback.notation.syntax import Affine, Group, Index
from einback.notation.unify import Indices, base

__all__ = ["Use", "settle"]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A computed position, and the index that stands for the axis it is a position of.

    `demands` says whether its indices must be known in the end; those of a delta may be any, as those of ones are.
    """

    axis: str
    place: Affine | Group
    tensor: str
    demands: bool = True

    @property
    def indices(self) -> tuple[Index, ...]:
        return self.place.indices


def settle(uses: Sequence[Use], indices: Indices, fixed: Container[str], text: str, *, strict: bool) -> None:
    """Give sizes to the indices that only the range rule decides; `fixed` are the others (the first of each class).

    An index that nothing decides is an error, or, if not `strict`, left open.
    """
    sizes = _Sizes(uses, indices, fixed, text)
    sizes.run()
    if strict:
        sizes.check_known()
    for use in uses:
        if not sizes.unknown(use):
            sizes.check(use)


class _Sizes:
    def __init__(self, uses: Sequence[Use], indices: Indices, fixed: Container[str], text: str) -> None:
        self.uses, self.indices, self.text = uses, indices, text
        self.settled = False
        self.open: set[str] = set()
        self.of: dict[str, list[Use]] = {}  # the uses of each open index
        for use in uses:
            asked: list[Index | str] = [*use.indices, *([use.axis] if isinstance(use.place, Group) else [])]
            for root in (self.root(index) for index in asked):
                if root not in fixed and not indices.known(root):
                    self.open.add(root)
        for use in uses:
            for root in dict.fromkeys(self.unknown(use)):
                self.of.setdefault(root, []).append(use)

    def root(self, index: Index | str) -> str:
        return self.indices.add(index if isinstance(index, str) else base(index.name))

    def size(self, index: Index | str) -> Size:
        return self.indices.size(self.root(index))

    def unknown(self, use: Use) -> list[str]:
        """What is open in a position, its axis included."""
        places: list[Index | str] = [*use.indices, use.axis]
        return [root for one in places if (root := self.root(one)) in self.open]

    def run(self) -> None:
        for use in self.uses:
            if isinstance(use.place, Group) and not self.unknown(use):
                self.check(use)
        self.settled = True
        # What a tensor is read at goes before deltas, whose own axis may be of any size.
        self.spread([use for use in self.uses if use.demands])
        self.spread(self.uses)

    def spread(self, uses: Sequence[Use]) -> None:
        """Settle what these positions decide, and what that decides in turn."""
        counted = set(uses)
        waiting = [root for use in uses if len(set(ready := self.unknown(use))) == 1 for root in ready][::-1]
        while waiting:
            root = waiting.pop()
            if root not in self.open:
                continue
            told = [(self.bound(root, use), use) for use in self.of[root] if use in counted]
            bounds = [(size, use) for size, use in told if size is not None]
            if not bounds:
                continue
            size, use = self.smallest(root, bounds)
            if isinstance(size, int) and size < 1 and isinstance(use.place, Affine):
                raise index_messages.no_room(root, use.tensor, self.size(use.axis), self.text, use.place.span)
            self.open.remove(root)
            self.indices.learn(root, size, "by its range")
            for use in self.of[root]:
                if len(set(ready := self.unknown(use))) == 1:
                    waiting.append(ready[0])

    def bound(self, root: str, use: Use) -> Size | None:
        """How many values a position leaves to its one open index; None where it does not say."""
        if set(self.unknown(use)) != {root}:
            return None
        if isinstance(use.place, Group):
            return self.share(root, use)
        place = use.place
        if min(place.steps) < 0 or self.root(use.axis) == root:
            return None
        others = [plus(*self.reach(place, skip=root))]
        room = plus(self.size(use.axis), -1, 2 * max(-place.offset, 0), -max(place.offset, 0), *map(negative, others))
        step = sum(step for step, index in zip(place.steps, place.indices, strict=True) if self.root(index) == root)
        return plus(quotient(room, step), 1)

    def reach(self, place: Affine, skip: str = "") -> Iterable[Size]:
        """How far each index moves a position."""
        for step, index in zip(place.steps, place.indices, strict=True):
            if self.root(index) != skip:
                yield product(step, plus(self.size(index), -1))

    def share(self, root: str, use: Use) -> Size | None:
        """The size of a group's axis, or of the one index of the group that is open."""
        others = [index for index in use.indices if self.root(index) != root]
        count = product(*map(self.size, others))
        if len(others) == len(use.indices):
            return count
        if len(others) < len(use.indices) - 1 or not isinstance(count, int) or count < 1:
            return None
        return quotient(self.size(use.axis), count)

    def smallest(self, root: str, bounds: Sequence[tuple[Size, Use]]) -> tuple[Size, Use]:
        """The smallest bound and its place; a group does not bound but tell."""
        least, at = bounds[0]
        for size, use in bounds:
            if isinstance(use.place, Group):
                return size, use
        for size, use in bounds[1:]:
            difference = plus(size, negative(least))
            if not isinstance(difference, int):
                raise index_messages.clashing_ranges(root, least, size, self.text, use.place.span)
            if difference < 0:
                least, at = size, use
        return least, at

    def fresh(self, axis: str) -> bool:
        """Whether no formula can have an axis's size yet: nothing was settled, and it is known by its symbol only."""
        return not self.settled and not self.indices.known(axis)

    # Checks

    def check_known(self) -> None:
        for use in self.uses:
            names = [index.name for index in use.indices if self.root(index) in self.open]
            if names and use.demands:
                raise index_messages.unknown_sizes(names, self.text, use.place.span)

    def check(self, use: Use) -> None:
        place, size = use.place, self.size(use.axis)
        if isinstance(place, Group):
            count = product(*map(self.size, place.indices))
            if isinstance(count, int) and isinstance(size, int) and count != size:
                raise index_messages.not_a_product(use.tensor, size, count, self.text, place.span)
            if not self.fresh(use.axis) or size in symbols_in(count):
                self.indices.learn(use.axis, size, f"in {use.tensor}")  # its symbol stands in formulas already
            self.indices.learn(use.axis, count, f"in {use.tensor}")
        elif not place.padded and all(self.size(index) != 0 for index in place.indices):
            last = plus(place.offset, *self.reach(place))
            room = plus(size, -1, negative(last))
            if isinstance(room, int) and room < 0:
                whole = next((one.name for one in place.indices if self.root(one) == self.root(use.axis)), "")
                raise index_messages.leaves_axis(use.tensor, last, size, -room, whole, self.text, place.span)
