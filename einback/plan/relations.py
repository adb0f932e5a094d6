"""Relations used up: what is read through windows and one-hot tensors becomes views, gathers and scatters.

A window is a linear equation between indices, p = offset + s i + r u, and so a sum of products with it is done
in two moves, with one index q for the value that both sides of the equation have,

    S[q]    = sum over the indices A that nothing else holds, where the terms of A make q        a scatter
    y[B]    = S[q], where the terms of the other indices B make q                                a view

Which indices are A decides what the moves are. For x[p] w[p,i,u] it is p alone: q is p, and S is x itself, or a copy
of x with zeros where a window leaves the axis. For g[i] k[u] w[p,i,u] it is i and u: S adds up, and q is p. For
k[u] w[p,i,u] with p and i in the result it is u: a Toeplitz matrix is a view of k between zeros. With no index
left S is a unit vector, so that not even a window that is wanted as a result is more than a view until it
is handed out. A one-hot tensor has entries gathered where p is summed, else scattered to where ids point.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from einback.ir.nodes import Map, Node, Number, OneHot, Ones, Range, Window
from einback.plan.binding import Sizes, length
from einback.plan.numbers import times
from einback.plan.product import Labels, Product, Term
from einback.plan.views import is_inside, span

__all__ = ["Cutter", "discharge"]


class Cutter(Protocol):
    """What discharging needs of the cutter whose product it works on."""

    sizes: Sizes
    numbers: dict[Node, Number]

    def visit(self, node: Node) -> Node: ...

    def einsum(self, operands: Sequence[Node], labels: Sequence[Labels], out: Labels) -> Node:
        """A node as it stands."""

    def contracted(self, terms: Sequence[Term], out: Labels) -> Node:
        """A product of arrays, cut into pairs."""

    def scaled(self, node: Node, labels: Labels, product: Product) -> Node:
        """A tensor times the scalar factors of a product, which are used up."""


def discharge(product: Product, cutter: Cutter) -> set[int]:
    """Replace the relations of a product, and the arrays that meet them, by arrays. Returns the labels summed over."""
    work = _Discharge(product, cutter, set())
    while product.relations:
        ranks = [(work.rank(relation, labels), work.place(relation, labels)) for relation, labels in product.relations]
        relation, labels = product.relations.pop(ranks.index(min(ranks)))
        if isinstance(relation, Window):
            work.window(_equation(relation, labels))
        else:
            assert isinstance(relation, OneHot)
            work.one_hot(relation, labels)
    return work.spent


@dataclass(frozen=True, slots=True)
class _Equation:
    """constant + the sum of coefficient * index = 0. `place` is the label that the window points along."""

    place: int
    coefficients: dict[int, int]
    constant: int


def _equation(window: Window, labels: Labels) -> _Equation:
    assert isinstance(window.offset, int)
    coefficients = {labels[0]: -1}
    for label, step in zip(labels[1:], window.steps, strict=True):
        coefficients[label] = coefficients.get(label, 0) + int(step)
    return _Equation(labels[0], {label: c for label, c in coefficients.items() if c}, window.offset)


def _place(relation: Node, labels: Labels) -> int:
    """The label that a relation points along."""
    return labels[-1] if isinstance(relation, OneHot) else labels[0]


@dataclass(slots=True)
class _Discharge:
    product: Product
    cutter: Cutter
    spent: set[int]  # the labels that are summed over by now

    def place(self, relation: Node, labels: Labels) -> int:
        """Where the axis that a relation points along stands in the result: sums over the first move longer runs."""
        place, out = _place(relation, labels), self.product.out
        return out.index(place) if place in out else len(out)

    def rank(self, relation: Node, labels: Labels) -> int:
        """What comes first: copies between zeros, views of these, adding up over all indices, then over some."""
        place = _place(relation, labels)
        others = [label for label in labels if label != place]
        if self._is_free(place, own=1):
            inside = not isinstance(relation, Window) or self._direct(_equation(relation, labels), place)
            return 1 if inside else 0
        return 2 if all(self._is_free(label, own=1) for label in others) else 3

    def _is_free(self, label: int, own: int = 0) -> bool:
        """Whether a label is summed, and in no relation but `own` of those that are left."""
        readers = sum(label in labels for _, labels in self.product.relations)
        return label not in self.product.out and readers <= own

    def _length(self, label: int) -> int:
        return length(self.product.lengths[label], self.cutter.sizes)

    def _count(self, labels: Collection[int]) -> int:
        return prod(map(self._length, labels))

    # windows

    def window(self, equation: _Equation) -> None:
        place, indices = equation.place, list(equation.coefficients)
        free = [label for label in indices if self._is_free(label)]
        if place in free:
            free = [place]
        if len(free) == 1:
            self._read(equation, free[0])
        else:
            self._add_up(equation, free)

    def _read(self, equation: _Equation, a: int) -> None:
        """Replace one index by the others in every array that has it; the vector of ones, where none does."""
        self.spent.add(a)
        arrays = self.product.arrays
        found = [k for k, (_, labels) in enumerate(arrays) if a in labels]
        if self._direct(equation, a):
            for k in found:
                arrays[k] = self._reading(equation, a, arrays[k])
            return
        into, window, q = self._halves(equation, [a])
        for k in found:
            node, labels = self._without_diagonals(arrays[k])
            arrays[k] = self._scattered(node, labels, into, (q, a), q)
        if not found:
            arrays.append(self._scattered(None, (), into, (q, a), q))
        # The view comes later: other axes of the same array may need zeros around them first.
        self.product.relations.append((window, (q, *(label for label in equation.coefficients if label != a))))

    def _direct(self, equation: _Equation, a: int) -> Window | None:
        """The window that reads an array along index a as it stands, if there is one that stays inside."""
        sign = -equation.coefficients.get(a, 0)
        if abs(sign) != 1:
            return None
        others = [label for label in equation.coefficients if label != a]
        sizes = tuple(map(self._length, others))
        steps = tuple(sign * equation.coefficients[label] for label in others)
        window = Window(self._length(a), sizes, steps, sign * equation.constant)
        return window if is_inside(window) else None

    def _reading(self, equation: _Equation, a: int, term: Term) -> Term:
        """An array with index a replaced by the others: a view of it, or of a copy between zeros."""
        node, labels = self._without_diagonals(term)
        window = self._direct(equation, a)
        if window is None:
            return self._between(equation, [a], node, labels)
        others = tuple(label for label in equation.coefficients if label != a)
        return self._view(node, labels, a, window, others)

    def _without_diagonals(self, term: Term) -> Term:
        node, labels = term
        own = tuple(dict.fromkeys(labels))
        return self.cutter.einsum([node], [labels], own), own

    def _view(self, node: Node, labels: Labels, q: int, window: Window, others: Labels) -> Term:
        """The array through a window: its index q gives way to those of the window."""
        if window is Window(window.size, (window.size,), (1,), 0):
            return self._renamed(node, labels, q, others[0])
        at = labels.index(q)
        new = tuple(label for label in others if label not in labels)
        out = (*labels[:at], *new, *labels[at + 1 :])
        return self.cutter.einsum([node, window], [labels, (q, *others)], out), out

    def _renamed(self, node: Node, labels: Labels, q: int, label: int) -> Term:
        renamed = tuple(label if own == q else own for own in labels)
        return self._without_diagonals((node, renamed))

    def _add_up(self, equation: _Equation, summed: Sequence[int]) -> None:
        """Contract what holds some indices, add it up along what the equation makes of them, and read that."""
        product = self.product
        self.spent.update(summed)
        rest = [label for label in equation.coefficients if label not in summed]
        if rest == [equation.place] and summed:
            self._select(equation, summed)
        inside = [term for term in product.arrays if set(term[1]) & set(summed)]
        product.arrays = [term for term in product.arrays if term not in inside]
        node, labels = self._contracted(inside, {*rest, *summed})
        product.arrays.append(self._between(equation, summed, node, labels))

    def _select(self, equation: _Equation, summed: Sequence[int]) -> None:
        """Arrays that hold an index to be summed and the place too are read where the window points."""
        for k, (node, labels) in enumerate(self.product.arrays):
            if equation.place in labels and set(labels) & set(summed):
                self.product.arrays[k] = self._reading(equation, equation.place, (node, labels))

    def _contracted(self, terms: Sequence[Term], needed: set[int]) -> tuple[Node | None, Labels]:
        """The product of some arrays, over the labels that are needed here or elsewhere; None for no arrays."""
        product = self.product
        if not terms:
            return None, ()
        outside = needed.union(product.out, product.present)
        own = dict.fromkeys(label for _, labels in terms for label in labels)
        # The result's axes first, then the short ones over which slices are added: the longest lies innermost.
        place = {label: k for k, label in enumerate(dict.fromkeys(product.out))}
        kept = sorted((label for label in own if label in outside),
                      key=lambda label: (place.get(label, len(place)), self._length(label)))  # fmt: skip
        self.spent.update(own.keys() - set(kept))
        made = self.cutter.contracted(terms, tuple(kept))
        if made in self.cutter.numbers:  # zero, where an axis that is summed over has no entries
            product.weight = times(product.weight, self.cutter.numbers[made])
            return None, ()
        return made, tuple(kept)

    def _between(self, equation: _Equation, summed: Sequence[int], node: Node | None, labels: Labels) -> Term:
        """S over q, read at the indices that are left: see the top of the file."""
        into, window, q = self._halves(equation, summed)
        made, own = self._scattered(node, labels, into, (q, *summed), q)
        self.spent.add(q)
        return self._view(made, own, q, window, tuple(label for label in equation.coefficients if label not in summed))

    def _halves(self, equation: _Equation, summed: Sequence[int]) -> tuple[Window, Window, int]:
        """The windows that make q of some indices, and read it at the others; q counts from the least that is read."""
        sign = -1 if any(equation.coefficients[label] < 0 for label in summed) else 1
        rest = [label for label in equation.coefficients if label not in summed]
        sizes = tuple(map(self._length, rest))
        steps = tuple(-sign * equation.coefficients[label] for label in rest)
        low, high = span(Window(0, sizes, steps, 0))
        count = high - low + 1
        own = tuple(map(self._length, summed))
        made = tuple(sign * equation.coefficients[label] for label in summed)
        into = Window(count, own, made, sign * equation.constant - low)
        return into, Window(count, sizes, steps, -low), self.product.new_label(count)

    def _scattered(
        self, node: Node | None, labels: Labels, relation: Node, term: Labels, q: int, kept: Sequence[int] = ()
    ) -> Term:
        """An array (or ones) added up along q; the other labels of the relation go, but those to be kept."""
        indices = [label for label in term if label != q]
        order = list(labels) if node is not None else []
        order += [label for label in kept if label not in order]
        gone = [label for label in order if label in indices and label not in kept]
        if isinstance(relation, OneHot):
            lead = [label for label in indices if label in kept]
            out = (*lead, q, *(label for label in order if label not in indices))
        else:
            at = order.index(gone[-1]) if gone else len(order)
            out = tuple(q if k == at else label for k, label in enumerate(order) if k == at or label not in gone)
            out = out if gone else (*out, q)
        if node is None and self.product.scalars:
            node = self.cutter.scaled(self.cutter.contracted([], ()), (), self.product)
        elif node is not None and self._count(labels) < self._count(out):
            node = self.cutter.scaled(node, labels, self.product)
        if node is None:
            return self.cutter.einsum([relation], [term], out), out
        return self.cutter.einsum([node, relation], [labels, term], out), out

    def _kept(self, indices: Sequence[int]) -> list[int]:
        """Which of a relation's indices the result or other relations hold; arrays that hold them are used up."""
        return [label for label in dict.fromkeys(indices) if not self._is_free(label)]

    # one-hot tensors

    def one_hot(self, relation: OneHot, labels: Labels) -> None:
        *own, place = labels
        ids, indices = self._without_diagonals((relation.ids, tuple(own)))
        arrays = self.product.arrays
        if place in indices:  # h[b,p,p]: where the ids are the index itself
            arrays.append(self._equal((ids, indices), (Range(relation.size), (place,))))
            return
        hot = OneHot(ids, relation.size)
        if self._is_free(place):
            self.spent.add(place)
            for k, term in enumerate(arrays):
                if place in term[1]:
                    arrays[k] = self._gathered(term, hot, indices, place)
            return
        other = self._other(place)
        if other is not None and self._count({*indices, *other[1][:-1]}) <= self._count([*self._kept(indices), place]):
            self.spent.add(place)
            self.product.relations.remove(other)
            assert isinstance(other[0], OneHot)
            arrays.append(self._equal((ids, indices), (other[0].ids, other[1][:-1])))
            return
        self._spread(hot, indices, place)

    def _other(self, place: int) -> Term | None:
        """Another one-hot tensor, if it is all else that a place is in: both hold where their ids are equal."""
        holders = [term for term in (*self.product.relations, *self.product.arrays) if place in term[1]]
        alone = len(holders) == 1 and isinstance(holders[0][0], OneHot) and place not in self.product.out
        return holders[0] if alone and place not in holders[0][1][:-1] else None

    def _equal(self, a: Term, b: Term) -> Term:
        """One where two integer tensors are equal, over the labels of both."""
        labels = tuple(dict.fromkeys((*a[1], *b[1])))
        sides: list[Node] = []
        for node, own in (a, b):
            new = [label for label in labels if label not in own]
            ones = [Ones(self.product.lengths[label]) for label in new]
            sides.append(self.cutter.einsum([node, *ones], [own, *((label,) for label in new)], labels))
        return self.cutter.visit(Map("equal", tuple(sides))), labels

    def _gathered(self, term: Term, hot: OneHot, indices: Labels, place: int) -> Term:
        node, labels = self._without_diagonals(term)
        at = labels.index(place)
        new = tuple(label for label in indices if label not in labels)
        out = (*labels[:at], *new, *labels[at + 1 :])
        return self.cutter.einsum([node, hot], [labels, (*indices, place)], out), out

    def _spread(self, hot: OneHot, indices: Labels, place: int) -> None:
        """Scatter to where the ids point; what is held there is gathered first, where that is less to multiply."""
        product, own = self.product, set(indices)
        self.spent.update(own.difference(self._kept(indices)))
        fewer = self._count(indices) < self._length(place)
        for k, (node, labels) in enumerate(product.arrays):
            if place in labels and (fewer or own & set(labels)):
                product.arrays[k] = self._gathered((node, labels), hot, indices, place)
        inside = [term for term in product.arrays if own & set(term[1])]
        product.arrays = [term for term in product.arrays if term not in inside]
        held, own_labels = self._contracted(inside, {*indices, place})
        product.arrays.append(self._scattered(held, own_labels, hot, (*indices, place), place, self._kept(indices)))
