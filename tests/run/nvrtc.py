"""NVIDIA's compiler of kernels at run time, called directly: it needs no device and no driver."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.run.cuda_complex import DEVICE_COMPLEX, INCLUDE

__all__ = ["available", "compiled"]


@lru_cache(maxsize=1)
def _library() -> Any:
    """The library of the wheel, None where that is not installed."""
    for package in ("nvidia.cu13", "nvidia.cuda_nvrtc"):
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            continue
        folders = found.submodule_search_locations if found is not None else None
        for folder in folders or []:
            for path in sorted(Path(folder).glob("lib/libnvrtc.so.*")):
                return ctypes.CDLL(str(path))
    return None


def available() -> bool:
    return _library() is not None


def compiled(code: str, architecture: str) -> bytes:
    """The machine code of a text for an architecture, as sm_90. Raises `RuntimeError` with what the compiler says."""
    nvrtc = _library()
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = code.replace(INCLUDE, DEVICE_COMPLEX).encode()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"kernels.cu", 0, None, None)
    options = (ctypes.c_char_p * 3)(f"--gpu-architecture={architecture}".encode(), b"--std=c++17", b"-default-device")
    status = nvrtc.nvrtcCompileProgram(program, 2, options)
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if status:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        raise RuntimeError(f"{log.value.decode()}\n{code}")
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    made = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, made)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return made.raw
