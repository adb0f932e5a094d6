"""Programs under a limit of memory: what is allocated is measured, and results are those without a limit."""

import re
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.run.report import SlicedPlan
from tests.run.limited_programs import PROGRAMS, Built

CAPS = (0.8, 0.4, 0.15, 0.05)

X, W = eb.tensors("X[n,d] W[d,h]")
LOSS = eb.sum(eb.tanh(X @ W) ** 2)
ARRAYS = {"X": np.random.default_rng(0).normal(size=(1000, 20)), "W": np.random.default_rng(1).normal(size=(20, 50))}


def allocated(run: Callable[[], Any]) -> int:
    """The most bytes that a call allocates; NumPy reports its arrays to tracemalloc."""
    run()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def leaves(results: Any) -> Iterator[Any]:
    if isinstance(results, dict):
        results = list(results.values())
    if isinstance(results, list):
        for part in results:
            yield from leaves(part)
    else:
        yield results


def agree(results: Any, expected: Any) -> None:
    for result, want in zip(leaves(results), leaves(expected), strict=True):
        assert np.shape(result) == np.shape(want)
        assert np.asarray(result).dtype == np.asarray(want).dtype
        np.testing.assert_allclose(result, want, 1e-9, 1e-10 * max(1.0, np.abs(want).max(initial=0)))


def smallest(error: eb.CompileError) -> int:
    found = re.search(r"the smallest limit that works for these arrays is ([\d,]+)", str(error))
    assert found
    return int(found[1].replace(",", ""))


def held(built: Built, limit: int, threads: int | None, expected: Any) -> SlicedPlan:
    outputs, arrays = built
    fn = eb.compile(outputs, memory_limit=limit, threads=threads)
    agree(fn(arrays), expected)
    plan = fn.plan()
    assert isinstance(plan, SlicedPlan)
    assert plan.peak_bytes <= limit
    assert allocated(lambda: fn(arrays)) <= 1.1 * limit
    return plan


@pytest.mark.parametrize("threads", [None, 2])
@pytest.mark.parametrize("build", PROGRAMS.values(), ids=PROGRAMS)
def test_the_limit_holds(build: Callable[[], Built], threads: int | None) -> None:
    built = build()
    outputs, arrays = built
    whole = eb.compile(outputs)
    expected, needed = whole(arrays), allocated(lambda: whole(arrays))
    sliced = 0
    for cap in CAPS:
        try:
            plan = held(built, int(cap * needed), threads, expected)
            sliced += len(plan.phases) > 1 or plan.phases[0].slices > 1
        except eb.CompileError as error:  # what it says would do does, and a byte less does not
            plan = held(built, smallest(error), threads, expected)
            sliced += len(plan.phases) > 1 or plan.phases[0].slices > 1
            with pytest.raises(eb.CompileError):
                eb.compile(outputs, memory_limit=smallest(error) - 1, threads=threads)(arrays)
            break
    assert sliced
