"""Every entry of a small tensor as a line of its own: ∂L/∂W_11 = X_11 ∂L/∂Y_11 + X_21 ∂L/∂Y_21.

Indices become the numbers 1, 2, .., sums their terms, deltas and masks of positions their values; terms that are equal
are added up. A softmax is written as exponentials over their sum, a logsumexp as the logarithm of one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product as combinations
from math import prod
from typing import Any, Final

from einback.errors import NotationError
from einback.formula.entrywise.sum_writers import Seed, SumTextWriter
from einback.formula.program import Program, Statement, arrange
from einback.formula.quotients import Entry, Quotient, quotient
from einback.formula.subject import Subject
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
    SizeOf,
    Sum,
    Tree,
    carried,
)
from einback.ir.build import exact
from einback.ir.extents import evaluate, symbols_in
from einback.ir.sizes import Size

__all__ = ["entries"]

_MOST = 64  # entries of a tensor, and terms of an entry
_TRIED = 64 * _MOST  # terms before those that are zero have gone

_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}

Values = Mapping[Index, int]


def entries(subject: Subject, sizes: Mapping[str, int]) -> list[str]:
    """A line for every entry of the result, then for those of its definitions; `sizes` gives sizes that are symbols."""
    program = arrange([subject.node], [subject.name], [subject.names], settle=False)
    found = quotient(subject, program)
    seed = Seed(found.seed[0], found.of[0], found.seed[1]) if found and found.seed else None
    lines = list(_lines(program, program.results[0], sizes, seed, found))
    if seed is not None:
        lines += [f"where ∂{seed.loss}/∂{seed.by} = {seed.name}, entry by entry"]
    for statement in program.where:
        lines += _lines(program, statement, sizes, seed, None)
    return lines


def _lines(
    program: Program, statement: Statement, sizes: Mapping[str, int], seed: Seed | None, found: Quotient | None
) -> Iterator[str]:
    left = tuple(index for place in statement.left for index in carried(place))
    lengths = [_length(index.size, sizes) for index in left]
    if prod(lengths) > _MOST:
        raise _too_large(f"{statement.name} has {prod(lengths)} entries")
    for values in combinations(*map(range, lengths)):
        numbers = dict(zip(left, values, strict=True))
        expansion = _Expansion(sizes)
        body = expansion.tree(statement.body, numbers)
        result = _at(found, statement, numbers, expansion)
        chosen = {index: str(value + 1) for index, value in expansion.values.items()}
        writer = SumTextWriter(chosen, program.names, seed=seed)
        shown = writer.quotient(result) if isinstance(result, Quotient) else writer.tensor(*result)
        terms = _collected(body, writer)
        if len(terms) > _MOST:
            raise _too_large(f"an entry of {statement.name} has {len(terms)} terms")
        yield f"{shown} = {' '.join(writer.terms(Sum(terms) if len(terms) != 1 else terms[0])) if terms else '0'}"


def _at(found: Quotient | None, statement: Statement, numbers: Values, expansion: _Expansion) -> Quotient | Entry:
    """A left side whose indices are numbers."""

    def at(name: str, places: Sequence[Place]) -> Entry:
        return name, tuple(expansion.fixed(expansion.position(place, numbers)) for place in places)

    return (
        at(statement.name, statement.left)
        if found is None
        else Quotient(at(*found.of), tuple(at(*one) for one in found.by))
    )


def _too_large(fact: str) -> NotationError:
    return NotationError(
        f"{fact}, and no more than {_MOST} are written out",
        hint="give smaller sizes, as in entries(y, n=2, d=3), or ask for text(notation='sum')",
    )


def _length(size: Size, sizes: Mapping[str, int]) -> int:
    if isinstance(size, int):
        return size
    missing = [name for name in symbols_in(size) if name not in sizes]
    if missing:
        raise NotationError(
            f"entries are written out for sizes that are numbers, and {missing[0]} is a name",
            hint=f"say how large it is, as in entries(y, {missing[0]}=2)",
        )
    return evaluate(size, sizes)


def _collected(tree: Tree, writer: SumTextWriter) -> tuple[Product, ...]:
    """The terms, equal ones added up."""
    found: dict[str, Product] = {}
    for term in _terms(tree):
        key = writer.product(replace(term, coefficient=ONE))
        have = found.get(key)
        found[key] = term if have is None else replace(term, coefficient=exact(have.coefficient + term.coefficient))
    return tuple(term for term in found.values() if term.coefficient != 0)


def _terms(tree: Tree) -> tuple[Product, ...]:
    match tree:
        case Sum():
            return tree.terms
        case Product():
            return (tree,)
        case Number():
            return (Product(tree.value),) if tree.value != 0 else ()
        case _:
            return (Product(ONE, (tree,)),)


@dataclass(slots=True)
class _Expansion:
    """Trees whose indices are numbers; `values` are the indices that stand for them from then on."""

    sizes: Mapping[str, int]
    values: dict[Index, int] = field(default_factory=dict)
    made: dict[int, Index] = field(default_factory=dict)

    def fixed(self, value: int) -> Index:
        """The index that stands for a number."""
        if value not in self.made:
            self.made[value] = Index(value)
            self.values[self.made[value]] = value
        return self.made[value]

    def position(self, place: Place, at: Values) -> int:
        """Where a place is, counted from 0."""
        match place:
            case Index():
                return at[place]
            case Affine():
                parts = zip(place.steps, place.places, strict=True)
                moved = sum(_length(step, self.sizes) * self.position(one, at) for step, one in parts)
                return _length(place.offset, self.sizes) + moved
            case Group():
                total = 0
                for one in place.places:
                    size = one.size if isinstance(one, Index) else 0
                    total = total * _length(size, self.sizes) + self.position(one, at)
                return total
            case Ref():
                raise NotationError(
                    f"which entry {place.name} reads is known when its array is there",
                    hint="ask for text(notation='sum')",
                )

    def tree(self, tree: Tree, at: Values) -> Tree:
        match tree:
            case Number():
                return tree
            case Ref():
                return self.entry(tree, at)
            case Eye():
                one, other = (self.position(place, at) for place in tree.indices)
                return Number(Fraction(one == other))
            case Fill():
                return Number(ONE)
            case Position():
                return Number(Fraction(at[tree.index]))
            case SizeOf():
                return Number(Fraction(_length(tree.size, self.sizes)))
            case Call():
                return _called(tree.fn, tuple(self.tree(arg, at) for arg in tree.args))
            case Over():
                return self.over(tree, at)
            case Power():
                return _raised(self.tree(tree.base, at), self.tree(tree.exponent, at))
            case Product():
                return self.product(tree, at)
            case Sum():
                return _added([term for part in tree.terms for term in _terms(self.product(part, at))])
            case _:
                raise TypeError(f"unknown tree {type(tree).__name__}")

    def entry(self, tree: Ref, at: Values) -> Tree:
        """An entry of a tensor, zero outside of it."""
        places = [self.position(place, at) for place in tree.indices]
        sizes = [_length(place.size, self.sizes) if isinstance(place, Affine) else None for place in tree.indices]
        if any(size is not None and not 0 <= where < size for where, size in zip(places, sizes, strict=True)):
            return Number(Fraction(0))
        return replace(tree, indices=tuple(map(self.fixed, places)))

    def assignments(self, indices: Sequence[Index], at: Values) -> Iterator[Values]:
        lengths = [_length(index.size, self.sizes) for index in indices]
        if prod(lengths) > _TRIED:
            raise _too_large(f"a sum has {prod(lengths)} terms")
        for values in combinations(*map(range, lengths)):
            yield {**at, **dict(zip(indices, values, strict=True))}

    def product(self, tree: Product, at: Values) -> Tree:
        order = [index for index in replace(tree, bound=()).free if index in tree.bound]
        terms: list[Product] = []
        for values in self.assignments(order, at):
            above = [self.tree(factor, values) for factor in tree.factors]
            below = [self.tree(divisor, values) for divisor in tree.divisors]
            terms += _terms(_multiplied(tree.coefficient, above, below))
        return _added(terms)

    def over(self, tree: Over, at: Values) -> Tree:
        parts = [self.tree(tree.body, values) for values in self.assignments(tree.over, at)]
        match tree.fn:
            case "max" | "min":
                return parts[0] if len(parts) == 1 else Call(f"{tree.fn}imum", tuple(parts))
            case "prod":
                return _multiplied(ONE, parts, ())
        exponentials = _added([term for part in parts for term in _terms(Call("exp", (part,)))])
        if tree.fn == "logsumexp":
            return Call("log", (exponentials,))
        own = self.tree(tree.body, at)
        if tree.fn == "softmax":
            return _multiplied(ONE, [Call("exp", (own,))], [exponentials])
        return _added([*_terms(own), Product(Fraction(-1), (Call("log", (exponentials,)),))])


def _added(terms: Sequence[Product]) -> Tree:
    if not terms:
        return Number(Fraction(0))
    if len(terms) > 1:
        return Sum(tuple(terms))
    (term,) = terms
    if not term.factors and not term.divisors:
        return Number(term.coefficient)
    return term.factors[0] if term.plain else term


def _multiplied(coefficient: Fraction | float, above: Sequence[Tree], below: Sequence[Tree]) -> Tree:
    """One product: numbers gathered in front, a tensor that stands twice squared."""
    factors: list[Tree] = []
    divisors: list[Tree] = []
    for part in above:
        match part:
            case Number():
                coefficient = exact(coefficient * part.value)
            case Product():
                coefficient = exact(coefficient * part.coefficient)
                factors += part.factors
                divisors += part.divisors
            case _:
                factors.append(part)
    for part in below:
        if isinstance(part, Number) and part.value != 0:
            coefficient = exact(coefficient / part.value)
        else:
            divisors.append(part)
    if coefficient == 0:
        return Number(Fraction(0))
    return _added([Product(coefficient, tuple(_squared(factors)), tuple(divisors))])


def _squared(factors: Sequence[Tree]) -> Iterator[Tree]:
    times: dict[object, int] = {}
    for factor in factors:
        key = (factor.name, factor.fn, factor.indices) if isinstance(factor, Ref) else factor
        times[key] = times.get(key, 0) + 1
    for factor in factors:
        key = (factor.name, factor.fn, factor.indices) if isinstance(factor, Ref) else factor
        number = times.pop(key, 0)
        if number:
            yield Power(factor, Number(Fraction(number))) if number > 1 else factor


def _called(fn: str, args: tuple[Tree, ...]) -> Tree:
    """A function of entries; comparisons of numbers, and what they choose between, are known."""
    match fn, args:
        case _, (Number() as one, Number() as other) if fn in _COMPARED:
            return Number(Fraction(_COMPARED[fn](one.value, other.value)))
        case "where", (Number() as condition, chosen, otherwise):
            return chosen if condition.value else otherwise
        case _:
            return Call(fn, args)


def _raised(base: Tree, exponent: Tree) -> Tree:
    if isinstance(base, Number) and isinstance(exponent, Number) and base.value in (0, 1) and exponent.value > 0:
        return base
    return Power(base, exponent)
