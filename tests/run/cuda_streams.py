"""Devices, streams, events and graphs of the CuPy stand-in. Work is done at once, or recorded while a stream captures.

A graph holds no memory, as with CUDA: where what it reads or writes was freed, launching it raises.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "Device",
    "Event",
    "Graph",
    "Stream",
    "Work",
    "current_device",
    "get_current_stream",
    "get_elapsed_time",
    "is_capturing",
    "refuse_in_capture",
    "start_afresh",
    "submit",
]

_POINTERS = itertools.count(0x5000, 16)


class Device:
    """A device by number, which may be made the current one."""

    def __init__(self, device: int | None = None) -> None:
        self.id = current_device() if device is None else device

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    __hash__ = None  # type: ignore[assignment]

    def __enter__(self) -> Device:
        _HERE.devices.append(self.id)
        return self

    def __exit__(self, *_: object) -> None:
        _HERE.devices.pop()

    def synchronize(self) -> None:
        refuse_in_capture("the device is waited for")


class Guarded(Protocol):
    """Memory that work reads or writes; guards around it tell who wrote beside it."""

    def check_guards(self, who: str) -> None: ...


@dataclass(frozen=True)
class Work:
    """Something to do, its name in messages, and what memory it needs."""

    name: str
    do: Callable[[], object]
    touched: Sequence[Guarded] = ()

    def __call__(self) -> None:
        self.do()
        for memory in self.touched:
            memory.check_guards(self.name)


class Graph:
    """Recorded work, which may be launched again and again."""

    def __init__(self) -> None:
        self._recorded: list[tuple[str, Callable[[], object], list[weakref.ref[Guarded]]]] = []

    def launch(self, stream: Stream | None = None) -> None:
        submit(Work("graph", self._run), stream)

    def upload(self, stream: Stream | None = None) -> None: ...

    def record(self, work: Work) -> None:
        self._recorded.append((work.name, work.do, [weakref.ref(memory) for memory in work.touched]))

    def _run(self) -> None:
        for name, do, references in self._recorded:
            touched = [memory for reference in references if (memory := reference()) is not None]
            if len(touched) < len(references):
                raise RuntimeError(f"{name} was captured with memory that has been freed")
            Work(name, do, touched)()


class Stream:
    """A queue of work; `with` makes it the current one."""

    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int = 0) -> None:
        self.ptr = 0 if null else next(_POINTERS)
        self.is_non_blocking = non_blocking
        self._graph: Graph | None = None
        self._origin: Stream | None = None  # of the capture in which this stream takes part
        self._members: set[Stream] = set()  # the streams that take part, where this is the origin
        self._recorded = 0  # how much work of this stream there is in the capture
        self._seen: dict[Stream, int] = {}  # how much work of the others has been waited for

    def __enter__(self) -> Stream:
        _HERE.streams.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _HERE.streams.pop()

    def use(self) -> Stream:
        _HERE.streams[-1] = self
        return self

    @property
    def done(self) -> bool:
        _refuse(self, "a stream is asked")
        return True

    def synchronize(self) -> None:
        _refuse(self, "a stream is waited for")

    def record(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """In a capture, a stream that waits for an event of another one joins in; the origin's waiting ends that."""
        if event.origin is None:
            if self.is_capturing():
                raise RuntimeError("cudaErrorStreamCaptureIsolation: an event of before the capture is waited for")
            return
        if self._origin is None:
            self._origin, self._graph = event.origin, event.origin._graph
            self._origin._members.add(self)
            self._recorded = 1
        if self._origin is not event.origin:
            raise RuntimeError("cudaErrorStreamCaptureMerge: two captures would become one")
        for stream, recorded in event.after.items():
            self._seen[stream] = max(recorded, self._seen.get(stream, 0))

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.is_capturing():
            raise RuntimeError("cudaErrorIllegalState: the stream is capturing already")
        self._graph, self._origin = Graph(), self

    def end_capture(self) -> Graph:
        graph, members = self._graph, self._members
        if graph is None or self._origin is not self:
            raise RuntimeError("cudaErrorIllegalState: no capture began on this stream")
        joined = all(self._seen.get(stream) == stream._recorded for stream in members)
        for stream in (self, *members):
            stream._graph, stream._origin, stream._members, stream._seen = None, None, set(), {}
        if not joined:
            raise RuntimeError("cudaErrorStreamCaptureUnjoined: another stream's work was not waited for")
        return graph

    def is_capturing(self) -> bool:
        return self._graph is not None

    def submit(self, work: Work) -> None:
        if self._graph is None:
            return work()
        self._recorded += 1
        return self._graph.record(work)


class Event:
    """A point of a stream's work."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.origin: Stream | None = None  # of the capture in which it was recorded
        self.after: dict[Stream, int] = {}
        self.time: float | None = None if disable_timing else 0.0

    def record(self, stream: Stream | None = None) -> None:
        stream = get_current_stream() if stream is None else stream
        self.origin = stream._origin
        self.after = {**stream._seen, stream: stream._recorded}
        if self.time is not None:
            self.time = time.perf_counter()

    @property
    def done(self) -> bool:
        self.synchronize()
        return True

    def synchronize(self) -> None:
        if self.origin is not None:
            _refuse(self.origin, "an event of a capture is waited for")


class _Here(threading.local):
    """The current devices and streams of a thread, the latest last."""

    def __init__(self) -> None:
        self.devices = [0]
        self.streams = [Stream.null]


Stream.null = Stream(null=True)
_HERE = _Here()


def start_afresh() -> None:
    """Forget what a test that failed has left behind."""
    _HERE.devices, _HERE.streams = [0], [Stream.null]


def current_device() -> int:
    return _HERE.devices[-1]


def get_current_stream(device: int = -1) -> Stream:
    return _HERE.streams[-1]


def get_elapsed_time(start: Event, end: Event) -> float:
    """The milliseconds between two events."""
    if start.time is None or end.time is None:
        raise RuntimeError("cudaErrorInvalidResourceHandle: an event without timing")
    return 1e3 * (end.time - start.time)


def is_capturing() -> bool:
    return get_current_stream().is_capturing()


def submit(work: Work, stream: Stream | None = None) -> None:
    """Do some work on a stream, the current one unless told, or record it where the stream captures."""
    (get_current_stream() if stream is None else stream).submit(work)


def refuse_in_capture(what: str) -> None:
    """Raise what CUDA does where something cannot be recorded, on the current stream."""
    _refuse(get_current_stream(), what)


def _refuse(stream: Stream, what: str) -> None:
    if stream.is_capturing():
        raise RuntimeError(f"cudaErrorStreamCaptureUnsupported: {what} while the stream is capturing")
