"""The order of the two tensors of a pair, and of the axes of their product."""

from __future__ import annotations

from einback.plan.product import Labels, Term

__all__ = ["in_order", "natural_order"]


def in_order(a: Term, b: Term) -> tuple[Term, Term]:
    """The pair in an order that depends on the tensors alone; of a tensor with itself, on how it is connected."""
    if a[0] is not b[0]:
        return (a, b) if a[0].digest <= b[0].digest else (b, a)
    ab = [a[1].index(label) if label in a[1] else -1 for label in b[1]]
    ba = [b[1].index(label) if label in b[1] else -1 for label in a[1]]
    return (a, b) if ab <= ba else (b, a)


def natural_order(a: Labels, b: Labels, keep: frozenset[int], wanted: Labels) -> Labels:
    """As a matrix product lays its result out: shared axes, then those of the one, then those of the other.

    Which is the one, is decided by what comes first in the result of the whole product.
    """

    def place(label: int) -> int:
        return wanted.index(label) if label in wanted else len(wanted)

    both = sorted((label for label in a if label in b and label in keep), key=place)
    if len(keep) == len({*a, *b}):  # nothing is summed: any order will do
        return (*both, *sorted((label for label in (*a, *b) if label not in both), key=place))
    alone = [[label for label in a if label not in b], [label for label in b if label not in a]]
    first, second = sorted(alone, key=lambda group: min(map(place, group), default=0))
    return (*both, *first, *second)
