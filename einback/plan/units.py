"""Quotients x / |x|, which are 0 where x is, IR to IR.

The derivative of the norm sqrt(sum x^2) is x (sum x^2)^(-1/2). At x = 0 floats make that 0 times infinity; the entry
of the subgradient with the least norm is 0 (Rockafellar, Convex Analysis, 1970, section 23). So a negative power of a
sum of squares counts as 0 at 0 in a product with a factor that is 0 with what is squared in it, such as x, A x or
x - mean(x), and nowhere else: 1 / |x| stays infinite. Of complex tensors the squares are those of moduli.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from einback.ir.build import const, einsum
from einback.ir.nodes import Add, Const, Einsum, Map, Node
from einback.ir.walk import children, transform
from einback.rules.structure import is_size

__all__ = ["is_sum_of_squares", "zero_at_zero"]

Labels = tuple[Hashable, ...]
Square = tuple[Node, tuple[int, ...]]  # what is squared, and which of its axes are those of the sum

_DEEPEST = 4  # nodes inside a factor that are looked into


def zero_at_zero(roots: Sequence[Node], *, real: bool = True) -> dict[Node, Node]:
    """What each node below the roots becomes; `real` says that complex arrays are declared so."""
    return transform(roots, lambda _, node: _guarded(node, real) if isinstance(node, Einsum) else node)


def _guarded(node: Einsum, real: bool) -> Node:
    pairs = list(zip(node.operands, node.labels, strict=True))
    guarded = [_zero_where_base_is(op) if _vanishes_too(op, term, pairs, real) else op for op, term in pairs]
    return node if guarded == list(node.operands) else einsum(guarded, node.labels, node.out)


def _zero_where_base_is(node: Node) -> Node:
    assert isinstance(node, Map)
    return Map("where", (Map("equal", (node.args[0], const(0))), const(0), node))


def _vanishes_too(node: Node, term: Labels, pairs: Sequence[tuple[Node, Labels]], real: bool) -> bool:
    """Whether a factor is a negative power of a sum of squares, with which another factor vanishes."""
    if not (isinstance(node, Map) and node.fn == "power" and isinstance(node.args[1], Const)):
        return False
    if not node.args[1].value < 0:
        return False
    squares = list(_squares(node.args[0], tuple(range(node.rank)), real))
    return any(_vanishes(op, own, term, squares, _DEEPEST) for op, own in pairs if op is not node)


def is_sum_of_squares(node: Node) -> bool:
    """Whether a real tensor is a sum of squares with positive weights, and nothing else: zero where these are."""
    return any(True for _ in _squares(node, tuple(range(node.rank)), real=True))


def _squares(node: Node, kept: tuple[int, ...], real: bool) -> Iterator[Square]:
    """What a node is a sum of the squares of, with positive weights; nothing where it is no such sum."""
    match node:
        case Add() if all(weight > 0 for weight in node.weights):
            parts = [list(_squares(term, kept, real)) for term in node.terms]
            if all(parts):
                yield from (square for part in parts for square in part)
        case Einsum():
            pairs = zip(node.operands, node.labels, strict=True)
            cores = [(op, own) for op, own in pairs if not (is_size(op) or is_size(_base(op)))]
            if len(cores) == 1 and len(set(cores[0][1])) == len(cores[0][1]) and {*node.out} <= {*cores[0][1]}:
                one, own = cores[0]
                yield from _squares(one, tuple(own.index(node.out[axis]) for axis in kept), real)
        case Map("power", (x, Const(value=2))) if _is_modulus(x) or (real and not x.is_complex):
            yield x, kept
        case Map("hypot", args):
            yield from ((x, kept) for x in args)


def _base(node: Node) -> Node:
    return node.args[0] if isinstance(node, Map) and node.fn == "power" else node


def _is_modulus(node: Node) -> bool:
    return isinstance(node, Map) and node.fn == "abs"


def _vanishes(node: Node, own: Labels, term: Labels, squares: Sequence[Square], depth: int) -> bool:
    """Whether a factor, its axes labelled `own`, is zero wherever the sum of the squares, labelled `term`, is."""
    for x, kept in squares:
        zeros = (x, *children(x)) if _is_modulus(x) else (x,)
        if any(node is zero for zero in zeros) and term == tuple(own[axis] for axis in kept):
            return True
    match node:
        case _ if not depth:
            return False
        case Add():
            return all(_vanishes(one, own, term, squares, depth - 1) for one in node.terms)
        case Map("power", (base, Const(value=value))) if value > 0:
            return _vanishes(base, own, term, squares, depth - 1)
        case Map("conj" | "real" | "imag" | "abs" | "sign", (base,)):
            return _vanishes(base, own, term, squares, depth - 1)
        case Einsum():
            names = dict(zip(node.out, own, strict=True))
            labels = [tuple(names.get(label, (node, label)) for label in one) for one in node.labels]
            factors = zip(node.operands, labels, strict=True)
            return any(_vanishes(op, one, term, squares, depth - 1) for op, one in factors)
        case _:
            return False
