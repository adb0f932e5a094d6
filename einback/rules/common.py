"""Common factors of a sum, taken out where the sum becomes smaller.

    x[i] a[j] + x[i] b[j]      = x[i] (a[j] + b[j])         (x alone has the axis i)

Gradients of samples are products of a layer's input with what arrives from above, and second derivatives sums of
such products: without the input's own axis these sums are smaller by its length. Factors are looked for inside
nested products too, and below sums over indices that they do not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from einback.ir.build import add, einsum, ones
from einback.ir.nodes import Add, Einsum, Node, Ones
from einback.ir.walk import children, rebuild
from einback.rules.engine import Surroundings
from einback.rules.relations import is_relation, spreads
from einback.rules.structure import embeds, is_size

__all__ = ["common_factors"]

_DEPTH = 8  # of nested products that are searched
_MOST = 24  # factors of a term that are looked at

Axes = tuple[int | None, ...]  # which axis of the term each axis of a factor is; None where it is summed


@dataclass(frozen=True, slots=True)
class _Factor:
    """A factor of a term, and the operand numbers that lead to it."""

    node: Node
    axes: Axes
    path: tuple[int, ...]
    alone: frozenset[int] = frozenset()  # the axes of the term that no other factor has


def common_factors(node: Node, around: Surroundings) -> Node | None:
    """x[i] a[j] + x[i] b[j] -> x[i] (a[j] + b[j]), where nothing else in the sum has the axis i.

    It waits until the terms are settled: sums with diagonals are distributed over products, and stay so.
    """
    assert isinstance(node, Add)
    if len(node.terms) < 2 or node.rank < 2:
        return None
    if not all(
        isinstance(term, Einsum) and not embeds(term) and not spreads(term) and around.settled(term)
        for term in node.terms
    ):
        return None
    first, *others = node.terms
    found = list(_alone(first, range(node.rank)))
    for term in others:
        if not found:
            return None
        have = {(one.node, one.axes): one.alone for one in _alone(term, range(node.rank))}
        meet = [replace(one, alone=one.alone & have.get((one.node, one.axes), frozenset())) for one in found]
        found = [one for one in meet if one.alone]
    if not found:
        return None
    factor = min(found, key=lambda one: (one.node.digest, one.path))
    rest = [_without(term, factor) for term in node.terms]
    return einsum([factor.node, add(rest, node.weights)], [factor.axes, range(node.rank)], range(node.rank))


def _alone(term: Node, axes: Sequence[int]) -> Iterator[_Factor]:
    """The factors that have an axis of the term which no other factor has, and none that is summed."""
    factors = list(_factors(term, tuple(axes)))
    if len(factors) > _MOST:
        return
    carriers = [axis for factor in factors for axis in set(factor.axes)]
    for factor in factors:
        if None in factor.axes or len(set(factor.axes)) < len(factor.axes):
            continue
        alone = frozenset(axis for axis in factor.axes if axis is not None and carriers.count(axis) == 1)
        if alone:
            yield replace(factor, alone=alone)


def _factors(term: Node, axes: Axes) -> Iterator[_Factor]:
    stack = [_Factor(term, axes, ())]
    while stack:
        one = stack.pop()
        if isinstance(one.node, Ones):
            continue
        if not _is_product(one.node) or len(one.path) == _DEPTH:
            yield one
            continue
        assert isinstance(one.node, Einsum)
        place = dict(zip(one.node.out, one.axes, strict=True))
        for k, (operand, own) in enumerate(zip(one.node.operands, one.node.labels, strict=True)):
            stack.append(_Factor(operand, tuple(place.get(label) for label in own), (*one.path, k)))


def _is_product(node: Node) -> bool:
    return (
        isinstance(node, Einsum) and not embeds(node) and not is_size(node) and not any(map(is_relation, node.operands))
    )


def _without(term: Node, factor: _Factor) -> Node:
    """The term with ones in the place of the factor that is equal to this one."""
    path = next(
        one.path for one in _alone(term, range(term.rank)) if (one.node, one.axes) == (factor.node, factor.axes)
    )
    above = []
    node = term
    for k in path:
        above.append((node, k))
        node = children(node)[k]
    node = ones(node.shape)
    for parent, k in reversed(above):
        kids = list(children(parent))
        kids[k] = node
        node = rebuild(parent, kids)
    return node
