"""Sums of matrix expressions: what all terms share stands before or behind one bracket, (A + Aᵀ) x."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import takewhile

from einback.formula.matrix.algebra import chain
from einback.formula.matrix.expr import (
    SCALAR,
    Chain,
    Expr,
    Full,
    Identity,
    Number,
    Scaled,
    Shape,
    Sum,
)
from einback.formula.matrix.scaling import ONE, scaled, split
from einback.ir.build import exact

__all__ = ["total"]


def total(terms: Sequence[Expr], shape: Shape) -> Expr:
    """The sum of terms of one shape, numbers among them standing for every entry."""
    flat = [part for term in terms for part in _terms(term)]
    kept = [term for term in _alike(flat) if not _is_zero(term)]
    if not kept:
        return Number(Fraction(0)) if shape == SCALAR else Full(Fraction(0), shape)
    if len(kept) == 1:
        return kept[0]
    weight, above, below = _common(kept)
    if weight != 1 or above or below:
        inner = total([_without(term, weight, above, below) for term in kept], shape)
        return scaled(weight, above, below, inner) if shape != SCALAR else scaled(weight, (inner, *above), below)
    return _bracketed(kept) if shape != SCALAR else Sum(tuple(kept))


def _alike(terms: Sequence[Expr]) -> list[Expr]:
    """The terms, each once: the numbers in front of equal ones are added."""
    found: dict[tuple[object, ...], list[Expr]] = {}
    for term in terms:
        key: tuple[object, ...] = (type(term),) if isinstance(term, Full | Number) else split(term)[1:]
        found.setdefault(key, []).append(term)
    return [one[0] if len(one) == 1 else _added(one) for one in found.values()]


def _added(terms: Sequence[Expr]) -> Expr:
    match terms[0]:
        case Number():
            return Number(exact(sum(split(term)[0] for term in terms)))
        case Full(sized=sized):
            return Full(exact(sum(term.value for term in terms if isinstance(term, Full))), sized)
        case first:
            _, above, below, body = split(first)
            return scaled(exact(sum(split(term)[0] for term in terms)), above, below, body)


def _terms(term: Expr) -> Sequence[Expr]:
    return term.terms if isinstance(term, Sum) else (term,)


def _is_zero(term: Expr) -> bool:
    match term:
        case Number() | Full():
            return term.value == 0
        case Scaled():
            return term.coefficient == 0
        case _:
            return False


def _common(terms: Sequence[Expr]) -> tuple[Fraction | float, tuple[Expr, ...], tuple[Expr, ...]]:
    """What multiplies all terms: the size of their numbers where it is one, and scalars of the first."""
    parts = [split(term) for term in terms]
    weights = {-part[0] if part[0] < 0 else part[0] for part in parts}
    constant = any(isinstance(term, Full | Number) for term in terms)
    weight = weights.pop() if len(weights) == 1 and not constant else ONE
    if all(part[0] < 0 for part in parts) and not constant and weight != 1:
        weight = -weight
    above = _shared([list(up) for _, up, _, _ in parts])
    below = _shared([list(down) for _, _, down, _ in parts])
    return weight, above, below


def _shared(lists: Sequence[list[Expr]]) -> tuple[Expr, ...]:
    """The items that all lists have, as often as all have them."""
    rest = [list(one) for one in lists[1:]]
    found = []
    for item in lists[0]:
        if all(item in one for one in rest):
            found.append(item)
            for one in rest:
                one.remove(item)
    return tuple(found)


def _without(term: Expr, weight: Fraction | float, above: Sequence[Expr], below: Sequence[Expr]) -> Expr:
    number, up, down, body = split(term)
    tops, bottoms = list(up), list(down)
    for item in above:
        tops.remove(item)
    for item in below:
        bottoms.remove(item)
    return scaled(number / weight, tops, bottoms, body)


def _bracketed(terms: Sequence[Expr]) -> Expr:
    """The sum of matrices, with the factors that all products begin or end with before and behind it."""
    products = [_factors(term) for term in terms]
    front = _prefix(products)
    rest = [product[len(front) :] for product in products]
    back = [*reversed(_prefix([product[::-1] for product in rest]))]
    if not front and not back:
        return Sum(tuple(terms))
    inner = [product[: len(product) - len(back)] for product in rest]
    if not all(inner):
        return Sum(tuple(terms))
    scalars = [split(term)[:3] for term in terms]
    made = [
        scaled(number, up, down, chain(*factors))
        for (number, up, down), factors in zip(scalars, inner, strict=True)
    ]  # fmt: skip
    if any(one.shape != made[0].shape for one in made):
        return Sum(tuple(terms))
    return chain(*front, total(made, made[0].shape), *back)


def _factors(term: Expr) -> list[Expr]:
    body = split(term)[3]
    assert body is not None
    if isinstance(body, Identity | Full):
        return []
    return list(body.factors) if isinstance(body, Chain) else [body]


def _prefix(products: Sequence[Sequence[Expr]]) -> list[Expr]:
    columns = zip(*products, strict=False)
    return [column[0] for column in takewhile(lambda column: all(one == column[0] for one in column), columns)]
