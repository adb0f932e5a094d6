"""Patterns: how a kernel walks through memory, and its axes, fused where all of its arrays allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from einback.plan.dtypes import DType
from einback.run.cuda.cells import Access
from einback.run.cuda.groups import Group

__all__ = ["Axis", "Pattern", "fused_axes", "patterns_of", "unravelled"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Entries of an array by the axes of a group; where `ids` point, they lie `step` further on for each."""

    root: int
    dtype: DType
    strides: tuple[int, ...]
    offset: int
    ids: Pattern | None = None
    step: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """Axes of a group that run as one: the last one of them gives the stride."""

    axes: tuple[int, ...]
    length: int

    def stride(self, pattern: Pattern) -> int:
        return pattern.strides[self.axes[-1]]


def patterns_of(group: Group, place: int, access: Access, axes: Sequence[int]) -> Pattern:
    """An access of a cell by the axes of its group; `axes` are those of the cell that it is over."""
    strides = [0] * len(group.lengths)
    for k, stride in zip(axes, access.layout.strides, strict=True):
        own = group.axes[place][k]
        if own is not None:
            strides[own] += stride
    return Pattern(access.root, access.dtype, tuple(strides), access.layout.offset)


def fused_axes(axes: Iterable[int], lengths: Sequence[int], patterns: Sequence[Pattern]) -> list[Axis]:
    """Some axes, the one along which most arrays take large steps first; those that run on into each other as one."""
    weight = {k: sum(abs(pattern.strides[k]) for pattern in patterns) for k in axes if lengths[k] != 1}
    found: list[Axis] = []
    for k in sorted(weight, key=lambda k: -weight[k]):
        if found and all(found[-1].stride(p) == p.strides[k] * lengths[k] for p in patterns):
            last = found.pop()
            found.append(Axis((*last.axes, k), last.length * lengths[k]))
        else:
            found.append(Axis((k,), lengths[k]))
    return found


def unravelled(index: str, axes: Sequence[Axis], letter: str, kind: str) -> tuple[list[str], list[str]]:
    """The lines that take an index apart into one for each axis, and the names of these."""
    if len(axes) == 1:
        return [], [index]
    names = [f"{letter}{k}" for k in range(len(axes))]
    lines = []
    for k, (name, axis) in enumerate(zip(names, axes, strict=True)):
        behind = prod(one.length for one in axes[k + 1 :])
        value = index if behind == 1 else f"{index} / {behind}"
        lines.append(f"const {kind} {name} = {value}{f' % {axis.length}' if k else ''};")
    return lines, names


def largest(patterns: Iterable[Pattern], lengths: Sequence[int]) -> int:
    """The furthest entry that any of the patterns reaches."""
    return max(
        (abs(p.offset) + sum(abs(s) * (n - 1) for s, n in zip(p.strides, lengths, strict=True) if n) for p in patterns),
        default=0,
    )


def strides_by(names: Sequence[str], axes: Sequence[Axis], pattern: Pattern) -> Mapping[str, int]:
    return {name: axis.stride(pattern) for name, axis in zip(names, axes, strict=True)}
