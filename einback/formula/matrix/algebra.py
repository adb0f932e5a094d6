"""Products of matrices in the form that is written: flat, numbers in front, diagonal matrices together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from einback.formula.matrix.expr import (
    Chain,
    Diag,
    Diagonal,
    Expr,
    Full,
    Hadamard,
    Identity,
    Kron,
    Length,
    Number,
    Ones,
    Power,
    Ratio,
    Symbol,
    Trace,
    Transpose,
    is_scalar,
    times,
)
from einback.formula.matrix.scaling import ONE, diag, fewest, is_differential, ones_of, scaled, split, transpose
from einback.ir.build import exact
from einback.ir.nodes import Number as Value

__all__ = ["chain", "diagonal", "dot", "hadamard", "kron", "trace"]


def chain(*factors: Expr) -> Expr:
    """The product: flat, scalars in front, without identities, diagonal matrices together."""
    weight: Value = ONE
    above: list[Expr] = []
    below: list[Expr] = []
    flat: list[Expr] = []
    for factor in factors:
        number, tops, bottoms, body = split(factor)
        weight = exact(weight * number)
        above += tops
        below += bottoms
        if body is not None:
            for part in body.factors if isinstance(body, Chain) else (body,):
                if isinstance(part, Full):
                    weight = exact(weight * part.value)
                    ones = ones_of(part)
                    flat += ones.factors if isinstance(ones, Chain) else [ones]
                else:
                    flat.append(part)
    while (merged := _merged(flat)) is not None:
        flat = merged
    inner = [split(part) for part in flat]  # what merging has made: lengths, and scalars that came out of them
    if any(body is None or number != 1 or tops or bottoms for number, tops, bottoms, body in inner):
        return chain(scaled(weight, above, below), *flat)
    body = None if not flat else flat[0] if len(flat) == 1 else Chain(tuple(flat))
    if body is not None and is_scalar(body):
        above, body = [*above, body], None
    return scaled(weight, above, below, body)


def _merged(flat: Sequence[Expr]) -> list[Expr] | None:
    """The factors with one pair of neighbours made one; None where all stand."""
    for k, (left, right) in enumerate(pairwise(flat)):
        made: Expr | None = None
        match left, right:
            case Identity(), _:
                made = right
            case _, Identity():
                made = left
            case Diag(), Diag():
                made = diag(hadamard(left.arg, right.arg))
            case Diag(), Ones():
                made = left.arg
            case Transpose(arg=Ones()), Diag():
                made = transpose(right.arg)
            case Diag(), _ if right.shape[1] is None:
                made = hadamard(left.arg, right)
            case Transpose(arg=Ones()), Ones():
                made = Length(right.size)
            case (Transpose(arg=Ones()), Symbol(marks="e")) | (Transpose(arg=Symbol(marks="e")), Ones()):
                made = Number(ONE)
        if made is not None:
            return [*flat[:k], made, *flat[k + 2 :]]
    return None


def hadamard(*factors: Expr) -> Expr:
    """The product entry by entry of expressions of one shape; what is divided by stands below one line."""
    weight: Value = ONE
    above: list[Expr] = []
    below: list[Expr] = []
    tops: list[Expr] = []
    bottoms: list[Expr] = []
    for factor in factors:
        number, up, down, body = split(factor)
        assert body is not None
        weight = exact(weight * number)
        above += up
        below += down
        match body:
            case Hadamard():
                tops += body.factors
            case Full():
                weight = exact(weight * body.value)
            case Ratio():
                tops += _parts(body.top)
                bottoms += _parts(body.bottom)
            case Ones():
                pass
            case _:
                tops.append(body)
    if not tops and not bottoms:
        rows, columns = factors[0].shape
        return scaled(weight, above, below, Ones(rows) if columns is None and rows else Full(ONE, (rows, columns)))
    if len(tops) > 1 and any(isinstance(top, Identity) for top in tops):
        others = [top for top in tops if not isinstance(top, Identity)]
        tops = [diag(hadamard(*map(diagonal, others)))] if others else tops[:1]
    if not bottoms:
        return scaled(weight, above, below, _product(tops))
    number, up, down, bottom = split(_product(bottoms))
    assert bottom is not None
    top = _product(tops) if tops else Number(weight)
    ratio = Ratio(top, bottom)
    return scaled(weight if tops else ONE, [*above, *down], [*below, Number(number), *up], ratio)


def _product(factors: Sequence[Expr]) -> Expr:
    return factors[0] if len(factors) == 1 else Hadamard(tuple(factors))


def _parts(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Hadamard():
            return expr.factors
        case Number(value=1):
            return ()
        case _ if is_scalar(expr):
            raise TypeError("a scalar over a vector stands in front of it")
        case _:
            return (expr,)


def diagonal(matrix: Expr) -> Expr:
    """The diagonal of a matrix, as a column."""
    number, above, below, body = split(matrix)
    match body:
        case Diag():
            found = body.arg
        case Identity():
            found = Ones(body.size)
        case Full() if body.sized[0] is not None:
            found = Full(body.value, (body.sized[0], None))
        case Transpose():
            found = Diagonal(body.arg)
        case Chain(factors=(left, right)) if left.shape[1] is None:
            found = hadamard(left, transpose(right))
        case None:
            raise TypeError("a scalar has no diagonal")
        case _:
            found = Diagonal(body)
    return scaled(number, above, below, found)


def trace(matrix: Expr) -> Expr:
    """The trace; that of a product of a column and a row is their scalar product."""
    number, above, below, body = split(matrix)
    match body:
        case Diag():
            found = dot([body.arg])
        case Identity():
            found = Length(body.size)
        case Transpose():
            return scaled(number, above, below, trace(body.arg))
        case Chain():
            found = _trace_of(body)
        case None:
            raise TypeError("a scalar has no trace")
        case _:
            found = Trace(body)
    return scaled(number, above, below, found)


def _trace_of(product: Chain) -> Expr:
    """The trace of a product, turned where a column and a row meet, or where that saves transposes."""
    factors = product.factors
    for k, factor in enumerate(factors):
        if factor.shape[0] is None:
            return chain(*factors[k:], *factors[:k])
    turns = [Chain((*factors[k:], *factors[:k])) for k in range(len(factors)) if is_differential(factors[k - 1])]
    return Trace(fewest(product, transpose(product), *turns, *map(transpose, turns)))


def dot(columns: Sequence[Expr]) -> Expr:
    """The sum over the entries of the product of columns."""
    first, *others = columns
    if not others:
        number, above, below, body = split(first)
        match body:
            case Diagonal():
                return scaled(number, above, below, trace(body.arg))
            case Hadamard(factors=(left, *rest)):
                return scaled(number, above, below, dot([left, hadamard(*rest)]))
            case Full() if body.sized[0] is not None:
                return scaled(exact(number * body.value), [*above, Length(body.sized[0])], below)
            case Ones():
                return scaled(number, [*above, Length(body.size)], below)
            case Power(base=base, exponent=Number(value=2)):
                return scaled(number, above, below, chain(transpose(base), base))
            case None:
                raise TypeError("a scalar is no column")
            case _:
                ones = Ones(_rows(body))
                whole = fewest(chain(transpose(ones), body), chain(transpose(body), ones))
                return scaled(number, above, below, whole)
    second = hadamard(*others)
    return fewest(chain(transpose(first), second), chain(transpose(second), first))


def _rows(expr: Expr) -> str | int:
    rows = expr.shape[0]
    assert rows is not None
    return rows


def kron(left: Expr, right: Expr) -> Expr:
    """The Kronecker product; scalars come out, and the product of identities is one."""
    weight, above, below, first = split(left)
    number, up, down, second = split(right)
    weight, above, below = exact(weight * number), (*above, *up), (*below, *down)
    for one in (first, second):
        weight = exact(weight * one.value) if isinstance(one, Full) else weight
    first, second = (ones_of(one) if isinstance(one, Full) else one for one in (first, second))
    if first is None or second is None:
        return scaled(weight, above, below, second if first is None else first)
    if isinstance(first, Identity) and isinstance(second, Identity):
        side = first.shape[0], second.shape[0]
        return scaled(weight, above, below, Identity(times(*side) or 1))
    match first, second:
        case Ones(), Ones():
            made: Expr = Ones(times(first.size, second.size) or 1)
        case Transpose(arg=Ones(size=n)), Transpose(arg=Ones(size=m)):
            made = Transpose(Ones(times(n, m) or 1))
        case _:
            made = Kron(first, second)
    return scaled(weight, above, below, made)
