"""Syntax trees to nodes, one statement at a time, the inner parts first.

A part becomes a `Value` (`einback.notation.values`). A whole product is one `Einsum`, its quotients factors of
power -1, and the windows and one-hot tensors of computed positions factors too (`einback.notation.relations`); a sum
lays its terms over the union of their indices. An index in a comparison is a `Range`. Implicit sums end in products
(`einback.notation.scopes`), and what is left of them at the end of the statement. A group on the left is a last
contraction with its window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from einback.errors import EinbackError
from einback.ir import build
from einback.ir.nodes import Const, Delta, Node, Number, Ones, Range
from einback.notation import messages
from einback.notation.ambiguity import check_sums
from einback.notation.relations import Relations
from einback.notation.resolve import NUMBERS, Kind, Names
from einback.notation.scopes import Scope
from einback.notation.syntax import (
    Apply,
    Comparison,
    Expression,
    Group,
    Index,
    Literal,
    Negative,
    Position,
    Power,
    Read,
    SizeOf,
    Statement,
    Sum,
    Term,
    own_indices,
)
from einback.notation.unify import Indices, base
from einback.notation.values import Value, number, plus, times
from einback.rules.composite import AXIS_FUNCTIONS, FUNCTIONS, REDUCTIONS, elementwise, inverse, power
from einback.rules.matrix_functions import matrix_function
from einback.rules.scalar import evaluate_power

__all__ = ["lower"]

_ONE: Final = Fraction(1)
_BITS: Final = 1000  # powers of numbers are exact up to this length

_COMPARE: Final = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
}


def lower(statement: Statement, text: str, names: Names, sizes: Indices, tensors: Mapping[str, Node]) -> Node:
    """The node of a statement's left side."""
    lowering = _Lowering(statement, text, names, sizes, tensors)
    node = lowering.result()
    check_sums(statement, text, lowering.scope)
    return node


class _Lowering:
    def __init__(
        self, statement: Statement, text: str, names: Names, sizes: Indices, tensors: Mapping[str, Node]
    ) -> None:
        self.statement, self.text, self.names, self.sizes, self.tensors = statement, text, names, sizes, tensors
        self.scope = Scope(statement, text)
        self.relations = Relations(text, lambda index: sizes.size(base(index)))
        self.values: dict[Expression, Value] = {}

    def result(self) -> Node:
        for part in self.statement.parts:
            self.values[part] = self.value(part)
        found = self.values.pop(self.statement.value).plain()
        if found.is_number:
            if not self.statement.indices:
                return build.const(found.weight)
            distinct = tuple(dict.fromkeys(self.scope.left))
            found = Value(build.ones(self.shape(distinct)), distinct, found.weight)
        for index in own_indices(self.statement.indices):
            if index.name not in found.indices:
                raise messages.left_index_missing(index.name, self.statement.name, self.text, index.span)
        return replace(found, node=self.laid_out(found)).full()

    def laid_out(self, found: Value) -> Node:
        """The left side's axes: an index that stands on it twice is a diagonal, a group one axis."""
        factors = [(found.node, found.indices)]
        out: list[str] = []
        for place in self.statement.indices:
            match place:
                case Index():
                    out.append(place.name)
                case Group():
                    out.append(f"@{place.span[0]}")
                    factors.append(self.relations.flattening(out[-1], place))
        return build.einsum([node for node, _ in factors], [own for _, own in factors], out)

    def value(self, part: Expression) -> Value:
        match part:
            case Literal():
                return number(part.value)
            case Read():
                return self.read(part)
            case SizeOf():
                return self.of(build.size_of(self.sizes.size(base(part.index.name))), ())
            case Position():
                return Value(Range(self.sizes.size(base(part.index.name))), (part.index.name,))
            case Term():
                return self.product(part)
            case Sum():
                return self.sum(part)
            case Comparison():
                left, right = self.values.pop(part.left), self.values.pop(part.right)
                nodes, indices = self.aligned([left, right])
                return self.of(elementwise(_COMPARE[part.sign], *nodes), indices)
            case Power():
                return self.power(self.values.pop(part.base), self.values.pop(part.exponent))
            case Negative():
                value = self.values.pop(part.arg)
                return replace(value, weight=-value.weight)
            case Apply():
                return self.apply(part, [self.values.pop(arg) for arg in part.args])

    def of(self, node: Node, indices: Sequence[str]) -> Value:
        return number(node.value) if isinstance(node, Const) else Value(node, tuple(indices))

    def shape(self, indices: Sequence[str]) -> tuple[int | str, ...]:
        return tuple(self.sizes.size(base(index)) for index in indices)

    # Atoms

    def read(self, part: Read) -> Value:
        places = part.indices or ()
        ids = {place: self.values.pop(place) for place in places if isinstance(place, Read)}
        indices = tuple(index.name for index in places if isinstance(index, Index))
        match self.names.kind(part):
            case Kind.NUMBER:
                return number(NUMBERS[part.name])
            case Kind.ONES:
                return self.of(build.ones(self.shape(indices)), indices)
            case Kind.DELTA if len(indices) == 2:
                return self.of(Delta(self.sizes.size(base(indices[0]))), indices)
            case Kind.DELTA:
                return self.relations.delta(places, ids)
            case Kind.TENSOR if len(indices) == len(places):
                return self.of(self.tensor(part), indices)
            case Kind.TENSOR:
                return self.relations.read(self.tensor(part), places, ids)

    def tensor(self, part: Read) -> Node:
        """What is read: a tensor, or a matrix function of it."""
        node = self.tensors[part.name]
        if not part.fn:
            return node
        try:
            return matrix_function(part.fn, node)
        except EinbackError as error:
            raise error.located(self.text, part.span) from None

    # Sums and products

    def product(self, term: Term) -> Value:
        weight: Number = -_ONE if term.negative else _ONE
        operands: list[Node] = []
        labels: list[tuple[str, ...]] = []
        places: frozenset[str] = frozenset()
        for factor, inverted in zip(term.factors, term.inverted, strict=True):
            value = self.values.pop(factor)
            weight = times(weight, inverse(value.weight) if inverted else value.weight)
            if value.is_number:
                continue
            if inverted:
                value = value.plain()
                value = replace(value, node=build.power(value.node, -1))
            places |= value.places
            for node, own in value.factors():
                operands.append(node)
                labels.append(own)
        if not operands:
            return number(weight)
        seen = [index for index in dict.fromkeys(index for one in labels for index in one) if index not in places]
        kept = [index for index in seen if not self.scope.ends_in(term, index)]
        if len(operands) > 1 or len(kept) < len(labels[0]):
            kept = self.scope.order(kept)
        return Value(build.einsum(operands, labels, kept), tuple(kept), weight)

    def sum(self, part: Sum) -> Value:
        terms = [self.values.pop(term) for term in part.terms]
        if len(terms) == 1:
            return terms[0]
        if all(term.is_number for term in terms):
            total: Number = Fraction(0)
            for term in terms:
                total = plus(total, term.weight)
            return number(total)
        indices = self.union(terms)
        nodes = [self.laid(term.node, term.indices, indices) for term in terms]
        return Value(build.add(nodes, [term.weight for term in terms]), indices)

    def union(self, values: Sequence[Value]) -> tuple[str, ...]:
        """All indices of some values, in the order of the first that has them all."""
        seen = list(dict.fromkeys(index for value in values for index in value.indices))
        for value in values:
            if len(value.indices) == len(seen):
                return value.indices
        return tuple(self.scope.order(seen))

    def laid(self, node: Node, own: tuple[str, ...], indices: tuple[str, ...]) -> Node:
        """A node laid over more indices; the number 1 becomes a tensor of ones."""
        if isinstance(node, Const):
            return build.ones(self.shape(indices))
        if own == indices:
            return node
        missing = [index for index in indices if index not in own]
        ones = [Ones(size) for size in self.shape(missing)]
        return build.einsum([node, *ones], [own, *([index] for index in missing)], indices)

    def aligned(self, values: Sequence[Value]) -> tuple[list[Node], tuple[str, ...]]:
        """Nodes of one shape; numbers stand for themselves."""
        values = [value.plain() for value in values]
        indices = self.union(values)
        return [v.full() if v.is_number else self.laid(v.full(), v.indices, indices) for v in values], indices

    # Functions

    def power(self, base_value: Value, exponent: Value) -> Value:
        if base_value.is_number and exponent.is_number:
            exact = _exact_power(base_value.weight, exponent.weight)
            if exact is not None:
                return number(exact)
        nodes, indices = self.aligned([base_value, exponent])
        return self.of(power(*nodes), indices)

    def apply(self, part: Apply, args: list[Value]) -> Value:
        if part.fn in FUNCTIONS:
            return self.entrywise(part, args)
        if part.indices is None or not part.indices:
            raise messages.reduction_without_indices(part.fn, self.text, part.span)
        if len(args) != 1:
            raise messages.wrong_arity(part.fn, (1,), len(args), self.text, part.span)
        arg = args[0].plain()
        axes: list[int] = []
        for index in part.indices:
            if index.name not in arg.indices:
                raise messages.reduced_index_missing(index.name, part.fn, self.text, index.span)
            axis = arg.indices.index(index.name)
            if axis in axes:
                raise messages.bound_twice(index.name, self.text, index.span)
            axes.append(axis)
        axes.sort()
        if part.fn in AXIS_FUNCTIONS:
            return self.of(AXIS_FUNCTIONS[part.fn](arg.full(), axes), arg.indices)
        rest = [index for k, index in enumerate(arg.indices) if k not in axes]
        return self.of(REDUCTIONS[part.fn](arg.full(), axes), rest)

    def entrywise(self, part: Apply, args: list[Value]) -> Value:
        function = FUNCTIONS[part.fn]
        if part.indices is not None:
            raise messages.indices_on_function(part.fn, self.text, part.span)
        if len(args) not in function.arities:
            raise messages.wrong_arity(part.fn, function.arities, len(args), self.text, part.span)
        nodes, indices = self.aligned(args)
        return self.of(function.build(*nodes), indices)


def _exact_power(base_number: Number, exponent: Number) -> Number | None:
    """A power of numbers, where it is exact and short."""
    if isinstance(base_number, Fraction):
        bits = max(base_number.numerator.bit_length(), base_number.denominator.bit_length())
        if bits * abs(float(exponent)) > _BITS:
            return None
    return evaluate_power(base_number, exponent)
