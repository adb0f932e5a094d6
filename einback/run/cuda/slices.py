"""A program in slices on a device, where it would take more memory than it may.

The phases are those for NumPy, cut as `einback.run.fitting` cuts them. Each part has kernels and products of its own;
the block that they work in is one, since parts run one after the other. While slices are sought, parts are stubs, which
make nothing but their results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from einback.run.cuda.making import Lying, unlimited
from einback.run.cuda.routine import device_routine
from einback.run.cuda.running import DeviceMade
from einback.run.device_text import IN_ORDER, device_check, in_cupy, libraries
from einback.run.fitting import fitted
from einback.run.layout import Layout
from einback.run.limited import aimed
from einback.run.lower import lower
from einback.run.made import Case, Wording
from einback.run.names import identifier, imports_of, refuse_defined
from einback.run.over_slices import OVER
from einback.run.parts import Array, Part, Parts, Work
from einback.run.report import reported
from einback.run.sliced import Driver, DriverWriter
from einback.run.source import Text
from einback.run.specialising import Program, result_dtypes_of

__all__ = ["DeviceParts", "DeviceWriter", "in_slices"]


def in_slices(program: Program, case: Case, lying: Lying, limit: int) -> DeviceMade:
    """The program in slices that takes at most `limit` bytes. Raises `CompileError` if there is none."""
    wording = Wording(program.names, program.letters, program.describe, program.title, program.function)
    strides = {
        name: tuple(step * case.dtypes[name].itemsize for step in layout.strides)
        for name, layout in lying.layouts.items()
    }
    whole, target = aimed(
        program.roots, program.inputs, result_dtypes_of(program, case.sizes, case.dtypes), sizes=case.sizes,
        dtypes=case.dtypes, strides=strides, structure=program.structure, threads=1, wording=wording,
    )  # fmt: skip
    arrays = {name: replace(array, aligned=name in lying.aligned) for name, array in target.inputs.items()}
    stubs = DeviceParts.like(target.parts, program.precision, stubs=True)
    target = replace(target, inputs=arrays, parts=stubs, device=True)
    found = fitted(whole, target, limit)

    @cache
    def driver(checked: bool, described: bool) -> Driver:
        parts = DeviceParts.like(target.parts, program.precision, described=described)
        writer = DeviceWriter(
            found.layout, parts, arrays, target.structure, target.results, identifier(program.function)
        )
        return writer.driver(program.title, checked)

    def written(checked: bool, described: bool = True) -> Text:
        made = driver(checked, described)
        return Text(made.source, tuple(formula for parts in made.parts for formula in parts[0].text.formulas))

    return DeviceMade(reported(found, target, limit, program.inputs), found.driver.reads, written)


@dataclass(frozen=True, slots=True)
class DeviceParts(Parts):
    """Parts for a device. Those that are `stubs` show how much memory they take."""

    precision: str = "float32"
    stubs: bool = False

    @classmethod
    def like(cls, parts: Parts, precision: str, *, stubs: bool = False, described: bool = False) -> DeviceParts:
        """The parts that others are, on a device."""
        return cls(
            parts.sizes, parts.wanted, parts.names, parts.letters, parts.describe,
            described=described, precision=precision, stubs=stubs,
        )  # fmt: skip

    def written(self, work: Work, function: str) -> Part:
        lowered = lower(work.plan, work.inputs, work.dtypes, work.wanted, device=True)
        layouts = {name: layout for name, array in work.reads.items() if (layout := _layout(array)) is not None}
        aligned = {name for name, array in work.reads.items() if array.aligned}
        routine = device_routine(lowered, layouts, aligned, self.precision, prefix=f"{function}_")
        if routine.allocates:
            raise unlimited()
        exact = replace(work, plan=replace(work.plan, space=routine.space, exact=True))
        part = replace(self._part(exact, routine, function, device=True), space=routine.space)
        return replace(part, text=_stub(part, function)) if self.stubs else part


def _layout(array: Array) -> Layout | None:
    """How an array lies in memory, in entries; None where that is C order."""
    found = (
        Layout(array.shape, tuple(step // array.dtype.itemsize for step in array.strides)) if array.strides else None
    )
    return None if found is None or found.in_order else found


def _stub(part: Part, function: str) -> Text:
    """A function that makes the results, below the formula of the step with which most memory is alive."""
    steps = list(zip(part.plan.steps, part.text.formulas, strict=False))
    largest = max(steps, key=lambda pair: pair[0].live, default=None)
    results = "".join(f"np.empty({one.shape}, dtype=np.{one.dtype.type.__name__}), " for one in part.makes)
    head = f"def {function}({', '.join(f'x{k}' for k in range(len(part.reads)))}):"
    comment = [f"    # {largest[1]}"] if largest is not None else []
    return Text("\n".join([head, *comment, f"    return ({results})"]), part.text.formulas)


class DeviceWriter(DriverWriter):
    """Writes the file that calls CuPy."""

    needs: ClassVar = "CuPy, and CUDA's compiler of kernels"
    reserved: ClassVar = ("cublas", "cupy", "numpy")
    numbers_are_arrays: ClassVar = True

    def _prepare(self, function: str, part: Part) -> None:
        if part.prepare:
            self._ready[f"{function} = {part.prepare}()"] = None

    def _check(self, reads: Sequence[str]) -> list[str]:
        self._functions[IN_ORDER.strip("\n")] = None
        arrays = [(self._names[name], self._inputs[name].shape, self._inputs[name].dtype) for name in reads]
        return device_check(self._function, arrays, self._namer)

    def _file(self, docstring: str, step: str) -> str:
        space = max((part.space for parts in self._made for part in parts), default=0)
        functions = [text for text in self._functions if not text.startswith("def workspace(")]
        top = [docstring, "", *imports_of(functions), libraries(functions)]
        shared = [_WORKSPACE.format(space=space).strip("\n")] if space else []
        ready = ["\n".join(self._ready)] if self._ready else []
        parts = [*shared, *functions, *ready, OVER.strip("\n")]
        refuse_defined(self._function, parts)
        return "\n\n\n".join(["\n".join(top), *parts, in_cupy(step)]) + "\n"


_WORKSPACE = '''
SPACE = cupy.empty({space}, cupy.uint8)


def workspace(size):
    """The block in which all parts work, one after the other."""
    return SPACE[:size]
'''
