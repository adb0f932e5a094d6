"""Programs cut over an index: random ones against the interpreter, however they are cut, and small ones by hand."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from einback.ir.build import einsum
from einback.ir.nodes import Input, Node
from einback.ir.walk import children, postorder
from einback.plan.binding import bind
from einback.plan.dtypes import result_dtypes
from einback.plan.phases import Phase, Straight, split
from einback.plan.slices import seeds
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
            orders={},
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
