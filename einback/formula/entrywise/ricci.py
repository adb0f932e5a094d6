r"""Ricci notation: an index that stands once up and once down in a product is summed over.

The convention is that of Laue, Mitterreiter and Giesen, Computing Higher Order Derivatives of Matrix and Tensor
Expressions (NeurIPS 2018). A vector has its index up, x^i, a covector down, x_i; a matrix is A^i_j, and A_i^j is its
transpose, the first index of A always standing first. Other tensors have their first index up and the rest down. A
derivative by x has the indices of x turned over. An index at one height twice multiplies entry by entry, x^i y^i; a
sum that is no contraction, of one factor or of three, is written with its sign, Σ_i x^i. In a sum all terms have
their free indices at the height of the left side, or lack them, and then are the same along them.

An index whose places are computed, or whose value is read, has no height: windows, gathers, flattenings and masks of
positions are refused with a `NotationError`.

>>> from einback.formula.names import Names
>>> from einback.formula.subject import Subject
>>> from einback.ir.build import einsum
>>> from einback.ir.nodes import Input
>>> A, x = Input("A", ("n", "n"), ()), Input("x", ("n",), ())
>>> print(text(Subject(einsum([x, A, x], ["i", "ij", "j"], ""), "f", Names(pool={"n": ("i", "j")}))))
f = x_i A^i_j x^j
>>> print(latex(Subject(einsum([A, x], ["ij", "i"], "j"), "y", Names(pool={"n": ("i", "j")}))))
y^{i} = x^{j} A_{j}{}^{i}
"""

from __future__ import annotations

from einback.formula.entrywise import pages
from einback.formula.entrywise.heights import Assignment
from einback.formula.entrywise.pages import Line
from einback.formula.entrywise.sum_writers import Heights
from einback.formula.program import Statement
from einback.formula.subject import Subject

__all__ = ["latex", "text"]


def text(subject: Subject) -> str:
    """The formula with upper and lower indices, in Unicode."""
    return pages.text(subject, _prepared)


def latex(subject: Subject) -> str:
    """The formula with upper and lower indices, in LaTeX mathematics; every index stands behind the last."""
    return pages.latex(subject, _prepared)


def _prepared(statement: Statement, left: Heights, seed: str) -> Line:
    assignment = Assignment(seed)
    return Line(assignment.body(statement.body, statement.left, left), assignment.heights)
