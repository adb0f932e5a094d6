"""How relations are read: as indices of what they read, or as a Kronecker delta.

A window that is summed against x[p] is an affine index, x[2*i+u]; a one-hot tensor is a gather, E[token[b,t],d].
Where the place p is kept, or nothing but relations carries it, they are deltas: δ[p,2*i+u], δ[v,token[b,t]].
"""

from __future__ import annotations

from collections.abc import Iterator

from einback.ir.nodes import Einsum, Input, Node, OneHot, Ones, Range, Window
from einback.rules.relations import flattens, is_relation

__all__ = ["flattened", "gathered_by", "place_and_others", "read_at_places", "substituted"]


def place_and_others(relation: Node, term: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The label of the axis that a relation reads, and its other labels."""
    return (term[-1], term[:-1]) if isinstance(relation, OneHot) else (term[0], term[1:])


def substituted(node: Einsum) -> dict[int, int]:
    """The summed labels that are written as indices, each with the operand that says how."""
    pairs = list(zip(node.operands, node.labels, strict=True))
    data = {label for op, term in pairs if not is_relation(op) and not isinstance(op, Ones) for label in term}
    found: dict[int, int] = {}
    for k, (operand, term) in enumerate(pairs):
        if is_relation(operand):
            place, others = place_and_others(operand, term)
            elsewhere = any(place in own for m, (op, own) in enumerate(pairs) if m != k and is_relation(op))
            if place in data and place not in node.out and place not in others and not elsewhere:
                found[place] = k
    return found


def flattened(node: Node) -> dict[int, int]:
    """The axes of a product that only a flattening writes, each with the operand that does: y[(h w)] = x[h,w]."""
    if not isinstance(node, Einsum):
        return {}
    found: dict[int, int] = {}
    for k, (operand, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        if isinstance(operand, Window) and flattens(operand) and node.out.count(term[0]) == 1:
            others = [own for m, own in enumerate(node.labels) if m != k]
            related = {label for op, own in zip(node.operands, node.labels, strict=True) if is_relation(op)
                       and own is not term for label in own}  # fmt: skip
            alone = not any(term[0] in own for own in others) and related.isdisjoint(term)
            if alone and set(node.out).isdisjoint(term[1:]) and len(set(term)) == len(term):
                found[node.out.index(term[0])] = k
    return found


def gathered_by(node: Node) -> Iterator[Node]:
    """What a one-hot tensor, or a product with some, gathers by."""
    match node:
        case OneHot():
            yield node.ids
        case Einsum():
            yield from (operand.ids for operand in node.operands if isinstance(operand, OneHot))


def read_at_places(node: Node) -> Iterator[Node]:
    """What a product reads at an affine index, or gathers: tensors, written by name.

    In place, exp(x)[2*i+u] would have to be exp(x[2*i+u]), which is another thing where the window leaves x.
    """
    if not isinstance(node, Einsum):
        return
    places = substituted(node)
    for operand, term in zip(node.operands, node.labels, strict=True):
        if not isinstance(operand, Input | Window | OneHot | Ones | Range) and not places.keys().isdisjoint(term):
            yield operand
