"""Lowering of contractions: a pair of tensors to a matrix product, sums and diagonals to NumPy's methods.

The labels of a pair fall into four groups: batch (in both and kept), contracted (in both and summed), rows (in
the left one only) and columns (in the right one only). With each group fused into one axis, the pair is

    out[batch, rows, columns] = left[batch, rows, contracted] @ right[batch, contracted, columns]

where views do the transposing, and fusing copies only if the axes of a group do not lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from string import ascii_letters

import numpy as np

from einback.errors import CompileError
from einback.plan.dtypes import DType
from einback.run.casting import cast, conformed
from einback.run.elementwise import multiply
from einback.run.emitter import Emitter
from einback.run.steps import Call, DTypeName, Expr, Index, Infix, Literal, Method, Ref
from einback.run.values import Labels, Value, array, dense, fuses_freely, laid, matrix, picked, spread

__all__ = ["contract", "embed", "reduce", "total"]

HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class _Term:
    value: Value
    labels: Labels

    def order(self, group: Labels) -> list[int]:
        """The labels of a group in the order of the array's axes."""
        at = dict(zip(self.labels, self.value.axes, strict=True))
        return sorted(group, key=lambda label: at[label] or 0)


def contract(
    emitter: Emitter, terms: Sequence[tuple[Value, Labels]], out: Labels, lengths: Sequence[int], dtype: DType
) -> Value:
    """The product of two tensors, summed over the labels that `out` lacks."""
    a, b = (_without_units(_Term(*term), out, lengths) for term in terms)
    batch = [label for label in a.labels if label in b.labels and label in out]
    summed = [label for label in a.labels if label in b.labels and label not in out]
    if not summed:
        return multiply(emitter, spread(a.value, a.labels, out), spread(b.value, b.labels, out), dtype)
    first = next((label for label in out if label not in batch), None)
    if first is not None and first in b.labels:
        a, b = b, a
    a, b = (
        _Term(emitter.inline(dense(value, [lengths[label] for label in term.labels])), term.labels)
        for value, term in zip(conformed([a.value, b.value], dtype), (a, b), strict=True)
    )
    batch = [label for label in out if label in batch]
    rows = a.order([label for label in a.labels if label not in b.labels])
    columns = b.order([label for label in b.labels if label not in a.labels])
    contracted = _shared_order(a, b, summed, rows, columns)
    expr = _product(a, b, batch, rows, columns, contracted, dtype)
    natural = [*batch, *rows, *columns]
    shape = [lengths[label] for label in natural]
    if len(rows) > 1 or len(columns) > 1:
        expr = Method(expr, "reshape", tuple(map(Literal, shape)))
    made = array(expr, shape, dtype, row_major=len(batch) < 2 or _batch_in_order(a, b, batch))
    return spread(made, natural, out)


def _without_units(term: _Term, out: Labels, lengths: Sequence[int]) -> _Term:
    """Sums over axes of length one are no sums."""
    value, labels = term.value, list(term.labels)
    for label in term.labels:
        if label not in out and lengths[label] == 1:
            value = picked(value, labels.index(label))
            labels.remove(label)
    return _Term(value, labels)


def _shared_order(a: _Term, b: _Term, summed: Labels, rows: Labels, columns: Labels) -> list[int]:
    """The order of the contracted labels in which less has to be copied."""

    def copied(order: Labels) -> int:
        left = 0 if fuses_freely(a.value, a.labels, [rows, order]) else prod(a.value.shape)
        right = 0 if fuses_freely(b.value, b.labels, [order, columns]) else prod(b.value.shape)
        return left + right

    return min(a.order(summed), b.order(summed), key=copied)


def _product(
    a: _Term, b: _Term, batch: Labels, rows: Labels, columns: Labels, contracted: Labels, dtype: DType
) -> Expr:
    """The matrix product, with the axes of `rows` and of `columns` fused where there are several."""
    left = matrix(a.value, a.labels, batch, rows, contracted)
    if rows and columns:
        return Infix("@", left, matrix(b.value, b.labels, batch, contracted, columns))
    right = matrix(b.value, b.labels, batch, contracted)
    if rows:
        if batch:
            return _last_dropped(Infix("@", left, _with_last(right, len(batch) + 1)), len(batch) + 1)
        if a.value.shape and not _leads(a, rows):
            return Infix("@", right, matrix(a.value, a.labels, (), contracted, rows))
        return Infix("@", left, right)
    if batch:
        if dtype.kind == "c":  # vecdot would conjugate
            product = Infix("@", _row(left, len(batch)), _with_last(right, len(batch) + 1))
            return Index(product, (*(slice(None),) * len(batch), 0, 0))
        return Call("np.vecdot", (left, right))
    if len(contracted) > 1 and dtype.kind != "c":
        return Call("np.vdot", tuple(laid(spread(t.value, t.labels, contracted), range(len(contracted))) for t in (a, b)))
    return Infix("@", left, right)


def _leads(a: _Term, rows: Labels) -> bool:
    """Whether the rows come first in the array, so that it is used without a transpose."""
    return a.value.axes[list(a.labels).index(rows[0])] == 0


def _with_last(expr: Expr, rank: int) -> Expr:
    return Index(expr, (*(slice(None),) * rank, None))


def _row(expr: Expr, batch: int) -> Expr:
    return Index(expr, (*(slice(None),) * batch, None, slice(None)))


def _last_dropped(expr: Expr, rank: int) -> Expr:
    return Index(expr, (*(slice(None),) * rank, 0))


def _batch_in_order(a: _Term, b: _Term, batch: Labels) -> bool:
    """Whether NumPy lays out the batch axes of the product in order, as both operands have them."""
    return all(term.value.row_major and term.order(batch) == list(batch) for term in (a, b))


# one operand


def total(emitter: Emitter, value: Value, labels: Labels, out: Labels, shape: Sequence[int], dtype: DType) -> Value:
    """The sum over the labels that `out` lacks."""
    axes = [k for k, label in enumerate(labels) if label not in out]
    made = reduce(emitter, "sum", value, axes, shape, dtype)
    return spread(made, [label for label in labels if label in out], out)


def reduce(emitter: Emitter, fn: str, value: Value, axes: Sequence[int], shape: Sequence[int], dtype: DType) -> Value:
    """sum, max, min, prod or logsumexp of a value of `shape` over some axes, which disappear."""
    value = emitter.inline(dense(value, shape))
    gone = sorted(axis for k in axes if (axis := value.axes[k]) is not None)
    keywords: tuple[tuple[str, Expr], ...] = ()
    if len(gone) < len(value.shape):
        keywords = (("axis", Literal(gone[0] if len(gone) == 1 else tuple(gone))),)
    if fn == "logsumexp":
        made = _logsumexp(emitter, value, keywords, dtype)
    elif fn in ("max", "min"):
        made = replace(value, expr=Method(value.expr, fn, (), keywords))
    else:
        wide = SINGLE if dtype == HALF else dtype  # 16-bit sums accumulate in 32 bits
        if value.dtype != wide:
            keywords = (*keywords, ("dtype", DTypeName(wide)))
        made = replace(value, expr=Method(value.expr, fn, (), keywords), dtype=wide)
    left = [axis for axis in range(len(value.shape)) if axis not in gone]
    place = {axis: k for k, axis in enumerate(left)}
    kept = [axis for k, axis in enumerate(value.axes) if k not in axes]
    made = replace(
        made,
        shape=tuple(value.shape[axis] for axis in left),
        axes=tuple(None if axis is None else place[axis] for axis in kept),
        row_major=value.row_major or len(left) <= 1,
    )
    return cast(made, dtype)


def _logsumexp(emitter: Emitter, value: Value, axes: tuple[tuple[str, Expr], ...], dtype: DType) -> Value:
    emitter.helper(_LOGSUMEXP)
    wide = SINGLE if dtype == HALF else dtype
    return replace(value, expr=Call("logsumexp", (cast(value, wide).expr,), axes), dtype=wide)


def embed(emitter: Emitter, value: Value, labels: Labels, out: Labels, lengths: Sequence[int], dtype: DType) -> Value:
    """A diagonal is written: zeros, and the value where the axes with the same label agree."""
    shape = [lengths[label] for label in out]
    if value.expr == Literal(1) and len(out) == 2:
        return array(Call("np.eye", (Literal(shape[0]),), _dtype_keyword(dtype)), shape, dtype, row_major=True)
    (value,) = conformed([value], dtype)
    target = emitter.assign(Call("np.zeros", (Literal(tuple(shape)),), _dtype_keyword(dtype)))
    own = list(dict.fromkeys(out))
    if len(own) > len(ascii_letters):
        raise CompileError(f"a diagonal is written over {len(own)} axes; at most {len(ascii_letters)} can be")
    letter = dict(zip(own, ascii_letters, strict=False))
    pattern = "".join(letter[label] for label in out) + "->" + "".join(letter.values())
    diagonal = Call("np.einsum", (Literal(pattern), Ref(target)))  # NumPy's einsum gives a view that can be written
    emitter.fill(diagonal, laid(spread(value, labels, own), range(len(own))))
    made = array(Ref(target), shape, dtype, row_major=True)
    emitter.own(target, made)
    return made


def _dtype_keyword(dtype: DType) -> tuple[tuple[str, Expr], ...]:
    return () if dtype == np.float64 else (("dtype", DTypeName(dtype)),)


_LOGSUMEXP = '''
def logsumexp(x, axis=None):
    """log(sum(exp(x))), shifted by the largest entry unless that is infinite."""
    largest = x.real.max(axis=axis, keepdims=True, initial=-np.inf)
    largest[np.isinf(largest)] = 0
    terms = x - largest
    np.exp(terms, out=terms)
    return np.log(terms.sum(axis=axis)) + largest.squeeze(axis)
'''
