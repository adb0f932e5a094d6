"""The machine and the libraries of a run, in words."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import date
from pathlib import Path

import numpy as np

__all__ = ["described"]

LIBRARIES = ("einback", "numpy", "opt_einsum", "jax", "torch", "autograd")


def described() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = [f"{name} {version}" for name in LIBRARIES if (version := _version(name))]
    return (f"{date.today()}, {_processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}, "
            f"{blas['name']} {blas['version']}; {', '.join(versions)}")  # fmt: skip


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
