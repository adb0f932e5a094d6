"""Workspaces between calls: a step keeps the memory that it works in, and each thread that calls has one of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final
from weakref import WeakValueDictionary

__all__ = ["Steps"]

KEPT_BYTES: Final = 1 << 30  # of all idle workspaces together; beyond, those made first are given back


class Steps:
    """The function that a generated file prepares, once for each thread that runs it at a time.

    `nbytes` is what one workspace takes. One that is larger than all that may be kept lives for one call.
    """

    _lock: ClassVar = threading.Lock()
    _made: ClassVar[WeakValueDictionary[int, Steps]] = WeakValueDictionary()  # by id, the latest to prepare last

    def __init__(
        self, prepare: Callable[[], Callable[..., Any]], nbytes: int, ready: Iterable[Callable[..., Any]] = ()
    ) -> None:
        self._prepare, self._nbytes = prepare, nbytes
        self._idle = [*ready]
        self._kept = nbytes <= KEPT_BYTES

    def __call__(self, *arrays: object, **named: object) -> Any:
        try:
            step = self._idle.pop()
        except IndexError:
            step = self._prepared()
        results = step(*arrays, **named)
        if self._kept:
            self._idle.append(step)
        return results

    def _prepared(self) -> Callable[..., Any]:
        if self._nbytes and self._kept:
            with Steps._lock:
                Steps._made.pop(id(self), None)
                Steps._made[id(self)] = self  # the latest
                total = 0
                for steps in reversed([*Steps._made.values()]):
                    total += steps._nbytes * max(1, len(steps._idle))
                    if total > KEPT_BYTES:
                        steps._idle.clear()
        return self._prepare()
