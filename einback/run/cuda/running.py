"""What runs on a device: a step with the memory that it works in, launched anew at each call or replayed as a graph.

A step belongs to one stream, whose work follows in order, and to one caller at a time while it is launched. Its memory
comes from a pool of its own, which goes with it; results come from the caller's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from einback.plan.plan import Plan
from einback.run.cuda.copying import Copies
from einback.run.parts import ALIGNED
from einback.run.report import SlicedPlan
from einback.run.source import Text

__all__ = ["DeviceMade", "Prepared", "Step"]


@dataclass(frozen=True, slots=True)
class DeviceMade:
    """A program as it is written: `written` gives the file, with formulas unless it is not described.

    One that is `checked` too is for people: it takes its arrays by keyword, and refuses other shapes.
    """

    plan: Plan | SlicedPlan
    reads: tuple[str, ...]
    written: Callable[..., Text]

    @property
    def exact(self) -> bool:
        """Whether the plan knows of all that is allocated."""
        return isinstance(self.plan, SlicedPlan) or self.plan.exact

    def described(self) -> Plan | SlicedPlan:
        """The plan with the formulas of the file."""
        formulas = self.written(False).formulas
        return self.plan.described(formulas) if formulas else self.plan


class Prepared:
    """The function of a generated file, made in a pool of its own."""

    def __init__(self, cupy: Any, source: str, name: str) -> None:
        self.pool = cupy.cuda.MemoryPool()
        namespace: dict[str, Any] = {}
        with cupy.cuda.using_allocator(self.pool.malloc):
            exec(compile(source, f"<einback {name}>", "exec"), namespace)
            prepare = namespace.get("prepare")
            self.function: Callable[..., Any] = prepare() if prepare is not None else namespace[name]


class Step:
    """A program for some arrays. With `replays` its launches are recorded at the second call, and replayed later.

    What is recorded works on arrays of its own, into which those of a call are copied, as results are copied out of it.
    What cannot be recorded is launched anew at each call, and `refused` says why.
    """

    def __init__(
        self,
        cupy: Any,
        made: DeviceMade,
        prepared: Prepared,
        check: Callable[[Mapping[str, Any]], None] | None = None,
        replays: bool = False,
    ) -> None:
        self.made, self.refused = made, ""
        self._cupy, self._prepared, self._check, self._replays = cupy, prepared, check, replays
        self._lock = threading.Lock()
        self._calls = 0
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._structure: Any = None
        self._graph: Any = None
        self._copy_in = self._copy_out = Copies(cupy, [])

    @property
    def pool(self) -> Any:
        """The pool of the memory that the step works in."""
        return self._prepared.pool

    def __call__(self, arrays: Mapping[str, Any]) -> Any:
        with self._lock:
            if self._check is not None:
                self._check(arrays)
            given = [arrays[name] for name in self.made.reads]
            self._calls += 1
            if self._replays and self._calls > 1 and self._graph is None and not self.refused:
                self._record(given)
            if self._graph is None:
                if self._replays and not all(map(_in_order, given)):
                    given = self._own(given)
                found = self._prepared.function(*given)
                return _mapped(found, lambda one: one.copy()) if self._replays else found
            for k, array in enumerate(given):
                if not array.flags.c_contiguous:
                    self._inputs[k][...] = array
                    given[k] = self._inputs[k]
            self._copy_in(given, self._inputs)
            self._graph.launch(self._cupy.cuda.get_current_stream())
            results = [self._cupy.empty(one.shape, one.dtype) for one in self._outputs]
            self._copy_out(self._outputs, results)
            found = iter(results)
            return _mapped(self._structure, lambda _: next(found))

    def _own(self, given: Sequence[Any]) -> list[Any]:
        """The step's own arrays, with the entries of those that are given: a graph reads arrays in C order."""
        for mine, array in zip(self._inputs, given, strict=False):
            mine[...] = array
        if not self._inputs:
            with self._cupy.cuda.using_allocator(self.pool.malloc):
                self._inputs = [self._cupy.array(array, order="C") for array in given]
        return self._inputs

    def _record(self, given: Sequence[Any]) -> None:
        """Record the launches of the step on arrays of its own."""
        cupy = self._cupy
        with cupy.cuda.using_allocator(self.pool.malloc):
            inputs = self._own(given)
            cupy.cuda.get_current_stream().synchronize()  # what is copied and compiled is there
            with cupy.cuda.Stream(non_blocking=True) as stream:
                stream.begin_capture()
                try:
                    outputs = self._prepared.function(*inputs)
                except Exception as reason:  # whatever a library refuses
                    self.refused = f"{type(reason).__name__}: {reason}"
                try:
                    graph = stream.end_capture()
                except Exception as reason:
                    self.refused = self.refused or f"{type(reason).__name__}: {reason}"
            if not self.refused:
                self._structure, self._outputs, self._graph = outputs, [], graph
                _mapped(outputs, self._outputs.append)
                self._copy_in = Copies(cupy, [one.nbytes for one in inputs])
                self._copy_out = Copies(cupy, [one.nbytes for one in self._outputs])


def _in_order(array: Any) -> bool:
    """Whether an array lies as new ones do: in C order, from an address on at which several entries are loaded."""
    return bool(array.flags.c_contiguous and array.data.ptr % ALIGNED == 0)


def _mapped(results: Any, change: Callable[[Any], Any]) -> Any:
    """A structure of results with others in their places."""
    match results:
        case dict():
            return {key: _mapped(one, change) for key, one in results.items()}
        case list() | tuple():
            return type(results)([_mapped(one, change) for one in results])
        case _:
            return change(results)
