"""Arithmetic on nodes, so that the derivatives in the scalar table are written as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from einback.ir.build import add, broadcast, const, exact, fill, multiply, power
from einback.ir.nodes import Const, Map, Node, Shape

__all__ = ["Expr", "apply"]


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """A node with arithmetic, so that a derivative is written as it is read."""

    node: Node

    def _with(self, other: Any) -> tuple[Node, Node]:
        b = other.node if isinstance(other, Expr) else const(other)
        a = self.node
        if a.rank < b.rank:
            a = _filled(a, b.shape)
        if b.rank < a.rank:
            b = _filled(b, a.shape)
        return a, b

    def __add__(self, other: Any) -> Expr:
        return Expr(add(self._with(other)))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Expr:
        return Expr(add(self._with(other), (1, -1)))

    def __rsub__(self, other: Any) -> Expr:
        return Expr(add(self._with(other), (-1, 1)))

    def __neg__(self) -> Expr:
        return Expr(add((self.node,), (-1,)))

    def __mul__(self, other: Any) -> Expr:
        if isinstance(other, Expr):
            return Expr(multiply(self.node, other.node))
        return Expr(add((self.node,), (exact(other),)))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Expr:
        return self * (Expr(power(other.node, -1)) if isinstance(other, Expr) else 1 / exact(other))

    def __rtruediv__(self, other: float) -> Expr:
        return Expr(add((power(self.node, -1),), (other,)))

    def __pow__(self, exponent: Any) -> Expr:
        if isinstance(exponent, Expr):
            return Expr(Map("power", (self.node, exponent.node)))
        return Expr(power(self.node, exponent))


def _filled(number: Node, shape: Shape) -> Node:
    """A number at every entry: a constant, or a function of constants."""
    return fill(shape, number.value) if isinstance(number, Const) else broadcast(number, shape, ())


def apply(fn: str, *args: Any) -> Expr:
    """A row of the table, applied to expressions and numbers."""
    return Expr(Map(fn, tuple(arg.node if isinstance(arg, Expr) else const(arg) for arg in args)))
