"""Formula trees as NumPy expressions: what is summed or laid out anew is one np.einsum, all else is arithmetic.

Every expression knows which index runs along which of its axes. Operands of arithmetic are brought into one order of
axes, with `None` where one lacks an axis in the middle; trailing axes broadcast by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from string import ascii_letters

from einback.errors import NotationError
from einback.formula.tree import (
    Call,
    Eye,
    Fill,
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
from einback.ir.nodes import Number as Value
from einback.ir.sizes import Size
from einback.rules.matrix import matrix_row
from einback.rules.scalar import row

__all__ = ["Arrays", "Code", "refused"]

COMPARISON, SUM, PRODUCT, POWER, ATOM = range(5)  # how tight an expression binds

# Spelled shorter than in generated programs; erf is imported where it is used.
_SPELLED = {
    "above": "np.heaviside({0} - {1}, 0.5)",
    "complex": "({0} + 1j * {1})",
    "erf": "np.vectorize(erf)({0})",
    "gelu": "(0.5 * {0} * (1 + np.vectorize(erf)({0} / 1.4142135623730951)))",
}
_PLAIN_CALL = re.compile(r"np\.[\w.]+(\(erf\))?\((\{\d\}|[\d.]+)(, (\{\d\}|[\d.]+))*\)")
_REDUCED = {"max": "np.max", "min": "np.min", "prod": "np.prod", "logsumexp": "np.logaddexp.reduce"}


@dataclass(frozen=True, slots=True)
class Code:
    """An expression, the index along each of its axes, how tight it binds, whether its entries are True and False."""

    text: str
    axes: tuple[Index, ...] = ()
    tight: int = ATOM
    bools: bool = False

    def within(self, tight: int) -> str:
        """The expression as an operand of something that binds so tight."""
        return self.text if self.tight >= tight else f"({self.text})"

    @property
    def floats(self) -> Code:
        """The same as numbers: + of two masks would be `or`."""
        return Code(f"{self.within(ATOM)}.astype(float)", self.axes) if self.bools else self


def refused(fact: str) -> NotationError:
    return NotationError(
        f"np.einsum has no form for this: {fact}",
        hint="ask for notation='index', or for the whole program: eb.compile(y).source()",
    )


@dataclass(slots=True)
class Arrays:
    """Writes the trees of one statement; `lines` are assignments that have to stand before it."""

    chosen: Mapping[Index, str]
    python: Mapping[str, str]  # the names of tensors
    length: Callable[[Size], str]
    spare: Iterator[str]  # new names
    complexes: bool = False  # whether an input is complex
    lines: list[str] = field(default_factory=list)
    letters: dict[str, str] = field(default_factory=dict)

    def value(self, tree: Tree, out: Sequence[Index]) -> Code:
        """An array of the tree's free indices, in the order of `out` where there is a choice."""
        match tree:
            case Number():
                return self.number(tree.value)
            case SizeOf():
                return Code(self.length(tree.size))
            case Position():
                return Code(f"np.arange({self.length(tree.index.size)})", (tree.index,))
            case Fill():
                sizes = [self.length(index.size) for index in tree.indices]
                shape = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
                return Code(f"np.ones({shape})", tree.indices)
            case Ref():
                return self.read(tree)
            case Eye():
                return self.delta(tree)
            case Call():
                return self.call(tree, out)
            case Over(keeps=True):
                return self.softmax(tree, out)
            case Over():
                return self.reduced(tree, out)
            case Power():
                return self.power(tree, out)
            case Product():
                return self.product(tree, out)
            case Sum():
                return self.sum(tree, out)
            case _:
                raise TypeError(f"unknown tree {type(tree).__name__}")

    def number(self, value: Value) -> Code:
        if isinstance(value, Fraction) and value.denominator > 1:
            return Code(f"{value.numerator} / {value.denominator}", (), PRODUCT if value > 0 else SUM)
        text = str(value).replace("inf", "np.inf").replace("nan", "np.nan")
        return Code(text, (), SUM if text.startswith("-") else ATOM)

    def read(self, tree: Ref) -> Code:
        code = matrix_row(tree.fn).numpy.format(self.python[tree.name]) if tree.fn else self.python[tree.name]
        return self.taken(code, tree.indices)

    def delta(self, tree: Eye) -> Code:
        """An identity matrix, of which a gather takes rows."""
        sizes = [place.size for place in tree.indices if isinstance(place, Index)]
        if not sizes:
            raise refused("a delta of two gathers")
        one, other = tree.indices
        places = (other, one) if isinstance(other, Ref) else (one, other)
        return self.taken(f"np.eye({self.length(sizes[0])})", places)

    def taken(self, code: str, places: Sequence[Place]) -> Code:
        """A tensor read at some places; one index at several of them is a diagonal."""
        axes: list[Index] = []
        for place in places:
            match place:
                case Index():
                    axes.append(place)
                case Ref():
                    ids = self.read(place)
                    whole = f"{code}[{ids.text}]" if not axes else f"np.take({code}, {ids.text}, axis={len(axes)})"
                    code, axes = whole, [*axes, *ids.axes]
                case _:
                    raise refused("an index that is computed, as in x[2*i+u] or y[(h w)]")
        found = Code(code, tuple(axes))
        return self.einsum([found], tuple(dict.fromkeys(axes))) if len(set(axes)) < len(axes) else found

    def call(self, tree: Call, out: Sequence[Index]) -> Code:
        args = self.together([self.value(arg, out) for arg in tree.args], out)
        known = row(tree.fn)
        template = _SPELLED.get(tree.fn, (self.complexes and known.analytic) or known.numpy)
        if tree.fn == "above" and args[1].text == "0":
            template = "np.heaviside({0}, 0.5)"
        plain = _PLAIN_CALL.fullmatch(template) is not None
        shown = []
        for k, arg in enumerate(args):
            if template.count(f"{{{k}}}") > 1 and not re.fullmatch(r"[\w.]+", arg.text):
                arg = self.named(arg)
            shown.append(arg.text if plain else arg.within(ATOM))
        axes = max((arg.axes for arg in args), key=len)
        text = template.format(*shown)
        if known.predicate:
            return Code(text[1:-1], axes, COMPARISON, True)
        return Code(text[1:-1], axes, SUM) if text.startswith("(") else Code(text, axes)

    def named(self, code: Code) -> Code:
        """An expression by a name of its own, on a line before."""
        name = next(self.spare)
        self.lines.append(f"{name} = {code.text}")
        return replace(code, text=name, tight=ATOM)

    def reduced(self, tree: Over, out: Sequence[Index]) -> Code:
        if tree.fn == "logsumexp":
            self.check_real()
        body = self.value(tree.body, (*(index for index in out if index not in tree.over), *tree.over))
        kept = tuple(index for index in body.axes if index not in tree.over)
        return Code(f"{_REDUCED[tree.fn]}({body.floats.text}{_axis(body.axes, tree.over, bool(kept))})", kept)

    def check_real(self) -> None:
        if self.complexes:
            raise refused("np.logaddexp knows no complex numbers")

    def softmax(self, tree: Over, out: Sequence[Index]) -> Code:
        self.check_real()
        body = self.value(tree.body, out).floats
        body = body if re.fullmatch(r"\w+", body.text) else self.named(body)
        total = f"np.logaddexp.reduce({body.text}{_axis(body.axes, tree.over, True)}, keepdims=True)"
        difference = f"{body.text} - {total}"
        return Code(f"np.exp({difference})", body.axes) if tree.fn == "softmax" else Code(difference, body.axes, SUM)

    def power(self, tree: Power, out: Sequence[Index]) -> Code:
        base = self.value(tree.base, out)
        if tree.root:
            return Code(f"np.sqrt({base.text})", base.axes)
        base, exponent = self.together([base.floats, self.value(tree.exponent, out)], out)
        axes = max(base.axes, exponent.axes, key=len)
        return Code(f"{base.within(ATOM)} ** {exponent.within(ATOM)}", axes, POWER)

    def product(self, tree: Product, out: Sequence[Index]) -> Code:
        """The factors in one np.einsum where they are summed, or are of several shapes; numbers stand outside."""
        free, bound = _ordered(tree.free, out), set(tree.bound)
        above = [self.value(factor, factor.free if bound else free) for factor in tree.factors]
        below = [self.value(divisor, divisor.free if bound else free) for divisor in tree.divisors]
        inside = [one for one in below if not bound.isdisjoint(one.axes)]
        above += [Code(f"1 / {one.within(POWER)}", one.axes, PRODUCT) for one in inside]
        below = [one for one in below if one not in inside]
        arrays = [one for one in above if one.axes]
        numbers = [one for one in above if not one.axes]
        axes = _ordered({index for one in arrays for index in one.axes if index not in bound}, free)
        apart = any(one.axes != axes[len(axes) - len(one.axes) :] for one in arrays)
        if bound or (apart and len(arrays) > 1):
            arrays = [self.einsum(arrays, axes)]
        return self.quotient(tree.coefficient, [*numbers, *arrays], below, free)

    def quotient(self, coefficient: Value, above: Sequence[Code], below: Sequence[Code], out: Sequence[Index]) -> Code:
        axes = _ordered({index for one in (*above, *below) for index in one.axes}, out)
        bools = bool(above) and coefficient == 1 and not below and all(one.bools for one in above)
        divisor = 1
        if isinstance(coefficient, Fraction) and above:
            coefficient, divisor = Fraction(coefficient.numerator), coefficient.denominator
        sign = "-" if coefficient < 0 else ""
        size = -coefficient if coefficient < 0 else coefficient
        parts = [] if size == 1 and above else [self.number(size).within(PRODUCT)]
        parts += [self.laid(one, axes).within(PRODUCT) for one in above]
        if sign and len(above) == 1 and above[0].bools and not parts[:-1]:
            parts = [above[0].floats.text]
        text = " * ".join(parts)
        for one in ([Code(str(divisor))] if divisor > 1 else []) + [self.laid(one, axes) for one in below]:
            text += f" / {one.within(POWER)}"
        alone = len(parts) == 1 and divisor == 1 and not below
        tight = SUM if sign else (above[0].tight if above else PRODUCT) if alone else PRODUCT
        return Code(sign + text, axes, tight, bools)

    def sum(self, tree: Sum, out: Sequence[Index]) -> Code:
        terms = [self.value(replace(term, coefficient=term.magnitude), out) for term in tree.terms]
        if sum(term.bools for term in terms) > 1 or (terms[0].bools and tree.terms[0].coefficient < 0):
            terms = [term.floats for term in terms]
        axes = _ordered({index for term in terms for index in term.axes}, out)
        text = ""
        for term, product in zip(terms, tree.terms, strict=True):
            sign = "-" if product.coefficient < 0 else "+"
            text += f" {sign} " + self.laid(term, axes).within(PRODUCT)
        return Code(text[3:] if text.startswith(" + ") else "-" + text[3:], axes, SUM)

    def together(self, codes: Sequence[Code], out: Sequence[Index]) -> list[Code]:
        """The operands of arithmetic in one order of axes."""
        axes = _ordered({index for code in codes for index in code.axes}, out)
        return [self.laid(code, axes) for code in codes]

    def laid(self, code: Code, axes: tuple[Index, ...]) -> Code:
        """The array with its axes in this order, and new ones between them where it lacks some."""
        own = tuple(index for index in axes if index in code.axes)
        if own != code.axes:
            swapped = len(own) == 2
            code = Code(f"{code.within(ATOM)}.T", own, ATOM, code.bools) if swapped else self.einsum([code], own)
        if not own or own == axes[len(axes) - len(own) :]:
            return code
        first = axes.index(own[0])
        keys = ", ".join(":" if index in own else "None" for index in axes[first:])
        return Code(f"{code.within(ATOM)}[{keys}]", axes[first:], ATOM, code.bools)

    def einsum(self, operands: Sequence[Code], out: Sequence[Index]) -> Code:
        if all(one.bools for one in operands):
            operands = [one.floats for one in operands]
        labels = ["".join(map(self.letter, one.axes)) for one in operands]
        subscripts = f"{','.join(labels)}->{''.join(map(self.letter, out))}"
        return Code(f'np.einsum("{subscripts}", {", ".join(one.text for one in operands)})', tuple(out))

    def letter(self, index: Index) -> str:
        """The letter of an index: its name if that is one, else the next that is free."""
        name = self.chosen[index]
        if name not in self.letters:
            singles = {other for other in self.chosen.values() if other in ascii_letters and len(other) == 1}
            taken = {*singles, *self.letters.values()}
            start = ascii_letters.find(name[0]) + (len(name.rstrip("'")) == 1)
            free = [one for one in (*ascii_letters[start:26], *ascii_letters) if one not in taken]
            if name not in singles and not free:
                raise refused("more than 52 indices in one line")
            self.letters[name] = name if name in singles else free[0]
        return self.letters[name]


def _ordered(indices: Iterable[Index], out: Sequence[Index]) -> tuple[Index, ...]:
    """Indices in the order of `out`, those that it lacks in front, as they come."""
    given = list(indices)
    return (*(index for index in given if index not in out), *(index for index in out if index in given))


def _axis(axes: Sequence[Index], over: Sequence[Index], some: bool) -> str:
    numbers = [k for k, index in enumerate(axes) if index in over]
    if not some and len(numbers) == len(axes) == 1:
        return ""
    return f", axis={numbers[0] if len(numbers) == 1 else tuple(numbers)}"
