"""Size formulas against plain arithmetic, on random expressions."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from einback.ir.extents import evaluate, negative, plus, product, quotient, replace_sizes

_LEAVES = ("h", "u", "w", 1, 2, 3, 5)


def _random(rng: random.Random, depth: int, leaf: Callable[[Any], Any], ops: tuple[Callable[..., Any], ...]) -> Any:
    kind = rng.random()
    if depth == 0 or kind < 0.2:
        return leaf(rng.choice(_LEAVES))
    a, b = (_random(rng, depth - 1, leaf, ops) for _ in range(2))
    add, subtract, times, divide = ops
    if kind < 0.5:
        return add(a, b)
    if kind < 0.6:
        return subtract(a, b)
    return times(a, b) if kind < 0.8 else divide(a, rng.choice((1, 2, 3)))


_SYMBOLIC = (plus, lambda a, b: plus(a, negative(b)), product, quotient)
_PLAIN = (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, k: a // k)


@pytest.mark.parametrize("seed", range(300))
def test_formulas_are_arithmetic(seed: int) -> None:
    numbers = {"h": seed % 17, "u": seed % 5, "w": seed % 7}
    formula = _random(random.Random(seed), 4, lambda leaf: leaf, _SYMBOLIC)
    value = _random(random.Random(seed), 4, lambda leaf: numbers.get(leaf, leaf), _PLAIN)
    assert evaluate(formula, numbers) == value
    assert replace_sizes(formula, numbers) == value
    if isinstance(formula, str):  # what it reads as in Python is what it is, and it is in normal form
        assert eval(formula, {}, numbers) == value
        assert plus(formula, 0) == formula == product(formula, 1)


def test_equal_formulas_are_equal_strings() -> None:
    assert plus("a", "b") == plus("b", "a") == "a+b"
    assert product(plus("a", 1), "b") == plus(product("a", "b"), "b")
    assert quotient(plus(product(2, "n"), 5), 2) == plus("n", 2)
