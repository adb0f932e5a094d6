"""CuPy's face over NumPy: arrays of a type of its own on numbered devices, for tests of what runs there.

Functions are NumPy's. What comes of them are arrays of the stand-in, those without axes too, as with CuPy, in memory of
the current allocator. Kernels and cuBLAS work on that memory; where a stream captures, they alone are recorded, and
whatever else CuPy would do with the entries of arrays raises.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from einback.rules.helpers import ERF
from tests.run.cuda_face import cuda_modules
from tests.run.cuda_memory import MemoryPointer, alloc, default_pool, memory_of
from tests.run.cuda_on_host import RawModule
from tests.run.cuda_streams import Device, refuse_in_capture
from tests.run.cuda_tensor import cutensor_module

__all__ = ["Device", "cupy_stand_in"]

_ENTRIES = """
    __float__ __int__ __complex__ __bool__ __index__ __getitem__ __setitem__ item tolist tobytes fill sort partition put
    copy astype flatten ravel reshape repeat take dot sum prod min max mean var std all any argmin argmax cumsum cumprod
    round conj nonzero
"""  # methods that need the entries, or give a copy
_SHAPES = """
    asarray reshape ravel transpose swapaxes moveaxis expand_dims squeeze broadcast_to atleast_1d shape ndim size
    __getitem__ result_type can_cast issubdtype isscalar broadcast_shapes may_share_memory shares_memory
"""  # what does not look at entries


class ndarray(np.ndarray):  # noqa: N801
    """An array of the stand-in."""

    __module__ = "cupy"
    device = Device(0)  # type: ignore[assignment]

    def __new__(
        cls, shape: Any, dtype: Any = float, memptr: MemoryPointer | None = None, strides: Any = None, order: Any = "C"
    ) -> ndarray:
        dtype = np.dtype(dtype)
        if memptr is None:
            memptr = alloc(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        return super().__new__(cls, shape, dtype, memptr.mem, memptr.ptr - memptr.mem.ptr, strides, order)

    def __array_finalize__(self, other: Any) -> None:
        self.device = other.device if isinstance(other, ndarray) else Device()

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return _taken(array)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = (), **keywords: Any) -> Any:
        refuse_in_capture(f"{ufunc.__name__} runs")
        if out:
            keywords["out"] = tuple(map(_plain, out))
        found = getattr(ufunc, method)(*map(_plain, inputs), **keywords)
        return (out if len(out) > 1 else out[0]) if out else _taken(found)

    @property
    def data(self) -> MemoryPointer:  # type: ignore[override]
        """Where the first entry lies."""
        memory = memory_of(self)
        if memory is None:
            raise RuntimeError("an array of the stand-in that NumPy has allocated; pass it through cupy.asarray")
        return MemoryPointer(memory, self.ctypes.data - memory.ptr if memory.size else 0)

    def get(self, stream: Any = None, order: Any = "C", out: np.ndarray | None = None, blocking: bool = True) -> Any:
        """A copy on the host."""
        refuse_in_capture("an array is copied to the host")
        if out is None:
            return np.array(_plain(self), order=order)
        np.copyto(out, _plain(self))
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Copy from an array of the host, of the same shape and dtype."""
        refuse_in_capture("an array is copied from the host")
        if type(arr) is not np.ndarray or arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        _plain(self)[...] = arr


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, ndarray) else value


def _taken(found: Any) -> Any:
    """Arrays and numbers as arrays in memory of the stand-in; the array itself where it lies there."""
    if type(found) is tuple:
        return tuple(map(_taken, found))
    if not isinstance(found, np.ndarray | np.generic):
        return found
    array = np.asarray(found)
    if array.dtype.hasobject or memory_of(array) is not None:
        return found if isinstance(found, ndarray) else array.view(ndarray)
    made = ndarray(array.shape, array.dtype, order="F" if array.flags.fnc else "C")
    _plain(made)[...] = array
    return made


def _on_entries(name: str, function: Any) -> Any:
    def called(*args: Any, **keywords: Any) -> Any:
        if name not in _SHAPES.split():
            refuse_in_capture(f"{name} runs")
        return _taken(function(*args, **keywords))

    return called


for _name in _ENTRIES.split():
    setattr(ndarray, _name, _on_entries(_name, getattr(np.ndarray, _name)))


class _Module(types.ModuleType):
    """NumPy under another name."""

    ndarray = ndarray
    RawModule = RawModule

    def __getattr__(self, name: str) -> Any:
        if name == "asnumpy":
            return lambda array: array.get() if isinstance(array, ndarray) else np.asarray(array)
        if name == "get_default_memory_pool":
            return default_pool
        found = getattr(np, "asanyarray" if name == "asarray" else name)  # which hands on what is an array already
        if isinstance(found, type | types.ModuleType | np.ufunc) or not callable(found):
            return found
        return _on_entries(name, found)


@contextmanager
def cupy_stand_in(gemm_in_capture: bool = True) -> Iterator[Any]:
    """The module, in the place of CuPy while the context lasts.

    CuPy's own calls of cuBLAS are refused in a capture; so they are here with `gemm_in_capture=False`.
    """
    here: dict[str, Any] = {"np": np}
    exec(ERF, here)
    modules: dict[str, Any] = {name: types.ModuleType(name) for name in ("cupyx", "cupyx.scipy", "cupyx.scipy.special")}
    modules["cupyx"].scipy = modules["cupyx.scipy"]
    modules["cupyx.scipy"].special = modules["cupyx.scipy.special"]
    modules["cupyx.scipy.special"].erf = here["erf"]
    modules["cupyx"].cutensor = modules["cupyx.cutensor"] = cutensor_module()
    modules["cupy"] = _Module("cupy")
    modules |= cuda_modules(gemm_in_capture)
    modules["cupy"].cuda = modules["cupy.cuda"]
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield modules["cupy"]
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
