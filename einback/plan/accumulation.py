"""Scatters and diagonals that are terms of a sum: added into that of the others, with no array of zeros of their own.

A A' + 0.1 I is a product of matrices with 0.1 added along its diagonal, softmax(z) - one_hot(y) is the softmax with
one subtracted in each row, and the gradient of a table that is read twice is one array into which both are added up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from einback.ir.nodes import Add, Node
from einback.ir.walk import count_uses
from einback.plan.views import is_sparse

__all__ = ["added_in_place"]


def added_in_place(
    roots: Sequence[Node], kept: Collection[Node], numbers: Collection[Node], dtypes: Mapping[Node, object]
) -> set[Node]:
    """The sparse terms that one sum reads and nothing else; not those in `kept`, and never all terms of a sum."""
    uses = count_uses(roots)
    found: set[Node] = set()
    for node in uses:
        if isinstance(node, Add) and node not in numbers:
            tensors = [term for term in node.terms if term not in numbers]
            alone = [
                term
                for term in tensors
                if is_sparse(term) and uses[term] == 1 and term not in kept and dtypes[term] == dtypes[node]
            ]
            found.update(alone[1:] if len(alone) == len(tensors) else alone)
    return found
