"""Formula trees to networks: factors become parts, indices legs, functions frames, sums rows.

What is drawn is what is printed: the same tree under the same names. Sums over indices need no sign here, since an
index that is not an open end is summed, in the innermost network that has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from einback.formula.diagram.factors import Factors
from einback.formula.diagram.network import Block, End, Frame, Kind, Leg, Network, Part, Row, Words
from einback.formula.diagram.wires import Wires, pieces
from einback.formula.latex import LatexWriter, index_latex, tensor_latex
from einback.formula.tree import (
    ONE,
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
    Sum,
    Tree,
)
from einback.formula.unicode import TextWriter, number
from einback.rules.matrix import matrix_row, matrix_text
from einback.rules.scalar import row

__all__ = ["Slot", "Surroundings", "drawn", "subscripted"]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIGNS = {">=": ("≥", r"\geq"), "<=": ("≤", r"\leq"), "==": ("=", "="), "!=": ("≠", r"\neq"), "^": ("^", r"\wedge")}


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor that was taken out: its name, and the free indices where its axes were."""

    name: str
    indices: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known where a tree stands: writers with names, the tensors that have lines, axes that look alike."""

    text: TextWriter
    latex: LatexWriter
    lines: frozenset[str]
    alike: frozenset[str]  # the tensors of which two axes have one size, and are not interchangeable

    @property
    def chosen(self) -> Mapping[Index, str]:
        return self.text.chosen


def drawn(tree: Tree, outs: Sequence[Place], around: Surroundings, slots: Sequence[Slot] = ()) -> Block:
    """The block of a tree whose open ends are `outs`; every one of its terms ends in the slots too."""
    return _block(tree, outs, (), around, slots)


def _block(
    tree: Tree, outs: Sequence[Place], over: Sequence[Index], around: Surroundings, slots: Sequence[Slot] = ()
) -> Block:
    if isinstance(tree, Product) and tree.plain:  # the sum of the product is that of its factor's terms, or none
        inner = tree.factors[0]
        if isinstance(inner, Sum):
            tree = Sum(inner.terms, (*inner.bound, *tree.bound)) if _all_hold(inner, tree.bound) else tree
        elif not tree.bound:
            tree = inner
    terms = tree.terms if isinstance(tree, Sum) else (tree,)
    blocks: list[Block] = []
    for k, term in enumerate(terms):
        factors = Factors().add(term)
        if k or factors.negative:
            blocks.append(Words("−", "-") if factors.negative else Words("+", "+"))
        blocks.append(_term(factors, outs, over, around, slots))
    return _row(blocks)


def _all_hold(total: Sum, indices: Iterable[Index]) -> bool:
    return all(index in term.free for term in total.terms for index in indices)


def _row(blocks: Iterable[Block]) -> Block:
    flat: list[Block] = []
    for block in blocks:
        flat += block.blocks if isinstance(block, Row) else (block,)
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def _term(
    factors: Factors,
    outs: Sequence[Place],
    over: Sequence[Index],
    around: Surroundings,
    slots: Sequence[Slot],
) -> Block:
    """One term: its number, the networks that nothing joins to the open ends, and the one that has these."""
    blocks: list[Block] = []
    plain = replace(factors.plain, coefficient=factors.plain.magnitude)
    network = _Wiring(around.chosen, around=around).network(factors.parts, outs, over, slots)
    if plain.coefficient != 1 or plain.factors or plain.divisors or not network.parts:
        blocks.append(Words(around.text.product(plain), around.latex.product(plain)))
    blocks += pieces(network)
    return _row(blocks)


@dataclass(slots=True)
class _Wiring(Wires):
    """A network in the making: factors become parts, and their indices meet."""

    around: Surroundings = field(kw_only=True)

    def network(
        self, factors: Sequence[tuple[Tree, bool]], outs: Sequence[Place], over: Sequence[Index], slots: Sequence[Slot]
    ) -> Network:
        for factor, divides in factors:
            self.factor(factor, divides)
        for slot in slots:
            mark = _look_alike(slot.indices, self.around.chosen)
            part = self.add(Part(Kind.SLOT, subscripted(slot.name), tensor_latex(slot.name), slot.name, mark=mark))
            for axis, index in enumerate(slot.indices):
                self.meet(index, End(part, axis))
        open_ends = [self.open(place) for place in outs]
        for index in over:
            self.meet(index, End(self.add(Part(Kind.BOUND, *self.index(index))), 0))
        return self.tied(open_ends)

    def open(self, place: Place) -> int:
        if isinstance(place, Index):
            part = self.add(Part(Kind.OPEN, *self.index(place)))
            self.meet(place, End(part, 0))
            return part
        text, latex = self.words(place)
        part = self.add(Part(Kind.OPEN, text, latex))
        self.join(place, End(part, 0))
        return part

    def words(self, place: Place) -> tuple[str, str]:
        text = re.sub(r"(\d)\*(?=[^\W\d])", r"\1", self.around.text.place(place))
        return text, self.around.latex.place(place)

    def join(self, place: Place, end: End) -> None:
        """Fix an axis at the place where it is read."""
        match place:
            case Index():
                self.meet(place, end)
                return
            case Ref():
                part = self.tensor(place)
                start = End(part, len(place.indices))
            case Affine() | Group():
                part = self.add(Part(Kind.PLACE, *self.words(place)))
                for axis, inner in enumerate(place.places, start=1):
                    self.join(inner, End(part, axis))
                start = End(part, 0)
        self.joined.append(Leg(start, end, "", "", "", named=False, arrow=isinstance(place, Ref)))

    def tensor(self, ref: Ref) -> int:
        name = subscripted(ref.name)
        text, latex = name, tensor_latex(ref.name)
        if ref.fn:
            text = matrix_text(ref.fn, name)
            latex = matrix_row(ref.fn).latex.format(f"{{{latex}}}" if "^" in latex else latex)
        kind = Kind.MATRIX if ref.fn else Kind.NAMED if ref.name in self.around.lines else Kind.INPUT
        nameless = sum(not isinstance(place, Index) for place in ref.indices) > 1
        alike = ref.name in self.around.alike or ref.fn not in ("", "inv")  # the inverse alone is symmetric as well
        mark = len(ref.indices) > 1 and (nameless or alike)
        part = self.add(Part(kind, text, latex, ref.name, mark=mark))
        for axis, place in enumerate(ref.indices):
            self.join(place, End(part, axis))
        return part

    def factor(self, tree: Tree, divides: bool) -> None:
        match tree:
            case Ref() if not divides:
                self.tensor(tree)
            case Eye(indices=(Index() as a, Index() as b)) if not divides:
                self.deltas.append((a, b))
            case Eye(indices=(place, Index() as index)) | Eye(indices=(Index() as index, place)) if not divides:
                self.relation(place, index)
            case Eye(indices=(a, b)) if not divides:
                part = self.add(Part(Kind.DELTA, "δ", r"\delta"))
                self.join(a, End(part, 0))
                self.join(b, End(part, 1))
            case Fill() if not divides:
                for index in tree.indices:
                    self.meet(index, End(self.add(Part(Kind.ONES, "1", "1")), 0))
            case Position() if not divides:
                self.meet(tree.index, End(self.add(Part(Kind.RANGE, "0 1 2 …", r"0\,1\,2\ldots")), 0))
            case _:
                part = self.add(self.frame(tree, divides))
                for axis, index in enumerate(tree.free):
                    self.meet(index, End(part, axis))

    def relation(self, place: Place, index: Index) -> None:
        """An identity of an index and a place: the place's box has the index for a leg."""
        match place:
            case Ref():
                part = self.add(Part(Kind.DELTA, "δ", r"\delta"))
                self.join(place, End(part, 0))
                self.meet(index, End(part, 1))
            case Affine() | Group():
                part = self.add(Part(Kind.PLACE, *self.words(place)))
                self.meet(index, End(part, 0))
                for axis, inner in enumerate(place.places, start=1):
                    self.join(inner, End(part, axis))
            case _:
                raise TypeError(f"{type(place).__name__} is no place of a relation")

    def frame(self, tree: Tree, divides: bool) -> Part:
        if divides:
            base, exponent = (tree.base, tree.exponent) if isinstance(tree, Power) else (tree, Number(ONE))
            if isinstance(exponent, Number):
                return self.power(base, Number(-exponent.value))
            return self.power(tree, Number(-ONE))
        match tree:
            case Power(exponent=Number() as exponent):
                return self.power(tree.base, exponent)
            case Power():
                return self.call("", "", "^", (tree.base, tree.exponent))
            case Over():
                names = [self.around.chosen[index] for index in tree.over]
                over = () if tree.keeps else tree.over
                listed = ", ".join(map(index_latex, names))
                title = f"{tree.fn}[{','.join(names)}]", rf"\mathrm{{{_escaped(tree.fn)}}}_{{{listed}}}"
                return Part(Kind.FRAME, *title, frame=self.inside(tree.body, tree.free, over))
            case Call() if row(tree.fn).text and len(tree.args) == 2:
                sign = row(tree.fn).text.replace("{0}", "").replace("{1}", "").strip("() ")
                return self.call("", "", sign, tree.args)
            case Call():
                return self.call(tree.fn, rf"\mathrm{{{_escaped(tree.fn)}}}", ",", tree.args)
            case _:
                return Part(Kind.FRAME, frame=self.inside(tree, tree.free))

    def power(self, base: Tree, exponent: Number) -> Part:
        value = exponent.value
        if value == ONE / 2:
            title = "√", r"\sqrt{\ \cdot\ }"
        elif isinstance(value, float) or value.denominator > 1:
            shown = number(value) if isinstance(value, float) else f"({value})"
            title = f"( )^{shown}", rf"(\,\cdot\,)^{{{number(value)}}}"
        else:
            title = "( )" + str(value).translate(_RAISED), rf"(\,\cdot\,)^{{{value}}}"
        return Part(Kind.FRAME, *title, frame=self.inside(base, base.free))

    def call(self, text: str, latex: str, sign: str, args: Sequence[Tree]) -> Part:
        if len(args) == 1:
            return Part(Kind.FRAME, text, latex, frame=self.inside(args[0], args[0].free))
        blocks: list[Block] = []
        for k, arg in enumerate(args):
            if k:
                blocks.append(Words(*_SIGNS.get(sign, (sign, sign))))
            block = _block(arg, arg.free, (), self.around)
            blocks.append(_framed(arg, self.around) if sign == "^" and isinstance(block, Row) else block)
        return Part(Kind.FRAME, text, latex, frame=Frame(_row(blocks), through=False))

    def inside(self, tree: Tree, outs: Sequence[Index], over: Sequence[Index] = ()) -> Frame:
        """What a frame holds; its legs go through where one network has them all."""
        block = _block(tree, outs, over, self.around)
        blocks = block.blocks if isinstance(block, Row) else (block,)
        whole = [isinstance(one, Network) and len(one.open) == len(outs) for one in blocks]
        sums = any(isinstance(one, Words) and one.text in ("+", "−") for one in blocks[1:])
        through = bool(outs) and whole[-1] and not sums
        return Frame(block, through)


def _framed(tree: Tree, around: Surroundings) -> Network:
    """A frame around several blocks where what stands beside them would read as a part of them."""
    wiring = _Wiring(around.chosen, around=around)
    part = wiring.add(Part(Kind.FRAME, frame=wiring.inside(tree, tree.free)))
    for axis, index in enumerate(tree.free):
        wiring.meet(index, End(part, axis))
    return wiring.tied([wiring.open(index) for index in tree.free])


def _look_alike(indices: Iterable[Index], chosen: Mapping[Index, str]) -> bool:
    return any(a.size == b.size or _base(chosen[a]) == _base(chosen[b]) for a, b in combinations(indices, 2))


def _base(name: str) -> str:
    return name.rstrip("'")


def subscripted(name: str) -> str:
    """W_1 with a small number."""
    stem, _, number = name.rpartition("_")
    lowered = stem and number.isascii() and number.isdecimal()
    return stem + number.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) if lowered else name


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")
