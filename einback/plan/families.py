"""Contraction trees shared between a product and its derivatives.

Seen as a closed network, where the result is one more tensor (the *hole*), the product y = A B C x and its
gradients differ only in where the hole is: the gradient for B has the hole at B and the cotangent where y was.

            A           B                   A          hole
             \\         |                    \\         |
      hole ---+---------+--- ..     ==>    g --+---------+--- ..

One tree without a root serves them all: rooted at the hole, it is a contraction order. Each edge of the
tree carries at most two different intermediates, one for each direction, and each pairwise contraction has two
adjoints that cost no more than itself: all gradients of a product cost at most twice the product.

A tree is right for any network with as many tensors, so a false match could cost time and never give a wrong result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from einback.ir.nodes import Node
from einback.plan.paths import Labels, Path

__all__ = ["Families"]

_HOLE = -1  # the leaf that stands for the result
_TRIES = 4


@dataclass(frozen=True, slots=True)
class _Planned:
    """A product whose order is fixed: its tensors, its result's labels, its path."""

    tensors: tuple[Node, ...]
    terms: tuple[Labels, ...]
    out: Labels
    path: Path


@dataclass(slots=True)
class Families:
    """The products planned so far, found again by their tensors, all but one of them."""

    _by_tensors: dict[int, _Planned] = field(default_factory=dict)

    def remember(self, tensors: Sequence[Node], terms: Sequence[Labels], out: Labels, path: Path) -> None:
        planned = _Planned(tuple(tensors), tuple(terms), out, path)
        for key in _keys(planned.tensors):
            self._by_tensors.setdefault(key, planned)

    def path_for(self, tensors: Sequence[Node], terms: Sequence[Labels], out: Labels) -> Path | None:
        """The order that a relative planned before implies for this product, if there is a relative."""
        tried: set[int] = set()
        for key in _keys(tensors):
            relative = self._by_tensors.get(key)
            if relative is not None and id(relative) not in tried and len(tried) < _TRIES:
                tried.add(id(relative))
                seats = _seats(relative, tensors, terms, out)
                if seats is not None:
                    return _rerooted(relative, seats, len(tensors))
        return None


def _keys(tensors: Sequence[Node]) -> Iterator[int]:
    """A number for the whole multiset of tensors, then one for each that leaves a tensor out."""
    parts = [int.from_bytes(tensor.digest, "big") for tensor in tensors]
    total = sum(parts)
    yield total
    for part in dict.fromkeys(parts):
        yield total - part


def _seats(relative: _Planned, tensors: Sequence[Node], terms: Sequence[Labels], out: Labels) -> dict[int, int] | None:
    """Which leaf of the relative's tree (a tensor's number, or the hole) each tensor and the hole take.

    At most one tensor may be new and one gone; the others must be connected as they were.
    """
    waiting: dict[Node, list[int]] = {}
    for seat in reversed(range(len(relative.tensors))):
        waiting.setdefault(relative.tensors[seat], []).append(seat)
    seats: dict[int, int] = {}
    rename: dict[int, int] = {}
    for k, tensor in enumerate(tensors):
        if waiting.get(tensor):
            seats[k] = waiting[tensor].pop()
            for old, label in zip(relative.terms[seats[k]], terms[k], strict=True):
                if rename.setdefault(old, label) != label:
                    return None
    new = [k for k in range(len(tensors)) if k not in seats]
    taken = set(seats.values())
    gone = [seat for seat in range(len(relative.tensors)) if seat not in taken]
    known = set(rename.values())
    if len(new) > 1 or len(gone) > 1 or len(known) < len(rename):
        return None

    def fits(place: Labels, labels: Labels) -> bool:
        same = {rename[k] for k in place if k in rename} == {k for k in labels if k in known}
        return same and len(place) == len(labels)

    seat_labels = relative.terms[gone[0]] if gone else ()
    new_labels = terms[new[0]] if new else ()
    if fits(relative.out, out) and (not new or (gone and fits(seat_labels, new_labels))):
        return {**seats, _HOLE: _HOLE, **dict(zip(new, gone, strict=False))}
    if gone and fits(seat_labels, out) and (not new or fits(relative.out, new_labels)):
        return {**seats, _HOLE: gone[0], **dict.fromkeys(new, _HOLE)}
    if new and not gone and not out and fits(relative.out, new_labels):
        return {**seats, new[0]: _HOLE}  # a scalar result: its hole hangs nowhere, and any root will do
    return None


def _rerooted(relative: _Planned, seats: dict[int, int], count: int) -> Path:
    """The relative's tree, hung up at the new hole, with empty seats pruned; as a path over the new tensors."""
    neighbours = _tree(relative)
    sitting = {seat: k for k, seat in seats.items() if k != _HOLE}
    root = seats.get(_HOLE, next(iter(sitting)))
    order: list[tuple[int, int]] = []  # (vertex, the neighbour it hangs from), parents first
    stack = [(neighbour, root) for neighbour in neighbours[root]]
    while stack:
        vertex, parent = stack.pop()
        order.append((vertex, parent))
        stack.extend((other, vertex) for other in neighbours[vertex] if other != parent)
    made: dict[int, int] = {}  # vertex -> tensor of the new path
    path: list[tuple[int, int]] = []

    def join(parts: list[int]) -> int:
        if len(parts) == 2:
            path.append((min(parts), max(parts)))
            return count + len(path) - 1
        return parts[0]

    for vertex, parent in reversed(order):
        if vertex in sitting:
            made[vertex] = sitting[vertex]
        else:
            parts = [made[other] for other in neighbours[vertex] if other != parent and other in made]
            if parts:
                made[vertex] = join(parts)
    if root in sitting:
        join([made[other] for other in neighbours[root] if other in made] + [sitting[root]])
    return tuple(path)


def _tree(planned: _Planned) -> dict[int, list[int]]:
    """The tree without a root: leaves 0..n-1 and the hole, a vertex n+k for pair k."""
    n = len(planned.tensors)
    neighbours: dict[int, list[int]] = {leaf: [] for leaf in (*range(n), _HOLE)}
    for k, pair in enumerate(planned.path):
        neighbours[n + k] = []
        for part in pair:
            neighbours[part].append(n + k)
            neighbours[n + k].append(part)
    last = n + len(planned.path) - 1
    neighbours[last].append(_HOLE)
    neighbours[_HOLE].append(last)
    return neighbours
