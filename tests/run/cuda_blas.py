"""cuBLAS of the CuPy stand-in: `gemmStridedBatchedEx` and `gemmEx` on addresses, as cuBLAS defines them.

Matrices are column-major, so that entry (i, j) of A stands at A + i + j lda. Of each product

    C = alpha op(A) op(B) + beta C,   op(A) m by k, op(B) k by n, C m by n

C is not read where beta is 0. Operands are rounded to what a compute type multiplies, and sums are float32 or float64.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import numpy as np

from tests.run.cuda_memory import Memory, memory_at
from tests.run.cuda_streams import Work, get_current_stream, submit

__all__ = ["DATA_TYPES", "HANDLE", "CUBLASError", "cublas_module"]

HANDLE: Final = 0xB1A5

DATA_TYPES: Final = {  # of cupy.cuda.runtime
    "CUDA_R_32F": 0, "CUDA_R_64F": 1, "CUDA_R_16F": 2, "CUDA_R_8I": 3, "CUDA_C_32F": 4, "CUDA_C_64F": 5,
    "CUDA_C_16F": 6, "CUDA_C_8I": 7, "CUDA_R_8U": 8, "CUDA_C_8U": 9, "CUDA_R_16BF": 14,
}  # fmt: skip
_CONSTANTS: Final = {
    "CUBLAS_OP_N": 0, "CUBLAS_OP_T": 1, "CUBLAS_OP_C": 2,
    "CUBLAS_POINTER_MODE_HOST": 0, "CUBLAS_POINTER_MODE_DEVICE": 1,
    "CUBLAS_DEFAULT_MATH": 0, "CUBLAS_TENSOR_OP_MATH": 1, "CUBLAS_PEDANTIC_MATH": 2, "CUBLAS_TF32_TENSOR_OP_MATH": 3,
    "CUBLAS_GEMM_DEFAULT": -1, "CUBLAS_GEMM_DEFAULT_TENSOR_OP": 99,
    "CUBLAS_COMPUTE_32F": 68, "CUBLAS_COMPUTE_32F_PEDANTIC": 69, "CUBLAS_COMPUTE_64F": 70,
    "CUBLAS_COMPUTE_64F_PEDANTIC": 71, "CUBLAS_COMPUTE_32F_FAST_16F": 74, "CUBLAS_COMPUTE_32F_FAST_16BF": 75,
    "CUBLAS_COMPUTE_32F_FAST_TF32": 77,
}  # fmt: skip

_R32, _R64, _R16, _C32, _C64, _BF16 = 0, 1, 2, 4, 5, 14
_STORED: Final[dict[int, np.dtype]] = {
    _R32: np.dtype(np.float32), _R64: np.dtype(np.float64), _R16: np.dtype(np.float16),
    _C32: np.dtype(np.complex64), _C64: np.dtype(np.complex128), _BF16: np.dtype(np.uint16),
}  # fmt: skip
_SINGLE: Final = {(_R32, _R32), (_C32, _C32)}
_DOUBLE: Final = {(_R64, _R64), (_C64, _C64)}
_HALVES: Final = {(_R16, _R16), (_R16, _R32), (_BF16, _BF16), (_BF16, _R32)}
_COMBINED: Final = {  # per compute type, the types of A and B and that of C: cublasGemmEx, table of supported types
    68: _SINGLE | _HALVES, 69: _SINGLE | _HALVES, 70: _DOUBLE, 71: _DOUBLE, 74: _SINGLE, 75: _SINGLE, 77: _SINGLE,
}  # fmt: skip


class CUBLASError(RuntimeError):
    """What cuBLAS answers."""


def _refused(status: str, why: str) -> CUBLASError:
    return CUBLASError(f"CUBLAS_STATUS_{status}: {why}")


@dataclass(frozen=True)
class _Matrices:
    """A batch of matrices in memory, as they are stored."""

    name: str
    address: int
    kind: int
    rows: int
    columns: int
    leading: int
    stride: int
    batch: int

    def check(self) -> None:
        if self.leading < max(1, self.rows):
            raise _refused("INVALID_VALUE", f"{self.name} has {self.rows} rows, {self.leading} apart")

    @property
    def entries(self) -> int:
        """How many entries there are from the first to the last one."""
        return (self.batch - 1) * self.stride + (self.columns - 1) * self.leading + self.rows

    def memory(self) -> Memory | None:
        """The allocation, all of which the matrices lie in; None where it is not the stand-in's."""
        memory, size = memory_at(self.address), _STORED[self.kind].itemsize
        if memory is not None and self.address + self.entries * size > memory.ptr + memory.size:
            raise _refused("EXECUTION_FAILED", f"{self.name} ends beyond its allocation of {memory.size} bytes")
        if self.address % size:
            raise _refused("EXECUTION_FAILED", f"{self.name} is not aligned to its entries")
        return memory

    def view(self) -> np.ndarray:
        """The memory, of shape (batch, rows, columns)."""
        dtype = _STORED[self.kind]
        stored: Any = (ctypes.c_ubyte * (self.entries * dtype.itemsize)).from_address(self.address)
        strides = (self.stride * dtype.itemsize, dtype.itemsize, self.leading * dtype.itemsize)
        return np.ndarray((self.batch, self.rows, self.columns), dtype, stored, 0, strides)

    def read(self, wide: Any) -> np.ndarray:
        entries = self.view()
        if self.kind == _BF16:
            entries = (entries.astype(np.uint32) << 16).view(np.float32)
        return entries.astype(wide)

    def write(self, entries: np.ndarray) -> None:
        with np.errstate(over="ignore"):
            if self.kind == _BF16:
                entries = np.ascontiguousarray(_rounded(entries, 16)).view(np.uint32) >> 16
            self.view()[...] = entries.astype(_STORED[self.kind])


def _rounded(entries: np.ndarray, bits: int) -> np.ndarray:
    """Floats without their last bits, to nearest, ties to even."""
    if entries.dtype.kind == "c":
        return _rounded(entries.real, bits) + 1j * _rounded(entries.imag, bits)
    whole = np.ascontiguousarray(entries).view(np.uint32)
    up = whole + np.uint32((1 << bits - 1) - 1) + (whole >> np.uint32(bits) & np.uint32(1))
    return np.where(np.isfinite(entries), (up >> np.uint32(bits) << np.uint32(bits)).view(np.float32), entries)


def _halved(entries: np.ndarray) -> np.ndarray:
    if entries.dtype.kind == "c":
        return _halved(entries.real) + 1j * _halved(entries.imag)
    return entries.astype(np.float16).astype(np.float32)


def _itself(entries: np.ndarray) -> np.ndarray:
    return entries


_MULTIPLIED: Final[dict[int, Callable[[np.ndarray], np.ndarray]]] = {
    74: _halved,
    75: lambda entries: _rounded(entries, 16),
    77: lambda entries: _rounded(entries, 13),
}
_OPERATIONS: Final[dict[int, Callable[[np.ndarray], np.ndarray]]] = {
    0: _itself,
    1: lambda matrices: matrices.swapaxes(1, 2),
    2: lambda matrices: matrices.swapaxes(1, 2).conj(),
}


def _gemm_strided_batched(
    handle: int, transa: int, transb: int, m: int, n: int, k: int,
    alpha: int, A: int, Atype: int, lda: int, strideA: int, B: int, Btype: int, ldb: int, strideB: int,
    beta: int, C: int, Ctype: int, ldc: int, strideC: int, batchCount: int, computeType: int, algo: int,
) -> None:  # fmt: skip
    if handle != HANDLE:
        raise _refused("NOT_INITIALIZED", f"no handle: {handle}")
    known = transa in _OPERATIONS and transb in _OPERATIONS
    if not known or min(m, n, k, batchCount, strideA, strideB, strideC) < 0 or 0 in (alpha, beta):
        raise _refused("INVALID_VALUE", "a size, a stride, an operation or the address of a scalar is off")
    if Atype != Btype or (Atype, Ctype) not in _COMBINED.get(computeType, ()):
        raise _refused("NOT_SUPPORTED", f"types {Atype}, {Btype} and {Ctype} with compute type {computeType}")
    a = _Matrices("A", A, Atype, *((k, m) if transa else (m, k)), lda, strideA, batchCount)
    b = _Matrices("B", B, Btype, *((n, k) if transb else (k, n)), ldb, strideB, batchCount)
    c = _Matrices("C", C, Ctype, m, n, ldc, strideC, batchCount)
    for one in (a, b, c):
        one.check()
    if 0 in (m, n, batchCount):
        return
    if batchCount > 1 and strideC < (n - 1) * ldc + m and not _interleaved(c):
        raise _refused("EXECUTION_FAILED", f"strideC is {strideC}, and the products overlap")
    wide = np.dtype(np.float64 if computeType in (70, 71) else np.float32)
    if Ctype in (_C32, _C64):
        wide = np.dtype(np.complex128 if wide == np.float64 else np.complex64)
    rounded = _MULTIPLIED.get(computeType, _itself)
    by, times = _number(alpha, wide), _number(beta, wide)
    read = (a, b) if k else ()
    touched = [memory for one in (*read, c) if (memory := one.memory()) is not None]
    for one in read:
        if _share(one.view(), c.view()):
            raise _refused("EXECUTION_FAILED", f"C is written over {one.name}")

    def multiply() -> None:
        found = np.zeros((batchCount, m, n), wide)
        with np.errstate(all="ignore"):
            if k:
                left, right = rounded(a.read(wide)), rounded(b.read(wide))
                found = by * (_OPERATIONS[transa](left) @ _OPERATIONS[transb](right))
            c.write(found + times * c.read(wide) if times else found)

    submit(Work("gemmStridedBatchedEx", multiply, touched))


def _interleaved(c: _Matrices) -> bool:
    """Whether matrices stand beside one another inside of one leading dimension, as row blocks of a larger one."""
    return c.stride >= c.rows and (c.batch - 1) * c.stride + c.rows <= c.leading


def _share(one: np.ndarray, other: np.ndarray) -> bool:
    try:
        return np.shares_memory(one, other, max_work=10**5)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return False


def _number(address: int, dtype: np.dtype) -> Any:
    """A scalar of the host, read when the product is asked for."""
    return np.frombuffer(ctypes.string_at(address, dtype.itemsize), dtype)[0]


def cublas_module(in_capture: bool) -> ModuleType:
    """The module `cupy_backends.cuda.libs.cublas`; `in_capture=False` refuses products in a capture, as CuPy does."""
    modes = SimpleNamespace(math=0)

    def set_stream(handle: int, stream: int) -> None:
        if get_current_stream().is_capturing():
            raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")

    def batched(*arguments: Any) -> None:
        if not in_capture:
            set_stream(arguments[0], get_current_stream().ptr)
        _gemm_strided_batched(*arguments)

    def single(
        handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int, A: int, Atype: int, lda: int,
        B: int, Btype: int, ldb: int, beta: int, C: int, Ctype: int, ldc: int, computeType: int, algo: int,
    ) -> None:  # fmt: skip
        batched(handle, transa, transb, m, n, k, alpha, A, Atype, lda, 0, B, Btype, ldb, 0,
                beta, C, Ctype, ldc, 0, 1, computeType, algo)  # fmt: skip

    module = ModuleType("cupy_backends.cuda.libs.cublas")
    vars(module).update(
        _CONSTANTS,
        CUBLASError=CUBLASError,
        gemmStridedBatchedEx=batched,
        gemmEx=single,
        setStream=set_stream,
        getPointerMode=lambda handle: 0,
        setMathMode=lambda handle, mode: setattr(modes, "math", mode),
        getMathMode=lambda handle: modes.math,
    )
    return module
