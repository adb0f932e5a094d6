"""What is known of entries before any array is: whether they can be negative, and whether they can fail to be finite.

Both look at a node and a little below it, and say no where that does not settle it. A rule that would give a number
where the program as declared gives NaN, such as exp(log x) = x, asks here first.
"""

from __future__ import annotations

from collections.abc import Set
from fractions import Fraction

from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Node, Number, Ones, Reduce
from einback.ir.walk import children
from einback.rules.scalar import row

__all__ = ["elementwise_leaves", "is_even", "is_whole", "may_fail", "never_negative"]

_DEPTH = 6  # of nested nodes that are looked at
_MOST = 64  # nodes that are looked at in all

_POSITIVE = frozenset(["exp", "exp2", "cosh", "sigmoid", "softplus", "abs", "relu", "above", "hypot"])
_MONOTONE = frozenset(["cbrt", "sinh", "tanh", "arcsinh", "arctan", "expm1", "log1p", "erf", "sign", "gelu", "silu"])
_BOUNDED = frozenset(["sigmoid", "tanh", "sign", "above"])
_STEPS = frozenset(["floor", "ceil", "rint", "trunc"])

# Functions that are infinite or NaN at some finite numbers.
_FAILING = frozenset(
    ["exp", "exp2", "expm1", "sinh", "cosh", "log", "log2", "log10", "log1p", "tan"]
    + ["arcsin", "arccos", "arccosh", "arctanh"]
)


def never_negative(node: Node, depth: int = _DEPTH) -> bool:
    """Whether no entry of a node can be less than zero, for real arrays without NaN."""
    if not depth:
        return False
    match node:
        case Const():
            return node.value >= 0
        case Delta() | Ones():
            return True
        case Input():
            return "positive" in node.facts
        case Einsum():
            return all(never_negative(operand, depth - 1) for operand in node.operands)
        case Add():
            return _sum_never_negative(node, depth - 1)
        case Reduce():
            return node.fn != "logsumexp" and never_negative(node.arg, depth - 1)
        case Map():
            return _map_never_negative(node, depth)
        case _:
            return False


def _sum_never_negative(node: Add, depth: int) -> bool:
    """Whether no term is negative but one, which a constant outweighs: 1 - tanh(x)^2, rounded or not."""
    below = [(term, -weight) for term, weight in zip(node.terms, node.weights, strict=True) if not weight >= 0]
    above = [(term, weight) for term, weight in zip(node.terms, node.weights, strict=True) if weight >= 0]
    if len(below) > 1 or not all(never_negative(term, depth) for term, _ in above):
        return False
    most = sum(weight for term, weight in above if _is_one(term))
    return all(weight <= most and _never_above_one(term, depth) for term, weight in below)


def _is_one(node: Node) -> bool:
    """Whether every entry of a node is the number one, as `einback.ir.build.ones` builds it."""
    if isinstance(node, Einsum):
        return all(isinstance(operand, Ones) for operand in node.operands) and len(set(node.out)) == len(node.sizes)
    return isinstance(node, Ones) or (isinstance(node, Const) and node.value == 1)


def _never_above_one(node: Node, depth: int) -> bool:
    """Whether no entry of a node, as it is computed, exceeds one."""
    match node:
        case Map(fn="power", args=(Map() as base, Const(value))) if value > 0:
            return _bounded(base) and (is_even(value) or never_negative(base, depth))
        case Map():
            return _bounded(node)
        case Einsum():
            kept = len(set(node.out)) == len(node.sizes)
            return kept and all(
                isinstance(op, Ones) or (never_negative(op, depth) and _never_above_one(op, depth))
                for op in node.operands
            )
        case _:
            return False


def _bounded(node: Map) -> bool:
    """Whether the entries of a function lie between -1 and 1, as they are computed."""
    return node.fn in _BOUNDED or row(node.fn).predicate


def _map_never_negative(node: Map, depth: int) -> bool:
    match node:
        case Map(fn="power", args=(_, Const(value))) if is_even(value):
            return True
        case Map(fn="power" | "maximum" | "minimum" | "where", args=args):
            known = [never_negative(arg, depth - 1) for arg in args]
            return any(known) if node.fn == "maximum" else known[0] if node.fn == "power" else all(known[-2:])
        case Map(fn=fn, args=args) if fn in _MONOTONE or fn in _STEPS:
            return never_negative(args[0], depth - 1)
        case _:
            return node.fn in _POSITIVE or row(node.fn).predicate


def is_whole(value: Number) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def is_even(value: Number) -> bool:
    return is_whole(value) and value % 2 == 0


def may_fail(node: Node, leaves: Set[Node]) -> bool:
    """Whether a node applies, entry by entry, to one of `leaves` a function that is not finite at some numbers."""
    failing = [part for part in _elementwise(node) if isinstance(part, Map) and _fails(part)]
    return any(not leaves.isdisjoint(elementwise_leaves(part)) for part in failing)


def _fails(node: Map) -> bool:
    if node.fn != "power":
        return node.fn in _FAILING
    exponent = node.args[1].value if isinstance(node.args[1], Const) else None
    return exponent is None or not is_whole(exponent) or exponent < 0


def elementwise_leaves(node: Node) -> set[Node]:
    """The tensors that a node is made of entry by entry: those that are not elementwise themselves."""
    return {part for part in _elementwise(node) if not isinstance(part, Const | Ones) and not _parts(part)}


def _elementwise(node: Node) -> dict[Node, None]:
    found: dict[Node, None] = {}
    waiting = [node]
    while waiting and len(found) < _MOST:
        part = waiting.pop()
        if part not in found:
            found[part] = None
            waiting += _parts(part)
    return found


def _parts(node: Node) -> tuple[Node, ...]:
    """The nodes that each entry of a node is made of one entry of: in a sum, the factors that could stand before it."""
    if isinstance(node, Einsum):
        kept = set(node.out)
        return tuple(op for op, term in zip(node.operands, node.labels, strict=True) if term and kept.issuperset(term))
    return children(node) if isinstance(node, Add | Map) else ()
