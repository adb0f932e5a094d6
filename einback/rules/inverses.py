"""Rules for matrix functions: what is known of inverses, determinants and factors of one matrix together.

    inv(X) X = X inv(X)        = I
    V' V = V V'                = I                          (V the eigenvectors of a symmetric matrix)
    L L'                       = X                          (L the Cholesky factor of X)
    inv(inv(X))                = X
    det(inv(X))                = 1 / det(X)
    logdet(inv(X))             = -logdet(X)
    inv(c X)                   = inv(X) / c
    det(c X)                   = c^n det(X)
    logdet(c X)                = n log|c| + logdet(X)
    inv(diag(d))               = diag(1 / d)
    det(diag(d)) = det(L)      = the product of the diagonal
    logdet(diag(d)) = logdet(L) = sum log|d|
    log|det X|                 = logdet(X)                  (and log det X, where X is positive definite)
    inv(X[i,j] ones[b])        = inv(X)[i,j] ones[b]

Transposes move outward in `einback.rules.orientation`; those of symmetric inverses go in `einback.rules.facts`. As
with powers, a rule may remove a singularity: inv(X) X is I, also where X has no inverse, and the inverse of a
diagonal with a zero holds an infinity.
(Petersen & Pedersen, The Matrix Cookbook, 2012, section 1.2, 3.1 and 3.2.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias

from einback.ir.build import add, broadcast, const, einsum, exact, ones, power, reduce, scale, size_of, total
from einback.ir.nodes import Add, Delta, Einsum, Input, Map, Matrix, Node, Number, Ones
from einback.rules.algebra import as_number
from einback.rules.engine import Surroundings
from einback.rules.matrix import matrix
from einback.rules.scalar import evaluate_power
from einback.rules.structure import broadcast_axes, without_axes
from einback.rules.symmetry import is_symmetric

__all__ = [
    "cancel_inverses",
    "function_of_broadcast",
    "function_of_diagonal",
    "function_of_inverse",
    "function_of_multiple",
    "log_of_determinant",
]

Labels: TypeAlias = tuple[int, ...]
Factor: TypeAlias = tuple[Node, Labels]

# Products of two matrices over one label


def cancel_inverses(node: Node, _: Surroundings) -> Node | None:
    """X inv(X) -> I, V V' -> I, L L' -> X, inside longer products too; batch labels have to agree."""
    assert isinstance(node, Einsum)
    if not any(isinstance(operand, Matrix) for operand in node.operands):
        return None
    factors: list[Factor] = list(zip(node.operands, node.labels, strict=True))
    for k, first in enumerate(factors):
        for m, second in enumerate(factors):
            if k == m or not isinstance(first[0], Matrix):
                continue
            rest = [factor for n, factor in enumerate(factors) if n not in (k, m)]
            made = _cancelled(first, second, rest, node)
            if made is not None:
                every = [*made, *rest]
                return einsum([op for op, _ in every], [term for _, term in every], node.out)
    return None


def _cancelled(first: Factor, second: Factor, rest: Sequence[Factor], node: Einsum) -> list[Factor] | None:
    """What two factors of a product are together, or None where nothing is known."""
    (f, term), (other, own) = first, second
    if not isinstance(f, Matrix) or f.keeps != 2 or other.rank != f.rank or term[:-2] != own[:-2]:
        return None
    for mine, theirs in _meetings(f, other):
        label = term[-2:][mine]
        if own[-2:][theirs] != label or label in node.out or label in (*term[:-2], *own[:-2]):
            continue
        free = (term[-2:][1 - mine], own[-2:][1 - theirs])
        if label in free or any(label in labels for _, labels in rest):
            continue
        if f.fn == "cholesky":
            return [(f.arg, (*term[:-2], *free))]
        batch: list[Factor] = [(Ones(node.sizes[label]), (label,)) for label in dict.fromkeys(term[:-2])]
        return [(Delta(f.shape[-1]), free), *batch]
    return None


def _meetings(f: Matrix, other: Node) -> Iterator[tuple[int, int]]:
    """Over which axis of the one and which of the other a product of two matrices is known."""
    if f.fn == "inv" and other is f.arg:
        yield from ((1, 0), (0, 1))
        if is_symmetric(f.arg):
            yield from ((0, 0), (1, 1))
    elif other is f and f.fn == "eigvecs":
        yield from ((0, 0), (1, 1))
    elif other is f and f.fn == "cholesky":
        yield 1, 1


# Functions of one matrix


def function_of_inverse(node: Node, _: Surroundings) -> Node | None:
    """inv(inv X) -> X, det(inv X) -> 1 / det X, logdet(inv X) -> -logdet X, sign(inv X) -> sign X."""
    assert isinstance(node, Matrix)
    inner = node.arg
    if not isinstance(inner, Matrix) or inner.fn != "inv":
        return None
    match node.fn:
        case "inv":
            return inner.arg
        case "det":
            return power(matrix("det", inner.arg), -1)
        case "logdet":
            return scale(matrix("logdet", inner.arg), -1)
        case "sign" if not node.is_complex:
            return matrix("sign", inner.arg)
        case _:
            return None


def function_of_multiple(node: Node, _: Surroundings) -> Node | None:
    """inv(c X) -> inv(X) / c, and det, logdet, sign and the functions of symmetric matrices likewise."""
    assert isinstance(node, Matrix)
    if not isinstance(node.arg, Add) or len(node.arg.terms) > 1 or not node.arg.weights[0]:
        return None
    (x,), (weight,) = node.arg.terms, node.arg.weights
    inner, size = matrix(node.fn, x), node.arg.shape[-1]
    match node.fn:
        case "inv":
            return scale(inner, exact(1 / weight))
        case "det":
            return _times_power(inner, weight, size)
        case "logdet":
            shift = _laid_over(size_of(size), inner)
            return add((shift, inner), (math.log(abs(float(weight))), 1))
        case "sign":
            return inner if weight > 0 else _times_power(inner, Fraction(-1), size)
        case "cholesky" if weight > 0 and (root := _whole_root(weight)) is not None:
            return scale(inner, root)
        case "eigvalsh" if weight > 0:
            return scale(inner, weight)
        case "eigvecs" if weight > 0:
            return inner
        case _:
            return None


def _whole_root(weight: Number) -> Number | None:
    """The square root of a positive fraction, if that is a fraction too."""
    if not isinstance(weight, Fraction):
        return None
    root = Fraction(math.isqrt(weight.numerator), math.isqrt(weight.denominator))
    return root if root * root == weight else None


def _times_power(inner: Node, base: Number, size: int | str) -> Node:
    """base^size * inner."""
    number = evaluate_power(base, Fraction(size)) if isinstance(size, int) else None
    if number is not None:
        return scale(inner, number)
    factor = Map("power", (const(base), size_of(size)))
    axes = range(inner.rank)
    return einsum([inner, factor], [axes, ()], axes)


def _laid_over(scalar: Node, node: Node) -> Node:
    return broadcast(scalar, node.shape, ())


def function_of_diagonal(node: Node, _: Surroundings) -> Node | None:
    """inv(diag d) -> diag(1 / d), det(diag d) -> prod d, logdet(diag d) -> sum log|d|; det of a triangle likewise."""
    assert isinstance(node, Matrix)
    diagonal = _diagonal(node.arg)
    if diagonal is None:
        return None
    last = diagonal.rank - 1
    match node.fn:
        case "inv" if isinstance(node.arg, Einsum):
            axes = range(diagonal.rank)
            return einsum([power(diagonal, -1)], [axes], (*axes, last))
        case "det" | "sign" if as_number(diagonal) == 1:
            return ones(diagonal.shape[:-1])
        case "det":
            return reduce("prod", diagonal, [last])
        case "logdet":
            return total(Map("log", (Map("abs", (diagonal,)),)), [last])
        case "sign" if not node.is_complex:
            return reduce("prod", Map("sign", (diagonal,)), [last])
        case _:
            return None


def _diagonal(node: Node) -> Node | None:
    """The diagonal of a matrix that has nothing else, or nothing above it."""
    triangular = isinstance(node, Input) and "lower" in node.facts
    if triangular or (isinstance(node, Matrix) and node.fn == "cholesky"):
        batch = range(node.rank - 2)
        return einsum([node], [(*batch, "i", "i")], (*batch, "i"))
    if isinstance(node, Einsum) and node.out[-1] == node.out[-2] and node.out.count(node.out[-1]) == 2:
        return einsum(node.operands, node.labels, node.out[:-1])
    return None


def function_of_broadcast(node: Node, _: Surroundings) -> Node | None:
    """inv(X[i,j] ones[b]) -> inv(X)[i,j] ones[b]: work on the small tensor."""
    assert isinstance(node, Matrix)
    rank = node.arg.rank
    gone = [axis for axis in broadcast_axes(node.arg) if axis < rank - 2]
    if not gone:
        return None
    inner = matrix(node.fn, without_axes(node.arg, tuple(axis for axis in range(rank) if axis not in gone)))
    return broadcast(inner, node.shape, [axis for axis in range(node.rank) if axis not in gone])


def log_of_determinant(node: Node, _: Surroundings) -> Node | None:
    """log|det X| -> logdet X, which does not overflow; the same without the bars for a positive definite X."""
    assert isinstance(node, Map)
    match node:
        case Map("log", (Map("abs", (Matrix(fn="det") as inner,)),)):
            return matrix("logdet", inner.arg)
        case Map("log", (Matrix("det", Input() as x),)) if "positive_definite" in x.facts:
            return matrix("logdet", x)
        case _:
            return None
