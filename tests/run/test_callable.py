"""The compiled program as its callers meet it."""

import sys
import threading
import tracemalloc

import numpy as np
import pytest

from einback.errors import ArrayError, CompileError
from einback.ir.build import add, broadcast, const, einsum, fill, ones, scale, size_of
from einback.ir.nodes import Input, Map
from einback.run import pool
from einback.run.callable import Compiled
from tests.interpreter import evaluate
from tests.run.models import INPUTS, V, W, X, batch, network, step

x, y = Input("x", ("n",), ()), Input("y", ("n",), ())


def test_results_in_the_structure_asked_for() -> None:
    arrays = batch()
    result = step()(**arrays)
    nodes = network()
    loss, dW, db, dV = evaluate([nodes[k] for k in ("loss", "dW", "db", "dV")], arrays)
    assert list(result) == ["loss", "grads"]
    assert isinstance(result["loss"], np.float64)
    np.testing.assert_allclose(result["loss"], loss)
    for name, want in (("W", dW), ("b", db), ("V", dV)):
        np.testing.assert_allclose(result["grads"][name], want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("structure", [[1, 0], (0, (1,)), {"a": [0], ("b", 2): (1,)}, [{"k": 1}, 0]])
def test_structures(structure: object) -> None:
    program = Compiled([scale(x, 2), scale(x, 3)], [x], structure=structure)
    text = str(program(x=np.ones(1)))
    assert text.replace("array([2.])", "0").replace("array([3.])", "1") == str(structure)


def test_a_dict_of_arrays_is_taken_too() -> None:
    program = step()
    arrays = batch()
    assert program(arrays)["loss"] == program(**arrays)["loss"]
    W_only = arrays.pop("W")
    assert program(arrays, W=W_only)["loss"] == program(**batch())["loss"]


def test_gradients_have_the_dtype_of_their_operand() -> None:
    arrays = batch()
    arrays["W"] = arrays["W"].astype(np.float32)
    grads = step()(arrays)["grads"]
    assert [grads[name].dtype for name in "WbV"] == [np.float32, np.float64, np.float64]


def test_complex_results_for_a_real_operand_are_real() -> None:
    z = Input("z", ("n",), ())
    program = Compiled([einsum([x, z], ["n", "n"], "n")], [x, z], likes=[x])
    np.testing.assert_array_equal(program(x=np.ones(2), z=np.array([1 + 2j, 3j])), [1.0, 0.0])


def test_new_shapes_and_dtypes_are_met_as_they_come() -> None:
    program = Compiled([einsum([x, y], ["n", "n"], "")], [x, y])
    for n in (3, 0, 5, 3):
        assert program(x=np.ones(n), y=np.ones(n)) == n
    assert program(x=np.ones(2, np.float32), y=np.ones(2, np.float32)).dtype == np.float32
    for n in range(200):
        assert program(x=np.ones(n), y=np.ones(n)) == n


def test_scalars_lists_and_bools_are_converted() -> None:
    s = Input("s", (), ())
    program = Compiled([einsum([s, x], ["", "n"], "n")], [s, x])
    np.testing.assert_array_equal(program(s=2, x=[1, 2]), [2, 4])
    np.testing.assert_array_equal(program(s=True, x=[True, False]), [1, 0])
    assert program(s=2.5, x=np.ones(2, np.float32)).dtype == np.float32
    assert program(s=np.float64(2.5), x=np.ones(2, np.float32)).dtype == np.float64


def test_inputs_and_results_share_nothing() -> None:
    square, n = Input("A", ("n", "n"), ()), 3
    roots = [square, square, einsum([square], ["ij"], "ji"), einsum([square], ["ii"], "i"),
             broadcast(x, ("n", "m"), [0]), Map("relu", (x,)), Map("relu", (x,)), x]  # fmt: skip
    program = Compiled(roots, [square, x], structure=list(range(len(roots))))
    arrays = {"A": np.arange(9.0).reshape(n, n), "x": np.arange(3.0)}
    results = program(arrays, m=2)
    for k, result in enumerate(results):
        assert not any(np.shares_memory(result, other) for other in [*arrays.values(), *results[:k]])
        result[...] = -1
    np.testing.assert_array_equal(arrays["A"], np.arange(9.0).reshape(n, n))


def test_results_that_no_array_enters() -> None:
    program = Compiled([ones(("n", 2)), fill((2,), 0.5), size_of("n"), x], [x], structure=[0, 1, 2, 3])
    results = program(x=np.ones(3, np.float32))
    np.testing.assert_array_equal(results[0], np.ones((3, 2)))
    assert [result.dtype for result in results] == [np.float32] * 4
    assert results[2] == 3
    assert isinstance(results[2], np.float32)


def test_only_arrays_that_are_read_are_needed() -> None:
    program = Compiled([scale(x, 2)], [x, y])
    np.testing.assert_array_equal(program(x=np.ones(2)), [2, 2])
    with pytest.raises(ArrayError) as error:
        program(x=np.ones(2), y=np.ones(3))
    assert str(error.value) == "axis 0 of y is 3, but n is 2 by axis 0 of x"


def test_sizes_that_no_array_fixes_are_passed_by_keyword() -> None:
    program = Compiled([broadcast(x, ("m", "n"), [1])], [x])
    assert program(x=np.ones(2), m=3).shape == (3, 2)
    with pytest.raises(ArrayError) as error:
        program(x=np.ones(2))
    assert str(error.value) == "no array fixes the size m\npass it by keyword, as in m=10"


def test_sizes_that_meet_must_agree() -> None:
    z = Input("z", ("m",), ())
    program = Compiled([add([x, z])], [x, z])
    with pytest.raises(ArrayError) as error:
        program(x=np.ones(3), z=np.ones(1))
    assert str(error.value) == "axis 0 of z is 1, but its size m equals n, which is 3 by axis 0 of x"


def test_a_structure_that_does_not_fit() -> None:
    with pytest.raises(CompileError) as error:
        Compiled([x, y], [x, y], structure=[0, 0])
    assert str(error.value) == "a structure of results [0, 0] for 2 nodes"


def test_many_threads() -> None:
    """Each with its own arrays, shapes among them that nobody has met before."""
    program = Compiled([scale(add([einsum([x, x], ["i", "j"], "ij")]), 2)], [x])
    faults: list[object] = []

    def work(seed: int) -> None:
        for k in range(50):
            values = np.full(1 + (seed + k) % 7, float(seed))
            result = program(x=values)
            if result.shape != (values.size, values.size) or not (result == 2 * seed**2).all():
                faults.append((seed, k))

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert not faults


def test_the_plan_of_the_latest_call_or_of_sizes() -> None:
    program = step()
    with pytest.raises(ArrayError, match="no array fixes the size n"):
        program.plan()
    planned = program.plan(n=64, d=64, h=128, c=10)
    assert planned.forward_flops < planned.flops < 3.5 * planned.forward_flops
    assert str(planned).splitlines()[3].startswith("step ")
    program(batch())
    assert program.plan().sizes == {"n": 6, "d": 4, "c": 3, "h": 5}
    assert program.plan(X=(9, 4), h=5, c=3).sizes["n"] == 9
    assert "X  9 × 4, float64" in program.source(X=(9, 4), h=5, c=3)
    assert "X  6 × 4, float32" in program.source(batch(dtype="f4"))


def test_no_sizes_are_needed_where_all_are_declared() -> None:
    fixed = Input("T", (2, 3), ())
    assert "T  2 × 3, float64" in Compiled([scale(fixed, 2)], [fixed]).source()


def test_it_prints_as_what_it_takes() -> None:
    assert repr(step()) == "<compiled program of X[n,d], Y[n,c], W[d,h], b[h], V[h,c]: 4 results>"
    assert step().inputs == INPUTS
    assert {X, W, V} <= set(INPUTS)


def test_deep_programs_run() -> None:
    node = x
    for k in range(10_000):
        node = Map("sin", (node,)) if k % 2 else add([node, x])
    assert np.isfinite(Compiled([node], [x])(x=np.ones(2))).all()


def test_the_plan_tells_the_peak_of_memory() -> None:
    A = Input("A", ("n", "n"), ())
    node = A
    for k in range(6):
        node = add([node, Map("exp", (node,))])
        node = Map("tanh", (einsum([node, A], ["ij", "jk"], "ik"),))
        node = einsum([node, Map("greater", (A, const(0)))], ["ij", "ij"], "ij") if k == 3 else node
    program, arrays = Compiled([node], [A]), {"A": np.full((400, 400), 0.01)}
    program.plan(arrays)
    tracemalloc.start()
    try:
        program(arrays)
        whole = tracemalloc.get_traced_memory()[1]
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        program(arrays)
        again = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    planned = program.plan().peak_bytes
    assert planned < 3.2 * 8 * 400 * 400  # two arrays in the workspace, and the result
    assert abs(whole - planned) < 0.1 * planned
    assert again < 1.05 * 8 * 400 * 400  # a later call makes nothing but the result


def test_an_array_overwritten_in_another_layout_is_still_given_in_order() -> None:
    A, B, C = (Input(name, sizes, ()) for name, sizes in (("A", ("n", "m")), ("B", ("m", "k")), ("C", ("k", "n"))))
    other = Map("tanh", (einsum([B, C], ["mk", "kn"], "mn"),))
    turned = add([einsum([Map("exp", (A,))], ["nm"], "mn"), broadcast(x, ("m", "n"), [1])])
    program = Compiled([einsum([turned, other], ["mn", "mn"], "mn"), other], [A, B, C, x], structure=[0, 1])
    for result in program(A=np.ones((2, 3)), B=np.ones((3, 4)), C=np.ones((4, 2)), x=np.ones(2)):
        assert result.flags.c_contiguous


def test_large_results_are_given_out_again_only_when_nobody_holds_them() -> None:
    A = Input("A", ("n", "n"), ())
    program = Compiled([einsum([A, A], ["ij", "jk"], "ik")], [A])
    arrays = {"A": np.random.default_rng(0).normal(size=(200, 200))}
    want = arrays["A"] @ arrays["A"]
    place = program(arrays).ctypes.data
    assert program(arrays).ctypes.data == place  # the first was dropped
    held = [program(arrays) for _ in range(5)]
    assert len({array.ctypes.data for array in held}) == 5
    row = held[0][3]
    seen = memoryview(held[1])
    del held
    for _ in range(5):
        again = program({"A": 2 * arrays["A"]})
        np.testing.assert_allclose(again, 4 * want)
    np.testing.assert_allclose(row, want[3])  # a view keeps its array
    np.testing.assert_allclose(np.asarray(seen), want)
    changed = program(arrays)
    changed.flags.writeable = False
    del changed, again
    np.testing.assert_allclose(program(arrays), want)


def test_idle_workspaces_are_given_back_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    A = Input("A", ("n", "n"), ())
    arrays = {"A": np.ones((200, 200))}  # 320,000 bytes

    def program(k: int) -> Compiled:
        return Compiled([einsum([Map("exp", (scale(A, k),)), A], ["ij", "jk"], "ik")], [A])

    monkeypatch.setattr(pool, "KEPT_BYTES", 3_500_000)
    programs = [program(k) for k in range(1, 8)]
    for one in programs:
        one(arrays)
    kept = [len(next(iter(one._made.values())).steps._idle) for one in programs]
    assert kept[-1] == 1
    assert 1 <= sum(kept) < len(programs)
    for k, one in enumerate(programs, 1):
        np.testing.assert_allclose(one(arrays), np.full((200, 200), 200 * np.exp(k)))
