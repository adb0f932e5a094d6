"""Writers of trees whose sums are all written: plain text and LaTeX, with lower indices or with upper and lower ones.

`heights` says of every tensor which of its indices stand up; without it all of them stand down. A tensor that is the
gradient of a loss by another one, the `seed`, is written as that quotient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby

from einback.formula.entrywise.scripts import script, tensor_text
from einback.formula.latex import LatexWriter, index_latex, power_latex, tensor_latex
from einback.formula.names import IndexNames
from einback.formula.quotients import Quotient
from einback.formula.tree import Affine, Call, Eye, Fill, Index, Number, Over, Place, Power, Product, Ref, Sum, Tree
from einback.formula.unicode import TextWriter, affine_text, is_comparison, side_by_side
from einback.formula.unicode import number as number_text
from einback.ir.sizes import Size
from einback.rules.matrix import matrix_row, matrix_text
from einback.rules.scalar import row

__all__ = ["Heights", "Seed", "SumLatexWriter", "SumTextWriter", "natural_heights"]

Heights = tuple[bool, ...]  # for every index of a tensor whether it stands up

_DIFFERENTIAL = re.compile(r"d[^\W\d_](_.+)?")
_SIGNS = {"greater_equal": "≥", "less_equal": "≤", "equal": "=", "not_equal": "≠", "greater": ">", "less": "<"}


@dataclass(frozen=True, slots=True)
class Seed:
    """A tensor that is the gradient of a loss by another one: all three by their names."""

    name: str
    loss: str
    by: str


def natural_heights(rank: int, turned: bool = False) -> Heights:
    """Vectors up; of others the first index up and the rest down. What is `turned` over is the other way round."""
    return tuple((axis == 0) is not turned for axis in range(rank))


@dataclass(frozen=True, slots=True)
class SumTextWriter(TextWriter):
    """Text: Σ_n X_nd G_nc, with heights X^n_d G_n^c."""

    heights: Mapping[Tree, Heights] | None = None
    seed: Seed | None = None

    def quotient(self, found: Quotient) -> str:
        """The left side ∂y/∂x."""
        above, *below = [self.tensor(*entry) for entry in (found.of, *found.by)]
        twice = len(below) == 2
        under = f"∂{below[0]}²" if twice and below[0] == below[1] else "".join("∂" + one for one in below)
        return f"∂{'²' if twice else ''}{above}/{under}"

    def tensor(self, name: str, places: Sequence[Place]) -> str:
        """A tensor where it is defined."""
        return tensor_text(name) + self.scripts(places, self.natural(places))

    def natural(self, places: Sequence[Place]) -> Heights | None:
        return None if self.heights is None else natural_heights(len(places))

    def scripts(self, places: Sequence[Place], heights: Heights | None) -> str:
        ups = heights or (False,) * len(places)
        runs = groupby(zip(ups, map(self.place, places), strict=True), key=lambda pair: pair[0])
        return "".join(("^" if up else "_") + script([name for _, name in run]) for up, run in runs)

    def expression(self, tree: Tree) -> str:
        match tree:
            case Sum() | Product():
                return " ".join(self.terms(tree))
            case Number():
                return number_text(tree.value)
            case _:
                return self.atom(tree)

    def product(self, tree: Product) -> str:
        coefficient = tree.magnitude
        divisors = [self.divisor(divisor) for divisor in tree.divisors]
        if not tree.factors and divisors and isinstance(coefficient, Fraction) and coefficient.denominator > 1:
            divisors.insert(0, str(coefficient.denominator))
            coefficient = Fraction(coefficient.numerator)
        last = self.factor if any("Σ" in divisor for divisor in divisors) else self.last
        factors = [*map(self.factor, tree.factors[:-1]), *map(last, tree.factors[-1:])]
        if coefficient != 1 or not factors:
            factors.insert(0, number_text(coefficient))
        below = side_by_side(divisors) if len(divisors) == 1 else f"({side_by_side(divisors)})"
        return side_by_side(factors) + (f" / {below}" if divisors else "")

    def factor(self, tree: Tree) -> str:
        match tree:
            case Sum() | Product() | Over(fn="sum"):
                return f"({self.expression(tree)})"
            case Number() if tree.value < 0 or not number_text(tree.value).isdecimal():
                return f"({number_text(tree.value)})"
            case _:
                return self.atom(tree)

    def last(self, tree: Tree) -> str:
        """A factor that nothing follows: a sum reaches to the end of its term."""
        return self.atom(tree) if isinstance(tree, Over) else self.factor(tree)

    def divisor(self, tree: Tree) -> str:
        shown = self.factor(tree)
        return f"({shown})" if shown.startswith("∂") else shown

    def atom(self, tree: Tree) -> str:
        match tree:
            case Ref() if self.seed and tree.name == self.seed.name and not tree.fn:
                heights = tuple(not up for up in self.shown(tree) or ()) or None
                return (
                    f"∂{tensor_text(self.seed.loss)}/∂{tensor_text(self.seed.by)}{self.scripts(tree.indices, heights)}"
                )
            case Ref():
                name = tensor_text(tree.name)
                return (matrix_text(tree.fn, name) if tree.fn else name) + self.scripts(tree.indices, self.shown(tree))
            case Eye():
                return "δ" + self.scripts(*_upper_first(tree.indices, self.shown(tree)))
            case Fill():
                return "𝟏" + self.scripts(tree.indices, self.shown(tree))
            case Over(fn="sum"):
                body = tree.body
                whole = self.product(body) if isinstance(body, Product) and body.coefficient > 0 else self.factor(body)
                return f"Σ{self.scripts(_as_read(tree), None)} {whole}"
            case Over():
                return f"{tree.fn}{self.scripts(tree.over, None)}({self.expression(tree.body)})"
            case _:
                return TextWriter.atom(self, tree)

    def shown(self, tree: Tree) -> Heights | None:
        return None if self.heights is None else self.heights[tree]

    def length(self, size: Size) -> str:
        return f"|{_named(self.names, size)}|"

    def call(self, tree: Call) -> str:
        args = [self.expression(arg) for arg in tree.args]
        if row(tree.fn).predicate:
            return f"[{args[0]} {_SIGNS[tree.fn]} {args[1]}]"
        if tree.fn == "where":
            args[0] = args[0].removeprefix("[").removesuffix("]") if is_comparison(tree.args[0]) else args[0]
        return f"{tree.fn}({', '.join(args)})"

    def power(self, tree: Power) -> str:
        if tree.root:
            return f"√({self.expression(tree.base)})"
        base = self.factor(tree.base)
        scripted = "^" in base or "∂" in base or "⁾" in base
        if isinstance(tree.base, Power) or (isinstance(tree.base, Ref) and scripted):
            base = f"({base})"
        exponent = tree.exponent
        if isinstance(exponent, Number) and number_text(exponent.value).isdecimal():
            return base + str(exponent.value).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{base}^({self.expression(exponent)})"

    def place(self, place: Place) -> str:
        match place:
            case Ref():
                return self.atom(place)
            case Affine():
                return affine_text(place, [self.place(inner) for inner in place.places], "", self.length)
            case _:
                return TextWriter.place(self, place)


@dataclass(frozen=True, slots=True)
class SumLatexWriter(LatexWriter):
    r"""LaTeX: \sum_{n} X_{nd} G_{nc}, with heights X^{n}{}_{d} G_{n}{}^{c}."""

    heights: Mapping[Tree, Heights] | None = None
    seed: Seed | None = None

    def quotient(self, found: Quotient) -> str:
        above, *below = [self.tensor(*entry) for entry in (found.of, *found.by)]
        twice = len(below) == 2
        below = (
            [rf"\partial {below[0]}^{{2}}"] if twice and below[0] == below[1] else [rf"\partial {one}" for one in below]
        )
        return rf"\frac{{\partial{'^{2}' if twice else ''} {above}}}{{{' '.join(below)}}}"

    def tensor(self, name: str, places: Sequence[Place]) -> str:
        """A tensor where it is defined."""
        heights = None if self.heights is None else natural_heights(len(places))
        return self.scripted(_name_latex(name), places, heights)

    def scripted(self, name: str, places: Sequence[Place], heights: Heights | None) -> str:
        """A name with its indices; where some stand up and some down, each stands behind the last."""
        if heights is None:
            return name + self.indices(places)
        for up, run in groupby(zip(heights, places, strict=True), key=lambda pair: pair[0]):
            apart = "{}" if "^" in name or "_" in name else ""
            name += apart + ("^" if up else "_") + self.indices([place for _, place in run])[1:]
        return name

    def atom(self, tree: Tree) -> str:
        heights = None if self.heights is None else self.heights.get(tree)
        match tree:
            case Ref() if self.seed and tree.name == self.seed.name and not tree.fn:
                heights = heights and tuple(not up for up in heights)
                below = self.scripted(_name_latex(self.seed.by), tree.indices, heights)
                return rf"\frac{{\partial {_name_latex(self.seed.loss)}}}{{\partial {below}}}"
            case Ref() if heights or not tree.fn:
                name = _name_latex(tree.name)
                if heights and tree.fn:
                    name = matrix_row(tree.fn).latex.format(f"{{{name}}}" if "^" in name else name)
                    return self.scripted(f"{{{name}}}", tree.indices, heights).replace("}{}", "}", 1)
                return self.scripted(name, tree.indices, heights)
            case Eye() if heights:
                places, ups = _upper_first(tree.indices, heights)
                return self.scripted(r"\delta", places, ups).replace("{}", "")
            case Fill() if heights:
                return self.scripted(r"\mathbf{1}", tree.indices, heights)
            case _:
                return LatexWriter.atom(self, tree)

    def length(self, size: Size) -> str:
        return f"|{index_latex(_named(self.names, size))}|"

    def over(self, tree: Over) -> str:
        return LatexWriter.over(self, replace(tree, over=_as_read(tree)))

    def product(self, tree: Product) -> str:
        """A product without its sign; what a sum is divided by stands in front of it."""
        pressed = any(map(_shows_sign, tree.factors)) and not any(map(_shows_sign, tree.divisors))
        if not tree.divisors or not pressed:
            return LatexWriter.product(self, tree)
        front = LatexWriter.product(self, Product(tree.magnitude, (), tree.divisors))
        return f"{front} {self.chain(tree.factors)}"

    def power(self, tree: Power) -> str:
        base, exponent = tree.base, tree.exponent
        gradient = isinstance(base, Ref) and self.seed is not None and base.name == self.seed.name
        raised = isinstance(base, Ref) and base.free and self.heights
        differential = isinstance(base, Ref) and _DIFFERENTIAL.fullmatch(base.name)
        if tree.root or not (gradient or raised or differential):
            return LatexWriter.power(self, tree)
        shown = power_latex(exponent.value) if isinstance(exponent, Number) else self.expression(exponent)
        return rf"\left({self.atom(base)}\right)^{{{shown}}}"


def _name_latex(name: str) -> str:
    r"""A tensor's name; dX is a differential, \mathrm{d}X."""
    return r"\mathrm{d}" + tensor_latex(name[1:]) if _DIFFERENTIAL.fullmatch(name) else tensor_latex(name)


def _shows_sign(tree: Tree) -> bool:
    """Whether a sign of a sum stands in a factor, where a line of a fraction would press it flat."""
    match tree:
        case Over():
            return tree.fn == "sum"
        case Sum():
            return any(_shows_sign(factor) for term in tree.terms for factor in term.factors)
        case Product():
            return any(map(_shows_sign, tree.factors))
        case _:
            return False


def _named(names: IndexNames, size: Size) -> str:
    """What a length is called: as an index that runs so far, or as itself where none is shown."""
    itself = size if isinstance(size, str) and size.isidentifier() else ""
    return names.shown(size) or itself or names.pick(size, ())


def _as_read(tree: Over) -> tuple[Index, ...]:
    """The indices of a sign in the order in which they are met behind it."""
    return tuple(index for index in tree.body.free if index in tree.over)


def _upper_first(places: Sequence[Place], heights: Heights | None) -> tuple[Sequence[Place], Heights | None]:
    """A delta is symmetric: its upper index is written first."""
    turned = heights == (False, True)
    return (tuple(reversed(places)), (True, False)) if turned else (places, heights)
