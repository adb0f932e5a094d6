"""Lowering of the scalar table: rows as their NumPy spelling says, powers and choices as a reader would write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from einback.ir.nodes import Number
from einback.plan.dtypes import KEEPS_INTEGERS, DType
from einback.rules.scalar import row
from einback.run.casting import cast, conformed, literal, promoted, typed
from einback.run.elementwise import combine
from einback.run.emitter import Emitter
from einback.run.kinds import ufunc
from einback.run.steps import Call, DTypeName, Expr, Infix, Literal, Ref
from einback.run.templates import spelled
from einback.run.values import Value
from einback.run.walking import refs

__all__ = ["apply", "power"]

BOOL, FLOAT = np.dtype(np.bool_), np.dtype(np.float64)


def apply(emitter: Emitter, fn: str, args: Sequence[Value], dtype: DType) -> Value:
    """The function of a row; the arguments are spread over the same axes."""
    scalar = row(fn)
    if fn == "where":
        return _where(emitter, args, dtype)
    if scalar.predicate:
        return _spelled(emitter, scalar.numpy, args, BOOL)
    if dtype.kind in "iuO" and fn in ("floor", "ceil", "rint", "trunc"):
        return cast(args[0], dtype)
    values = _arguments(fn, args, dtype)
    is_complex = any(value.dtype.kind == "c" for value in values)
    if emitter.device and (scalar.complex_cuda if is_complex or dtype.kind == "c" else dtype.kind == "f"):
        return _whole(emitter, fn, values, dtype)
    emitter.helper(scalar.helper)
    spelling = scalar.analytic if is_complex and scalar.analytic else scalar.numpy
    if all(isinstance(value.expr, Literal) for value in values):
        values[0] = replace(values[0], expr=typed(values[0].expr, FLOAT))
        return cast(_spelled(emitter, spelling, values, FLOAT), dtype)
    return _spelled(emitter, spelling, values, dtype)


def _arguments(fn: str, args: Sequence[Value], dtype: DType) -> list[Value]:
    """The arguments, cast where NumPy would choose another dtype than the planned one."""
    if fn in ("abs", "real", "imag") and args[0].dtype.kind == "c":
        return list(args)
    if fn == "complex":
        return conformed(args, np.empty(0, dtype).real.dtype)
    natural = promoted(args)
    if fn not in KEEPS_INTEGERS and natural.kind in "iu" and natural.itemsize >= 4 and dtype == FLOAT:
        return list(args)  # NumPy's functions take long integers to float64 by themselves
    return conformed(args, dtype)


def _spelled(emitter: Emitter, spelling: str, values: Sequence[Value], dtype: DType) -> Value:
    """A template as calls and operators where it is made of these, so that they can run in place."""
    places = [Ref(-1 - k) for k in range(len(values))]
    pattern = spelled(spelling, places)
    match pattern:
        case Call(function, args) if all(isinstance(arg, Ref | Literal) for arg in args):
            values = [_argument(emitter, value, function, dtype) for value in values]
        case Infix(_, Ref(), Ref()):
            values = [emitter.inline(value) for value in values]
        case _:
            values = [emitter.settled(value) for value in values]
    for place, value in zip(places, values, strict=True):
        emitter.read_again(value, list(refs(pattern)).count(place.register) - 1)
    return combine(values, dtype, lambda e: spelled(spelling, e))


def _whole(emitter: Emitter, fn: str, values: Sequence[Value], dtype: DType) -> Value:
    """The function as one call, which a device spells as its row says."""
    settled = [emitter.settled(value) for value in values]
    return combine(settled, dtype, lambda e: Call(f"scalar.{fn}", tuple(e), (("dtype", DTypeName(dtype)),)))


def _argument(emitter: Emitter, value: Value, function: str, dtype: DType) -> Value:
    """A pending argument gets a name if the function can then overwrite it."""
    if ufunc(function) is not None and value.shape and value.dtype == dtype:
        return emitter.settled(value)
    return emitter.inline(value)


def _where(emitter: Emitter, args: Sequence[Value], dtype: DType) -> Value:
    condition, yes, no = (emitter.inline(arg) for arg in args)
    yes, no = conformed([yes, no], dtype)
    natural = promoted([yes, no])
    if isinstance(yes.expr, Literal) and isinstance(no.expr, Literal) and dtype.kind in "fc":
        expr, natural = typed(yes.expr, dtype), dtype  # two Python floats would make a float64
        return combine([condition, no], dtype, lambda e: Call("np.where", (e[0], expr, e[1])))
    chosen = combine([condition, yes, no], natural, lambda e: Call("np.where", tuple(e)))
    return cast(chosen, dtype)


def power(emitter: Emitter, value: Value, exponent: Number, dtype: DType) -> Value:
    """A power with a known exponent."""
    if not (value.dtype.kind in "iu" and value.dtype.itemsize >= 4 and dtype == FLOAT):
        (value,) = conformed([value], dtype)
    if dtype.kind != "O":
        write = next((write for known, write in _POWERS if exponent == known), None)
        if write is not None:
            inner = emitter.settled(value) if exponent == 3 else _argument(emitter, value, "np.square", dtype)
            emitter.read_again(inner, 2 * (exponent == 3))
            return combine([inner], dtype, lambda e: write(e[0]))
    raised = literal(exponent, value.dtype)
    if dtype.kind == "f" and value.dtype.kind in "iu":
        raised = Literal(float(exponent))  # NumPy has no negative powers of integers
    return combine([emitter.inline(value)], dtype, lambda e: Infix("**", e[0], raised))


def _square(x: Expr) -> Expr:
    return Call("np.square", (x,))


def _root(x: Expr) -> Expr:
    return Call("np.sqrt", (x,))


def _inverse(x: Expr) -> Expr:
    return Infix("/", Literal(1), x)


_POWERS: tuple[tuple[Fraction, Callable[[Expr], Expr]], ...] = (
    (Fraction(2), _square),
    (Fraction(3), lambda x: Infix("*", Infix("*", x, x), x)),
    (Fraction(1, 2), _root),
    (Fraction(-1), _inverse),
    (Fraction(-2), lambda x: _inverse(_square(x))),
    (Fraction(-1, 2), lambda x: _inverse(_root(x))),
)
