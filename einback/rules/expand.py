"""Expansion, on request: products and whole powers of sums are multiplied out, down to functions and inputs.

    (a + b) c                  = a c + b c
    (a + b)^2                  = a^2 + 2 a b + b^2          (powers up to 4)
    (sum[r] a[i,r] b[j,r])^2   = sum[r,s] a[i,r] a[i,s] b[j,r] b[j,s]
    |a + b|^2                  = (a + b) (conj a + conj b)

This is no simplification: what was one sum becomes many, which may cancel. It pays where the sum is large and the
products are not. T[i,j,k] - a[i,r] b[j,r] c[k,r] is an array of as many entries as T has, while of its square

    T[i,j,k]^2 - 2 T[i,j,k] a[i,r] b[j,r] c[k,r] + (a[i,r] a[i,s]) (b[j,r] b[j,s]) (c[k,r] c[k,s])

no product has to be formed, summed over i, j and k, but those of few entries. So that the planner is free to choose
them, nested products become one.

A node is taken as the list of terms whose sum it is. What is no polynomial of sums (functions, reductions, inverses,
windows and one-hot tensors) is a term by itself, and sums inside it stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, islice
from itertools import product as choices
from math import factorial

from einback.ir.build import add, einsum, exact, multiply
from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Window
from einback.ir.walk import children, postorder
from einback.rules.relations import flattens, is_relation
from einback.rules.simplify import simplify
from einback.rules.structure import inline

__all__ = ["expand"]

_HIGHEST = 4  # power that is multiplied out
_MOST_TERMS = 100  # of one product or power; one that would have more stays as it is
_MOST_FACTORS = 48  # of one product; those of more stay nested
_ROUNDS = 4  # simplification may turn what was a term by itself into a product

Terms = tuple[tuple[Node, Number], ...]


def expand(root: Node) -> Node:
    """The root multiplied out, in the normal form that derivatives are kept in."""
    (current,) = simplify([root])
    for _ in range(_ROUNDS):
        (following,) = simplify([_multiplied_out(current)])
        if following is current:
            break
        current = following
    return current


def _multiplied_out(root: Node) -> Node:
    terms: dict[Node, Terms] = {}
    below = _polynomial(root)
    for node in postorder([root]):
        if node in below:
            terms[node] = _terms(node, [terms[one] for one in _reads(node)])
    whole = add([term for term, _ in terms[root]], [weight for _, weight in terms[root]])
    return Map("real", (whole,)) if whole.is_complex and not root.is_complex else whole


def _polynomial(root: Node) -> set[Node]:
    """The nodes of which the root is a polynomial, and those on the way to them."""
    found = {root}
    stack = [root]
    while stack:
        new = [node for node in _reads(stack.pop()) if node not in found]
        found.update(new)
        stack += new
    return found


def _reads(node: Node) -> tuple[Node, ...]:
    """The nodes over whose terms a node is multiplied out."""
    match node:
        case Einsum() | Add() | Map(fn="conj" | "real"):
            return children(node)
        case Map(fn="power", args=(base, Const(value))) if value in range(2, _HIGHEST + 1):
            return children(base) if _is_modulus(base) and value % 2 == 0 else (base,)
        case _:
            return ()


def _is_modulus(node: Node) -> bool:
    return isinstance(node, Map) and node.fn == "abs" and node.args[0].is_complex


def _terms(node: Node, read: Sequence[Terms]) -> Terms:
    """The terms of a node, given those of what it reads: itself, where there is nothing to do, or too much."""
    whole = ((node, Fraction(1)),)
    if isinstance(node, Add):
        return _collected(node, read)
    settled = all(terms == ((one, 1),) for one, terms in zip(_reads(node), read, strict=True))
    if settled and not (isinstance(node, Map) and node.fn == "power" and any(map(_contracts, _reads(node)))):
        return whole
    terms = tuple(islice(_products(node, read), _MOST_TERMS + 1))
    return terms if len(terms) <= _MOST_TERMS else whole


def _collected(node: Add, read: Sequence[Terms]) -> Terms:
    weights: dict[Node, Number] = {}
    for terms, weight in zip(read, node.weights, strict=True):
        for term, own in terms:
            weights[term] = exact(weights.get(term, 0) + weight * own)
    return tuple(weights.items())


def _products(node: Node, read: Sequence[Terms]) -> Iterator[tuple[Node, Number]]:
    """Every choice of a term from each of what a node reads, multiplied; `read` has one entry for a function."""
    match node:
        case Einsum():
            for choice in choices(*read):
                made = einsum([term for term, _ in choice], node.labels, node.out)
                yield _flat(made), _times(weight for _, weight in choice)
        case Map(fn="power", args=(base, Const(value))) if base in _reads(node):
            yield from _powers(read[0], int(value))
        case Map(fn="power", args=(_, Const(value))):
            pairs = choices(read[0], read[0])
            moduli = tuple((_flat(multiply(z, _conjugate(w))), exact(v * u)) for (z, v), (w, u) in pairs)
            yield from _powers(moduli, int(value) // 2)
        case Map(fn="conj"):
            yield from ((_conjugate(term), weight) for term, weight in read[0])
        case _:  # the real part
            for term, weight in read[0]:
                yield term, exact(weight / 2)
                yield _conjugate(term), exact(weight / 2)


def _powers(terms: Terms, exponent: int) -> Iterator[tuple[Node, Number]]:
    """(sum of terms)^exponent by the multinomial theorem."""
    for chosen in combinations_with_replacement(range(len(terms)), exponent):
        ways = factorial(exponent)
        for k in set(chosen):
            ways //= factorial(chosen.count(k))
        yield _flat(multiply(*(terms[k][0] for k in chosen))), _times([ways, *(terms[k][1] for k in chosen)])


def _times(weights: Iterable[Number]) -> Number:
    total: Number = Fraction(1)
    for weight in weights:
        total = exact(total * weight)
    return total


def _conjugate(term: Node) -> Node:
    """The conjugate of a term, of a product factor by factor."""
    if not term.is_complex:
        return term
    if isinstance(term, Einsum):
        return einsum([_conjugate(operand) for operand in term.operands], term.labels, term.out)
    return Map("conj", (term,))


def _contracts(node: Node) -> bool:
    """Whether a node is a product that is summed, so that its square has more to it than the squares of its factors."""
    return isinstance(node, Einsum) and len(node.sizes) > len(set(node.out)) and not _is_related(node)


def _is_related(node: Einsum) -> bool:
    return any(is_relation(op) and not (isinstance(op, Window) and flattens(op)) for op in node.operands)


def _flat(node: Node) -> Node:
    """A product of products as one, but for numbers and what holds relations."""
    k = 0
    while isinstance(node, Einsum) and not _is_related(node) and k < len(node.operands):
        inner = node.operands[k]
        fits = len(node.operands) + len(children(inner)) <= _MOST_FACTORS
        if isinstance(inner, Einsum) and inner.rank and fits and not _is_related(inner):
            node = inline(node, k, inner)
        else:
            k += 1
    return node
