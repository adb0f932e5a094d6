"""Slicing to a limit of memory: which indices to slice, and how long the slices may be.

The program starts as one phase. While a phase needs more than the limit, it is split over the index of one of its
large nodes, the most promising split first; then every loop gets the longest slices that fit. What counts is what a
dry run of the finished program finds. Where nothing fits, the same search for the least memory says what would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log

from einback.errors import CompileError
from einback.ir.nodes import Input, Node
from einback.ir.walk import children, postorder
from einback.plan.cost import elements
from einback.plan.dtypes import DType
from einback.plan.phases import Loop, Phase, Straight, split
from einback.plan.slices import AFTER, classify, seeds
from einback.run.measuring import Measured, measured
from einback.run.parts import Array, Parts
from einback.run.sliced import Driver, Layout, drive
from einback.run.source import Structure

__all__ = ["Fitted", "Target", "fitted"]

_RATES = (inf, 0.0, 16.0)  # operations an entry, up to which values are computed again rather than kept
_SEEDS = 8  # large nodes at which a split is tried
_DEPTH = 5  # splits after one another
_ALIKE = 1.25  # ratio of operations that count as equal
_MULTIPLE = 8  # of which slices are, where they are longer than that


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be fitted: how the program is written, what it reads and returns, and on how many threads it runs."""

    parts: Parts
    inputs: Mapping[str, Array]
    structure: Structure
    results: tuple[tuple[str, DType], ...]
    threads: int
    real: bool


@dataclass(frozen=True, slots=True)
class Fitted:
    """A layout with its driver and what this needs."""

    layout: Layout
    driver: Driver
    needs: Measured



def fitted(whole: Straight, target: Target, limit: int | None) -> Fitted:
    """The program in slices that needs at most `limit` bytes. Raises `CompileError` if there is none."""
    start = _tried(target, (whole,), (0,))
    if limit is None or start.needs.peak <= limit:
        return start
    search = _Search(target)
    for goal in (limit, 0):
        least = search.least(start, goal)
        if goal == 0:
            least = search.polished(least)
        if least.needs.peak <= limit:
            return search.longest(least, limit)
    names = [f"{phase.length}" for phase in least.layout.phases if isinstance(phase, Loop)]
    raise CompileError(
        f"{start.needs.step} takes the program to {start.needs.peak:,} bytes, and memory_limit is {limit:,}",
        hint=f"the smallest limit that works for these arrays is {least.needs.peak:,} bytes"
        + (f", with slices over an axis of {' and one of '.join(names)}" if names else ""),
    )


def _tried(target: Target, phases: tuple[Phase, ...], lengths: tuple[int, ...]) -> Fitted:
    layout = Layout(phases, lengths, target.threads)
    driver = drive(layout, target.parts, target.inputs, target.structure, target.results)
    return Fitted(layout, driver, measured(driver, target.inputs, "step", target.threads))


class _Search:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._sizes = target.parts.sizes

    def least(self, start: Fitted, goal: int) -> Fitted:
        """Split what needs more than the goal, in slices of one entry, until all is below it or nothing helps."""
        best = start
        for _ in range(_DEPTH):
            if best.needs.peak <= goal:
                break
            found = min(self._splits(best, goal), key=lambda one: self._rank(one, goal), default=None)
            if found is None or found.needs.peak >= best.needs.peak:
                break
            best = found
        return best

    def polished(self, best: Fitted) -> Fitted:
        """The least memory over slices of a few entries: one entry alone may take other paths through NumPy."""
        for k, phase in enumerate(best.layout.phases):
            for length in (2, _MULTIPLE) if isinstance(phase, Loop) else ():
                found = _tried(self._target, best.layout.phases, _replaced(best.layout.lengths, k, length))
                best = min(best, found, key=lambda one: one.needs.peak)
        return best

    def _rank(self, one: Fitted, goal: int) -> tuple[float, ...]:
        """What fits comes first, with few operations, of slices that lie in order; else the least memory."""
        peak, loops = one.needs.peak, [phase for phase in one.layout.phases if isinstance(phase, Loop)]
        flops = sum(part.plan.flops * _times(phase, one.layout.lengths[k])
                    for k, phase in enumerate(one.layout.phases) for part in one.driver.parts[k][:1])  # fmt: skip
        if peak > goal:
            return 1, peak, flops
        strided = sum(max(taken.axes) for loop in loops for taken in loop.takes if taken.axes)
        return 0, round(log(1 + flops, _ALIKE)), strided, sum(loop.length for loop in loops), peak

    def _splits(self, best: Fitted, goal: int) -> Iterator[Fitted]:
        """The worst phase that runs once, split in all ways that are tried."""
        phases = best.layout.phases
        once = [k for k, phase in enumerate(phases) if isinstance(phase, Straight) and best.needs.phases[k] > goal]
        if not once:
            return
        k = max(once, key=lambda k: best.needs.phases[k])
        phase = phases[k]
        assert isinstance(phase, Straight)
        names = {*self._target.inputs, *(name for other in phases for name in _made(other)), *(name for name, _ in self._target.results)}
        seen: set[tuple[Phase, ...]] = set()
        for node, label in self._starts(phase):
            for rate in _RATES:
                pieces = split(phase, {node: label}, sizes=self._sizes, taken=names, rate=rate, real=self._target.real)
                if pieces and pieces not in seen:
                    seen.add(pieces)
                    lengths = tuple(int(isinstance(piece, Loop)) for piece in pieces)
                    yield _tried(
                        self._target,
                        (*phases[:k], *pieces, *phases[k + 1 :]),
                        (*best.layout.lengths[:k], *lengths, *best.layout.lengths[k + 1 :]),
                    )

    def _starts(self, phase: Straight) -> list[tuple[Node, int]]:
        """Large nodes and the labels at which to cut them, without those that an earlier start cuts alike."""
        order = [node for node in postorder(phase.roots) if not isinstance(node, Input) and children(node)]
        large = sorted(order, key=self._entries, reverse=True)[:_SEEDS]
        covered: set[tuple[Node, int]] = set()
        found = []
        for node in large:
            for label in seeds(node):
                if (node, label) not in covered:
                    found.append((node, label))
                    roles = classify(phase.roots, {node: label}, real=self._target.real)
                    covered.update((other, role.label) for other, role in roles.items() if role != AFTER)
        return found

    def _entries(self, node: Node) -> int:
        """The entries of a node, or of the largest that it reads."""
        return max(elements(each, self._sizes) for each in (node, *children(node)))

    def longest(self, least: Fitted, limit: int) -> Fitted:
        """The longest slices that fit, loop by loop: what a slice needs grows in proportion to its length."""
        best = least
        for k, phase in enumerate(least.layout.phases):
            if isinstance(phase, Loop):
                best = self._lengthened(best, k, phase.length, limit)
        return best

    def _lengthened(self, best: Fitted, k: int, whole: int, limit: int) -> Fitted:
        low, high = best.layout.lengths[k], whole
        probe = min(whole, max(_MULTIPLE, low + 1))
        for _ in range(_TRIALS):
            if probe <= low or probe > high:
                break
            found = _tried(self._target, best.layout.phases, _replaced(best.layout.lengths, k, probe))
            if found.needs.peak <= limit:
                slope = max(1, found.needs.phases[k] - best.needs.phases[k]) / (probe - low)
                best, low = found, probe
                probe = min(high, low + int((limit - found.needs.phases[k]) / slope))
            else:
                high = probe - 1
                probe = (low + high + 1) // 2
            probe = probe if probe < _MULTIPLE or probe == whole else probe // _MULTIPLE * _MULTIPLE
        return best


_TRIALS = 8


def _made(phase: Phase) -> Sequence[str]:
    return phase.makes if isinstance(phase, Straight) else tuple(made.name for made in phase.makes)


def _times(phase: Phase, length: int) -> int:
    return phase.length // length if isinstance(phase, Loop) else 1


def _replaced(lengths: tuple[int, ...], k: int, length: int) -> tuple[int, ...]:
    return (*lengths[:k], length, *lengths[k + 1 :])
