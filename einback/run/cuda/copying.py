"""Copies of many arrays in one launch: what goes into a recorded step, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

__all__ = ["Copies"]

_THREADS: Final = 256
_BLOCKS: Final = 1024
_AT_ONCE: Final = 64  # arrays of one launch: a kernel takes some thousand bytes of parameters

_PRELUDE: Final = """
struct alignas(16) Sixteen { unsigned long long at[2]; };

__device__ void copied(const char *from, char *to, long long size) {
    const long long t = blockIdx.x * (long long)blockDim.x + threadIdx.x, step = gridDim.x * (long long)blockDim.x;
    const bool from_aligned = reinterpret_cast<unsigned long long>(from) % 16 == 0;
    const bool aligned = from_aligned && reinterpret_cast<unsigned long long>(to) % 16 == 0;
    const long long packs = aligned ? size / 16 : 0;
    for (long long k = t; k < packs; k += step)
        reinterpret_cast<Sixteen *>(to)[k] = reinterpret_cast<const Sixteen *>(from)[k];
    for (long long k = packs * 16 + t; k < size; k += step) to[k] = from[k];
}
"""


class Copies:
    """Copies arrays of known sizes, in bytes, all in C order."""

    def __init__(self, cupy: Any, sizes: Sequence[int]) -> None:
        self._used = [k for k, size in enumerate(sizes) if size]
        self._launches: list[tuple[Any, int, list[int]]] = []
        for start in range(0, len(self._used), _AT_ONCE):
            part = self._used[start : start + _AT_ONCE]
            words = ", ".join(f"const char *s{k}, char *d{k}" for k in part)
            lines = "\n".join(f"    copied(s{k}, d{k}, {sizes[k]}LL);" for k in part)
            head = f'extern "C" __global__ void __launch_bounds__({_THREADS}) copies({words})'
            code = f"{_PRELUDE}\n{head} {{\n{lines}\n}}\n"
            kernel = cupy.RawModule(code=code, options=("--std=c++17",)).get_function("copies")
            most = max(sizes[k] for k in part)
            self._launches.append((kernel, min(_BLOCKS, -(-most // (16 * _THREADS))), part))

    def __call__(self, sources: Sequence[Any], targets: Sequence[Any]) -> None:
        """Copy each source into its target."""
        for kernel, blocks, part in self._launches:
            kernel((blocks,), (_THREADS,), tuple(one for k in part for one in (sources[k], targets[k])))
