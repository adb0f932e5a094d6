"""The ground of the matrix algebra: numbers and scalars in front, and transposes where few are written."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from einback.formula.matrix.expr import (
    Along,
    Apply,
    Blocks,
    Chain,
    Commutation,
    Diag,
    Diagonal,
    Expr,
    Full,
    Function,
    Hadamard,
    Identity,
    Kron,
    Number,
    Ones,
    Power,
    Ratio,
    Scaled,
    Sum,
    Symbol,
    Trace,
    Transpose,
    Vec,
    is_scalar,
)
from einback.formula.matrix.walking import transposes
from einback.ir.build import exact
from einback.ir.nodes import Number as Value

__all__ = ["ONE", "diag", "fewest", "is_differential", "ones_of", "scaled", "split", "transpose"]

ONE = Fraction(1)


def fewest(*ways: Expr) -> Expr:
    """The way in which a differential stands last, with the fewest transposes; the first of equals."""
    return min(ways, key=lambda way: (*_differential(way), transposes(way)))


def _differential(expr: Expr) -> tuple[int, bool]:
    """How many factors stand behind the last differential, dX, and whether that is transposed."""
    match expr:
        case Scaled(above=above, body=body):
            return max(map(_differential, above if body is None else (body,)), default=(0, False))
        case Trace(arg=arg):
            return _differential(arg)
        case Chain(factors=factors):
            behind = enumerate(reversed(factors))
            return next(((k, one.shape[0] is None or isinstance(one, Transpose)) for k, one in behind
                         if is_differential(one)), (0, False))  # fmt: skip
        case _:
            return 0, False


def is_differential(expr: Expr) -> bool:
    """Whether a factor is dX or its transpose."""
    return (isinstance(expr, Symbol) and expr.marks == "d") or (
        isinstance(expr, Transpose) and is_differential(expr.arg)
    )


def split(expr: Expr) -> tuple[Value, tuple[Expr, ...], tuple[Expr, ...], Expr | None]:
    """An expression as a number, scalars above and below the line, and a body that is no scalar."""
    match expr:
        case Scaled():
            return expr.coefficient, expr.above, expr.below, expr.body
        case Number():
            return expr.value, (), (), None
        case _ if is_scalar(expr):
            return ONE, (expr,), (), None
        case _:
            return ONE, (), (), expr


def scaled(weight: Value, above: Iterable[Expr], below: Iterable[Expr], body: Expr | None = None) -> Expr:
    """weight * above / below * body; what is scaled inside comes out."""
    tops: list[Expr] = []
    bottoms: list[Expr] = []
    for group, same, other in ((above, tops, bottoms), (below, bottoms, tops)):
        for part in group:
            number, up, down, rest = split(part)
            assert rest is None
            invert = group is below
            if invert and number == 0:
                bottoms.append(part)
                continue
            weight = exact(weight / number if invert else weight * number)
            same += up
            other += down
    if body is not None:
        number, up, down, body = split(body)
        weight = exact(weight * number)
        tops += up
        bottoms += down
    if isinstance(body, Full):
        return _filled(weight, tops, bottoms, body)
    if weight == 0 and not bottoms:
        return Number(weight) if body is None else Full(weight, body.shape)
    if not tops and not bottoms:
        if body is None:
            return Number(weight)
        if isinstance(body, Ones) and weight != 1:
            return Full(weight, body.shape)
    if weight == 1 and not bottoms:
        if body is not None and not tops:
            return body
        if body is None and len(tops) == 1:
            return tops[0]
    return Scaled(weight, tuple(tops), tuple(bottoms), body)


def _filled(weight: Value, tops: list[Expr], bottoms: list[Expr], body: Full) -> Expr:
    """A number in every entry, times scalars: those lie along ones."""
    value = exact(weight * body.value)
    if not tops and not bottoms:
        return Full(value, body.sized)
    return Scaled(value, tuple(tops), tuple(bottoms), ones_of(body))


def ones_of(full: Full) -> Expr:
    """Ones of the shape of a number in every entry."""
    rows, columns = full.sized
    factors = [
        *([Ones(rows)] if rows is not None else []),
        *([Transpose(Ones(columns))] if columns is not None else []),
    ]
    return factors[0] if len(factors) == 1 else Chain(tuple(factors))


def transpose(expr: Expr) -> Expr:
    """The transpose, outside of brackets or inside, wherever fewer are written."""
    if is_scalar(expr):
        return expr
    match expr:
        case Transpose():
            return expr.arg
        case Symbol(symmetric=True) | Function(symmetric=True) | Identity() | Diag():
            return expr
        case Full():
            return Full(expr.value, (expr.sized[1], expr.sized[0]))
        case Commutation():
            return Commutation(expr.columns, expr.rows)
        case Scaled():
            assert expr.body is not None
            return Scaled(expr.coefficient, expr.above, expr.below, transpose(expr.body))
        case Chain():
            return Chain(tuple(transpose(factor) for factor in reversed(expr.factors)))
        case Kron():
            return Kron(transpose(expr.left), transpose(expr.right))
        case Blocks(rows=rows):
            return Blocks(tuple(tuple(map(transpose, column)) for column in zip(*rows, strict=True)))
        case Sum():
            turned = tuple(map(transpose, expr.terms))
            return expr if set(turned) == set(expr.terms) else fewest(Transpose(expr), Sum(turned))
        case Hadamard():
            return fewest(Transpose(expr), Hadamard(tuple(map(transpose, expr.factors))))
        case Ratio():
            return fewest(Transpose(expr), Ratio(transpose(expr.top), transpose(expr.bottom)))
        case Power():
            return fewest(Transpose(expr), Power(transpose(expr.base), transpose(expr.exponent)))
        case Apply():
            return fewest(Transpose(expr), Apply(expr.fn, tuple(map(transpose, expr.args))))
        case Symbol() | Function() | Along() | Ones() | Diagonal() | Vec():
            return Transpose(expr)
        case _:
            raise TypeError(f"no transpose of {type(expr).__name__}")


def diag(column: Expr) -> Expr:
    """The diagonal matrix of a column."""
    number, above, below, body = split(column)
    match body:
        case Ones():
            return scaled(number, above, below, Identity(body.size))
        case Full() if body.sized[0] is not None:
            return scaled(exact(number * body.value), above, below, Identity(body.sized[0]))
        case Diagonal(arg=Diag() | Identity()):
            return scaled(number, above, below, body.arg)
        case None:
            raise TypeError("a scalar has no diagonal matrix")
        case _:
            sign = Fraction(-1) if number < 0 else ONE  # a minus sign reads better outside, a number inside
            inner = scaled(exact(number * sign), (), (), body)
            return scaled(sign, above, below, Diag(inner))
