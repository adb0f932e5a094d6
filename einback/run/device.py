"""Programs on CuPy arrays: which arrays go together, and the functions that run on their device.

Arrays decide. All must be CuPy's, on one device; Python numbers go with them, and results are CuPy arrays, those
without axes too. What is declared of entries, as that a matrix is symmetric, is checked on the host, to which such
arrays are copied. Programs run as kernels and products for cuBLAS, those with functions of matrices or with Python's
integers as the text of `target="cupy"`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np

from einback.errors import ArrayError, CompileError
from einback.ir.nodes import Input
from einback.ir.walk import inputs_of
from einback.plan.plan import Plan
from einback.run.facts import as_declared, depends_on_entries
from einback.run.gather import check_all
from einback.run.guards import number_dtype
from einback.run.keeping import remember
from einback.run.layout import Layout
from einback.run.made import Case
from einback.run.names import identifier
from einback.run.parts import ALIGNED
from einback.run.report import SlicedPlan
from einback.run.source import Text
from einback.run.specialising import Program

__all__ = ["DeviceFunctions", "device_arrays", "is_device_array", "refuse_device_copies", "refuse_threads", "run"]

_PER_THREAD: Final = 2  # the number of the stream that each thread has of its own


def is_device_array(value: object) -> bool:
    """Whether a value is an array of CuPy's."""
    return type(value).__module__.partition(".")[0] == "cupy" and hasattr(value, "dtype")


def device_arrays(inputs: Sequence[Input], values: Mapping[str, Any], strictly: bool) -> dict[str, Any]:
    """The arrays of a call by name, all of one device; `strictly` as in `einback.run.facts`.

    Raises `ArrayError` for arrays of the host among them, for two devices, and for what breaks a declaration.
    """
    given = {tensor.name: tensor for tensor in inputs if tensor.name in values}
    numbers = [name for name in given if _is_number(values[name])]
    arrays = {name: values[name] for name in given if name not in numbers}
    first = next(name for name, value in arrays.items() if is_device_array(value))
    for name, value in arrays.items():
        if not is_device_array(value):
            raise ArrayError(
                f"{first} is a CuPy array, and {name} is a {type(value).__module__}.{type(value).__name__}",
                hint=f"pass cupy.asarray({name}), or cupy.asnumpy({first})",
            )
        if value.device != arrays[first].device:
            raise ArrayError(
                f"{first} is on device {arrays[first].device.id}, and {name} on device {value.device.id}",
                hint=f"copy one of them: with cupy.cuda.Device({arrays[first].device.id}): cupy.array({name})",
            )
    cupy = _module_of(arrays[first])
    with arrays[first].device:
        beside = list(arrays.values())
        arrays |= {name: cupy.asarray(values[name], number_dtype(values[name], beside)) for name in numbers}
        return {name: _checked(tensor, arrays[name], strictly, cupy) for name, tensor in given.items()}


def _checked(tensor: Input, array: Any, strictly: bool, cupy: Any) -> Any:
    """The array for a tensor: what is declared of its dtype and of its entries holds."""
    if depends_on_entries(tensor):
        as_declared(tensor, cupy.asnumpy(array), strictly)
        return array
    if any(place % array.dtype.itemsize for place in (array.data.ptr, *array.strides)):
        array = array.copy()  # a field of records: kernels step by whole entries, from the place of one on
    empty = np.empty((0,) * array.ndim, array.dtype)  # only the dtype is looked at
    dtype = as_declared(tensor, empty, strictly).dtype
    return array if dtype == array.dtype else array.astype(dtype)


def refuse_device_copies(values: Mapping[str, Any], arrays: Mapping[str, Any], limit: int | None) -> None:
    """Refuse what would be copied as a whole, beyond a tenth of a limit of memory."""
    for name, array in arrays.items():
        if limit is not None and is_device_array(values[name]) and array is not values[name]:
            if 10 * array.nbytes > limit:
                raise ArrayError(
                    f"{name} has to be copied, {array.nbytes:,} bytes that a memory_limit of {limit:,} has no room for",
                    hint="pass an array of the declared kind whose entries lie at multiples of their size",
                )


class DeviceFunctions:
    """The functions of one program for device arrays, by how these lie in memory, sizes and stream.

    A function works in memory of its own, and calls on one stream follow each other: each stream has its function.
    `readable` writes the text of what no kernels compute.
    """

    def __init__(self, program: Program, readable: Callable[[Case], str]) -> None:
        self._program, self._readable = program, readable
        self._lock = threading.Lock()
        self._made: dict[tuple[object, ...], Any] = {}
        self._last: tuple[Any, tuple[Any, ...], tuple[int, int, int], Any] | None = None

    def like_before(self, values: Mapping[str, Any]) -> Any:
        """What ran for the arrays of the call before, if these are like them in all that matters; else None."""
        if self._last is None:
            return None
        kind, known, stream, step = self._last
        if len(values) != len(known):
            return None
        for name, shape, dtype, *lies in known:
            x: Any = values.get(name)
            if type(x) is not kind or x.shape != shape or x.dtype is not dtype:
                return None
            if _lies(x) != tuple(lies) or x.device.id != stream[0]:
                return None
        return step if _stream(x) == stream and _current_device(x) == stream[0] else None

    def _remember(self, values: Mapping[str, Any], step: Any) -> None:
        """What ran for arrays exactly as they were passed, for which nothing needs to be checked again."""
        kind = type(next(iter(values.values())))
        if any(type(x) is not kind for x in values.values()) or any(map(depends_on_entries, self._program.inputs)):
            return
        known = tuple((name, x.shape, x.dtype, *_lies(x)) for name, x in values.items())
        self._last = kind, known, _stream(next(iter(values.values()))), step

    def __call__(
        self, arrays: Mapping[str, Any], case: Callable[[], Case], sizes: Mapping[str, int], passed: Mapping[str, Any]
    ) -> Any:
        """The results for some arrays; `passed` is all that the caller passed."""
        with next(iter(arrays.values())).device:
            step = self.step(arrays, case, sizes)
            if len(arrays) == len(passed) and all(arrays.get(name) is value for name, value in passed.items()):
                self._remember(passed, step)
            return run(step, arrays)

    def plan(self, arrays: Mapping[str, Any], case: Callable[[], Case], sizes: Mapping[str, int]) -> Plan | SlicedPlan:
        """The plan of what runs for some arrays."""
        with next(iter(arrays.values())).device:
            plan: Plan | SlicedPlan = self.step(arrays, case, sizes).made.described()
            return plan

    def step(self, arrays: Mapping[str, Any], case: Callable[[], Case], sizes: Mapping[str, int]) -> Any:
        """What runs for some arrays on the current stream: an `einback.run.cuda.running.Step`."""
        key: tuple[object, ...] = tuple((name, x.shape, x.dtype) for name, x in arrays.items())
        if not self._program.graph or self._program.memory_limit is not None:  # a graph has arrays of its own
            key += tuple(map(_lies, arrays.values()))
        key += (*sorted(sizes.items()), _stream(next(iter(arrays.values()))))
        with self._lock:
            step = self._made.pop(key, None) or self._make(arrays, case())
            remember(self._made, key, step)
        return step

    def _make(self, arrays: Mapping[str, Any], case: Case) -> Any:
        making, running = (import_module(f"einback.run.cuda.{name}") for name in ("making", "running"))
        program, name = self._program, identifier(self._program.function)
        cupy = _module_of(next(iter(arrays.values())))
        plan = making.planned(program, case)
        if not making.is_fused(plan):
            if program.memory_limit is not None:
                raise making.unlimited()
            source = self._readable(case)
            read = set(inputs_of(program.roots))
            reads = tuple(tensor.name for tensor in program.inputs if tensor in read)
            made = running.DeviceMade(plan, reads, lambda checked, described=True: Text(source, ()))
            return running.Step(cupy, made, running.Prepared(cupy, source, name))
        lying = making.Lying(
            {name: layout for name, x in arrays.items() if (layout := _layout(x)) is not None},
            tuple(name for name, x in arrays.items() if _lies(x)[1]),
        )
        made, replays = import_module("einback.run.cuda.choosing").chosen(program, case, plan, lying)
        try:
            prepared = running.Prepared(cupy, made.written(False, False).source, name)
        except ImportError as reason:  # of what CuPy itself does not need
            if not program.cutensor:
                raise
            remedy = "pip install cutensor-cu12, or cutensor-cu13, or leave cutensor out"
            raise CompileError(f"cutensor=True, and cuTENSOR does not load: {reason}", hint=remedy) from reason
        return running.Step(cupy, made, prepared, self._check(cupy, case), replays)

    def _check(self, cupy: Any, case: Case) -> Callable[[Mapping[str, Any]], None] | None:
        """What is checked before a graph, which cannot wait for the device."""
        if not self._program.graph:
            return None
        return lambda arrays: check_all(self._program.roots, arrays, case.sizes, cupy)


def run(step: Any, arrays: Mapping[str, Any]) -> Any:
    """The results of a step. Raises `ArrayError` where an array of indices points outside of its axis."""
    try:
        return step(arrays)
    except IndexError as reason:
        raise ArrayError(str(reason)) from None


def _module_of(array: Any) -> Any:
    return sys.modules[type(array).__module__.partition(".")[0]]


def _lies(array: Any) -> tuple[tuple[int, ...], bool]:
    """The strides of an array, and whether it begins where a thread may load several entries at once."""
    return array.strides, array.data.ptr % ALIGNED == 0


def _layout(array: Any) -> Layout | None:
    """How an array lies in memory, None where that is C order."""
    found = Layout(array.shape, tuple(step // array.dtype.itemsize for step in array.strides))
    return None if found.in_order else found


def _current_device(array: Any) -> int:
    return int(_module_of(array).cuda.runtime.getDevice())


def _stream(array: Any) -> tuple[int, int, int]:
    """The device, the current stream and, where each thread has a default stream of its own, the thread."""
    stream = _module_of(array).cuda.get_current_stream().ptr
    return array.device.id, stream, threading.get_ident() if stream == _PER_THREAD else 0


def refuse_threads(threads: int | None) -> None:
    """Refuse what is asked of programs on the host alone."""
    if threads is not None:
        raise CompileError(
            "the arrays are CuPy's, and threads is for NumPy arrays", hint="compile without threads for the device"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | complex) and not isinstance(value, np.generic | bool)
