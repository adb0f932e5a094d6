"""Dry runs: the memory that a generated program takes, measured on arrays without entries.

A program is run with NumPy's functions replaced by ones that only make shapes: it takes microseconds a step, and
counts every temporary that an expression makes, and the copies inside NumPy's functions, as far as these are
known. What is counted is what NumPy allocates; scalars and Python's own objects are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from einback.run.shadow import Meter, Shadow, laid_at, product
from einback.run.strides import buffered, dtype_of, joint_shape, laid_out, weak

__all__ = ["ShadowNumPy", "shadowed"]

Shape = tuple[int, ...]


def shadowed(meter: Meter, shapes: Mapping[str, tuple[Shape, Any, Shape]]) -> dict[str, Shadow]:
    """Arrays without entries that count nothing, those of a caller: by name, with strides if not in C order."""
    made = {name: meter.array(shape, dtype) for name, (shape, dtype, _) in shapes.items()}
    for name, (shape, dtype, strides) in shapes.items():
        if strides:
            made[name] = made[name].of(laid_at(dtype, shape, strides))
    for array in made.values():
        for counted in (array.buffer, array.header):
            meter.alive -= counted.nbytes
            counted.nbytes = 0
    meter.peak = meter.alive
    return made


class ShadowNumPy:
    """What stands for `np` in a generated program: its functions make arrays without entries.

    With `definite`, matrices are taken to be positive definite; else a Cholesky factorisation fails.
    """

    def __init__(self, meter: Meter, *, definite: bool) -> None:
        self._meter = meter
        self.linalg = _ShadowLinalg(meter, definite)
        self.lib = _Lib

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        return _Ufunc(self._meter, found) if isinstance(found, np.ufunc) else found

    # new arrays

    def empty(self, shape: Any, dtype: Any = np.float64) -> Shadow:
        return self._meter.array((shape,) if isinstance(shape, int) else shape, dtype)

    zeros = ones = empty

    def full(self, shape: Any, value: Any, dtype: Any = None) -> Shadow:
        return self.empty(shape, dtype_of(value) if dtype is None else dtype)

    def full_like(self, x: Any, value: Any = None) -> Shadow:
        return x.new() if isinstance(x, Shadow) else self.empty(np.shape(x), dtype_of(x))

    empty_like = zeros_like = full_like

    def eye(self, n: int, m: int | None = None, dtype: Any = np.float64) -> Shadow:
        return self.empty((n, n if m is None else m), dtype)

    def arange(self, n: int) -> Shadow:
        return self.empty((n,), np.int64)

    # views and copies

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        if not isinstance(x, Shadow):
            return np.asarray(x, dtype)
        return x if dtype is None else x.astype(dtype, copy=False)

    def array(self, x: Any, dtype: Any = None) -> Any:
        return x.astype(dtype or x.dtype) if isinstance(x, Shadow) else np.array(x, dtype)

    def ascontiguousarray(self, x: Shadow) -> Shadow:
        return x if x.flags.c_contiguous else x.copy()

    def broadcast_to(self, x: Any, shape: Shape) -> Shadow:
        array = x if isinstance(x, Shadow) else self.full(np.shape(x), x)
        return array.of(np.broadcast_to(array.view, shape))

    def broadcast(self, *arrays: Any) -> Any:
        return np.broadcast(*(x.view if isinstance(x, Shadow) else x for x in arrays))

    def squeeze(self, x: Shadow, axis: Any = None) -> Shadow:
        return x.squeeze(axis)

    def swapaxes(self, x: Shadow, first: int, second: int) -> Shadow:
        return x.swapaxes(first, second)

    def diagonal(self, x: Shadow, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Shadow:
        return x.diagonal(offset, axis1, axis2)

    def einsum(self, pattern: str, x: Shadow, y: Shadow | None = None) -> Shadow:
        if y is None:
            return x.of(np.einsum(pattern, x.view))  # a diagonal, to be written to
        terms, _, out = pattern.partition("->")
        lengths = dict(zip(terms.replace(",", ""), (*x.shape, *y.shape), strict=True))
        return self.empty([lengths[letter] for letter in out], self.result_type(x, y))

    # computations

    def where(self, condition: Any, yes: Any, no: Any) -> Shadow:
        operands, dtype = (condition, yes, no), self.result_type(yes, no)
        shape = joint_shape(operands)
        made = self._meter.array(shape, dtype, laid_out(operands, shape))
        self._meter.passing(buffered(operands, shape, (np.dtype(bool), dtype, dtype)))
        return made

    def result_type(self, *operands: Any) -> Any:
        return np.result_type(*(x.dtype if isinstance(x, Shadow) else x for x in operands))

    def vdot(self, x: Shadow, y: Shadow) -> Shadow:
        self._meter.passing(sum(a.nbytes for a in (x, y) if not a.flags.c_contiguous))
        return self.empty((), self.result_type(x, y))

    def any(self, x: Any) -> bool:
        return False

    def triu(self, x: Shadow) -> Shadow:
        self._meter.passing(2 * x.shape[-1] * x.shape[-2])
        return x.new()


class _Strides:
    """numpy.lib.stride_tricks."""

    @staticmethod
    def as_strided(x: Shadow, shape: Shape, strides: Shape, writeable: bool = True) -> Shadow:
        return x.of(np.lib.stride_tricks.as_strided(x.view, shape, strides))


class _Lib:
    stride_tricks = _Strides


class _Ufunc:
    """A universal function of arrays without entries."""

    def __init__(self, meter: Meter, ufunc: np.ufunc) -> None:
        self._meter, self._ufunc = meter, ufunc

    def __call__(self, *operands: Any, out: Shadow | None = None) -> Any:
        if not any(isinstance(x, Shadow) for x in operands):
            return self._ufunc(*operands)
        operands, *place = operands[: self._ufunc.nin], *operands[self._ufunc.nin :]
        out = place[0] if place else out
        if self._ufunc.signature is not None:
            return product(self._ufunc, operands[0], operands[1], out)
        dtypes = self._ufunc.resolve_dtypes((*map(weak, operands), None))
        shape = joint_shape(operands)
        made = out if out is not None else self._meter.array(shape, dtypes[-1], laid_out(operands, shape))
        self._meter.passing(buffered(operands, shape, dtypes))
        return made

    def at(self, target: Shadow, places: Shadow, values: Any) -> None:
        self._meter.passing(0 if dtype_of(values) == target.dtype else places.size * target.dtype.itemsize)


class _ShadowLinalg:
    """numpy.linalg: each matrix is copied, with as much again to work in."""

    LinAlgError = np.linalg.LinAlgError

    def __init__(self, meter: Meter, definite: bool) -> None:
        self._meter, self._definite = meter, definite

    def _like(self, a: Shadow, shape: Shape) -> Shadow:
        self._meter.passing(3 * prod(a.shape[-2:]) * a.dtype.itemsize)
        return self._meter.array(shape, a.dtype)

    def inv(self, a: Shadow) -> Shadow:
        return self._like(a, a.shape)

    def solve(self, a: Shadow, b: Shadow) -> Shadow:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return self._like(a, (*batch, *b.shape[-2:]) if b.ndim > 1 else b.shape)

    def det(self, a: Shadow) -> Shadow:
        return self._like(a, a.shape[:-2])

    def slogdet(self, a: Shadow) -> tuple[Shadow, Shadow]:
        return self.det(a), self.det(a)

    def cholesky(self, a: Shadow) -> Shadow:
        if not self._definite:
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        return self._like(a, a.shape)

    def qr(self, a: Shadow) -> tuple[Shadow, Shadow]:
        copy = self._like(a, a.shape)
        return self._like(a, a.shape), copy

    def eigh(self, a: Shadow) -> tuple[Shadow, Shadow]:
        return self.eigvalsh(a), self._like(a, a.shape)

    def eigvalsh(self, a: Shadow) -> Shadow:
        return self._like(a, a.shape[:-1])

    def norm(self, a: Shadow, axis: int) -> Shadow:
        square = a.new()
        return square.sum(axis)
