"""Programs cut into pairs: every Einsum becomes Einsums of at most two operands, IR to IR.

After `binary` an Einsum is one of
    a view       one operand, perhaps with Ones: axes permuted, diagonals read, broadcast; nothing summed
    a sum        one operand, distinct labels, some of them summed
    a pair       two operands with distinct labels each; labels in one operand only are kept
    an embedding one operand, a label twice in the output: a diagonal is written
Since nodes are interned, equal sub-contractions of the whole program become one node; so that they do, the
pair's operands are put in an order of their own, and so are the axes of an intermediate.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

from einback.ir.build import broadcast, const, einsum, ones, scale
from einback.ir.nodes import Add, Const, Delta, Einsum, Map, Node, Number, Ones
from einback.ir.sizes import Size
from einback.ir.walk import children, count_uses, postorder, rebuild
from einback.plan.binding import Sizes, resolve
from einback.plan.families import Families
from einback.plan.numbers import times, uniform
from einback.plan.paths import Labels, contraction_path, intermediates

__all__ = ["binary", "is_view"]

_Term = tuple[Node, Labels]


def is_view(node: Node) -> bool:
    """Whether a node only rearranges one tensor: permutes, reads a diagonal, repeats along new axes."""
    if not isinstance(node, Einsum) or len(set(node.out)) < len(node.out) or len(node.out) < len(node.sizes):
        return False
    return sum(not isinstance(operand, Ones) for operand in node.operands) == 1


def binary(roots: Sequence[Node], sizes: Sizes) -> dict[Node, Node]:
    """What each node below the roots has become."""
    cutter = _Cutter(sizes)
    uses = count_uses(roots)
    new: dict[Node, Node] = {}
    for node in postorder(roots):
        kids = children(node)
        cutter.shared.update(new[child] for child in kids if uses[child] > 1)
        new[node] = cutter.visit(rebuild(node, [new[child] for child in kids]) if kids else node)
    return new


@dataclass(slots=True)
class _Product:
    """An Einsum taken apart: arrays, scalar factors, the size of each label, the output, and known numbers as one."""

    arrays: list[_Term]
    scalars: list[Node]
    lengths: dict[int, Size]
    out: Labels
    weight: Number = Fraction(1)

    @property
    def kept(self) -> Labels:
        """The output labels that some array has, each once."""
        present = {label for _, labels in self.arrays for label in labels}
        return tuple(label for label in dict.fromkeys(self.out) if label in present)


@dataclass(slots=True)
class _Cutter:
    sizes: Sizes
    shared: set[Node] = field(default_factory=set)  # nodes that several others read
    numbers: dict[Node, Number] = field(default_factory=dict)
    families: Families = field(default_factory=Families)
    axis_orders: dict[Hashable, Labels] = field(default_factory=dict)

    def visit(self, node: Node) -> Node:
        match node:
            case Einsum():
                return self._cut(node)
            case Map() | Add():
                return self._flat_sum(self._noted(self._narrowed(node)))
            case _:
                return self._noted(node)

    def _noted(self, node: Node) -> Node:
        number = uniform(node, self.numbers, self.sizes)
        if number is not None:
            self.numbers[node] = number
        return node

    def _einsum(self, operands: Sequence[Node], labels: Sequence[Sequence[int]], out: Sequence[int]) -> Node:
        return self._noted(einsum(operands, labels, out))

    # an elementwise function of what only repeats along an axis is computed once and repeated

    def _narrowed(self, node: Node) -> Node:
        tensors = [child for child in children(node) if child not in self.numbers]
        if not tensors or not all(is_view(child) for child in tensors):
            return node
        repeated = [k for k in range(node.rank) if all(k in _repeated(child) for child in tensors)]
        if not repeated:
            return node
        kept = [k for k in range(node.rank) if k not in repeated]
        shape = tuple(node.shape[k] for k in kept)
        narrow: list[Node] = []
        for child in children(node):
            if isinstance(child, Const):
                narrow.append(child)
            elif child in self.numbers:
                narrow.append(self._noted(scale(self._noted(ones(shape)), self.numbers[child])))
            else:
                narrow.append(self._without(child, repeated))
        core = self.visit(rebuild(node, narrow))
        return self._noted(broadcast(core, node.shape, kept))

    def _without(self, view: Node, axes: Sequence[int]) -> Node:
        """A view less some of the axes along which it repeats."""
        assert isinstance(view, Einsum)
        gone = {view.out[k] for k in axes}
        terms = [(op, term) for op, term in zip(view.operands, view.labels, strict=True) if not set(term) & gone]
        out = [label for label in view.out if label not in gone]
        return self._einsum([op for op, _ in terms], [term for _, term in terms], out)

    # products

    def _cut(self, node: Einsum) -> Node:
        product = self._taken_apart(node)
        if any(not self._length(size) for label, size in product.lengths.items() if label not in product.out):
            return self._noted(scale(self._noted(ones(node.shape)), 0))  # an empty sum
        kept = product.kept
        product.arrays = [self._summed(k, product, kept) for k in range(len(product.arrays))]
        self._scale_smallest(product, kept)
        core = self._contract(product.arrays, kept, product.lengths) if product.arrays else self._noted(const(1))
        return self._wrapped(self._scaled(core, kept, product), kept, product)

    def _taken_apart(self, node: Einsum) -> _Product:
        """Look through views, and use up Delta, Ones and numbers."""
        atoms: list[_Term] = []
        waiting = list(zip(node.operands, node.labels, strict=True))[::-1]
        while waiting:
            operand, labels = waiting.pop()
            if is_view(operand) and operand not in self.numbers:
                assert isinstance(operand, Einsum)
                outer = dict(zip(operand.out, labels, strict=True))
                inner = [tuple(outer[label] for label in term) for term in operand.labels]
                waiting.extend(zip(operand.operands[::-1], inner[::-1], strict=True))
            else:
                atoms.append((operand, labels))
        united = _united(labels for operand, labels in atoms if _is_identity(operand))
        alias = {label: united.get(label, label) for label in range(len(node.sizes))}
        product = _Product([], [], dict(enumerate(node.sizes)), tuple(alias[label] for label in node.out))
        for operand, labels in atoms:
            if not _is_identity(operand):
                self._take(operand, tuple(alias[label] for label in labels), product)
        present = {label for _, labels in product.arrays for label in labels}
        for label in sorted(set(alias.values()) - present - set(product.out)):
            product.weight = times(product.weight, Fraction(self._length(product.lengths[label])))  # a sum of ones
        return product

    def _take(self, operand: Node, labels: Labels, product: _Product) -> None:
        number = Fraction(1) if isinstance(operand, Ones) else self.numbers.get(operand)
        if number is not None:
            product.weight = times(product.weight, number)
        elif operand.rank:
            product.arrays.append((operand, labels))
        else:
            product.scalars.append(operand)

    def _summed(self, k: int, product: _Product, kept: Labels) -> _Term:
        """Array k with its diagonals read, and summed over what nothing else reads."""
        node, labels = product.arrays[k]
        own = tuple(dict.fromkeys(labels))
        node = self._einsum([node], [labels], own)
        others = {label for j, (_, term) in enumerate(product.arrays) if j != k for label in term}
        rest = tuple(label for label in own if label in others or label in kept)
        return self._einsum([node], [own], rest), rest

    def _scale_smallest(self, product: _Product, kept: Labels) -> None:
        """Scale an operand if one is smaller than the result; in long products the result, to keep trees shared."""
        if not 0 < len(product.arrays) <= 2:
            return
        counts = [prod(resolve(node.shape, self.sizes)) for node, _ in product.arrays]
        if min(counts) < prod(self._length(product.lengths[label]) for label in kept):
            k = counts.index(min(counts))
            node, labels = product.arrays[k]
            product.arrays[k] = (self._scaled(node, labels, product), labels)

    def _scaled(self, node: Node, labels: Labels, product: _Product) -> Node:
        """A tensor times the scalar factors of a product, which are used up."""
        scalars, weight = sorted(product.scalars, key=lambda scalar: scalar.digest), product.weight
        product.scalars, product.weight = [], Fraction(1)
        if not scalars:
            return self._weighted(node, weight)
        scalar = scalars[0]
        for factor in scalars[1:]:
            scalar = self._einsum([scalar, factor], [(), ()], ())
        return self._einsum([node, self._weighted(scalar, weight)], [labels, ()], labels)

    def _weighted(self, node: Node, weight: Number) -> Node:
        """A tensor times a number, which joins a weight or a scalar factor that is there."""
        if weight == 1:
            return node
        match node:
            case Const():
                return self._noted(const(times(node.value, weight)))
            case Add(terms=(term,)):
                return self._weighted(term, times(node.weights[0], weight))
            case Einsum(operands=(core, factor)) if core.rank and not factor.rank and node not in self.numbers:
                return self._einsum([core, self._weighted(factor, weight)], node.labels, node.out)
            case _:
                return self._noted(scale(node, weight))

    def _flat_sum(self, node: Node) -> Node:
        """A sum whose terms are not scaled by themselves, but where others need them so."""
        if not isinstance(node, Add) or node in self.numbers:
            return node
        if len(node.terms) == 1:
            term = node.terms[0]
            return node if term in self.shared else self._weighted(term, node.weights[0])
        terms, weights = list(node.terms), list(node.weights)
        for k, term in enumerate(terms):
            if isinstance(term, Add) and len(term.terms) == 1 and not (term in self.shared or term in self.numbers):
                terms[k], weights[k] = term.terms[0], times(weights[k], term.weights[0])
        return self._noted(Add(tuple(terms), tuple(weights)))

    def _length(self, size: Size) -> int:
        return size if isinstance(size, int) else self.sizes[size]

    def _contract(self, arrays: Sequence[_Term], kept: Labels, lengths: dict[int, Size]) -> Node:
        if len(arrays) == 1:
            return self._einsum([arrays[0][0]], [arrays[0][1]], kept)
        held = list(arrays)
        pairs = list(self._pairs(arrays, kept, lengths))
        for step, (i, j, keep) in enumerate(pairs):
            last = step == len(pairs) - 1
            held.append(self._pair(held[i], held[j], keep, kept, last=last))
        return held[-1][0]

    def _pairs(
        self, arrays: Sequence[_Term], kept: Labels, lengths: dict[int, Size]
    ) -> list[tuple[int, int, frozenset[int]]]:
        nodes = [node for node, _ in arrays]
        number = {label: k for k, label in enumerate(dict.fromkeys(label for _, term in arrays for label in term))}
        terms = tuple(tuple(number[label] for label in term) for _, term in arrays)
        out = tuple(number[label] for label in kept)
        path = self.families.path_for(nodes, terms, out) if len(arrays) > 2 else None
        if path is None:
            path = contraction_path(terms, out, tuple(self._length(lengths[label]) for label in number))
        if len(arrays) > 2:
            self.families.remember(nodes, terms, out, path)
        label_of = list(number)
        return [(i, j, frozenset(label_of[k] for k in keep)) for i, j, keep in intermediates(terms, out, path)]

    def _pair(self, a: _Term, b: _Term, keep: frozenset[int], wanted: Labels, *, last: bool) -> _Term:
        """Two tensors contracted on the way to `wanted`; who needs the pair first settles its order of axes for all."""
        a, b = _in_order(a, b)
        number = {label: k for k, label in enumerate(dict.fromkeys((*a[1], *b[1])))}
        signature = (a[0], b[0], tuple(number[label] for label in b[1]), frozenset(number[label] for label in keep))
        natural = wanted if last else _natural_order(a[1], b[1], keep, wanted)
        settled = self.axis_orders.setdefault(signature, tuple(number[label] for label in natural))
        label_of = list(number)
        out = tuple(label_of[k] for k in settled)
        node = self._einsum([a[0], b[0]], [a[1], b[1]], out)
        if not last or wanted == out:
            return node, out
        return self._einsum([node], [out], wanted), wanted

    def _wrapped(self, core: Node, kept: Labels, product: _Product) -> Node:
        """Repeat along the axes that no array has; write diagonals where an output label stands twice."""
        own = tuple(dict.fromkeys(product.out))
        new = [label for label in own if label not in kept]
        node = self._einsum([core, *(Ones(product.lengths[k]) for k in new)], [kept, *((k,) for k in new)], own)
        return node if own == product.out else self._einsum([node], [own], product.out)


def _repeated(view: Node) -> list[int]:
    """The axes of a view along which it repeats."""
    assert isinstance(view, Einsum)
    carried = {
        label
        for operand, term in zip(view.operands, view.labels, strict=True)
        if not isinstance(operand, Ones)
        for label in term
    }
    return [k for k, label in enumerate(view.out) if label not in carried]


def _is_identity(node: Node) -> bool:
    if isinstance(node, Einsum):
        return isinstance(node.operands[0], Ones) and node.labels == ((0,),) and node.out == (0, 0)
    return isinstance(node, Delta)


def _united(pairs: Iterable[Labels]) -> dict[int, int]:
    """A Delta makes its two labels one; for each label that meets another, the smallest it becomes."""
    parent: dict[int, int] = {}

    def find(label: int) -> int:
        while (up := parent.get(label, label)) != label:
            label = up
        return label

    for a, b in pairs:
        a, b = sorted((find(a), find(b)))
        parent[b] = a
    return {label: find(label) for label in parent}


def _in_order(a: _Term, b: _Term) -> tuple[_Term, _Term]:
    """The pair in an order that depends on the tensors alone; of a tensor with itself, on how it is connected."""
    if a[0] is not b[0]:
        return (a, b) if a[0].digest <= b[0].digest else (b, a)
    ab = [a[1].index(label) if label in a[1] else -1 for label in b[1]]
    ba = [b[1].index(label) if label in b[1] else -1 for label in a[1]]
    return (a, b) if ab <= ba else (b, a)


def _natural_order(a: Labels, b: Labels, keep: frozenset[int], wanted: Labels) -> Labels:
    """As a matrix product lays its result out: shared axes, then those of the one, then those of the other.

    Which is the one, is decided by what comes first in the result of the whole product.
    """

    def place(label: int) -> int:
        return wanted.index(label) if label in wanted else len(wanted)

    both = sorted((label for label in a if label in b and label in keep), key=place)
    if len(keep) == len({*a, *b}):  # nothing is summed: any order will do
        return (*both, *sorted((label for label in (*a, *b) if label not in both), key=place))
    alone = [[label for label in a if label not in b], [label for label in b if label not in a]]
    first, second = sorted(alone, key=lambda group: min(map(place, group), default=0))
    return (*both, *first, *second)
