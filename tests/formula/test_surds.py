"""Decimals that are written as roots and multiples of pi."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import einback as eb
from einback.formula.surds import surd


def value(line: str) -> float:
    """A line of the fraction, in numbers."""
    line = line.replace(r"\sqrt", "sqrt").replace("{", "(").replace("}", ")").replace(r"\pi", "pi")
    return float(eval(re.sub(r"(?<=[\d)i]) (?=[\w(])", "*", line), {"sqrt": math.sqrt, "pi": math.pi}))


@given(st.integers(1, 64), st.integers(1, 64), st.integers(-2, 2), st.integers(-2, 2))
def test_what_is_written_is_the_number(top: int, bottom: int, pis: int, ulps: int):
    number = math.sqrt(top / bottom * math.pi**pis)
    for _ in range(abs(ulps)):
        number = math.nextafter(number, math.copysign(math.inf, ulps))
    found = surd(number)
    if found is None:
        root = Fraction(number).limit_denominator(64)
        assert len(repr(number)) < 15 or abs(float(root) - number) < 1e-15 * number or ulps
    else:
        assert math.isclose(value(found[0]) / value(found[1]), number, rel_tol=2e-15)


@given(st.floats(1e-2, 1e2))
def test_other_numbers_stay_decimals(number: float):
    found = surd(number)
    assert found is None or math.isclose(value(found[0]) / value(found[1]), number, rel_tol=2e-15)


@pytest.mark.parametrize(
    "number", [0.5, 0.1, 1.5, 1e-7, 0.3333, 1 / 3, 0.123456789012345, math.inf, math.nan, -(2.0**0.5)]
)
def test_what_is_no_root(number: float):
    assert surd(number) is None


def test_roots_in_formulas():
    x = eb.tensor("x[n]")
    assert eb.grad(eb.sum(eb.gelu(x)), x).latex() == (
        r"\mathrm{dx}_{n} = \frac{1}{\sqrt{2 \pi}} x_{n} \exp\left(-\frac{1}{2} x_{n}^{2}\right) "
        r"+ \frac{1}{2} \operatorname{erf}\left(\frac{1}{\sqrt{2}} x_{n}\right) + \frac{1}{2}"
    )
    assert (eb.exp(x) ** 2**0.5).latex() == r"y_{n} = \exp\left(x_{n}\right)^{\sqrt{2}}"
    assert ((2 * 2**0.5) ** x).latex() == r"y_{n} = \left(2 \sqrt{2}\right)^{x_{n}}"
    assert (1e-7**x).latex() == r"y_{n} = \left(10^{-7}\right)^{x_{n}}"
    assert (-math.pi * x).latex("matrix") == r"y = -\pi x"
