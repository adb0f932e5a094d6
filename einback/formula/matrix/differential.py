"""Differentials: how a result changes with what it is differentiated by.

gradient     dL = ⟨G, dW⟩ = tr(Gᵀ dW), by a vector df = gᵀ dx; `form` says which of five ways to write it
Jacobian     dy = J dx; by a matrix dY = A dX B
Hessian      d²f = dxᵀ H dx
pushforward  d(X⁻¹) = −X⁻¹ dX X⁻¹, of `eb.jvp` along a tensor named dX
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from einback.errors import NotationError
from einback.formula import index
from einback.formula.latex import tensor_latex
from einback.formula.matrix.algebra import chain
from einback.formula.matrix.contract import HINT
from einback.formula.matrix.expr import Expr, Symbol, Trace
from einback.formula.matrix.left import differential_name, named, spelled
from einback.formula.matrix.scaling import scaled, split, transpose
from einback.formula.matrix.statements import Page, latex_lines, read_page, text_lines
from einback.formula.matrix.writing import Level, TextWriter
from einback.formula.names import Names
from einback.formula.subject import Derivative, Subject, Variable
from einback.formula.tree import ONE, Index, Product, Ref, Sum, Tree
from einback.ir.build import einsum
from einback.ir.nodes import Input, Node, Shape

__all__ = ["latex", "text", "times"]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A differential: d or d² of what, its natural form, and for a gradient by a matrix its two factors."""

    page: Page
    order: int
    of: str
    body: Expr
    pair: tuple[Expr, Expr] | None = None


def text(subject: Subject, form: str = "both") -> str:
    """The differential and the definitions that it reads.

    >>> import einback as eb
    >>> A, X, B = eb.tensors("A[m,n] X[n,p] B[p,q]")
    >>> print(eb.jacobian(A @ X @ B, X).text(notation="differential"))
    dY = A dX B
    >>> print(eb.grad(eb.einsum("ii->", A @ X @ B @ A @ A.T), X).text(notation="differential"))
    dL = ⟨Aᵀ A Aᵀ Bᵀ, dX⟩ = tr(B A Aᵀ A dX)
    >>> for form in ("index", "colon", "inner", "trace", "trace-transposed"):
    ...     print(eb.grad(eb.sum(X * X), X).text(notation="differential", form=form))
    dL = 2 X[n,p] dX[n,p]
    dL = (2 X) : dX
    dL = ⟨2 X, dX⟩
    dL = 2 tr(Xᵀ dX)
    dL = 2 tr(X dXᵀ)
    """
    if form == "index":
        return index.text(*_entries(subject))
    found = _read(subject)
    writer = found.page.text_writer()
    left = subject.name if subject.titled else f"d{'²' if found.order == 2 else ''}{found.of}"
    terms = _terms(found, writer, writer.terms, "⟨{}, {}⟩", form)
    return text_lines(found.page, left, terms, found.page.where(found.body, *(found.pair or ())))


def latex(subject: Subject, form: str = "both") -> str:
    """The same in LaTeX."""
    if form == "index":
        return index.latex(*_entries(subject))
    found = _read(subject)
    writer = found.page.latex_writer()
    left = spelled(subject.name)
    if not subject.titled:
        left = rf"\mathrm{{d}}{'^{2}' if found.order == 2 else ''}{tensor_latex(found.of)}"
    terms = _terms(found, writer, lambda expr: [writer.expression(expr)], r"\left\langle {}, {} \right\rangle", form)
    return latex_lines(found.page, left, " ".join(terms), found.page.where(found.body, *(found.pair or ())))


def _terms(
    found: _Reading, writer: TextWriter, written: Callable[[Expr], list[str]], pattern: str, form: str
) -> list[str]:
    """The right-hand side in a form, as the terms between which a line may break."""
    if found.pair is None:
        if form != "both":
            raise _no_pair()
        return written(found.body)
    gradient, dx = found.pair
    inner = pattern.format(*map(writer.expression, found.pair))
    match form:
        case "inner":
            return [inner]
        case "colon":
            return [f"{writer.tight(gradient, Level.POSTFIX)} : {writer.expression(dx)}"]
        case "trace":
            return written(_trace(chain(transpose(gradient), dx)))
        case "trace-transposed":
            return written(_trace(chain(gradient, transpose(dx))))
        case _:
            first, *rest = written(found.body)
            return [inner, f"= {first}", *rest]


def _trace(product: Expr) -> Expr:
    """The trace of a product as it stands, numbers and scalars in front."""
    number, above, below, body = split(product)
    assert body is not None
    return scaled(number, (*above, Trace(body)), below)


def _entries(subject: Subject) -> tuple[Node, str, Names]:
    """The differential of a scalar by a matrix as a sum over entries, for index notation."""
    found = _read(subject)
    if found.pair is None:
        raise _no_pair()
    dx = found.pair[1]
    assert isinstance(dx, Symbol)
    product = einsum([subject.node, Input(dx.name, subject.node.shape, ())], [range(2), range(2)], ())
    name = subject.name if subject.titled else differential_name(found.of, found.page.taken)
    return product, name, replace(subject.names, free=())


def _no_pair() -> NotationError:
    return NotationError(
        "the differential of a scalar by a matrix alone has several forms",
        hint="leave out form=, this one has one",
    )


def _read(subject: Subject) -> _Reading:
    how = subject.derivative
    match how:
        case Derivative(kind="gradient" | "jacobian", by=(x,)) if x.name:
            return _first(subject, how.of, x)
        case Derivative(kind="hessian", by=(x, z)) if x.name and x.name == z.name:
            return _second(subject, how.of, x)
        case Derivative(kind="pushforward"):
            return _pushed(subject, how)
        case None:
            fact = "a differential is that of a derivative"
        case _:
            fact = f"a {how.kind} is no differential of one named tensor"
    raise NotationError(fact, hint=f"eb.grad, eb.jacobian and eb.jvp by a tensor have one; {HINT}")


def _first(subject: Subject, of: Variable, x: Variable) -> _Reading:
    """d of = the derivative times dx."""
    shape = subject.node.shape[of.rank :]
    page, (dx,) = _opened(subject, {x.name: shape})
    kept, axes = page.left[: of.rank], page.left[of.rank :]
    if of.rank > 2:
        raise NotationError(f"the result has {of.rank} axes, and a matrix has two", hint=HINT)
    if not of.rank and len(axes) == 2:
        gradient = page.converter.oriented(page.tree, axes)
        natural = page.converter.oriented(times(page.tree, dx.name, axes), ())
        return _Reading(page, 1, named(of, page.taken), natural, (gradient, dx))
    if not of.rank and len(axes) == 1:
        body = chain(transpose(page.converter.oriented(page.tree, axes)), dx)
    elif of.rank == 1 and len(axes) == 1:
        body = chain(page.converter.oriented(page.tree, page.left), dx)
    else:
        body = page.converter.oriented(times(page.tree, dx.name, axes), kept)
    return _Reading(page, 1, named(of, page.taken), body)


def _second(subject: Subject, of: Variable, x: Variable) -> _Reading:
    """d² of = dxᵀ H dx."""
    page, (dx,) = _opened(subject, {x.name: subject.node.shape[x.rank :]})
    tree = times(times(page.tree, dx.name, page.left[: x.rank]), dx.name, page.left[x.rank :])
    return _Reading(page, 2, named(of, page.taken), page.converter.oriented(tree, ()))


def _pushed(subject: Subject, how: Derivative) -> _Reading:
    """A pushforward, whose program holds the differentials."""
    if subject.node.rank > 2:
        raise NotationError(f"the result has {subject.node.rank} axes, and a matrix has two", hint=HINT)
    wanted = {f"d{x.name}" for x in how.by}
    page = read_page(subject, marked=wanted)
    return _Reading(page, 1, named(how.of, page.taken), page.converter.oriented(page.tree, page.left))


def _opened(subject: Subject, shapes: Mapping[str, Shape]) -> tuple[Page, list[Symbol]]:
    """The program, and symbols for the differentials of some tensors."""
    taken = read_page(subject).taken
    made = {}
    for name, shape in shapes.items():
        if len(shape) > 2:
            raise NotationError(f"{name} has {len(shape)} axes, and a matrix has two", hint=HINT)
        rows, columns = (*shape, None, None)[:2]
        spelled = differential_name(name, taken)
        made[spelled] = Symbol(spelled, (rows, columns), marks="d")
    return read_page(subject, spelled=made), list(made.values())


def times(tree: Tree, name: str, axes: Sequence[Index]) -> Tree:
    """A tree times a tensor, summed over its axes."""
    factor = Ref(name, tuple(axes))
    match tree:
        case Sum():
            return Sum(tuple(_times(term, factor, axes) for term in tree.terms))
        case Product():
            return _times(tree, factor, axes)
        case _:
            return _times(Product(ONE, (tree,)), factor, axes)


def _times(term: Product, factor: Ref, axes: Sequence[Index]) -> Product:
    return Product(term.coefficient, (*term.factors, factor), term.divisors, (*term.bound, *axes))
