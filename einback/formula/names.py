"""Names of indices: one size a name, no name twice in a scope.

Equal index names are equal sizes in the text, and primes are decoration: n' has the size of n. So a base
name belongs to one size for a whole printed program, and whoever claims it first has it: the free indices
that the caller asks for, then the names that the user gave, then the size symbols themselves. Integer sizes
without a name of the user's take i, j, k, ... as they are needed, and so do sizes whose names have two primes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from string import ascii_lowercase

from einback.ir.nodes import Node
from einback.ir.sizes import Classes, Size

__all__ = ["IndexNames", "Names"]

_PRIMES = 2
_LETTERS = ascii_lowercase[8:] + ascii_lowercase[:8]  # i, j, k, .. z, a, b, ..


@dataclass(frozen=True)
class Names:
    """What the rim knows of names.

    `free` are the preferred names of a root's axes ("" where unknown), `pool` the index names that the user
    used for each size, preferred first, `tensors` the names of intermediates that the user gave, and `taken` names
    of tensors that may not be shown, which no other may have.
    """

    free: tuple[str, ...] = ()
    pool: Mapping[Size, tuple[str, ...]] = field(default_factory=dict)
    tensors: Mapping[Node, str] = field(default_factory=dict)
    taken: tuple[str, ...] = ()


class IndexNames:
    """The index names of one printed program; sizes that `classes` knows to be equal share their names.

    >>> names = IndexNames({"n": ("q", "k")})
    >>> names.reserve(["n", 3])
    >>> [names.pick("n", taken) for taken in ([], ["q"], ["q", "k"], ["q", "k", "n"], ["q", "k", "n", "q'", "q''"])]
    ['q', 'k', 'n', "q'", 'i']
    >>> names.pick(3, ["j"])
    'l'
    """

    def __init__(self, pool: Mapping[Size, tuple[str, ...]], classes: Classes | None = None) -> None:
        self._classes = classes or Classes()
        self._pool: dict[Size, dict[str, None]] = {}
        for size, names in pool.items():
            self._pool.setdefault(self._classes.find(size), {}).update(dict.fromkeys(names))
        self._owner: dict[str, Size] = {}
        self._first: dict[Size, str] = {}  # the first name picked for each size

    def reserve(self, sizes: Iterable[Size], wishes: Iterable[tuple[str, Size]] = ()) -> None:
        """Let symbols claim their own names, then sizes those wished for, then those that the user gave them."""
        sizes = list(sizes)
        for size in sizes:
            if isinstance(size, str):
                self._pool.setdefault(self._classes.find(size), {}).setdefault(size)
                self.claim(size, size)
        for name, size in wishes:
            self.claim(name, size)
        for size in sizes:
            for name in self._pool.get(self._classes.find(size), ()):
                self.claim(name, size)

    def block(self, names: Iterable[str]) -> None:
        """Keep names from indices: the text takes a scalar of the same name for a misplaced index."""
        for name in names:
            self._owner[name] = ""

    def claim(self, name: str, size: Size) -> bool:
        """Whether `name` may stand for `size` from now on."""
        base, size = name.rstrip("'"), self._classes.find(size)
        return base.isidentifier() and self._owner.setdefault(base, size) == size

    def pick(self, size: Size, taken: Collection[str], preferred: str = "") -> str:
        """A name for an index of this size that is not among `taken`."""
        size = self._classes.find(size)
        if preferred and preferred not in taken and self.claim(preferred, size):
            name = preferred
        else:
            name = next(name for name in self._candidates(size) if name not in taken)
        self._first.setdefault(size, name)
        return name

    def shown(self, size: Size) -> str:
        """The name of an index of this size that the program shows, or an empty string."""
        return self._first.get(self._classes.find(size), "").rstrip("'")

    def _candidates(self, size: Size) -> Iterator[str]:
        """The user's names, the first of them with few primes, and letters that are free."""
        own = [name for name in self._pool.get(size, ()) if self.claim(name, size)]
        yield from own
        for primes in range(1, _PRIMES + 1) if own else ():
            if (name := own[0].rstrip("'") + "'" * primes) not in own:
                yield name
        spare = (letter for letter in _LETTERS if self._owner.get(letter, size) == size)
        for name in chain(spare, (f"i_{k}" for k in count(1))):
            if name not in own and self.claim(name, size):
                yield name
