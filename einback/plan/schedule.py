"""The order of steps: operands first, and among what is ready, what frees most memory.

Two orders are tried, depth first and the greedy one, and the one with the lower peak is kept; both are linear
in the size of the program but for a logarithm.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from einback.ir.nodes import Add, Einsum, Input, Map, Node
from einback.ir.walk import children
from einback.plan.dtypes import DType
from einback.plan.grouping import operands
from einback.rules.scalar import row

__all__ = ["Memory", "memory_profile", "schedule"]

Group = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the nodes need: the bytes of each, which nodes each reads, and which must outlive the program."""

    nbytes: Mapping[Node, int]
    dtypes: Mapping[Node, DType]
    base: Mapping[Node, Node]
    results: Collection[Node]

    def reads(self, node: Node) -> list[Node]:
        return [operand for operand in operands(node, self.base) if not isinstance(operand, Input)]

    def can_overwrite(self, node: Node, operand: Node) -> bool:
        """Whether `node` may be computed into the array of `operand`, were it read for the last time."""
        elementwise = (
            isinstance(node, Add)
            or (isinstance(node, Map) and node.fn != "where" and not row(node.fn).predicate)
            or (isinstance(node, Einsum) and len(node.out) == len(node.sizes))
        )
        same = self.dtypes[node] == self.dtypes[operand] and node.shape == operand.shape
        return elementwise and same and operand in children(node) and operand not in self.results


def schedule(groups: Sequence[Group], memory: Memory) -> list[Group]:
    """The steps in the order in which they run; `groups` is in an order that is possible."""
    greedy = _greedy(groups, memory)
    return min(list(groups), greedy, key=lambda order: max(memory_profile(order, memory), default=0))


def memory_profile(order: Sequence[Group], memory: Memory) -> list[int]:
    """The most bytes that are alive during each step, its temporaries included, the inputs not."""
    left = Counter(operand for group in order for node in group for operand in memory.reads(node))
    left.update(memory.results)
    alive, profile = 0, []
    for group in order:
        most = alive
        for node in group:
            dying = [operand for operand, uses in Counter(memory.reads(node)).items() if left[operand] == uses]
            reused = next((operand for operand in dying if memory.can_overwrite(node, operand)), None)
            alive += memory.nbytes[node] - (memory.nbytes[reused] if reused is not None else 0)
            most = max(most, alive)
            left.subtract(memory.reads(node))
            alive -= sum(memory.nbytes[operand] for operand in dying if operand is not reused)
        profile.append(most)
    return profile


def _greedy(groups: Sequence[Group], memory: Memory) -> list[Group]:
    """List scheduling: of the ready steps the one that adds least to the live bytes, the earliest on a tie."""
    return _Ready(groups, memory).drained()


class _Ready:
    """A queue of steps by growth. A step whose growth has fallen is queued again, its older entries passed over."""

    def __init__(self, groups: Sequence[Group], memory: Memory) -> None:
        self._groups, self._memory = groups, memory
        makes = {node: k for k, group in enumerate(groups) for node in group}
        self._reads = [_outside(group, k, makes, memory) for k, group in enumerate(groups)]
        self._readers: dict[Node, list[int]] = {}
        for k, nodes in enumerate(self._reads):
            for node in nodes:
                self._readers.setdefault(node, []).append(k)
        # Of the steps still to read a node: how many, and the sum of their numbers, which names the last one.
        self._unread = {node: (len(steps), sum(steps)) for node, steps in self._readers.items()}
        self._waiting = [len(nodes) for nodes in self._reads]
        self._queue = [(self._growth(k), k) for k in range(len(groups)) if not self._waiting[k]]
        heapq.heapify(self._queue)

    def _growth(self, k: int) -> int:
        dying = [x for x in self._reads[k] if self._unread[x][0] == 1 and x not in self._memory.results]
        return self._memory.nbytes[self._groups[k][-1]] - sum(self._memory.nbytes[node] for node in dying)

    def drained(self) -> list[Group]:
        done: dict[int, None] = {}
        while self._queue:
            _, k = heapq.heappop(self._queue)
            if k in done:
                continue
            done[k] = None
            for reader in self._settle(k):
                if not self._waiting[reader] and reader not in done:
                    heapq.heappush(self._queue, (self._growth(reader), reader))
        return [self._groups[k] for k in done]

    def _settle(self, k: int) -> list[int]:
        """Count step k as run; the steps that may have become ready, or cheaper."""
        touched = list(self._readers.get(self._groups[k][-1], ()))
        for reader in touched:
            self._waiting[reader] -= 1
        for node in self._reads[k]:
            count, total = self._unread[node]
            self._unread[node] = (count - 1, total - k)
            if count == 2:
                touched.append(total - k)
        return touched


def _outside(group: Group, k: int, makes: Mapping[Node, int], memory: Memory) -> list[Node]:
    """The nodes that a step reads from other steps, each once."""
    found = dict.fromkeys(operand for node in group for operand in memory.reads(node))
    return [operand for operand in found if makes[operand] != k]
