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


@lru_cache(maxsize=1)
def _headers() -> tuple[str, ...]:
    """The folders of CuPy's headers, as it names them to the compiler; none where it is not installed."""
    found = importlib.util.find_spec("cupy")
    folders = list(found.submodule_search_locations or []) if found is not None else []
    include = Path(folders[0] if folders else "") / "_core" / "include"
    inside = sorted(path for path in (include / "cupy" / "_cccl").glob("*") if path.is_dir())
    return tuple(map(str, (include, *inside))) if inside else ()


def compiled(code: str, architecture: str) -> bytes:
    """The machine code of a text for an architecture, as sm_90. Raises `RuntimeError` with what the compiler says.

    Complex numbers are those of CuPy's header where it is installed, else the tests' own.
    """
    nvrtc = _library()
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = code if _headers() else code.replace(INCLUDE, DEVICE_COMPLEX)
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    words = [f"--gpu-architecture={architecture}", "--std=c++17", *(f"-I{folder}" for folder in _headers())]
    status = nvrtc.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*map(str.encode, words)))
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
