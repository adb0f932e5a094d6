"""Pairs of terms that belong together: choices that are zero on opposite sides, sigmoids of opposite arguments.

    where(c, a, 0) + where(c, 0, b)      = where(c, a, b)
    (c + q) sigmoid(x) + q sigmoid(-x)   = c sigmoid(x) + q             (c a number, as in binary cross-entropy)

The second is how it is read, and not how it runs: for q = -1 the left side is accurate in the tail of sigmoid(-x), and
the right side against 1 only.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from einback.ir.build import add, const, einsum, exact, is_zero, scale
from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Ones
from einback.rules.algebra import as_number
from einback.rules.engine import Surroundings

__all__ = ["complementary_choices", "complementary_sigmoids"]


def complementary_choices(node: Node, _: Surroundings) -> Node | None:
    """v where(c, a, 0) + w where(c, 0, b) -> where(c, v a, w b)."""
    assert isinstance(node, Add)
    choices = [(k, term) for k, term in enumerate(node.terms) if isinstance(term, Map) and term.fn == "where"]
    for (k, one), (m, other) in combinations(choices, 2):
        (c, a, left), (d, right, b) = one.args, other.args
        v, w = node.weights[k], node.weights[m]
        if is_zero(a) and is_zero(b):
            a, left, right, b, v, w = right, b, a, left, w, v
        if c is d and is_zero(left) and is_zero(right):
            return _with(node, (k, m), [Map("where", (c, _times(v, a), _times(w, b)))], [1])
    return None


def _times(weight: Number, side: Node) -> Node:
    """A multiple of a side of a choice; one that is a number stays one."""
    return const(exact(weight * side.value)) if isinstance(side, Const) else scale(side, weight)


def complementary_sigmoids(node: Node, _: Surroundings) -> Node | None:
    """v p sigmoid(x) + w q sigmoid(-x) -> c sigmoid(x) + w q, where v p - w q is the number c."""
    assert isinstance(node, Add)
    found = [(k, *part) for k, term in enumerate(node.terms) if (part := _sigmoid_and_rest(term)) is not None]
    negated: dict[Node, list[tuple[int, Node]]] = {}
    for m, y, q in found:
        if isinstance(y, Add) and y.weights == (-1,):
            negated.setdefault(y.terms[0], []).append((m, q))
    for k, x, p in found:
        for m, q in negated.get(x, ()):
            v, w = node.weights[k], node.weights[m]
            c = _number(add([p, q], [v, -w]))
            if c is not None:
                return _with(node, (k, m), [Map("sigmoid", (x,)), q], [c, w])
    return None


def _with(node: Add, gone: tuple[int, ...], terms: list[Node], weights: list[Number | int]) -> Node:
    """The sum with other terms in the place of some."""
    rest = [k for k in range(len(node.terms)) if k not in gone]
    return add([*terms, *(node.terms[k] for k in rest)], [*weights, *(node.weights[k] for k in rest)])


def _sigmoid_and_rest(term: Node) -> tuple[Node, Node] | None:
    """The argument of a sigmoid that is a factor of an elementwise product, and the product of the others."""
    if not isinstance(term, Einsum) or len(set(term.out)) != len(term.out) or len(term.out) < len(term.sizes):
        return None
    for k, (factor, own) in enumerate(zip(term.operands, term.labels, strict=True)):
        if isinstance(factor, Map) and factor.fn == "sigmoid" and own == term.out and not factor.is_complex:
            rest = [m for m in range(len(term.operands)) if m != k]
            covered = {label for m in rest for label in term.labels[m]}
            spread = [label for label in term.out if label not in covered]
            product = einsum(
                [*(term.operands[m] for m in rest), *(Ones(term.sizes[label]) for label in spread)],
                [*(term.labels[m] for m in rest), *((label,) for label in spread)],
                term.out,
            )
            return factor.args[0], product
    return None


def _number(node: Node) -> Number | None:
    """The number that a sum is in every entry once like terms are collected, or None."""
    total: dict[Node, Number] = {}
    stack: list[tuple[Node, Number]] = [(node, Fraction(1))]
    while stack:
        part, weight = stack.pop()
        if isinstance(part, Add):
            stack += [(term, exact(weight * own)) for term, own in zip(part.terms, part.weights, strict=True)]
        else:
            total[part] = exact(total.get(part, 0) + weight)
    numbers = [(as_number(part), weight) for part, weight in total.items() if weight != 0]
    known = [exact(number * weight) for number, weight in numbers if number is not None]
    return exact(sum(known)) if len(known) == len(numbers) else None
