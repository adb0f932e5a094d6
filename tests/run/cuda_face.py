"""`cupy.cuda` and `cupy_backends` of the CuPy stand-in, as modules."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tests.run import cuda_memory, cuda_streams
from tests.run.cuda_blas import DATA_TYPES, HANDLE, cublas_module
from tests.run.cuda_on_host import CompileException

__all__ = ["cuda_modules"]


def cuda_modules(gemm_in_capture: bool) -> dict[str, ModuleType]:
    """The modules by name, without streams and memory of before; for the argument see `cublas_module`."""
    cuda_streams.start_afresh()
    cuda_memory.start_afresh()
    names = ("cupy.cuda", "cupy.cuda.device", "cupy.cuda.runtime", "cupy.cuda.compiler", "cupy.cuda.stream",
             "cupy_backends", "cupy_backends.cuda", "cupy_backends.cuda.libs")  # fmt: skip
    modules: dict[str, Any] = {name: ModuleType(name) for name in names}
    modules["cupy_backends.cuda.libs.cublas"] = cublas_module(gemm_in_capture)
    for name, module in modules.items():
        parent, _, own = name.rpartition(".")
        if parent in modules:
            setattr(modules[parent], own, module)
    cuda, device, runtime = (modules[name] for name in names[:3])
    for name in ("Device", "Event", "Graph", "Stream", "get_current_stream", "get_elapsed_time"):
        setattr(cuda, name, getattr(cuda_streams, name))
        setattr(modules["cupy.cuda.stream"], name, getattr(cuda_streams, name))
    for name in ("Memory", "MemoryPointer", "MemoryPool", "alloc", "get_allocator", "set_allocator", "using_allocator"):
        setattr(cuda, name, getattr(cuda_memory, name))
    device.Device, device.get_device_id = cuda_streams.Device, cuda_streams.current_device
    device.get_cublas_handle = lambda: HANDLE
    runtime.getDevice, runtime.getDeviceCount = cuda_streams.current_device, lambda: 2
    vars(runtime).update(DATA_TYPES)
    modules["cupy.cuda.compiler"].CompileException = CompileException
    return modules
