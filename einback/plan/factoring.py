"""Factoring: which arrays a tensor is kept as, where it is wanted as structure and not as one array.

A tensor in normal form is a sum of terms, weight * product, and of each product

    an output label written twice    is a delta, and is not stored
    an output label of no factor     is a broadcast, and is not stored
    connected components             stay apart: an outer product is not formed
    a component                      is contracted as far as that stores no more entries than its factors do

So the Hessian delta[n,n'] O[n,m]^2 V[m,k] V[m,k'] is kept as one array over n, k, k', and X'DX as X and D where X
is thin. What is best depends on the sizes, which are bound here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations

from einback.ir.build import add, const, einsum
from einback.ir.nodes import Add, Einsum, Node, Number, Ones
from einback.ir.sizes import Size
from einback.ir.walk import postorder
from einback.plan.binding import Sizes, resolve
from einback.plan.cost import elements
from einback.plan.numbers import times, uniform
from einback.rules.relations import is_relation
from einback.rules.structure import inline, is_size

__all__ = ["Product", "factored"]

Labels = tuple[int, ...]
Factor = tuple[Node, Labels]


@dataclass(frozen=True, slots=True)
class Product:
    """weight * the product of the factors, summed over the labels that `axes` lacks; one label an axis.

    Labels are numbered by first appearance in `axes`, then in the factors.
    """

    weight: Number
    factors: tuple[Factor, ...]
    axes: Labels


def factored(root: Node, sizes: Sizes) -> list[Product]:
    """The products whose sum a node in normal form is, their factors the arrays to keep."""
    numbers: dict[Node, Number] = {}
    for node in postorder([root]):
        value = uniform(node, numbers, sizes)
        if value is not None:
            numbers[node] = value
    products = [_Taken(sizes, numbers).product(term, weight) for term, weight in _terms(root)]
    return _merged([product for product in products if product.weight != 0], sizes)


def _terms(root: Node) -> Iterator[tuple[Node, Number]]:
    """The terms of a sum, of the sums among its terms and of rearranged sums, with their weights."""
    stack: list[tuple[Node, Number]] = [(root, Fraction(1))]
    while stack:
        node, weight = stack.pop()
        match node:
            case Add():
                parts = zip(node.terms, node.weights, strict=True)
                stack += [(term, times(weight, own)) for term, own in parts][::-1]
            case Einsum(operands=(Add() as inner,)) if _rearranges(node):
                parts = zip(inner.terms, inner.weights, strict=True)
                stack += [(einsum([term], node.labels, node.out), times(weight, own)) for term, own in parts][::-1]
            case Einsum(operands=(Einsum() as inner,)) if _rearranges(node) and not is_size(inner):
                stack.append((inline(node, 0, inner), weight))
            case _:
                yield node, weight


def _rearranges(node: Einsum) -> bool:
    """Whether a product of one operand sums nothing and reads no diagonal: it permutes axes and writes diagonals."""
    return len(set(node.labels[0])) == len(node.labels[0]) and set(node.labels[0]) == set(node.out)


@dataclass(slots=True)
class _Taken:
    """One term taken apart."""

    sizes: Sizes
    numbers: Mapping[Node, Number]
    lengths: list[int] = field(default_factory=list)  # by label

    def product(self, term: Node, weight: Number) -> Product:
        whole = term if isinstance(term, Einsum) else None
        out = whole.out if whole is not None else tuple(range(term.rank))
        inner = whole.sizes if whole is not None else term.shape
        names = self._new_labels(inner, dict.fromkeys([*out, *range(len(inner))]))
        axes = tuple(names[label] for label in out)
        factors: Iterable[Factor] = zip(whole.operands, whole.labels, strict=True) if whole else [(term, out)]
        atoms: list[Factor] = []
        for node, labels in self._opened([(node, tuple(names[k] for k in own)) for node, own in factors]):
            number = Fraction(1) if isinstance(node, Ones) else self.numbers.get(node)
            if number is None:
                atoms.append((node, labels))
            else:
                weight = times(weight, number)
        carried = {label for _, labels in atoms for label in labels}
        for label, length in enumerate(self.lengths):
            if label not in carried and label not in axes:
                weight = times(weight, Fraction(length))  # a sum of ones
        pieces = [piece for component in _components(atoms) for piece in self._condensed(component, set(axes))]
        return _numbered(weight, pieces, axes)

    def _new_labels(self, sizes: Sequence[Size], own: Iterable[int]) -> dict[int, int]:
        """New labels for some of an Einsum's own."""
        names: dict[int, int] = {}
        for label in own:
            names[label] = len(self.lengths)
            self.lengths += resolve((sizes[label],), self.sizes)
        return names

    def _opened(self, factors: Sequence[Factor]) -> Iterator[Factor]:
        """The factors, where a product that has more entries than its operands is replaced by these."""
        bound = any(is_relation(node) for node, _ in factors)
        stack = list(factors)[::-1]
        while stack:
            node, labels = stack.pop()
            if bound or node in self.numbers or not isinstance(node, Einsum) or not self._expands(node):
                yield node, labels
                continue
            names = dict(zip(node.out, labels, strict=True))
            names |= self._new_labels(node.sizes, [k for k in range(len(node.sizes)) if k not in names])
            parts = zip(node.operands, node.labels, strict=True)
            stack += [(part, tuple(names[k] for k in own)) for part, own in parts][::-1]

    def _expands(self, node: Einsum) -> bool:
        if len(set(node.out)) < len(node.out) or any(map(is_relation, node.operands)):
            return False
        return sum(elements(part, self.sizes) for part in dict.fromkeys(node.operands)) < elements(node, self.sizes)

    def _condensed(self, atoms: Sequence[Factor], kept: set[int]) -> list[Factor]:
        """One component, contracted pair by pair; of all the states on the way the one that stores least."""
        groups: list[tuple[int, ...]] = [(k,) for k in range(len(atoms))]
        if not any(labels for _, labels in atoms) or any(is_relation(node) for node, _ in atoms):
            return [self._piece(atoms, range(len(atoms)), kept)]
        best = pieces = [self._piece(atoms, group, kept) for group in groups]
        while len(groups) > 1:
            found = []
            for a, b in combinations(range(len(groups)), 2):
                if not set(pieces[a][1]).isdisjoint(pieces[b][1]):
                    rest = [k for k in range(len(groups)) if k not in (a, b)]
                    joined = self._piece(atoms, sorted(groups[a] + groups[b]), kept)
                    found.append((self._stored([*(pieces[k] for k in rest), joined]), a, b, joined))
            _, a, b, joined = min(found, key=lambda choice: choice[:3])
            rest = [k for k in range(len(groups)) if k not in (a, b)]
            groups = [*(groups[k] for k in rest), tuple(sorted(groups[a] + groups[b]))]
            pieces = [*(pieces[k] for k in rest), joined]
            if self._stored(pieces) <= self._stored(best):
                best = pieces
        return best

    def _piece(self, atoms: Sequence[Factor], group: Sequence[int], kept: set[int]) -> Factor:
        """Some atoms as one array, over the labels that the result or other atoms have."""
        outside = kept.union(*(labels for k, (_, labels) in enumerate(atoms) if k not in group))
        own = dict.fromkeys(label for k in group for label in atoms[k][1])
        left = [label for label in own if label in outside]
        return einsum([atoms[k][0] for k in group], [atoms[k][1] for k in group], left), tuple(left)

    def _stored(self, pieces: Iterable[Factor]) -> int:
        return sum(elements(node, self.sizes) for node in dict.fromkeys(node for node, _ in pieces))


def _components(atoms: Sequence[Factor]) -> list[list[Factor]]:
    """The atoms in groups that share no label; those without a label are a group."""
    groups: list[tuple[set[int], list[Factor]]] = []
    for atom in atoms:
        labels = set(atom[1])
        touching = [group for group in groups if group[0] & labels or not (group[0] or labels)]
        members = [member for group in touching for member in group[1]]
        groups = [group for group in groups if group not in touching]
        groups.append((labels.union(*(group[0] for group in touching)), [*members, atom]))
    return [members for _, members in groups]


def _numbered(weight: Number, factors: Sequence[Factor], axes: Labels) -> Product:
    number = {label: k for k, label in enumerate(dict.fromkeys([*axes, *(k for _, own in factors for k in own)]))}
    renamed = tuple((node, tuple(number[k] for k in own)) for node, own in factors)
    return Product(weight, renamed, tuple(number[k] for k in axes))


def _merged(products: Sequence[Product], sizes: Sizes) -> list[Product]:
    """Products of one pattern become one array, where that has no more entries than they have together."""
    patterns: dict[tuple[Labels, Labels], list[Product]] = {}
    for product in products:
        labels = tuple(sorted({label for _, own in product.factors for label in own if label in product.axes}))
        patterns.setdefault((product.axes, labels), []).append(product)
    merged: list[Product] = []
    for (axes, carried), group in patterns.items():
        if len(group) == 1:
            merged += group
            continue
        whole = add([_dense(product, carried) for product in group], [product.weight for product in group])
        apart = dict.fromkeys(node for product in group for node, _ in product.factors)
        if not apart:
            merged.append(Product(sum((product.weight for product in group), Fraction(0)), (), axes))
        elif not carried or elements(whole, sizes) <= sum(elements(node, sizes) for node in apart):
            merged.append(Product(Fraction(1), ((whole, carried),), axes))
        else:
            merged += group
    return merged


def _dense(product: Product, carried: Labels) -> Node:
    """The product of the factors as one node, without its weight, its deltas and its broadcasts."""
    if not product.factors:
        return const(1)
    return einsum([node for node, _ in product.factors], [own for _, own in product.factors], carried)
