"""How nodes are read: composites that have a name of their own, and views that are not worth one.

The IR has no softmax; it has exp(x - logsumexp x). A reader wants to see `softmax[c](x)`, so the pattern is
found again here, in sums too: in `x - logsumexp[c](x) + y` the first two terms are `log_softmax[c](x)`.
`parts` lists what a node shows, which is what printing walks, counts and names.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from einback.ir.nodes import Add, Const, Delta, Einsum, Map, Matrix, Node, OneHot, Ones, Window
from einback.ir.sizes import Classes, Size
from einback.ir.walk import children
from einback.rules.softmax import LogSoftmax, log_softmax, log_softmax_items, softmax

__all__ = ["LogSoftmax", "is_size", "log_softmax", "log_softmax_items", "parts", "sizes_of", "softmax", "view", "walk"]


def is_size(node: Node) -> bool:
    """The length of an axis as a scalar: the sum of ones."""
    return isinstance(node, Einsum) and node.rank == 0 and all(isinstance(op, Ones) for op in node.operands)


def view(node: Node) -> Node | None:
    """What a node only scales, lays along other axes, or reads a diagonal of; None for other nodes."""
    match node:
        case Add() if len(node.terms) == 1:
            return node.terms[0]
        case Einsum():
            real = [
                (op, labels)
                for op, labels in zip(node.operands, node.labels, strict=True)
                if not isinstance(op, Ones | Delta | Const)
            ]
            if len(real) == 1 and set(real[0][1]) <= set(node.out) and len(set(node.out)) == len(node.sizes):
                return real[0][0]
    return None


def parts(node: Node, named: Container[Node] = ()) -> tuple[Node, ...]:
    """The nodes that the formula of a node shows; `named` nodes are written by name and not looked into."""
    match node:
        case Map() if (found := softmax(node, named)) is not None:
            return (found.arg,)
        case Add():
            return tuple(
                item.arg if isinstance(item, LogSoftmax) else item for _, item in log_softmax_items(node, named)
            )
        case Einsum():
            return tuple(
                op.ids if isinstance(op, OneHot) else op
                for op in node.operands
                if not isinstance(op, Ones | Delta | Window)
            )
        case _:
            return children(node)


def walk(roots: Sequence[Node], named: Container[Node] = ()) -> Iterator[Node]:
    """Every node that formulas of the roots show, once, what is read first; named nodes end the walk."""
    done: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, entered = stack.pop()
        if node in done:
            continue
        if entered:
            done.add(node)
            yield node
            continue
        stack.append((node, True))
        if node not in named:
            stack.extend((part, False) for part in reversed(parts(node, named)))


def sizes_of(nodes: Iterable[Node]) -> tuple[list[Size], Classes]:
    """The sizes of all axes, in order of first appearance, and which of them labels have made equal."""
    seen: dict[Size, None] = {}
    classes = Classes()
    for node in nodes:
        seen.update(dict.fromkeys(node.shape))
        if isinstance(node, Einsum):
            for operand, labels in zip(node.operands, node.labels, strict=True):
                for size, label in zip(operand.shape, labels, strict=True):
                    seen.setdefault(size)
                    classes.unite(size, node.sizes[label])
        elif isinstance(node, Add | Map):
            for part in children(node):
                for size, whole in zip(part.shape, node.shape, strict=False):
                    classes.unite(size, whole)
        elif isinstance(node, Matrix):
            classes.unite(*node.arg.shape[-2:])
    return list(seen), classes
