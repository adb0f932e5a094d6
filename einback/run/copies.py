"""Copies of windows, made once: a layer of a network and its gradient read the same patches."""

from __future__ import annotations

from collections.abc import Sequence

from einback.run.arrays import Arrays
from einback.run.steps import Expr, Statement
from einback.run.views import reads_windows
from einback.run.walking import changed, refs

__all__ = ["Copies"]


class Copies:
    """The copies that a program has made so far; gathering windows takes longer than most products with them."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._made: dict[str, tuple[int, int]] = {}  # by what is copied: the copy, and how many statements had run

    def add(self, operand: Expr, copy: int, statements: Sequence[Statement]) -> None:
        if reads_windows(operand):
            self._made[repr(operand)] = copy, len(statements)

    def found(self, operand: Expr, statements: Sequence[Statement]) -> int | None:
        """An earlier copy of the same windows, if none of `statements` has changed it or what it is of."""
        copy, when = self._made.get(repr(operand), (None, 0))
        if copy is None:
            return None
        kept = {self._arrays.root(register) for register in (copy, *refs(operand))}
        later = (register for statement in statements[when:] for register in changed(statement))
        return None if any(self._arrays.root(register) in kept for register in later) else copy

    def clear(self) -> None:
        self._made.clear()
