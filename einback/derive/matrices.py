"""Derivatives of matrix functions: both modes contract the partial derivative that the row of the function holds.

With dY[i,j] / dA[k,l] a sum of products of factors, the pullback of a cotangent G is the same products times
G[i,j], summed over i and j, and the pushforward of a tangent T the same times T[k,l], summed over k and l.
"""

from __future__ import annotations

from collections.abc import Hashable

from einback.errors import DerivativeError
from einback.ir.build import add, einsum
from einback.ir.nodes import Map, Matrix, Node, Shape
from einback.rules.matrix import Term, matrix_row

__all__ = ["pull_matrix", "push_matrix"]

_ARGUMENT = "kl"


def pull_matrix(node: Matrix, g: Node, lead: Shape) -> Node | None:
    """The cotangent of the argument, given that of the function, with leading axes; None where it is zero."""
    return _contracted(node, g, lead, "ij"[: node.keeps], _ARGUMENT)


def push_matrix(node: Matrix, t: Node, lead: Shape) -> Node | None:
    """The tangent of the function, given that of the argument, with leading axes; None where it is zero."""
    pushed = _contracted(node, t, lead, _ARGUMENT, "ij"[: node.keeps])
    # log|det A| is the real part of a function that has a complex derivative.
    real = pushed is not None and pushed.is_complex and not node.is_complex
    return Map("real", (pushed,)) if pushed is not None and real else pushed


def _contracted(node: Matrix, given: Node, lead: Shape, own: str, wanted: str) -> Node | None:
    """The partial derivative times `given`, whose last axes have the labels `own`, as a tensor over `wanted`."""
    row = matrix_row(node.fn)
    if node.arg.is_complex and not (row.holomorphic or node.fn == "logdet"):
        raise DerivativeError(f"{node.fn} has no derivative at complex matrices")
    if row.partial is None:
        return None
    front = tuple(("lead", m) for m in range(len(lead)))
    batch = tuple(("batch", m) for m in range(node.arg.rank - 2))

    def product(term: Term) -> Node:
        labels: list[tuple[Hashable, ...]] = [(*front, *batch, *own)]
        for factor, letters in term.factors:
            labels.append((*(batch if factor.rank > len(letters) else ()), *letters))
        return einsum([given, *(factor for factor, _ in term.factors)], labels, (*front, *batch, *wanted))

    terms = row.partial(node.arg, node)
    return add([product(term) for term in terms], [term.weight for term in terms])
