"""Programs cut into pairs: every Einsum becomes Einsums of at most two operands, IR to IR.

After `binary` an Einsum is one of
    a view       one operand, perhaps with Ones: axes permuted, diagonals read, broadcast; nothing summed
    a sum        one operand, distinct labels, some of them summed
    a pair       two operands with distinct labels each; labels in one operand only are kept
    an embedding one operand, a label twice in the output: a diagonal is written
    or has a relation beside a tensor: a view, a gather or a scatter, see `einback.plan.views`
Since nodes are interned, equal sub-contractions of the whole program become one node; so that they do, the
pair's operands are put in an order of their own, and so are the axes of an intermediate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

from einback.errors import ArrayError
from einback.ir.build import broadcast, const, einsum, ones, scale
from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, OneHot, Ones, Window
from einback.ir.sizes import Size
from einback.ir.walk import children, count_uses, postorder, rebuild
from einback.plan.binding import Sizes, length, resolve
from einback.plan.numbers import is_integral, times, uniform
from einback.plan.pairs import in_order, is_network, pairs
from einback.plan.product import Labels, Product, Term, united
from einback.plan.relations import discharge
from einback.plan.shifts import shifted
from einback.plan.units import zero_at_zero
from einback.plan.views import is_embedding, is_identity, is_view, repeated_axes
from einback.plan.windows import numeric_window
from einback.rules.relations import is_relation

__all__ = ["binary"]


def binary(roots: Sequence[Node], sizes: Sizes, *, real: bool = True, alike: bool = False) -> dict[Node, Node]:
    """What each node below the roots has become; `real` says that complex arrays are declared so.

    Where all arrays are `alike`, of one floating dtype that is not short, multiples may move from products to factors.
    """
    cutter = _Cutter(sizes)
    before = shifted(roots)
    guarded = zero_at_zero(list(before.values()), real=real)
    before = {node: guarded[image] for node, image in before.items()}
    shifted_roots = [before[root] for root in roots]
    uses = count_uses(shifted_roots)
    new: dict[Node, Node] = {}
    for node in postorder([*shifted_roots, *before.values()]):
        kids = children(node)
        cutter.shared.update(new[child] for child in kids if uses[child] > 1)
        images = [new[child] if isinstance(node, Einsum) else cutter.dense(new[child]) for child in kids]
        new[node] = cutter.visit(rebuild(node, images) if kids else node)
    image = {node: new[image] for node, image in before.items()}
    image |= {root: cutter.dense(image[root]) for root in roots}
    paired = pairs([image[root] for root in roots], sizes, scaled=alike)
    return {node: paired.get(made, made) for node, made in image.items()}


@dataclass(slots=True)
class _Cutter:
    sizes: Sizes
    shared: set[Node] = field(default_factory=set)  # nodes that several others read
    numbers: dict[Node, Number] = field(default_factory=dict)

    def visit(self, node: Node) -> Node:
        match node:
            case Einsum():
                return self._cut(node)
            case Window():
                return numeric_window(node, self.sizes)
            case Map() | Add():
                return self._flat_sum(self._noted(self._narrowed(node)))
            case _:
                return self._noted(node)

    def _noted(self, node: Node) -> Node:
        number = uniform(node, self.numbers, self.sizes)
        if number is not None:
            self.numbers[node] = number
        return node

    def einsum(self, operands: Sequence[Node], labels: Sequence[Sequence[int]], out: Sequence[int]) -> Node:
        """A product as it stands; a relation alone as an array of its own."""
        made = einsum(operands, labels, out)
        axes = tuple(range(made.rank))
        return self._noted(Einsum((made,), (axes,), axes) if is_relation(made) else made)

    def dense(self, node: Node) -> Node:
        """A node as an array, even where it is a relation."""
        axes = tuple(range(node.rank))
        return self._cut(Einsum((node,), (axes,), axes)) if is_relation(node) else node

    def contracted(self, terms: Sequence[Term], out: Labels) -> Node:
        """A product of arrays, cut into pairs."""
        if not terms:
            return self._noted(const(1))
        made = einsum([node for node, _ in terms], [labels for _, labels in terms], out)
        return made if made is terms[0][0] else self.visit(made)

    # an elementwise function of what only repeats along an axis is computed once and repeated

    def _narrowed(self, node: Node) -> Node:
        tensors = [child for child in children(node) if child not in self.numbers]
        if not tensors or not all(is_view(child) for child in tensors):
            return node
        repeated = [k for k in range(node.rank) if all(k in repeated_axes(child) for child in tensors)]
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
        return self.einsum([op for op, _ in terms], [term for _, term in terms], out)

    # products

    def _cut(self, node: Einsum) -> Node:
        product = self._taken_apart(node)
        if any(not self._length(size) for label, size in product.lengths.items() if label not in product.out):
            self._refuse_indices(product)
            return self._noted(scale(self._noted(ones(node.shape)), self._empty_sum(node)))
        spent = discharge(product, self) if product.relations else set()
        for label in sorted(product.lengths.keys() - product.present - spent - set(product.out)):
            product.weight = times(product.weight, Fraction(self._length(product.lengths[label])))  # a sum of ones
        kept = product.kept
        readers = Counter(label for _, labels in product.arrays for label in dict.fromkeys(labels))
        readers.update(kept)
        summed = [self._summed(node, labels, readers) for node, labels in product.arrays]
        summed.sort(key=lambda term: not term[1])
        count = max(1, sum(bool(labels) for _, labels in summed))  # those with no axis left are scalar factors
        product.arrays = summed[:count]
        product.scalars += [node for node, _ in summed[count:]]
        self._scale_smallest(product, kept)
        core = self._contract(product.arrays, kept) if product.arrays else self._noted(const(1))
        return self._wrapped(self.scaled(core, kept, product), kept, product)

    def _refuse_indices(self, product: Product) -> None:
        """An axis of length 0 has no entry that indices could point to."""
        for node, _ in product.relations:
            if isinstance(node, OneHot) and not self._length(node.size) and all(resolve(node.ids.shape, self.sizes)):
                raise ArrayError(f"indices point into axis {node.size}, which has 0 entries")

    def _empty_sum(self, node: Einsum) -> Number:
        """Zero, times the known numbers that stand before the sum: a mean of nothing is 0 / 0."""
        number: Number = Fraction(0)
        for operand in node.operands:
            if not operand.rank and operand in self.numbers:
                number = times(number, self.numbers[operand])
        return number

    def _taken_apart(self, node: Einsum) -> Product:
        """Look through views, and use up Delta, Ones and numbers."""
        atoms: list[Term] = []
        bound = any(map(is_relation, node.operands))
        lengths = dict(enumerate(node.sizes))
        waiting = list(zip(node.operands, node.labels, strict=True))[::-1]
        while waiting:
            operand, labels = waiting.pop()
            if operand not in self.numbers and (is_view(operand) or (not bound and self._opens(operand))):
                assert isinstance(operand, Einsum)
                outer = dict(zip(operand.out, labels, strict=True))
                for label, size in enumerate(operand.sizes):  # the place that a window reads is summed over inside
                    if label not in outer:
                        outer[label] = len(lengths)
                        lengths[outer[label]] = size
                inner = [tuple(outer[label] for label in term) for term in operand.labels]
                waiting.extend(zip(operand.operands[::-1], inner[::-1], strict=True))
            else:
                atoms.append((operand, labels))
        same = united(labels for operand, labels in atoms if is_identity(operand))
        alias = {label: same.get(label, label) for label in lengths}
        product = Product({alias[k]: lengths[alias[k]] for k in lengths}, tuple(alias[label] for label in node.out))
        for operand, labels in atoms:
            if not is_identity(operand):
                self._take(operand, tuple(alias[label] for label in labels), product)
        return product

    def _opens(self, operand: Node) -> bool:
        """Whether a product is contracted together with what reads it, since nothing else does."""
        return operand not in self.shared and is_network(operand)

    def _take(self, operand: Node, labels: Labels, product: Product) -> None:
        number = Fraction(1) if isinstance(operand, Ones) else self.numbers.get(operand)
        if number is not None:
            product.weight = times(product.weight, number)
        elif isinstance(operand, OneHot) and operand.ids in self.numbers:  # one index everywhere
            index, count = self.numbers[operand.ids], self._length(operand.size)
            if not is_integral(index) or not 0 <= index < count:
                raise ArrayError(f"an index is {index}, and the axis that it points into has {count} entries")
            product.relations.append((Window(count, (), (), int(index)), labels[-1:]))
        elif is_relation(operand):
            product.relations.append((operand, labels))
        elif operand.rank:
            product.arrays.append((operand, labels))
        else:
            product.scalars.append(operand)

    def _summed(self, node: Node, labels: Labels, readers: Mapping[int, int]) -> Term:
        """An array with its diagonals read, and summed over what nothing else reads."""
        own = tuple(dict.fromkeys(labels))
        node = self.einsum([node], [labels], own)
        rest = tuple(label for label in own if readers[label] > 1)
        return self.einsum([node], [own], rest), rest

    def _scale_smallest(self, product: Product, kept: Labels) -> None:
        """Scale an operand if one is smaller than the result; in long products the result, to keep trees shared."""
        if not 0 < len(product.arrays) <= 2:
            return
        counts = [prod(resolve(node.shape, self.sizes)) for node, _ in product.arrays]
        if min(counts) < prod(self._length(product.lengths[label]) for label in kept):
            k = counts.index(min(counts))
            node, labels = product.arrays[k]
            product.arrays[k] = (self.scaled(node, labels, product), labels)

    def scaled(self, node: Node, labels: Labels, product: Product) -> Node:
        """A tensor times the scalar factors of a product, which are used up."""
        scalars, weight = sorted(product.scalars, key=lambda scalar: scalar.digest), product.weight
        product.scalars, product.weight = [], Fraction(1)
        if not scalars:
            return self._weighted(node, weight)
        scalar = scalars[0]
        for factor in scalars[1:]:
            scalar = self.einsum([scalar, factor], [(), ()], ())
        return self.einsum([node, self._weighted(scalar, weight)], [labels, ()], labels)

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
                return self.einsum([core, self._weighted(factor, weight)], node.labels, node.out)
            case Einsum(operands=(core,)) if is_embedding(node) and node not in self.shared:
                return self.einsum([self._weighted(core, weight)], node.labels, node.out)
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
        return length(size, self.sizes)

    def _contract(self, arrays: Sequence[Term], kept: Labels) -> Node:
        """The product of arrays as one node; a single array is a view, more are a network, cut into pairs later."""
        ordered = in_order(*arrays) if len(arrays) == 2 else sorted(arrays, key=lambda term: term[0].digest)
        return self.einsum([node for node, _ in ordered], [labels for _, labels in ordered], kept)

    def _wrapped(self, core: Node, kept: Labels, product: Product) -> Node:
        """Repeat along the axes that no array has; write diagonals where an output label stands twice."""
        own = tuple(dict.fromkeys(product.out))
        new = [label for label in own if label not in kept]
        node = self.einsum([core, *(Ones(product.lengths[k]) for k in new)], [kept, *((k,) for k in new)], own)
        return node if own == product.out else self.einsum([node], [own], product.out)
