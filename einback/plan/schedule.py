"""The order of steps: operands first, and among what is ready, what frees most memory.

Two orders are tried, depth first and the greedy one, and the one with the lower peak is kept; both are linear
in the size of the program but for a logarithm.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
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
    makes = {node: k for k, group in enumerate(groups) for node in group}
    reads = [_outside(group, k, makes, memory) for k, group in enumerate(groups)]
    readers: dict[Node, list[int]] = {}
    for k, operands_read in enumerate(reads):
        for operand in operands_read:
            readers.setdefault(operand, []).append(k)
    waiting = [len(operands_read) for operands_read in reads]
    unread = {operand: (len(ks), sum(ks)) for operand, ks in readers.items()}  # steps to come: how many, and their sum
    results = set(memory.results)

    def growth(k: int) -> int:
        freed = sum(memory.nbytes[x] for x in reads[k] if unread[x][0] == 1 and x not in results)
        return memory.nbytes[groups[k][-1]] - freed

    queue = [(growth(k), k) for k in range(len(groups)) if not waiting[k]]
    heapq.heapify(queue)
    return _drain(queue, groups, reads, readers, waiting, unread, growth)


def _drain(
    queue: list[tuple[int, int]],
    groups: Sequence[Group],
    reads: Sequence[Sequence[Node]],
    readers: Mapping[Node, Sequence[int]],
    waiting: list[int],
    unread: dict[Node, tuple[int, int]],
    growth: Callable[[int], int],
) -> list[Group]:
    """Run the queue empty. A step whose growth has fallen is queued again; its older entries are passed over."""
    done: set[int] = set()
    order: list[Group] = []
    while queue:
        _, k = heapq.heappop(queue)
        if k in done:
            continue
        done.add(k)
        order.append(groups[k])
        touched: list[int] = []
        for reader in readers.get(groups[k][-1], ()):
            waiting[reader] -= 1
            touched.append(reader)
        for operand in reads[k]:
            count, total = unread[operand]
            unread[operand] = (count - 1, total - k)
            if count == 2:
                touched.append(total - k)
        for reader in touched:
            if not waiting[reader] and reader not in done:
                heapq.heappush(queue, (growth(reader), reader))
    return order


def _outside(group: Group, k: int, makes: Mapping[Node, int], memory: Memory) -> list[Node]:
    """The nodes that a step reads from other steps, each once."""
    found = dict.fromkeys(operand for node in group for operand in memory.reads(node))
    return [operand for operand in found if makes[operand] != k]
