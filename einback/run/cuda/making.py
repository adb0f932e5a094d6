"""A program made for a device: planned, lowered, fused and written as a file for CuPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from einback.errors import CompileError
from einback.ir.nodes import Matrix
from einback.ir.walk import postorder
from einback.plan.plan import Plan, make_plan
from einback.run.cuda.routine import device_routine
from einback.run.cuda.running import DeviceMade
from einback.run.layout import Layout
from einback.run.lower import lower
from einback.run.made import Case
from einback.run.specialising import Program, result_dtypes_of, writer

__all__ = ["Lying", "device_made", "is_fused", "planned", "unlimited"]


@dataclass(frozen=True, slots=True)
class Lying:
    """How the caller's arrays lie in memory: strides in entries where they are not those of C order, by name, and
    which of them begin at 16 bytes."""

    layouts: Mapping[str, Layout]
    aligned: Sequence[str]

    @staticmethod
    def in_order(names: Sequence[str]) -> Lying:
        return Lying({}, tuple(names))


def unlimited() -> CompileError:
    """What is said of a limit of memory for what CuPy computes with arrays of its own."""
    return CompileError(
        "memory_limit holds for kernels, and CuPy's own calls compute this program",
        hint="compile without memory_limit for the device",
    )


def is_fused(plan: Plan) -> bool:
    """Whether kernels can compute what a plan does: no functions of matrices, and no objects."""
    whole = any(isinstance(node, Matrix) for node in postorder(plan.roots))
    return not whole and all(dtype.kind in "biufc" for dtype in plan.dtypes.values())


def planned(program: Program, case: Case) -> Plan:
    """The plan of a program, which is that for NumPy."""
    named = program.names
    return make_plan(program.roots, sizes=case.sizes, arrays=case.dtypes, forward=program.forward, named=named)


def device_made(program: Program, case: Case, plan: Plan, lying: Lying, *, replays: bool = False) -> DeviceMade:
    """The program for arrays that lie in memory as said.

    One that is to be replayed writes its results into arrays that are there, and leaves indices unchecked. These
    arrays, and those into which inputs are copied, count as its workspace.
    """
    wanted = result_dtypes_of(program, case.sizes, case.dtypes)
    cutensor = program.cutensor and program.memory_limit is None  # which takes memory that no plan knows of
    lowered = lower(plan, program.inputs, case.dtypes, wanted, device=True, cutensor=cutensor)
    routine = device_routine(lowered, lying.layouts, lying.aligned, program.precision, static=replays)
    plan = replace(plan, space=routine.space, exact=not routine.allocates)
    if replays:
        inputs = sum(prod(p.shape) * p.dtype.itemsize for p in routine.parameters)
        plan = replace(plan, space=plan.peak_bytes + inputs)
    written = writer(program, plan, routine, wanted, device=True)
    reads = tuple(parameter.tensor.name for parameter in routine.parameters)
    return DeviceMade(plan, reads, written)
