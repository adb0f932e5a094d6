"""Rules for masks: comparisons that stand as factors.

A comparison in a product is an Iverson bracket, and is strongly zero: where it does not hold the product is zero,
though another factor be infinite or undefined there. (Knuth, Two notes on notation, American Mathematical Monthly
1992.) A factor can only be so because of what the bracket compares if it is computed from the same tensor by a
function that fails somewhere; there the bracket becomes a choice, elsewhere it multiplies.

    [x > 0] log(x)             = where(x > 0, log(x), 0)
    above(x, y) / x            = where(x >= y, where(x = y, 1/2, 1) / x, 0)     (the share of a maximum)
"""

from __future__ import annotations

from fractions import Fraction

from einback.ir.build import broadcast, const, einsum, multiply
from einback.ir.nodes import Einsum, Map, Node, Ones
from einback.rules.engine import Surroundings
from einback.rules.scalar import row
from einback.rules.signs import elementwise_leaves, may_fail

__all__ = ["brackets_select"]


def brackets_select(node: Node, _: Surroundings) -> Node | None:
    """[c] r -> where(c, r, 0), where r may fail for what c compares."""
    assert isinstance(node, Einsum)
    for k, (mask, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        if not isinstance(mask, Map) or not _is_bracket(mask) or len(set(term)) < len(term):
            continue
        compared = elementwise_leaves(mask)
        for m, (factor, own) in enumerate(zip(node.operands, node.labels, strict=True)):
            if m == k or isinstance(factor, Ones) or not may_fail(factor, compared):
                continue
            if own and set(own) <= set(term):
                chosen = _chosen(mask)
                return einsum([*node.operands[:k], chosen, *node.operands[k + 1 :]], node.labels, node.out)
            if set(own) > set(term) and len(set(own)) == len(own):
                return _selected(node, k, m)
    return None


def _selected(node: Einsum, k: int, m: int) -> Node:
    """The product with its k-th factor, a mask, as a choice of the m-th, which has the mask's labels and others."""
    mask, factor, own = node.operands[k], node.operands[m], node.labels[m]
    assert isinstance(mask, Map)
    places = [own.index(label) for label in node.labels[k]]
    condition, share, _ = _chosen(mask).args
    if share is not const(1):
        factor = multiply(factor, broadcast(share, factor.shape, places))
    choice = Map("where", (broadcast(condition, factor.shape, places), factor, const(0)))
    pairs = [
        (choice if i == m else op, term)
        for i, (op, term) in enumerate(zip(node.operands, node.labels, strict=True))
        if i != k
    ]
    return einsum([op for op, _ in pairs], [term for _, term in pairs], node.out)


def _is_bracket(mask: Map) -> bool:
    return row(mask.fn).predicate or mask.fn == "above"


def _chosen(mask: Map) -> Map:
    """The mask as a choice of which one side is zero, into the other of which factors can move."""
    if mask.fn == "above":
        share = Map("where", (Map("equal", mask.args), const(Fraction(1, 2)), const(1)))
        return Map("where", (Map("greater_equal", mask.args), share, const(0)))
    return Map("where", (mask, const(1), const(0)))
