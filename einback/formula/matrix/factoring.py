"""vec of a product, written with vec of its factors: vec(A X B) = (Bᵀ ⊗ A) vec(X), W x = (xᵀ ⊗ I_m) vec(W).

By several factors at once, their vecs stand in one column: W x + b = ([xᵀ, 1] ⊗ I_m) [vec(W); b].
"""

from __future__ import annotations

from collections.abc import Sequence

from einback.errors import NotationError
from einback.formula.matrix.algebra import chain, hadamard, kron
from einback.formula.matrix.beside import beside
from einback.formula.matrix.expr import (
    Blocks,
    Chain,
    Commutation,
    Diag,
    Expr,
    Full,
    Hadamard,
    Identity,
    Number,
    Sum,
    Symbol,
    Transpose,
    Vec,
    times,
)
from einback.formula.matrix.scaling import ONE, diag, is_differential, scaled, split, transpose
from einback.formula.matrix.statements import read_symbols
from einback.formula.matrix.sums import total
from einback.formula.matrix.walking import below
from einback.ir.sizes import Size

__all__ = ["by_factors", "drawn_matrix", "drawn_out", "laid"]


def laid(body: Expr, how: str) -> Expr:
    """vec of a matrix: of a product, that of a differential or of the factor in its middle."""
    number, above, below, inner = split(body)
    match inner:
        case Sum(terms=terms):
            made: Expr = Sum(tuple(laid(term, how) for term in terms))
        case Chain(factors=factors) if any(one.shape[0] is None for one in factors):  # vec(a bᵀ) = b ⊗ a
            k = next(k for k, one in enumerate(factors) if one.shape[0] is None)
            left, right = chain(*factors[:k]), transpose(chain(*factors[k:]))
            made = kron(right, left) if how == "column" else kron(left, right)
        case Chain(factors=factors):
            place = next((k for k, one in enumerate(factors) if is_differential(one)), 1)
            made = _pivoted(factors, place, how)
        case Full(value=value, sized=sized):
            made = Full(value, (times(*sized), None))
        case None:
            raise TypeError("a scalar has no vec")
        case _:
            made = Vec(inner, how)
    return scaled(number, above, below, made)


def by_factors(body: Expr, names: Sequence[str], how: str) -> Expr:
    """The same, of the factors of these names, their vecs in one column; the terms that read none of them are added."""
    shares, vecs, rest = _shares(body, names, how)
    for name, found in shares.items():
        if not found:
            raise NotationError(f"the result does not read {name}", hint="name one of its factors")
    matrices = [total(share, share[0].shape) for share in shares.values()]
    if len(names) == 1:
        drawn = _product(matrices[0], vecs[names[0]])
    else:
        drawn = _product(beside(matrices), Blocks(tuple((vecs[name],) for name in names)))
    return total([drawn, *rest], drawn.shape)


def drawn_out(body: Expr, names: Sequence[str], how: str) -> Expr | None:
    """The same as a sum over the factors that are read; None where one of them is no factor."""
    try:
        shares, vecs, rest = _shares(body, names, how)
    except NotationError:
        return None
    drawn = [chain(total(share, share[0].shape), vecs[name]) for name, share in shares.items() if share]
    return total([*drawn, *rest], (*drawn, *rest)[0].shape)


def drawn_matrix(body: Expr, name: str, how: str) -> tuple[Expr, Expr]:
    """The matrix that stands before vec of a factor that every term has, and that vec."""
    shares, vecs, rest = _shares(body, [name], how)
    if rest or not vecs:
        raise NotationError(f"not every term reads {name}", hint="vec can be drawn out where each has it as a factor")
    return total(shares[name], shares[name][0].shape), vecs[name]


def _shares(body: Expr, names: Sequence[str], how: str) -> tuple[dict[str, list[Expr]], dict[str, Expr], list[Expr]]:
    """For each name the matrices before its vec, one a term, and that vec; and the terms that read none."""
    shares: dict[str, list[Expr]] = {name: [] for name in names}
    vecs: dict[str, Expr] = {}
    rest: list[Expr] = []
    for term in _terms(body, set(names)):
        read = [name for name in names if name in read_symbols([term])]
        if not read:
            rest.append(term if None in term.shape else laid(term, how))
            continue
        number, above, under, inner = split(term)
        if inner is None and len(above) == 1:  # a scalar product: a row times a column
            inner, above = above[0], ()
        if isinstance(inner, Hadamard) and None not in inner.shape:
            front, inside = _entrywise(inner, set(names), how)
            for name, found in _shares(inside, names, how)[0].items():
                shares[name] += [scaled(number, above, under, chain(front, one)) for one in found]
            vecs |= _shares(inside, names, how)[1]
            continue
        factors = inner.factors if isinstance(inner, Chain) else () if inner is None else (inner,)
        places = [k for k, factor in enumerate(factors) if _named(factor) == read[0]]
        others = [*above, *under, *(factor for k, factor in enumerate(factors) if k not in places)]
        if len(read) > 1 or len(places) != 1 or read_symbols(others) & {*names}:
            raise _elsewhere(read)
        matrix, vec = _matrix(factors, places[0], how)
        shares[read[0]].append(scaled(number, above, under, matrix))
        vecs[read[0]] = vec
    return shares, vecs, rest


def _elsewhere(names: Sequence[str]) -> NotationError:
    return NotationError(
        f"{' and '.join(names)} stand{'s' if len(names) == 1 else ''} elsewhere than as one factor of a product",
        hint="vec can be drawn out of sums of products: of X in A X B + C",
    )


def _entrywise(product: Hadamard, names: set[str], how: str) -> tuple[Expr, Expr]:
    """vec(M ⊙ A) = diag(vec(M)) vec(A): the diagonal matrix, and the factor that reads the names."""
    reading = [factor for factor in product.factors if read_symbols([factor]) & names]
    others = [factor for factor in product.factors if factor not in reading]
    if len(reading) > 1:
        raise _elsewhere([name for name in sorted(names) if name in read_symbols(reading)])
    return diag(Vec(hadamard(*others), how)), reading[0]


def _terms(body: Expr, names: set[str]) -> list[Expr]:
    """What is added, with the factors around a bracket drawn into it, and c ⊙ (W x) as diag(c) W x."""
    number, above, under, inner = split(body)
    parts: list[Expr] = []
    match inner:
        case Sum(terms=terms):
            parts = list(terms)
        case Chain(factors=factors):
            k = next((k for k, factor in enumerate(factors) if isinstance(factor, Sum)), len(factors))
            for factor in factors[k : k + 1]:
                parts = [chain(*factors[:k], term, *factors[k + 1 :]) for term in below(factor)]
        case Hadamard(factors=factors, shape=(_, None)):
            reading = [factor for factor in factors if read_symbols([factor]) & names]
            if len(reading) == 1:
                others = hadamard(*(one for one in factors if one is not reading[0]))
                last = reading[0].factors if isinstance(reading[0], Chain) else reading
                return _terms(scaled(number, above, under, Chain((diag(others), *last))), names)
    if not parts:
        return [body]
    return [found for part in parts for found in _terms(scaled(number, above, under, part), names)]


def _product(matrix: Expr, vec: Expr) -> Expr:
    """The product of both as it stands: diag(c) x is not written c ⊙ x."""
    number, above, under, body = split(matrix)
    return scaled(number, above, under, Chain((body, vec))) if isinstance(body, Diag) else chain(matrix, vec)


def _named(factor: Expr) -> str:
    inner = factor.arg if isinstance(factor, Transpose) else factor
    return inner.name if isinstance(inner, Symbol) else ""


def _matrix(factors: Sequence[Expr], place: int, how: str) -> tuple[Expr, Expr]:
    """What stands before vec of a factor, and that vec."""
    pivot = factors[place]
    rows, columns = pivot.shape
    front = _around(factors, place, how)
    if rows is None or columns is None:  # a column is its own vec, and so is a row
        return front, pivot if columns is None else transpose(pivot)
    if not isinstance(pivot, Transpose):
        return front, Vec(pivot, how)
    swap = Commutation(columns, rows) if how == "column" else Commutation(rows, columns)
    return chain(front, swap), Vec(pivot.arg, how)


def _pivoted(factors: Sequence[Expr], place: int, how: str) -> Expr:
    pivot = factors[place]
    if None in pivot.shape:
        return Vec(Chain(tuple(factors)), how)
    return chain(_around(factors, place, how), Vec(pivot, how))


def _around(factors: Sequence[Expr], place: int, how: str) -> Expr:
    """vec(A B C) = (Cᵀ ⊗ A) vec(B), and by rows (A ⊗ Cᵀ) vec_r(B)."""
    rows, columns = factors[place].shape
    before, after = factors[:place], factors[place + 1 :]
    left = chain(*before) if before else _identity(rows)
    right = transpose(chain(*after)) if after else _identity(columns)
    sides = [side for side in ((right, left) if how == "column" else (left, right)) if side is not None]
    if not sides:
        return Number(ONE)
    return sides[0] if len(sides) == 1 else kron(*sides)


def _identity(size: Size | None) -> Expr | None:
    return None if size is None else Identity(size)
