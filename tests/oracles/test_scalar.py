"""Every row of the scalar table: values against `math`, derivatives against differences, and the hard points.

Derivatives of first and second order are compared with central differences of references that are written
here from the definitions; `test_scalar_jax` compares them with JAX. At +-1e4, 1e3 and 1e-20 the reference is
`decimal` with enough digits for 1 + exp(-700).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.rules.scalar import TABLE, Scalar
from tests.oracles.scalar_rows import NAMES, apply_row, points

SQRT_HALF = math.sqrt(0.5)

REFERENCE: dict[str, Callable[..., float]] = {
    "exp": math.exp,
    "exp2": lambda x: 2.0**x,
    "expm1": math.expm1,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "log1p": math.log1p,
    "power": lambda a, b: a**b,
    "cbrt": lambda x: math.copysign(abs(x) ** (1 / 3), x),
    "hypot": math.hypot,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "arctan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "arcsinh": math.asinh,
    "arccosh": math.acosh,
    "arctanh": math.atanh,
    "erf": math.erf,
    "gelu": lambda x: x * 0.5 * math.erfc(-x * SQRT_HALF),
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "conj": lambda x: x,
    "real": lambda x: x,
    "imag": lambda x: 0.0,
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "sigmoid": lambda x: 0.5 * (1 + math.tanh(x / 2)),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "silu": lambda x: x * 0.5 * (1 + math.tanh(x / 2)),
    "logaddexp": lambda a, b: math.log(math.exp(a) + math.exp(b)),
    "maximum": max,
    "minimum": min,
    "above": lambda a, b: 1.0 if a > b else 0.5 if a == b else 0.0,
    "where": lambda condition, a, b: a if condition else b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "floor": math.floor,
    "ceil": math.ceil,
    "rint": round,
    "trunc": math.trunc,
}


def test_every_row_has_a_reference():
    assert sorted(REFERENCE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_value(name: str):
    arrays = points(TABLE[name])
    wanted = [REFERENCE[name](*map(float, args)) for args in zip(*arrays, strict=True)]
    found = eb.evaluate(apply_row(name), **_named(arrays))
    np.testing.assert_allclose(found, np.array(wanted, dtype=float), rtol=4e-15, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives(name: str):
    """The diagonal of the Jacobian by reverse mode, twice, for every argument and pair of arguments."""
    row = TABLE[name]
    arrays = points(row)
    first, second = _derivatives(name, row)
    found = eb.compile({"first": first, "second": second})(**_named(arrays))

    def value(*args: float) -> float:
        if name == "where":  # a condition that differences move is no condition
            return args[1] if args[0] > 0.5 else args[2]
        return float(REFERENCE[name](*args))

    for j in range(row.arity):
        wanted = [_slope(value, args, j) for args in zip(*arrays, strict=True)]
        np.testing.assert_allclose(found["first"][j], wanted, rtol=1e-8, atol=1e-8)
        for k in range(row.arity):
            wanted = [
                _slope(lambda *a, j=j: _slope(value, a, j, 1e-3), args, k, 1e-3) for args in zip(*arrays, strict=True)
            ]
            np.testing.assert_allclose(found["second"][j][k], wanted, rtol=2e-5, atol=2e-5)


def _slope(f: Callable[..., float], args: tuple[float, ...], k: int, h: float = 1e-4) -> float:
    """The derivative in argument k: a central difference of fourth order."""

    def at(step: float) -> float:
        return f(*(float(a) + step * (i == k) for i, a in enumerate(args)))

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def _derivatives(name: str, row: Scalar) -> tuple[list[Any], list[list[Any]]]:
    arguments = eb.tensors(" ".join(f"{c}[n]" for c in "abc"[: row.arity]))
    first = eb.grad(eb.sum(apply_row(name)), list(arguments))
    return first, [eb.grad(eb.sum(slope), list(arguments)) for slope in first]


def _named(arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return dict(zip("abc", arrays, strict=False))


# The points where a derivative does not exist, and what einback says it is.
_KINKS = [
    ("relu", 0.0, 0.0, 0.0),
    ("abs", 0.0, 0.0, 0.0),
    ("sign", 0.0, 0.0, 0.0),
    ("relu", -3.0, 0.0, 0.0),
    ("abs", -3.0, 3.0, -1.0),
]


@pytest.mark.parametrize(("name", "x", "value", "slope"), _KINKS)
def test_kinks(name: str, x: float, value: float, slope: float):
    y = eb.sum(apply_row(name))
    assert eb.evaluate(y, a=np.array([x])) == value
    assert eb.evaluate(eb.grad(y, eb.tensor("a[n]")), a=np.array([x])) == slope


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_split_evenly(name: str):
    a, b = eb.tensors("a[n] b[n]")
    found = eb.compile(eb.grad(eb.sum(apply_row(name)), [a, b]))(a=np.array([1.0, 2.0]), b=np.array([1.0, 5.0]))
    larger, smaller = (1, 0) if name == "maximum" else (0, 1)
    assert found[0].tolist() == [0.5, smaller]
    assert found[1].tolist() == [0.5, larger]


def test_ties_of_a_reduction_split_evenly():
    x = eb.tensor("x[n]")
    found = eb.evaluate(eb.grad(eb.max(x), x), x=np.array([2.0, 1.0, 2.0, 2.0]))
    np.testing.assert_allclose(found, [1 / 3, 0, 1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("x", "gradient", "hessian"),
    [
        ([2.0, 3.0, 5.0], [15, 10, 6], [[0, 5, 3], [5, 0, 2], [3, 2, 0]]),
        ([2.0, 0.0, 5.0], [0, 10, 0], [[0, 5, 0], [5, 0, 2], [0, 2, 0]]),
        ([0.0, 3.0, 0.0], [0, 0, 0], [[0, 0, 3], [0, 0, 0], [3, 0, 0]]),
        ([0.0, 0.0, 0.0], [0, 0, 0], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)
def test_prod_with_zeros_is_right_to_second_order(x: list[float], gradient: list[float], hessian: list[list[float]]):
    t = eb.tensor("x[n]")
    y = eb.prod(t)
    found = eb.compile([eb.grad(y, t), eb.hessian(y, t)])(x=np.array(x))
    np.testing.assert_array_equal(found[0], gradient)
    np.testing.assert_array_equal(found[1], hessian)


_HARD = (1e-20, -1e-20, 1e-8, -1e-8, 30.0, -30.0, 700.0, -700.0, 1e3, -1e3, 1e4, -1e4)


def _decimal_sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


_ACCURATE: dict[str, tuple[Callable[[Decimal], Decimal], Callable[[Decimal], Decimal]]] = {
    "sigmoid": (_decimal_sigmoid, lambda x: _decimal_sigmoid(x) * _decimal_sigmoid(-x)),
    "softplus": (lambda x: (1 + x.exp()).ln(), _decimal_sigmoid),
    "silu": (
        lambda x: x * _decimal_sigmoid(x),
        lambda x: _decimal_sigmoid(x) * (1 + x * _decimal_sigmoid(-x)),
    ),
    "log1p": (lambda x: (1 + x).ln(), lambda x: 1 / (1 + x)),
    "expm1": (lambda x: x.exp() - 1, lambda x: x.exp()),
}


@pytest.mark.parametrize("name", sorted(_ACCURATE))
def test_full_accuracy_at_hard_points(name: str):
    value, slope = _ACCURATE[name]
    xs = [x for x in _HARD if name != "log1p" or x > -1]
    xs = [x for x in xs if name != "expm1" or x <= 700]
    a = eb.tensor("a[n]")
    y = apply_row(name)
    found = eb.compile([y, eb.grad(eb.sum(y), a)])(a=np.array(xs))
    with localcontext() as context:
        context.prec = 350
        wanted = [[float(f(Decimal(x))) for x in xs] for f in (value, slope)]
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-15, atol=5e-324)
    # 1 - sigmoid(x) cancels where sigmoid is near one, so slopes are accurate against one, not against themselves.
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-14, atol=1e-15)


def test_logaddexp_far_out():
    a, b = eb.tensors("a[n] b[n]")
    y = apply_row("logaddexp")
    found = eb.compile([y, *eb.grad(eb.sum(y), [a, b])])(a=np.array([1e4, -1e4, -1e4]), b=np.array([-1e4, 1e4, -1e4]))
    np.testing.assert_allclose(found[0], [1e4, 1e4, -1e4 + math.log(2)])
    np.testing.assert_allclose(found[1], [1, 0, 0.5])
    np.testing.assert_allclose(found[2], [0, 1, 0.5])


def test_softmax_and_logsumexp_far_out():
    x = eb.tensor("x[n,c]")
    outputs = [eb.logsumexp(x, axis=1), eb.softmax(x, axis=1), eb.log_softmax(x, axis=1)]
    slopes = eb.grad(eb.sum(outputs[0]), x)
    rows = np.array([[1e4, 1e4, -1e4], [-1e4, -1e4, -1e4], [1e4, -1e4, 0.0]])
    found = eb.compile([*outputs, slopes])(x=rows)
    np.testing.assert_allclose(found[0], [1e4 + math.log(2), -1e4 + math.log(3), 1e4])
    np.testing.assert_allclose(found[1], [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0]], atol=1e-300)
    np.testing.assert_allclose(found[2][2], [0, -2e4, -1e4])
    np.testing.assert_allclose(found[3], found[1])


def test_logsumexp_of_a_row_of_minus_infinity():
    x = eb.tensor("x[c]")
    assert eb.evaluate(eb.logsumexp(x), x=np.full(3, -np.inf)) == -np.inf
