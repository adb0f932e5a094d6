"""Layouts for a whole program: the axes of each intermediate product in the order that its readers need, IR to IR.

A matrix product lays its result out as [batch, rows, columns] or, with its operands exchanged, as [batch, columns,
rows], at the same price. Which of the two is better shows where the result is read: a reader fuses groups of axes
(those that it sums, those that it keeps), and fusing axes that do not lie side by side copies the array. Readers are
settled before what they read, twice over, each product by the fewest entries that it and its readers copy, or
stride over: a product entry by entry may lie in any order, and is fastest in that of its largest operand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod

from einback.ir.build import einsum
from einback.ir.nodes import Einsum, Node, Ones
from einback.ir.walk import children, postorder, rebuild
from einback.plan.binding import Sizes, resolve
from einback.plan.factorisations import solver
from einback.plan.views import is_view, relation_at

__all__ = ["laid_out"]

Labels = tuple[int, ...]
_SWEEPS = 2


def laid_out(roots: Sequence[Node], fixed: Collection[Node], sizes: Sizes) -> dict[Node, Node]:
    """What the nodes of a program that is cut become, less those whose axes are now in another order.

    The axes of roots and of `fixed` nodes stay as they are.
    """
    layouts = _Layouts(list(postorder(roots)), {*roots, *fixed}, sizes)
    layouts.choose()
    return layouts.rebuilt()


@dataclass(slots=True)
class _Layouts:
    nodes: list[Node]
    fixed: Collection[Node]
    sizes: Sizes
    axes: dict[Node, Labels] = field(default_factory=dict)  # of a product: its axes as they lie in memory
    readers: dict[Node, list[Node]] = field(default_factory=dict)

    def choose(self) -> None:
        for node in self.nodes:
            for child in dict.fromkeys(children(node)):
                self.readers.setdefault(child, []).append(node)
        free = [node for node in reversed(self.nodes) if self._is_free(node)]
        for _ in range(_SWEEPS):
            for node in free:
                pairs = list(self._pairs(node))
                best = min(self._candidates(node), key=lambda axes: self._copied(node, axes, pairs))
                self.axes[node] = best

    def _is_free(self, node: Node) -> bool:
        """Whether a node is a product, read by products and sums alone."""
        if node in self.fixed or not isinstance(node, Einsum) or not (_is_product(node) and node.rank > 1):
            return False
        return all(self._rereads(reader) for reader in self.readers.get(node, ()))

    def _rereads(self, reader: Node) -> bool:
        plain = isinstance(reader, Einsum) and relation_at(reader) is None and solver(reader) is None
        if not plain:
            return False
        return not is_view(reader) or (
            reader not in self.fixed and all(self._rereads(other) for other in self.readers.get(reader, ()))
        )

    def _candidates(self, node: Node) -> Iterator[Labels]:
        """The orders of axes that cost nothing to make; that at hand first."""
        assert isinstance(node, Einsum)
        yield self.axes.get(node, tuple(range(node.rank)))
        if not _summed(node):
            for operand, term in zip(node.operands, node.labels, strict=True):
                order = self._memory(operand, term)
                if order is not None and len(term) == node.rank:
                    yield tuple(node.out.index(label) for label in order)
            return
        left, right = ([label for label in term if label in node.out] for term in node.labels)
        batch = [label for label in node.out if label in left and label in right]
        rows, columns = ([label for label in group if label not in batch] for group in (left, right))
        for first, second in ((rows, columns), (columns, rows)):
            yield tuple(node.out.index(label) for label in (*batch, *first, *second))

    def _pairs(self, node: Node) -> Iterator[Einsum]:
        """The products that read a node, also through views."""
        for reader in self.readers.get(node, ()):
            if isinstance(reader, Einsum) and is_view(reader):
                yield from self._pairs(reader)
            elif isinstance(reader, Einsum) and _is_product(reader):
                yield reader

    def _copied(self, node: Node, axes: Labels, pairs: Sequence[Einsum]) -> int:
        assert isinstance(node, Einsum)
        before = self.axes.get(node)
        self.axes[node] = axes
        cost = sum(map(self._copies, (*pairs, node)))
        if before is None:
            del self.axes[node]
        else:
            self.axes[node] = before
        return cost

    def _copies(self, pair: Einsum) -> int:
        """How many entries a product copies, to have each of its groups of axes side by side, or strides over."""
        (a, b), (first, second) = pair.operands, pair.labels
        shared = {*first} & {*second}
        batch = shared & {*pair.out}
        summed = shared - batch
        orders = [self._memory(operand, term) for operand, term in ((a, first), (b, second))]
        counts = [prod(resolve(operand.shape, self.sizes)) for operand in (a, b)]
        if not summed:
            made = [pair.out[k] for k in self.axes.get(pair, tuple(range(pair.rank)))]
            return sum(count for count, order in zip(counts, orders, strict=True) if not _follows(made, order))
        runs = [_run(order, summed) if order and _fuses(order, batch, summed) else None for order in orders]
        if None not in runs:
            return 0 if runs[0] == runs[1] else min(counts)
        return sum(count for count, run in zip(counts, runs, strict=True) if run is None)

    def _memory(self, operand: Node, labels: Labels) -> list[int] | None:
        """The labels of an operand in the order in which its array has them; None where it repeats or overlaps."""
        if isinstance(operand, Einsum) and is_view(operand):
            if len(operand.operands) > 1 or len(set(operand.labels[0])) < len(operand.labels[0]):
                return None
            outer = dict(zip(operand.out, labels, strict=True))
            return self._memory(operand.operands[0], tuple(outer[label] for label in operand.labels[0]))
        axes = self.axes.get(operand, tuple(range(operand.rank)))
        return [labels[k] for k in axes]

    def rebuilt(self) -> dict[Node, Node]:
        new: dict[Node, Node] = {}
        turned = {node: axes for node, axes in self.axes.items() if axes != tuple(range(node.rank))}
        for node in self.nodes:
            kids = children(node)
            if not isinstance(node, Einsum):
                new[node] = rebuild(node, [new[child] for child in kids]) if kids else node
                continue
            labels = [tuple(term[k] for k in turned[op]) if op in turned else term
                      for op, term in zip(node.operands, node.labels, strict=True)]  # fmt: skip
            out = tuple(node.out[k] for k in turned[node]) if node in turned else node.out
            same = labels == list(node.labels) and out == node.out
            operands = [new[operand] for operand in node.operands]
            new[node] = rebuild(node, [new[child] for child in kids]) if same else einsum(operands, labels, out)
        return {node: image for node, image in new.items() if node not in turned}


def _is_product(node: Einsum) -> bool:
    """Whether a node is the product of two arrays, each read without a diagonal."""
    if len(node.operands) != 2 or relation_at(node) is not None or solver(node) is not None:
        return False
    if any(isinstance(operand, Ones) or not operand.rank for operand in node.operands):
        return False
    return all(len(set(term)) == len(term) for term in (*node.labels, node.out))


def _summed(node: Einsum) -> set[int]:
    return {label for term in node.labels for label in term} - {*node.out}


def _follows(order: Sequence[int], other: Sequence[int] | None) -> bool:
    """Whether an array is read in the order in which another is written, some of its axes left out."""
    return other is not None and [label for label in order if label in other] == list(other)


def _fuses(order: Sequence[int], batch: Collection[int], summed: Collection[int]) -> bool:
    """Whether the summed axes, and those kept, lie side by side each, and the batch before them."""
    kinds = [0 if label in batch else 1 if label in summed else 2 for label in order]
    changes = sum(a != b for a, b in pairwise(kinds))
    return changes <= len(set(kinds)) - 1 and (not batch or kinds[-1] != 0)


def _run(order: Sequence[int], group: Collection[int]) -> tuple[int, ...]:
    return tuple(label for label in order if label in group)
