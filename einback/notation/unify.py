"""Indices and the sizes that they name: equal indices have equal sizes.

Indices form classes: `Z[i,c]` of a tensor defined as `Z[n,c]` puts i and n into one. A class has a size as
soon as an axis of known size is read under one of its indices. Where two known sizes meet they must
agree; two symbols, or a symbol and an integer, are equal from then on, and that is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable

from einback.ir.extents import symbols_in
from einback.ir.sizes import Classes, Equality, Size
from einback.notation import messages

__all__ = ["Indices", "base", "distinct_names"]


def base(index: str) -> str:
    """An index without its primes: the size that it names.

    >>> base("n''")
    'n'
    """
    return index.rstrip("'")


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    """Index names for the axes of one tensor, told apart by primes where one size stands on several.

    >>> distinct_names(["n", "n", "d", "n", ""])
    ('n', "n'", 'd', "n''", '')
    """
    used: set[str] = set()
    result = []
    for name in names:
        while name and name in used:
            name += "'"
        used.add(name)
        result.append(name)
    return tuple(result)


class Indices:
    """The classes of indices of one program or string, and their sizes.

    `noun` is what messages call an index; `suffix` is put behind the names of sizes that are not known.
    """

    def __init__(self, noun: str = "index", suffix: str = "") -> None:
        self._noun, self._suffix = noun, suffix
        self._sizes = Classes()
        self._learned: dict[Equality, None] = {}
        self._parent: dict[str, str] = {}
        self._order: dict[str, int] = {}
        self._known: dict[str, tuple[Size, str]] = {}  # by the class's first index: a size, and where it was met
        self._given: set[Size] = set()

    def __contains__(self, index: str) -> bool:
        return index in self._parent

    def names(self) -> tuple[str, ...]:
        """All indices in order of appearance."""
        return tuple(self._order)

    def add(self, index: str) -> str:
        """The first index of the class of an index, which is made if need be."""
        if index not in self._parent:
            self._parent[index] = index
            self._order[index] = len(self._order)
        root = index
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[index] != root:  # path compression
            self._parent[index], index = root, self._parent[index]
        return root

    def meet(self, index: str, size: Size, place: str) -> None:
        """An axis of this size is read under the index; `place` names it for messages ("in W")."""
        self._given.update((size, *symbols_in(size)))
        self.learn(index, size, place)

    def learn(self, index: str, size: Size, place: str) -> None:
        """The index has this size, a number or made of sizes that are here already."""
        root = self.add(index)
        if root in self._known:
            self._agree(index, self._known[root], (size, place))
        else:
            self._known[root] = (size, place)

    def known(self, index: str) -> bool:
        """Whether a size was met under the index."""
        return self.add(index) in self._known

    def preset(self, index: str, size: Size) -> None:
        """The caller gives the size of an index."""
        whole = isinstance(size, int) and not isinstance(size, bool) and size >= 0
        if not whole and not (isinstance(size, str) and size.isidentifier()):
            raise messages.bad_size(index, size)
        self.meet(index, size, "as given")

    def unite(self, a: str, b: str) -> None:
        """Two indices stand on one axis; the one that appeared first stands for both."""
        one, other = sorted((self.add(a), self.add(b)), key=self._order.__getitem__)
        if one == other:
            return
        if one in self._known and other in self._known:
            self._agree(b, self._known[one], self._known[other])
        self._parent[other] = one
        if other in self._known:
            self._known.setdefault(one, self._known[other])

    def size(self, index: str) -> Size:
        """What stands for the length of an index: an integer, a symbol that was met, or a new symbol."""
        root = self.add(index)
        if root in self._known:
            return self._sizes.find(self._known[root][0])
        return self._symbol(root)

    def call(self, index: str) -> None:
        """The size of an index is called like the index itself, unless something is known of it; where an operand
        has a size of this name, it is that.
        """
        symbol = index if index in self._given else self._symbol(index)
        self._known.setdefault(self.add(index), (symbol, "as written"))

    def _symbol(self, index: str) -> str:
        # A new symbol must not be taken for one that an operand brings under another index.
        symbol = index + self._suffix
        while symbol in self._given:
            symbol += "_"
        return symbol

    def equalities(self) -> frozenset[Equality]:
        """The pairs of sizes that met."""
        return frozenset(self._learned)

    def _agree(self, index: str, first: tuple[Size, str], second: tuple[Size, str]) -> None:
        a, b = self._sizes.find(first[0]), self._sizes.find(second[0])
        if a == b:
            return
        if isinstance(a, int) and isinstance(b, int):
            met = ((_shown(first[0], a), first[1]), (_shown(second[0], b), second[1]))
            raise messages.size_clash(self._noun, index, *met, one=1 in (a, b))
        self._sizes.unite(a, b)
        self._learned[(first[0], second[0])] = None


def _shown(size: Size, value: Size) -> str:
    return str(value) if size == value else f"{size} = {value}"
