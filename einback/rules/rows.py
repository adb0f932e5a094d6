"""Rules for rows that sum to one: those of a tensor declared stochastic, of a softmax, of a one-hot tensor.

sum[c] Y[n,c] f[n]                 = f[n]                 (Y stochastic; nothing else reads c)
sum[c] softmax[c](z[n,c]) f[n]     = f[n]
sum[c] (f[n,k] Y[k,c])             = sum[k] f[n,k]        (also where something else reads the product)
sum[c] (a Y[n,c] + b)              = a + b size(c)
sum[c] (Y[n,c] + x[n,c])           = 1 + sum[c] x[n,c]    (where nothing else reads the terms together)

As x / x is 1, the sum of a softmax is 1 wherever it stands, also in a row where the softmax has no value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from einback.ir.build import add, einsum, ones
from einback.ir.nodes import Add, Einsum, Input, Map, Node, OneHot
from einback.ir.walk import remembered
from einback.rules.engine import Surroundings
from einback.rules.softmax import softmax
from einback.rules.structure import broadcast_axes

__all__ = ["rows_apart", "sum_of_rows"]

_DEEPEST = 3  # nodes inside nodes that are looked into

Axes = tuple[int, ...]


def sum_of_rows(node: Node, _: Surroundings) -> Node | None:
    """sum[c] Y[n,c] f[n] -> f[n]: what nothing else reads along its rows is summed over them first."""
    assert isinstance(node, Einsum)
    alone = _read_once(node)
    for k, (operand, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        for axes in _rows_inside(operand) if not alone.isdisjoint(term) else ():
            if alone.issuperset(term[axis] for axis in axes):
                kept = [label for axis, label in enumerate(term) if axis not in axes]
                return _with_factor(node, k, _summed(operand, axes, _DEEPEST), kept)
    return None


def rows_apart(node: Node, around: Surroundings) -> Node | None:
    """sum[c] (Y[n,c] + x[n,c]) -> sum[c] Y[n,c] + sum[c] x[n,c], where nothing else reads the sum of both."""
    assert isinstance(node, Einsum)
    alone = _read_once(node)
    for k, (operand, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        if not isinstance(operand, Add) or alone.isdisjoint(term) or not around.once(operand):
            continue
        inside = [_rows_inside(part) for part in operand.terms]
        whole = (axes for own in inside for axes in own if alone.issuperset(term[axis] for axis in axes))
        axes = next(whole, ())
        simple = [axes in own for own in inside]
        if all(simple) or not any(simple):
            continue
        rows, rest = (_terms(operand, [own is kind for own in simple]) for kind in (True, False))
        kept = [label for axis, label in enumerate(term) if axis not in axes]
        summed = _with_factor(node, k, _summed(rows, axes, _DEEPEST + 1), kept)
        return add([summed, _with_factor(node, k, rest, term)])
    return None


def _with_factor(node: Einsum, k: int, factor: Node, term: Sequence[int]) -> Node:
    """The product with another k-th factor, read under labels of its own."""
    operands = [*node.operands[:k], factor, *node.operands[k + 1 :]]
    return einsum(operands, [*node.labels[:k], term, *node.labels[k + 1 :]], node.out)


def _terms(node: Add, chosen: list[bool]) -> Node:
    """The sum of some terms of a sum."""
    pairs = [pair for pair, own in zip(zip(node.terms, node.weights, strict=True), chosen, strict=True) if own]
    return add([term for term, _ in pairs], [weight for _, weight in pairs])


def _read_once(node: Einsum) -> set[int]:
    """The labels of a product that are summed, and stand in one place only."""
    count = Counter(label for term in (*node.labels, node.out) for label in term)
    return {label for label, times in count.items() if times == 1}.difference(node.out)


@remembered
def _own_rows(node: Node) -> Axes:
    """The axes over which a tensor sums to one; () where none are known."""
    match node:
        case Input() if "stochastic" in node.facts:
            return (node.rank - 1,)
        case OneHot():
            return (node.rank - 1,)
        case Map() if not node.is_complex and (found := softmax(node)) is not None:
            return found.axes
        case _:
            return ()


@remembered
def _rows_inside(node: Node) -> tuple[Axes, ...]:
    """The axes over which a sum of a node is simpler."""
    return tuple(dict.fromkeys(_rows(node, _DEEPEST)))


def _rows(node: Node, depth: int) -> Iterator[Axes]:
    own = _own_rows(node)
    if own:
        yield own
    elif isinstance(node, Add) and depth:
        yield from _rows_of_terms(node, depth)
    elif isinstance(node, Einsum) and depth:
        for k in range(len(node.operands)):
            yield from _rows_of_factor(node, k, depth)


def _rows_of_terms(node: Add, depth: int) -> Iterator[Axes]:
    """The axes over which every term of a sum has rows, or is constant."""
    found = [set(_rows(term, depth - 1)) for term in node.terms]
    constant = [set(broadcast_axes(term)) for term in node.terms]
    for axes in dict.fromkeys(axes for own in found for axes in sorted(own)):
        if all(axes in own or flat.issuperset(axes) for own, flat in zip(found, constant, strict=True)):
            yield axes


def _rows_of_factor(node: Einsum, k: int, depth: int) -> Iterator[Axes]:
    """The axes of a product that are rows of its k-th factor, and nothing but these."""
    term = node.labels[k]
    for axes in _rows(node.operands[k], depth - 1):
        labels = [term[axis] for axis in axes]
        if all(sum(own.count(label) for own in node.labels) == node.out.count(label) == 1 for label in labels):
            yield tuple(sorted(node.out.index(label) for label in labels))


def _summed(node: Node, axes: Axes, depth: int) -> Node:
    """A node summed over some of its axes, where rows over these are ones."""
    kept = [axis for axis in range(node.rank) if axis not in axes]
    if _own_rows(node) == axes:
        return ones(tuple(node.shape[axis] for axis in kept))
    if isinstance(node, Add) and depth:
        return add([_summed(term, axes, depth - 1) for term in node.terms], node.weights)
    if isinstance(node, Einsum) and depth:
        gone = {node.out[axis] for axis in axes}
        for k, term in enumerate(node.labels):
            if axes in _rows_of_factor(node, k, depth):
                inner = tuple(axis for axis, label in enumerate(term) if label in gone)
                operands = [*node.operands[:k], _summed(node.operands[k], inner, depth - 1), *node.operands[k + 1 :]]
                labels = [tuple(label for label in own if label not in gone) for own in node.labels]
                return einsum(operands, labels, [node.out[axis] for axis in kept])
    return einsum([node], [range(node.rank)], kept)
