"""Casts where NumPy's promotion would not give the planned dtype, and numbers as literals.

A comparison makes bools, and is used as such where NumPy promotes it by itself (a product with a float
array); elsewhere it is cast. Known numbers are Python scalars, which are weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from einback.ir.nodes import Number
from einback.plan.dtypes import DType
from einback.plan.numbers import is_integral
from einback.run.steps import Call, DTypeName, Expr, Literal, Method
from einback.run.values import Value

__all__ = ["cast", "conformed", "dtype_keyword", "literal", "number_value", "typed"]

_EXACT = 1 << 53  # integers below are exact as floats


def literal(number: Number, dtype: DType) -> Literal:
    """A number as Python writes it, to be used with arrays of `dtype`."""
    if is_integral(number) and (dtype.kind in "iuO" or -_EXACT < number < _EXACT):
        return Literal(int(number))
    try:
        return Literal(float(number))
    except OverflowError:
        return Literal(float("inf") if number > 0 else float("-inf"))


def number_value(number: Number, rank: int, dtype: DType) -> Value:
    """A number at every entry; its dtype says what it is used with."""
    return Value(literal(number, dtype), (), dtype, (None,) * rank, row_major=True)


def typed(expr: Expr, dtype: DType) -> Expr:
    """A scalar of exactly this dtype; a Python integer where it is object."""
    return Call("int" if dtype.kind == "O" else f"np.{dtype.type.__name__}", (expr,))


def dtype_keyword(dtype: DType) -> tuple[tuple[str, Expr], ...]:
    """The keyword that makes an array of a dtype; float64 needs none."""
    return () if dtype == np.float64 else (("dtype", DTypeName(dtype)),)


def cast(value: Value, dtype: DType) -> Value:
    """The value in another dtype; numbers have none."""
    if value.dtype == dtype or isinstance(value.expr, Literal):
        return value
    expr = value.expr
    if value.dtype.kind == "c" and dtype.kind != "c":
        expr = Call("np.real", (expr,))
    if not value.shape:
        return replace(value, expr=typed(expr, dtype), dtype=dtype)
    return replace(value, expr=Method(expr, "astype", (DTypeName(dtype),)), dtype=dtype)


def conformed(values: Sequence[Value], dtype: DType) -> list[Value]:
    """The values cast so that NumPy's promotion of them together gives `dtype`."""
    made = [value if np.result_type(value.dtype, dtype) == dtype else cast(value, dtype) for value in values]
    if promoted(made) == dtype:
        return made
    for k, value in enumerate(made):
        if not isinstance(value.expr, Literal):
            made[k] = cast(value, dtype)
            break
    return made


def promoted(values: Sequence[Value]) -> DType:
    """The dtype that NumPy gives a sum or product of the values."""
    return np.result_type(*(_scalar(v.expr) if isinstance(v.expr, Literal) else v.dtype for v in values))


def _scalar(expr: Literal) -> int | float:
    """A Python scalar as weak as the literal, small enough for every dtype."""
    return 0 if isinstance(expr.value, int) else 0.0
