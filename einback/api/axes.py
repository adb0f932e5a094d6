"""Axes as users name them: by position, by index name, or as a tuple of these."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import SupportsIndex

from einback.errors import NotationError, ShapeError, did_you_mean
from einback.ir.nodes import Shape

__all__ = ["Axis", "resolve_axes"]

Axis = SupportsIndex | str | Sequence[int | str] | None


def resolve_axes(names: Sequence[str], shape: Shape, axis: Axis) -> tuple[int, ...]:
    """Positions of the axes that the user named: None for all, a position, an index name, or a tuple of them."""
    if axis is None:
        return tuple(range(len(shape)))
    try:
        wanted = [axis] if isinstance(axis, str) else [index(axis)] if isinstance(axis, SupportsIndex) else list(axis)
    except TypeError:
        raise NotationError(
            f"{axis!r} names no axis", hint="give a position, an index name, or a tuple of these"
        ) from None
    found = [_one_axis(names, shape, one) for one in wanted]
    if len(set(found)) < len(found):
        raise ShapeError(f"an axis is given twice in {axis!r}")
    return tuple(found)


def _one_axis(names: Sequence[str], shape: Shape, axis: int | str) -> int:
    shown = ",".join(name or str(size) for name, size in zip(names, shape, strict=True))
    if isinstance(axis, str):
        if axis in names:
            return names.index(axis)
        raise NotationError(
            f"no axis is named {axis!r}: the axes are [{shown}]", hint=did_you_mean(axis, filter(None, names))
        )
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis {axis} does not exist: the tensor has {len(shape)} axes, [{shown}]")
    return axis % len(shape)
