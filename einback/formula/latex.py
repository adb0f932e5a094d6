r"""Trees to LaTeX mathematics, by the text's own summation convention.

Indices are subscripts, with commas where one of them has several letters. W_1 is written W^{(1)}, which leaves
the subscript to indices; lambda, lam and λ are \lambda; x2 is x with a number below, in braces that keep it apart
from indices; any other name of several letters is upright. Names are escaped: whatever a tensor is called, it is
a name and no command.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from einback.formula.names import IndexNames
from einback.formula.surds import surd
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
from einback.formula.unicode import affine_text
from einback.ir.nodes import Number as Value
from einback.ir.sizes import Size
from einback.rules.matrix import matrix_row
from einback.rules.scalar import row

__all__ = ["LatexWriter", "fraction", "index_latex", "number", "power_latex", "tensor_latex"]

_GREEK: Final = frozenset(
    {
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
        *("nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    }
)
_UPRIGHT: Final = (r"\mathrm", r"\text")
_OVER: Final = {
    "sum": r"\sum_{%s} ",
    "prod": r"\prod_{%s} ",
    "max": r"\max_{%s} ",
    "min": r"\min_{%s} ",
    "logsumexp": r"\operatorname{logsumexp}_{%s}",
    "softmax": r"\operatorname{softmax}_{%s}",
    "log_softmax": r"\log\,\operatorname{softmax}_{%s}",
}


@dataclass(frozen=True, slots=True)
class LatexWriter:
    """Writes trees whose indices have names."""

    chosen: Mapping[Index, str]
    names: IndexNames

    def expression(self, tree: Tree) -> str:
        """A tree as a right-hand side, an argument, or the content of parentheses."""
        match tree:
            case Sum():
                first, *others = tree.terms
                signed = [f" {'-' if term.coefficient < 0 else '+'} {self.product(term)}" for term in others]
                return self.expression(first) + "".join(signed)
            case Product():
                return ("-" if tree.coefficient < 0 else "") + self.product(tree)
            case _:
                return self.atom(tree)

    def product(self, tree: Product) -> str:
        """A product without its sign.

        All of it stands over what it is divided by, in one fraction; a rational number alone stands in front.
        """
        coefficient = tree.magnitude
        factors, below = list(tree.factors), list(tree.divisors)
        if below and isinstance(coefficient, Fraction) and coefficient.denominator > 1:
            below.insert(0, Number(Fraction(coefficient.denominator)))
            coefficient = Fraction(coefficient.numerator)
        if coefficient != 1 or not factors:
            factors.insert(0, Number(coefficient))
        if below:
            return fraction(self.alone(factors), self.alone(below))
        return self.chain(factors)

    def alone(self, factors: Sequence[Tree]) -> str:
        """A product that fills a line of a fraction."""
        return self.expression(factors[0]) if len(factors) == 1 else self.chain(factors)

    def chain(self, factors: Sequence[Tree]) -> str:
        """Factors side by side; a sum that comes last needs no parentheses."""
        *others, last = factors
        shown = [*map(self.factor, others), self.atom(last) if isinstance(last, Over) else self.factor(last)]
        return shown[0] + "".join(_gap(left, right) + right for left, right in pairwise(shown))

    def factor(self, tree: Tree) -> str:
        """A tree next to others in a product, or under a power."""
        match tree:
            case Sum() | Product() | Over(fn="sum" | "prod" | "max" | "min"):
                return _bracketed(self.expression(tree))
            case Number() if tree.value < 0:
                return _bracketed(number(tree.value))
            case _:
                return self.atom(tree)

    def atom(self, tree: Tree) -> str:
        match tree:
            case Number():
                return number(tree.value)
            case Ref():
                name = tensor_latex(tree.name)
                if tree.fn:  # braces keep a second superscript apart
                    name = matrix_row(tree.fn).latex.format(f"{{{name}}}" if "^" in name else name)
                return name + self.indices(tree.indices)
            case Position():
                return index_latex(self.chosen[tree.index])
            case SizeOf():
                return self.length(tree.size)
            case Eye():
                return r"\delta" + self.indices(tree.indices)
            case Fill():
                return r"\mathbf{1}" + self.indices(tree.indices)
            case Call(fn="complex", args=(Number(value=0), Number(value=1))):
                return r"\mathrm{i}"
            case Call():
                return row(tree.fn).latex.format(*(self.expression(arg) for arg in tree.args))
            case Over():
                return self.over(tree)
            case Power():
                return self.power(tree)
            case _:
                raise TypeError(f"{type(tree).__name__} is no atom")

    def length(self, size: Size) -> str:
        return f"|{index_latex(self.names.shown(size) or self.names.pick(size, (), str(size)))}|"

    def over(self, tree: Over) -> str:
        sign = _OVER[tree.fn] % _listed([self.chosen[index] for index in tree.over])
        body = self.expression(tree.body)
        lone = tree.fn == "sum" or (tree.fn in ("prod", "max", "min") and isinstance(tree.body, Ref | Call))
        return sign + (body if lone and not isinstance(tree.body, Sum) else _bracketed(body))

    def power(self, tree: Power) -> str:
        if tree.root:
            return rf"\sqrt{{{self.expression(tree.base)}}}"
        base = self.factor(tree.base)
        raised = not isinstance(tree.base, Ref) or "^" in base
        whole = isinstance(tree.base, Number) and not base.startswith(r"\frac") and not {" ", "^"} & {*base}
        plain = isinstance(tree.base, SizeOf) or whole
        if raised and not plain and not base.endswith(r"\right)"):
            base = _bracketed(base)
        exponent = tree.exponent
        shown = power_latex(exponent.value) if isinstance(exponent, Number) else self.expression(exponent)
        return f"{base}^{{{shown}}}"

    def indices(self, places: Sequence[Place]) -> str:
        if all(isinstance(place, Index) for place in places):
            names = [self.chosen[place] for place in places if isinstance(place, Index)]
            return f"_{{{_listed(names)}}}" if names else ""
        return f"_{{{', '.join(map(self.place, places))}}}"

    def place(self, place: Place) -> str:
        match place:
            case Index():
                return index_latex(self.chosen[place])
            case Ref():
                return self.atom(place)
            case Group():
                return f"({' '.join(map(self.place, place.places))})"
            case Affine():
                return affine_text(place, [self.place(inner) for inner in place.places], " ", self.length)


def tensor_latex(name: str) -> str:
    r"""A tensor's name, what stands behind its first underscore as a label above; a letter's number stands below.

    >>> tensor_latex("W_1"), tensor_latex("sigma2"), tensor_latex("loss")
    ('W^{(1)}', '{\\sigma_{2}}', '\\mathrm{loss}')
    """
    base, _, label = name.partition("_")
    if not base or not label:
        numbered = re.fullmatch(r"([^\W\d_]+)([0-9]+)", name)
        letter = _word(numbered[1]) if numbered else ""
        return f"{{{letter}_{{{numbered[2]}}}}}" if numbered and not letter.startswith(_UPRIGHT) else _word(name)
    return f"{_word(base)}^{{({','.join(_word(part) for part in label.split('_') if part)})}}"


def index_latex(name: str) -> str:
    """An index's name, its primes behind it."""
    base = name.rstrip("'")
    stem, _, label = base.partition("_")
    shown = f"{_word(stem)}_{{{_word(label)}}}" if stem and label else _word(base)
    return shown + name[len(base) :]


def number(value: Value) -> str:
    r"""A number; one that is long, a root, or not finite in the form that LaTeX knows.

    >>> number(Fraction(-1, 2)), number(1e-7), number(float("inf")), number(-(2**0.5))
    ('-\\frac{1}{2}', '10^{-7}', '\\infty', '-\\sqrt{2}')
    """
    if isinstance(value, Fraction):
        top, bottom = str(abs(value.numerator)), str(value.denominator)
        return ("-" if value < 0 else "") + (fraction(top, bottom) if bottom != "1" else top)
    known = surd(abs(value))
    if known is not None:
        top, bottom = known
        return ("-" if value < 0 else "") + (top if bottom == "1" else fraction(top, bottom))
    mantissa, _, exponent = repr(value).partition("e")
    mantissa = mantissa.replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")
    if not exponent:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def power_latex(value: Value) -> str:
    """A number as an exponent, where a fraction stands on the line."""
    return str(value) if isinstance(value, Fraction) else number(value)


def fraction(top: str, bottom: str) -> str:
    """One over the other, with a line between."""
    return rf"\frac{{{top}}}{{{bottom}}}"


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)"


def _gap(left: str, right: str) -> str:
    """What stands between two factors: an upright word would run into its neighbour, if that is no parenthesis."""
    word, other = (left, right) if left.startswith(_UPRIGHT) else (right, left)
    apart = word.startswith(_UPRIGHT) and not other.startswith(r"\left") and not left[-1].isdigit()
    return r"\, " if apart else " "


def _listed(names: Sequence[str]) -> str:
    shown = [index_latex(name) for name in names]
    return ("" if all(len(name.rstrip("'")) == 1 for name in names) else ", ").join(shown)


def _word(word: str) -> str:
    """A name without labels: a letter, a Greek letter, or an upright word."""
    greek = unicodedata.name(word, "").split() if len(word) == 1 else []
    if greek[:2] in (["GREEK", "SMALL"], ["GREEK", "CAPITAL"]) and len(greek) == 4:
        word = greek[3].lower().replace("lamda", "lambda")
        word = word.capitalize() if greek[1] == "CAPITAL" else word
    if word.lower() in _GREEK and (word.islower() or word.istitle()):
        return _greek(word)
    if word == "lam":
        return r"\lambda"
    if word.isdecimal() and word.isascii():
        return word
    if word.isascii() and word.isalpha() and len(word) == 1:
        return word
    text = "".join(char if char.isalnum() else r"\_" for char in word)
    return rf"\mathrm{{{text}}}" if word.isascii() else rf"\text{{{text}}}"


def _greek(word: str) -> str:
    """The macro of a Greek letter; capitals that look Latin have none."""
    latin = {"Alpha": "A", "Beta": "B", "Epsilon": "E", "Zeta": "Z", "Eta": "H", "Iota": "I", "Kappa": "K", "Mu": "M"}
    latin |= {"Nu": "N", "Omicron": "O", "Rho": "P", "Tau": "T", "Chi": "X", "omicron": "o"}
    return rf"\mathrm{{{latin[word]}}}" if word in latin else rf"\{word}"
