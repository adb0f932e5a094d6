"""Quotients x / |x|, which are 0 where x is, IR to IR.

The derivative of the norm sqrt(sum x^2) is x (sum x^2)^(-1/2). At x = 0 floats make that 0 times infinity; the entry
of the subgradient with the least norm is 0 (Rockafellar, Convex Analysis, 1970, section 23). So a negative power of a
sum of squares counts as 0 at 0 in a product with what is squared in it, and nowhere else: 1 / |x| stays infinite.
"""

from __future__ import annotations

from collections.abc import Sequence

from einback.ir.build import const, einsum
from einback.ir.nodes import Add, Const, Einsum, Map, Node
from einback.ir.walk import transform

__all__ = ["zero_at_zero"]

Labels = tuple[int, ...]


def zero_at_zero(roots: Sequence[Node]) -> dict[Node, Node]:
    """What each node below the roots becomes, for real arrays."""
    return transform(roots, lambda _, node: _guarded(node) if isinstance(node, Einsum) else node)


def _guarded(node: Einsum) -> Node:
    pairs = list(zip(node.operands, node.labels, strict=True))
    guarded = [_zero_where_base_is(op) if _vanishes_too(op, term, pairs) else op for op, term in pairs]
    return node if guarded == list(node.operands) else einsum(guarded, node.labels, node.out)


def _zero_where_base_is(node: Node) -> Node:
    assert isinstance(node, Map)
    return Map("where", (Map("equal", (node.args[0], const(0))), const(0), node))


def _vanishes_too(node: Node, term: Labels, pairs: Sequence[tuple[Node, Labels]]) -> bool:
    """Whether a factor is a negative power of a sum of squares, of what is a factor itself."""
    if not (isinstance(node, Map) and node.fn == "power" and isinstance(node.args[1], Const)):
        return False
    if not node.args[1].value < 0:
        return False
    xs, kept = _squared(node.args[0])
    return any(_base(op) in xs and term == tuple(own[axis] for axis in kept) for op, own in pairs)


def _squared(node: Node) -> tuple[tuple[Node, ...], Labels]:
    """The x whose squares a node is a positive multiple of the sum of, or its root; and the axes that are kept."""
    while isinstance(node, Add) and len(node.terms) == 1 and node.weights[0] > 0:
        node = node.terms[0]
    kept = tuple(range(node.rank))
    if isinstance(node, Einsum) and len(node.operands) == 1 and len(set(node.labels[0])) == len(node.labels[0]):
        kept, node = node.out, node.operands[0]
    if isinstance(node, Map) and node.fn == "power" and isinstance(node.args[1], Const) and node.args[1].value == 2:
        return (node.args[0],), kept
    return (node.args if isinstance(node, Map) and node.fn == "hypot" else ()), kept


def _base(node: Node) -> Node:
    """x where a node is a positive power of x."""
    if isinstance(node, Map) and node.fn == "power" and isinstance(node.args[1], Const) and node.args[1].value > 0:
        return node.args[0]
    return node
