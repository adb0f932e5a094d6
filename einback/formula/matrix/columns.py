"""A derivative by a matrix as the tuple of its columns: entry k is the derivative by the matrix's column k.

    ∂y/∂W = [x_1 D, …, x_n D]
      where D = diag(s ⊙ (1 − s))

x_1 is the first entry of x, and e_1 the first unit vector, which picks a column: A e_1.
"""

from __future__ import annotations

from einback.errors import NotationError
from einback.formula.matrix.contract import HINT
from einback.formula.matrix.differential import times
from einback.formula.matrix.expr import Chain, Expr, Identity, Symbol, Transpose, is_scalar
from einback.formula.matrix.left import left_latex, left_text
from einback.formula.matrix.scaling import scaled, split
from einback.formula.matrix.statements import Page, Statement, latex_lines, read_page, read_symbols, text_lines
from einback.formula.matrix.walking import below, rebuilt
from einback.formula.subject import Derivative, Subject
from einback.ir.sizes import Size

__all__ = ["latex", "text"]

_LISTED = 4  # columns of a matrix of a known size that are all written


def text(subject: Subject) -> str:
    """The tuple and the definitions that its columns read.

    >>> import einback as eb
    >>> W, x, b = eb.tensors("W[m,n] x[n] b[m]")
    >>> print(eb.jacobian(W @ x + b, W).text(notation="columns"))
    ∂y/∂W = [x_1 I, …, x_n I]
    """
    page, columns, where = _read(subject)
    shown = ["…" if one is None else page.text_writer().expression(one) for one in columns]
    entries = (
        [f"[{shown[0]},", *(f"{one}," for one in shown[1:-1]), f"{shown[-1]}]"] if shown[1:] else [f"[{shown[0]}]"]
    )
    return text_lines(page, left_text(subject, page.taken), entries, where)


def latex(subject: Subject) -> str:
    """The same in LaTeX."""
    page, columns, where = _read(subject)
    shown = r",\; ".join(r"\dots" if one is None else page.latex_writer().expression(one) for one in columns)
    return latex_lines(page, left_latex(subject, page.taken), rf"\left[{shown}\right]", where)


def _read(subject: Subject) -> tuple[Page, list[Expr | None], list[Statement]]:
    """The columns, None where some are left out, and what they read."""
    match subject.derivative:
        case Derivative(kind="gradient" | "jacobian", of=of, by=(x,)) if x.rank == 2 and of.rank < 2:
            pass
        case Derivative(kind="gradient" | "jacobian", by=(x,)) if x.rank == 2:
            raise NotationError(
                "each column of the derivative of a matrix has three axes", hint=f'"vec" has one; {HINT}'
            )
        case _:
            raise NotationError("columns are those of a derivative by a matrix", hint=HINT)
    size = subject.node.shape[-1]
    few = isinstance(size, int) and size <= _LISTED
    places: list[Size | None] = [*range(1, size + 1)] if few and isinstance(size, int) else [1, None, size]
    page, columns = _columns(subject, [place for place in places if place is not None])
    shared = _shared(columns)
    extra: list[Statement] = []
    if shared is not None:
        letters = "DEFGHKMNPQRSTUVW" if shared.shape[1] is not None else "ghuvwpqrstabcd"  # g_1 would be an entry of g
        name = next(name for name in (*letters, *map("{0}{0}".format, letters)) if name not in page.taken)
        symbol = Symbol(name, shared.shape)
        columns = [_replaced(one, shared, symbol) for one in columns]
        extra = [Statement(name, shared)]
    left = iter(columns)
    found = [None if place is None else next(left) for place in places]
    known = page.where(*columns, *([] if shared is None else [shared]))
    return page, found, [*extra, *known]


def _columns(subject: Subject, places: list[Size]) -> tuple[Page, list[Expr]]:
    """The columns at some places."""
    size = subject.node.shape[-1]
    units = {f"e_{place}": Symbol(f"e_{place}", (size, None), marks="e") for place in places}
    page = read_page(subject, spelled=units)
    for name in units:
        if name in page.taken:
            raise NotationError(f"a tensor named {name} reads as a unit vector", hint="give it another name")
    *kept, last = page.left
    made = [page.converter.oriented(times(page.tree, name, (last,)), kept) for name in units]
    columns = [_entries(one) for one in made]
    for name in sorted(read_symbols(columns) & page.taken):
        if name not in read_symbols(made):
            raise NotationError(f"a tensor named {name} reads as an entry of another", hint="give it another name")
    return page, columns


def _entries(expr: Expr) -> Expr:
    """The expression, with x_1 for the product of x and the first unit vector."""
    match expr:
        case Chain(factors=(Transpose(arg=Symbol(marks="") as x), Symbol(marks="e") as unit)):
            return _entry(x, unit)
        case Chain(factors=(Transpose(arg=Symbol(marks="e") as unit), Symbol(marks="") as x)):
            return _entry(x, unit)
        case _:
            return rebuilt(expr, tuple(map(_entries, below(expr))))


def _entry(column: Symbol, unit: Symbol) -> Expr:
    return Symbol(f"{column.name}_{unit.name.removeprefix('e_')}", marks="e")


def _shared(columns: list[Expr]) -> Expr | None:
    """The matrix that every column is a multiple of, if it is worth a name."""
    bodies = [split(one)[3] for one in columns]
    first = bodies[0]
    if first is None or isinstance(first, Symbol | Identity) or is_scalar(first):
        return None
    return first if all(one == first for one in bodies) else None


def _replaced(expr: Expr, old: Expr, new: Expr) -> Expr:
    number, above, down, body = split(expr)
    return scaled(number, above, down, new if body == old else body)
