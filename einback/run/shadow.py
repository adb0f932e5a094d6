"""Arrays that have a shape, a dtype and strides, and no entries: what memory a program takes, without taking it.

Each buffer is counted while a view of it lives, so that Python's own reference counts say what is alive at a time,
temporaries of expressions included. Views and copies are told apart by NumPy itself, on the strides of an array
over one item whose entries nobody reads.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod
from operator import index
from typing import Any

import numpy as np

from einback.run.strides import buffered, joint_shape, laid_out, weak

__all__ = ["Meter", "Shadow", "laid_at", "product"]

_ELIDED = 1 << 18  # bytes, from which NumPy computes an operator into a temporary operand
_HEADER = 112  # bytes of an array without its entries, shape and strides


class Meter:
    """The bytes alive, and the most there were; those of Python's own objects for arrays where it says so."""

    def __init__(self, objects: bool = True) -> None:
        self.objects = objects
        self.alive = self.peak = 0

    def take(self, nbytes: int) -> None:
        self.alive += nbytes
        self.peak = max(self.peak, self.alive)

    def passing(self, nbytes: int) -> None:
        """Bytes that a function of NumPy's takes and gives back."""
        self.peak = max(self.peak, self.alive + nbytes)

    def array(self, shape: Sequence[int], dtype: Any, order: Sequence[int] | None = None) -> Shadow:
        """A new array; `order` lists its axes, the outermost first."""
        shape, dtype = tuple(map(index, shape)), np.dtype(dtype)
        strides, step = [0] * len(shape), dtype.itemsize
        for axis in reversed(range(len(shape)) if order is None else order):
            strides[axis] = step
            step *= max(1, shape[axis])
        return Shadow(
            laid_at(dtype, shape, strides),
            _Buffer(self, prod(shape) * dtype.itemsize if shape or not self.objects else 0),
        )


class _Buffer:
    """Memory that is counted from now until the last array over it is gone."""

    __slots__ = ("meter", "nbytes")

    def __init__(self, meter: Meter, nbytes: int) -> None:
        self.meter, self.nbytes = meter, nbytes
        meter.take(nbytes)

    def __del__(self) -> None:
        self.meter.alive -= self.nbytes


def laid_at(dtype: np.dtype[Any], shape: Sequence[int], strides: Sequence[int]) -> np.ndarray[Any, Any]:
    """What NumPy needs to know of an array, over one item; its entries are never read."""
    return np.lib.stride_tricks.as_strided(np.empty(1, dtype), shape, strides)


class Shadow:
    """An array without entries; `view` holds what NumPy needs to know of it, and is never read."""

    __array_ufunc__ = None  # NumPy's own scalars leave operators to the other operand

    def __init__(self, view: np.ndarray[Any, Any], buffer: _Buffer) -> None:
        self.view, self.buffer = view, buffer
        self.header = _Buffer(buffer.meter, _HEADER + 16 * view.ndim if buffer.meter.objects else 0)
        self.shape, self.dtype, self.strides = view.shape, view.dtype, view.strides
        self.ndim, self.size, self.nbytes, self.flags = view.ndim, view.size, view.nbytes, view.flags

    @property
    def meter(self) -> Meter:
        return self.buffer.meter

    def of(self, view: np.ndarray[Any, Any]) -> Shadow:
        """A view of the same memory."""
        return Shadow(view, self.buffer)

    def new(self, dtype: Any = None, order: str = "K") -> Shadow:
        """A new array of the same shape, in C order or in that of this one."""
        return self.meter.array(
            self.shape, self.dtype if dtype is None else dtype, self.axes() if order == "K" else None
        )

    def axes(self) -> list[int]:
        """The axes as they lie in memory, the outermost first."""
        return sorted(range(self.ndim), key=lambda axis: -abs(self.strides[axis]))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __bool__(self) -> bool:
        return False  # what is checked while a program runs is taken to be in order

    def __float__(self) -> float:
        return 0.0

    # views, and copies where NumPy makes them

    @property
    def T(self) -> Shadow:
        return self.of(self.view.T)

    @property
    def mT(self) -> Shadow:
        return self.of(self.view.mT)

    @property
    def real(self) -> Shadow:
        return self.of(self.view.real)

    @real.setter
    def real(self, value: Any) -> None: ...

    @property
    def imag(self) -> Shadow:
        return self.of(self.view.imag) if self.dtype.kind == "c" else self.new()

    @imag.setter
    def imag(self, value: Any) -> None: ...

    def transpose(self, *axes: Any) -> Shadow:
        return self.of(self.view.transpose(*axes))

    def swapaxes(self, first: int, second: int) -> Shadow:
        return self.of(self.view.swapaxes(first, second))

    def squeeze(self, axis: Any = None) -> Shadow:
        return self.of(self.view.squeeze(axis))

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Shadow:
        return self.of(self.view.diagonal(offset, axis1, axis2))

    def reshape(self, *shape: Any) -> Shadow:
        lengths = list(shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)
        if -1 in lengths:
            lengths[lengths.index(-1)] = self.size // max(1, -prod(lengths))
        try:
            return self.of(self.view.reshape(lengths, copy=False))
        except (ValueError, TypeError):  # a copy is needed; NumPy 2.0 does not say
            return self.meter.array(lengths, self.dtype)

    def copy(self, order: str = "C") -> Shadow:
        return self.new(order=order)

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Shadow:
        return self if not copy and np.dtype(dtype) == self.dtype else self.new(dtype, order)

    def __getitem__(self, items: Any) -> Shadow:
        items = items if isinstance(items, tuple) else (items,)
        if not any(isinstance(item, Shadow | np.ndarray) for item in items):
            rest = () if any(item is Ellipsis for item in items) else (Ellipsis,)
            return self.of(self.view[(*items, *rest)])
        return self.meter.array(self._picked(items), self.dtype)

    def _picked(self, items: Sequence[Any]) -> list[int]:
        """The shape of entries that arrays of indices point to; those of another dtype are converted first."""
        pointers = [item for item in items if isinstance(item, Shadow | np.ndarray)]
        if any(pointer.dtype == bool for pointer in pointers):
            return [self.size]
        self.meter.passing(sum(pointer.size * 8 for pointer in pointers if pointer.dtype != np.intp))
        places = [k for k, item in enumerate(items) if isinstance(item, Shadow | np.ndarray)]
        chosen = list(np.broadcast_shapes(*(pointer.shape for pointer in pointers)))
        simple = tuple(slice(None) if k in places else item for k, item in enumerate(items))
        kept = list(self.view[simple].shape)  # full slices hold the places of the pointers
        side_by_side = places == list(range(places[0], places[-1] + 1))
        left = [length for k, length in enumerate(kept) if k not in places]
        at = places[0] if side_by_side else 0
        return [*left[:at], *chosen, *left[at:]]

    def __setitem__(self, items: Any, value: Any) -> None:
        pointers = [item for item in (items if isinstance(items, tuple) else (items,)) if isinstance(item, Shadow)]
        self.meter.passing(sum(pointer.size * 8 for pointer in pointers if pointer.dtype != np.intp))

    def take(self, ids: Any, axis: int) -> Shadow:
        copied = 0 if self.flags.c_contiguous else self.nbytes
        self.meter.passing(copied + (8 * ids.size if ids.dtype != np.intp else 0))
        return self.meter.array([*self.shape[:axis], *ids.shape, *self.shape[axis + 1 :]], self.dtype)

    # reductions

    def _reduced(self, dtype: Any, axis: Any, keepdims: bool) -> Shadow:
        given = axis if isinstance(axis, tuple) else range(self.ndim) if axis is None else (axis,)
        gone = {k % self.ndim for k in given}
        shape = [1 if k in gone else n for k, n in enumerate(self.shape) if keepdims or k not in gone]
        made = self.meter.array(shape, dtype)
        if self.dtype != made.dtype:
            self.meter.passing(buffered([self], self.shape, [made.dtype]))
        return made

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Shadow:
        short = self.dtype.kind in "bui" and self.dtype.itemsize < 8
        return self._reduced(dtype or (np.int64 if short else self.dtype), axis, keepdims)

    def prod(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Shadow:
        return self.sum(axis, dtype, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Shadow:
        return self._reduced(self.dtype, axis, keepdims)

    min = max

    # operators

    def binary(self, other: Any, ufunc: np.ufunc, *, swapped: bool = False, temporary: bool = False) -> Any:
        if not isinstance(other, Shadow | np.ndarray | np.generic | int | float | complex):
            return NotImplemented
        operands = (other, self) if swapped else (self, other)
        *dtypes, dtype = ufunc.resolve_dtypes((*map(weak, operands), None))
        shape = joint_shape(operands)
        alike = not np.ndim(other) if not isinstance(other, Shadow) else other.shape in ((), shape)
        reusable = temporary and not swapped and alike and shape == self.shape and dtype == self.dtype
        if reusable and self.nbytes >= _ELIDED and self.buffer.nbytes == self.nbytes:
            made = Shadow(self.view, self.buffer)
        else:
            made = self.meter.array(shape, dtype, laid_out(operands, shape))
        self.meter.passing(buffered(operands, shape, dtypes))
        return made

    def __matmul__(self, other: Shadow) -> Shadow:
        return product(np.matmul, self, other)

    def __neg__(self) -> Shadow:
        return self.new()

    __invert__ = __abs__ = __neg__


def product(ufunc: np.ufunc, a: Shadow, b: Shadow, out: Shadow | None = None) -> Shadow:
    """A matrix product, whose operands are copied a matrix at a time where BLAS cannot read them."""
    *dtypes, dtype = ufunc.resolve_dtypes((a.dtype, b.dtype, None))
    a.meter.passing(sum(_copied(x, own) for x, own in zip((a, b), dtypes, strict=True)))
    if out is not None:
        return out
    if ufunc is np.vecdot:
        return a.meter.array(np.broadcast_shapes(a.shape[:-1], b.shape[:-1]), dtype)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return a.meter.array((*batch, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ())), dtype)


def _copied(x: Shadow, dtype: Any) -> int:
    core = x.shape[-2:]
    strided = len(core) == 2 and x.dtype.itemsize not in x.strides[-2:] and 1 not in core
    return prod(core) * np.dtype(dtype).itemsize if strided or x.dtype != dtype else 0


_OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power,
    "gt": np.greater, "ge": np.greater_equal, "lt": np.less, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal,
    "or": np.bitwise_or, "and": np.bitwise_and,
}  # fmt: skip

_REUSING = ("add", "sub", "mul", "truediv")


class _Probe:
    def __add__(self, other: int) -> int:
        return sys.getrefcount(self)


def _references() -> tuple[int, int]:
    """How many references an operator sees to a temporary, and to a variable."""
    named = _Probe()
    return _Probe() + 0, named + 0


_TEMPORARY, _NAMED = _references()


def _define(name: str, ufunc: np.ufunc) -> None:
    def operator(self: Shadow, other: Any) -> Any:
        temporary = name in _REUSING and sys.getrefcount(self) == _TEMPORARY < _NAMED
        return self.binary(other, ufunc, temporary=temporary)

    def swapped(self: Shadow, other: Any) -> Any:
        return self.binary(other, ufunc, swapped=True)

    def in_place(self: Shadow, other: Any) -> Shadow:
        self.meter.passing(buffered((self, other), self.shape, (self.dtype, self.dtype)))
        return self

    setattr(Shadow, f"__{name}__", operator)
    if name not in ("gt", "ge", "lt", "le", "eq", "ne"):
        setattr(Shadow, f"__r{name}__", swapped)
        setattr(Shadow, f"__i{name}__", in_place)


for _name, _ufunc in _OPERATORS.items():
    _define(_name, _ufunc)
