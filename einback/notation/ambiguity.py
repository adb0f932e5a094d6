"""Sums that a reader could place in two ways: each is an error, for a wrong formula would be worse.

Where a sum ends is the rule of `einback.notation.scopes`. This module looks at every statement once more and
asks whether another reading is near:

    exp(x[i])                      the sum ends in an argument, and is no contraction there: inside or around exp?
    1 / x[i]                       only divisors have i: the reciprocal of the sum, or the sum of reciprocals?
    a[i] + b[i] + c                the sum takes in c, which has no i: is it counted size(i) times?
    exp(a[i] b[i]) exp(c[i] d[i])  two contractions over i, or one sum over the whole?

Inside a function, a power, a denominator or a comparison it matters where a sum ends. There only a contraction
goes without saying: at least two of the factors that are multiplied have the index, as in `exp(A[i,j] x[j])`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from einback.errors import Span
from einback.notation import messages
from einback.notation.scopes import Scope
from einback.notation.syntax import (
    Apply,
    Comparison,
    Expression,
    Position,
    Power,
    Read,
    Statement,
    Sum,
    Term,
    own_indices,
    parts,
)

__all__ = ["check_sums"]

_LINEAR: Final = frozenset({"sum", "mean"})  # reductions that other sums pass through


@dataclass(frozen=True, slots=True)
class _Carried:
    """An index in an expression in which it is not summed.

    `lacking` is a summand that does not have it, `contracted` a product inside of which several factors have it.
    """

    lacking: Span | None = None
    contracted: Span | None = None


_PLAIN: Final = _Carried()
_Indices = Mapping[str, _Carried]


def check_sums(statement: Statement, text: str, scope: Scope) -> None:
    """Raise `NotationError` for the first sum of a statement that has a second reading."""
    _Check(statement, text, scope).run()


class _Check:
    def __init__(self, statement: Statement, text: str, scope: Scope) -> None:
        self.statement, self.text, self.scope = statement, text, scope
        self.around = _surroundings(statement)
        self.found: dict[Expression, _Indices] = {}

    def run(self) -> None:
        for part in self.statement.parts:
            self.found[part] = self.carried(part)
        for index, own in self.found[self.statement.value].items():
            self.check_counted(index, own)

    def carried(self, part: Expression) -> _Indices:
        """The implicit indices of a part that are summed further out."""
        inner = [self.found.pop(one) for one in parts(part)]
        match part:
            case Read():
                own = {index.name: _PLAIN for index in own_indices(part.indices) if self.scope.implicit(index.name)}
                return own | {index: _PLAIN for indices in inner for index in indices}
            case Position():
                return {part.index.name: _PLAIN} if self.scope.implicit(part.index.name) else {}
            case Term():
                return self.product(part, inner)
            case Sum():
                return _sum(part, inner)
            case _:
                result: dict[str, _Carried] = {}
                for indices, bent in zip(inner, _bends(part), strict=True):
                    if bent:
                        self.check_single(indices)
                    result |= dict.fromkeys(indices, _PLAIN) if bent else indices
                return result

    def product(self, term: Term, inner: Sequence[_Indices]) -> _Indices:
        carriers: dict[str, list[int]] = {}
        for k, indices in enumerate(inner):
            if term.inverted[k]:
                self.check_single(indices)
            for index in indices:
                carriers.setdefault(index, []).append(k)
        result: dict[str, _Carried] = {}
        loose: list[str] = []
        for index, places in carriers.items():
            multiplied = sum(not term.inverted[k] for k in places)
            own = inner[places[0]][index]
            if len(places) > 1:
                self.check_single(*({index: inner[k][index]} for k in places))
                own = _PLAIN
            if not self.scope.ends_in(term, index):
                result[index] = _Carried(own.lacking, term.span) if multiplied > 1 else own
                continue
            if not multiplied:
                raise messages.two_places([index], term.factors[places[0]], term, self.text)
            if multiplied < 2 and term in self.around:
                loose.append(index)
            self.check_counted(index, own)
        if loose:
            raise messages.two_places(loose, term, self.around[term], self.text)
        return result

    def check_single(self, *carriers: _Indices) -> None:
        """No index was contracted further in: here a sum in there and a sum out here have different values."""
        for indices in carriers:
            for index, own in indices.items():
                if own.contracted is not None:
                    raise messages.contracted_and_used(index, self.text, own.contracted)

    def check_counted(self, index: str, own: _Carried) -> None:
        """Every summand under a sum has its index."""
        if own.lacking is not None:
            raise messages.lacking_summand(index, self.text, own.lacking)


def _sum(part: Sum, inner: Sequence[_Indices]) -> _Indices:
    result: dict[str, _Carried] = {}
    for index in dict.fromkeys(index for indices in inner for index in indices):
        own = [indices.get(index) for indices in inner]
        lacking = [
            term.span if one is None else one.lacking
            for term, one in zip(part.terms, own, strict=True)
            if one is None or one.lacking is not None
        ]
        # a[i] b[i] - c[i] has one reading: what holds i alone keeps it for the whole.
        contracted = None
        if all(one.contracted is not None for one in own if one is not None):
            contracted = next(one.contracted for one in own if one is not None)
        result[index] = _Carried(lacking[0] if lacking else None, contracted)
    return result


def _surroundings(statement: Statement) -> dict[Expression, Expression]:
    """For every part in which a sum is not what it is outside: the innermost thing that is not linear in it.

    That is a function, a power, a comparison, or a quotient, which stands around its denominators.
    """
    found: dict[Expression, Expression] = {}
    for part in reversed(statement.parts):  # what stands around comes first
        for inner, bent in zip(parts(part), _bends(part), strict=True):
            if bent:
                found[inner] = part
            elif part in found:
                found[inner] = found[part]
    return found


def _bends(part: Expression) -> Sequence[bool]:
    """For each of the parts of an expression, whether it is not linear in it."""
    match part:
        case Term():
            return part.inverted
        case Power() | Comparison():
            return (True, True)
        case Apply():
            return (part.fn not in _LINEAR,) * len(part.args)
        case _:
            return (False,) * len(parts(part))
