"""Indices in comparisons: `where(q >= k, ..)` compares the positions of two entries.

Within a comparison the name of an index is the number of its position, 0, 1, 2, ..; so are sums and products of
such names, `2*i >= j - 1`, and what functions make of them, `abs(i - j) <= 2`. Everywhere else an index is no
value. A name in a comparison is an index if a bracket of the program has it and no tensor is called so.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from einback.notation import index_messages
from einback.notation.syntax import (
    Apply,
    Comparison,
    Expression,
    Index,
    Position,
    Read,
    Statement,
    own_indices,
    parts,
    rebuilt,
)
from einback.notation.unify import base

__all__ = ["bracketed", "with_positions"]


def bracketed(statement: Statement) -> Iterator[Index]:
    """Every index in a bracket of a statement, those on the left first."""
    yield from own_indices(statement.indices)
    for part in statement.parts:
        match part:
            case Read():
                yield from own_indices(part.indices)
            case Apply():
                yield from part.indices or ()


def with_positions(statements: Sequence[Statement], text: str, tensors: Container[str]) -> tuple[Statement, ...]:
    """The statements with the indices that they compare as `Position`; `tensors` are defined or given."""
    indices = {base(index.name) for one in statements for index in bracketed(one)}
    return tuple(_rewritten(one, text, indices, tensors) for one in statements)


def _rewritten(statement: Statement, text: str, indices: set[str], tensors: Container[str]) -> Statement:
    compared: set[Expression] = set()
    for part in reversed(statement.parts):  # what stands around comes first
        if isinstance(part, Comparison) or part in compared:
            compared.update(parts(part))
    new: dict[Expression, Expression] = {}
    for part in statement.parts:
        if isinstance(part, Read) and part in compared and part.indices is None and base(part.name) in indices:
            if part.name in tensors:
                raise index_messages.index_and_tensor(part.name, text, part.span)
            new[part] = Position(Index(part.name, part.span), part.span)
        elif (fresh := rebuilt(part, new)) is not part:
            new[part] = fresh
    return replace(statement, value=new[statement.value]) if statement.value in new else statement
