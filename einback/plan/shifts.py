"""Sums that hold a logsumexp, computed from entries that are shifted by the largest, IR to IR.

At entries of 1e4 the rounding of logsumexp(x) alone costs x - logsumexp(x) four digits. Where a logsumexp stands
in a sum or under an exponential it is therefore kept in its two parts,

    m = peak(x)             the largest entry, or 0 where that is infinite
    e = exp(x - m),  s = sum e
    logsumexp(x)          = m + log s
    x - logsumexp(x)      = (x - m) - log s
    exp(x - logsumexp x)  = e / s

which also saves the second exponential of a softmax beside its logsumexp. (Blanchard, D. Higham & N. Higham,
Accurately computing the log-sum-exp and softmax functions, IMA J. Numer. Anal. 2021, algorithm 4.1.)
`peak` is a reduction of plans alone: it shifts, and never changes a value, so nothing differentiates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from einback.ir.build import add, broadcast, multiply, power, total
from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Ones, Reduce
from einback.ir.walk import children, postorder, rebuild
from einback.rules.softmax import LogSoftmax, log_softmax_items

__all__ = ["shifted"]


def shifted(roots: Sequence[Node]) -> dict[Node, Node]:
    """What each node below the roots becomes."""
    order = list(postorder(roots))
    shifts = _Shifts({level for node in order if isinstance(node, Add) for level in _levels(node)})
    for node in order:
        shifts.new[node] = shifts.visit(node)
    return shifts.new


@dataclass(slots=True)
class _Shifts:
    split: set[Node]  # the logsumexps that are kept in two parts
    new: dict[Node, Node] = field(default_factory=dict)

    def visit(self, node: Node) -> Node:
        match node:
            case Reduce() if node in self.split:
                return add((self.peak(node), self.remainder(node)))
            case Add() if len(node.terms) > 1 and _levels(node):
                return self._sum(node)
            case Map(fn="exp", args=(Add() as arg,)):
                match log_softmax_items(arg):
                    case ((weight, LogSoftmax(level)),) if weight == 1:
                        return self._softmax(level)
        kids = children(node)
        return rebuild(node, [self.new[child] for child in kids]) if kids else node

    def peak(self, level: Reduce) -> Node:
        return Reduce("peak", self.new[level.arg], level.axes)

    def difference(self, level: Reduce) -> Node:
        return add((self.new[level.arg], self._laid_back(self.peak(level), level)), (1, -1))

    def exponentials(self, level: Reduce) -> Node:
        return Map("exp", (self.difference(level),))

    def sums(self, level: Reduce) -> Node:
        return total(self.exponentials(level), level.axes)

    def remainder(self, level: Reduce) -> Node:
        return Map("log", (self.sums(level),))

    def _softmax(self, level: Reduce) -> Node:
        return multiply(self.exponentials(level), self._laid_back(power(self.sums(level), -1), level))

    def _sum(self, node: Add) -> Node:
        """The large parts first, which cancel, then the logarithms."""
        large: list[tuple[Node, Number]] = []
        small: list[tuple[Node, Number]] = []
        for weight, item in log_softmax_items(node):
            if isinstance(item, LogSoftmax):
                level = item.level
                large.append((self.difference(level), weight))
                small.append((self._laid_back(self.remainder(level), level), -weight))
            elif (found := _level(item)) is not None:
                large.append((self._replaced(item, self.peak(found)), weight))
                small.append((self._replaced(item, self.remainder(found)), weight))
            else:
                large.append((self.new[item], weight))
        first = add(*zip(*large, strict=True))
        return add(*zip((first, 1), *small, strict=True))

    def _laid_back(self, node: Node, level: Reduce) -> Node:
        """A tensor over the axes that a logsumexp kept, repeated along those it was taken over."""
        return broadcast(node, level.arg.shape, [k for k in range(level.arg.rank) if k not in level.axes])

    def _replaced(self, view: Node, node: Node) -> Node:
        """A view of a logsumexp as that of another tensor."""
        if isinstance(view, Reduce):
            return node
        return rebuild(view, [kid if isinstance(kid, Const | Ones) else node for kid in children(view)])


def _levels(node: Add) -> list[Reduce]:
    """The logsumexps that are terms of a sum of several."""
    if len(node.terms) == 1:
        return []
    return [level for term in node.terms if (level := _level(term)) is not None]


def _level(node: Node) -> Reduce | None:
    """The logsumexp that a node is, or only lays along other axes."""
    if isinstance(node, Einsum) and len(set(node.out)) == len(node.out) == len(node.sizes):
        cores = [operand for operand in node.operands if not isinstance(operand, Ones)]
        node = cores[0] if len(cores) == 1 else node
    return node if isinstance(node, Reduce) and node.fn == "logsumexp" else None
