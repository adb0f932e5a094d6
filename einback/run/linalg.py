"""Lowering of matrix functions: calls of NumPy's, and helpers where a factor serves several readers.

What a matrix is kept as was settled by `einback.plan.factorisations`. NumPy has neither LU factors nor triangular
solves; a shared factor is Cholesky's, or Q and R, and substitution runs in blocks, so that most of its work is
products of matrices. All of it is batched over leading axes.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Final

import numpy as np

from einback.errors import ArrayError
from einback.ir.nodes import Matrix
from einback.plan.dtypes import DType
from einback.rules.matrix import MATRIX_TABLE, matrix_row
from einback.run.casting import cast, conformed
from einback.run.emitter import Emitter
from einback.run.steps import Call, DTypeName, Expr, Index, Literal, Method, Transposed
from einback.run.values import Labels, Term, Value, array, column, dense, laid, matrix, spread

__all__ = ["HELPERS", "apply_matrix", "explained", "solve"]

_REASONS: Final = {
    "Singular matrix": "a matrix has no inverse",
    "Matrix is not positive definite": "a matrix is not positive definite",
}
_PLACES: Final = {"sign": 0, "logdet": 1, "eigvalsh": 0, "eigvecs": 1}  # in what slogdet and eigh return
_OF_FACTOR: Final = {"inv": "inverse_of", "det": "det_of", "logdet": "logdet_of", "sign": "sign_of"}


def apply_matrix(emitter: Emitter, node: Matrix, arg: Value, shape: Sequence[int], dtype: DType) -> Value:
    """A function of the matrix `arg`, or of what it is kept as; or what it is kept as, made of the matrix."""
    kept = node.arg.fn if isinstance(node.arg, Matrix) else ""
    if kept in ("slogdet", "eigh"):
        return array(Index(arg.expr, (_PLACES[node.fn],)), shape, dtype)
    if kept in ("factor", "qr"):
        return array(_helper(emitter, _OF_FACTOR[node.fn], arg.expr), shape, dtype)
    operand = _whole(emitter, arg, dtype)
    if kept == "triangle":
        eye = Call("np.eye", (Literal(shape[-1]),), (("dtype", DTypeName(dtype)),))
        return array(_helper(emitter, "solve_triangular", operand, eye, Literal(True)), shape, dtype)
    if node.fn in ("factor", "qr"):
        return array(_helper(emitter, node.fn, operand), shape, dtype)
    made = _spelled(node.fn, operand) if node.fn in MATRIX_TABLE else Call(f"np.linalg.{node.fn}", (operand,))
    return array(made, shape, dtype)


def explained(error: np.linalg.LinAlgError, source: str) -> ArrayError:
    """What NumPy refused, with the formula of the step in which it did: the comment above the line that failed."""
    lines = source.split("\n")
    step = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith("<einback") and not step:
            comments = [text.strip() for text in lines[:line] if text.lstrip().startswith("# ")]
            step = comments[-1].removeprefix("# ") if comments else ""
    reason = _REASONS.get(str(error), str(error))
    return ArrayError(f"{reason}: {step}" if step else reason)


def _spelled(fn: str, operand: Expr) -> Expr:
    """A row of the matrix table as a call, with the place in what it returns where that is a tuple."""
    call, _, place = matrix_row(fn).numpy.partition("({0})")
    made = Call(call, (operand,))
    return Index(made, (int(place[1:-1]),)) if place else made


def _whole(emitter: Emitter, value: Value, dtype: DType) -> Expr:
    """A matrix as an expression over its own axes, in the dtype of the result or the complex numbers behind it."""
    value = emitter.inline(value if value.dtype.kind == "c" else cast(value, dtype))
    return laid(value, range(len(value.axes)))


def solve(
    emitter: Emitter, kind: str, terms: tuple[Term, Term], out: Labels, *, lengths: Sequence[int], dtype: DType
) -> Value:
    """inv(A) B or inv(A)' B over one axis of A; the first term is A, or what it is kept as, `lengths` is by label.

    The axes of B that A lacks are columns, those of A in front of the matrix a batch.
    """
    divisor, right = terms
    *batch, p, q = divisor.labels
    summed, free = (q, p) if q in right.labels else (p, q)
    columns = right.in_order([label for label in right.labels if label != summed and label not in batch])
    (value,) = conformed([emitter.inline(right.value)], dtype)
    value = dense(value, [lengths[label] for label in right.labels])
    rhs = matrix(Term(value, right.labels), batch, [summed], columns)
    stacked = bool(columns or batch or kind != "divisor")
    expr = _solved(emitter, kind, divisor.value, rhs if columns or not stacked else column(rhs), summed == p, dtype)
    if stacked and not columns:
        expr = Index(expr, (Ellipsis, 0))
    natural = [*batch, free, *columns]
    shape = [lengths[label] for label in natural]
    if len(columns) > 1:
        expr = Method(expr, "reshape", tuple(map(Literal, shape)))
    return spread(array(expr, shape, dtype), natural, out)


def _solved(emitter: Emitter, kind: str, divisor: Value, rhs: Expr, transposed: bool, dtype: DType) -> Expr:
    if kind in ("factor", "qr"):
        turned = (("transposed", Literal(True)),) if transposed and kind == "qr" else ()
        made = _helper(emitter, "solve_factored", divisor.expr, rhs)
        return Call(made.function, made.args, turned)
    operand = _whole(emitter, divisor, dtype)
    rank = len(divisor.axes)
    if transposed:
        operand = Transposed(operand, (*range(rank - 2), rank - 1, rank - 2))
    if kind == "triangle":
        return _helper(emitter, "solve_triangular", operand, rhs, Literal(not transposed))
    return Call("np.linalg.solve", (operand, rhs))


def _helper(emitter: Emitter, name: str, *args: Expr) -> Call:
    """A call of a helper, which is written into the source with the helpers that it calls."""
    for needed in _NEEDS.get(name, ()):
        emitter.helper(HELPERS[needed])
    emitter.helper(HELPERS[name])
    return Call(name, args)


HELPERS: Final = {
    "solve_triangular": '''
def solve_triangular(t, b, lower):
    """x with t x = b for a triangular t, by substitution in blocks of rows."""
    n = t.shape[-1]
    x = np.empty((*np.broadcast_shapes(t.shape[:-2], b.shape[:-2]), *b.shape[-2:]), np.result_type(t, b))
    starts = range(0, n, 64)
    for k in starts if lower else reversed(starts):
        rows = slice(k, k + 64)
        done = slice(0, k) if lower else slice(k + 64, n)
        rest = b[..., rows, :] - t[..., rows, done] @ x[..., done, :]
        x[..., rows, :] = np.linalg.solve(t[..., rows, rows], rest)
    return x
''',
    "qr": '''
def qr(a):
    """Q and R; a matrix is singular where a column depends on those before it, to rounding."""
    q, r = np.linalg.qr(a)
    diagonal = np.abs(np.diagonal(r, axis1=-2, axis2=-1))
    if np.any(diagonal <= 2 * np.finfo(r.dtype).eps * np.linalg.norm(r, axis=-2)):
        raise np.linalg.LinAlgError("Singular matrix")
    return q, r
''',
    "factor": '''
def factor(a):
    """The Cholesky factor of a symmetric matrix; Q and R where it is not positive definite."""
    try:
        return (np.linalg.cholesky(a),)
    except np.linalg.LinAlgError:
        return qr(a)
''',
    "solve_factored": '''
def solve_factored(f, b, transposed=False):
    """x with a x = b, or with a' x = b, for the factor f of a."""
    if len(f) == 1:
        return solve_triangular(f[0].mT, solve_triangular(f[0], b, True), False)
    q, r = f
    return q @ solve_triangular(r.mT, b, True) if transposed else solve_triangular(r, q.mT @ b, False)
''',
    "inverse_of": '''
def inverse_of(f):
    """The inverse of the matrix with the factor f."""
    if len(f) == 1:
        half = solve_triangular(f[0], np.eye(f[0].shape[-1], dtype=f[0].dtype), True)
        return half.mT @ half
    return solve_triangular(f[1], f[0].mT, False)
''',
    "logdet_of": '''
def logdet_of(f):
    """log|det a| for the factor f of a."""
    diagonal = np.abs(np.diagonal(f[-1], axis1=-2, axis2=-1))
    return (3 - len(f)) * np.log(diagonal).sum(-1)
''',
    "sign_of": '''
def sign_of(f):
    """The sign of det a for the factor f of a."""
    sign = np.sign(np.diagonal(f[-1], axis1=-2, axis2=-1)).prod(-1)
    return sign if len(f) == 1 else sign * np.linalg.slogdet(f[0])[0]
''',
    "det_of": '''
def det_of(f):
    """det a for the factor f of a."""
    return sign_of(f) * np.abs(np.diagonal(f[-1], axis1=-2, axis2=-1)).prod(-1) ** (3 - len(f))
''',
}

_NEEDS: Final = {
    "factor": ("qr",),
    "solve_factored": ("solve_triangular",),
    "inverse_of": ("solve_triangular",),
    "det_of": ("sign_of",),
}
