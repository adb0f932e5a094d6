"""Walking matrix expressions: what stands right below, and how often a reader meets a transpose."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from einback.formula.matrix.expr import Expr, Transpose

__all__ = ["below", "rebuilt", "transposes"]


def below(expr: Expr) -> tuple[Expr, ...]:
    """The expressions right below, in reading order."""
    found: list[Expr] = []
    for one in fields(expr):
        value = getattr(expr, one.name)
        if isinstance(value, Expr):
            found.append(value)
        elif isinstance(value, tuple):
            found += [item for item in value if isinstance(item, Expr)]
            found += [item for row in value if isinstance(row, tuple) for item in row]
    return tuple(found)


def rebuilt(expr: Expr, parts: tuple[Expr, ...]) -> Expr:
    """An expression with others right below it, in the order of `below`."""
    rest = iter(parts)
    changed: dict[str, Any] = {}
    for one in fields(expr):
        value = getattr(expr, one.name)
        if isinstance(value, Expr):
            changed[one.name] = next(rest)
        elif isinstance(value, tuple) and value and isinstance(value[0], Expr):
            changed[one.name] = tuple(next(rest) for _ in value)
        elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
            changed[one.name] = tuple(tuple(next(rest) for _ in row) for row in value)
    return replace(expr, **changed) if changed else expr


def transposes(expr: Expr) -> int:
    """How many transposes a reader meets."""
    stack, total = [expr], 0
    while stack:
        part = stack.pop()
        total += isinstance(part, Transpose)
        stack.extend(below(part))
    return total
