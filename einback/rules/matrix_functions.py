"""Matrix functions of any square matrices: `eb.linalg.cholesky(A)`, and in text `cholesky(A)[i,j]`.

Functions of symmetric matrices take the symmetric part of others.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from einback.errors import EinbackError
from einback.ir.build import add, einsum
from einback.ir.nodes import Node
from einback.rules.matrix import MATRIX_TABLE, function_name, matrix, matrix_row
from einback.rules.simplify import normalise
from einback.rules.symmetry import is_symmetric

__all__ = ["MATRIX_FUNCTIONS", "matrix_function"]

MATRIX_FUNCTIONS: Final = {function_name(name): name for name in MATRIX_TABLE}
"""The rows of the matrix table by what they are called in text."""


def matrix_function(fn: str, node: Node) -> Node:
    """A row of the matrix table, applied to the last two axes of a node."""
    if matrix_row(fn).symmetric:
        if node.is_complex:
            raise EinbackError(f"{fn} is not supported for complex matrices")
        node = _symmetric_part(node)
    return matrix(fn, node)


def _symmetric_part(node: Node) -> Node:
    """(A + A') / 2, which is A where that is known to be symmetric."""
    if is_symmetric(normalise([node])[0]):
        return node
    batch = tuple(range(node.rank - 2))
    turned = einsum([node], [(*batch, "i", "j")], (*batch, "j", "i"))
    return add((node, turned), (Fraction(1, 2), Fraction(1, 2)))
