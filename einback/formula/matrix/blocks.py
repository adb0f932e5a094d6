"""Derivatives by several tensors as one matrix of blocks: [xᵀ, 1] ⊗ I_m, by [vec(W); b].

What all blocks of a row begin with stands before the bracket, and what they end with as Kronecker products behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from einback.errors import NotationError
from einback.formula.matrix import vec as vec_notation
from einback.formula.matrix.beside import beside
from einback.formula.matrix.expr import Blocks, Expr
from einback.formula.matrix.left import spelled
from einback.formula.matrix.scaling import transpose
from einback.formula.matrix.statements import Page, Statement, latex_lines, read_symbols, text_lines
from einback.formula.notations import chosen_options
from einback.formula.subject import Subject

__all__ = ["Subject", "latex", "text"]


_NAMES = ("J", "D", "M", "Jac")


def text(name: str, rows: Sequence[Sequence[Subject]], layout: str = "numerator", vec: str = "column") -> str:
    """The matrix whose rows hold the derivatives of one tensor each, one by each variable; "" is named J if it can be.

    >>> import einback as eb
    >>> from einback.api.printing import subject
    >>> W, x, b = eb.tensors("W[m,n] x[n] b[m]")
    >>> y = W @ x + b
    >>> print(text("J", [[subject(eb.jacobian(y, one)) for one in (W, b)]]))
    J = [xᵀ, 1] ⊗ I_m
    """
    page, body, where = _read(rows, layout, vec)
    return text_lines(page, _named(name, page), page.text_writer().terms(body), where)


def latex(name: str, rows: Sequence[Sequence[Subject]], layout: str = "numerator", vec: str = "column") -> str:
    """The same in LaTeX."""
    page, body, where = _read(rows, layout, vec)
    return latex_lines(page, spelled(_named(name, page)), page.latex_writer().expression(body), where)


def _named(name: str, page: Page) -> str:
    free = name or next((one for one in _NAMES if one not in page.taken), "")
    if not free or free in page.taken:
        raise NotationError(f"a tensor is called {name or _NAMES[0]}", hint="give the blocks another name=")
    return free


def _read(rows: Sequence[Sequence[Subject]], layout: str, vec: str) -> tuple[Page, Expr, list[Statement]]:
    """A page that knows all names, the matrix of blocks, and what all of them read."""
    chosen_options("vec", {"layout": layout, "vec": vec})
    read = [[vec_notation.read(one, vec=vec) for one in row] for row in rows]
    where: dict[str, Statement] = {}
    symbols: set[str] = set()
    for page, body in (pair for row in read for pair in row):
        own = page.where(body)
        for one in own:
            if where.setdefault(one.name, one).body != one.body:
                raise _two_tensors(one.name)
        symbols |= read_symbols([body, *(one.body for one in own)]) - {one.name for one in own}
    for name in symbols & where.keys():
        raise _two_tensors(name)
    shown = [[body for _, body in row] for row in read]
    _fitting(shown)
    body = beside(shown[0]) if len(shown) == 1 else Blocks(tuple(map(tuple, shown)))
    taken = frozenset[str]().union(*(page.taken for row in read for page, _ in row))
    return replace(read[0][0][0], taken=taken), transpose(body) if layout == "denominator" else body, [*where.values()]


def _two_tensors(name: str) -> NotationError:
    return NotationError(f"the derivatives read different tensors named {name}", hint="name them in the program")


def _fitting(shown: Sequence[Sequence[Expr]]) -> None:
    """Blocks side by side have as many rows, and blocks below each other as many columns."""
    for k, row in enumerate(shown):
        for m, one in enumerate(row):
            for side, other in ((0, row[0]), (1, shown[0][m])):
                if one.shape[side] != other.shape[side]:
                    raise NotationError(
                        f"block {m + 1} of row {k + 1} has not as many {('rows', 'columns')[side]} as those "
                        f"{('beside', 'above')[side]} it",
                        hint="a row of blocks is of one tensor, a column by one",
                    )
