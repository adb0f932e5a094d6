"""Which nodes are computed together: a step is a node that others share, with what only it reads.

A node that is wanted, named or read twice heads a step of its own; a node that is read once belongs to
its reader's step, unless that is full. Steps are what a plan lists and what a comment stands above.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from einback.ir.nodes import Add, Const, Input, Node, OneHot, Ones, Window
from einback.ir.walk import children
from einback.plan.factorisations import is_divisor
from einback.plan.views import is_sparse, is_view

__all__ = ["bases", "group", "is_computed", "operands"]

_FULL = 8  # nodes of a step


def is_computed(node: Node) -> bool:
    """Whether a node takes a computation, rather than being given, or a view of what is."""
    return not (isinstance(node, Input | Const | Ones | Window | OneHot) or is_view(node) or is_divisor(node))


def bases(order: Iterable[Node], numbers: Collection[Node], added: Collection[Node] = ()) -> dict[Node, Node]:
    """For each node that is an array: the node whose entries it shows, itself unless it is a view.

    The scatters and diagonals in `added` are no arrays: the sums that read them add their entries up.
    """
    base: dict[Node, Node] = {}
    for node in order:
        if node in numbers or node in added or isinstance(node, Ones | Window | OneHot):
            continue
        seen = [base[child] for child in children(node) if child in base]
        base[node] = seen[0] if (is_view(node) or is_divisor(node)) and seen else node
    return base


def operands(node: Node, base: Mapping[Node, Node]) -> list[Node]:
    """The computed or given nodes whose entries a node reads, once for each time that it does."""
    found: list[Node] = []
    waiting = list(children(node))[::-1]
    while waiting:
        child = waiting.pop()
        if child in base:
            found.append(base[child])
        elif isinstance(child, OneHot) or (isinstance(node, Add) and is_sparse(child)):
            waiting += children(child)[::-1]
    return found


def group(order: Sequence[Node], wanted: Collection[Node], base: Mapping[Node, Node]) -> list[tuple[Node, ...]]:
    """The computed nodes in steps, operands first and the head last; `wanted` are heads in any case."""
    computed = [node for node in order if base.get(node) is node and is_computed(node)]
    readers: dict[Node, list[Node]] = {node: [] for node in computed}
    for node in computed:
        for operand in operands(node, base):
            if operand in readers:
                readers[operand].append(node)
    head: dict[Node, Node] = {}
    members: dict[Node, list[Node]] = {}
    for node in reversed(computed):
        reader = head[readers[node][0]] if len(readers[node]) == 1 and node not in wanted else None
        if reader is None or len(members[reader]) >= _FULL:
            head[node], members[node] = node, [node]
        else:
            head[node] = reader
            members[reader].append(node)
    return [tuple(members[node][::-1]) for node in computed if node in members]
