"""Rules for products: numbers, powers, sums of diagonals, softmax, and the canonical order of factors.

    c x y                      = c (x y)                    (numbers leave the product)
    x^a x^b                    = x^(a+b)                    (same labels)
    (x[i] y[j])^k              = x[i]^k y[j]^k              (k = 2, 3, ..; an outer product is not formed)
    (D + R) y                  = D y + R y                  (D an embedded diagonal)
    sum (x y + z)              = sum x y + sum z            (products are contracted, not formed)
    exp(x) / sum exp(x)        = exp(x - logsumexp x)       (stable softmax)
    where(c, a, 0) r           = where(c, a r, 0)           (masks select)
    relu(x) [relu(x) > 0]      = relu(x)

Collecting powers removes removable singularities: x^2 / x is x, also at 0, and x / x is 1 as x^0 is. It adds none,
and hides no root of a negative number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from einback.ir.build import add, broadcast, const, einsum, exact, fill, is_zero, ones, power, reduce, scale
from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Ones, Window
from einback.ir.walk import children, remembered
from einback.rules.engine import Surroundings
from einback.rules.relations import flattens, is_relation, spreads
from einback.rules.signs import is_whole, never_negative
from einback.rules.structure import embeds

__all__ = [
    "canonical_order",
    "collect_powers",
    "distribute_diagonals",
    "masked_relu",
    "masks_select",
    "ordered",
    "power_of_product",
    "pull_numbers",
    "softmax_of_exponentials",
    "sum_of_contractions",
]

Labels = tuple[int, ...]

_MOST_DISTRIBUTED = 2  # sums with diagonals in one product: each doubles the number of terms


def pull_numbers(node: Node, _: Surroundings) -> Node | None:
    """(c x) y -> c (x y): constants and the weights of scaled operands become the weight of the product."""
    assert isinstance(node, Einsum)
    if not any(isinstance(op, Const) or (isinstance(op, Add) and len(op.terms) == 1) for op in node.operands):
        return None
    weight: Number = Fraction(1)
    kept: list[tuple[Node, Labels]] = []
    for operand, term in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Const):
            weight = exact(weight * operand.value)
        elif isinstance(operand, Add) and len(operand.terms) == 1:
            weight = exact(weight * operand.weights[0])
            kept.append((operand.terms[0], term))
        else:
            kept.append((operand, term))
    if not kept or weight == 0:
        return fill(node.shape, weight)
    return scale(einsum([op for op, _ in kept], [term for _, term in kept], node.out), weight)


def _base(node: Node) -> tuple[Node, Number]:
    if isinstance(node, Map) and node.fn == "power" and isinstance(node.args[1], Const):
        return node.args[0], node.args[1].value
    return node, Fraction(1)


def collect_powers(node: Node, _: Surroundings) -> Node | None:
    """x[i]^a x[i]^b -> x[i]^(a+b)."""
    assert isinstance(node, Einsum)
    powers = [(*_base(operand), term) for operand, term in zip(node.operands, node.labels, strict=True)]
    exponents: dict[tuple[Node, Labels], Number] = {(base, term): Fraction(0) for base, _, term in powers}
    if len(exponents) == len(powers):
        return None
    for base, exponent, term in powers:
        exponents[base, term] = exact(exponents[base, term] + exponent)
    if any(isinstance(base, Add) and all(map(spreads, base.terms)) for base, _ in exponents):
        return None
    if any(_hides_roots(node, *key, n) for key, n in exponents.items()):
        return None
    operands: list[Node] = []
    terms: list[Labels] = []
    for (base, term), exponent in exponents.items():
        if isinstance(base, Ones):
            factors: list[tuple[Node, Labels]] = [(base, term)]
        elif exponent == 0:
            sizes = [base.shape[term.index(label)] for label in dict.fromkeys(term)]
            factors = [(Ones(size), (label,)) for size, label in zip(sizes, dict.fromkeys(term), strict=True)]
        else:
            factors = [(power(base, exponent), term)]
        operands += [op for op, _ in factors]
        terms += [labels for _, labels in factors]
    if not operands:
        return ones(())
    return einsum(operands, terms, node.out)


def _hides_roots(node: Einsum, base: Node, term: Labels, exponent: Number) -> bool:
    """Whether roots of what may be negative, NaN there, would become a whole power other than the zeroth."""
    if exponent == 0 or not is_whole(exponent) or never_negative(base):
        return False
    own = [_base(op) for op, labels in zip(node.operands, node.labels, strict=True) if labels == term]
    return any(found is base and not is_whole(power) for found, power in own)


def power_of_product(node: Node, _: Surroundings) -> Node | None:
    """(x[i] y[j])^k -> x[i]^k y[j]^k, for whole k > 1, where no factor has all the axes of the product.

    A relation is its own power; with sums over its indices, the square is multiplied out.
    """
    assert isinstance(node, Map)
    if node.fn != "power" or not isinstance(node.args[1], Const):
        return None
    product, exponent = node.args[0], node.args[1].value
    if not isinstance(exponent, Fraction) or exponent.denominator > 1 or exponent < 2:
        return None
    thin = all(map(spreads, product.terms)) if isinstance(product, Add) else spreads(product)
    if not isinstance(product, Einsum) or len(product.sizes) > len(set(product.out)):
        axes = range(product.rank)
        return einsum([product, product], [axes, axes], axes) if thin and exponent == 2 else None
    if not thin and any(set(term) >= set(product.out) for term in product.labels):
        return None
    factors = [op if isinstance(op, Ones) or is_relation(op) else power(op, exponent) for op in product.operands]
    return einsum(factors, product.labels, product.out)


def distribute_diagonals(node: Node, around: Surroundings) -> Node | None:
    """(D + R) y -> D y + R y, where D writes a diagonal: the sum of a diagonal and a full tensor is not formed.

    So are sums of relations alone. Beside a full tensor, as in softmax - onehot, a relation is added in place, unless
    there are windows, in the sum or around it, and the sum is contracted.

    It waits until the sum is settled: what turns out to be one diagonal is not distributed.
    """
    assert isinstance(node, Einsum)
    windowed = any(isinstance(op, Window) and not flattens(op) for op in node.operands)
    sums = [
        op
        for op, term in zip(node.operands, node.labels, strict=True)
        if isinstance(op, Add) and len(op.terms) > 1 and _is_thin(op, windowed, not set(term) <= set(node.out))
    ]
    if len(sums) > _MOST_DISTRIBUTED:
        return None
    for k, operand in enumerate(node.operands):
        if operand not in sums or not isinstance(operand, Add) or _passes_through(node, k):
            continue
        if not around.settled(operand):
            continue
        pairs = list(zip(operand.terms, operand.weights, strict=True))
        thin = [pair for pair in pairs if embeds(pair[0]) or spreads(pair[0])]
        full = [pair for pair in pairs if pair not in thin]
        parts = [*thin] if not full else [*thin, (add(*zip(*full, strict=True)), Fraction(1))]
        spread = [
            einsum((*node.operands[:k], part, *node.operands[k + 1 :]), node.labels, node.out) for part, _ in parts
        ]
        return add(spread, [weight for _, weight in parts])
    return None


def _is_thin(node: Add, windowed: bool, contracted: bool) -> bool:
    """Whether a sum is to be distributed over a product that has windows, or in which it is contracted."""
    always, some, with_windows = _thinness(node)
    return always or (contracted and some and (windowed or with_windows))


@remembered
def _thinness(node: Add) -> tuple[bool, bool, bool]:
    """Whether a term writes a diagonal or all are relations; whether some are; whether windows are among these."""
    related = [term for term in node.terms if spreads(term)]
    always = len(related) == len(node.terms) or any(map(embeds, node.terms))
    return always, bool(related), any(isinstance(op, Window) for term in related for op in children(term))


def sum_of_contractions(node: Node, around: Surroundings) -> Node | None:
    """sum (x y + z) -> sum x y + sum z, where nothing else reads the sum: products are contracted, not formed.

    Beside a window or a one-hot tensor, what only the sum has to do with is summed first.
    """
    assert isinstance(node, Einsum)
    large = [k for k, operand in enumerate(node.operands) if operand.rank and not is_relation(operand)]
    if len(large) != 1 or not around.merging:
        return None
    k = large[0]
    operand, term = node.operands[k], node.labels[k]
    if not isinstance(operand, Add) or not around.once(operand) or set(node.out) >= set(term):
        return None
    if len(operand.terms) == 1 or not any(map(_is_contraction, operand.terms)):
        return None
    if any(map(is_relation, node.operands)):
        elsewhere = {*node.out, *(label for m, own in enumerate(node.labels) if m != k for label in own)}
        kept = tuple(dict.fromkeys(label for label in term if label in elsewhere))
        if set(kept) == set(term):
            return None
        inner = einsum([operand], [term], kept)
        operands = (*node.operands[:k], inner, *node.operands[k + 1 :])
        return einsum(operands, (*node.labels[:k], kept, *node.labels[k + 1 :]), node.out)
    spread = [einsum((*node.operands[:k], t, *node.operands[k + 1 :]), node.labels, node.out) for t in operand.terms]
    return add(spread, operand.weights)


def _is_contraction(node: Node) -> bool:
    """Whether a node is a product of two tensors or more."""
    return isinstance(node, Einsum) and sum(bool(op.rank) and not isinstance(op, Ones) for op in node.operands) > 1


def _passes_through(node: Einsum, k: int) -> bool:
    """Whether a product only scales or broadcasts its k-th operand, so that nothing meets a diagonal of it."""
    others = [op for m, op in enumerate(node.operands) if m != k]
    term = node.labels[k]
    return (
        all(isinstance(op, Ones) or not op.rank for op in others)
        and len(set(term)) == len(term)
        and set(term) <= set(node.out)
    )


def softmax_of_exponentials(node: Node, _: Surroundings) -> Node | None:
    """exp(x) / sum exp(x) -> exp(x - logsumexp(x))."""
    assert isinstance(node, Einsum)
    for k, (operand, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        if not (isinstance(operand, Map) and operand.fn == "exp") or len(set(term)) < len(term):
            continue
        for m, (other, own) in enumerate(zip(node.operands, node.labels, strict=True)):
            total, exponent = _base(other)
            if exponent != -1 or not isinstance(total, Einsum) or total.operands != (operand,):
                continue
            kept = tuple(range(operand.rank))  # labels of a single operand are its axes
            if total.labels != (kept,) or len(set(total.out)) < len(total.out):
                continue
            if own != tuple(term[axis] for axis in total.out):
                continue
            summed = [axis for axis in kept if axis not in total.out]
            x = operand.args[0]
            level = reduce("logsumexp", x, summed)
            stable = add((x, broadcast(level, x.shape, [a for a in kept if a not in summed])), (1, -1))
            operands = [Map("exp", (stable,)) if i == k else op for i, op in enumerate(node.operands) if i != m]
            return einsum(operands, [t for i, t in enumerate(node.labels) if i != m], node.out)
    return None


def masks_select(node: Node, _: Surroundings) -> Node | None:
    """where(c, a, 0) r -> where(c, a r, 0): what a choice leaves out stays out, though r be infinite there."""
    assert isinstance(node, Einsum)
    for k, (choice, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        if not (isinstance(choice, Map) and choice.fn == "where") or len(set(term)) < len(term):
            continue
        slots = [m for m in (1, 2) if is_zero(choice.args[3 - m])]
        if not slots:
            continue
        own = set(term)
        absorbed = [
            m
            for m, (factor, other) in enumerate(zip(node.operands, node.labels, strict=True))
            if m != k and other and set(other) <= own and not is_relation(factor)
        ]
        if not absorbed:
            continue
        kept = choice.args[slots[0]]
        factors = [(kept, () if isinstance(kept, Const) else term)]
        factors += [(node.operands[m], node.labels[m]) for m in absorbed]
        missing = [label for label in term if not any(label in labels for _, labels in factors)]
        factors += [(Ones(node.sizes[label]), (label,)) for label in missing]
        product = einsum([op for op, _ in factors], [labels for _, labels in factors], term)
        args = tuple(product if m == slots[0] else const(0) if m else arg for m, arg in enumerate(choice.args))
        rest = [m for m in range(len(node.operands)) if m != k and m not in absorbed]
        operands = [Map("where", args), *(node.operands[m] for m in rest)]
        return einsum(operands, [term, *(node.labels[m] for m in rest)], node.out)
    return None


def masked_relu(node: Node, _: Surroundings) -> Node | None:
    """relu(x)^p [relu(x) > 0] -> relu(x)^p: a mask that says nothing new."""
    assert isinstance(node, Einsum)
    for k, (mask, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        if not (isinstance(mask, Map) and mask.fn == "greater" and mask.args[1] is const(0)):
            continue
        x = mask.args[0]
        if not (isinstance(x, Map) and x.fn == "relu"):
            continue
        for other, own in zip(node.operands, node.labels, strict=True):
            base, exponent = _base(other)
            if base is x and own == term and exponent > 0:
                operands = [*node.operands[:k], *node.operands[k + 1 :]]
                return einsum(operands, [*node.labels[:k], *node.labels[k + 1 :]], node.out)
    return None


def canonical_order(node: Node, _: Surroundings) -> Node | None:
    """Factors in an order that depends on the product alone: sorted by content, then by how they are wired."""
    assert isinstance(node, Einsum)
    in_order = ordered(node)
    return None if in_order is node else in_order


def ordered(node: Einsum) -> Node:
    """The product with its factors in that order."""
    order = _order(node) if len(node.operands) > 1 else [0]
    return einsum([node.operands[k] for k in order], [node.labels[k] for k in order], node.out)


def _order(node: Einsum) -> list[int]:
    """Colour refinement: operands are coloured by content and the colours of their labels, labels by their
    places in the output and in the operands, until nothing splits. Ties are then broken one at a time;
    tied operands are nearly always images of each other, so that any choice gives the same product."""
    count = len(node.operands)
    content = [operand.digest for operand in node.operands]
    if len(set(content)) == count:
        return sorted(range(count), key=content.__getitem__)
    label_colour = [
        (tuple(k for k, out in enumerate(node.out) if out == label), repr(size))
        for label, size in enumerate(node.sizes)
    ]
    labels = _rank(label_colour)
    operands = _rank(content)
    while True:
        labels, operands = _refine(node, labels, operands)
        tied = [colour for colour, uses in sorted(Counter(operands).items()) if uses > 1]
        if not tied:
            return sorted(range(count), key=operands.__getitem__)
        chosen = operands.index(tied[0])
        operands = [2 * c + (c == tied[0] and k != chosen) for k, c in enumerate(operands)]


def _refine(node: Einsum, labels: list[int], operands: list[int]) -> tuple[list[int], list[int]]:
    while True:
        places: list[list[tuple[int, int]]] = [[] for _ in labels]
        for colour, term in zip(operands, node.labels, strict=True):
            for position, label in enumerate(term):
                places[label].append((colour, position))
        new_labels = _rank([(labels[k], tuple(sorted(seen))) for k, seen in enumerate(places)])
        new_operands = _rank(
            [(operands[k], tuple(new_labels[label] for label in term)) for k, term in enumerate(node.labels)]
        )
        if len(set(new_labels)) == len(set(labels)) and len(set(new_operands)) == len(set(operands)):
            return new_labels, new_operands
        labels, operands = new_labels, new_operands


def _rank(keys: Sequence[Any]) -> list[int]:
    """The place of each key among the distinct keys, sorted."""
    place = {key: k for k, key in enumerate(sorted(set(keys)))}
    return [place[key] for key in keys]
