"""Functions entry by entry, and weighted sums, as a target spells them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from einback.errors import CompileError
from einback.ir.nodes import Number
from einback.plan.dtypes import DType
from einback.plan.numbers import is_integral
from einback.rules.scalar import row
from einback.run.functional.code import ANY, ATOM, PRODUCT, SUM, UNARY, Array, Code, literal
from einback.run.functional.writer import Writer

__all__ = ["apply", "weighted_sum"]

_BOOL = np.dtype(np.bool_)
_NEEDS_ARRAYS = frozenset(["maximum", "minimum", "hypot", "arctan2", "logaddexp", "complex"])
_TERMS = 12  # of a sum that is written as one
_KEPT = frozenset(["abs", "real", "imag"])  # of complex arguments, whose results are real


def apply(writer: Writer, fn: str, args: Sequence[Array], dtype: DType, exponent: Number | None = None) -> Array:
    """A row of the scalar table; `exponent` is that of a power, where it is a number that is known."""
    scalar = row(fn)
    if fn == "where":
        return _where(writer, args, dtype)
    if scalar.predicate:
        return _comparison(writer, scalar.numpy, args)
    if fn == "power":
        return _power(writer, writer.cast(args[0], dtype), args[1], exponent, dtype)
    complex_given = any(arg.dtype.kind == "c" and not arg.weak for arg in args)
    if fn in ("floor", "ceil", "rint", "trunc") and dtype.kind in "iu":
        return writer.cast(args[0], dtype)
    if not (fn in _KEPT and complex_given):
        within = np.empty(0, dtype).real.dtype if fn == "complex" else dtype
        args = [writer.cast(arg, within) for arg in args]
        if all(arg.weak for arg in args) or (writer.target.strict and fn in _NEEDS_ARRAYS):
            args = [writer.number(arg, within) for arg in args]
    elif fn in ("imag", "real"):
        return replace(args[0], code=Code(f"{args[0].code.at(ATOM)}.{fn}"), dtype=dtype, below=None)
    if fn == "real":
        return args[0]
    if fn == "imag":
        return writer.combined(args, dtype, lambda e: writer.function("zeros_like", e[0].at(ANY)))
    template = _template(writer, fn, complex_given)
    return _spelled(writer, template, args, dtype, cast=fn == "above")


def _template(writer: Writer, fn: str, complex_given: bool) -> str:
    """The spelling of a row: the target's own, else NumPy's with another module."""
    scalar, target = row(fn), writer.target
    module = f"{target.module}."
    if complex_given and not scalar.parts:
        if not scalar.analytic:
            raise CompileError(f"{fn} is not defined for complex arrays")
        return scalar.analytic.replace("np.", module)
    if fn in target.functions:
        return target.functions[fn]
    writer.spelled_helper(fn)
    return scalar.numpy.replace("np.", module)


def _spelled(writer: Writer, template: str, args: Sequence[Array], dtype: DType, *, cast: bool = False) -> Array:
    """A template with the arguments in it; what stands in it twice is named first."""
    values = [writer.settled(arg) if template.count(f"{{{k}}}") > 1 else arg for k, arg in enumerate(args)]
    outer = template.startswith("(") and template.endswith(")") and _closes(template) == len(template) - 1
    inner = template[1:-1] if outer else template

    def write(codes: list[Code]) -> Code:
        text = inner
        for k, code in enumerate(codes):
            alone = re.compile(rf"(?:(?<=\()|(?<=, ))\{{{k}\}}(?=[,)])")
            text = alone.sub(lambda _, code=code: code.at(ANY), text)  # type: ignore[misc]
            text = text.replace(f"{{{k}}}", code.at(ATOM))
        return Code(text, ANY if outer else ATOM)

    made = writer.combined(values, dtype, write)
    return writer.cast(replace(made, mask=True), dtype) if cast else made


def _closes(template: str) -> int:
    """Where the bracket that opens a template closes."""
    depth = 0
    for k, letter in enumerate(template):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return k
    return -1


def _comparison(writer: Writer, template: str, args: Sequence[Array]) -> Array:
    if all(arg.weak for arg in args):
        args = [writer.number(args[0], args[0].dtype), *args[1:]]
    sign = template.split()[1]
    args = [replace(writer.cast(arg, np.dtype(np.int8)), mask=False) if arg.mask else arg for arg in args]
    made = writer.combined(args, _BOOL, lambda e: Code(f"{e[0].at(SUM)} {sign} {e[1].at(SUM)}", ANY))
    return replace(made, mask=True)


def _where(writer: Writer, args: Sequence[Array], dtype: DType) -> Array:
    condition, yes, no = args
    if condition.weak:
        condition = writer.number(condition, dtype)
    if not condition.mask:
        condition = writer.combined([condition], _BOOL, lambda e: Code(f"{e[0].at(SUM)} != 0", ANY))
    both = yes.weak and no.weak
    yes, no = (writer.cast(value, dtype) for value in (yes, no))
    if both:
        yes = writer.typed_literal(yes, dtype)
        no = writer.typed_literal(no, dtype)
    made = writer.combined([condition, yes, no], dtype, lambda e: writer.function("where", *(c.at(ANY) for c in e)))
    return writer.cast(replace(made, mask=True), dtype) if both and not writer.target.strict else made


def _power(writer: Writer, base: Array, raised: Array, exponent: Number | None, dtype: DType) -> Array:
    """A power, as it is read: roots and quotients by their names."""
    if base.weak and raised.weak:
        base = writer.number(base, dtype)
    raised = writer.cast(raised, dtype)
    if exponent == Fraction(1, 2):
        return writer.combined([base], dtype, lambda e: writer.function("sqrt", e[0].at(ANY)))
    if exponent in (-1, Fraction(-1, 2), -2):
        below = base
        if exponent == Fraction(-1, 2):
            below = writer.combined([base], dtype, lambda e: writer.function("sqrt", e[0].at(ANY)))
        if exponent == -2:
            below = writer.combined([base], dtype, lambda e: Code(f"{e[0].at(ATOM)} ** 2", UNARY))
        below = writer.inlined(below)
        made = writer.combined([below], dtype, lambda e: Code(f"1 / {e[0].at(UNARY)}", PRODUCT))
        order = [axis for axis in below.axes if axis is not None]
        return replace(made, below=below.code) if order == sorted(order) else made
    if exponent is not None and is_integral(exponent) and exponent > 0 and dtype.kind in "iu":
        raised = replace(raised, code=literal(exponent))
    return writer.combined([base, raised], dtype, lambda e: Code(f"{e[0].at(ATOM)} ** {e[1].at(UNARY)}", UNARY))


def weighted_sum(writer: Writer, terms: Sequence[tuple[Array, Number]], dtype: DType) -> Array:
    """The sum of weight * term; a term that is added comes first, where there is one."""
    ranked = sorted(terms, key=lambda term: (term[0].weak, term[1] < 0, -term[0].rank))
    if ranked[0][1] < 0:  # numbers stand behind, unless all else is subtracted
        ranked.sort(key=lambda term: term[1] < 0)
    while len(ranked) > _TERMS:  # Python reads a long sum as deeply as it is long
        first, ranked = ranked[:_TERMS], ranked[_TERMS:]
        ranked.insert(0, (writer.settled(_sum(writer, first, dtype)), Fraction(1)))
    return _sum(writer, ranked, dtype)


def _sum(writer: Writer, ranked: Sequence[tuple[Array, Number]], dtype: DType) -> Array:
    values = [writer.inlined(writer.cast(value, dtype)) for value, _ in ranked]
    weights = [weight for _, weight in ranked]
    if all(value.weak for value in values):
        values[0] = writer.number(values[0], dtype)

    def write(codes: list[Code]) -> Code:
        first = _weighted(codes[0], weights[0])
        if len(codes) == 1:
            return first
        text = first.at(PRODUCT)
        for code, weight in zip(codes[1:], weights[1:], strict=True):
            sign = "-" if weight < 0 else "+"
            text += f" {sign} {_weighted(code, -weight if weight < 0 else weight).at(PRODUCT)}"
        return Code(text, SUM)

    return writer.combined(values, dtype, write)


def _weighted(code: Code, weight: Number) -> Code:
    if weight == 1:
        return code
    if weight == -1:
        return Code(f"-{code.at(PRODUCT)}", PRODUCT if code.level == PRODUCT else UNARY)
    if isinstance(weight, Fraction) and abs(weight.numerator) == 1 and weight.denominator not in (1, 2, 4, 8):
        if weight.denominator < 1 << 53:
            sign = "-" if weight < 0 else ""
            return Code(f"{sign}{code.at(UNARY if sign else PRODUCT)} / {weight.denominator}", PRODUCT)
    flat = code.level == PRODUCT and "@" not in code.text and not code.text.startswith("-")
    return Code(f"{literal(weight).at(PRODUCT)} * {code.at(PRODUCT if flat else UNARY)}", PRODUCT)
