"""CuPy with a device, for tests that need both; elsewhere they skip."""

from __future__ import annotations

import importlib
from typing import Any

import pytest


@pytest.fixture(scope="module")
def cupy() -> Any:
    try:
        module = importlib.import_module("cupy")
    except ImportError:
        pytest.skip("CuPy is not installed")
    try:
        module.cuda.runtime.getDeviceCount()
    except module.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"CuPy finds no CUDA device: {error}")
    return module
