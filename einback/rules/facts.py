"""Rules that use what was declared of an input.

S[j,i]                     = S[i,j]                     (S declared or proved symmetric: always the same way round)
D[i,j] x[j]                = D[i,i] x[i]                (D diagonal: nothing else is read)
Q[i,j] Q[i,k] = Q[j,i] Q[k,i] = delta[j,k]              (Q orthogonal; the products need not be next to each other)
inv(Q) = Q',  logdet(Q)    = 0
|x| = relu(x) = x,  sign(x) = [x > 0] = 1, [x = 0] = 0  (x positive)
(x^a)^b                    = x^(a b)
log(x^a)                   = a log(x)
log(x y)                   = log(x) + log(y)
log(x + 0i)                = log(x)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as choices

from einback.ir.build import add, broadcast, einsum, exact, ones, permute, power, scale, zeros
from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Matrix, Node, Ones
from einback.ir.walk import children, rebuild
from einback.rules.engine import Surroundings
from einback.rules.products import ordered
from einback.rules.structure import inline
from einback.rules.symmetry import is_symmetric

__all__ = [
    "cancel_orthogonal",
    "embed_diagonal",
    "logarithm_of_positive",
    "matrix_of_facts",
    "positive_values",
    "read_diagonal",
    "turn_declared",
]

_MOST_TURNED = 5  # symmetric factors of one product that are turned round in all ways
_DEEPEST = 6  # nodes inside nodes that are looked into

Labels = tuple[int, ...]


def _has(node: Node, fact: str) -> bool:
    return isinstance(node, Input) and fact in node.facts


# Matrices


def read_diagonal(node: Node, _: Surroundings) -> Node | None:
    """D[i,j] x[j] -> D[i,i] x[i]."""
    assert isinstance(node, Einsum)
    for operand, term in zip(node.operands, node.labels, strict=True):
        if _has(operand, "diagonal") and term[-1] != term[-2]:
            gone, kept = term[-1], term[-2]
            labels = [[kept if label == gone else label for label in own] for own in (*node.labels, node.out)]
            return einsum(node.operands, labels[:-1], labels[-1])
    return None


def embed_diagonal(node: Node, _: Surroundings) -> Node | None:
    """D + A, with D as its diagonal embedded, so that a product with the sum is one with each."""
    terms = children(node)
    if not any(_has(term, "diagonal") for term in terms) or (isinstance(node, Add) and len(terms) == 1):
        return None
    return rebuild(node, [_embedded(term) if _has(term, "diagonal") else term for term in terms])


def _embedded(node: Node) -> Node:
    *front, a, _ = range(node.rank)
    return einsum([node], [(*front, a, a)], (*front, a, a))


def turn_declared(node: Node, _: Surroundings) -> Node | None:
    """S[j,i] -> S[i,j]: of all ways to write a product with symmetric factors, always the same."""
    assert isinstance(node, Einsum)
    turned = [
        k
        for k, (operand, term) in enumerate(zip(node.operands, node.labels, strict=True))
        if operand.rank > 1 and term[-1] != term[-2] and is_symmetric(operand)
    ]
    if not turned:
        return None
    best: Node = node
    for way in choices((False, True), repeat=min(len(turned), _MOST_TURNED)):
        flipped = {k for k, turn in zip(turned, way, strict=False) if turn}
        labels = [(*term[:-2], term[-1], term[-2]) if k in flipped else term for k, term in enumerate(node.labels)]
        other = einsum(node.operands, labels, node.out)
        if not isinstance(other, Einsum):
            return other
        other = ordered(other)
        if not isinstance(best, Einsum) or not isinstance(other, Einsum):
            return other
        if (other.out, other.labels) < (best.out, best.labels):
            best = other
    return None if best is node else best


def cancel_orthogonal(node: Node, _: Surroundings) -> Node | None:
    """Q[i,j] Q[i,k] -> delta[j,k], also where one Q stands in a product that is a factor, or both in a square."""
    assert isinstance(node, Einsum)
    for k, operand in enumerate(node.operands):
        if not _has(operand, "orthogonal"):
            continue
        made = _cancelled(node, operand)
        if made is not None:
            return made
        for m, other in enumerate(node.operands):
            if m != k and _reads_orthogonal(other) is operand:
                made = _cancelled(_inlined(node, m, other), operand)
                if made is not None:
                    return made
    return _length(node)


def _reads_orthogonal(node: Node) -> Node | None:
    """The first orthogonal factor of a product."""
    if not isinstance(node, Einsum):
        return None
    return next((operand for operand in node.operands if _has(operand, "orthogonal")), None)


def _inlined(outer: Einsum, k: int, inner: Node) -> Einsum:
    assert isinstance(inner, Einsum)
    made = inline(outer, k, inner)
    assert isinstance(made, Einsum)
    return made


def _length(node: Einsum) -> Node | None:
    """sum (Q[i,j] x[j])^2 -> sum x[j]^2."""
    for k, operand in enumerate(node.operands):
        match operand:
            case Map("power", (Einsum() as inner, Const(value=2))) if (q := _reads_orthogonal(inner)) is not None:
                operands = [*node.operands[:k], inner, inner, *node.operands[k + 1 :]]
                twice = einsum(operands, [*node.labels[:k], node.labels[k], *node.labels[k:]], node.out)
                assert isinstance(twice, Einsum)
                first = _inlined(twice, k, inner)
                made = _cancelled(_inlined(first, k + len(inner.operands), inner), q)
                if made is not None:
                    return made
    return None


def _cancelled(node: Einsum, q: Node) -> Node | None:
    """A product without the first two of its factors q that meet in a sum over rows or columns."""
    at = [k for k, operand in enumerate(node.operands) if operand is q]
    for k in at:
        for m in at:
            if m <= k or node.labels[k][:-2] != node.labels[m][:-2]:
                continue
            for summed in (-1, -2):
                free = -3 - summed
                label = node.labels[k][summed]
                count = sum(own.count(label) for own in node.labels)
                if node.labels[m][summed] != label or count > 2 or label in node.out:
                    continue
                rest = [n for n in range(len(node.operands)) if n not in (k, m)]
                batch = [(label,) for label in dict.fromkeys(node.labels[k][:-2])]
                return einsum(
                    [
                        Delta(q.shape[-1]),
                        *(Ones(node.sizes[own[0]]) for own in batch),
                        *(node.operands[n] for n in rest),
                    ],
                    [(node.labels[k][free], node.labels[m][free]), *batch, *(node.labels[n] for n in rest)],
                    node.out,
                )
    return None


def matrix_of_facts(node: Node, around: Surroundings) -> Node | None:
    """inv(Q) -> Q', logdet(Q) -> 0; a diagonal matrix becomes one that shows its diagonal."""
    assert isinstance(node, Matrix)
    if _has(node.arg, "orthogonal"):
        *front, a, b = range(node.arg.rank)
        if node.fn == "inv":
            return permute(node.arg, (*front, b, a))
        return zeros(node.shape) if node.fn == "logdet" else None
    return embed_diagonal(node, around)


# Positive entries


def is_positive(node: Node, depth: int = _DEEPEST) -> bool:
    """Whether every entry is positive: of a positive input, a power, a product or a sum of such."""
    match node:
        case Input():
            return "positive" in node.facts
        case Const():
            return node.value > 0
        case Ones():
            return True
        case _ if not depth:
            return False
        case Map(fn="power", args=(base, Const())):
            return is_positive(base, depth - 1)
        case Einsum():
            kept = set(node.out)
            product = len(kept) == len(node.out) == len(node.sizes)
            return product and all(is_positive(operand, depth - 1) for operand in node.operands)
        case Add():
            return all(w > 0 for w in node.weights) and all(is_positive(term, depth - 1) for term in node.terms)
        case _:
            return False


def positive_values(node: Node, _: Surroundings) -> Node | None:
    """|x| -> x, relu(x) -> x, sign(x) -> 1, [x > 0] -> 1, [x = 0] -> 0, (x^a)^b -> x^(a b)."""
    assert isinstance(node, Map)
    match node:
        case Map(fn="abs" | "relu", args=(x,)) if is_positive(x):
            return x
        case Map(fn="sign", args=(x,)) if is_positive(x):
            return ones(node.shape)
        case Map(fn="greater" | "greater_equal", args=(x, Const(value=bound))) if bound <= 0 and is_positive(x):
            return ones(node.shape)
        case Map(fn="equal", args=(x, Const(value=bound))) if bound <= 0 and is_positive(x):
            return zeros(node.shape)
        case Map("power", (Map("power", (x, Const(value=a))), Const(value=b))) if is_positive(x):
            return power(x, exact(a * b))
        case _:
            return None


def logarithm_of_positive(node: Node, _: Surroundings) -> Node | None:
    """log(x^a) -> a log(x), log(x y) -> log(x) + log(y), log(x + 0i) -> log(x), for positive entries."""
    assert isinstance(node, Map)
    if node.fn != "log":
        return None
    match node.args[0]:
        case Map("complex", (x, Const(value=0))) if is_positive(x):
            return Map("log", (x,))
        case arg if isinstance(arg, Input | Const) or not is_positive(arg):
            return None
        case Map("power", (x, Const(value=exponent))):
            return scale(Map("log", (x,)), exponent)
        case Add(terms=(x,), weights=(weight,)) if weight != 1:
            return add((Map("log", (x,)), broadcast(Map("log", (Const(weight),)), node.shape, ())))
        case Einsum() as product:
            places = [_places(term, product.out) for term in product.labels]
            factors = [
                (op, place) for op, place in zip(product.operands, places, strict=True) if not isinstance(op, Ones)
            ]
            if len(factors) < 2 or any(place is None for _, place in factors):
                return None
            return add([broadcast(Map("log", (op,)), node.shape, place or ()) for op, place in factors])
        case _:
            return None


def _places(term: Labels, out: Labels) -> Sequence[int] | None:
    """Where the axes of a factor stand in the product, unless it is read on a diagonal."""
    return [out.index(label) for label in term] if len(set(term)) == len(term) else None
