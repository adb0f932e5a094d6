"""Lowering of what takes one array: sums and other reductions over axes, and diagonals that are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from string import ascii_letters

import numpy as np

from einback.errors import CompileError
from einback.ir.nodes import Number
from einback.plan.dtypes import HALF, SINGLE, DType
from einback.run.casting import cast, conformed, dtype_keyword
from einback.run.elementwise import combine, infix, signed
from einback.run.emitter import Emitter
from einback.run.folding import fold
from einback.run.steps import Call, DTypeName, Expr, Literal, Method, Ref
from einback.run.values import Labels, Term, Value, array, dense, laid, spread

__all__ = ["add_embedded", "embed", "reduce", "total"]

_SHIFTED = ("f", "d")  # dtypes whose logsumexp is written out


def total(emitter: Emitter, term: Term, out: Labels, *, lengths: Sequence[int], dtype: DType) -> Value:
    """The sum over the labels that `out` lacks; `lengths` is by label."""
    axes = [k for k, label in enumerate(term.labels) if label not in out]
    filled = dense(term.value, [lengths[label] for label in term.labels])
    made = reduce(emitter, "sum", filled, axes, dtype)
    return spread(made, [label for label in term.labels if label in out], out)


def reduce(emitter: Emitter, fn: str, value: Value, axes: Sequence[int], dtype: DType) -> Value:
    """sum, max, min, prod, logsumexp or peak over some axes, which disappear; the value repeats along none."""
    if value.dtype.char in _SHIFTED and dtype == value.dtype and fn in ("peak", "logsumexp"):
        return _peak(emitter, value, axes) if fn == "peak" else _logsumexp(emitter, value, axes)
    if emitter.device and value.dtype == dtype == HALF and fn in ("peak", "logsumexp"):
        wide = cast(value, SINGLE)
        return _peak(emitter, value, axes) if fn == "peak" else cast(_logsumexp(emitter, wide, axes), dtype)
    value = emitter.inline(value)
    gone = sorted(axis for k in axes if (axis := value.axes[k]) is not None)
    keywords: tuple[tuple[str, Expr], ...] = ()
    if len(gone) < len(value.shape):
        keywords = (("axis", Literal(gone[0] if len(gone) == 1 else tuple(gone))),)
    if fn in _HELPERS:
        emitter.helper(_HELPERS[fn])
        operand = value if value.dtype.kind == "c" else cast(value, dtype)
        made = replace(value, expr=Call(fn, (operand.expr,), keywords), dtype=dtype)
    elif not emitter.device and (folded := fold(emitter, fn, value, gone, dtype)) is not None:
        made = replace(value, expr=folded, dtype=dtype)
    elif fn in ("max", "min"):
        made = replace(value, expr=Method(value.expr, fn, (), keywords))
    else:
        if value.dtype != dtype:
            keywords = (*keywords, ("dtype", DTypeName(dtype)))
        made = replace(value, expr=Method(value.expr, fn, (), keywords), dtype=dtype)
    left = [axis for axis in range(len(value.shape)) if axis not in gone]
    place = {axis: k for k, axis in enumerate(left)}
    kept = [axis for k, axis in enumerate(value.axes) if k not in axes]
    return replace(
        made,
        shape=tuple(value.shape[axis] for axis in left),
        axes=tuple(None if axis is None else place[axis] for axis in kept),
        row_major=value.row_major or len(left) <= 1,
    )


def _peak(emitter: Emitter, value: Value, axes: Sequence[int]) -> Value:
    """The largest entry, brought into the range of finite numbers."""
    largest = float(np.finfo(value.dtype.char).max)
    made = reduce(emitter, "max", value, axes, value.dtype)
    assert isinstance(made.expr, Method)
    bounded = Method(made.expr.operand, "max", (), (*made.expr.keywords, ("initial", Literal(-largest))))
    return replace(made, expr=Call("np.fmin", (bounded, Literal(largest))))


def _logsumexp(emitter: Emitter, value: Value, axes: Sequence[int]) -> Value:
    """log(sum(exp(x))), shifted by the largest entry, each operation on its own."""
    value = emitter.settled(emitter.inline(value))
    emitter.read_again(value, 1)
    peak = emitter.settled(_peak(emitter, value, axes))
    emitter.read_again(peak, 1)
    kept = iter(peak.axes)
    beside = replace(peak, axes=tuple(None if k in axes else next(kept) for k in range(len(value.axes))))
    terms = emitter.settled(infix(emitter, "-", value, beside, value.dtype))
    terms = combine([terms], value.dtype, lambda e: Call("np.exp", (e[0],)))
    sums = emitter.settled(reduce(emitter, "sum", terms, axes, value.dtype))
    logs = combine([sums], value.dtype, lambda e: Call("np.log", (e[0],)))
    return infix(emitter, "+", logs, peak, value.dtype)


def embed(emitter: Emitter, term: Term, out: Labels, *, lengths: Sequence[int], dtype: DType) -> Value:
    """A diagonal is written: zeros, and the value where the axes with the same label agree."""
    value = term.value
    shape = [lengths[label] for label in out]
    if value.expr == Literal(1) and len(out) == 2:
        return array(Call("np.eye", (Literal(shape[0]),), dtype_keyword(dtype)), shape, dtype, row_major=True)
    target = emitter.assign(Call("np.zeros", (Literal(tuple(shape)),), dtype_keyword(dtype)))
    made = array(Ref(target), shape, dtype, row_major=True)
    emitter.own(target, made)
    add_embedded(emitter, made, term, out, None)
    return made


def add_embedded(emitter: Emitter, target: Value, term: Term, out: Labels, weight: Number | None) -> None:
    """Add weight * the value along a diagonal of an array; without a weight, write it over zeros."""
    own = list(dict.fromkeys(out))
    if len(own) > len(ascii_letters):
        raise CompileError(f"a diagonal is written over {len(own)} axes; at most {len(ascii_letters)} can be")
    letter = dict(zip(own, ascii_letters, strict=False))
    pattern = "".join(letter[label] for label in out) + "->" + "".join(letter.values())
    diagonal = Call("np.einsum", (Literal(pattern), target.expr))  # NumPy's einsum gives a view that can be written
    (value,) = conformed([term.value], target.dtype)
    sign, value = signed(emitter, spread(value, term.labels, own), weight, target.dtype)
    emitter.fill(diagonal, laid(value, range(len(own))), sign)


_HELPERS = {
    "logsumexp": '''
def logsumexp(x, axis=None):
    """log(sum(exp(x))), shifted by the largest entry unless that is infinite."""
    largest = x.real.max(axis=axis, keepdims=True, initial=-np.inf)
    largest[np.isinf(largest)] = 0
    terms = x - largest
    np.exp(terms, out=terms)
    return np.log(terms.sum(axis=axis)) + largest.squeeze(axis)
''',
    "peak": '''
def peak(x, axis=None):
    """The largest entry, of the real parts, or 0 where that is infinite: what exponentials are shifted by."""
    largest = np.asarray(x.real.max(axis=axis, initial=-np.inf))
    largest[np.isinf(largest)] = 0
    return largest
''',
}
