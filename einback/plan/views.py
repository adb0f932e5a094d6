"""Nodes that are read through others: views, which take no computation, and the structural operands.

After the cut a relation stands in four kinds of Einsum, beside one tensor or alone (then the tensor is all ones):

    a view      sum over p of x[.., p] w[p,i,u] where the window stays inside: another way to stride through x
    a scatter   t[.., i, u] added up into p = offset + s i + r u, or into p = ids[i, u]; what would lie outside of
                the axis is left out, so that a padded copy is the scatter of one index
    a gather    sum over p of x[.., p] h[i,u,p]
"""

from __future__ import annotations

from einback.ir.nodes import Delta, Einsum, Node, OneHot, Ones, Window
from einback.rules.relations import flattens, is_relation

__all__ = [
    "is_embedding",
    "is_identity",
    "is_injective",
    "is_inside",
    "is_scatter",
    "is_sparse",
    "is_view",
    "relation_at",
    "repeated_axes",
    "selects",
    "span",
]

Labels = tuple[int, ...]


def is_view(node: Node) -> bool:
    """Whether a node only rearranges one tensor: permutes, reads a diagonal or windows, repeats along new axes."""
    if not isinstance(node, Einsum) or len(set(node.out)) < len(node.out):
        return False
    data = [k for k, operand in enumerate(node.operands) if not isinstance(operand, Ones | Window)]
    if len(data) != 1 or isinstance(node.operands[data[0]], OneHot):
        return False
    gone = set(range(len(node.sizes))) - set(node.out)
    for operand, term in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Window):
            read_once = term.count(term[0]) == 1 == node.labels[data[0]].count(term[0])
            if gone != {term[0]} or not read_once or not is_inside(operand):
                return False
            gone = set()
    return not gone


def relation_at(node: Node) -> int | None:
    """Which operand of an Einsum is a relation; of a view, its window."""
    if not isinstance(node, Einsum):
        return None
    return next((k for k, operand in enumerate(node.operands) if is_relation(operand)), None)


def place_of(relation: Node, labels: Labels) -> tuple[int, Labels]:
    """The label that a relation points along, and those of the indices that it depends on."""
    return (labels[-1], labels[:-1]) if isinstance(relation, OneHot) else (labels[0], labels[1:])


def is_scatter(node: Node) -> bool:
    """Whether a node of a program that is cut writes entries to where a relation points."""
    k = relation_at(node)
    if k is None or not isinstance(node, Einsum):
        return False
    place, _ = place_of(node.operands[k], node.labels[k])
    return place in node.out


def is_embedding(node: Node) -> bool:
    """Whether a node of a program that is cut writes a tensor along a diagonal of a larger one: the identity, too."""
    if not isinstance(node, Einsum):
        return isinstance(node, Delta)
    return len(set(node.out)) < len(node.out) and not any(map(is_relation, node.operands))


def is_sparse(node: Node) -> bool:
    """Whether a node writes some entries, and the others are zero."""
    return is_scatter(node) or is_embedding(node)


def selects(node: Einsum) -> bool:
    """Whether a product with relations takes entries of one tensor as they are, and adds nothing up."""
    data = [
        term for op, term in zip(node.operands, node.labels, strict=True) if not (is_relation(op) or type(op) is Ones)
    ]
    if len(data) != 1 or relation_at(node) is None or len(set(node.out)) < len(node.out):
        return False
    gone: list[int] = []
    for operand, term in zip(node.operands, node.labels, strict=True):
        if is_relation(operand):
            place, indices = place_of(operand, term)
            gone += [place] if place not in node.out else indices if is_injective(operand) else []
    summed = {label for term in node.labels for label in term} - set(node.out)
    return summed == set(gone) and summed <= set(data[0])


def span(window: Window) -> tuple[int, int]:
    """The least and the largest index that a window with known numbers reaches; of an empty one, (0, -1)."""
    if 0 in window.sizes:
        return 0, -1
    assert isinstance(window.offset, int)
    reach = [int(step) * (int(size) - 1) for step, size in zip(window.steps, window.sizes, strict=True)]
    return window.offset + sum(min(0, r) for r in reach), window.offset + sum(max(0, r) for r in reach)


def is_inside(window: Window) -> bool:
    """Whether all numbers of a window are known, and it reaches no index outside of its axis."""
    if not _is_known(window):
        return False
    low, high = span(window)
    return low >= 0 and high < int(window.size)


def is_injective(relation: Node) -> bool:
    """Whether no two windows share an entry: each |step| is above the reach of the lesser, as in a number system."""
    if not isinstance(relation, Window):
        return False
    if not _is_known(relation):
        return flattens(relation)
    reach = 0
    for step, size in sorted(
        (abs(int(step)), int(size)) for step, size in zip(relation.steps, relation.sizes, strict=True)
    ):
        if size > 1:
            if step <= reach:
                return False
            reach += step * (size - 1)
    return True


def _is_known(window: Window) -> bool:
    return all(isinstance(number, int) for number in (window.size, *window.sizes, *window.steps, window.offset))


def repeated_axes(view: Node) -> list[int]:
    """The axes of a view along which it repeats."""
    assert isinstance(view, Einsum)
    carried = {
        label
        for operand, term in zip(view.operands, view.labels, strict=True)
        if not isinstance(operand, Ones)
        for label in term
    }
    return [k for k, label in enumerate(view.out) if label not in carried]


def is_identity(node: Node) -> bool:
    """Whether a node is the identity matrix, as it is declared or as ones on a diagonal."""
    if isinstance(node, Einsum):
        return isinstance(node.operands[0], Ones) and node.labels == ((0,),) and node.out == (0, 0)
    return isinstance(node, Delta)
