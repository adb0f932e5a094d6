"""Kernels: the text of a group in CUDA C++, and how it is launched.

elementwise   a thread an entry, or a pack of neighbours that are loaded at once
rows          a block for a few outer indices; its threads share the inner one, in a pass for each reduction that waits
              for another, and in one more that writes what has inner axes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from einback.run.cuda.entries import Entries, Split
from einback.run.cuda.groups import Group, levels
from einback.run.cuda.patterns import Axis, Pattern, fused_axes, largest, unravelled
from einback.run.cuda.text import address, computed, start, stored

__all__ = ["THREADS", "Kernel", "Split", "kernel_of", "split_of"]

THREADS = 256  # of a block
_ENTRIES = 4  # of a row, for each thread that shares it
_BLOCKS, _ROWS, _PART = 264, 8, 1024  # blocks to keep a device busy, rows of one, entries of a part of a row


@dataclass(frozen=True, slots=True)
class Kernel:
    """`text` is a function of the arrays `reads` and `writes`, by root, launched over `blocks` of `threads`."""

    name: str
    text: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    blocks: int
    threads: int


def kernel_of(name: str, group: Group, wanted: set[int], aligned: set[int], split: Split | None = None) -> Kernel:
    """The kernel of a group, which writes the arrays `wanted`; arrays that are `aligned` begin at 16 bytes."""
    return _Text(name, group, wanted, aligned, split).kernel()


class _Text(Entries):
    """The text of a group's kernel."""

    def kernel(self) -> Kernel:
        group = self.group
        self.order = sorted(group.cells)
        self.made = {group.cells[place].out.root: place for place in self.order}
        for place in self.order:
            cell = group.cells[place]
            self.patterns[place] = [self.pattern(place, one) for one in cell.operands]
            if cell.out.root in self.wanted:
                self.out[place] = self.target(place, cell)
        if self.split:
            self.out = {place: self._part(place, root) for place, root in self.split.partial.items()}
        everything = [*self.loads(self.order), *self.out.values()]
        self.kind = "int" if max(largest(everything, group.lengths), prod(group.lengths)) < 1 << 30 else "long long"
        reads = dict.fromkeys(pattern.root for pattern in self.loads(self.order))
        writes = dict.fromkeys(pattern.root for pattern in self.out.values())
        roots = (*(root for root in reads if root not in writes), *writes)
        self.arrays = {root: f"a{k}" for k, root in enumerate(roots)}
        blocks, threads = self._rows(everything) if group.inner is not None else self._elementwise(everything)
        only_read = roots[: len(roots) - len(writes)]
        return Kernel(self.name, self._whole(threads), only_read, tuple(writes), blocks, threads)

    def _whole(self, threads: int) -> str:
        kinds: dict[int, str] = {}
        written = {pattern.root for pattern in self.out.values()}
        for pattern in (*self.loads(self.order), *self.out.values()):
            kinds[pattern.root] = stored(pattern.dtype)
        both = written & {pattern.root for pattern in self.loads(self.order)}
        words = [
            f"{'' if root in written else 'const '}{kinds[root]} *{'' if root in both else '__restrict__ '}{name}"
            for root, name in self.arrays.items()
        ]
        body = "\n".join(f"    {line}" for line in self.lines)
        head = f'extern "C" __global__ void __launch_bounds__({threads}) {self.name}'
        return f"{head}(\n    {', '.join(words)}\n) {{\n{body}\n}}\n"

    def _part(self, place: int, root: int) -> Pattern:
        """How the parts of a reduction lie in memory: outer indices in order."""
        steps = self.group.steps
        strides = tuple(steps.get(axis, 0) for axis in range(len(self.group.lengths)))
        return Pattern(root, self.group.cells[place].held, strides, 0)

    def _elementwise(self, everything: Sequence[Pattern]) -> tuple[int, int]:
        axes = fused_axes(range(len(self.group.lengths)), self.group.lengths, everything) or [Axis((), 1)]
        self.pack = self.packed(axes, [], everything)
        total = prod(axis.length for axis in axes) // self.pack
        index = f"blockIdx.x * ({self.kind}){THREADS} + threadIdx.x"
        self.lines += [f"const {self.kind} t = {index};", f"if (t >= {total}) return;"]
        self.lines.append(f"const {self.kind} i = t * {self.pack};" if self.pack > 1 else f"const {self.kind} i = t;")
        lines, names = unravelled("i", axes, "i", self.kind)
        self.lines += lines
        self.names = dict(zip(axes, names, strict=True))
        self.computed(self.order, strides={p: self.strides(names, axes, p) for p in everything}, last=axes[-1])
        return -(-total // THREADS), THREADS

    def _rows(self, everything: Sequence[Pattern]) -> tuple[int, int]:
        group = self.group
        assert group.inner is not None
        outer = fused_axes(group.outer, group.lengths, everything) or [Axis((), 1)]
        inner = fused_axes(group.inner, group.lengths, everything) or [Axis((), 1)]
        count, length = (prod(axis.length for axis in axes) for axes in (outer, inner))
        columns = self._goes_along(outer, everything) > self._goes_along(inner, everything)
        self.pack = 1 if columns else self.packed(inner, [a for a in outer if a.axes], everything)
        x, y = _shape(count, length // self.pack, columns)
        parts = self.split.count if self.split else 1
        chunk = -(-length // (parts * self.pack)) * self.pack
        kind = self.kind
        rest, whole = f"threadIdx.x % {x if columns else y}", f"threadIdx.x / {x if columns else y}"
        first, second = (rest, whole) if columns else (whole, rest)
        block = "blockIdx.x" if parts == 1 else f"blockIdx.x / {parts}"
        self.lines += [
            f"__shared__ __align__(16) double shared[{x * y * self._doubles()}];",
            f"const int x = {first}, y = {second};",
            f"const {kind} row = {block} * ({kind}){x} + x;",
            f"const bool inside = row < {count};",
            f"const {kind} o = inside ? row : 0;",
        ]
        if parts > 1:
            self.lines.append(f"const {kind} begin = blockIdx.x % {parts} * ({kind}){chunk};")
            self.lines.append(f"const {kind} end = begin + {chunk} < {length} ? begin + {chunk} : {length};")
        lines, own = unravelled("o", outer, "o", kind)
        self.lines += lines
        more, along = unravelled("j", inner, "j", kind)
        self.names = dict(zip((*outer, *inner), (*own, *along), strict=True))
        strides = {
            p: {**self.strides(own, outer, p), **self.strides(along, inner, p)} for p in everything
        }  # fmt: skip
        first_j = "y" if self.pack == 1 else f"y * {self.pack}"
        loop = (f"for ({kind} j = {'begin + ' if parts > 1 else ''}{first_j}; j < {'end' if parts > 1 else length}; "
                f"j += {y * self.pack}) {{")  # fmt: skip
        self._passes(strides, inner[-1], loop, more, (columns, x, y))
        if self.split:
            self.lines.append("if (inside && y == 0) {")
            self.lines += [
                f"    {self.arrays[pattern.root]}[blockIdx.x % {parts} * ({kind}){count} + "
                f"{address(strides[pattern], 0)}] = v{place};"
                for place, pattern in self.out.items()
            ]
            self.lines.append("}")
        return -(-count // x) * parts, x * y

    def _doubles(self) -> int:
        """How much room the part of a reduction takes that a thread shares."""
        held = [cell.held.itemsize for cell in self.group.cells.values() if cell.reduction]
        return 2 if max(held, default=0) > 8 else 1

    def _goes_along(self, axes: Sequence[Axis], patterns: Sequence[Pattern]) -> int:
        """How many arrays lie along the last of some axes."""
        if not axes[-1].axes:
            return 0
        size = [prod(n for s, n in zip(p.strides, self.group.lengths, strict=True) if s) for p in patterns]
        largest_size = max(size, default=1)
        return sum(axes[-1].stride(p) == 1 and 4 * n >= largest_size for p, n in zip(patterns, size, strict=True))

    def _passes(
        self,
        strides: Mapping[Pattern, Mapping[str, int]],
        last: Axis,
        loop: str,
        more: Sequence[str],
        shape: tuple[bool, int, int],
    ) -> None:
        group = self.group
        level = levels(group, self.order)
        full = [p for p in self.order if group.over_inner(p) and not group.cells[p].reduction]
        single = [p for p in self.order if p not in full]
        for depth in range(max(level.values(), default=0) + 1):
            now = [p for p in single if group.cells[p].reduction and level[p] == depth]
            for place in now:
                cell = group.cells[place]
                self.lines.append(f"{computed(cell.dtype)} v{place} = {start(cell)};")
            if now:
                self._loop([*self._needed(now, full), *now], strides, last, loop, more)
                for place in now:
                    self.lines.append(self._combined(place, *shape))
            rows = [p for p in single if not group.cells[p].reduction and level[p] == depth]
            if self.split and depth:
                break
            self.computed(rows, strides, None)
            for place in now:
                self.store(place, strides)
        kept = [place for place in full if place in self.out and place not in self.kept]
        if not self.split and kept:
            self._loop(self._needed(kept, full, own=True), strides, last, loop, more)

    def _combined(self, place: int, columns: bool, x: int, y: int) -> str:
        cell = self.group.cells[place]
        kind = computed(cell.dtype)
        call = f"along_column<{cell.reduction}, {x}, {y}>" if columns else f"along_row<{cell.reduction}, {y}>"
        return f"v{place} = {call}(v{place}, reinterpret_cast<{kind}*>(shared));"

    def _needed(self, places: Sequence[int], full: Sequence[int], own: bool = False) -> list[int]:
        """The cells over inner axes that some cells read, and `own` if these are among them."""
        found, waiting = set(places if own else ()), [*places]
        while waiting:
            for read in self.group.cells[waiting.pop()].reads:
                maker = self.made.get(read.root)
                if maker is not None and maker in full and maker not in found:
                    found.add(maker)
                    waiting.append(maker)
        return sorted(found)

    def _loop(
        self,
        places: Sequence[int],
        strides: Mapping[Pattern, Mapping[str, int]],
        last: Axis,
        loop: str,
        more: Sequence[str],
    ) -> None:
        outside, self.lines = self.lines, [*more]
        self.computed(places, strides, last)
        self.lines = [*outside, loop, *(f"    {line}" for line in self.lines), "}"]

    # lines of one entry


def split_of(group: Group, wanted: set[int]) -> int:
    """Into how many parts to take long reductions with few results; 0 to leave them whole."""
    if group.inner is None:
        return 0
    level = levels(group, sorted(group.cells))
    whole = any(cell.out.root in wanted and group.over_inner(place) and not cell.reduction
                for place, cell in group.cells.items())  # fmt: skip
    if whole or max(level.values()) > 1:
        return 0
    count, length = (prod(group.lengths[k] for k in axes) for axes in (group.outer, group.inner))
    parts = min(-(-_BLOCKS // -(-count // _ROWS)), length // _PART)
    return parts if parts > 1 else 0


def _shape(count: int, length: int, columns: bool) -> tuple[int, int]:
    """How many outer indices a block has, and how many threads share each."""
    if columns:
        return 32, _power(min(length, 8 if count >= 1 << 14 else 16))
    y = _power(min(512, max(1, length // _ENTRIES if length > 32 else length)))
    return max(1, THREADS // max(y, 1)), y


def _power(number: int) -> int:
    """The largest power of two up to a number."""
    return 1 << max(0, number.bit_length() - 1)
