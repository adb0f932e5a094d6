"""Programs under a limit of memory: what is allocated is measured, and results are those without a limit."""

import pickle
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.run.report import SlicedPlan
from tests.run.limited_programs import PROGRAMS, Built

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


@pytest.mark.parametrize(("cap", "threads"), [(0.6, None), (0.2, None), (0.3, 2)])
@pytest.mark.parametrize("build", PROGRAMS.values(), ids=PROGRAMS)
def test_the_limit_holds(build: Callable[[], Built], cap: float, threads: int | None) -> None:
    built = build()
    whole = eb.compile(built[0])
    expected, needed = whole(built[1]), allocated(lambda: whole(built[1]))
    try:
        plan = held(built, int(cap * needed), threads, expected)
    except eb.CompileError as error:  # what it says would do does
        plan = held(built, smallest(error), threads, expected)
    assert any(phase.slices > 1 for phase in plan.phases)


# How little each program gets by with, as a part of what it needs without a limit; the results are counted.
SMALLEST = {
    "network": 0.03, "gelu_network": 0.01, "forward": 0.06, "logistic_hessian": 0.03, "attention": 0.15,
    "causal_attention": 0.06, "layer_norm": 0.01, "batch_norm": 0.04, "softmax_over_samples": 0.35,
    "masked_factorisation": 0.05, "embedding": 0.12, "sample_gradients": 0.95, "kernel": 0.02, "convolution": 0.06,
    "gaussian_process": 0.55, "newton": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_smallest_limit_works(name: str) -> None:
    outputs, arrays = PROGRAMS[name]()
    whole = eb.compile(outputs)
    expected, needed = whole(arrays), whole.plan().peak_bytes
    with pytest.raises(eb.CompileError) as refused:
        eb.compile(outputs, memory_limit=1)(arrays)
    limit = smallest(refused.value)
    assert limit <= SMALLEST[name] * needed
    held((outputs, arrays), limit, None, expected)


@pytest.mark.parametrize("name", ["logistic_hessian", "layer_norm", "masked_factorisation", "newton", "attention"])
def test_arrays_in_other_orders(name: str) -> None:
    """The same function, first called with arrays in C order, then with others that need more copies."""
    outputs, arrays = PROGRAMS[name]()
    whole = eb.compile(outputs)
    expected, needed = whole(arrays), whole.plan().peak_bytes
    limit = int(0.3 * needed)
    fn = eb.compile(outputs, memory_limit=limit)
    for order in (np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2]):
        given = {key: order(array) for key, array in arrays.items()}
        agree(fn(given), expected)
        assert allocated(lambda given=given: fn(given)) <= 1.1 * limit


def test_nothing_is_allocated_before_it_is_refused() -> None:
    x = eb.tensor("x[n]")
    outer = eb.einsum("i,j->ij", eb.exp(x), x)
    fn = eb.compile(outer, memory_limit=10**9)
    with pytest.raises(eb.CompileError, match="memory_limit is 1,000,000,000"):
        fn(x=np.ones(10**6))  # 8 TB


def test_the_error_names_the_step_and_the_smallest_limit() -> None:
    fn = eb.compile(eb.grad(LOSS, W), memory_limit=10_000)
    with pytest.raises(eb.CompileError) as error:
        fn(ARRAYS)
    words = re.sub(r"(bytes|is) (\d{2,3},\d{3})\b|\b\d{3},\d{3} bytes", r"\1 …", str(error.value))
    assert words == (
        "dW[d,h] = 2 X[n,d] H1[n,h] (1 - H1[n,h]²) takes the program to  …, and memory_limit is …\n"
        "the smallest limit that works for these arrays is …, in slices over an axis of 1,000"
    )
    assert smallest(error.value) < 30_000


@pytest.mark.parametrize("threads", [None, 1, 2, 3])
def test_results_are_the_same_bit_for_bit(threads: int | None) -> None:
    fn = eb.compile([LOSS, *eb.grad(LOSS, [X, W])], memory_limit=400_000, threads=threads)
    first = fn(ARRAYS)
    for _ in range(10):
        for one, other in zip(first, fn(ARRAYS), strict=True):
            np.testing.assert_array_equal(one, other)


def test_threads_without_a_limit() -> None:
    p = eb.program("y[n,c] = tanh(exp(x[n,c]) + x[n,c]) a[c]")
    value = eb.sum(p["y"] ** 2)
    outputs = [value, *eb.grad(value, [p["x"], p["a"]])]
    arrays = {"x": np.random.default_rng(0).normal(size=(4000, 128)), "a": np.linspace(1, 2, 128)}
    fn = eb.compile(outputs, threads=2)
    for _ in range(3):
        agree(fn(arrays), eb.evaluate(outputs, **arrays))
    plan = fn.plan()
    assert isinstance(plan, SlicedPlan)
    assert [phase.slices >= 2 for phase in plan.phases if phase.length] == [True]
    assert "2 threads" in str(plan)
    again = [fn(arrays) for _ in range(5)]
    assert all(np.array_equal(one, other) for results in again for one, other in zip(results, again[0], strict=True))
    space: dict[str, Any] = {}
    exec(fn.source(), space)
    agree(space["step"](**arrays), again[0])


def test_large_products_that_are_made_a_few_rows_at_a_time() -> None:
    """Such a loop writes its matrix products into slices of what it makes."""
    X, w = eb.tensors("X[n,d] w[d]")
    arrays = {"X": np.random.default_rng(0).normal(size=(70_000, 64)), "w": np.linspace(1, 2, 64)}
    expected = np.exp(arrays["X"]) @ arrays["w"]
    for keywords in ({"threads": 2}, {"memory_limit": 60_000_000}):
        np.testing.assert_allclose(eb.compile(eb.exp(X) @ w, **keywords)(arrays), expected, rtol=1e-12)


def test_little_work_is_left_to_one_thread() -> None:
    fn = eb.compile([LOSS, *eb.grad(LOSS, [X, W])], threads=2)
    agree(fn(ARRAYS), eb.evaluate([LOSS, *eb.grad(LOSS, [X, W])], **ARRAYS))
    assert not isinstance(fn.plan(), SlicedPlan)


def test_a_program_that_fits_is_not_cut() -> None:
    fn = eb.compile([LOSS, *eb.grad(LOSS, [X, W])], memory_limit=10**9)
    agree(fn(ARRAYS), eb.evaluate([LOSS, *eb.grad(LOSS, [X, W])], **ARRAYS))
    plan = fn.plan()
    assert isinstance(plan, SlicedPlan)
    assert [phase.length for phase in plan.phases] == [0]


def test_the_plan_reports_the_slices() -> None:
    fn = eb.compile(eb.grad(LOSS, W), memory_limit=100_000)
    fn(ARRAYS)
    plan = fn.plan()
    assert isinstance(plan, SlicedPlan)
    assert str(plan).splitlines()[0] == "2 phases, 4,201,000 flops"
    assert plan.phases[0].index == "n"
    assert plan.phases[0].entries == 1000
    assert plan.peak_bytes <= 100_000
    assert plan.input_bytes == 8 * (20_000 + 1000)


@pytest.mark.parametrize("threads", [None, 2])
def test_the_source_stands_alone(threads: int | None, tmp_path: Path) -> None:
    fn = eb.compile({"loss": LOSS, "grads": eb.grad(LOSS, [X, W])}, memory_limit=400_000, threads=threads)
    expected = fn(ARRAYS)
    (tmp_path / "generated.py").write_text(fn.source(), encoding="utf-8")
    np.savez(tmp_path / "arrays.npz", **ARRAYS)
    code = (
        "import sys, numpy as np, generated\n"
        "found = generated.step(**np.load('arrays.npz'))\n"
        "assert 'einback' not in sys.modules\n"
        "np.savez('found.npz', loss=found['loss'], X=found['grads'][0], W=found['grads'][1])\n"
        "try:\n    generated.step(X=np.ones((3, 3)), W=np.ones((3, 3)))\n"
        "except ValueError as error:\n    assert 'was written for shapes' in str(error)\n"
        "else:\n    raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    found = np.load(tmp_path / "found.npz")
    np.testing.assert_array_equal(found["loss"], expected["loss"])
    np.testing.assert_array_equal(found["X"], expected["grads"][0])
    np.testing.assert_array_equal(found["W"], expected["grads"][1])


def test_single_and_half_precision() -> None:
    x = eb.tensor("x[n,d]")
    outputs = [eb.sum(eb.exp(x), axis="n"), eb.sum(eb.tanh(x), axis="d")]
    for dtype in (np.float32, np.float16):
        arrays = {"x": np.random.default_rng(0).normal(size=(4000, 10)).astype(dtype)}
        fn = eb.compile(outputs, memory_limit=50_000)
        sums, values = fn(arrays)
        assert sums.dtype == values.dtype == dtype
        exact = np.exp(arrays["x"].astype(float)).sum(axis=0)
        np.testing.assert_allclose(sums, exact, 2e-3)  # 16-bit parts of a sum are added up in 32 bits
        assert any(phase.slices > 1 for phase in fn.plan(arrays).phases)


def test_norms_that_are_zero() -> None:
    """The derivative of a norm is 0 at 0 wherever the program is cut."""
    x = eb.tensor("x[n,d]")
    loss = eb.sum(eb.sqrt(eb.sum(x**2, axis="n")))
    arrays = {"x": np.zeros((3000, 6))}
    np.testing.assert_array_equal(eb.compile(eb.grad(loss, x), memory_limit=160_000)(arrays), arrays["x"])


def test_indices_outside_of_their_axis_are_refused() -> None:
    E, ids = eb.tensors("E[v,d]")[0], eb.tensor("ids[n]", integer=True)
    fn = eb.compile(eb.sum(eb.exp(E[ids]) ** 2), memory_limit=100_000)
    with pytest.raises(eb.ArrayError, match="is 50, and the axis that it points into has 50 entries"):
        fn(E=np.ones((50, 8)), ids=np.full(3000, 50))


def test_one_index_that_is_written_twice() -> None:
    x, y = eb.tensors("x[n] y[n]")
    D = eb.einsum("i->ii", eb.exp(x) * y)
    arrays = {"x": np.arange(200) / 100, "y": np.ones(200)}
    np.testing.assert_allclose(eb.compile(D, memory_limit=340_000)(arrays), np.diag(np.exp(arrays["x"])))


def test_pickles_keep_the_limit() -> None:
    fn = pickle.loads(pickle.dumps(eb.compile(eb.grad(LOSS, W), memory_limit=100_000)))
    fn(ARRAYS)
    assert fn.plan().peak_bytes <= 100_000


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"memory_limit": 0}, "memory_limit=0 is no number of bytes, as in 64 * 2**20"),
        ({"memory_limit": "64 MB"}, "memory_limit='64 MB' is no number of bytes, as in 64 * 2**20"),
        ({"threads": 0}, "threads=0 is no number of threads"),
        ({"threads": True}, "threads=True is no number of threads"),
        ({"threads": 2, "structured": True}, "threads is not supported for structured results\nleave threads out"),
    ],
)
def test_what_is_no_limit(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(eb.CompileError) as error:
        eb.compile(LOSS, **keywords)
    assert str(error.value) == message


def test_integers_of_any_length_have_no_limit() -> None:
    x = eb.tensor("x[n]")
    with pytest.raises(eb.CompileError, match="Python's integers take more"):
        eb.compile(eb.sum(x), memory_limit=10**6)(x=np.array([1, 2**70], dtype=object))
    assert eb.compile(eb.sum(x * x), threads=2)(x=np.array([1, 2**70], dtype=object)) == 1 + 2**140


A, D = eb.tensors("A[n,m] D[n,m]")
PLAIN = np.random.default_rng(0).normal(size=(1000, 1000))
LAYOUTS = {
    "rows apart": np.random.default_rng(1).normal(size=(2000, 1000))[::2],
    "columns apart": np.random.default_rng(1).normal(size=(1000, 2000))[:, ::2],
    "Fortran order": np.asfortranarray(PLAIN),
    "backwards": PLAIN[::-1],
    "repeated rows": np.broadcast_to(PLAIN[0], (1000, 1000)),
    "repeated columns": np.broadcast_to(PLAIN[:, :1], (1000, 1000)),
}


@pytest.mark.parametrize("array", LAYOUTS.values(), ids=LAYOUTS)
def test_the_limit_holds_however_arrays_lie_in_memory(array: np.ndarray) -> None:
    limit = 60_000
    dot = eb.compile(eb.einsum("nm,nm->", A, D), memory_limit=limit)
    sums = eb.compile(eb.sum(eb.exp(A), axis="n"), memory_limit=limit)
    np.testing.assert_allclose(dot(A=PLAIN, D=PLAIN), (PLAIN**2).sum(), rtol=1e-12)  # both are planned anew below
    np.testing.assert_allclose(dot(A=array, D=PLAIN), (array * PLAIN).sum(), rtol=1e-9)
    np.testing.assert_allclose(sums(A=array), np.exp(array).sum(axis=0), rtol=1e-12)
    assert allocated(lambda: dot(A=array, D=PLAIN)) <= 1.1 * limit
    assert allocated(lambda: sums(A=array)) <= 1.1 * limit


@pytest.mark.parametrize(
    "array",
    [
        np.frombuffer(bytes(8_000_001), np.uint8)[1:].view(float).reshape(1000, 1000),
        PLAIN.astype(PLAIN.dtype.newbyteorder()),
        PLAIN.tolist(),
    ],
    ids=["out of alignment", "bytes swapped", "a list"],
)
def test_what_would_be_copied_whole_is_refused_under_a_limit(array: object) -> None:
    total = eb.compile(eb.sum(A), memory_limit=60_000)
    message = "A has to be copied, 8,000,000 bytes that a memory_limit of 60,000 leaves no room for\npass an aligned"
    with pytest.raises(eb.ArrayError, match=message):
        total(A=array)
    eb.compile(eb.sum(A), memory_limit=80_000_000)(A=array)
