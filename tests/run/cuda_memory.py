"""Memory of the CuPy stand-in: guarded allocations, pointers into them, and pools that count as CuPy's do.

Each allocation has bytes of its own with guards around them. A pool only counts: its blocks are rounded up to 512 bytes
and cut from larger free ones, the smallest that fits, and free neighbours become one again.
"""

from __future__ import annotations

import bisect
import ctypes
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from tests.run.cuda_streams import Device, Stream, Work, current_device, refuse_in_capture, submit

__all__ = [
    "Memory",
    "MemoryPointer",
    "MemoryPool",
    "alloc",
    "default_pool",
    "get_allocator",
    "memory_at",
    "memory_of",
    "set_allocator",
    "start_afresh",
    "using_allocator",
]

_ALIGNED: Final = 512
_GUARD: Final = 1024
_UNTOUCHED: Final = 0xA5
_UNWRITTEN: Final = 0xFF  # floats are NaN, integers are -1


class Memory(np.ndarray):
    """The bytes of one allocation."""

    device_id: int
    ptr: int
    _guards: tuple[np.ndarray, np.ndarray]

    def check_guards(self, who: str) -> None:
        """Raise where the bytes before or after the allocation were written."""
        for guard, where in zip(self._guards, ("before", "after"), strict=True):
            if (guard != _UNTOUCHED).any():
                guard[...] = _UNTOUCHED
                raise RuntimeError(f"{who} wrote {where} an allocation of {self.size} bytes")


def _allocated(size: int) -> Memory:
    raw = np.empty(size + 2 * _GUARD + _ALIGNED, np.uint8)
    start = _GUARD + -(raw.ctypes.data + _GUARD) % _ALIGNED
    memory: Memory = raw[start : start + size].view(Memory)
    memory._guards = raw[start - _GUARD : start], raw[start + size : start + size + _GUARD]
    for guard in memory._guards:
        guard[...] = _UNTOUCHED
    memory[...] = _UNWRITTEN
    memory.device_id = current_device()
    memory.ptr = raw.ctypes.data + start if size else 0
    if size:
        bisect.insort(_STARTS, memory.ptr)
        _LIVE[memory.ptr] = weakref.ref(memory)
        weakref.finalize(memory, _forget, memory.ptr).atexit = False
    return memory


_STARTS: list[int] = []
_LIVE: dict[int, weakref.ref[Memory]] = {}


def _forget(start: int) -> None:
    _STARTS.remove(start)
    del _LIVE[start]


def memory_of(array: np.ndarray) -> Memory | None:
    """The allocation that an array lies in; None for arrays of NumPy's own."""
    base: Any = array
    while isinstance(base, np.ndarray) and not isinstance(base, Memory):
        base = base.base
    return base if isinstance(base, Memory) else None


def memory_at(address: int) -> Memory | None:
    """The allocation that holds an address, if there is one."""
    place = bisect.bisect_right(_STARTS, address) - 1
    memory = _LIVE[_STARTS[place]]() if place >= 0 else None
    return memory if memory is not None and address < memory.ptr + memory.size else None


class MemoryPointer:
    """An address in an allocation."""

    def __init__(self, mem: Memory, offset: int) -> None:
        self.mem = mem
        self.ptr = mem.ptr + offset

    @property
    def device(self) -> Device:
        return Device(self.mem.device_id)

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def memset_async(self, value: int, size: int, stream: Stream | None = None) -> None:
        to = self._within(size)
        submit(Work("memset", partial(ctypes.memset, to, value, size), [self.mem]), stream)

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Stream | None = None) -> None:
        to, of = self._within(size), src._within(size)
        submit(Work("memcpy", partial(ctypes.memmove, to, of, size), [self.mem, src.mem]), stream)

    def _within(self, size: int) -> int:
        start = self.ptr - self.mem.ptr
        if start < 0 or start + size > self.mem.size:
            raise RuntimeError(f"cudaErrorInvalidValue: {size} bytes at {start} of an allocation of {self.mem.size}")
        return self.ptr


@dataclass(eq=False)
class _Block:
    size: int
    free: bool


class MemoryPool:
    """What is allocated from a pool, in bytes."""

    def __init__(self, allocator: object = None) -> None:
        self._chunks: list[list[_Block]] = []  # the blocks of each, in the order of their addresses

    def malloc(self, size: int) -> MemoryPointer:
        refuse_in_capture("memory is allocated")
        memory = _allocated(size)
        if size:
            chunk, block = self._taken(-(-size // _ALIGNED) * _ALIGNED)
            weakref.finalize(memory, self._give_back, chunk, block).atexit = False
        return MemoryPointer(memory, 0)

    def _taken(self, size: int) -> tuple[list[_Block], _Block]:
        fitting = [(block.size, k, j) for k, chunk in enumerate(self._chunks) for j, block in enumerate(chunk)
                   if block.free and block.size >= size]  # fmt: skip
        if not fitting:
            self._chunks.append([_Block(size, False)])
            return self._chunks[-1], self._chunks[-1][0]
        _, k, j = min(fitting)
        chunk, block = self._chunks[k], self._chunks[k][j]
        if block.size > size:
            chunk.insert(j + 1, _Block(block.size - size, True))
        block.size, block.free = size, False
        return chunk, block

    @staticmethod
    def _give_back(chunk: list[_Block], block: _Block) -> None:
        block.free = True
        merged: list[_Block] = []
        for one in chunk:
            if merged and merged[-1].free and one.free:
                merged[-1] = _Block(merged[-1].size + one.size, True)
            else:
                merged.append(one)
        chunk[:] = merged

    def used_bytes(self) -> int:
        return self.total_bytes() - self.free_bytes()

    def free_bytes(self) -> int:
        return sum(block.size for chunk in self._chunks for block in chunk if block.free)

    def total_bytes(self) -> int:
        """With the free blocks that are kept: the most that was ever in use, and what did not fit."""
        return sum(block.size for chunk in self._chunks for block in chunk)

    def n_free_blocks(self) -> int:
        return sum(block.free for chunk in self._chunks for block in chunk)

    def free_all_blocks(self, stream: Stream | None = None) -> None:
        self._chunks = [chunk for chunk in self._chunks if len(chunk) > 1 or not chunk[0].free]


Allocator = Callable[[int], MemoryPointer]


class _Here(threading.local):
    def __init__(self) -> None:
        self.pool = MemoryPool()
        self.allocator: Allocator = self.pool.malloc


_HERE = _Here()


def start_afresh() -> None:
    """Forget what earlier tests have allocated."""
    _HERE.pool = MemoryPool()
    _HERE.allocator = _HERE.pool.malloc


def default_pool() -> MemoryPool:
    return _HERE.pool


def get_allocator() -> Allocator:
    return _HERE.allocator


def set_allocator(allocator: Allocator | None = None) -> None:
    _HERE.allocator = _HERE.pool.malloc if allocator is None else allocator


@contextmanager
def using_allocator(allocator: Allocator | None = None) -> Iterator[None]:
    before = get_allocator()
    set_allocator(allocator)
    try:
        yield
    finally:
        set_allocator(before)


def alloc(size: int) -> MemoryPointer:
    """Memory of the current allocator."""
    return get_allocator()(size)
