"""Derivatives by several tensors as one matrix of blocks."""

from __future__ import annotations

from collections.abc import Sequence

from einback.api.printing import subject
from einback.api.tensor import Tensor
from einback.errors import EinbackError
from einback.formula.matrix import blocks as formula

__all__ = ["Blocks", "blocks"]


class Blocks:
    """A matrix of derivatives as a formula, which `blocks` makes."""

    def __init__(self, rows: Sequence[Sequence[Tensor]], name: str) -> None:
        self.rows = tuple(map(tuple, rows))
        self.name = name

    def text(self, layout: str = "numerator", vec: str = "column") -> str:
        """The matrix, and the definitions that its blocks read."""
        return formula.text(self.name, self._subjects(), layout, vec)

    def latex(self, layout: str = "numerator", vec: str = "column") -> str:
        """The same in LaTeX mathematics."""
        return formula.latex(self.name, self._subjects(), layout, vec)

    def _subjects(self) -> list[list[formula.Subject]]:
        return [[subject(one) for one in row] for row in self.rows]

    def __str__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def blocks(rows: Sequence[Sequence[Tensor]], name: str = "") -> Blocks:
    """Jacobians and gradients as one matrix: a row for each tensor that is differentiated, a column for each variable.

    What all blocks of one row share stands outside of the bracket. `text` and `latex` take the options of the notation
    `vec`: `layout="denominator"` has outputs in columns, `vec="row"` stacks rows of matrices. Derivatives of more than
    two axes on a side, and blocks that do not fit beside each other, are a `NotationError`. Without a name it is J.

    >>> import einback as eb
    >>> W, x, b = eb.tensors("W[m,n] x[n] b[m]")
    >>> y = eb.sigmoid(W @ x + b)
    >>> print(eb.blocks([[eb.jacobian(y, W), eb.jacobian(y, b)]]))
    J = diag(s ⊙ (1 − s)) ([xᵀ, 1] ⊗ I_m)
      where s = sigmoid(W x + b)
    """
    listed = isinstance(rows, list | tuple) and all(isinstance(row, list | tuple) for row in rows)
    if not listed or not rows or any(len(row) != len(rows[0]) or not row for row in rows):
        raise EinbackError("blocks are rows of one length", hint="blocks([[J_W, J_b]]) is one row of two")
    return Blocks(rows, name)
