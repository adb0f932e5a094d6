"""How NumPy's functions see their operands: dtypes, order in memory, and what is laid out anew a stretch at a time.

Operands are numbers, or whatever has a shape, strides and a dtype.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

__all__ = ["buffered", "dtype_of", "joint_shape", "laid_out", "weak"]

_BUFFER = 8192  # entries of an operand that is cast or repeated, which NumPy lays out at a time


def laid_out(operands: Iterable[Any], shape: tuple[int, ...]) -> list[int]:
    """The order in memory that NumPy gives a result, the outermost axis first.

    The axes are sorted by the strides of the operands; where these disagree, C order wins (nditer, order "K").
    """
    strides = [_strides(x, len(shape)) for x in operands if _is_array(x)]
    order: list[int] = []  # the innermost first
    for axis in reversed(range(len(shape))):
        place = len(order)
        for k in reversed(range(len(order))):
            found = [abs(own[order[k]]) <= abs(own[axis]) for own in strides if own[axis] and own[order[k]]]
            if found and any(found):
                break
            place = k if found else place
        order.insert(place, axis)
    return order[::-1]


def _strides(x: Any, rank: int) -> list[int]:
    """The strides of an array over the axes of a result, 0 where it repeats."""
    own = [0 if length == 1 else stride for length, stride in zip(x.shape, x.strides, strict=True)]
    return [0] * (rank - len(own)) + own


def buffered(operands: Sequence[Any], shape: tuple[int, ...], dtypes: Sequence[Any]) -> int:
    """The bytes in which NumPy lays out operands a stretch at a time: those that it casts to `dtypes`, repeats, finds
    in another order than the first, or, of a lone one, with gaps."""
    count, arrays = min(_BUFFER, prod(shape)), [x for x in operands if _is_array(x)]
    lone = len(arrays) == 1

    def in_step(x: Any) -> bool:
        flags = x.flags
        whole = flags.c_contiguous if arrays[0].flags.c_contiguous else flags.f_contiguous
        return bool(x.shape == shape and (x.ndim < 2 or (flags.forc if lone else whole)))

    return sum(
        count * dtype.itemsize
        for x, dtype in zip(operands, dtypes, strict=False)
        if _is_array(x) and (x.dtype != dtype or not in_step(x))
    )


def joint_shape(operands: Iterable[Any]) -> tuple[int, ...]:
    return np.broadcast_shapes(*map(np.shape, operands))


def weak(operand: Any) -> Any:
    """How an operand promotes: a Python number is weak, an array's dtype is not."""
    if isinstance(operand, bool):
        return np.dtype(bool)
    return (
        type(operand)
        if isinstance(operand, int | float | complex) and not isinstance(operand, np.generic)
        else dtype_of(operand)
    )


def dtype_of(operand: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = operand.dtype if hasattr(operand, "dtype") else np.asarray(operand).dtype
    return found


def _is_array(operand: Any) -> bool:
    return bool(np.shape(operand))
