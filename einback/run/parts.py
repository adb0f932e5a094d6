"""The parts of a program in phases: each planned, lowered and written by itself.

A loop over slices has one part for slices of full length, and one for the last slice where that is shorter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from einback.ir.nodes import Input, Node
from einback.ir.walk import inputs_of
from einback.plan.binding import Sizes, resolve
from einback.plan.dtypes import DType, number_dtype
from einback.plan.phases import Loop, Phase
from einback.plan.plan import Plan, make_plan
from einback.run.lower import lower
from einback.run.source import Describe, Result, Text, write
from einback.run.wording import origins, wishes
from einback.run.workspace import settled

__all__ = ["Array", "Part", "Parts"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """What is known of an array; `strides` say nothing where it is in C order."""

    shape: Shape
    dtype: DType
    strides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A function of arrays that gives a tuple of arrays: its plan, its text, and the inputs that it takes in order."""

    plan: Plan
    text: Text
    reads: tuple[Input, ...]
    makes: tuple[Array, ...]
    may_warn: bool
    prepare: str = ""  # the function that makes the part and the memory that it works in, if that is planned


@dataclass(frozen=True, slots=True)
class Parts:
    """Writes the parts of one program, each once; `wanted` are the dtypes of its results by name."""

    sizes: Sizes
    wanted: Mapping[str, DType]
    names: Mapping[Node, str]
    letters: Mapping[Node, str]
    describe: Describe
    planned: bool = False  # whether parts have workspaces, so that only one thread may run one at a time
    described: bool = False  # whether the text has formulas, which only people read
    _made: dict[object, Part] = field(default_factory=dict)

    def part(self, phase: Phase, arrays: Mapping[str, Array], function: str, length: int = 0) -> Part:
        """The function of a phase; of a loop, that for slices of some length."""
        dtypes = tuple(arrays[tensor.name].dtype for tensor in self._sources(phase, arrays))
        key = phase, length, function, dtypes
        if key not in self._made:
            self._made[key] = self._written(phase, arrays, function, length)
        return self._made[key]

    def _sources(self, phase: Phase, arrays: Mapping[str, Array]) -> list[Input]:
        if isinstance(phase, Loop):
            return [Input(taken.source, (), ()) for taken in phase.takes]
        return inputs_of(phase.roots)

    def _written(self, phase: Phase, arrays: Mapping[str, Array], function: str, length: int) -> Part:
        inputs = inputs_of(phase.roots)
        sizes, sources = dict(self.sizes), {tensor.name: tensor.name for tensor in inputs}
        if isinstance(phase, Loop):
            sizes[phase.symbol] = length
            sources = {taken.tensor.name: taken.source for taken in phase.takes}
            results = [made.name if made.stacked else "" for made in phase.makes]  # parts of sums stay as they are
        else:
            results = list(phase.makes)
        dtypes = {name: arrays[source].dtype for name, source in sources.items()}
        plan = make_plan(phase.roots, sizes=sizes, arrays=dtypes, named=self.names)
        wanted = [
            self.wanted.get(name, _natural(plan, root, dtypes)) for name, root in zip(results, plan.roots, strict=True)
        ]
        routine = lower(plan, inputs, dtypes, wanted)
        routine = settled(routine) if self.planned else routine
        makes = tuple(Array(resolve(root.shape, sizes), dtype) for root, dtype in zip(plan.roots, wanted, strict=True))
        text = write(
            routine,
            tuple(range(len(phase.roots))),
            [Result(made.shape, made.dtype) for made in makes],
            names=wishes(plan, self.names),
            letters=self.letters,
            describe=self.describe,
            origins=origins(plan),
            function=function,
            checked=False,
            described=self.described,
            prepare=f"prepare_{function}",
        )
        prepare = f"prepare_{function}" if routine.prepared else ""
        return Part(plan, text, tuple(p.tensor for p in routine.parameters), makes, routine.may_warn, prepare)


def _natural(plan: Plan, root: Node, arrays: Mapping[str, DType]) -> DType:
    """The dtype in which a node is computed: 16-bit sums stay 32-bit until the last."""
    return plan.dtypes[root] if root in plan.dtypes else number_dtype(plan.numbers[root], arrays.values())
