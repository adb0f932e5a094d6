"""Which indices of a statement are summed, and where: Einstein's rule for whole programs.

An index stands in one of three ways in a statement `left = right`:

    on the left     it is kept
    bound           a reduction such as `sum[i](..)` goes over it, and it ends there
    implicit        all others: it is summed over the smallest term that holds all its occurrences

A *term* is a summand: a whole product with its powers and quotients, between + and -. A sum in parentheses
is none, it is a factor; only where no summand of the right-hand side holds an index alone is the whole
right-hand side summed, once. So

    L = (O[i] - Y[i])^2         sums the squares: no term inside the parentheses holds both occurrences
    s = (x[i] y[i])^2           squares the sum: the product in the parentheses is the smallest term
    y = exp(A[i,j] x[j]) b[i]   sums over j within exp, and over i outside
    s = (a[i] + b) c            is (sum of a + b) c
    s = a[i] + b[i]             sums the right-hand side

What a reader could take in two ways is an error (`einback.notation.ambiguity`), and `sum[i](..)` says what is
meant.

The indices in the bracket of an axis function (`softmax[c](..)`) stand outside its argument, for it keeps
them. Every index in `x[2*i+u]`, `x[(h w)]`, `E[token[b,t]]` occurs there, and so does one that is compared,
`q >= k`. `size(n)` is a number and no occurrence of n. In the text, a term is a range, and it holds an
index if it reaches from its first occurrence to its last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from einback.errors import Span
from einback.notation import messages
from einback.notation.syntax import Apply, Index, Position, Read, Statement, Term, own_indices
from einback.rules.composite import REDUCTIONS

__all__ = ["Scope", "occurrences"]


def occurrences(statement: Statement) -> Iterator[Index]:
    """The places where the right-hand side reads along an index; the brackets of reductions are none."""
    for part in statement.parts:
        match part:
            case Read():
                yield from own_indices(part.indices)
            case Position():
                yield part.index
            case Apply() if part.fn not in REDUCTIONS:
                yield from part.indices or ()


class Scope:
    """The indices of one statement."""

    def __init__(self, statement: Statement, text: str) -> None:
        self.left = tuple(index.name for index in own_indices(statement.indices))
        self._rank = {name: k for k, name in reversed(list(enumerate(self.left)))}
        self._reach: dict[str, Span] = {}
        bound = _bound(statement, text)
        for index in occurrences(statement):
            if index.name in bound:
                _check_inside(index, bound[index.name], text)
            elif index.name not in self._rank:
                start, end = self._reach.get(index.name, index.span)
                self._reach[index.name] = (min(start, index.span[0]), max(end, index.span[1]))
        for index in own_indices(statement.indices):
            if index.name in bound:
                raise messages.bound_and_free(index.name, bound[index.name][0].fn, text, index.span)

    def implicit(self, index: str) -> bool:
        return index in self._reach

    def ends_in(self, term: Term, index: str) -> bool:
        """Whether an index is implicit and all its occurrences lie in the term."""
        reach = self._reach.get(index)
        return reach is not None and term.span[0] <= reach[0] and reach[1] <= term.span[1]

    def order(self, indices: list[str]) -> list[str]:
        """The order of axes that a product is built with: the left side's first."""
        return sorted(indices, key=lambda index: self._rank.get(index, len(self._rank)))


def _bound(statement: Statement, text: str) -> dict[str, list[Apply]]:
    """The reductions over each index, in the order of the text; one within another is an error."""
    reductions = [part for part in statement.parts if isinstance(part, Apply) and part.fn in REDUCTIONS]
    reductions.sort(key=lambda part: part.span)
    found: dict[str, list[Apply]] = defaultdict(list)
    for part in reductions:
        for index in part.indices or ():
            before = found[index.name]
            if before and index.span[0] < before[-1].span[1]:
                raise messages.bound_twice(index.name, text, index.span)
            before.append(part)
    return dict(found)


def _check_inside(index: Index, reductions: list[Apply], text: str) -> None:
    at = bisect_right(reductions, index.span[0], key=lambda part: part.span[0]) - 1
    if at < 0 or index.span[1] > reductions[at].span[1]:
        raise messages.bound_and_free(index.name, reductions[0].fn, text, index.span)
