"""Lowering of what works entry by entry: products without a sum and weighted sums.

All values of one operation are spread over the axes of its node; an axis along which every operand repeats is
left out, so that what repeats is computed once. A product with `1 / x` is written as a division.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from einback.ir.nodes import Number
from einback.plan.dtypes import DType
from einback.plan.numbers import is_integral
from einback.run.casting import cast, conformed, literal, number_value
from einback.run.emitter import Emitter
from einback.run.steps import Expr, Infix, Literal, Negative
from einback.run.values import Value, carried, laid

__all__ = ["add", "combine", "infix", "multiply", "scale", "signed", "weighted"]

_LARGE = 1 << 18  # bytes, from which NumPy reuses temporaries


def combine(values: Sequence[Value], dtype: DType, write: Callable[[list[Expr]], Expr]) -> Value:
    """An expression of values over the same axes; NumPy's broadcasting aligns them."""
    places = carried(values)
    shape = [next(v.shape[axis] for v in values if (axis := v.axes[k]) is not None) for k in places]
    where = {place: axis for axis, place in enumerate(places)}
    in_order = list(range(len(places)))
    row_major = any(v.row_major and [v.axes[k] for k in places] == in_order for v in values) or all(
        len(v.shape) <= 1 for v in values
    )
    return Value(
        write([laid(value, places) for value in values]),
        tuple(shape),
        dtype,
        tuple(where.get(k) for k in range(len(values[0].axes))),
        row_major,
    )


def infix(emitter: Emitter, sign: str, a: Value, b: Value, dtype: DType) -> Value:
    """a sign b. Operands stay pending where NumPy can reuse their temporaries, or there is nothing to reuse."""
    a, b = emitter.inline(a), emitter.inline(b)
    if not a.named and a.dtype == dtype and None not in a.axes and None in b.axes and b.shape:
        a = emitter.settled(a)  # b repeats: as an operator this would make another array, `a += b` does not
    if sign in "-/" and not b.named and b.dtype == dtype and prod(b.shape) * dtype.itemsize >= _LARGE:
        b = emitter.settled(b)  # NumPy reuses temporaries, but not a right one of these
    return combine([a, b], dtype, lambda e: Infix(sign, e[0], e[1]))


def multiply(emitter: Emitter, a: Value, b: Value, dtype: DType) -> Value:
    """a * b, where a factor that is one over something divides."""
    a, b = sorted((a, b), key=_reading_order)
    a, b = conformed([a, b], dtype)
    if _is_reciprocal(b) and not _is_reciprocal(a):
        assert isinstance(b.expr, Infix)
        return infix(emitter, "/", a, replace(b, expr=b.expr.right), dtype)
    return infix(emitter, "*", a, b, dtype)


def _reading_order(value: Value) -> tuple[bool, bool, int, list[bool], int]:
    """Divisors last, larger factors first, rows before columns, then as they are made; and masks behind all of these,
    for bools have no negative."""
    return (
        value.dtype == np.bool_,
        _is_reciprocal(value),
        -len(value.shape),
        [axis is None for axis in value.axes],
        value.made,
    )


def _is_reciprocal(value: Value) -> bool:
    return isinstance(value.expr, Infix) and value.expr.sign == "/" and value.expr.left == Literal(1)


def scale(emitter: Emitter, value: Value, weight: Number, dtype: DType) -> Value:
    """weight * value: a unit fraction divides, minus one negates."""
    value, _ = conformed([value, number_value(weight, len(value.axes), dtype)], dtype)
    if weight == 1:
        return value
    value = emitter.inline(cast(value, dtype) if value.dtype == np.bool_ else value)
    if emitter.device:  # a factor is one number there
        return combine([value], dtype, lambda e: Infix("*", e[0], literal(weight, dtype)))
    return combine([value], dtype, lambda e: _scaled(e[0], weight, dtype))


def _scaled(expr: Expr, weight: Number, dtype: DType) -> Expr:
    if weight == -1:
        return _negative(expr)
    if isinstance(weight, Fraction) and not is_integral(weight) and weight.denominator not in (2, 4, 8):
        bottom = literal(Fraction(weight.denominator), dtype)
        if weight.numerator in (1, -1):
            return Infix("/", expr if weight > 0 else _negative(expr), bottom)
        return Infix("*", Infix("/", literal(Fraction(weight.numerator), dtype), bottom), expr)
    return Infix("*", literal(weight, dtype), expr)


def _negative(expr: Expr) -> Expr:
    if isinstance(expr, Infix) and expr.sign in "*/":
        return Infix(expr.sign, _negative(expr.left), expr.right)
    return Negative(expr)


def add(emitter: Emitter, terms: Sequence[tuple[Value, Number]], constant: Number, dtype: DType) -> Value:
    """The weighted sum of terms and a constant; the largest terms come first, so that the others add in place."""
    rank = len(terms[0][0].axes)
    ranked = sorted(terms, key=lambda term: (-len(term[0].shape), term[1] < 0, term[0].made))
    start = next((k for k, (_, weight) in enumerate(ranked) if weight > 0), None)
    if start is None and constant > 0:
        total, constant = number_value(constant, rank, dtype), Fraction(0)
    else:
        value, weight = ranked.pop(start or 0)
        total = scale(emitter, value, weight, dtype)
    for value, weight in ranked:
        sign, weight = _signed(weight)
        total, term = conformed([total, scale(emitter, value, weight, dtype) if weight != 1 else value], dtype)
        total = infix(emitter, sign, total, term, dtype)
    if constant:
        sign, constant = _signed(constant)
        total, number = conformed([total, number_value(constant, rank, dtype)], dtype)
        total = infix(emitter, sign, total, number, dtype)
    return total


def weighted(emitter: Emitter, value: Value, weight: Number | None, dtype: DType) -> Value:
    """weight * value; no weight is a weight of one."""
    if weight is None or weight == 1:
        return value
    if value.expr == Literal(1):
        return replace(value, expr=literal(weight, dtype))
    return scale(emitter, value, weight, dtype)


def signed(emitter: Emitter, value: Value, weight: Number | None, dtype: DType) -> tuple[str, Value]:
    """How weight * value joins an array: the sign, and what follows it; without a weight there is no sign."""
    if weight is None:
        return "", value
    sign, size = _signed(weight)
    return sign, weighted(emitter, value, size, dtype)


def _signed(weight: Number) -> tuple[str, Number]:
    return ("-", -weight) if weight < 0 else ("+", weight)
