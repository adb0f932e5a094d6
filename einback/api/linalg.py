"""`einback.linalg`: matrix functions on the last two axes of a tensor; axes before these are a batch.

Every one of them can be differentiated, to any order. Where an inverse only multiplies a tensor, the program
solves, and never forms the inverse; matrices that are read several times are factored once where that pays.

Cholesky factors and eigenvalues are functions of a symmetric matrix. Of any other matrix they take the symmetric
part (A + A') / 2, and their gradients are those of that function: symmetric matrices.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from einback.api.tensor import Operand, Tensor, combine
from einback.errors import EinbackError, ShapeError
from einback.ir.build import add, einsum, power, reduce, scale, total
from einback.ir.extents import plus, product
from einback.ir.nodes import Delta, Map, Node, Ones, Window
from einback.ir.sizes import Equality
from einback.rules import composite
from einback.rules.matrix import matrix, matrix_row
from einback.rules.matrix_functions import matrix_function

__all__ = [
    "Slogdet",
    "cholesky",
    "det",
    "eigvalsh",
    "inv",
    "kron",
    "logdet",
    "matrix_power",
    "norm",
    "slogdet",
    "solve",
    "trace",
]


class Slogdet(NamedTuple):
    """det A = sign * exp(logabsdet)."""

    sign: Tensor
    logabsdet: Tensor


def inv(a: Operand) -> Tensor:
    """The inverse of square matrices: `inv(A) @ b` is compiled to a solve.

    d inv(A) = -inv(A) dA inv(A) (Giles 2008, 2.2.3; Magnus & Neudecker 1999, 8.4). Raises `ShapeError` where the
    last two axes differ; a matrix without an inverse raises `ArrayError` when the program runs.

    >>> import einback as eb
    >>> A, b = eb.tensors("A[n,n] b[n]")
    >>> print(inv(A) @ b)
    y[n] = inv(A)[n,n'] b[n']
    >>> print(inv(A) @ A)
    y[n,n'] = δ[n,n']
    """
    return _function("inv", a)


def solve(a: Operand, b: Operand) -> Tensor:
    """x with a @ x = b, which is inv(a) @ b: b is a vector, or matrices whose leading axes broadcast as in `@`.

    The pullback of a cotangent g is inv(a)' g for b, and minus its outer product with x for a (Giles 2008, 2.2.3).

    >>> import numpy as np
    >>> import einback as eb
    >>> A, b = eb.tensors("A[n,n] b[n]")
    >>> eb.evaluate(solve(A, b), A=np.array([[2.0, 0.0], [1.0, 1.0]]), b=np.array([2.0, 3.0]))
    array([1., 2.])
    """
    return inv(a) @ _tensor("solve", b)


def det(a: Operand) -> Tensor:
    """The determinant of square matrices.

    d det(A) = det(A) tr(inv(A) dA) (Magnus & Neudecker 1999, 8.3; Giles 2008, 2.2.4). The derivative inverts A: it
    does not exist as a program where A is singular, and raises `ArrayError` when it runs.

    >>> import numpy as np
    >>> import einback as eb
    >>> A = eb.tensor("A[n,n]")
    >>> eb.evaluate(eb.grad(det(A), A), A=np.array([[1.0, 2.0], [3.0, 4.0]])).round(12)
    array([[ 4., -3.],
           [-2.,  1.]])
    """
    return _function("det", a)


def logdet(a: Operand) -> Tensor:
    """log|det A| of square matrices, without overflow; d logdet(A) = tr(inv(A) dA).

    >>> import einback as eb
    >>> A = eb.tensor("A[n,n]")
    >>> print(eb.grad(logdet(A), A))
    dA[n,n'] = inv(A)[n',n]
    """
    return _function("logdet", a)


def slogdet(a: Operand) -> Slogdet:
    """The sign of the determinant, and the logarithm of its absolute value: `(sign, logabsdet)`.

    The sign is locally constant: its derivative is zero.
    """
    return Slogdet(_function("sign", a), _function("logdet", a))


def trace(a: Operand) -> Tensor:
    """The sum of the diagonal of square matrices."""
    x, equalities = _square("trace", a)
    batch = tuple(range(x.ndim - 2))
    node = einsum([x.node], [(*batch, "i", "i")], batch)
    return combine(node, x.names[:-2], [x], equalities=equalities)


def cholesky(a: Operand) -> Tensor:
    """The lower triangular L with L L' = A, of a positive definite matrix.

    dL = L Φ(inv(L) dA inv(L)'), where Φ halves the diagonal and drops what stands above it (Murray, Differentiation
    of the Cholesky decomposition, 2016, equation 8; Giles 2008, 3.2). Of a matrix that is not symmetric, the
    symmetric part is factored; one that is not positive definite raises `ArrayError` when the program runs.

    >>> import einback as eb
    >>> X = eb.tensor("X[k,n]")
    >>> L = cholesky(X.T @ X)
    >>> print(L @ L.T)
    y[n,n'] = X[k,n] X[k,n']
    """
    return _function("cholesky", a)


def eigvalsh(a: Operand) -> Tensor:
    """The eigenvalues of symmetric matrices, in ascending order; of another matrix, those of its symmetric part.

    dλ_i = v_i' dA v_i (Magnus & Neudecker 1999, 8.8; Giles 2008, 3.1). Second derivatives hold 1 / (λ_i - λ_j), and
    are infinite or NaN where two eigenvalues are equal.

    >>> import numpy as np
    >>> import einback as eb
    >>> A = eb.tensor("A[n,n]")
    >>> eb.evaluate(eigvalsh(A), A=np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([-1.,  1.])
    """
    return _function("eigvalsh", a)


def matrix_power(a: Operand, n: int) -> Tensor:
    """The product of n copies of square matrices, by repeated squaring; of copies of the inverse where n < 0.

    >>> import einback as eb
    >>> A = eb.tensor("A[n,n]")
    >>> print(matrix_power(A, 0))
    y[n,n'] = δ[n,n']
    """
    x, equalities = _square("matrix_power", a)
    if isinstance(n, bool) or not isinstance(n, int):
        raise EinbackError(f"matrix_power takes a whole number, not {n!r}")
    batch = range(x.ndim - 2)
    base = x.node if n >= 0 else matrix("inv", x.node)
    result: Node | None = None
    for bit in bin(abs(n))[2:]:
        result = composite.matmul(result, result)[0] if result is not None else None
        if bit == "1":
            result = base if result is None else composite.matmul(result, base)[0]
    if result is None:
        ones = [Ones(size) for size in x.shape[:-2]]
        result = einsum([Delta(x.shape[-1]), *ones], ["ij", *((k,) for k in batch)], (*batch, "i", "j"))
    return combine(result, x.names, [x], equalities=equalities)


def kron(a: Operand, b: Operand) -> Tensor:
    """The Kronecker product of two tensors with equally many axes: along each, b is laid out once for every entry of a.

    Axis k of the result has size(a, k) * size(b, k) entries, as in `numpy.kron`.
    """
    x, y = _tensor("kron", a), _tensor("kron", b)
    if x.ndim != y.ndim:
        raise ShapeError(
            f"kron takes tensors with equally many axes, and these have {x.ndim} and {y.ndim}",
            hint="add axes with ones, as in einsum('i,j->ij', v, ones('[1]'))",
        )
    axes = range(x.ndim)
    pairs = list(zip(x.shape, y.shape, strict=True))
    fused = [Window(product(p, q), (p, q), (q, 1), 0) for p, q in pairs]
    labels = [[("a", k) for k in axes], [("b", k) for k in axes], *((k, ("a", k), ("b", k)) for k in axes)]
    return combine(einsum([x.node, y.node, *fused], labels, axes), ("",) * x.ndim, [x, y])


def norm(x: Operand, ord: str | int | None = None) -> Tensor:
    """A norm of a tensor or of its matrices.

    `ord=None` is the Euclidean norm of all entries. The others are norms of the matrices on the last two axes:
    "fro" is Frobenius', "nuc" the nuclear norm, the sum of the singular values, and 2 the largest singular value.
    The singular values are taken from the eigenvalues of [[0, X], [X', 0]], to full accuracy. At zero, and where
    singular values vanish or tie, a subgradient is returned.

    >>> import numpy as np
    >>> import einback as eb
    >>> X = eb.tensor("X[n,m]")
    >>> X_values = np.diag([3.0, -4.0])
    >>> [float(eb.evaluate(norm(X, ord), X=X_values).round(12)) for ord in (None, "fro", "nuc", 2)]
    [5.0, 5.0, 7.0, 4.0]
    """
    tensor = _tensor("norm", x)
    if ord is None:
        return combine(_euclidean(tensor.node, range(tensor.ndim)), (), [tensor])
    if ord not in ("fro", "nuc", 2):
        raise EinbackError(f"no norm is named {ord!r}", hint='the norms are None, "fro", "nuc" and 2')
    if tensor.ndim < 2:
        raise ShapeError(f"norm {ord!r} is one of matrices, and this tensor has {_axes(tensor)}")
    if ord == "fro":
        node = _euclidean(tensor.node, (tensor.ndim - 2, tensor.ndim - 1))
    else:
        node = _singular_values_norm(tensor, nuclear=ord == "nuc")
    return combine(node, tensor.names[:-2], [tensor])


def _euclidean(node: Node, axes: Any) -> Node:
    """The root of the sum of squares over some axes."""
    return power(total(power(Map("abs", (node,)), 2), axes), Fraction(1, 2))


def _singular_values_norm(x: Tensor, *, nuclear: bool) -> Node:
    """The eigenvalues of [[0, X], [X', 0]] are the singular values, their negatives, and zeros."""
    if x.node.is_complex:
        raise EinbackError("this norm is not supported for complex matrices")
    *batch, rows, columns = x.shape
    side = plus(rows, columns)
    upper, right = Window(side, (rows,), (1,), 0), Window(side, (columns,), (1,), rows)
    dots = tuple(range(len(batch)))
    block = einsum([x.node, upper, right], [(*dots, "i", "j"), "pi", "qj"], (*dots, "p", "q"))
    turned = einsum([block], [(*dots, "p", "q")], (*dots, "q", "p"))
    values = matrix("eigvalsh", add((block, turned)))
    if nuclear:
        return scale(total(Map("abs", (values,)), [values.rank - 1]), Fraction(1, 2))
    return reduce("max", values, [values.rank - 1])


def _function(fn: str, a: Operand) -> Tensor:
    """A row of the matrix table, applied to a tensor."""
    x, equalities = _square(fn, a)
    names = x.names[: x.ndim - 2 + matrix_row(fn).keeps]
    return combine(matrix_function(fn, x.node), names, [x], equalities=equalities)


def _tensor(fn: str, x: Operand) -> Tensor:
    if not isinstance(x, Tensor):
        raise EinbackError(f"{fn} is a function of tensors, not of {type(x).__name__}")
    return x


def _square(fn: str, a: Operand) -> tuple[Tensor, frozenset[Equality]]:
    """A tensor of square matrices, and what is learned about its sizes."""
    x = _tensor(fn, a)
    if x.ndim < 2:
        raise ShapeError(f"{fn} is a function of square matrices, and this tensor has {_axes(x)}")
    rows, columns = x.shape[-2:]
    if rows == columns:
        return x, frozenset()
    if isinstance(rows, int) and isinstance(columns, int):
        raise ShapeError(f"{fn} is a function of square matrices, and this one has {rows} rows and {columns} columns")
    return x, frozenset([(rows, columns)])


def _axes(x: Tensor) -> str:
    return "no axes" if not x.ndim else "1 axis" if x.ndim == 1 else f"{x.ndim} axes"
