"""CUDA kernels on the host: `RawModule` as CuPy has it, of which the text is compiled by g++ and really executed.

    module = RawModule(code=PRELUDE + 'extern "C" __global__ void k1(const float *a, float *out) { ... }')
    module.get_function("k1")((blocks,), (256,), (a, out))

What a GPU refuses or what corrupts memory there raises `RuntimeError`: barriers and shuffles that not all threads
reach, writes beside an allocation, wild addresses, launches beyond CUDA's limits.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from einback.run.cuda.prelude import HALF
from tests.run.cuda_complex import HOST_COMPLEX, INCLUDE
from tests.run.cuda_header import HEADER, HOST_HALF, launcher
from tests.run.cuda_memory import Memory, MemoryPointer, memory_at, memory_of
from tests.run.cuda_scheduler import RUNTIME
from tests.run.cuda_streams import Work, submit

__all__ = ["CompileException", "Kernel", "RawModule", "available"]

_COMPILE: Final = ("g++", "-std=c++17", "-shared", "-fPIC", "-w", "-pipe", "-ffp-contract=off", "-U_FORTIFY_SOURCE")
_TRAPS: Final = ("-fsanitize=bounds-strict,alignment", "-fsanitize-undefined-trap-on-error", "-fstack-clash-protection")
_LIBRARIES: Final = ("-fno-threadsafe-statics", "-nostdlib", "-lm", "-lgcc")
_KERNEL: Final = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\s*\(\s*(\d+)[^)]*\)\s*)?(\w+)\s*\(')
_SCALARS: Final = {bool: np.bool_, int: np.int64, float: np.float64, complex: np.complex128}  # as CuPy passes them

_Shape = tuple[int, ...]


class CompileException(Exception):  # noqa: N818
    """The kernel's text is no C++; the message is the compiler's."""


def available() -> bool:
    """Whether there is a compiler."""
    return shutil.which("g++") is not None


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel."""

    name: str
    most_threads: int
    start: Any

    def __call__(self, grid: _Shape, block: _Shape, args: Sequence[Any], *, shared_mem: int = 0) -> None:
        shape = self._shape(grid, block, shared_mem)
        values = [_value(one) for one in args]
        touched = [memory for one in args if (memory := _memory(one)) is not None]
        submit(Work(self.name, lambda: self._launch(shape, values), touched))

    def _shape(self, grid: _Shape, block: _Shape, shared_mem: int) -> _Shape:
        if not (isinstance(grid, tuple) and isinstance(block, tuple)):
            raise TypeError("grid and block are tuples")
        gx, gy, gz, bx, by, bz = shape = (*grid, 1, 1, 1)[:3] + (*block, 1, 1, 1)[:3]
        if min(shape) < 1 or gx >= 2**31 or max(gy, gz) > 65535 or max(bx, by) > 1024 or bz > 64:
            raise RuntimeError(f"CUDA_ERROR_INVALID_VALUE: {self.name} launched over {grid} blocks of {block} threads")
        if prod(shape[3:]) > self.most_threads:
            raise RuntimeError(
                f"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: {self.name} is for {self.most_threads} threads, not {block}"
            )
        if shared_mem:
            raise NotImplementedError("shared memory of a size that the launch gives is not emulated")
        return shape

    def _launch(self, shape: _Shape, values: list[Any]) -> None:
        count = len(values)
        places = (ctypes.c_void_p * count)(*[one.ctypes.data for one in values])
        status = self.start(
            places, (ctypes.c_uint * count)(*[one.nbytes for one in values]), count, (ctypes.c_uint * 6)(*shape)
        )
        if status < 0:
            what = f"argument {-2 - status} is too short" if status < -1 else f"{count} arguments are not what it takes"
            raise TypeError(f"{self.name}: {what}")
        if status:
            raise RuntimeError(f"{self.name}: {_runtime().emu_message().decode()}")


class RawModule:
    """Kernels of one text."""

    def __init__(self, *, code: str, options: tuple[str, ...] = (), **_: object) -> None:
        self.code = code
        self.options = options

    def get_function(self, name: str) -> Kernel:
        """The kernel of a name; compiles the text if no one has yet, which may raise `CompileException`."""
        kernels = {found[2]: int(found[1] or 1024) for found in _KERNEL.finditer(self.code)}
        text = self.code.replace(HALF, HOST_HALF).replace(INCLUDE, HOST_COMPLEX)
        library = _compiled(f'{HEADER}#line 1 "kernel.cu"\n{text}\n{"".join(map(launcher, kernels))}')
        if name not in kernels:
            raise RuntimeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")
        return Kernel(name, min(kernels[name], 1024), getattr(library, f"start_{name}"))


@functools.cache
def _runtime() -> Any:
    library = ctypes.PyDLL(str(_built(RUNTIME, "-O2")), mode=ctypes.RTLD_GLOBAL)
    library.emu_message.restype = ctypes.c_char_p
    return library


@functools.cache
def _compiled(text: str) -> ctypes.PyDLL:
    _runtime()
    return ctypes.PyDLL(str(_built(text, "-O1", *_TRAPS, *_LIBRARIES)))  # which keeps the lock: one launch at a time


def _built(text: str, *options: str) -> Path:
    """The library of a text, from a folder that processes share."""
    command = [*_COMPILE, *options, "-x", "c++", "-"]
    key = hashlib.sha256("\n".join((*command, text)).encode()).hexdigest()[:32]
    folder = Path(tempfile.gettempdir()) / f"einback-cuda-on-host-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{key}.so"
    if not library.exists():
        mine = folder / f"{key}.{os.getpid()}.{threading.get_ident()}"
        done = subprocess.run([*command, "-o", str(mine)], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CompileException(done.stderr)
        mine.replace(library)
    return library


def _value(argument: Any) -> Any:
    """An array without axes that holds what the kernel gets: an address, or the number itself."""
    if isinstance(argument, MemoryPointer):
        return np.array(argument.ptr, np.uint64)
    if type(argument).__module__ == "cupy":
        return np.array(argument.data.ptr, np.uint64)
    if type(argument) in _SCALARS:
        return np.array(argument, _SCALARS[type(argument)])
    if isinstance(argument, np.generic):
        return np.array(argument)
    raise TypeError(f"Unsupported type {type(argument)}")


def _memory(argument: Any) -> Memory | None:
    if isinstance(argument, MemoryPointer):
        return argument.mem
    if isinstance(argument, int | np.integer):  # an address, perhaps
        return memory_at(int(argument))
    return memory_of(argument) if type(argument).__module__ == "cupy" else None
