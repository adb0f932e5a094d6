"""Groups: cells that one kernel computes, over one space of axes, so that what only they read never leaves it.

A group begins with a cell and takes in those that make what its cells read. Its axes are those of the cells; where
cells reduce, all do over the same `inner` axes, and the others are `outer`. What is read in a group is matched by
strides: a cell that reads entry (j, i) of an array that another writes as entry (i, j) has its axes crossed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from einback.run.cuda.cells import Access, Cell, Gathered
from einback.run.layout import Layout

__all__ = ["Group"]

Axes = tuple[int | None, ...]  # the axis of a group for each of a cell's, None for one of length one

_MOST = 48  # cells of a group
_FEW, _LONG = 128, 1 << 14  # rows, and their entries, that one block each would take too long for


@dataclass(slots=True)
class Group:
    """`cells` by their place in the program, with the axes of each; `lengths` are those of the group's axes."""

    lengths: list[int]
    inner: tuple[int, ...] | None = None
    cells: dict[int, Cell] = field(default_factory=dict)
    axes: dict[int, Axes] = field(default_factory=dict)

    @staticmethod
    def of(place: int, cell: Cell) -> Group:
        axes: Axes = tuple(k if length > 1 else None for k, length in enumerate(cell.space))
        group = Group(list(cell.space), tuple(k for k in cell.gone if axes[k] is not None) if cell.reduction else None)
        group.cells[place], group.axes[place] = cell, axes
        return group

    @property
    def outer(self) -> tuple[int, ...]:
        return tuple(k for k, n in enumerate(self.lengths) if n > 1 and k not in (self.inner or ()))

    @property
    def steps(self) -> dict[int, int]:
        """How far two neighbours along each outer axis are apart, where rows lie in order."""
        return {axis: prod(self.lengths[k] for k in self.outer[n + 1 :]) for n, axis in enumerate(self.outer)}

    def over_inner(self, place: int) -> bool:
        """Whether a cell has a number for each inner index, before it reduces."""
        return any(axis in (self.inner or ()) for axis in self.axes[place])

    def reads(self, root: int) -> list[tuple[int, Access]]:
        return [(place, read) for place, cell in self.cells.items() for read in cell.reads if read.root == root]

    def take(self, place: int, cell: Cell) -> bool:
        """Take in a cell whose result is read here; False where it does not go with the others."""
        if len(self.cells) >= _MOST or self._gathers(cell.out.root):
            return False
        axes = self._placed(cell)
        if axes is None:
            return False
        if not cell.reduction:
            self.cells[place], self.axes[place] = cell, axes
            return True
        found = self._reducing(cell, axes)
        if found is None:
            return False
        lengths, inner, axes = found
        self.lengths, self.inner = lengths, inner
        self.cells[place], self.axes[place] = cell, axes
        return True

    def _gathers(self, root: int) -> bool:
        """Whether entries of an array are read where indices point, or point themselves."""
        return any(isinstance(one, Gathered) and root in (one.array.root, one.ids.root)
                   for cell in self.cells.values() for one in cell.operands)  # fmt: skip

    def _placed(self, cell: Cell) -> Axes | None:
        """The axes of the cell's result, if all that is read of it here agrees."""
        found: Axes | None = None
        for place, read in self.reads(cell.out.root):
            match = _matched(read.layout, cell.out.layout)
            if match is None:
                return None
            axes = tuple(None if k is None else self.axes[place][k] for k in match)
            if found not in (None, axes):
                return None
            found = axes
        return found

    def _reducing(self, cell: Cell, kept: Axes) -> tuple[list[int], tuple[int, ...], Axes] | None:
        """The lengths and inner axes of the group, and the axes of a reduction in it."""
        rows = {axis for axis in kept if axis is not None}
        gone = [cell.space[k] for k in cell.gone if cell.space[k] > 1]
        free = [k for k, n in enumerate(self.lengths) if n > 1 and k not in rows]
        lengths, inner = list(self.lengths), self.inner
        if inner is None and free:
            inner = tuple(free)
        elif inner is None:
            inner = tuple(range(len(lengths), len(lengths) + len(gone)))
            lengths += gone
        if [lengths[k] for k in inner] != gone or sorted(free or inner) != sorted(inner) or rows & set(inner):
            return None
        long = prod(lengths[k] for k in rows) < _FEW and prod(gone) > _LONG
        if long and free and not (self.inner is not None and self._feeds_rows(cell.out.root)):
            return None
        spare = iter(inner)
        own = iter(kept)
        axes = tuple(
            (next(spare) if cell.space[k] > 1 else None) if k in cell.gone else next(own)
            for k in range(len(cell.space))
        )
        return lengths, inner, axes

    def _feeds_rows(self, root: int) -> bool:
        """Whether only what has no inner axes reads a result."""
        return not any(self.over_inner(place) for place, _ in self.reads(root))


def _matched(read: Layout, out: Layout) -> tuple[int | None, ...] | None:
    """The axis of a read for each axis that was written, None for axes of length one; None if they do not match."""
    if read.offset != out.offset:
        return None
    free = {k for k, (n, stride) in enumerate(zip(read.shape, read.strides, strict=True)) if stride and n > 1}
    found: list[int | None] = []
    for length, stride in zip(out.shape, out.strides, strict=True):
        same = [k for k in free if read.strides[k] == stride and read.shape[k] == length]
        if length > 1 and len(same) != 1:
            return None
        found.append(same[0] if length > 1 else None)
        free.difference_update(same if length > 1 else ())
    return None if free else tuple(found)


def levels(group: Group, order: Sequence[int]) -> dict[int, int]:
    """How many reductions, one after the other, stand before each cell; for a reduction, itself included."""
    made = {group.cells[place].out.root: place for place in order}
    found: dict[int, int] = {}
    for place in order:
        cell = group.cells[place]
        before = [found[made[read.root]] for read in cell.reads if read.root in made and made[read.root] in found]
        found[place] = max(before, default=0) + bool(cell.reduction)
    return found
