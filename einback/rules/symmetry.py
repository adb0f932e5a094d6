"""Proofs that a tensor stays the same when two of its axes are exchanged.

The exchange is carried inward: a product exchanges two of its labels, a sum its terms, a function its arguments.
A tensor is symmetric if that gives the node it started from, once both are in one order of factors and terms:

    X[k,i] X[k,j]                   the factors change places
    exp(-(x[i] - x[j])^2)           the difference changes its sign, and the square forgets it
    minimum(t[i], t[j])             the arguments change places, and the function does not mind

The rule S' -> S uses it, and `turn_declared` of `einback.rules.facts`: products read S always the same way round, so
that the two terms of a gradient, L A R + L' A R', are seen to be one.

No proof does not mean no symmetry: the search is shallow.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product as choices
from math import prod
from weakref import WeakKeyDictionary

from einback.ir.build import add, einsum, permute
from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Matrix, Node, Number, Reduce
from einback.rules.engine import Surroundings
from einback.rules.products import ordered

__all__ = ["drop_transpose", "is_symmetric"]

_DEEPEST = 12  # nodes inside nodes that a proof looks into
_MOST_FLIPS = 3  # symmetric factors of a product whose labels may be turned round in search of a match

_SYMMETRIC = frozenset(["symmetric", "diagonal"])
_EVEN = frozenset(["abs", "cos", "cosh"])
_ODD = frozenset(["sin", "tan", "sinh", "tanh", "arcsin", "arctan", "arcsinh", "erf", "sign"])
_COMMUTING = frozenset(["maximum", "minimum", "equal", "not_equal", "logaddexp"])

# What was proved of a tensor, and what was not. Rules ask from the inside out, so a proof that builds on another finds
# it here, however deep the program.
_KNOWN: MutableMapping[Node, dict[tuple[int, int], bool]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Pair:
    """A tensor in an order of its own, and what the exchange makes of it: sign * other, in the same order.

    `opaque` says that the exchange could not be carried inward.
    """

    node: Node
    other: Node
    sign: int = 1
    opaque: bool = False

    @property
    def symmetric(self) -> bool:
        return self.other is self.node and self.sign == 1


def is_symmetric(node: Node, p: int = -2, q: int = -1) -> bool:
    """Whether it is known that exchanging axes p and q changes nothing; by default the last two."""
    if node.rank < 2 or node.shape[p] != node.shape[q]:
        return False
    axes = (min(p % node.rank, q % node.rank), max(p % node.rank, q % node.rank))
    known = _KNOWN.setdefault(node, {})
    if axes not in known:
        known[axes] = _Search().exchanged(node, *axes, _DEEPEST).symmetric
    return known[axes]


def drop_transpose(node: Node, _: Surroundings) -> Node | None:
    """S' -> S, where S is known to be symmetric in the two axes that change places."""
    assert isinstance(node, Einsum)
    if len(node.operands) > 1 or node.rank < 2 or sorted(node.out) != list(range(len(node.labels[0]))):
        return None
    moved = [axis for axis, label in enumerate(node.out) if axis != label]
    return node.operands[0] if len(moved) == 2 and is_symmetric(node.operands[0], *moved) else None


@dataclass(slots=True)
class _Search:
    """One proof; what a tensor becomes by an exchange is found once."""

    found: dict[tuple[Node, int, int], _Pair] = field(default_factory=dict)

    def exchanged(self, node: Node, p: int, q: int, depth: int) -> _Pair:
        key = (node, min(p, q), max(p, q))
        if key not in self.found:
            proved = _KNOWN.get(node, {}).get(key[1:], False)
            self.found[key] = _Pair(node, node) if proved else self._exchanged(node, p, q, depth)
        return self.found[key]

    def _exchanged(self, node: Node, p: int, q: int, depth: int) -> _Pair:
        match node:
            case Const() | Delta():
                return _Pair(node, node)
            case Input() if not _SYMMETRIC.isdisjoint(node.facts) and min(p, q) == node.rank - 2:
                return _Pair(node, node)  # facts about matrices are about the last two axes
            case Einsum() if depth:
                return self._einsum(node, p, q, depth - 1)
            case Add() if depth:
                return _sums([self.exchanged(term, p, q, depth - 1) for term in node.terms], node.weights)
            case Map() if depth:
                args = [self.exchanged(arg, p, q, depth - 1) if arg.rank else _Pair(arg, arg) for arg in node.args]
                return _maps(node, args)
            case Reduce() if depth:
                kept = [k for k in range(node.arg.rank) if k not in node.axes]
                arg = self.exchanged(node.arg, kept[p], kept[q], depth - 1)
                if arg.sign == 1:
                    return _Pair(Reduce(node.fn, arg.node, node.axes), Reduce(node.fn, arg.other, node.axes))
            case Matrix() if depth and _passes_inside(node, p, q):
                arg = self.exchanged(node.arg, p, q, depth - 1)
                if arg.sign == 1:
                    return _Pair(Matrix(node.fn, arg.node, node.keeps), Matrix(node.fn, arg.other, node.keeps))
        return _unproved(node, p, q)

    def _einsum(self, node: Einsum, p: int, q: int, depth: int) -> _Pair:
        a, b = node.out[p], node.out[q]
        if a == b:
            return _Pair(node, node)
        if node.out.count(a) > 1 or node.out.count(b) > 1:
            return _unproved(node, p, q)  # exchanged labels would move other axes too
        to = {a: b, b: a}
        pairs: list[_Pair] = []
        labels: list[tuple[int, ...]] = []
        for operand, term in zip(node.operands, node.labels, strict=True):
            pair = _Pair(operand, operand, opaque=True)
            if term.count(a) == 1 and term.count(b) == 1:
                pair = self.exchanged(operand, term.index(a), term.index(b), depth)
            if pair.opaque:  # the operand stays, and its labels change places
                pair = _Pair(pair.node, pair.node)
                term = tuple(to.get(label, label) for label in term)
            pairs.append(pair)
            labels.append(term)
        straight = _in_order([pair.node for pair in pairs], node.labels, node.out)
        turned = [pair.other for pair in pairs]
        other = _in_order(turned, labels, node.out)
        for flipped in self._flips(turned, labels, depth):
            if other is straight:
                break
            other = _in_order(turned, flipped, node.out)
        return _Pair(straight, other, prod(pair.sign for pair in pairs))

    def _flips(
        self, operands: Sequence[Node], labels: Sequence[tuple[int, ...]], depth: int
    ) -> Iterator[list[tuple[int, ...]]]:
        """The labels of the product with those of symmetric factors turned round, in all ways."""
        turned: list[int] = []
        for k, operand in enumerate(operands):
            if operand.rank == 2 and len(turned) < _MOST_FLIPS and self._symmetric(operand, depth):
                turned.append(k)
        for way in choices(*((term, term[::-1]) if k in turned else (term,) for k, term in enumerate(labels))):
            yield list(way)

    def _symmetric(self, matrix: Node, depth: int) -> bool:
        known = _KNOWN.get(matrix, {}).get((0, 1))
        return self.exchanged(matrix, 0, 1, depth).symmetric if known is None else known


def _passes_inside(node: Matrix, p: int, q: int) -> bool:
    """Whether two axes of a matrix function are two of the batch, or the two axes of an inverse."""
    matrices = node.arg.rank - 2
    return max(p, q) < matrices or (node.fn == "inv" and min(p, q) == matrices)


def _unproved(node: Node, p: int, q: int) -> _Pair:
    axes = list(range(node.rank))
    axes[p], axes[q] = q, p
    return _Pair(node, permute(node, axes), opaque=True)


def _in_order(operands: Sequence[Node], labels: Sequence[Sequence[int]], out: Sequence[int]) -> Node:
    made = einsum(operands, labels, out)
    return ordered(made) if isinstance(made, Einsum) else made


def _sums(pairs: Sequence[_Pair], own: Sequence[Number]) -> _Pair:
    weights: dict[Node, Number] = {}
    exchanged: dict[Node, Number] = {}
    for pair, weight in zip(pairs, own, strict=True):
        weights[pair.node] = weights.get(pair.node, Fraction(0)) + weight
        exchanged[pair.other] = exchanged.get(pair.other, Fraction(0)) + pair.sign * weight
    straight = _sum(weights)
    if all(exchanged.get(term) == -weight for term, weight in weights.items()) and len(exchanged) == len(weights):
        return _Pair(straight, straight, -1)
    return _Pair(straight, _sum(exchanged))


def _sum(weights: dict[Node, Number]) -> Node:
    items = sorted(weights.items(), key=lambda item: item[0].digest)
    return add([term for term, _ in items], [weight for _, weight in items])


def _maps(node: Map, pairs: Sequence[_Pair]) -> _Pair:
    straight, sign = [pair.node for pair in pairs], 1
    others = [pair.other for pair in pairs]
    if any(pair.sign < 0 for pair in pairs):
        if node.fn in _ODD:
            sign = -1
        elif not (node.fn in _EVEN or _is_even_power(node)):
            others = [pair.other if pair.sign > 0 else add((pair.other,), (-1,)) for pair in pairs]
    if node.fn in _COMMUTING:
        straight.sort(key=lambda arg: arg.digest)
        others.sort(key=lambda arg: arg.digest)
    return _Pair(Map(node.fn, tuple(straight)), Map(node.fn, tuple(others)), sign)


def _is_even_power(node: Map) -> bool:
    exponent = node.args[1] if node.fn == "power" else None
    value = exponent.value if isinstance(exponent, Const) else None
    return isinstance(value, Fraction) and value.denominator == 1 and value % 2 == 0
