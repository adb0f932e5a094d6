"""Slicing to a limit of memory: which indices to slice, and how long the slices may be.

The program starts as one phase. While a phase needs more than the limit, it is split over the index of one of its
large nodes, the most promising split first; then every loop gets the longest slices that fit. What counts is what a
dry run of the finished program finds. Where nothing fits, the same search for the least memory says what would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import inf, log, prod
from typing import TypeVar

from einback.errors import CompileError
from einback.ir.nodes import Input, Node
from einback.ir.walk import children, postorder
from einback.plan.binding import Sizes, resolve
from einback.plan.cost import elements
from einback.plan.dtypes import DType
from einback.plan.phases import Loop, Phase, Straight, split
from einback.plan.slices import AFTER, classify, seeds
from einback.run.measuring import Measured, measured
from einback.run.parts import Array, Parts
from einback.run.sliced import Driver, Layout, drive
from einback.run.source import Structure

__all__ = ["Fitted", "Target", "cut_for_threads", "fitted"]

_T = TypeVar("_T")

_RATES = (inf, 0.0, 16.0)  # operations an entry, up to which values are computed again rather than kept
_SEEDS = 8  # large nodes at which a split is tried
_DEPTH = 5  # splits after one another
_FOLLOWED = 2  # splits that are followed further
_SWEPT, _SWEEPS = 4, 12  # indices that are split over again and again, and how often
_LEAST_TRIED, _MOST_TRIED, _NODES_TRIED = 32, 256, 8000  # splits that are tried: fewer of large programs
_TRIALS = 8  # lengths of slices
_SHORT = 2  # entries of the slices that show what a split saves
_MULTIPLE = 8  # of which slices are, where they are longer than that
_LEAST_SHARE = 0.5  # of the operations, for which slices are worth cutting
_REPEATED = 0.5  # of what slices read and write of their own, what they may read or add up whole
_BEST_MERIT = (1.0, 0)  # all operations but a few, slices that lie in one piece
_ALIKE = 1.25  # ratio of operations that count as equal


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be fitted: how the program is written, what it reads and returns, and on how many threads it runs.

    On a `device` the bytes of arrays are all that counts.
    """

    parts: Parts
    inputs: Mapping[str, Array]
    structure: Structure
    results: tuple[tuple[str, DType], ...]
    threads: int
    real: bool
    slices: int = 0  # how many to aim at, where it is for speed
    device: bool = False


@dataclass(frozen=True, slots=True)
class Fitted:
    """A layout with its driver and what this needs."""

    layout: Layout
    driver: Driver
    needs: Measured

    @property
    def loops(self) -> list[Loop]:
        return _loops(self.layout.phases)

    @property
    def stride(self) -> int:
        """How far in sliced axes stand; slices of leading axes lie in one piece."""
        return sum(max(taken.axes) for loop in self.loops for taken in loop.takes if taken.axes)

    def repeated(self, sizes: Sizes) -> float:
        """The entries that each slice reads or adds up whole, over those that it reads and writes of its own."""
        whole = own = 1
        for k, phase in enumerate(self.layout.phases):
            if isinstance(phase, Loop):
                lengths = {**sizes, phase.symbol: self.layout.lengths[k]}
                read = [(bool(taken.axes), resolve(taken.tensor.sizes, lengths)) for taken in phase.takes]
                parts = zip(phase.makes, self.driver.parts[k][0].makes, strict=True)
                for sliced, shape in (*read, *((one.stacked, array.shape) for one, array in parts)):
                    own, whole = (own + prod(shape), whole) if sliced else (own, whole + prod(shape))
        return whole / own

    def flops(self, k: int) -> int:
        """The operations of phase k; of a loop, of all its slices."""
        phase, length = self.layout.phases[k], self.layout.lengths[k]
        whole, *rest = self.driver.parts[k]
        times = phase.length // min(length, phase.length) if isinstance(phase, Loop) else 1
        return whole.plan.flops * times + sum(part.plan.flops for part in rest)

    @property
    def all_flops(self) -> int:
        return sum(self.flops(k) for k in range(len(self.layout.phases)))

    @property
    def share(self) -> float:
        """The part of the operations that slices do."""
        cut = sum(self.flops(k) for k, phase in enumerate(self.layout.phases) if isinstance(phase, Loop))
        return cut / max(1, self.all_flops)

    @property
    def merit(self) -> tuple[float, int, float]:
        """What slices for speed are chosen by: most of the operations, over leading axes."""
        return round(self.share, 1), -self.stride, self.share


def fitted(whole: Straight, target: Target, limit: int) -> Fitted:
    """The program in slices that needs at most `limit` bytes. Raises `CompileError` if there is none."""
    start = _tried(target, (whole,), (0,))
    if start.needs.peak <= limit:
        return cut_for_threads(whole, target, limit)
    search = _Search(target)
    least = search.least(start, limit)
    if least.needs.peak > limit:
        least = search.polished(search.least(start, 0))
    if least.needs.peak <= limit:
        return search.longest(least, limit)
    lengths = " and one of ".join(dict.fromkeys(f"{loop.length:,}" for loop in least.loops))
    worded = replace(target, parts=replace(target.parts, described=True, _made={}))
    step = _tried(worded, (whole,), (0,)).needs.step
    raise CompileError(
        f"{step} takes the program to {start.needs.peak:,} bytes, and memory_limit is {limit:,}",
        hint=f"the smallest limit that works for these arrays is {least.needs.peak:,}"
        + (f", in slices over an axis of {lengths}" if lengths else ""),
    )


def cut_for_threads(whole: Straight, target: Target, limit: float = inf) -> Fitted:
    """The program in a few slices a thread, over the index that cuts most of its operations; else as it is."""
    start = _tried(target, (whole,), (0,))
    if target.threads == 1:
        return start
    for count in dict.fromkeys((max(target.slices, target.threads), target.threads)):
        found = start
        for one in _Search(target).threaded(start, count):
            useful = one.share >= _LEAST_SHARE and one.all_flops <= _ALIKE * start.all_flops
            allowed = one.needs.peak <= limit and one.repeated(target.parts.sizes) <= _REPEATED
            if useful and allowed and (found is start or one.merit > found.merit):
                found = one
            if found.merit[:2] == _BEST_MERIT:
                break
        if found is not start:
            return found
    return start


def _tried(target: Target, phases: tuple[Phase, ...], lengths: tuple[int, ...]) -> Fitted:
    layout = Layout(phases, lengths, target.threads, target.slices > 0)
    driver = drive(layout, target.parts, target.inputs, target.structure, target.results)
    space = max((part.space for parts in driver.parts for part in parts), default=0)
    needs = measured(driver, target.inputs, "step", target.threads, objects=not target.device)
    return Fitted(layout, driver, needs.beside(space))


class _Search:
    def __init__(self, target: Target) -> None:
        self._target, self._sizes = target, target.parts.sizes
        self._known: dict[Layout, Fitted] = {}

    def _tried(self, phases: tuple[Phase, ...], lengths: tuple[int, ...]) -> Fitted:
        layout = Layout(phases, lengths, self._target.threads, self._target.slices > 0)
        if layout not in self._known:
            self._known[layout] = _tried(self._target, phases, lengths)
        return self._known[layout]

    def least(self, start: Fitted, goal: int) -> Fitted:
        """Split what needs more than the goal, in short slices, until all is below it or nothing is left."""
        nodes = sum(1 for phase in start.layout.phases for _ in postorder(phase.roots))
        budget = min(_MOST_TRIED, max(_LEAST_TRIED, _NODES_TRIED // nodes))
        best, followed = start, [start]
        for _ in range(_DEPTH):
            if best.needs.peak <= goal:
                return best
            splits = islice((one for each in followed for one in self._splits(each, goal)), budget)
            found = {one.layout.phases: one for one in splits}
            budget -= len(found)
            followed = sorted(found.values(), key=lambda one: self._rank(one, goal))[:_FOLLOWED]
            best = min([best, *followed], key=lambda one: self._rank(one, goal))
        return min([best, *islice(self._swept(start, goal), _SWEPT)], key=lambda one: self._rank(one, goal))

    def _swept(self, start: Fitted, goal: int) -> Iterator[Fitted]:
        """The program split over one index again and again, which may pay with the last split only, as of a softmax.

        Of the ways to split, that which hands on least is taken.
        """
        lengths = {
            loop.length: None for pieces in self._pieces(start.layout.phases, 0, (inf,)) for loop in _loops(pieces)
        }
        for length in lengths:
            one = start
            for _ in range(_SWEEPS):
                k = self._worst(one, goal)
                found = [] if k is None else [pieces for pieces in self._pieces(one.layout.phases, k, (inf,))
                                              if {loop.length for loop in _loops(pieces)} == {length}]  # fmt: skip
                if k is None or not found:
                    break
                one = self._with(one, k, min(found, key=self._handed))
            yield one

    def _handed(self, pieces: Sequence[Phase]) -> tuple[int, int]:
        """The entries of what is handed from one phase to another, and the nodes that are not in slices."""
        entries = 0
        for phase in pieces[:-1]:
            sizes = {**self._sizes, phase.symbol: phase.length} if isinstance(phase, Loop) else self._sizes
            entries += sum(elements(root, sizes) for root in phase.roots)
        return entries, sum(1 for p in pieces if isinstance(p, Straight) for _ in postorder(p.roots))

    def _rank(self, one: Fitted, goal: int) -> tuple[float, ...]:
        """What fits comes first, with few operations, of slices that lie in order; else the least memory and rest."""
        if one.needs.peak > goal:
            return 1, one.needs.peak, one.all_flops
        flops = round(log(1 + one.all_flops, _ALIKE))
        return 0, flops, one.stride, sum(loop.length for loop in one.loops), one.needs.peak

    def polished(self, best: Fitted) -> Fitted:
        """The least memory over slices of some more entries, or of one, which take other paths through NumPy."""
        for k, phase in enumerate(best.layout.phases):
            for length in (1, _MULTIPLE) if isinstance(phase, Loop) else ():
                found = self._tried(best.layout.phases, _replaced(best.layout.lengths, k, length))
                best = min(best, found, key=lambda one: one.needs.peak)
        return best

    # splits

    def _splits(self, best: Fitted, goal: int) -> Iterator[Fitted]:
        """The worst phase that runs once, split in all ways that are tried, into short slices."""
        k = self._worst(best, goal)
        if k is not None:
            for pieces in self._pieces(best.layout.phases, k, _RATES):
                yield self._with(best, k, pieces)

    def _worst(self, one: Fitted, goal: int) -> int | None:
        """The phase that runs once and needs most, if that is above the goal."""
        once = [k for k, phase in enumerate(one.layout.phases) if isinstance(phase, Straight)]
        above = [k for k in once if one.needs.phases[k] > goal]
        return max(above, key=lambda k: one.needs.phases[k], default=None)

    def _with(self, one: Fitted, k: int, pieces: Sequence[Phase]) -> Fitted:
        """The program with phase k split, into short slices."""
        own = tuple(_SHORT if isinstance(phase, Loop) else 0 for phase in pieces)
        return self._tried(_replaced(one.layout.phases, k, *pieces), _replaced(one.layout.lengths, k, *own))

    def threaded(self, start: Fitted, count: int) -> Iterator[Fitted]:
        """The whole program split over each index, into so many slices."""
        for pieces in self._pieces(start.layout.phases, 0, (inf,)):
            lengths = tuple(-(-phase.length // count) if isinstance(phase, Loop) else 0 for phase in pieces)
            yield self._tried(pieces, lengths)

    def _pieces(self, phases: Sequence[Phase], k: int, rates: Sequence[float]) -> Iterator[tuple[Phase, ...]]:
        """What phase k is split into, in all ways that are tried."""
        phase = phases[k]
        assert isinstance(phase, Straight)
        names = {*self._target.inputs, *(name for other in phases for name in _made(other))}
        seen: set[tuple[Phase, ...]] = set()
        for node, label in self._starts(phase):
            for rate in rates:
                pieces = split(phase, {node: label}, sizes=self._sizes, taken=names, rate=rate, real=self._target.real)
                if pieces and pieces not in seen:
                    seen.add(pieces)
                    yield pieces

    def _starts(self, phase: Straight) -> list[tuple[Node, int]]:
        """Large nodes and the labels at which to cut them, without those that an earlier start cuts alike."""
        order = [node for node in postorder(phase.roots) if not isinstance(node, Input) and children(node)]
        covered: set[tuple[Node, int]] = set()
        found = []
        for node in sorted(order, key=self._entries, reverse=True)[:_SEEDS]:
            for label in seeds(node):
                if (node, label) not in covered:
                    found.append((node, label))
                    roles = classify(phase.roots, {node: label}, real=self._target.real)
                    covered.update((other, role.label) for other, role in roles.items() if role != AFTER)
        return found

    def _entries(self, node: Node) -> int:
        """The entries of a node, or of the largest that it reads."""
        return max(elements(each, self._sizes) for each in (node, *children(node)))

    # lengths

    def longest(self, least: Fitted, limit: int) -> Fitted:
        """The longest slices that fit, loop by loop."""
        best = least
        for k, phase in enumerate(least.layout.phases):
            if isinstance(phase, Loop):
                best = self._lengthened(best, k, phase.length, limit)
        return best

    def _lengthened(self, best: Fitted, k: int, whole: int, limit: int) -> Fitted:
        """What a slice needs grows in proportion to its length, more or less; where it does not, halfway is tried."""
        low, high = best.layout.lengths[k], whole
        probe = min(whole, max(_MULTIPLE, low + 1))
        for _ in range(_TRIALS):
            if not low < probe <= high:
                break
            found = self._tried(best.layout.phases, _replaced(best.layout.lengths, k, probe))
            if found.needs.peak <= limit:
                slope = max(1, found.needs.phases[k] - best.needs.phases[k]) / (probe - low)
                best, low = found, probe
                probe = min(high, low + int((limit - found.needs.phases[k]) / slope))
            else:
                high = probe - 1
                probe = (low + high + 1) // 2
            probe = probe if probe < _MULTIPLE or probe == whole else probe // _MULTIPLE * _MULTIPLE
        return best


def _loops(phases: Sequence[Phase]) -> list[Loop]:
    return [phase for phase in phases if isinstance(phase, Loop)]


def _made(phase: Phase) -> Sequence[str]:
    return phase.makes if isinstance(phase, Straight) else tuple(made.name for made in phase.makes)


def _replaced(items: tuple[_T, ...], k: int, *new: _T) -> tuple[_T, ...]:
    return (*items[:k], *new, *items[k + 1 :])
