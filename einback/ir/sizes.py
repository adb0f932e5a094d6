"""Sizes of axes: integers, or symbols that stand for one.

When two labels meet, their sizes are *unified*: equal integers, an integer and a symbol, or two symbols
that from then on stand for the same number. What was learned is a set of equalities, kept at the rim of
a program; `Classes` closes it and finds contradictions.
"""

from __future__ import annotations

from collections.abc import Iterable

from einback.errors import ShapeError

__all__ = ["Classes", "Equality", "Size", "merge_shapes", "merge_sizes"]

Size = int | str
Equality = tuple[Size, Size]


def merge_sizes(a: Size, b: Size) -> Size:
    """The size of an axis known under two sizes: the integer if there is one, else the smaller name, names before
    formulas.

    >>> merge_sizes("n", 3), merge_sizes("n", "m")
    (3, 'm')
    """
    if a == b:
        return a
    if isinstance(a, int):
        if isinstance(b, int):
            raise ShapeError(f"sizes {a} and {b} meet on one axis")
        return a
    return b if isinstance(b, int) else min(a, b, key=lambda size: (not size.isidentifier(), size))


def merge_shapes(a: tuple[Size, ...], b: tuple[Size, ...]) -> tuple[Size, ...]:
    if a == b:
        return a
    if len(a) != len(b):
        raise ShapeError(f"shapes {a} and {b} have {len(a)} and {len(b)} axes")
    return tuple(map(merge_sizes, a, b))


class Classes:
    """Union-find over sizes: which symbols stand for the same number, and for which one."""

    def __init__(self, equalities: Iterable[Equality] = ()) -> None:
        self._parent: dict[Size, Size] = {}
        for a, b in equalities:
            self.unite(a, b)

    def find(self, size: Size) -> Size:
        """The representative of a size: its integer if known, else the smallest symbol."""
        root = size
        while (up := self._parent.get(root, root)) != root:
            root = up
        while size != root:  # path compression
            self._parent[size], size = root, self._parent.get(size, root)
        return root

    def unite(self, a: Size, b: Size) -> None:
        """Record that two sizes are equal; contradicting integers raise `ShapeError`."""
        a, b = self.find(a), self.find(b)
        if a != b:
            root = merge_sizes(a, b)
            self._parent[b if root == a else a] = root
