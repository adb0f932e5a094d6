r"""Explicit sums, entry by entry: every index that is summed stands under a sign, at the place of its sum.

A sign reaches to the end of its term, that is to the next + or - or closing bracket: Σ_j A_ij x_j + b_i adds b_i once.
The left side is a quotient where it is a derivative. Names with labels are W⁽¹⁾, the length of an index n is |n|, a
comparison in brackets is one where it holds and zero elsewhere.

>>> from einback.formula.names import Names
>>> from einback.formula.subject import Subject
>>> from einback.ir.build import add, broadcast, einsum
>>> from einback.ir.nodes import Input
>>> X, W, b = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ()), Input("b", ("c",), ())
>>> Z = add([einsum([X, W], ["nd", "dc"], "nc"), broadcast(b, ("n", "c"), (1,))])
>>> print(text(Subject(Z, "Z", Names())))
Z_nc = Σ_d X_nd W_dc + b_c
>>> print(latex(Subject(Z, "Z", Names())))
Z_{nc} = \sum_{d} X_{nd} W_{dc} + b_{c}
"""

from __future__ import annotations

from einback.formula.entrywise import pages
from einback.formula.entrywise.pages import Line
from einback.formula.entrywise.sum_writers import Heights
from einback.formula.program import Statement
from einback.formula.subject import Subject
from einback.formula.summation import bracketed

__all__ = ["latex", "text"]


def text(subject: Subject) -> str:
    """The formula with its sums written out, in Unicode."""
    return pages.text(subject, _prepared)


def latex(subject: Subject) -> str:
    """The formula with its sums written out, in LaTeX mathematics."""
    return pages.latex(subject, _prepared)


def _prepared(statement: Statement, left: Heights, seed: str) -> Line:
    return Line(bracketed(statement.body))
