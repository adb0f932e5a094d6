"""The scalar table's NumPy spellings as expressions, so that each of their operations can write into an array."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from einback.run.steps import Call, Expr, Infix, Literal, Negative, Template

__all__ = ["spelled"]

_SIGNS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}

Write = Callable[[Sequence[Expr]], Expr]


def spelled(template: str, args: Sequence[Expr]) -> Expr:
    """The template filled in; as it stands, where it says more than calls and operators.

    >>> spelled("np.maximum({0}, 0)", [Literal(2)])
    Call(function='np.maximum', args=(Literal(value=2), Literal(value=0)), keywords=())
    """
    write = _parsed(template)
    return write(args) if write is not None else Template(template, tuple(args))


@lru_cache(maxsize=256)
def _parsed(template: str) -> Write | None:
    try:
        return _read(ast.parse(re.sub(r"\{(\d)\}", r"_\1", template), mode="eval").body)
    except NotImplementedError:
        return None


def _read(node: ast.expr) -> Write:
    match node:
        case ast.Name(name):
            place = int(name.removeprefix("_"))
            return lambda args: args[place]
        case ast.Constant(value) if isinstance(value, int | float):
            number = Literal(value)
            return lambda args: number
        case ast.UnaryOp(ast.USub(), operand):
            inner = _read(operand)
            return lambda args: Negative(inner(args))
        case ast.BinOp(left, operator, right) | ast.Compare(left, [operator], [right]):
            sign, a, b = _SIGNS[type(operator)], _read(left), _read(right)
            return lambda args: Infix(sign, a(args), b(args))
        case ast.Call(function, parts, []):
            name, read = ast.unparse(function), [_read(part) for part in parts]
            return lambda args: Call(name, tuple(one(args) for one in read))
        case _:
            raise NotImplementedError
