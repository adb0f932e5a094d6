"""Matrix notation: a result as products of matrices and vectors, with what it reads by name below.

    ∂L/∂W = 1/n Xᵀ (P − Y)
      where P = softmax_rows(Z)
            Z = X W + 1 bᵀ

The gradient by a vector is a column, that by a matrix has its shape; a Jacobian has its outputs in rows. `1` among the
factors of a product is a column of ones, and a number in a sum stands in every entry. Functions act entry by entry.
"""

from __future__ import annotations

from einback.errors import NotationError
from einback.formula.matrix.contract import HINT
from einback.formula.matrix.expr import Expr
from einback.formula.matrix.left import left_latex, left_text
from einback.formula.matrix.statements import Page, latex_lines, read_page, text_lines
from einback.formula.subject import Subject

__all__ = ["latex", "text"]


def text(subject: Subject) -> str:
    """The result and its definitions, a line each.

    >>> import einback as eb
    >>> X, W, b = eb.tensors("X[n,d] W[d,c] b[c]")
    >>> print(eb.tanh(X @ W + b).text(notation="matrix", name="H"))
    H = tanh(X W + 1 bᵀ)
    """
    page, body = _read(subject)
    return text_lines(page, left_text(subject, page.taken), page.text_writer().terms(body), page.where(body))


def latex(subject: Subject) -> str:
    """The same in LaTeX: one equation, or an `aligned` block where there are definitions."""
    page, body = _read(subject)
    return latex_lines(page, left_latex(subject, page.taken), page.latex_writer().expression(body), page.where(body))


def _read(subject: Subject) -> tuple[Page, Expr]:
    rank = subject.node.rank
    if rank > 2:
        others = '"vec" lays the axes of each side in one' if subject.derivative else ""
        raise NotationError(
            f"the result has {rank} axes, and a matrix has two", hint="; ".join(one for one in (HINT, others) if one)
        )
    page = read_page(subject)
    return page, page.result()
