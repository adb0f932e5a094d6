"""What the names of a program are: definitions, inputs, constants; their ranks, and an order to build in.

A name that is read and never defined is an input. That makes a slip of the pen an input too, so a name that
looks like a slip of a defined name, or like a call of a function that does not exist, is an error.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from einback.errors import Span
from einback.ir.nodes import Node, Number
from einback.notation import index_messages, messages
from einback.notation.grammar import KNOWN
from einback.notation.scopes import occurrences
from einback.notation.syntax import Index, Read, SizeOf, Statement, own_indices
from einback.notation.unify import base
from einback.rules.composite import AXIS_FUNCTIONS, REDUCTIONS
from einback.rules.matrix import function_name

__all__ = ["NUMBERS", "Kind", "Names", "reads", "slips"]

NUMBERS: Final[dict[str, Number]] = {"inf": math.inf, "nan": math.nan, "pi": math.pi, "π": math.pi}


class Kind(Enum):
    TENSOR = "tensor"
    ONES = "ones"
    DELTA = "delta"
    NUMBER = "number"


def reads(statement: Statement) -> list[Read]:
    """What the right-hand side reads, in the order of the text."""
    return sorted((part for part in statement.parts if isinstance(part, Read)), key=lambda read: read.span[0])


class Names:
    """The names of a program, checked. `inputs` are in order of appearance, `order` builds what is read first."""

    def __init__(self, text: str, statements: Sequence[Statement], given: Mapping[str, Node]) -> None:
        self._text = text
        self._given = given
        self.defined = self._definitions(statements)
        every = [read for one in statements for read in reads(one)]
        tensors = [read for read in every if self.kind(read) is Kind.TENSOR]
        self.ids = self._gathered(every)
        self._check_functions(tensors)
        self._check_indices(statements, tensors)
        self.inputs = tuple(dict.fromkeys(read.name for read in tensors if read.name not in self.defined))
        self._check_ranks(tensors)
        self._check_slips(tensors)
        self.order = self._sorted()

    def kind(self, read: Read) -> Kind:
        """What a name stands for; a tensor's name goes before a constant's."""
        count = None if read.indices is None else len(read.indices)
        if read.fn:
            return Kind.TENSOR
        if read.name == "1":
            return Kind.ONES
        if self._is_tensor(read.name):
            return Kind.TENSOR
        if read.name == "ones" and count is not None:
            return Kind.ONES
        if read.name in ("delta", "δ") and count == 2:
            return Kind.DELTA
        return Kind.NUMBER if read.name in NUMBERS and count is None else Kind.TENSOR

    def _gathered(self, every: Sequence[Read]) -> dict[str, Read]:
        """The tensors in index positions, each where it stands there first."""
        found: dict[str, Read] = {}
        for read in every:
            for place in read.indices or ():
                if isinstance(place, Read):
                    if self.kind(place) is not Kind.TENSOR:
                        raise index_messages.gather_by_no_tensor(place.name, self._text, place.span)
                    found.setdefault(place.name, place)
            if self.kind(read) is Kind.ONES and any(not isinstance(place, Index) for place in read.indices or ()):
                raise index_messages.affine_ones(self._text, read.span)
        return found

    def _is_tensor(self, name: str) -> bool:
        return name in self.defined or name in self._given

    def _line(self, span: Span) -> int:
        return self._text.count("\n", 0, span[0]) + 1

    def _definitions(self, statements: Sequence[Statement]) -> dict[str, Statement]:
        found: dict[str, Statement] = {}
        for one in statements:
            if one.name in found:
                raise messages.defined_twice(one.name, self._line(found[one.name].span), self._text, one.span)
            if one.name in self._given:
                raise messages.defined_and_given(one.name, self._text, one.span)
            found[one.name] = one
        return found

    def _check_functions(self, tensors: Sequence[Read]) -> None:
        """Functions that are not called, and calls of functions that do not exist."""
        uses = Counter(read.name for read in tensors if not read.called)
        for read in tensors:
            if self._is_tensor(read.name):
                continue
            if read.name in KNOWN:
                reduces = read.name in REDUCTIONS or read.name in AXIS_FUNCTIONS
                raise messages.function_without_argument(read.name, reduces, self._text, read.span)
            if read.called and not uses[read.name]:
                raise messages.unknown_function(read.name, KNOWN, self._text, read.span)

    def _check_indices(self, statements: Sequence[Statement], tensors: Sequence[Read]) -> None:
        """Indices that are read like tensors, and sizes of indices that nothing has."""
        indices = {
            base(index.name): None for one in statements for index in (*own_indices(one.indices), *occurrences(one))
        }
        for read in tensors:
            if read.indices is None and base(read.name) in indices and not self._is_tensor(read.name):
                raise index_messages.index_as_value(read.name, self._text, read.span)
            if read.indices is None and base(read.name) != read.name:
                raise messages.primed_tensor(self._text, read.span)
        for one in statements:
            for part in one.parts:
                if isinstance(part, SizeOf) and base(part.index.name) not in indices:
                    raise messages.unknown_index(part.index.name, indices, self._text, part.index.span)

    def _check_ranks(self, tensors: Sequence[Read]) -> None:
        """A tensor has as many axes as its definition, or as where it was read first."""
        known: dict[str, tuple[int, Span | None]] = {name: (node.rank, None) for name, node in self._given.items()}
        known |= {name: (len(one.indices), one.span) for name, one in self.defined.items()}
        for read in tensors:
            count = len(read.axes)
            if read.fn and count < 2:
                raise messages.no_matrix(read.name, function_name(read.fn), count, self._text, read.span)
            rank, span = known.setdefault(read.name, (count, read.span))
            if count != rank:
                line = None if span is None else self._line(span)
                raise messages.rank_of_read(messages.known_rank(read.name, rank, line), count, self._text, read.span)
        self.ranks = {name: rank for name, (rank, _) in known.items()}

    def _check_slips(self, tensors: Sequence[Read]) -> None:
        """An input whose name is one slip of the pen away from a definition of its rank."""
        meant: dict[tuple[int, str], str] = {}
        for name in self.defined:
            for pattern in slips(name):
                meant.setdefault((self.ranks[name], pattern), name)
        first = {read.name: read for read in reversed(tensors) if not self._is_tensor(read.name)}
        for name, read in first.items():
            for pattern in slips(name):
                if (self.ranks[name], pattern) in meant:
                    raise messages.unknown_tensor(name, meant[self.ranks[name], pattern], self._text, read.span)

    def _sorted(self) -> tuple[str, ...]:
        """The definitions, each behind those it reads."""
        needs = {
            name: [read.name for read in reads(one) if read.name in self.defined and self.kind(read) is Kind.TENSOR]
            for name, one in self.defined.items()
        }
        done: dict[str, None] = {}
        for root in self.defined:
            path: dict[str, list[str]] = {}  # the definitions that are open, each with what it still needs
            if root not in done:
                path[root] = needs[root][::-1]
            while path:
                name = next(reversed(path))
                if not path[name]:
                    done[name] = None
                    path.popitem()
                    continue
                wanted = path[name].pop()
                if wanted in path:
                    around = list(path)[list(path).index(wanted) :]
                    raise messages.cycle(around, self._text, self.defined[wanted].span)
                if wanted not in done:
                    path[wanted] = needs[wanted][::-1]
        return tuple(done)


_CONFUSED: Final = str.maketrans("lIO", "110")  # letters that are taken for digits


def slips(name: str) -> Iterator[str]:
    """Patterns that two names share if they differ as slips do, and as different names seldom do.

    A digit for the letter that looks like it; or, in names of four letters and more, one letter inside the
    name that is missing, exchanged or swapped with its neighbour. Names that differ in their first or last
    character or in a digit are taken to be meant: x and dx, logit and logits, W1 and W2.

    >>> def alike(a, b):
    ...     return not set(slips(a)).isdisjoint(slips(b))
    >>> alike("Wl", "W1"), alike("hiden", "hidden"), alike("hidedn", "hidden"), alike("W_2x", "W_1x")
    (True, True, True, False)
    """
    yield name.translate(_CONFUSED)
    if not 4 <= len(name) <= 40:
        return
    for k in range(1, len(name) - 1):
        before, char, behind = name[:k], name[k], name[k + 1 :]
        yield f"{before}?{char}{behind}"
        if char.isalpha():
            yield f"{before}?{behind}"
            if len(behind) > 1 and behind[0].isalpha():
                yield before + "~" + "".join(sorted(name[k : k + 2])) + behind[1:]
