"""The parts of a program in phases: each planned, lowered and written by itself.

A loop over slices has one part for slices of full length, and one for the last slice where that is shorter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import mul
from typing import Final

from einback.ir.nodes import Input, Node
from einback.ir.walk import inputs_of
from einback.plan.binding import Sizes, resolve
from einback.plan.dtypes import DType, number_dtype
from einback.plan.phases import Loop, Phase
from einback.plan.plan import Plan, make_plan
from einback.run.lower import lower
from einback.run.source import Describe, Result, Text, write
from einback.run.steps import Routine
from einback.run.wording import origins, wishes
from einback.run.workspace import settled

__all__ = ["ALIGNED", "Array", "Part", "Parts", "Work"]

Shape = tuple[int, ...]
ALIGNED: Final = 16  # bytes that a thread of a device loads at once


@dataclass(frozen=True, slots=True)
class Array:
    """What is known of an array; `strides`, in bytes, say nothing where it is in C order.

    One that is `aligned` begins where a device may load several entries at once.
    """

    shape: Shape
    dtype: DType
    strides: tuple[int, ...] = ()
    aligned: bool = True

    def sliced(self, axes: Sequence[int], shape: Shape, step: int) -> Array:
        """A slice over some axes, which begins at a multiple of `step` entries along each."""
        if not axes:
            return self
        strides = self.strides or tuple(accumulate(self.shape[:0:-1], mul, initial=self.dtype.itemsize))[::-1]
        inside = all(own == length for own, length in zip(shape[1:], self.shape[1:], strict=True))
        aligned = self.aligned and all(strides[axis] * step % ALIGNED == 0 for axis in axes)
        return Array(shape, self.dtype, self.strides if not self.strides and inside else strides, aligned)


@dataclass(frozen=True, slots=True)
class Part:
    """A function of arrays that gives a tuple of arrays: its plan, its text, and the inputs that it takes in order.

    `prepare` is the function that makes it with the memory that it works in, if that is planned; `space` is how many
    bytes of this the parts of a program share, one after the other.
    """

    plan: Plan
    text: Text
    reads: tuple[Input, ...]
    makes: tuple[Array, ...]
    may_warn: bool
    prepare: str = ""
    space: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What a part computes: its plan for arrays that it reads by name, and the dtypes in which results are wanted."""

    plan: Plan
    inputs: Sequence[Input]
    reads: Mapping[str, Array]
    wanted: Sequence[DType]

    @property
    def makes(self) -> tuple[Array, ...]:
        shapes = (resolve(root.shape, self.plan.sizes) for root in self.plan.roots)
        return tuple(Array(shape, dtype) for shape, dtype in zip(shapes, self.wanted, strict=True))

    @property
    def dtypes(self) -> dict[str, DType]:
        return {name: array.dtype for name, array in self.reads.items()}


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

    def part(self, phase: Phase, arrays: Mapping[str, Array], function: str, length: int = 0, step: int = 0) -> Part:
        """The function of a phase; of a loop, that for slices of some length that begin at multiples of `step`."""
        dtypes = tuple(arrays[tensor.name].dtype for tensor in self._sources(phase, arrays))
        key = phase, length, step, function, dtypes
        if key not in self._made:
            self._made[key] = self.written(self._work(phase, arrays, length, step), function)
        return self._made[key]

    def _sources(self, phase: Phase, arrays: Mapping[str, Array]) -> list[Input]:
        if isinstance(phase, Loop):
            return [Input(taken.source, (), ()) for taken in phase.takes]
        return inputs_of(phase.roots)

    def _work(self, phase: Phase, arrays: Mapping[str, Array], length: int, step: int) -> Work:
        sizes = dict(self.sizes)
        if isinstance(phase, Loop):
            sizes[phase.symbol] = length
            reads = {
                taken.tensor.name: arrays[taken.source].sliced(taken.axes, resolve(taken.tensor.sizes, sizes), step)
                for taken in phase.takes
            }
            results = [made.name if made.stacked else "" for made in phase.makes]  # parts of sums stay as they are
        else:
            reads = {tensor.name: arrays[tensor.name] for tensor in inputs_of(phase.roots)}
            results = list(phase.makes)
        dtypes = {name: array.dtype for name, array in reads.items()}
        plan = make_plan(phase.roots, sizes=sizes, arrays=dtypes, named=self.names)
        wanted = [
            self.wanted.get(name, _natural(plan, root, dtypes)) for name, root in zip(results, plan.roots, strict=True)
        ]
        return Work(plan, inputs_of(phase.roots), reads, wanted)

    def written(self, work: Work, function: str) -> Part:
        """The part as a function."""
        routine = lower(work.plan, work.inputs, work.dtypes, work.wanted)
        routine = settled(routine) if self.planned else routine
        return self._part(work, routine, function)

    def _part(self, work: Work, routine: Routine, function: str, *, device: bool = False) -> Part:
        text = write(
            routine,
            tuple(range(len(work.makes))),
            [Result(made.shape, made.dtype) for made in work.makes],
            names=wishes(work.plan, self.names),
            letters=self.letters,
            describe=self.describe,
            origins=origins(work.plan),
            function=function,
            checked=False,
            described=self.described,
            prepare=f"prepare_{function}",
            device=device,
        )
        prepare = f"prepare_{function}" if routine.prepared else ""
        reads = tuple(p.tensor for p in routine.parameters)
        return Part(work.plan, text, reads, work.makes, routine.may_warn, prepare)


def _natural(plan: Plan, root: Node, arrays: Mapping[str, DType]) -> DType:
    """The dtype in which a node is computed: 16-bit sums stay 32-bit until the last."""
    return plan.dtypes[root] if root in plan.dtypes else number_dtype(plan.numbers[root], arrays.values())
