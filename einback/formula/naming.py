"""Writing names to the indices of one statement.

Names are given in reading order, so that a formula reads i, j, k from left to right. An index that the
summation rule sums must be the only one of its name in the statement; one that a reduction binds may share
its name with a reduction elsewhere, but not with one around it or with an index outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from einback.formula.names import IndexNames
from einback.formula.tree import Eye, Fill, Index, Over, Position, Ref, Tree, subtrees

__all__ = ["name_indices"]


def name_indices(body: Tree, left: Mapping[Index, str], names: IndexNames) -> dict[Index, str]:
    """The names of all indices of a right-hand side; `left` has those that stand on the left."""
    naming = _Naming(names, dict(left), set(left.values()))
    naming.visit(body, ())
    return naming.chosen


@dataclass(slots=True)
class _Naming:
    names: IndexNames
    chosen: dict[Index, str]
    open: set[str]  # names that are free in the whole statement
    bound: set[str] = field(default_factory=set)  # names that a reduction somewhere binds

    def visit(self, tree: Tree, around: Sequence[str]) -> None:
        match tree:
            case Ref() | Eye() | Fill() | Position():
                for index in tree.free:
                    self.pick_open(index)
            case Over(over=over, body=body) if not tree.keeps:
                for index in over:
                    name = self.names.pick(index.size, {*self.open, *around})
                    self.chosen[index] = name
                    self.bound.add(name)
                    around = (*around, name)
                self.visit(body, around)
            case Over():
                for index in tree.over:
                    self.pick_open(index)
                self.visit(tree.body, around)
            case _:
                for part in subtrees(tree):
                    self.visit(part, around)

    def pick_open(self, index: Index) -> None:
        if index not in self.chosen:
            self.chosen[index] = self.names.pick(index.size, {*self.open, *self.bound})
            self.open.add(self.chosen[index])
