"""Products taken apart: the number in front of a term, and what is a part of its network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from einback.formula.tree import ONE, Eye, Fill, Number, Over, Position, Product, Sum, Tree, references

__all__ = ["Factors"]


@dataclass(slots=True)
class Factors:
    """A product taken apart: what is a number, and what is a part of the network."""

    plain: Product = field(default_factory=lambda: Product(ONE))
    parts: list[tuple[Tree, bool]] = field(default_factory=list)  # with whether they divide

    @property
    def negative(self) -> bool:
        return bool(self.plain.coefficient < 0)

    def add(self, tree: Tree, divides: bool = False) -> Factors:
        """Multiply by a tree. Sums over products are flat: an index has no other place in them."""
        match tree:
            case Product() if not divides:
                self.plain = replace(self.plain, coefficient=self.plain.coefficient * tree.coefficient)
                for factor in tree.factors:
                    self.add(factor)
                for divisor in tree.divisors:
                    self.add(divisor, divides=True)
            case Over(fn="sum", body=body) if not divides and not isinstance(body, Sum):
                self.add(body)
            case Number() if not divides:
                self.plain = replace(self.plain, coefficient=self.plain.coefficient * tree.value)
            case _ if _is_number(tree):
                above, below = self.plain.factors, self.plain.divisors
                self.plain = (
                    replace(self.plain, divisors=(*below, tree))
                    if divides
                    else replace(self.plain, factors=(*above, tree))
                )
            case _:
                self.parts.append((tree, divides))
        return self


def _is_number(tree: Tree) -> bool:
    """Whether a tree is a number whatever the tensors are: made of lengths and numbers."""
    return not tree.free and not isinstance(tree, Eye | Fill | Position | Over) and not any(references(tree))
