"""Products as tensor networks, and the pairs that the trees of a whole program share.

A network is a product of tensors with its labels numbered; a path contracts it pair by pair. Two paths share a pair
if they contract the same tensors in the same way. To find that out without building nodes every tensor gets a
number: a leaf by what it is, a pair by its *signature*, the numbers of its two tensors, how their axes meet, and
which of them are kept. The program pays for each number once, so what a path costs depends on the paths that the
other products take: it is the sum over the pairs that nobody else makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from einback.ir.nodes import Node
from einback.plan.cost import MACHINE
from einback.plan.paths import Labels, Path

__all__ = ["NOBODY", "Cost", "Network", "Pool", "Vertex", "bits", "network", "total"]


@dataclass(frozen=True, slots=True)
class Network:
    """Tensors, the labels of each as numbers 0, 1, .., those of the result, and the length of each label.

    Sets of labels are bits of an integer: `masks` has those of each tensor, `kept` those of the result.
    """

    tensors: tuple[Node, ...]
    terms: tuple[Labels, ...]
    out: Labels
    lengths: tuple[int, ...]
    masks: tuple[int, ...]
    kept: int
    _counts: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    def count(self, mask: int) -> int:
        """The entries of a tensor with these labels."""
        found = self._counts.get(mask)
        if found is None:
            found = self._counts[mask] = prod(self.lengths[label] for label in bits(mask))
        return found

    def neighbours(self) -> int:
        """How many pairs of tensors share a label, those that share several counted for each."""
        readers = Counter(label for term in self.terms for label in term)
        return sum(count * (count - 1) // 2 for count in readers.values())

    def grows(self, path: Path) -> bool:
        """Whether a tensor on the way is larger than all that come in and go out: in chains and trees none need be."""
        own = max(map(self.count, (*self.masks, self.kept)))
        return any(self.count(mask) > own for mask in self.kept_masks(path))

    def flops(self, a: int, b: int, kept: int) -> int:
        """The operations of a pair of tensors with labels a and b."""
        return self.count(a | b) * (2 if a | b != kept else 1)

    def seconds(self, a: int, b: int, kept: int) -> float:
        """The modelled time of a pair of tensors with labels a and b."""
        return MACHINE.pair_seconds(self.count(a | b), self.count(kept), self.count(a & b & kept))

    def kept_masks(self, path: Path) -> list[int]:
        """The labels of each tensor of a path, the leaves first."""
        readers = [0] * len(self.lengths)
        for term in (*self.terms, self.out):
            for label in term:
                readers[label] += 1
        held = list(self.masks)
        for i, j in path:
            union = held[i] | held[j]
            for label in bits(held[i] & held[j]):
                readers[label] -= 1
                if readers[label] == 1:
                    union ^= 1 << label
            held.append(union)
        return held


def bits(mask: int) -> Iterator[int]:
    """The labels of a set, in order.

    >>> list(bits(0b1011))
    [0, 1, 3]
    """
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def network(
    tensors: Sequence[Node], terms: Sequence[Sequence[int]], out: Sequence[int], lengths: Sequence[int]
) -> Network:
    """A network, its labels 0 .. len(lengths) - 1, each in two tensors or in the result."""
    masks = tuple(_mask(term) for term in terms)
    return Network(tuple(tensors), tuple(map(tuple, terms)), tuple(out), tuple(lengths), masks, _mask(out))


def _mask(labels: Iterable[int]) -> int:
    return sum(1 << label for label in set(labels))


class Cost(NamedTuple):
    """Modelled seconds and flops."""

    seconds: float
    flops: int

    def betters(self, other: Cost) -> bool:
        """Whether it takes less time with no more flops: what is counted must not grow for what is modelled."""
        return self.seconds < other.seconds * _LESS and self.flops <= other.flops


def total(costs: Iterable[Cost]) -> Cost:
    found = list(costs)
    return Cost(sum(cost.seconds for cost in found), sum(cost.flops for cost in found))


NOTHING = Cost(0.0, 0)
_LESS = 1 - 1e-9  # sums in another order are no gain


@dataclass(frozen=True, slots=True)
class Vertex:
    """A tensor of a network that is contracted: its number, its labels in the order of its axes, what it costs."""

    number: int
    labels: Labels
    mask: int
    cost: Cost = NOTHING


NOBODY = -1  # the number of a pair that no path has made yet


@dataclass(slots=True)
class Pool:
    """The numbers of all tensors, and how many paths make each pair."""

    uses: dict[int, int] = field(default_factory=dict)
    _numbers: dict[Hashable, int] = field(default_factory=dict)
    _partners: set[tuple[int, int]] = field(default_factory=set)

    def leaf(self, net: Network, k: int) -> Vertex:
        number = self._numbers.setdefault(net.tensors[k], len(self._numbers))
        return Vertex(number, net.terms[k], net.masks[k])

    def pair(self, net: Network, a: Vertex, b: Vertex, kept: int) -> Vertex:
        """The pair of two tensors, with a number of its own if it is a new one."""
        signature, labels = _signature(a, b, kept)
        number = self._numbers.setdefault(signature, len(self._numbers))
        self._partners.add(signature[:2])
        return Vertex(number, labels, kept, Cost(net.seconds(a.mask, b.mask, kept), net.flops(a.mask, b.mask, kept)))

    def made(self, a: Vertex, b: Vertex, kept: int) -> Vertex | None:
        """The pair of two tensors, if a path makes it."""
        first, second = a.number, b.number
        if first < 0 or second < 0:
            return None
        if ((first, second) if first <= second else (second, first)) not in self._partners:
            return None
        signature, labels = _signature(a, b, kept)
        number = self._numbers.get(signature, NOBODY)
        return Vertex(number, labels, kept) if self.uses.get(number) else None

    def trace(self, net: Network, path: Path) -> list[Vertex]:
        """Every tensor of a path, the leaves first, then the pairs."""
        masks = net.kept_masks(path)
        held = [self.leaf(net, k) for k in range(len(net.terms))]
        for i, j in path:
            held.append(self.pair(net, held[i], held[j], masks[len(held)]))
        return held

    def extra(self, pairs: Iterable[Vertex]) -> Cost:
        """The cost of those pairs that nobody makes yet, each once."""
        return total({pair.number: pair.cost for pair in pairs if not self.uses.get(pair.number)}.values())

    def count(self, vertices: Iterable[Vertex], step: int) -> None:
        """One path more (or fewer) makes these pairs."""
        for vertex in vertices:
            self.uses[vertex.number] = self.uses.get(vertex.number, 0) + step


def _signature(a: Vertex, b: Vertex, kept: int) -> tuple[tuple[int, int, Labels, Labels], Labels]:
    """What a pair is, whatever its labels are called, and its labels in an order that follows from that."""
    if a.number > b.number:
        a, b = b, a
    meets = _meets(a, b)
    if a.number == b.number and (other := _meets(b, a)) < meets:
        a, b, meets = b, a, other
    joint = (*a.labels, *(label for label in b.labels if label not in a.labels))
    places = tuple(k for k, label in enumerate(joint) if kept >> label & 1)
    return (a.number, b.number, meets, places), tuple(joint[k] for k in places)


def _meets(a: Vertex, b: Vertex) -> Labels:
    """For each axis of the second tensor the axis of the first that it meets, or -1."""
    place = {label: k for k, label in enumerate(a.labels)}
    return tuple(place.get(label, -1) for label in b.labels)
