"""Walking and rebuilding programs. `children` and `rebuild` list the node kinds once, for everyone.

Every walk keeps its own stack: a program may be deeper than Python's recursion limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Matrix, Node, OneHot, Ones, Range, Reduce, Window

__all__ = [
    "children",
    "count_uses",
    "depends_on",
    "inputs_of",
    "postorder",
    "rebuild",
    "remembered",
    "substitute",
    "transform",
]

N = TypeVar("N", bound=Node)
T = TypeVar("T")


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that a node reads, in order."""
    match node:
        case Einsum():
            return node.operands
        case Add():
            return node.terms
        case Map():
            return node.args
        case Reduce() | Matrix():
            return (node.arg,)
        case OneHot():
            return (node.ids,)
        case Input() | Const() | Delta() | Ones() | Range() | Window():
            return ()
        case _:
            raise TypeError(f"unknown node {type(node).__name__}")


def rebuild(node: Node, new: Sequence[Node]) -> Node:
    """The node with other children of the same shapes."""
    fresh = tuple(new)
    if fresh == children(node):
        return node
    match node:
        case Einsum():
            return Einsum(fresh, node.labels, node.out)
        case Add():
            return Add(fresh, node.weights)
        case Map():
            return Map(node.fn, fresh)
        case Reduce():
            return Reduce(node.fn, fresh[0], node.axes)
        case Matrix():
            return Matrix(node.fn, fresh[0], node.keeps)
        case OneHot():
            return OneHot(fresh[0], node.size)
        case _:
            raise TypeError(f"{type(node).__name__} has no children to replace")


def postorder(roots: Iterable[Node]) -> Iterator[Node]:
    """Every node below the roots once, children first."""
    done: set[Node] = set()
    stack = list(roots)[::-1]
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        waiting = [child for child in children(node) if child not in done]
        if waiting:
            stack.extend(reversed(waiting))
        else:
            done.add(node)
            stack.pop()
            yield node


def transform(roots: Sequence[Node], visit: Callable[[Node, Node], Node]) -> dict[Node, Node]:
    """Rebuild bottom-up: `visit(old, node)` gets each node with its new children. Returns old -> new."""
    new: dict[Node, Node] = {}
    for node in postorder(roots):
        kids = children(node)
        new[node] = visit(node, rebuild(node, [new[child] for child in kids]) if kids else node)
    return new


def substitute(roots: Sequence[Node], replacement: Mapping[Node, Node]) -> tuple[Node, ...]:
    """The roots with some nodes replaced by others of the same shape."""
    new = transform(roots, replacement.get)
    return tuple(new[root] for root in roots)


def count_uses(roots: Iterable[Node]) -> Counter[Node]:
    """How often each node is read by others or wanted as a root."""
    roots = list(roots)
    uses = Counter(roots)
    for node in postorder(roots):
        uses.update(children(node))
    return uses


def inputs_of(roots: Iterable[Node]) -> list[Input]:
    """The inputs below the roots, in order of first appearance."""
    return [node for node in postorder(roots) if isinstance(node, Input)]


def depends_on(roots: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes below the roots that read one of the sources, the sources included."""
    found = set(sources)
    for node in postorder(roots):
        if node not in found and any(child in found for child in children(node)):
            found.add(node)
    return found


def remembered(property_of: Callable[[N], T]) -> Callable[[N], T]:
    """A property of single nodes, found once for each as long as it lives: many may read a sum of many terms."""
    known: WeakKeyDictionary[N, T] = WeakKeyDictionary()

    @wraps(property_of)
    def looked_up(node: N) -> T:
        value = known.get(node)
        if value is None:
            value = known[node] = property_of(node)
        return value

    return looked_up
