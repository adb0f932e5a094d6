"""An Einsum taken apart: what the cutter works on until it is a chain of pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from einback.ir.nodes import Node, Number
from einback.ir.sizes import Size

__all__ = ["Labels", "Product", "Term", "united"]

Labels = tuple[int, ...]
Term = tuple[Node, Labels]


@dataclass(slots=True)
class Product:
    """Arrays, relations, scalar factors, the size of each label, the output, and known numbers as one."""

    lengths: dict[int, Size]
    out: Labels
    arrays: list[Term] = field(default_factory=list)
    relations: list[Term] = field(default_factory=list)
    scalars: list[Node] = field(default_factory=list)
    weight: Number = Fraction(1)

    @property
    def kept(self) -> Labels:
        """The output labels that some array has, each once."""
        present = self.present
        return tuple(label for label in dict.fromkeys(self.out) if label in present)

    @property
    def present(self) -> set[int]:
        """The labels that some array or relation has."""
        return {label for _, labels in (*self.arrays, *self.relations) for label in labels}

    def new_label(self, size: Size) -> int:
        label = max(self.lengths, default=-1) + 1
        self.lengths[label] = size
        return label


def united(pairs: Iterable[Labels]) -> dict[int, int]:
    """A Delta makes its two labels one; for each label that meets another, the smallest it becomes."""
    parent: dict[int, int] = {}

    def find(label: int) -> int:
        while (up := parent.get(label, label)) != label:
            label = up
        return label

    for a, b in pairs:
        a, b = sorted((find(a), find(b)))
        parent[b] = a
    return {label: find(label) for label in parent}
