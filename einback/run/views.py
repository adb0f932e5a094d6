"""Expressions that compute nothing: names, numbers, and views of these."""

from __future__ import annotations

from einback.run.steps import Call, DTypeName, Expr, Index, Literal, Method, Ref, Transposed
from einback.run.walking import parts, refs

__all__ = ["base_of", "is_view", "reads_windows"]


def is_view(expr: Expr) -> bool:
    """Whether an expression computes nothing."""
    while True:
        match expr:
            case Ref() | Literal() | DTypeName():
                return True
            case Index() | Transposed() | Method(name="diagonal" | "reshape"):
                expr = expr.operand
            case Call("np.broadcast_to" | "windows", (operand, *_)):
                expr = operand
            case Call("np.einsum", (_, operand)):
                expr = operand
            case _:
                return False


def base_of(expr: Expr) -> int | None:
    """The register that a view is of."""
    return next(refs(expr), None)


def reads_windows(expr: Expr) -> bool:
    """Whether windows that overlap are among what an expression reads."""
    return (isinstance(expr, Call) and expr.function == "windows") or any(map(reads_windows, parts(expr)))
