"""Derivatives by matrices as one matrix, with Kronecker products and commutation matrices.

    ∂vec(Y)/∂vec(X)ᵀ = Bᵀ ⊗ A                of Y = A X B
    ∂y/∂vec(W)ᵀ = diag(s) (xᵀ ⊗ I_m)         of an elementwise function of W x

vec stacks columns, or rows with vec="row", then written vec_r. In numerator layout the outputs are in rows, in
denominator layout in columns. A product that is no derivative is written with vec of one of its factors: that in the
middle, or those that `factor` names.
"""

from __future__ import annotations

from collections.abc import Callable

from einback.errors import NotationError
from einback.formula.matrix.algebra import chain
from einback.formula.matrix.contract import HINT
from einback.formula.matrix.expr import Expr, Symbol, Vec, times
from einback.formula.matrix.factoring import by_factors, drawn_matrix, drawn_out, laid
from einback.formula.matrix.kronecker import Sides, jacobian
from einback.formula.matrix.left import named, own_name, spelled
from einback.formula.matrix.scaling import transpose
from einback.formula.matrix.statements import Page, latex_lines, read_page, text_lines
from einback.formula.subject import Derivative, Subject, Variable
from einback.ir.nodes import Input

__all__ = ["latex", "read", "text"]


def text(subject: Subject, layout: str = "numerator", vec: str = "column", factor: str = "") -> str:
    """The matrix and the definitions that it reads.

    >>> import einback as eb
    >>> A, X, B = eb.tensors("A[m,n] X[n,p] B[p,q]")
    >>> J = eb.jacobian(A @ X @ B, X)
    >>> print(J.text(notation="vec"))
    ∂vec(Y)/∂vec(X)ᵀ = Bᵀ ⊗ A
    >>> print(J.text(notation="vec", layout="denominator", vec="row"))
    ∂vec_r(Y)ᵀ/∂vec_r(X) = Aᵀ ⊗ B
    >>> print(eb.jacobian(X.T, X).text(notation="vec"))
    ∂vec(Y)/∂vec(X)ᵀ = K_np
    >>> W, x, b = eb.tensors("W[m,n] x[n] b[m]")
    >>> print((W @ x + b).text(notation="vec", factor="W b", name="W x + b"))
    W x + b = ([xᵀ, 1] ⊗ I_m) [vec(W); b]
    """
    page, body = read(subject, layout, vec, factor)
    left = (
        subject.name
        if subject.titled
        else _left(subject, page, layout, _VEC[vec], str, "ᵀ", ("∂{}/∂{}", "∂²{}/∂{}∂{}"))
    )
    return text_lines(page, left, page.text_writer().terms(body), page.where(body))


def latex(subject: Subject, layout: str = "numerator", vec: str = "column", factor: str = "") -> str:
    """The same in LaTeX."""
    page, body = read(subject, layout, vec, factor)
    word = r"\operatorname{vec}" + ("_{r}" if vec == "row" else "") + r"\left({}\right)"
    patterns = (r"\frac{{\partial {}}}{{\partial {}}}", r"\frac{{\partial^{{2}} {}}}{{\partial {} \partial {}}}")
    left = spelled(subject.name)
    if not subject.titled:
        left = _left(subject, page, layout, word, spelled, r"^{\top}", patterns)
    return latex_lines(page, left, page.latex_writer().expression(body), page.where(body))


_VEC = {"column": "vec({})", "row": "vec_r({})"}


def read(subject: Subject, layout: str = "numerator", vec: str = "column", factor: str = "") -> tuple[Page, Expr]:
    """The program of a subject, and its matrix."""
    how = subject.derivative
    match how:
        case Derivative(kind="gradient", by=(x,)):
            split_at = 0
        case Derivative(kind="jacobian", of=of):
            split_at = of.rank
        case Derivative(kind="hessian" | "gauss-newton", by=(x, _)):
            split_at = x.rank
        case _ if subject.within is not None and subject.within.pair is not None:
            return _inserted(subject, *subject.within.pair, vec)
        case _ if subject.within is not None and subject.within.outputs:
            split_at = subject.within.outputs
        case _:
            return _own(subject, vec, factor)
    if factor:
        raise NotationError(
            "the matrix of a derivative has no factor whose vec is drawn out", hint=f"leave out {factor=}"
        )
    for rank in (split_at, subject.node.rank - split_at):
        if rank > 2:
            raise NotationError(f"one side of the derivative has {rank} axes, and a matrix has two", hint=HINT)
    page = read_page(subject)
    body = jacobian(page.tree, Sides(page.left[:split_at], page.left[split_at:], vec), page.converter)
    return page, transpose(body) if layout == "denominator" else body


def _own(subject: Subject, vec: str, factor: str) -> tuple[Page, Expr]:
    """vec of a tensor that is no derivative by a matrix."""
    if subject.node.rank > 2:
        raise NotationError(f"the result has {subject.node.rank} axes, and a matrix has two", hint=HINT)
    how = subject.derivative
    page = read_page(subject, marked={f"d{x.name}" for x in how.by} if how else ())
    body = page.converter.oriented(page.tree, page.left)
    if factor:
        names = factor.replace(",", " ").split()
        if not names:
            raise NotationError("factor names no tensor", hint='factor="W" draws out vec(W)')
        return page, by_factors(body, names, vec)
    plain = laid(body, vec) if subject.node.rank == 2 else body
    return page, plain if subject.within is None else drawn_out(body, subject.within.along, vec) or plain


def _inserted(subject: Subject, derivative: Input, moved: Input, vec: str) -> tuple[Page, Expr]:
    """J vec(dY), with (..) vec(dX) inserted for vec(dY) where a line does that; or what then stands before vec(dX)."""
    assert subject.within is not None
    outputs = derivative.rank - moved.rank
    front = Symbol(derivative.name, (times(*derivative.shape[:outputs]), times(*moved.shape)))
    if outputs > 2 or moved.rank > 2:
        raise NotationError(f"a side of {derivative.name} has three axes, and a matrix has two", hint=HINT)
    push = subject.within.push
    if push is None:
        along, across = (*moved.shape, None, None)[:2]
        symbol = Symbol(moved.name, (along, across))
        return read_page(subject), chain(front, Vec(symbol, vec) if moved.rank == 2 else symbol)
    assert push.within is not None
    page = read_page(push)
    matrix, last = drawn_matrix(page.converter.oriented(page.tree, page.left), push.within.along[0], vec)
    return page, chain(front, matrix) if subject.within.outputs else chain(front, matrix, last)


def _left(
    subject: Subject, page: Page, layout: str, word: str, spell: Callable[[str], str], transposed: str,
    patterns: tuple[str, str],
) -> str:  # fmt: skip
    """The left side: vec around what is a matrix, a transpose on the side that is laid in columns."""

    def laid(variable: Variable, turned: bool) -> str:
        name = spell(named(variable, page.taken))
        shown = word.replace("{}", name) if variable.rank == 2 else name
        return shown + (transposed if turned and variable.rank else "")

    if subject.within is not None and subject.within.outputs:
        return spell(subject.name)
    how = subject.derivative
    over = layout == "numerator"
    if how is None or not all(one.name for one in how.by):
        return laid(Variable(own_name(subject, page.taken), ("",) * subject.node.rank), False)
    match how.kind:
        case "gradient" | "jacobian":
            return patterns[0].format(laid(how.of, not over), laid(how.by[0], over))
        case "hessian":
            of = spell(named(how.of, page.taken))
            first, second = how.by
            return patterns[1].format(of, laid(first, not over), laid(second, over))
        case "pushforward":
            shown = "d" + spell(named(how.of, page.taken))
            return word.replace("{}", shown) if subject.node.rank == 2 else shown
        case _:
            return laid(Variable(own_name(subject, page.taken), ("",) * subject.node.rank), False)
