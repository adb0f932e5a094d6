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

from collections.abc import Iterator
from dataclasses import dataclass, field

from einback.ir.nodes import Node
from einback.plan.networks import Network
from einback.plan.paths import Labels, Path

__all__ = ["Families"]

_HOLE = -1  # the leaf that stands for the result
_KEPT = 4  # relatives that are remembered under one key
_WORK = 64  # seats tried, over the number of tensors, before a relative is given up


@dataclass(frozen=True, slots=True)
class _Planned:
    """A network whose order is fixed."""

    net: Network
    path: Path


@dataclass(slots=True)
class Families:
    """The networks planned so far, found again by their tensors, all but one of them."""

    _by_tensors: dict[int, list[_Planned]] = field(default_factory=dict)

    def remember(self, net: Network, path: Path) -> None:
        planned = _Planned(net, path)
        for key in _keys(net):
            relatives = self._by_tensors.setdefault(key, [])
            if len(relatives) < _KEPT:
                relatives.append(planned)

    def paths_for(self, net: Network) -> Iterator[Path]:
        """The orders that relatives planned before imply for this network."""
        tried: set[int] = set()
        for key in _keys(net):
            for relative in self._by_tensors.get(key, ()):
                if id(relative) not in tried:
                    tried.add(id(relative))
                    seats = _seats(relative.net, net)
                    if seats is not None:
                        yield _rerooted(relative, seats, len(net.terms))


def _keys(net: Network) -> Iterator[int]:
    """A number for the whole multiset of tensors, then one for each that leaves a tensor out."""
    parts = [int.from_bytes(tensor.digest, "big") for tensor in net.tensors]
    total = sum(parts)
    yield total
    for part in dict.fromkeys(parts):
        yield total - part


def _seats(relative: Network, net: Network) -> dict[int, int] | None:
    """Which leaf of the relative's tree (a tensor's number, or the hole) each tensor and the hole take.

    At most one tensor may be new and one gone; the others must be connected as they were. Where a tensor stands
    several times, its seats are tried one after the other.
    """
    places: dict[Node, list[int]] = {}
    for seat, tensor in enumerate(relative.tensors):
        places.setdefault(tensor, []).append(seat)
    new = [k for k, tensor in enumerate(net.tensors) if tensor not in places]
    known = sorted((k for k, tensor in enumerate(net.tensors) if tensor in places),
                   key=lambda k: (len(places[net.tensors[k]]), k))  # fmt: skip
    if len(new) > 1 or abs(len(net.terms) - len(relative.terms)) > 1:
        return None
    work = _WORK * len(known)
    rename: dict[int, int] = {}
    back: dict[int, int] = {}
    chosen: list[int] = []  # the seat of each known tensor
    added: list[list[int]] = []  # the labels that each choice has renamed
    waiting = [iter(places[net.tensors[known[0]]])] if known else []
    while waiting:
        work -= 1
        seat = next(waiting[-1], _HOLE)
        if seat == _HOLE or work < 0:
            waiting.pop()
            if chosen:
                chosen.pop()
                _forget(added.pop(), rename, back)
            continue
        fresh = None if seat in chosen else _renamed(relative.terms[seat], net.terms[known[len(chosen)]], rename, back)
        if fresh is None:
            continue
        chosen.append(seat)
        added.append(fresh)
        if len(chosen) == len(known):
            found = _with_hole(relative, net, dict(zip(known, chosen, strict=True)), new, rename)
            if found is not None:
                return found
            chosen.pop()
            _forget(added.pop(), rename, back)
        else:
            waiting.append(iter(places[net.tensors[known[len(chosen)]]]))
    return None


def _renamed(old: Labels, new: Labels, rename: dict[int, int], back: dict[int, int]) -> list[int] | None:
    """Rename the labels of one tensor, or leave all as it was and return None if they contradict those known."""
    fresh: list[int] = []
    for a, b in zip(old, new, strict=True):
        if a not in rename and b not in back:
            rename[a], back[b] = b, a
            fresh.append(a)
        elif rename.get(a) != b:
            _forget(fresh, rename, back)
            return None
    return fresh


def _forget(labels: list[int], rename: dict[int, int], back: dict[int, int]) -> None:
    for label in labels:
        del back[rename.pop(label)]


def _with_hole(
    relative: Network, net: Network, seats: dict[int, int], new: list[int], rename: dict[int, int]
) -> dict[int, int] | None:
    """Where the hole and the tensor that is new fit, if they do."""
    taken = set(seats.values())
    gone = [seat for seat in range(len(relative.terms)) if seat not in taken]
    if len(gone) > 1:
        return None
    known = set(rename.values())

    def fits(place: Labels, labels: Labels) -> bool:
        same = {rename[k] for k in place if k in rename} == {k for k in labels if k in known}
        return same and len(place) == len(labels)

    seat_labels = relative.terms[gone[0]] if gone else ()
    new_labels = net.terms[new[0]] if new else ()
    if gone and fits(seat_labels, net.out) and (not new or fits(relative.out, new_labels)):
        return {**seats, _HOLE: gone[0], **dict.fromkeys(new, _HOLE)}
    if fits(relative.out, net.out) and (not new or (gone and fits(seat_labels, new_labels))):
        return {**seats, _HOLE: _HOLE, **dict(zip(new, gone, strict=False))}
    if new and not gone and not net.out and fits(relative.out, new_labels):
        return {**seats, new[0]: _HOLE}  # a scalar result: its hole hangs nowhere, and any root will do
    if gone and new and not relative.out and fits(seat_labels, net.out) and fits(seat_labels, new_labels):
        return {**seats, new[0]: gone[0], _HOLE: gone[0]}  # the derivative of a function of what was there, times it
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
    n = len(planned.net.terms)
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
