"""Sizes bound to numbers: every symbol gets the length that the arrays, or the caller, give it.

A symbol may stand on many axes, and two symbols may have been found equal when the program was declared;
all axes of one class must agree, and a disagreement names both places. A formula such as `h-u+1` is computed as soon
as its names have numbers, gives its number to what equals it, and must agree with what arrays say of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from einback.errors import ArrayError
from einback.ir.extents import evaluate, is_formula, symbols_in
from einback.ir.nodes import Add, Const, Einsum, Input, Map, Matrix, Node, Shape, Window
from einback.ir.sizes import Classes, Equality, Size
from einback.ir.walk import postorder

__all__ = ["Sizes", "bind", "equalities_of", "length", "resolve", "symbols_of"]

Sizes = Mapping[str, int]


def length(size: Size, sizes: Sizes) -> int:
    """The number of a size; of a formula that was not bound itself, what it comes to.

    >>> length("n", {"n": 64}), length("2*n+1", {"n": 64})
    (64, 129)
    """
    if isinstance(size, int):
        return size
    return sizes[size] if size in sizes else evaluate(size, sizes)


def resolve(shape: Shape, sizes: Sizes) -> tuple[int, ...]:
    """The shape in numbers.

    >>> resolve(("n", 3), {"n": 64})
    (64, 3)
    """
    return tuple(length(size, sizes) for size in shape)


def bind(
    inputs: Sequence[Input],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    equalities: Iterable[Equality] = (),
    given: Sizes | None = None,
    needed: Iterable[str] = (),
) -> dict[str, int]:
    """The number of every symbol: of the inputs whose shapes are known, of `given`, and of what equals them.

    >>> X, W = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ())
    >>> bind([X, W], {"X": (64, 4), "W": (4, 10)})
    {'n': 64, 'd': 4, 'c': 10}
    >>> bind([X, W], {"X": (64, 4), "W": (5, 10)})
    Traceback (most recent call last):
      ...
    einback.errors.ArrayError: axis 0 of W is 5, but d is 4 by axis 1 of X

    Raises `ArrayError` for contradictions and for a symbol of `needed` that nothing fixes.
    """
    equalities, needed = list(equalities), list(needed)
    binder = _Binder(Classes(equalities))
    for symbol, number in (given or {}).items():
        binder.give(symbol, number)
    for tensor in inputs:
        if tensor.name in shapes:
            binder.read(tensor, shapes[tensor.name])
    symbols = [*(s for t in inputs for s in t.sizes), *needed]
    binder.compute([size for size in (*symbols, *(s for pair in equalities for s in pair)) if is_formula(size)])
    return binder.numbers(symbols, set(needed))


@dataclass(slots=True)
class _Binder:
    classes: Classes
    known: dict[Size, int] = field(default_factory=dict)  # by representative
    source: dict[Size, tuple[Size, str]] = field(default_factory=dict)  # the size that was fixed, and by what
    named: list[str] = field(default_factory=list)

    def give(self, symbol: str, number: int) -> None:
        root = self.classes.find(symbol)
        if isinstance(root, int) and root != number:
            raise ArrayError(f"{symbol}={number} was passed, but {symbol} is declared to be {root}")
        if self.known.setdefault(root, number) != number:
            raise ArrayError(f"{symbol}={number} was passed, but {self._because(symbol, root)}")
        self.source.setdefault(root, (symbol, "the size that was passed"))
        self.named.append(symbol)

    def read(self, tensor: Input, shape: tuple[int, ...]) -> None:
        if len(shape) != tensor.rank:
            declared = ",".join(map(str, tensor.sizes))
            raise ArrayError(
                f"{tensor.name} is declared with {_count(tensor.rank)} [{declared}], "
                f"but the array has {_count(len(shape))}: its shape is {shape}"
            )
        for axis, (size, number) in enumerate(zip(tensor.sizes, shape, strict=True)):
            self._meet(tensor.name, axis, size, number)

    def _meet(self, name: str, axis: int, size: Size, number: int) -> None:
        root = self.classes.find(size)
        if isinstance(root, int):
            if root != number:
                equal = "is declared to be" if isinstance(size, int) else f"its size {size} equals"
                raise ArrayError(f"axis {axis} of {name} is {number}, but {equal} {root}")
        elif self.known.setdefault(root, number) != number:
            raise ArrayError(f"axis {axis} of {name} is {number}, but {self._because(size, root)}")
        self.source.setdefault(root, (size, f"axis {axis} of {name}"))

    def _because(self, size: Size, root: Size) -> str:
        first, place = self.source[root]
        if first == size:
            return f"{size} is {self.known[root]} by {place}"
        return f"its size {size} equals {first}, which is {self.known[root]} by {place}"

    def compute(self, formulas: Sequence[Size]) -> None:
        """Compute formulas, those first whose names have numbers; what equals a formula may be a name of another."""
        waiting = list(dict.fromkeys(formulas))
        while ready := [size for size in waiting if None not in map(self._number, symbols_in(size))]:
            for formula in ready:
                self._settle(formula)
            waiting = [size for size in waiting if size not in ready]

    def _settle(self, formula: Size) -> None:
        value = evaluate(formula, {name: self._number(name) or 0 for name in symbols_in(formula)})
        made = " and ".join(f"{name} is {self._number(name)}{self._place(name)}" for name in symbols_in(formula))
        if value < 0 or (value == 0 and "-" in str(formula)):
            raise ArrayError(f"the size {formula} comes to {value}, where {made}: a window is longer than its axis")
        root = self.classes.find(formula)
        known = self._number(root)
        if known is None:
            self.known[root] = value
            self.source[root] = (formula, f"its formula, where {made}")
        elif known != value:
            raise ArrayError(f"the size {formula} comes to {value}, where {made}, but {self._otherwise(formula, root)}")

    def _otherwise(self, formula: Size, root: Size) -> str:
        if isinstance(root, int):
            return f"is declared to be {root}"
        other, place = self.source[root]
        subject = "" if other == formula else f"{other}, which it equals, "
        return f"{subject}is {self.known[root]} by {place}"

    def _number(self, size: Size) -> int | None:
        root = self.classes.find(size)
        return root if isinstance(root, int) else self.known.get(root)

    def _place(self, name: str) -> str:
        root = self.classes.find(name)
        return f" by {self.source[root][1]}" if root in self.source else ""

    def numbers(self, symbols: Iterable[Size], needed: set[str]) -> dict[str, int]:
        bound: dict[str, int] = {}
        for symbol in [*symbols, *self.named]:
            if isinstance(symbol, int) or symbol in bound:
                continue
            number = self._number(symbol)
            if number is not None:
                bound[symbol] = number
            elif symbol in needed:
                name = next(name for name in symbols_in(symbol) if self._number(name) is None)
                raise ArrayError(f"no array fixes the size {name}", hint=f"pass it by keyword, as in {name}=10")
        return bound


def _count(rank: int) -> str:
    return "1 axis" if rank == 1 else f"{rank} axes"


def symbols_of(roots: Iterable[Node]) -> list[str]:
    """The size symbols that a program needs in numbers, in order of appearance."""
    found: dict[str, None] = {}
    for node in postorder(roots):
        found.update((size, None) for size in node.shape if isinstance(size, str))
        if isinstance(node, Window):
            found.update((name, None) for size in (*node.steps, node.offset) for name in symbols_in(size))
    return list(found)


def equalities_of(roots: Iterable[Node]) -> list[Equality]:
    """The pairs of sizes that meet on one axis inside the nodes; running the program takes them for equal."""
    found: dict[Equality, None] = {}
    for node in postorder(roots):
        for kind, own in _meetings(node):
            found.update(((a, b), None) for a, b in zip(kind, own, strict=True) if a != b)
    return list(found)


def _meetings(node: Node) -> Iterable[tuple[Shape, Shape]]:
    match node:
        case Einsum():
            for operand, labels in zip(node.operands, node.labels, strict=True):
                yield operand.shape, tuple(node.sizes[label] for label in labels)
        case Add():
            for term in node.terms:
                yield term.shape, node.shape
        case Map():
            for arg in node.args:
                if not isinstance(arg, Const):
                    yield arg.shape, node.shape
        case Matrix():
            yield node.arg.shape[-2:-1], node.arg.shape[-1:]
