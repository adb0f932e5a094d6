"""The corpus is what it says, and every string of it is exact on Python integers."""

from __future__ import annotations

import random

import numpy as np
import pytest

import einback as eb
from tests.oracles.compare import declare, is_exact
from tests.oracles.corpus import CASES, EMBEDDINGS, Case
from tests.oracles.loops import einsum, expand

_ENTRIES = 3  # entries of each operand whose derivative is checked


def test_the_corpus_is_large_and_distinct():
    assert len({case.spec.replace(" ", "") for case in CASES}) >= 300
    assert len({case.spec for case in EMBEDDINGS}) >= 50


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numpy_reads_the_string_as_the_loops_do(case: Case):
    rng = np.random.default_rng(0)
    operands = [rng.integers(-9, 10, shape) for shape in case.shapes]
    assert np.array_equal(np.einsum(case.spec, *operands), einsum(case.spec, *operands))


@pytest.mark.parametrize("case", [*CASES, *EMBEDDINGS], ids=str)
def test_values_and_gradients_are_exact_on_integers(case: Case):
    """The weighted sum of the result is linear in every operand, so a difference is a derivative, exactly."""
    rng = random.Random(case.spec)
    tensors, y = declare(case)
    w = eb.tensor("w" + str(list(y.shape)).replace("'", ""))
    step = eb.compile({"y": y, "grads": eb.grad(eb.sum(w * y), tensors)})

    arrays = [integers(rng, shape) for shape in case.shapes]
    value = einsum(case.spec, *arrays)
    weights = integers(rng, value.shape)
    found = step({t.name: a for t, a in zip(tensors, arrays, strict=True)} | {"w": weights})

    assert is_exact(found["y"], value)
    base = np.sum(weights * value)
    for k, gradient in enumerate(found["grads"]):
        assert np.shape(gradient) == case.shapes[k]
        for index in rng.sample(list(np.ndindex(case.shapes[k])), min(_ENTRIES, arrays[k].size)):
            moved = arrays[k].copy()
            moved[index] += 1
            moved_value = einsum(case.spec, *arrays[:k], moved, *arrays[k + 1 :])
            assert is_exact(np.asarray(gradient, dtype=object)[index], np.sum(weights * moved_value) - base)


def integers(rng: random.Random, shape: tuple[int, ...]) -> np.ndarray:
    """Python integers so large that a product of four of them leaves the range of float64 and of int64."""
    flat = [rng.randint(-(10**6), 10**6) for _ in range(int(np.prod(shape)))]
    return np.array(flat, dtype=object).reshape(shape)


def test_the_loops_know_implicit_outputs_and_ellipses():
    assert expand("ba", [2]) == ([("b", "a")], ("a", "b"))
    assert expand("a...b,b...", [3, 3]) == ([("a", -1, "b"), ("b", -2, -1)], (-2, -1, "a"))
