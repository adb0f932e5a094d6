"""Where x - logsumexp(x) stands in a sum: the logarithm of a softmax, which the IR has no node for.

It is found again for printing, for planning, which computes it from entries that are shifted by the largest, and for
sums over its exponential, the softmax, which are one.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from einback.ir.build import exact
from einback.ir.nodes import Add, Einsum, Map, Node, Number, Ones, Reduce

__all__ = ["LogSoftmax", "log_softmax", "log_softmax_items", "softmax"]


@dataclass(frozen=True, slots=True)
class LogSoftmax:
    """arg - logsumexp(arg) over the axes of `level`, the logsumexp."""

    level: Reduce

    @property
    def arg(self) -> Node:
        return self.level.arg

    @property
    def axes(self) -> tuple[int, ...]:
        return self.level.axes


def log_softmax_items(node: Add, named: Container[Node] = ()) -> tuple[tuple[Number, Node | LogSoftmax], ...]:
    """The weighted terms of a sum, with x - logsumexp(x) put together wherever both are there."""
    left = dict(zip(node.terms, node.weights, strict=True))
    if len(left) < len(node.terms):  # a term stands twice: not a normal form, and left as it is
        return tuple(zip(node.weights, node.terms, strict=True))
    found: list[tuple[Number, Node | LogSoftmax]] = []
    for term, weight in zip(node.terms, node.weights, strict=True):
        level = _broadcast_level(term, named)
        if level is None or term not in left:
            continue
        taken = _taken(left, level.arg, exact(-weight))
        if taken is not None:
            for part in (term, *taken):
                del left[part]
            found.append((exact(-weight), LogSoftmax(level)))
    return (*found, *((weight, term) for term, weight in left.items()))


def softmax(node: Node, named: Container[Node] = ()) -> LogSoftmax | None:
    """The log-softmax whose exponential a node is."""
    if isinstance(node, Map) and node.fn == "exp" and node.args[0] not in named:
        return log_softmax(node.args[0], named)
    return None


def log_softmax(node: Node, named: Container[Node] = ()) -> LogSoftmax | None:
    """The log-softmax that a node is, and nothing more."""
    if isinstance(node, Add):
        match log_softmax_items(node, named):
            case ((weight, LogSoftmax() as item),) if weight == 1:
                return item
    return None


def _taken(left: dict[Node, Number], arg: Node, weight: Number) -> Sequence[Node] | None:
    """The terms that make up weight * arg: it alone, or, if it is a sum, all of its terms."""
    if left.get(arg) == weight:
        return (arg,)
    if isinstance(arg, Add) and len(set(arg.terms)) == len(arg.terms):
        if all(left.get(term) == exact(weight * own) for term, own in zip(arg.terms, arg.weights, strict=True)):
            return arg.terms
    return None


def _broadcast_level(node: Node, named: Container[Node]) -> Reduce | None:
    """The logsumexp that a node lays back along the axes it was taken over."""
    if not isinstance(node, Einsum) or node in named or len(set(node.out)) < len(node.out):
        return None
    level = [(op, labels) for op, labels in zip(node.operands, node.labels, strict=True) if not isinstance(op, Ones)]
    if len(level) != 1 or len(node.out) != len(node.sizes):
        return None
    reduced, labels = level[0]
    if not isinstance(reduced, Reduce):
        return None
    kept = tuple(k for k in range(reduced.arg.rank) if k not in reduced.axes)
    if reduced.fn != "logsumexp" or reduced in named or reduced.arg.rank != node.rank:
        return None
    return reduced if tuple(node.out.index(label) for label in labels) == kept else None
