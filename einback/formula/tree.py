"""The formula tree: one right-hand side as it will be written, with indices that have no names yet.

A node of the IR says what is computed; a tree says how it is put down: which sub-nodes are inlined, in
which order factors and terms stand, where a sum is over which index. An `Index` is an object of its own, so
that renaming and capture are no question until `einback.formula.naming` writes names to them.

    tree    ::= Number | Ref | SizeOf | Eye | Fill      2, X[n,d], size(n), δ[i,j], ones[n]
              | Position                                an index as a number, in a comparison: q >= k
              | Call | Over | Power                     relu(..), max[i](..) or softmax[c](..), x²
              | Product(coefficient, factors, divisors, bound)
              | Sum(terms, bound)                       every term is a Product

    place   ::= Index | Affine | Group | Ref            what a Ref or an Eye is read at: i, 2*i+u, (h w), token[b,t]

`bound` lists the indices that are summed over a product or a sum, and `free` the indices that a reader meets
in a tree and that it does not bind, in reading order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from typing import TypeAlias

from einback.ir.nodes import Number as Value
from einback.ir.sizes import Size

__all__ = [
    "ONE",
    "Affine",
    "Call",
    "Eye",
    "Fill",
    "Group",
    "Index",
    "Number",
    "Over",
    "Place",
    "Position",
    "Power",
    "Product",
    "Ref",
    "SizeOf",
    "Sum",
    "Tree",
    "carried",
    "references",
    "renamed",
    "renamed_product",
    "subtrees",
]  # fmt: skip


ONE = Fraction(1)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index that runs over `size`; two indices are the same only if they are the same object."""

    size: Size


Indices: TypeAlias = tuple[Index, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """offset + the sum of step * place, on an axis of a size."""

    places: tuple[Place, ...]
    steps: tuple[Size, ...]
    offset: Size
    size: Size


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Several indices as one, the last running fastest."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    free: Indices = field(init=False)

    def _seal(self, parts: Iterable[Iterable[Index]], bound: Indices = ()) -> None:
        seen = dict.fromkeys(chain.from_iterable(parts))
        for index in bound:
            seen.pop(index, None)
        object.__setattr__(self, "free", tuple(seen))


@dataclass(frozen=True, slots=True, eq=False)
class Number(Tree):
    value: Value

    def __post_init__(self) -> None:
        self._seal(())


@dataclass(frozen=True, slots=True, eq=False)
class Ref(Tree):
    """An input or a defined tensor, read at some places; with `fn`, that function of the matrix, inv(A)[i,j].

    `symmetric` says that the last two places may change places.
    """

    name: str
    indices: tuple[Place, ...]
    fn: str = ""
    symmetric: bool = False

    def __post_init__(self) -> None:
        self._seal(map(carried, self.indices))


@dataclass(frozen=True, slots=True, eq=False)
class SizeOf(Tree):
    """The length of an axis, as a number."""

    size: Size

    def __post_init__(self) -> None:
        self._seal(())


@dataclass(frozen=True, slots=True, eq=False)
class Eye(Tree):
    """The Kronecker delta of two indices, or of an index and a place."""

    indices: tuple[Place, ...]

    def __post_init__(self) -> None:
        self._seal(map(carried, self.indices))


@dataclass(frozen=True, slots=True, eq=False)
class Position(Tree):
    """The value of an index."""

    index: Index

    def __post_init__(self) -> None:
        self._seal(((self.index,),))


@dataclass(frozen=True, slots=True, eq=False)
class Fill(Tree):
    """Ones: an index that nothing else around would carry."""

    indices: Indices

    def __post_init__(self) -> None:
        self._seal((self.indices,))


@dataclass(frozen=True, slots=True, eq=False)
class Call(Tree):
    """A row of the scalar table, entry by entry."""

    fn: str
    args: tuple[Tree, ...]

    def __post_init__(self) -> None:
        self._seal(arg.free for arg in self.args)


@dataclass(frozen=True, slots=True, eq=False)
class Over(Tree):
    """A function over indices: a reduction, which binds them, or softmax and its kin, which keep them."""

    fn: str
    over: Indices
    body: Tree
    keeps: bool = False

    def __post_init__(self) -> None:
        self._seal((self.body.free,), () if self.keeps else self.over)


@dataclass(frozen=True, slots=True, eq=False)
class Power(Tree):
    base: Tree
    exponent: Tree

    def __post_init__(self) -> None:
        self._seal((self.base.free, self.exponent.free))

    @property
    def root(self) -> bool:
        """Whether it is written as a square root."""
        return isinstance(self.exponent, Number) and self.exponent.value == Fraction(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Product(Tree):
    """coefficient * factors / divisors, summed over `bound`."""

    coefficient: Value
    factors: tuple[Tree, ...] = ()
    divisors: tuple[Tree, ...] = ()
    bound: Indices = ()

    def __post_init__(self) -> None:
        self._seal((part.free for part in self.factors + self.divisors), self.bound)

    @property
    def magnitude(self) -> Value:
        """The coefficient without its sign."""
        return -self.coefficient if self.coefficient < 0 else self.coefficient

    @property
    def plain(self) -> bool:
        """Whether it is written as its only factor is."""
        return self.coefficient == 1 and len(self.factors) == 1 and not self.divisors


@dataclass(frozen=True, slots=True, eq=False)
class Sum(Tree):
    """The sum of the terms, summed over `bound` as a whole; every term holds all of `bound`."""

    terms: tuple[Product, ...]
    bound: Indices = ()

    def __post_init__(self) -> None:
        self._seal((term.free for term in self.terms), self.bound)


Place: TypeAlias = Index | Affine | Group | Ref


def carried(place: Place) -> Iterator[Index]:
    """The indices of a place, in reading order."""
    stack: list[Place] = [place]
    while stack:
        match stack.pop():
            case Index() as index:
                yield index
            case Affine(places=inner) | Group(places=inner) | Ref(indices=inner):
                stack.extend(reversed(inner))


def subtrees(tree: Tree) -> tuple[Tree, ...]:
    """The trees right below, in reading order."""
    match tree:
        case Call():
            return tree.args
        case Over():
            return (tree.body,)
        case Power():
            return (tree.base, tree.exponent)
        case Product():
            return tree.factors + tree.divisors
        case Sum():
            return tree.terms
        case Ref() | Eye():
            return tuple(_gathered(tree.indices))
        case _:
            return ()


def _gathered(places: Iterable[Place]) -> Iterator[Ref]:
    """The tensors that are read to know a place."""
    for place in places:
        match place:
            case Ref():
                yield place
            case Affine() | Group():
                yield from _gathered(place.places)


def references(tree: Tree) -> Iterator[Ref]:
    """The tensors read, in reading order."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Ref):
            yield part
        stack.extend(reversed(subtrees(part)))


def renamed(tree: Tree, to: Mapping[Index, Index]) -> Tree:
    """The tree with some of its free indices replaced by others."""
    if not any(index in to for index in tree.free):
        return tree
    match tree:
        case Ref() | Eye():
            return replace(tree, indices=tuple(_renamed_place(place, to) for place in tree.indices))
        case Fill():
            return Fill(tuple(to.get(index, index) for index in tree.indices))
        case Position():
            return Position(to.get(tree.index, tree.index))
        case Call():
            return Call(tree.fn, tuple(renamed(arg, to) for arg in tree.args))
        case Over():
            over = tuple(to.get(index, index) for index in tree.over)
            return Over(tree.fn, over, renamed(tree.body, to), tree.keeps)
        case Power():
            return Power(renamed(tree.base, to), renamed(tree.exponent, to))
        case Product():
            factors = tuple(renamed(factor, to) for factor in tree.factors)
            return Product(tree.coefficient, factors, tuple(renamed(d, to) for d in tree.divisors), tree.bound)
        case Sum():
            return Sum(tuple(renamed_product(term, to) for term in tree.terms), tree.bound)
        case _:
            raise TypeError(f"unknown tree {type(tree).__name__}")


def _renamed_place(place: Place, to: Mapping[Index, Index]) -> Place:
    match place:
        case Index():
            return to.get(place, place)
        case Ref():
            return replace(place, indices=tuple(_renamed_place(inner, to) for inner in place.indices))
        case Affine() | Group():
            return replace(place, places=tuple(_renamed_place(inner, to) for inner in place.places))


def renamed_product(product: Product, to: Mapping[Index, Index]) -> Product:
    result = renamed(product, to)
    assert isinstance(result, Product)
    return result
