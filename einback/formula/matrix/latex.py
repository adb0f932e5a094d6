"""Matrix expressions to LaTeX mathematics: the brackets of the text, with fractions for lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from einback.formula.latex import fraction, power_latex, tensor_latex
from einback.formula.latex import number as number_latex
from einback.formula.matrix.expr import Apply, Commutation, Expr, Function, Number, Power, Ratio, Symbol, is_scalar
from einback.formula.matrix.writing import Level, TextWriter
from einback.ir.nodes import Number as Value
from einback.ir.sizes import Size
from einback.rules.matrix import matrix_row
from einback.rules.scalar import row

__all__ = ["LatexWriter"]

_UPRIGHT = (r"\mathrm", r"\text", r"\operatorname", r"\sin", r"\cos", r"\tan", r"\log", r"\exp", r"\max", r"\min")
_LABELLED = re.compile(r"[^^]*\^\{\([^()]*\)\}")
_NAMES = {"tr": r"\operatorname{tr}", "max": r"\max", "min": r"\min", "sqrt": r"\sqrt"}


@dataclass(frozen=True, slots=True)
class LatexWriter(TextWriter):
    """Writes expressions in LaTeX; `length` spells a size."""

    def named(self, expr: Expr) -> tuple[str, Level]:
        text, level = TextWriter.named(self, expr)
        return text, level if text.endswith(r"\right)") else Level.POSTFIX  # 2^x may not bear another power

    def brackets(self, text: str) -> str:
        return rf"\left({text}\right)"

    def side_by_side(self, parts: Sequence[str]) -> str:
        text = parts[0]
        for left, right in pairwise(parts):
            digits = left[-1].isdigit() and left[0] != "\\" and right[0].isdigit()
            apart = left.startswith(_UPRIGHT) or right.startswith((*_UPRIGHT, r"\mathrm{d}"))
            bracket = left.startswith(r"\left") or right.startswith(r"\left")
            text += (r" \cdot " if digits else r" \, " if apart and not bracket else " ") + right
        return text

    def symbol(self, expr: Symbol) -> str:
        name = tensor_latex(expr.name.removeprefix("d") if expr.marks == "d" else expr.name)
        if expr.marks == "d":
            return rf"\mathrm{{d}}{name}"
        if expr.marks == "e":
            base, _, place = expr.name.rpartition("_")
            base = tensor_latex(base)
            return f"{{{base}}}_{{{place}}}" if "^" in base or "_" in base else f"{base}_{{{place}}}"
        return expr.name if expr.marks == "I" else name

    def minus(self) -> str:
        return "-"

    def odot_sign(self) -> str:
        return r" \odot "

    def kron_sign(self) -> str:
        return r" \otimes "

    def ones(self) -> str:
        return r"\mathbf{1}"

    def sized(self, size: Size) -> str:
        return rf"{self.identity}_{{{self.length(size)}}}"

    def row(self, cells: Sequence[str]) -> str:
        return " & ".join(cells)

    def grid(self, rows: Sequence[str]) -> str:
        return "\\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"

    def swap(self, expr: Commutation) -> str:
        names = [self.length(expr.rows), self.length(expr.columns)]
        return rf"{self.commutation}_{{{(',' if max(map(len, names)) > 1 else '').join(names)}}}"

    def number(self, value: Value) -> tuple[str, Level]:
        text = number_latex(value)
        return text, Level.SUM if value < 0 else Level.POSTFIX if "\\" in text else Level.ATOM

    def fraction_in_front(self, weight: Value, sizes: Sequence[Expr]) -> str:
        if not sizes:
            return "" if weight == 1 else number_latex(weight)
        top, bottom = weight, Fraction(1)
        if isinstance(weight, Fraction):
            top, bottom = Fraction(weight.numerator), Fraction(weight.denominator)
        parts = [*([number_latex(bottom)] if bottom != 1 else []), *(self.expression(one) for one in sizes)]
        return self.over(number_latex(top), " ".join(parts))

    def over(self, top: str, bottom: str) -> str:
        return fraction(top, bottom)

    def denominator(self, below: Sequence[Expr]) -> str:
        if len(below) == 1:
            return self.expression(below[0])
        return self.side_by_side([self.factor(one) for one in below])

    def ratio(self, expr: Ratio) -> tuple[str, Level]:
        if is_scalar(expr) or None in expr.shape:
            return self.over(self.expression(expr.top), self.expression(expr.bottom)), Level.POSTFIX
        return rf"{self.factor(expr.top)} \oslash {self.factor(expr.bottom)}", Level.RATIO

    def raise_to(self, base: str, what: str) -> str:
        top = {"T": r"\top", "-T": r"-\top", "-1": "-1"}[what]
        if what == "T" and _LABELLED.fullmatch(base):  # the label above shares its place
            return rf"{base[:-1]}\,{top}}}"
        return f"{self._apart(base)}^{{{top}}}"

    def _apart(self, base: str) -> str:
        """What bears an exponent, in brackets if it bears something above already."""
        return self.brackets(base) if "^" in base and not base.startswith(r"\left") else base

    def power(self, expr: Power) -> tuple[str, Level]:
        if expr.exponent == Number(Fraction(1, 2)):
            return rf"\sqrt{{{self.expression(expr.base)}}}", Level.ATOM
        base = self.tight(expr.base, Level.ATOM)
        base = self._apart(base)
        matrix = not is_scalar(expr) and None not in expr.shape
        number = expr.exponent.value if isinstance(expr.exponent, Number) else None
        exponent = self.expression(expr.exponent) if number is None else power_latex(number)
        sign = r"\odot " if matrix else ""
        return f"{base}^{{{sign}{exponent}}}", Level.POSTFIX

    def called(self, name: str, *args: Expr) -> str:
        word, _, how = name.partition("_")
        if name.startswith("log_softmax"):
            word, how = r"\log\,\operatorname{softmax}", name[len("log_softmax_") :]
        elif word in _NAMES:
            word = _NAMES[word]
        else:
            word = rf"\operatorname{{{word}}}"
        if word == r"\sqrt":
            return rf"\sqrt{{{self.expression(args[0])}}}"
        label = "" if not how else f"_{{{how}}}" if len(how) == 1 else rf"_{{\mathrm{{{how}}}}}"
        return word + label + self.brackets(", ".join(map(self.argument, args)))

    def argument(self, expr: Expr) -> str:
        return self.expression(expr)

    def apply(self, expr: Apply) -> str:
        return row(expr.fn).latex.format(*map(self.expression, expr.args))

    def function(self, expr: Function) -> str:
        inner = self.expression(expr.arg)
        return matrix_row(expr.fn).latex.format(inner)
