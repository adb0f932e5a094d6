"""Nodes to formula trees: what is inlined becomes part of the tree, what has a name becomes a reference.

Products of products are one product, numbers are gathered in front, negative powers go under the line.
A broadcast is an index that is simply absent; where nothing around carries it, `covered` puts ones there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from einback.formula.forms import LogSoftmax, is_size, log_softmax_items, softmax
from einback.formula.order import chain_order, term_order
from einback.formula.relations import flattened, place_and_others, substituted
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
from einback.ir.indexing import group_digits
from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Matrix, Node, OneHot, Ones, Range, Reduce, Window
from einback.ir.nodes import Number as Value
from einback.rules.symmetry import is_symmetric

__all__ = ["Reader", "covered"]


def covered(tree: Tree, indices: Sequence[Place]) -> Tree:
    """The tree, with ones along those of the indices that it lacks."""
    missing = tuple(index for place in indices for index in carried(place) if index not in tree.free)
    return _product(ONE, [Fill(missing), tree], (), indices) if missing else tree


class Reader:
    """Reads nodes at given indices; `named` nodes are written by name."""

    def __init__(self, named: Mapping[Node, str]) -> None:
        self._named = named

    def definition(self, node: Node, at: Sequence[Place]) -> Tree:
        """The right-hand side that defines a node with `at` on its left, along which a lone number is repeated."""
        tree = self._inlined(node, at)
        lone = isinstance(tree, Number) or (isinstance(tree, Product) and not tree.factors and not tree.divisors)
        return tree if lone else covered(tree, at)

    def left(self, node: Node) -> tuple[Place, ...]:
        """New indices for the left side of a node's definition; what it flattens stands as a group."""
        places: list[Place] = [Index(size) for size in node.shape]
        for axis, k in flattened(node).items():
            assert isinstance(node, Einsum)
            places[axis] = Group(tuple(Index(size) for size in node.operands[k].shape[1:]))
        return tuple(places)

    def read(self, node: Node, at: Sequence[Place]) -> Tree:
        name = self._named.get(node)
        return _reference(node, name, at) if name is not None else self._inlined(node, at)

    def _inlined(self, node: Node, at: Sequence[Place]) -> Tree:
        match node:
            case Input():
                return _reference(node, node.name, at)
            case Const():
                return Number(node.value)
            case Ones():
                return Number(ONE)
            case Delta():
                return Number(ONE) if at[0] is at[1] else Eye(tuple(at))
            case Range():
                return _position(at[0])
            case Window():
                return Eye((at[0], self._place(node, at[1:])))
            case OneHot():
                return Eye((at[-1], self._place(node, at[:-1])))
            case Einsum():
                return self._einsum(node, at)
            case Add():
                return self._add(node, at)
            case Map():
                return self._map(node, at)
            case Reduce():
                full = list(at)
                bound = tuple(Index(node.arg.shape[axis]) for axis in node.axes)
                for axis, index in zip(node.axes, bound, strict=True):
                    full.insert(axis, index)
                return Over(node.fn, bound, covered(self.read(node.arg, full), bound))
            case Matrix():
                own = node.arg.name if isinstance(node.arg, Input) else self._named[node.arg]
                return _reference(node, own, at, node.fn)
            case _:
                raise TypeError(f"unknown node {type(node).__name__}")

    def _einsum(self, node: Einsum, at: Sequence[Place]) -> Tree:
        if is_size(node) and len(node.sizes) == 1:
            return _size(node.sizes[0])
        index: dict[int, Place] = {}
        factors: list[Tree] = []
        for label, outer in zip(node.out, at, strict=True):
            if index.setdefault(label, outer) is not outer:
                factors.append(Eye((index[label], outer)))
        places = substituted(node)
        grouped = [k for axis, k in flattened(node).items() if isinstance(at[axis], Group)]
        for k in grouped:
            group = index[node.labels[k][0]]
            assert isinstance(group, Group)
            index.update(zip(node.labels[k][1:], group.places, strict=True))
        bound = []
        for label, size in enumerate(node.sizes):
            if label not in index and label not in places:
                fresh = index[label] = Index(size)
                bound.append(fresh)
        for label, k in places.items():
            _, others = place_and_others(node.operands[k], node.labels[k])
            index[label] = self._place(node.operands[k], [index[other] for other in others])
        for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
            if not isinstance(operand, Ones) and k not in places.values() and k not in grouped:
                factors.append(self.read(operand, [index[label] for label in labels]))
        return _product(ONE, factors, bound, at)

    def _place(self, relation: Node, others: Sequence[Place]) -> Place:
        """Where a relation reads: an affine index, a group of indices, or a gathered entry."""
        match relation:
            case Window():
                digits = group_digits(relation)
                return Group(tuple(others[k] for k in digits)) if digits else _affine(relation, others)
            case OneHot():
                ids = self.read(relation.ids, others)
                assert isinstance(ids, Ref)
                return ids
            case _:
                raise TypeError(f"{type(relation).__name__} is no relation")

    def _add(self, node: Add, at: Sequence[Place]) -> Tree:
        terms: list[Product] = []
        for weight, item in log_softmax_items(node, self._named):
            if isinstance(item, LogSoftmax):
                tree = self._over_axes("log_softmax", item, at)
            else:
                tree = self.read(item, at)
            terms += _terms(weight, tree, at)
        if len(terms) == 1:
            return terms[0].factors[0] if terms[0].plain and not terms[0].bound else terms[0]
        return Sum(term_order(terms, _plain(at)))

    def _map(self, node: Map, at: Sequence[Place]) -> Tree:
        found = softmax(node, self._named)
        if found is not None:
            return self._over_axes("softmax", found, at)
        args = [self.read(arg, at if arg.rank else ()) for arg in node.args]  # a number has no axes
        if node.fn != "power":
            return Call(node.fn, tuple(args))
        base, exponent = args
        if isinstance(exponent, Number) and exponent.value < 0:
            up = exact(-exponent.value)
            return Product(ONE, (), (base if up == 1 else Power(base, Number(up)),))
        return Power(base, exponent)

    def _over_axes(self, fn: str, item: LogSoftmax, at: Sequence[Place]) -> Tree:
        over = _plain([at[axis] for axis in item.axes])
        return Over(fn, over, covered(self.read(item.arg, at), over), keeps=True)


def _reference(node: Node, name: str, at: Sequence[Place], fn: str = "") -> Ref:
    return Ref(name, tuple(at), fn, symmetric=node.rank > 1 and is_symmetric(node))


def _plain(places: Sequence[Place]) -> tuple[Index, ...]:
    return tuple(place for place in places if isinstance(place, Index))


def _position(place: Place) -> Tree:
    """A place as a number."""
    match place:
        case Index():
            return Position(place)
        case Ref():
            return place
        case Affine():
            steps: list[list[Tree]] = [[_size(step)] for step in place.steps]
            offset = place.offset
        case Group():
            later = [place.places[k + 1 :] for k in range(len(place.places))]
            steps = [[_size(one.size) for one in _plain(rest)] for rest in later]
            offset = 0
    parts = [_product(ONE, [*step, _position(one)], (), ()) for step, one in zip(steps, place.places, strict=True)]
    terms = [term for part in (*parts, _size(offset)) for term in _terms(ONE, part, ())]
    return Sum(tuple(term for term in terms if term.coefficient))


def _affine(window: Window, others: Sequence[Place]) -> Place:
    return Affine(tuple(others), window.steps, window.offset, window.size)


def _size(size: int | str) -> Tree:
    return Number(exact(size)) if isinstance(size, int) else SizeOf(size)


def _terms(weight: Value, tree: Tree, at: Sequence[Place]) -> Sequence[Product]:
    """The terms of weight * tree."""
    if isinstance(tree, Sum):
        return [
            Product(exact(weight * term.coefficient), term.factors, term.divisors, term.bound) for term in tree.terms
        ]
    match _product(weight, [tree], (), at):
        case Product() as term:
            return [term]
        case Number() as number:
            return [Product(number.value)]
        case lone:
            return [Product(ONE, (lone,))]


def _product(weight: Value, factors: Sequence[Tree], bound: Sequence[Index], out: Sequence[Place]) -> Tree:
    """weight * factors, summed over `bound`: one flat product in reading order."""
    kept: list[Tree] = []
    divisors: list[Tree] = []
    sums = list(bound)
    for factor in factors:
        match factor:
            case Number():
                weight = exact(weight * factor.value)
            case Product():
                weight = exact(weight * factor.coefficient)
                kept += factor.factors
                for divisor in factor.divisors:
                    if isinstance(divisor, Number) and divisor.value != 0:
                        weight = exact(weight / divisor.value)
                    else:
                        divisors.append(divisor)
                sums += factor.bound
            case _:
                kept.append(factor)
    present = {index for part in (*kept, *divisors) for index in part.free}
    for index in [index for index in sums if index not in present]:
        length = _size(index.size)  # a sum over an index that nothing carries counts its values
        if isinstance(length, Number):
            weight = exact(weight * length.value)
        else:
            kept.append(length)
    sums = [index for index in sums if index in present]
    below = sorted(chain_order(divisors, _plain(out)), key=lambda divisor: not divisor.free)
    product = Product(weight, chain_order(kept, _plain(out)), tuple(below), tuple(sums))
    if product.plain and not sums:
        return kept[0]
    return product if kept or divisors else Number(weight)
