"""Sizes bound to numbers: every symbol gets the length that the arrays, or the caller, give it.

A symbol may stand on many axes, and two symbols may have been found equal when the program was declared;
all axes of one class must agree, and a disagreement names both places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from einback.errors import ArrayError
from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Node, Ones, Shape
from einback.ir.sizes import Classes, Equality, Size
from einback.ir.walk import postorder

__all__ = ["Sizes", "bind", "equalities_of", "resolve", "symbols_of"]

Sizes = Mapping[str, int]


def resolve(shape: Shape, sizes: Sizes) -> tuple[int, ...]:
    """The shape in numbers.

    >>> resolve(("n", 3), {"n": 64})
    (64, 3)
    """
    return tuple(size if isinstance(size, int) else sizes[size] for size in shape)


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
    binder = _Binder(Classes(equalities))
    for symbol, number in (given or {}).items():
        binder.give(symbol, number)
    for tensor in inputs:
        if tensor.name in shapes:
            binder.read(tensor, shapes[tensor.name])
    return binder.numbers([*(s for t in inputs for s in t.sizes), *needed], set(needed))


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

    def numbers(self, symbols: Iterable[Size], needed: set[str]) -> dict[str, int]:
        bound: dict[str, int] = {}
        for symbol in [*symbols, *self.named]:
            if isinstance(symbol, int) or symbol in bound:
                continue
            root = self.classes.find(symbol)
            number = root if isinstance(root, int) else self.known.get(root)
            if number is not None:
                bound[symbol] = number
            elif symbol in needed:
                raise ArrayError(f"no array fixes the size {symbol}", hint=f"pass it by keyword, as in {symbol}=10")
        return bound


def _count(rank: int) -> str:
    return "1 axis" if rank == 1 else f"{rank} axes"


def symbols_of(roots: Iterable[Node]) -> list[str]:
    """The size symbols that a program needs in numbers, in order of appearance."""
    found: dict[str, None] = {}
    for node in postorder(roots):
        sizes = (*node.shape, node.size) if isinstance(node, Ones | Delta) else node.shape
        found.update((size, None) for size in sizes if isinstance(size, str))
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
