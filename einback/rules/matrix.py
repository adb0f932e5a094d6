"""The matrix table: one row a function of square matrices, the last two axes of a tensor.

A row holds all that einback knows of the function: how many of the two axes its result keeps, its partial
derivative, its NumPy, CuPy, text and LaTeX spellings, what it costs, and the matrices that tests draw. To add a
function, add a row.

A partial derivative is a sum of products of factors with labels: the labels of the result come first in the
alphabet (i, j), those of the argument are k and l, and any other label is summed. For Y = inv(A)

    dY[i,j] / dA[k,l] = -Y[i,k] Y[l,j]

is `Term(-1, ((y, "ik"), (y, "lj")))`. Batch axes stand before these and are the same in all factors. Pullback and
pushforward contract the same product with a cotangent over i, j or with a tangent over k, l.

Sources: Giles, An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation (2008), sections 2.2.3 (inverse), 2.2.4 (determinant), 3.1 (eigenvalues and eigenvectors); Magnus &
Neudecker, Matrix Differential Calculus (1999), chapters 8.3 to 8.9; for Cholesky, Murray, Differentiation of the
Cholesky decomposition (2016), equation 8. Cholesky factors, eigenvalues and eigenvectors are functions of a
symmetric matrix; their partial derivatives are those of the function of the symmetric part (A + A') / 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from einback.ir.build import add, broadcast, const, einsum, power
from einback.ir.nodes import Map, Matrix, Node, Ones, Range
from einback.ir.sizes import Size

__all__ = ["MATRIX_TABLE", "MatrixFunction", "Term", "function_name", "matrix", "matrix_row", "matrix_text"]


@dataclass(frozen=True, slots=True)
class Term:
    """weight * the product of the factors, each a tensor and the labels of its axes behind the batch."""

    weight: Fraction
    factors: tuple[tuple[Node, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixFunction:
    """What is known of one function of square matrices.

    `partial` gets the argument and the result; without one, the result is locally constant. `text` and `latex` are
    templates in the name of the matrix; `cost` counts flops in units of n^3. `symmetric` marks functions that are
    defined by the symmetric part alone, `holomorphic` those with a complex derivative. `domain` names the matrices
    that tests draw: "general", "symmetric", or "positive" definite.
    """

    name: str
    keeps: int
    partial: Callable[[Node, Node], tuple[Term, ...]] | None
    numpy: str
    cuda: str
    text: str
    latex: str
    cost: Fraction
    symmetric: bool = False
    holomorphic: bool = False
    domain: str = "general"


def matrix(fn: str, node: Node) -> Matrix:
    """A row of the matrix table, applied to the last two axes of a node."""
    return Matrix(fn, node, matrix_row(fn).keeps)


def matrix_row(fn: str) -> MatrixFunction:
    """The row of a function; an unknown one is an error, never a silent zero."""
    found = MATRIX_TABLE.get(fn)
    if found is None:
        raise KeyError(f"no row {fn!r} in the matrix table")
    return found


def matrix_text(fn: str, name: str) -> str:
    """A function of a named matrix as it is read; those of plans alone are written as they are called.

    >>> matrix_text("sign", "A"), matrix_text("qr", "A")
    ('signdet(A)', 'qr(A)')
    """
    found = MATRIX_TABLE.get(fn)
    return found.text.format(name) if found is not None else f"{fn}({name})"


def function_name(fn: str) -> str:
    """What a function is called in text.

    >>> function_name("sign"), function_name("inv")
    ('signdet', 'inv')
    """
    return matrix_text(fn, "").partition("(")[0]


def _term(weight: float | Fraction, *factors: tuple[Node, str]) -> Term:
    return Term(Fraction(weight), factors)


def _inverse(a: Node, y: Node) -> tuple[Term, ...]:
    """d inv(A) = -inv(A) dA inv(A)."""
    return (_term(-1, (y, "ik"), (y, "lj")),)


def _determinant(a: Node, y: Node) -> tuple[Term, ...]:
    """d det(A) = det(A) tr(inv(A) dA)."""
    return (_term(1, (y, ""), (matrix("inv", a), "lk")),)


def _log_determinant(a: Node, y: Node) -> tuple[Term, ...]:
    """d log|det A| = tr(inv(A) dA)."""
    return (_term(1, (matrix("inv", a), "lk")),)


def _eigenvalues(a: Node, y: Node) -> tuple[Term, ...]:
    """d lambda_i = v_i' dA v_i."""
    v = matrix("eigvecs", a)
    return (_term(1, (v, "ki"), (v, "li")),)


def _eigenvectors(a: Node, y: Node) -> tuple[Term, ...]:
    """dV = V (F o (V' dA V)), F[p,j] = 1 / (lambda_j - lambda_p) off the diagonal and 0 on it."""
    gaps = _inverse_gaps(matrix("eigvalsh", a))
    half = Fraction(1, 2)
    return (
        _term(half, (y, "ip"), (gaps, "pj"), (y, "kp"), (y, "lj")),
        _term(half, (y, "ip"), (gaps, "pj"), (y, "lp"), (y, "kj")),
    )


def _cholesky(a: Node, y: Node) -> tuple[Term, ...]:
    """dL = L Phi(inv(L) dA inv(L)'), where Phi halves the diagonal and cuts the upper triangle off."""
    phi, inverse = _lower_half(a.shape[-1]), matrix("inv", y)
    half = Fraction(1, 2)
    return (
        _term(half, (y, "ip"), (phi, "pj"), (inverse, "pk"), (inverse, "jl")),
        _term(half, (y, "ip"), (phi, "pj"), (inverse, "pl"), (inverse, "jk")),
    )


def _row_and_column(size: Size) -> tuple[Node, Node]:
    """Two matrices: the number of the row at every entry, and that of the column."""
    row, column = (einsum([Range(size), Ones(size)], labels, "pj") for labels in ("pj", "jp"))
    return row, column


def _lower_half(size: Size) -> Node:
    """1 below the diagonal, 1/2 on it, 0 above."""
    places = _row_and_column(size)
    return add((Map("greater", places), Map("equal", places)), (1, Fraction(1, 2)))


def _inverse_gaps(values: Node) -> Node:
    """1 / (values[j] - values[p]) at p, j; 0 on the diagonal, where the difference is never inverted.

    Two equal eigenvalues have no derivatives of their eigenvectors: the entry is infinite.
    """
    rank = values.rank + 1
    shape = (*values.shape, values.shape[-1])
    batch = range(rank - 2)
    ahead, behind = (broadcast(values, shape, (*batch, rank - k)) for k in (1, 2))
    same = broadcast(Map("equal", _row_and_column(shape[-1])), shape, (rank - 2, rank - 1))
    gap = Map("where", (same, const(1), add((ahead, behind), (1, -1))))
    return Map("where", (same, const(0), power(gap, -1)))


def _row(name: str, keeps: int, partial: Callable[[Node, Node], tuple[Term, ...]] | None, cost: Fraction, numpy: str,
         text: str, latex: str, *, symmetric: bool = False, holomorphic: bool = False,
         domain: str = "general") -> MatrixFunction:  # fmt: skip
    """CuPy spells all of these as NumPy does."""
    cuda = numpy.replace("np.", "cupy.")
    return MatrixFunction(
        name=name, keeps=keeps, partial=partial, numpy=numpy, cuda=cuda, text=text, latex=latex, cost=cost,
        symmetric=symmetric, holomorphic=holomorphic, domain=domain,
    )  # fmt: skip


_ROWS = (
    _row("inv", 2, _inverse, Fraction(8, 3), "np.linalg.inv({0})", "inv({0})",
         r"\left({0}^{{-1}}\right)", holomorphic=True),
    _row("det", 0, _determinant, Fraction(2, 3), "np.linalg.det({0})", "det({0})",
         r"\det\left({0}\right)", holomorphic=True),
    _row("logdet", 0, _log_determinant, Fraction(2, 3), "np.linalg.slogdet({0})[1]", "logdet({0})",
         r"\log\left|\det {0}\right|"),
    _row("sign", 0, None, Fraction(2, 3), "np.linalg.slogdet({0})[0]", "signdet({0})",
         r"\operatorname{{sign}}\det\left({0}\right)"),
    _row("cholesky", 2, _cholesky, Fraction(1, 3), "np.linalg.cholesky({0})", "cholesky({0})",
         r"\operatorname{{chol}}\left({0}\right)", symmetric=True, domain="positive"),
    _row("eigvalsh", 1, _eigenvalues, Fraction(4, 3), "np.linalg.eigvalsh({0})", "eigvalsh({0})",
         r"\lambda\left({0}\right)", symmetric=True, domain="symmetric"),
    _row("eigvecs", 2, _eigenvectors, Fraction(9), "np.linalg.eigh({0})[1]", "eigvecs({0})",
         r"V\left({0}\right)", symmetric=True, domain="symmetric"),
)  # fmt: skip

MATRIX_TABLE: Final[dict[str, MatrixFunction]] = {row.name: row for row in _ROWS}
