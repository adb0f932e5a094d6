"""The machine and the libraries of a run, in words."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np

__all__ = ["cores", "described", "environment"]

LIBRARIES = ("einback", "numpy", "opt_einsum", "jax", "torch", "autograd")


def environment() -> dict[str, str]:
    """The environment of every measured process: BLAS chooses its kernels by itself, whatever a machine has preset."""
    return {key: value for key, value in os.environ.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}


def cores() -> int:
    """The cores that the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def described() -> str:
    versions = [f"{name} {version}" for name in LIBRARIES if (version := _version(name))]
    return (f"{date.today()}, {_processor()}, {cores()} cores, {platform.system()}, "
            f"Python {platform.python_version()}, {_blas()}; {', '.join(versions)}")  # fmt: skip


def _blas() -> str:
    """The BLAS of NumPy, and the kernels that it chooses in a measured process."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    asked = "import numpy, threadpoolctl as t; print({i['architecture'] for i in t.threadpool_info()} or '')"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False, env=environment())
    kernels = said.stdout.strip().strip("{}").replace("'", "")
    return f"{blas['name']} {blas['version']}{f' ({kernels} kernels)' if kernels else ''}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
