"""Programs cut over an index: random ones against the interpreter, however they are cut, and small ones by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from einback.ir.build import add, broadcast, einsum, total
from einback.ir.nodes import Delta, Einsum, Input, Map, Matrix, Node, Reduce
from einback.ir.walk import children, postorder
from einback.plan.binding import bind
from einback.plan.dtypes import result_dtypes
from einback.plan.handing import kept
from einback.plan.phases import Loop, Phase, Straight, split
from einback.plan.slices import classify, joined, needs, seeds
from einback.run.callable import Compiled, einsum_describe
from einback.run.limited import Wording, aimed
from einback.run.sliced import Layout, drive
from tests.interpreter import evaluate
from tests.run.random_programs import arrays_for, programs
from tests.run.test_programs import check

X, Y, W = Input("X", ("n", "d"), ()), Input("Y", ("n", "c"), ()), Input("W", ("d", "c"), ())
Z = einsum([X, W], ["nd", "dc"], "nc")


class Cut:
    """A program that is cut step by step, where the test says."""

    def __init__(self, roots: Any, inputs: Any, sizes: dict[str, int], arrays: dict[str, np.ndarray]) -> None:
        dtypes = {name: array.dtype for name, array in arrays.items()}
        self.arrays, self.sizes = arrays, bind(inputs, {k: v.shape for k, v in arrays.items()}, given=sizes)
        wanted = result_dtypes(roots, dtypes, self.sizes)
        whole, self.target = aimed(
            roots,
            inputs,
            wanted,
            sizes=self.sizes,
            dtypes=dtypes,
            strides={},
            structure=list(range(len(roots))),
            threads=1,
            wording=Wording({}, {}, einsum_describe),
        )
        self.phases: tuple[Phase, ...] = (whole,)

    def starts(self, k: int) -> list[tuple[Node, int]]:
        phase = self.phases[k]
        if not isinstance(phase, Straight):
            return []
        return [(node, label) for node in postorder(phase.roots) if not isinstance(node, Input) and children(node)
                for label in seeds(node)]  # fmt: skip

    def cut(self, k: int, start: tuple[Node, int], rate: float = np.inf) -> bool:
        phase = self.phases[k]
        assert isinstance(phase, Straight)
        names = {*self.arrays, *(n for p in self.phases for n in (p.makes if isinstance(p, Straight) else
                                                                  (m.name for m in p.makes)))}  # fmt: skip
        made = split(phase, dict([start]), sizes=self.sizes, taken=names, rate=rate, real=self.target.real)
        if made:
            self.phases = (*self.phases[:k], *made, *self.phases[k + 1 :])
        return bool(made)

    def run(self, length: int, threads: int = 1) -> Any:
        layout = Layout(self.phases, tuple(length for _ in self.phases), threads)
        target = self.target
        driver = drive(layout, target.parts, target.inputs, target.structure, target.results)
        namespace: dict[str, Any] = {}
        exec(compile(driver.source, "<cut>", "exec"), namespace)
        return namespace["step"](*(self.arrays[name] for name in driver.reads))


@given(st.data())
@settings(max_examples=150)
def test_random_programs_cut_anywhere(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 2**32)))
    program = Cut(roots, inputs, sizes, arrays)
    for _ in range(data.draw(st.integers(1, 3))):
        options = [(k, start) for k in range(len(program.phases)) for start in program.starts(k)]
        if options:
            k, start = data.draw(st.sampled_from(options))
            program.cut(k, start, data.draw(st.sampled_from([np.inf, 0.0, 4.0])))
    results = program.run(data.draw(st.integers(1, 3)))
    check(results, evaluate(roots, arrays, sizes), 1e-7)
    assert [np.asarray(r).dtype for r in results] == [np.asarray(r).dtype for r in Compiled(
        roots, inputs, structure=list(range(len(roots))))(arrays, **sizes)]  # fmt: skip
    for j, result in enumerate(results):
        assert not any(np.shares_memory(result, other) for other in [*arrays.values(), *results[:j]])


@given(st.data())
@settings(max_examples=100)
def test_integers_are_exact(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs(exact=True))
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 2**32)), exact=True)
    program = Cut(roots, inputs, sizes, arrays)
    options = program.starts(0)
    if options and program.cut(0, data.draw(st.sampled_from(options)), data.draw(st.sampled_from([np.inf, 0.0]))):
        for result, want in zip(program.run(data.draw(st.integers(1, 2))), evaluate(roots, arrays, sizes), strict=True):
            if np.abs(want).max(initial=0) < 2**53:
                np.testing.assert_array_equal(result, want)


# by hand


def how(roots: list[Node], start: dict[Node, int]) -> dict[Node, str]:
    return {node: role.how for node, role in classify(roots, start).items()}


def test_sums_are_combined_and_what_reads_them_comes_after() -> None:
    H = Map("tanh", (Z,))
    column, G = total(H, [0]), einsum([X, H], ["nd", "nc"], "dc")
    scaled = Map("exp", (column,))
    largest, rows = Reduce("max", H, (0,)), Reduce("logsumexp", H, (1,))
    centred = add([H, broadcast(column, ("n", "c"), [1])], [1, -1])
    assert how([G, scaled, largest, rows, centred], {Z: 0}) == {
        Z: "inside",
        H: "inside",
        G: "add",
        column: "add",
        scaled: "after",
        largest: "max",
        rows: "inside",
        broadcast(column, ("n", "c"), [1]): "after",
        centred: "after",
    }


def test_a_second_occurrence_of_the_index_needs_the_whole() -> None:
    H = Map("tanh", (X,))
    gram = einsum([H, H], ["id", "jd"], "ij")
    assert how([gram], {H: 0}) == {H: "inside", gram: "after"}
    assert how([gram], {gram: 0}) == {gram: "inside"}  # rows of it are products with all of H
    wanted = needs(joined([gram], {gram: 0}))
    assert list(wanted.whole) == [H]
    assert list(wanted.sliced) == [(H, (0,)), (X, (0,))]


def test_sides_of_matrices_and_identities_are_not_cut() -> None:
    A = Input("A", ("b", "n", "n"), ())
    S = Map("exp", (A,))
    inverse = Matrix("inv", S, 2)
    assert how([inverse], {S: 0}) == {S: "inside", inverse: "inside"}
    assert how([inverse], {S: 1}) == {S: "inside", inverse: "after"}
    x = Input("x", ("n",), ())
    diagonal = einsum([Map("exp", (x,))], ["n"], "nn")
    assert how([diagonal], {Map("exp", (x,)): 0})[diagonal] == "after"
    assert 0 not in list(seeds(Einsum((x, Delta("n")), ((0,), (0, 1)), (0, 1))))


def test_readers_of_what_is_sliced_anyway_join_in() -> None:
    one, other = total(Map("exp", (X,)), [0, 1]), total(Map("sin", (X,)), [0, 1])
    assert other not in classify([one, other], {Map("exp", (X,)): 0})
    assert joined([one, other], {Map("exp", (X,)): 0})[other].how == "add"


def combined(rate: float) -> list[str]:
    """How the first loop over a tensor less its mean gives its results."""
    x, w = Input("X", (100, 8), ()), Input("W", (8, 4), ())
    product = einsum([x, w], ["nd", "dc"], "nc")
    h = Map("tanh", (product,))
    centred = add([h, broadcast(total(h, [0]), (100, 4), [1])], [1, -1])
    made = split(Straight((centred,), ("r",)), {product: 0}, sizes={}, taken=("X", "W"), rate=rate)
    return [each.how for phase in made if isinstance(phase, Loop) for each in phase.makes]


def test_what_later_parts_need_is_kept_or_computed_again() -> None:
    assert combined(np.inf) == ["add"]
    assert combined(0) == ["inside", "add"]


def test_the_cheapest_cut() -> None:
    x = Input("x", ("n",), ())
    small = Map("exp", (x,))
    large = Map("sin", (small,))
    price, work = {small: 10, large: 1000}, {small: 10_000.0, large: 1.0}
    assert kept([large], [small, large], [], price.__getitem__, work.__getitem__) == {small}
    assert kept([large], [small, large], [], price.__getitem__, lambda node: 1.0) == set()
    assert kept([large], [large], [], price.__getitem__, lambda node: 1e9) == {large}


def test_the_largest_entry_is_combined_and_then_made_finite() -> None:
    """Infinite logits at some samples: softmax over the samples, cut over these."""
    x = Input("x", ("n", "c"), ())
    level = Reduce("logsumexp", x, (0,))
    soft = Map("exp", (add([x, broadcast(level, ("n", "c"), [1])], [1, -1]),))
    arrays = {"x": np.array([[1.0, -np.inf], [np.inf, -np.inf], [3.0, 1.0]])}
    for root in (soft, level):
        program = Cut((root,), [x], {}, arrays)
        assert any(program.cut(0, start) for start in program.starts(0))
        whole = Compiled((root,), [x])(arrays)
        for length in (1, 2):
            np.testing.assert_array_equal(np.asarray(program.run(length)[0]), whole)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    H = Map("tanh", (Z,))
    rng = np.random.default_rng(0)
    arrays = {"X": rng.normal(size=(1000, 7)), "W": rng.normal(size=(7, 5))}
    program = Cut((einsum([X, H], ["nd", "nc"], "dc"), H), [X, W], {}, arrays)
    assert any(program.cut(0, start) for start in program.starts(0) if start[1] == 0)
    product, rows = program.run(64)
    for threads in (2, 3):
        for _ in range(5):
            found = program.run(64, threads)
            np.testing.assert_array_equal(found[0], product)
            np.testing.assert_array_equal(found[1], rows)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_keep_the_facts_that_hold_for_them(axis: int):
    """Rows are whole in slices over other axes; matrices are where none of their two axes is cut."""
    rows = Input("rows", ("b", "n", "n"), ("positive", "stochastic"))
    turned = Input("turned", ("b", "n", "n"), ("symmetric",))
    root = einsum([Map("exp", (Map("power", (rows, turned)),))], ["bij"], "b")
    rng = np.random.default_rng(0)
    drawn = rng.uniform(0.5, 1, (4, 6, 6))
    arrays = {"rows": drawn / drawn.sum(-1, keepdims=True), "turned": drawn + drawn.swapaxes(1, 2)}
    case = Cut([root], [rows, turned], {}, arrays)
    start = next((node, label) for node, label in case.starts(0) if isinstance(node, Map) and label == axis)
    assert case.cut(0, start)
    facts = {take.source: take.tensor.facts for phase in case.phases if isinstance(phase, Loop) for take in phase.takes}
    assert facts == {
        "rows": ("positive", "stochastic") if axis < 2 else ("positive",),
        "turned": ("symmetric",) if axis == 0 else (),
    }
    np.testing.assert_allclose(case.run(2)[0], np.exp(arrays["rows"] ** arrays["turned"]).sum((1, 2)), rtol=1e-12)
