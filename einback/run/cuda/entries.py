"""Entries: the lines of a kernel that load, compute and store the entries of a group's arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from einback.run.cuda.cells import Access, Cell, Gathered, Number, Place
from einback.run.cuda.groups import Group
from einback.run.cuda.patterns import Axis, Pattern, patterns_of, strides_by
from einback.run.cuda.text import address, computed, entry, stored

__all__ = ["Entries", "Split"]

_PACK = 16  # bytes that a thread loads at once


@dataclass(frozen=True, slots=True)
class Split:
    """Each reduction in `count` parts, one a block, which is written to another array, by the place of its cell."""

    count: int
    partial: Mapping[int, int]


@dataclass(slots=True)
class Entries:
    """What a thread does for one entry, or for a pack of neighbours; the lines of a kernel grow in `lines`.

    The kernel writes the arrays `wanted`, those of `group`; arrays that are `aligned` begin at 16 bytes.
    """

    name: str
    group: Group
    wanted: set[int]
    aligned: set[int]
    split: Split | None
    lines: list[str] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    made: dict[int, int] = field(default_factory=dict)
    patterns: dict[int, list[Pattern | None]] = field(default_factory=dict)  # of operands, None for what is made here
    out: dict[int, Pattern] = field(default_factory=dict)
    arrays: dict[int, str] = field(default_factory=dict)
    names: dict[Axis, str] = field(default_factory=dict)  # of the indices along fused axes
    kept: set[int] = field(default_factory=set)  # the cells whose entries are written already
    pack: int = 1
    kind: str = "int"

    def target(self, place: int, cell: Cell) -> Pattern:
        """How the result of a cell lies in memory."""
        out = patterns_of(self.group, place, cell.out, cell.kept)
        if cell.into is None:
            return out
        ids = patterns_of(self.group, place, cell.into.ids, range(len(cell.space)))
        return replace(out, ids=ids, step=cell.into.step)

    def pattern(self, place: int, operand: Access | Gathered | Number | Place) -> Pattern | None:
        """How an operand lies in memory, None where it is made here."""
        axes = range(len(self.group.cells[place].space))
        match operand:
            case Access() if self.made.get(operand.root, place) == place:
                return patterns_of(self.group, place, operand, axes)
            case Gathered():
                ids = patterns_of(self.group, place, operand.ids, axes)
                return replace(patterns_of(self.group, place, operand.array, axes), ids=ids, step=operand.step)
            case _:
                return None

    def loads(self, places: Sequence[int]) -> list[Pattern]:
        """What is read from memory, each once, indices before what they point to."""
        found = [p for place in places for p in self.patterns[place] if p is not None]
        targets = [self.out[place] for place in places if place in self.out]
        return list(dict.fromkeys([*(p.ids for p in (*found, *targets) if p.ids is not None), *found]))

    def packed(self, axes: Sequence[Axis], fixed: Sequence[Axis], patterns: Sequence[Pattern]) -> int:
        """How many neighbours along the last axis are loaded at once."""
        if not axes or not axes[-1].axes or any(pattern.ids is not None for pattern in self.out.values()):
            return 1
        moving = [p for p in patterns if axes[-1].stride(p)]
        pack = _PACK // max((p.dtype.itemsize for p in moving), default=_PACK)
        while pack > 1:
            steps = [axis.stride(p) for p in moving for axis in (*axes[:-1], *fixed)]
            if (
                axes[-1].length % pack == 0
                and all(axes[-1].stride(p) == 1 and p.root in self.aligned for p in moving)
                and all(step % pack == 0 for step in (*steps, *(p.offset for p in moving)))
                and all(p.step % pack == 0 and axes[-1].stride(p.ids) == 0 for p in patterns if p.ids is not None)
            ):
                break
            pack //= 2
        return pack

    @staticmethod
    def strides(names: Sequence[str], axes: Sequence[Axis], pattern: Pattern) -> Mapping[str, int]:
        return strides_by(names, axes, pattern) if axes[-1].axes else {}

    def computed(self, places: Sequence[int], strides: Mapping[Pattern, Mapping[str, int]], last: Axis | None) -> None:
        """Load, compute and store; with a last axis, for each neighbour of a pack."""
        group = self.group
        pack = self.pack if last is not None else 1
        names: dict[Pattern, str] = {}
        inner: list[str] = []
        for k, pattern in enumerate(self.loads(places)):
            array, where = self.arrays[pattern.root], address(strides[pattern], pattern.offset)
            if pattern.ids is not None:
                where = f"{where} + (long long){names[pattern.ids]} * {pattern.step}"
            name = names[pattern] = f"x{k}" if last is not None else f"r{places[0]}_{k}"
            if pack > 1 and last is not None and last.stride(pattern):
                held = f"Pack<{stored(pattern.dtype)}, {pack}>"
                self.lines.append(f"const {held} {name}s = *reinterpret_cast<const {held} *>({array} + ({where}));")
                inner.append(f"const {computed(pattern.dtype)} {name} = {name}s.at[k];")
            else:
                self.lines.append(f"const {computed(pattern.dtype)} {name} = {array}[{where}];")
        stores: list[str] = []
        for place in places:
            cell = group.cells[place]
            operands = [
                names[p] if p is not None else self.inside(place, one, last)
                for one, p in zip(cell.operands, self.patterns[place], strict=True)
            ]
            value = entry(cell, operands)
            if cell.reduction:
                inner.append(f"v{place} = {cell.reduction}::of(v{place}, ({computed(cell.dtype)})({value}));")
                continue
            inner.append(f"const {computed(cell.out.dtype)} v{place} = {self.as_stored(cell, value)};")
            if place not in self.out or place in self.kept or (last is None and self.split):
                continue
            self.kept.add(place)
            if pack > 1 and last is not None and last.stride(self.out[place]):
                held = f"Pack<{stored(self.out[place].dtype)}, {pack}>"
                where = address(strides[self.out[place]], self.out[place].offset)
                self.lines.append(f"{held} s{place};")
                inner.append(f"s{place}.at[k] = v{place};")
                array = self.arrays[cell.out.root]
                stores.append(f"{self.guard()}*reinterpret_cast<{held} *>({array} + ({where})) = s{place};")
            elif last is None:
                inner += self.stored(place, strides, names)
            else:
                inner.append(f"{self.guard()}{self.assignment(place, strides, names)}")
        if pack > 1:
            self.lines += ["#pragma unroll", f"for (int k = 0; k < {pack}; ++k) {{"]
            self.lines += [*(f"    {line}" for line in inner), "}"]
        else:
            self.lines += inner
        self.lines += stores

    def inside(self, place: int, operand: Access | Gathered | Number | Place, last: Axis | None) -> str:
        """What is not loaded: the result of another cell, an index, or a number, which stands for itself."""
        match operand:
            case Access():
                return f"v{self.made[operand.root]}"
            case Place():
                axis = self.group.axes[place][operand.axis]
                return "0" if axis is None else self.index(axis, last)
            case _:
                return ""

    def index(self, axis: int, last: Axis | None) -> str:
        """The index along an axis of the group."""
        fused, name = next((fused, name) for fused, name in self.names.items() if axis in fused.axes)
        if last is not None and fused == last and self.pack > 1:
            name = f"({name} + k)"
        behind = prod(self.group.lengths[k] for k in fused.axes[fused.axes.index(axis) + 1 :])
        name = f"({name} / {behind})" if behind > 1 else name
        return f"({name} % {self.group.lengths[axis]})" if axis != fused.axes[0] else name

    def guard(self) -> str:
        return "if (inside) " if self.group.inner is not None else ""

    def store(self, place: int, strides: Mapping[Pattern, Mapping[str, int]]) -> None:
        if place in self.out and not self.split:
            self.lines += self.stored(place, strides, {})

    def stored(
        self, place: int, strides: Mapping[Pattern, Mapping[str, int]], names: Mapping[Pattern, str]
    ) -> list[str]:
        guard = "if (inside && y == 0) " if self.group.inner is not None else ""
        return [f"{guard}{self.assignment(place, strides, names)}"]

    def assignment(self, place: int, strides: Mapping[Pattern, Mapping[str, int]], names: Mapping[Pattern, str]) -> str:
        pattern = self.out[place]
        where = address(strides[pattern], pattern.offset)
        if pattern.ids is not None:
            where = f"{where} + (long long){names[pattern.ids]} * {pattern.step}"
            return f"atomicAdd(&{self.arrays[pattern.root]}[{where}], v{place});"
        return f"{self.arrays[pattern.root]}[{where}] = v{place};"

    def as_stored(self, cell: Cell, value: str) -> str:
        """What a cell computes as the entry that others read."""
        if computed(cell.dtype) == computed(cell.out.dtype):
            return value
        return f"({value} != 0)" if cell.out.dtype.kind == "b" else f"({computed(cell.out.dtype)})({value})"
