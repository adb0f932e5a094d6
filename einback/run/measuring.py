"""What a program in phases needs: its driver run dry, the most bytes of each phase, and the line that takes them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import numpy as np

from einback.errors import CompileError
from einback.run.dry import ShadowNumPy, shadowed
from einback.run.parts import Array
from einback.run.shadow import Meter
from einback.run.sliced import Driver

__all__ = ["Measured", "measured"]

_FILE = "<einback dry run>"
_PART = re.compile(r"(phase|body|rest)\d+$")
_OWN, _OF_THREAD = 4096, 6144  # bytes of Python's own objects in a call, and in a thread


@dataclass(frozen=True, slots=True)
class Measured:
    """The most bytes alive, in each phase; `step` is the formula above the line that takes most."""

    phases: tuple[int, ...]
    step: str

    @property
    def peak(self) -> int:
        return max(self.phases, default=0)

    def beside(self, space: int) -> Measured:
        """The same beside memory that is kept between calls."""
        return replace(self, phases=tuple(phase + space for phase in self.phases)) if space else self


def measured(
    driver: Driver, inputs: Mapping[str, Array], function: str, threads: int, *, objects: bool = True
) -> Measured:
    """Run a driver on arrays without entries: of each loop the first two slices and the last.

    Python's own objects count where `objects` says so. Raises `CompileError` for a program that calls what no dry run
    knows.
    """
    try:
        return _measured(driver, inputs, function, threads, objects, definite=False)
    except np.linalg.LinAlgError:  # a Cholesky factor that nothing else stands in for
        return _measured(driver, inputs, function, threads, objects, definite=True)
    except (AttributeError, TypeError) as error:
        raise CompileError(
            f"what this program allocates is not known: {error}", hint="leave memory_limit and threads out"
        ) from error


def _measured(
    driver: Driver, inputs: Mapping[str, Array], function: str, threads: int, objects: bool, *, definite: bool
) -> Measured:
    meter = _Located(objects)
    arrays = shadowed(meter, {name: (array.shape, array.dtype, array.strides) for name, array in inputs.items()})
    namespace: dict[str, Any] = {}
    exec(compile(driver.source, _FILE, "exec"), namespace)
    namespace["np"] = ShadowNumPy(meter, definite=definite)
    phases = [0] * len(driver.parts)

    def once(k: int, run: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*given: Any) -> Any:
            meter.most = meter.alive
            made = run(*given)
            phases[k] = max(phases[k], meter.most)
            return made

        return recorded

    def over(work: Callable[[int, int], Any], length: int, step: int) -> Iterator[tuple[int, Any]]:
        k = int(work.__name__.removeprefix("slice")) - 1
        starts = range(0, length, step)
        at_once = min(threads, len(starts))
        for start in sorted({*starts[:2], *starts[-1:]}):
            before, meter.most = meter.alive, meter.alive
            result = work(*(start, min(start + step, length), 0)[: work.__code__.co_argcount])
            phases[k] = max(phases[k], before + (meter.most - before) * at_once)
            meter.most = meter.alive
            yield start, result
            del result
            phases[k] = max(phases[k], meter.most)

    namespace["over"] = over
    for k in range(len(phases)):
        name = f"phase{k + 1}"
        if name in namespace:
            namespace[name] = once(k, namespace[name])
    namespace[function](*(arrays[name] for name in driver.reads))
    phases[-1] = max(phases[-1], meter.most)
    own = _OWN + (_OF_THREAD * threads if threads > 1 else 0) if objects else 0
    return Measured(tuple(phase + own for phase in phases), _formula(driver.source, meter.line))


class _Located(Meter):
    """A meter that knows at which line of the program the most bytes were alive; `most` is since it was last set."""

    def __init__(self, objects: bool) -> None:
        super().__init__(objects)
        self.most = self.line = 0

    def passing(self, nbytes: int) -> None:
        self.most = max(self.most, self.alive + nbytes)
        if self.alive + nbytes > self.peak:
            self.peak = self.alive + nbytes
            self.line = _line(sys._getframe(1))

    def take(self, nbytes: int) -> None:
        self.passing(nbytes)
        self.alive += nbytes


def _line(frame: FrameType | None) -> int:
    """The line of the program that runs: in the function of a part, not in a helper that this calls."""
    line = 0
    while frame is not None:
        if frame.f_code.co_filename == _FILE and (not line or _PART.match(frame.f_code.co_name)):
            line = frame.f_lineno
        frame = frame.f_back
    return line


def _formula(source: str, line: int) -> str:
    """The comment above a line, or the line itself."""
    lines = source.splitlines()[:line]
    for text in reversed(lines):
        if text.strip().startswith("# "):
            return text.strip().removeprefix("# ")
        if text.startswith("def "):
            break
    return lines[-1].strip() if lines else ""
