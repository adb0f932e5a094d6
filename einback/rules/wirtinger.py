"""Derivatives of functions that are linear over the real numbers only: conj, Re, Im, |z|, z/|z|, a + ib.

They have no complex derivative, but they move with their argument all the same. For y = f(z) and a tangent t,
`push` is the tangent of y. For a cotangent g of y, `pull` is the cotangent of z, which is defined by

    Re(g * push(t)) = Re(pull(g) * t)    for all t

so that nothing is conjugated on the way back through a function that has a complex derivative: there, g times
f'(z) will do. The cotangent of a real loss L that arrives at z = x + iy is dL/dx - i dL/dy = 2 dL/dz
(Hjorungnes & Gesbert, Complex-Valued Matrix Differentiation, IEEE Trans. Signal Processing 55, 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from einback.rules.expr import Expr, apply

__all__ = ["ABS", "CONJ", "IMAG", "IMAGINARY_PART", "REAL", "REAL_PART", "SIGN", "RealLinear"]


@dataclass(frozen=True, slots=True)
class RealLinear:
    """Both are called with the arguments of f, the result y, and the tangent or cotangent."""

    push: Callable[..., Expr]
    pull: Callable[..., Expr]


def _conj(z: Expr) -> Expr:
    return apply("conj", z)


def _real(z: Expr) -> Expr:
    return apply("real", z)


def _imag(z: Expr) -> Expr:
    return apply("imag", z)


def _over_abs(x: Expr, z: Expr) -> Expr:
    """x / |z|, and 0 where z is 0."""
    size = apply("abs", z)
    return x * apply("where", apply("greater", size, 0), 1 / size, 0)


CONJ = RealLinear(lambda z, y, t: _conj(t), lambda z, y, g: _conj(g))
REAL = RealLinear(lambda z, y, t: _real(t), lambda z, y, g: g)
IMAG = RealLinear(lambda z, y, t: _imag(t), lambda z, y, g: apply("complex", 0, -g))

# y = re + i im, with real arguments
REAL_PART = RealLinear(lambda re, im, y, t: apply("complex", t, 0), lambda re, im, y, g: _real(g))
IMAGINARY_PART = RealLinear(lambda re, im, y, t: apply("complex", 0, t), lambda re, im, y, g: -_imag(g))

# |z| moves with the part of t along z / |z|, which itself moves with the part across; both stand still at 0.
ABS = RealLinear(
    lambda z, y, t: _real(_conj(apply("sign", z)) * t),
    lambda z, y, g: g * _conj(apply("sign", z)),
)
SIGN = RealLinear(
    lambda z, y, t: _over_abs(t - y * _real(_conj(y) * t), z),
    lambda z, y, g: _over_abs(g - _conj(y) * _real(g * y), z),
)
