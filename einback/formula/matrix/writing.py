"""Matrix expressions to text, with brackets wherever a reader could hesitate.

What binds tightest stands first; `docs/matrices.md` has the table for readers.

    ATOM     a name, a number, (..), a function with its brackets: exp(A), tr(A B)
    POSTFIX  Aᵀ, A⁻¹, x², A^⊙2
    CHAIN    a product, A B x, with a number or a fraction without blanks in front: 1/n Xᵀ y
    KRON     A ⊗ B
    ODOT     x ⊙ y
    RATIO    x / y, of matrices A ⊘ B
    SUM      a + b, and what begins with a minus sign

Operands of ⊗, ⊙ and / stand in brackets unless they are postfix or tighter, but for a product of numbers over a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

from einback.formula.matrix.expr import (
    Along,
    Apply,
    Blocks,
    Chain,
    Commutation,
    Diag,
    Diagonal,
    Expr,
    Full,
    Function,
    Hadamard,
    Identity,
    Kron,
    Length,
    Number,
    Ones,
    Power,
    Ratio,
    Scaled,
    Sum,
    Symbol,
    Trace,
    Transpose,
    Vec,
    is_scalar,
)
from einback.formula.unicode import number as number_text
from einback.ir.nodes import Number as Value
from einback.ir.sizes import Size
from einback.rules.matrix import matrix_text
from einback.rules.scalar import row

__all__ = ["Level", "TextWriter", "raised"]

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Level(IntEnum):
    """How tightly what is written holds together."""

    SUM = 0
    RATIO = 1
    ODOT = 2
    KRON = 3
    CHAIN = 4
    POSTFIX = 5
    ATOM = 6


Written: TypeAlias = tuple[str, Level]


@dataclass(frozen=True, slots=True)
class TextWriter:
    """Writes expressions in Unicode; `length` spells a size, `identity` is the name of the identity matrix."""

    length: Callable[[Size], str]
    identity: str = "I"
    commutation: str = "K"

    def expression(self, expr: Expr) -> str:
        return self.write(expr)[0]

    def tight(self, expr: Expr, level: Level) -> str:
        """An expression, in brackets unless it holds together at least so tightly."""
        text, own = self.write(expr)
        return text if own >= level else self.brackets(text)

    def brackets(self, text: str) -> str:
        return f"({text})"

    def write(self, expr: Expr) -> Written:
        match expr:
            case Symbol():
                return self.symbol(expr), Level.ATOM
            case Number(value=value) | Full(value=value):
                return self.number(value)
            case Length():
                return self.length(expr.size), Level.ATOM
            case Ones():
                return self.ones(), Level.ATOM
            case Identity():
                return self.identity, Level.ATOM
            case Commutation():
                return self.swap(expr), Level.ATOM
            case Transpose(arg=Function(fn="inv", arg=inner)):
                return self.raise_to(self.tight(inner, Level.ATOM), "-T"), Level.POSTFIX
            case Transpose():
                return self.raise_to(self.tight(expr.arg, Level.ATOM), "T"), Level.POSTFIX
            case Function(fn="inv"):
                return self.raise_to(self.tight(expr.arg, Level.ATOM), "-1"), Level.POSTFIX
            case Scaled():
                return self.scaled(expr)
            case Chain():
                return self.side_by_side([self.tight(one, Level.POSTFIX) for one in expr.factors]), Level.CHAIN
            case Sum():
                return " ".join(self.terms(expr)), Level.SUM
            case Kron():
                return self.kron_sign().join(map(self.side, (expr.left, expr.right))), Level.KRON
            case Blocks():
                rows = [self.row(list(map(self.expression, row))) for row in expr.rows]
                return self.grid(rows), Level.ATOM
            case Hadamard():
                return self.odot_sign().join(map(self.factor, expr.factors)), Level.ODOT
            case Ratio():
                return self.ratio(expr)
            case Power():
                return self.power(expr)
            case _:
                return self.named(expr)

    def named(self, expr: Expr) -> Written:
        """Functions with their brackets."""
        match expr:
            case Apply():
                return self.apply(expr), Level.ATOM
            case Along():
                return self.called(self.along(expr), expr.arg), Level.ATOM
            case Function():
                return self.function(expr), Level.ATOM
            case Trace():
                return self.called("tr", expr.arg), Level.ATOM
            case Diag():
                return self.called("diag", expr.arg), Level.ATOM
            case Diagonal():
                return self.called("diagonal", expr.arg), Level.ATOM
            case Vec(arg=Identity(size=size)):
                name = "vec" if expr.how == "column" else "vec_r"
                return self.called(name, Symbol(self.sized(size), expr.arg.shape, marks="I")), Level.ATOM
            case Vec():
                return self.called("vec" if expr.how == "column" else "vec_r", expr.arg), Level.ATOM
            case _:
                raise TypeError(f"unknown expression {type(expr).__name__}")

    def factor(self, expr: Expr) -> str:
        """An operand of ⊙, ⊗ or /."""
        return self.tight(expr, Level.POSTFIX)

    def side(self, expr: Expr) -> str:
        """An operand of ⊗, where an identity says its size."""
        return self.sized(expr.size) if isinstance(expr, Identity) else self.factor(expr)

    def along(self, expr: Along) -> str:
        matrix = expr.arg.shape[1] is not None and expr.arg.shape[0] is not None
        return expr.fn + (f"_{expr.how}" if expr.how else "_all" if expr.keeps and matrix else "")

    def terms(self, expr: Expr) -> list[str]:
        """The terms of a right-hand side, each with the sign that joins it to what stands before it."""
        if not isinstance(expr, Sum):
            return [self.expression(expr)]
        found: list[str] = []
        for term in expr.terms:
            shown = self.tight(term, Level.RATIO) if isinstance(term, Sum) else self.expression(term)
            sign = self.minus() if shown.startswith(self.minus()) else "+"
            found.append(f"{sign} {shown.removeprefix(self.minus())}" if found else shown)
        return found

    def scaled(self, expr: Scaled) -> Written:
        """The number, the scalars above the line, the body; then the line and what is below it."""
        weight = -expr.coefficient if expr.coefficient < 0 else expr.coefficient
        over_sizes = all(isinstance(one, Length) for one in expr.below)
        if over_sizes and (expr.body is not None or expr.above):
            front, below = self.fraction_in_front(weight, expr.below), []
        elif isinstance(weight, Fraction) and weight.denominator > 1:
            below = [Number(Fraction(weight.denominator)), *expr.below]
            weight = Fraction(weight.numerator)
            front = self.fraction_in_front(weight, ())
        else:
            front, below = self.fraction_in_front(weight, ()), list(expr.below)
        parts = [front] if front else []
        factors = [*expr.above, *([] if expr.body is None else [expr.body])]
        parts += map(self.factor, factors[:-1])
        parts += [part for last in factors[-1:] for part in self.body(last, bool(parts or below))]
        text = self.side_by_side(parts) if parts else self.number(weight)[0]
        level = Level.CHAIN
        if below and parts == [self.ones()]:  # 1 over a scalar would be a number
            one = self.brackets(self.over(self.number(Fraction(1))[0], self.denominator(below)))
            text = self.side_by_side([one, self.ones()])
        elif below:
            text, level = self.over(text, self.denominator(below)), Level.RATIO
        return (self.minus() + text, Level.SUM) if expr.coefficient < 0 else (text, level)

    def body(self, body: Expr, behind: bool) -> list[str]:
        """The factors of a body, in brackets where something stands before them."""
        if isinstance(body, Chain):
            return [self.tight(one, Level.POSTFIX) for one in body.factors]
        return [self.tight(body, Level.POSTFIX if behind else Level.RATIO)]

    def denominator(self, below: Sequence[Expr]) -> str:
        if len(below) == 1:
            return self.factor(below[0])
        return self.brackets(self.side_by_side([self.factor(one) for one in below]))

    def ratio(self, expr: Ratio) -> Written:
        top = self.factor(expr.top)
        sign = " / " if is_scalar(expr) or None in expr.shape else " ⊘ "
        return f"{top}{sign}{self.factor(expr.bottom)}", Level.RATIO

    def side_by_side(self, parts: Sequence[str]) -> str:
        """A product; a number that stands before or behind another needs its sign."""
        text = parts[0]
        for left, right in pairwise(parts):
            text += f" · {right}" if right[0].isdigit() and _is_number(left) else f" {right}"
        return text

    # How things are spelled

    def symbol(self, expr: Symbol) -> str:
        return expr.name

    def minus(self) -> str:
        return "−"

    def odot_sign(self) -> str:
        return " ⊙ "

    def kron_sign(self) -> str:
        return " ⊗ "

    def ones(self) -> str:
        return "1"

    def sized(self, size: Size) -> str:
        name = self.length(size)
        return f"{self.identity}_{name}" if name.isalnum() else f"{self.identity}_({name})"

    def row(self, cells: Sequence[str]) -> str:
        return ", ".join(cells)

    def grid(self, rows: Sequence[str]) -> str:
        return f"[{'; '.join(rows)}]"

    def swap(self, expr: Commutation) -> str:
        names = [self.length(expr.rows), self.length(expr.columns)]
        return f"{self.commutation}_{''.join(names)}" if all(len(one) == 1 for one in names) else (
            f"{self.commutation}_({','.join(names)})"
        )  # fmt: skip

    def number(self, value: Value) -> Written:
        text = number_text(-value if value < 0 else value)
        if value < 0:
            return self.minus() + text, Level.SUM
        return text, Level.RATIO if "/" in text else Level.ATOM

    def fraction_in_front(self, weight: Value, sizes: Sequence[Expr]) -> str:
        """A number, perhaps over lengths, in front of a product; "" for 1."""
        if not sizes:
            return "" if weight == 1 else number_text(weight)
        top, bottom = weight, Fraction(1)
        if isinstance(weight, Fraction):
            top, bottom = Fraction(weight.numerator), Fraction(weight.denominator)
        parts = [*([number_text(bottom)] if bottom != 1 else []), *(self.expression(one) for one in sizes)]
        below = parts[0] if len(parts) == 1 else f"({' '.join(parts)})"
        return f"{number_text(top)}/{below}"

    def over(self, top: str, bottom: str) -> str:
        return f"{top} / {bottom}"

    def raise_to(self, base: str, what: str) -> str:
        return base + {"T": "ᵀ", "-T": "⁻ᵀ", "-1": "⁻¹"}[what]

    def power(self, expr: Power) -> Written:
        matrix = not is_scalar(expr) and None not in expr.shape
        if expr.exponent == Number(Fraction(1, 2)):
            return self.called("sqrt", expr.base), Level.ATOM
        whole = raised(expr.exponent)
        base = self.tight(expr.base, Level.ATOM)
        if matrix:
            return f"{base}^⊙{whole or self.brackets(self.expression(expr.exponent))}", Level.POSTFIX
        if whole:
            return base + whole.translate(_RAISED), Level.POSTFIX
        return f"{base}^{self.brackets(self.expression(expr.exponent))}", Level.POSTFIX

    def called(self, name: str, *args: Expr) -> str:
        return f"{name}({', '.join(map(self.argument, args))})"

    def argument(self, expr: Expr) -> str:
        """What stands between the brackets of a function or its commas: a comparison needs none of its own."""
        text = self.expression(expr)
        return text[1:-1] if isinstance(expr, Apply) and row(expr.fn).predicate else text

    def apply(self, expr: Apply) -> str:
        template = row(expr.fn).text
        if template:
            shown = template.format(*map(self.expression, expr.args))
            for sign, drawn in ((">=", "≥"), ("<=", "≤"), ("==", "="), ("!=", "≠")):
                shown = shown.replace(f" {sign} ", f" {drawn} ")
            return shown
        return self.called(expr.fn, *expr.args)

    def function(self, expr: Function) -> str:
        return matrix_text(expr.fn, self.expression(expr.arg))


def _is_number(text: str) -> bool:
    """Whether a factor is a number and no fraction; 1 among factors is a column of ones."""
    return text != "1" and text.replace(".", "").isdecimal()


def raised(exponent: Expr) -> str:
    """A whole number that is written small and high, "" for other exponents."""
    match exponent:
        case Number(value=Fraction() as value) if value.denominator == 1 and value >= 0:
            return str(value)
        case _:
            return ""
