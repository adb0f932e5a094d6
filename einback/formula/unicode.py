"""Trees to text, as the notation reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from einback.formula.names import IndexNames
from einback.formula.tree import (
    Affine,
    Call,
    Eye,
    Fill,
    Group,
    Index,
    Number,
    Over,
    Place,
    Position,
    Power,
    Product,
    Ref,
    SizeOf,
    Sum,
    Tree,
)
from einback.ir.extents import is_formula, spelled
from einback.ir.nodes import Number as Value
from einback.ir.sizes import Size
from einback.rules.matrix import matrix_text
from einback.rules.scalar import row

__all__ = ["TextWriter", "affine_text", "is_comparison", "number", "side_by_side"]

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class TextWriter:
    """Writes trees whose indices have names."""

    chosen: Mapping[Index, str]
    names: IndexNames
    whole: bool = True  # the text has to parse: `size(n)` needs an n that it shows
    sizes: Mapping[Index, Size] = field(default_factory=dict)  # written where their indices are bound

    def expression(self, tree: Tree) -> str:
        """A tree as a right-hand side, an argument, or the content of parentheses."""
        match tree:
            case Sum() | Product():
                return " ".join(self.terms(tree))
            case Number():
                return number(tree.value)
            case Call() if row(tree.fn).predicate:
                return self.call(tree)[1:-1]
            case _:
                return self.atom(tree)

    def terms(self, tree: Tree) -> list[str]:
        """The terms of a right-hand side, each with the sign that joins it to what stands before it."""
        if isinstance(tree, Product) and tree.plain:
            tree = tree.factors[0]
        match tree:
            case Sum():
                first, *others = tree.terms
                signs = ["-" if first.coefficient < 0 else "", *("- " if t.coefficient < 0 else "+ " for t in others)]
                return [sign + self.product(term) for sign, term in zip(signs, tree.terms, strict=True)]
            case Product():
                return [("-" if tree.coefficient < 0 else "") + self.product(tree)]
            case _:
                return [self.expression(tree)]

    def product(self, tree: Product) -> str:
        """A product without its sign."""
        coefficient = tree.magnitude
        factors = [self.factor(factor) for factor in tree.factors]
        divisors = [self.factor(divisor) for divisor in tree.divisors]
        if not factors and len(divisors) == 1 and not tree.bound and isinstance(coefficient, Fraction):
            # 1 / (2 x) for 1/2 / x; with a sum over this product, the parentheses would draw the sum inside.
            if coefficient.denominator > 1:
                divisors = [f"({side_by_side([str(coefficient.denominator), *divisors])})"]
                coefficient = Fraction(coefficient.numerator)
        if coefficient != 1 or not factors:
            factors.insert(0, number(coefficient))
        return " / ".join([side_by_side(factors), *divisors])

    def factor(self, tree: Tree) -> str:
        match tree:
            case Sum() | Product():
                return f"({self.expression(tree)})"
            case Number() if tree.value < 0 or "/" in number(tree.value):
                return f"({number(tree.value)})"
            case _:
                return self.atom(tree)

    def atom(self, tree: Tree) -> str:
        match tree:
            case Number():
                return number(tree.value)
            case Ref():
                name = matrix_text(tree.fn, tree.name) if tree.fn else tree.name
                return name + self.indices(tree.indices)
            case Position():
                return self.chosen[tree.index]
            case SizeOf():
                return self.length(tree.size)
            case Eye():
                return "δ" + self.indices(tree.indices)
            case Fill():
                return "ones" + self.indices(tree.indices)
            case Call():
                return self.call(tree)
            case Over():
                over = self.indices(tree.over) if tree.keeps else self.bound(tree.over)
                return f"{tree.fn}{over}({self.expression(tree.body)})"
            case Power():
                return self.power(tree)
            case _:
                raise TypeError(f"{type(tree).__name__} is no atom")

    def length(self, size: Size) -> str:
        """The length of an index; one that the program does not show is counted."""
        name = self.names.shown(size)
        own = name or self.names.pick(size, (), str(size))
        if name or not self.whole:
            return f"size({own})"
        said = own if own == size or is_formula(size) else f"{own}:{size}"
        return f"sum[{said}](ones[{own}])"

    def call(self, tree: Call) -> str:
        template = row(tree.fn).text
        if template:  # comparisons do not chain: one inside another stands in parentheses
            args = [self.factor(arg) if is_comparison(arg) else self.expression(arg) for arg in tree.args]
            return template.format(*args)
        args = [self.expression(arg) for arg in tree.args]
        return f"{tree.fn}({', '.join(args)})"

    def power(self, tree: Power) -> str:
        if tree.root:
            return f"sqrt({self.expression(tree.base)})"
        base = self.factor(tree.base)
        if isinstance(tree.base, Power) and not tree.base.root:
            base = f"({base})"
        if isinstance(tree.exponent, Number):
            value = tree.exponent.value
            if isinstance(value, Fraction) and value.denominator == 1 and value >= 0:
                return base + str(value).translate(_RAISED)
        return f"{base}^{self.factor(tree.exponent)}"

    def indices(self, places: Sequence[Place]) -> str:
        return f"[{','.join(map(self.place, places))}]" if places else ""

    def bound(self, places: Sequence[Place]) -> str:
        """Indices on the left or in the bracket of a reduction."""
        return f"[{','.join(self.sized(place) for place in places)}]" if places else ""

    def sized(self, place: Place) -> str:
        if isinstance(place, Group):
            return f"({' '.join(map(self.sized, place.places))})"
        size = self.sizes.get(place) if isinstance(place, Index) else None
        return self.place(place) if size is None else f"{self.place(place)}:{size}"

    def place(self, place: Place) -> str:
        match place:
            case Index():
                return self.chosen[place]
            case Ref():
                return self.atom(place) if place.indices else f"{place.name}[]"  # a bare name is an index
            case Group():
                return f"({' '.join(map(self.place, place.places))})"
            case Affine():
                return affine_text(
                    place,
                    [self.place(inner) for inner in place.places],
                    "*",
                    lambda size: f"size({self.names.shown(size) or size})",
                )


def affine_text(place: Affine, inner: Sequence[str], times: str, length: Callable[[Size], str]) -> str:
    """The sum of steps times places and an offset, its places already written; `length` writes a named size."""
    text = ""
    for step, index in zip(place.steps, inner, strict=True):
        index = f"({index})" if "+" in index or "-" in index else index
        sign = "-" if isinstance(step, int) and step < 0 else "+"
        own = str(abs(step)) if isinstance(step, int) else spelled(step, length)
        factor = f"({own})" if is_formula(step) else own
        text += sign + (index if factor == "1" else f"{factor}{times}{index}")
    bare = not inner or (text == f"+{inner[0]}" and times.strip())  # a bare index would have the axis's size
    if place.offset != 0 or bare:
        text += f"{place.offset:+d}" if isinstance(place.offset, int) else f"+{spelled(place.offset, length)}"
    return text.removeprefix("+")


def number(value: Value) -> str:
    """A number as the notation reads it.

    >>> number(Fraction(-1, 2)), number(0.1), number(float("nan"))
    ('-1/2', '0.1', '(inf - inf)')
    """
    if isinstance(value, float) and math.isnan(value):
        return "(inf - inf)"
    return str(value) if isinstance(value, Fraction) else repr(value)


def is_comparison(tree: Tree) -> bool:
    """Whether a tree is [a > b]: one where it holds."""
    return isinstance(tree, Call) and row(tree.fn).predicate


def side_by_side(factors: Sequence[str]) -> str:
    """A product; a number behind another factor needs its sign."""
    text = factors[0] if factors else ""
    for factor in factors[1:]:
        text += f" * {factor}" if factor[0].isdecimal() and factor[0].isascii() else f" {factor}"
    return text
