"""Networks cut into pairs, IR to IR: all contraction orders of a program are chosen, then every pair becomes a node.

Since nodes are interned, pairs that two networks share become one node; so that they do, the two tensors of a pair
are put in an order of their own, and so are the axes of their product.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from einback.ir.build import einsum
from einback.ir.nodes import Add, Einsum, Node, Number, Ones
from einback.ir.walk import children, count_uses, postorder, rebuild, transform
from einback.plan.binding import Sizes, resolve
from einback.plan.networks import network
from einback.plan.orders import contraction_orders
from einback.plan.paths import Path, intermediates
from einback.plan.product import Labels, Term
from einback.rules.relations import is_relation

__all__ = ["in_order", "is_network", "pairs"]

_MODERATE = 1 << 20  # up to which a weight brings no factor to the end of the range of floats
_SMALLER = 4  # times as many entries as an operand, from which on a multiple of the product is one of the operand


def is_network(node: Node) -> bool:
    """Whether a node of a program is a product of two or more arrays, summed over labels that two of them have."""
    return (
        isinstance(node, Einsum) and len(node.operands) > 1 and all(op.rank and _is_array(op) for op in node.operands)
    )


def _is_array(node: Node) -> bool:
    return not (isinstance(node, Ones) or is_relation(node))


def pairs(roots: Sequence[Node], sizes: Sizes, *, scaled: bool = False) -> dict[Node, Node]:
    """What each node below the roots becomes, where no product has more than two arrays.

    Multiples of products are `scaled` before where that is less work, which rounds in the dtype of a factor.
    """
    order = list(postorder(roots))
    products = [node for node in order if isinstance(node, Einsum) and is_network(node)]
    networks = [network(node.operands, node.labels, node.out, resolve(node.sizes, sizes)) for node in products]
    paths = dict(zip(products, contraction_orders(networks), strict=True))
    axis_orders: dict[Hashable, Labels] = {}
    new: dict[Node, Node] = {}
    for node in order:
        kids = children(node)
        made = rebuild(node, [new[kid] for kid in kids]) if kids else node
        if isinstance(made, Einsum) and not any(map(is_relation, made.operands)):
            terms = [_looked_through(term) for term in zip(made.operands, made.labels, strict=True)]
            if node in paths:
                made = _contracted(terms, made.out, paths[node], axis_orders)
            elif any(operand not in made.operands for operand, _ in terms):
                made = einsum([operand for operand, _ in terms], [labels for _, labels in terms], made.out)
        new[node] = made
    if not scaled:
        return new
    images = [new[root] for root in roots]
    uses = count_uses(images)
    before = transform(images, lambda old, node: _scaled_before(node, old, uses, sizes))
    return {node: before.get(made, made) for node, made in new.items()}


def _scaled_before(node: Node, old: Node, uses: Mapping[Node, int], sizes: Sizes) -> Node:
    """A sum with multiples of products that nothing else reads: of a much smaller operand, where there is one."""
    if not (isinstance(node, Add) and isinstance(old, Add)):
        return node
    terms, weights = list(node.terms), list(node.weights)
    for k, term in enumerate(node.terms):
        size: Any = abs(weights[k])
        moderate = 1 / _MODERATE <= size <= _MODERATE and size != 1
        scaled = _scaled_operand(term, weights[k], old.terms[k], uses, sizes) if moderate else None
        if scaled is not None:
            terms[k], weights[k] = scaled, Fraction(1)
    return terms[0] if weights == [1] else Add(tuple(terms), tuple(weights))


def _scaled_operand(node: Node, weight: Number, old: Node, uses: Mapping[Node, int], sizes: Sizes) -> Node | None:
    whole = tuple(range(node.rank))
    product, labels = _looked_through((node, whole))
    read, _ = _looked_through((old, whole))
    if uses[old] > 1 or uses[read] > 1 or not is_network(product) or not isinstance(product, Einsum):
        return None
    counts = [prod(resolve(operand.shape, sizes)) for operand in product.operands]
    k = counts.index(min(counts))
    if len({*product.operands}) == 1 or _SMALLER * counts[k] > prod(resolve(node.shape, sizes)):
        return None
    operands = [Add((operand,), (weight,)) if j == k else operand for j, operand in enumerate(product.operands)]
    made = einsum(operands, product.labels, product.out)
    return made if labels == whole else einsum([made], [labels], whole)


def _looked_through(term: Term) -> Term:
    """A tensor of which an operand only permutes the axes."""
    node, labels = term
    if isinstance(node, Einsum) and len(node.operands) == 1 and _is_array(node.operands[0]):
        own = node.labels[0]
        if len(set(own)) == len(own) == len(node.out) == len(set(node.out)):
            name = dict(zip(node.out, labels, strict=True))
            return node.operands[0], tuple(name[label] for label in own)
    return term


def _contracted(terms: Sequence[Term], out: Labels, path: Path, axis_orders: dict[Hashable, Labels]) -> Node:
    """A product, pair by pair."""
    held = list(terms)
    for step, (i, j, kept) in enumerate(intermediates([labels for _, labels in terms], out, path)):
        held.append(_pair(held[i], held[j], kept, out, axis_orders, last=step == len(path) - 1))
    return held[-1][0]


def _pair(
    a: Term, b: Term, kept: frozenset[int], wanted: Labels, axis_orders: dict[Hashable, Labels], *, last: bool
) -> Term:
    """Two tensors contracted on the way to `wanted`; who needs the pair first settles its order of axes for all."""
    a, b = in_order(a, b)
    number = {label: k for k, label in enumerate(dict.fromkeys((*a[1], *b[1])))}
    signature = (a[0], b[0], tuple(number[label] for label in b[1]), frozenset(number[label] for label in kept))
    natural = wanted if last else _natural_order(a[1], b[1], kept, wanted)
    settled = axis_orders.setdefault(signature, tuple(number[label] for label in natural))
    label_of = list(number)
    out = tuple(label_of[k] for k in settled)
    node = einsum([a[0], b[0]], [a[1], b[1]], out)
    if not last or wanted == out:
        return node, out
    return einsum([node], [out], wanted), wanted


def in_order(a: Term, b: Term) -> tuple[Term, Term]:
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
