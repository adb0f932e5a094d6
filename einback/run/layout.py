"""Layouts: where the entries of a view lie, so that it is known without any array whether fusing axes copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import EllipsisType

__all__ = ["Layout", "row_major"]

Item = slice | int | EllipsisType | None


@dataclass(frozen=True, slots=True)
class Layout:
    """The lengths of the axes, how far two neighbours along each lie apart, in entries, and the first entry."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def in_order(self) -> bool:
        """Whether the entries lie in C order without gaps."""
        if 0 in self.shape:
            return True
        step = 1
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length != 1 and stride != step:
                return False
            step *= length
        return True

    def transposed(self, axes: Sequence[int]) -> Layout:
        return Layout(tuple(self.shape[k] for k in axes), tuple(self.strides[k] for k in axes), self.offset)

    def diagonal(self, p: int, q: int) -> Layout:
        """The axes p and q, of one length, read where they agree; that axis comes last, as in NumPy."""
        rest = [k for k in range(len(self.shape)) if k not in (p, q)]
        shape = (*(self.shape[k] for k in rest), min(self.shape[p], self.shape[q]))
        return Layout(shape, (*(self.strides[k] for k in rest), self.strides[p] + self.strides[q]), self.offset)

    def along(self, pattern: str) -> Layout:
        """The axes as in an einsum of one operand that sums nothing: a letter that stands twice is a diagonal.

        >>> row_major((3, 4, 3)).along("aba->ab").strides
        (13, 3)
        """
        letters, _, out = pattern.partition("->")
        lengths = dict(zip(letters, self.shape, strict=True))
        strides = (sum(s for own, s in zip(letters, self.strides, strict=True) if own == letter) for letter in out)
        return Layout(tuple(lengths[letter] for letter in out), tuple(strides), self.offset)

    def repeated(self, shape: Sequence[int]) -> Layout:
        """Broadcast to a shape."""
        new = len(shape) - len(self.shape)
        strides = [
            0 if length != own else stride
            for length, own, stride in zip(shape[new:], self.shape, self.strides, strict=True)
        ]
        return Layout(tuple(shape), (*(0,) * new, *strides), self.offset)

    def windowed(self, axis: int, start: int, sizes: Sequence[int], steps: Sequence[int]) -> Layout:
        """An axis replaced by several that stride through it, from its entry `start` on."""
        shape = (*self.shape[:axis], *sizes, *self.shape[axis + 1 :])
        strides = (*self.strides[:axis], *(self.strides[axis] * k for k in steps), *self.strides[axis + 1 :])
        return Layout(shape, strides, self.offset + start * self.strides[axis])

    def indexed(self, items: Sequence[Item]) -> Layout:
        """Picks, slices and new axes, as in `x[items]`."""
        taken = sum(item is not None and item is not Ellipsis for item in items)
        shape: list[int] = []
        strides: list[int] = []
        axis, offset = 0, self.offset
        for item in (*items, *(() if Ellipsis in items else (Ellipsis,))):
            match item:
                case None:
                    shape.append(1)
                    strides.append(0)
                case EllipsisType():
                    count = len(self.shape) - taken
                    shape += self.shape[axis : axis + count]
                    strides += self.strides[axis : axis + count]
                    axis += count
                case slice():
                    places = range(self.shape[axis])[item]
                    shape.append(len(places))
                    strides.append(self.strides[axis] * places.step)
                    offset += self.strides[axis] * places.start if places else 0
                    axis += 1
                case _:
                    offset += self.strides[axis] * range(self.shape[axis])[item]
                    axis += 1
        return Layout(tuple(shape), tuple(strides), offset)

    def reshaped(self, shape: Sequence[int]) -> Layout | None:
        """The view of another shape, or None where NumPy would have to copy.

        >>> row_major((4, 6)).reshaped((2, 2, 6)).strides
        (12, 6, 1)
        >>> row_major((4, 6)).transposed((1, 0)).reshaped((24,)) is None
        True
        """
        if 0 in shape:
            return replace(row_major(shape), offset=self.offset)
        old = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        new = [n for n in shape if n != 1]
        strides: list[int] = []
        while old and new:
            have, want, taken, given = old[0][0], new[0], 1, 1
            while have != want:
                if have < want:
                    have *= old[taken][0]
                    taken += 1
                else:
                    want *= new[given]
                    given += 1
            if any(old[k][1] != old[k + 1][0] * old[k + 1][1] for k in range(taken - 1)):
                return None
            step = old[taken - 1][1]
            fresh: list[int] = []
            for length in reversed(new[:given]):
                fresh.append(step)
                step *= length
            strides += fresh[::-1]
            old, new = old[taken:], new[given:]
        found = iter(strides)
        return Layout(tuple(shape), tuple(0 if n == 1 else next(found) for n in shape), self.offset)


def row_major(shape: Sequence[int]) -> Layout:
    strides: list[int] = []
    step = 1
    for length in reversed(shape):
        strides.append(step)
        step *= length
    return Layout(tuple(shape), tuple(reversed(strides)))
