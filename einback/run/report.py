"""The plan of a program in slices: the plans of its parts, and how they are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from einback.ir.nodes import Input
from einback.plan.phases import Loop, Phase
from einback.plan.plan import Plan, PlanStep
from einback.run.fitting import Fitted, Target

__all__ = ["PhasePlan", "SlicedPlan", "reported"]


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """A phase that runs once (`length` 0), or one over slices of `length` of an axis with `entries`.

    `index` is the name of that axis where it has one; `plan` is that of a whole slice, `last` that of a shorter last
    one; `peak_bytes` counts what other phases keep alive.
    """

    plan: Plan
    last: Plan | None
    index: str
    entries: int
    length: int
    peak_bytes: int

    @property
    def slices(self) -> int:
        return -(-self.entries // self.length) if self.length else 1

    @property
    def flops(self) -> int:
        rest = self.last.flops if self.last is not None else 0
        return self.plan.flops * (self.slices - (self.last is not None)) + rest

    def __str__(self) -> str:
        if not self.length:
            return f"once, peak {self.peak_bytes:,} bytes"
        over = f"over {self.index} = {self.entries:,}" if self.index else f"over an axis of {self.entries:,}"
        count = f"{self.slices:,} slice{'s' if self.slices > 1 else ''} of {self.length:,}"
        return f"{over} in {count}, peak {self.peak_bytes:,} bytes"


@dataclass(frozen=True, slots=True)
class SlicedPlan:
    """The phases of a program in the order in which they run; prints as a report.

    `peak_bytes` counts all that a call allocates, results and temporaries inside NumPy's functions included.
    """

    phases: tuple[PhasePlan, ...]
    limit: int | None
    threads: int
    input_bytes: int

    @property
    def flops(self) -> int:
        return sum(phase.flops for phase in self.phases)

    @property
    def peak_bytes(self) -> int:
        return max((phase.peak_bytes for phase in self.phases), default=0)

    @property
    def steps(self) -> tuple[PlanStep, ...]:
        return tuple(step for phase in self.phases for step in phase.plan.steps)

    def described(self, formulas: Sequence[str]) -> SlicedPlan:
        """The plan with other formulas, one a step."""
        phases, done = [], 0
        for phase in self.phases:
            count = len(phase.plan.steps)
            phases.append(replace(phase, plan=phase.plan.described(formulas[done : done + count])))
            done += count
        return replace(self, phases=tuple(phases))

    def __str__(self) -> str:
        count = "1 phase" if len(self.phases) == 1 else f"{len(self.phases)} phases"
        limit = f" under a limit of {self.limit:,}" if self.limit is not None else ""
        threads = f", {self.threads} threads" if self.threads > 1 else ""
        lines = [
            f"{count}, {self.flops:,} flops{threads}",
            f"peak {self.peak_bytes:,} bytes{limit}, and {self.input_bytes:,} bytes of inputs",
        ]
        for k, phase in enumerate(self.phases, 1):
            lines += ["", f"phase {k}: {phase}", str(phase.plan)]
        return "\n".join(lines)


def reported(found: Fitted, target: Target, limit: int | None, inputs: Sequence[Input]) -> SlicedPlan:
    """The report of a fitted program."""
    declared = {tensor.name: tensor for tensor in inputs}
    phases = []
    for k, (phase, made) in enumerate(zip(found.layout.phases, found.driver.parts, strict=True)):
        last = made[1].plan if len(made) > 1 else None
        entries = phase.length if isinstance(phase, Loop) else 0
        length = min(found.layout.lengths[k], entries)
        phases.append(PhasePlan(made[0].plan, last, _index(phase, declared), entries, length, found.needs.phases[k]))
    nbytes = sum(prod(array.shape) * array.dtype.itemsize for array in target.inputs.values())
    return SlicedPlan(tuple(phases), limit, target.threads, nbytes)


def _index(phase: Phase, declared: Mapping[str, Input]) -> str:
    """The name of the size of a sliced axis, if one of the caller's arrays has it."""
    if isinstance(phase, Loop):
        for taken in phase.takes:
            if taken.axes and taken.source in declared:
                size = declared[taken.source].sizes[taken.axes[0]]
                if isinstance(size, str):
                    return size
    return ""
