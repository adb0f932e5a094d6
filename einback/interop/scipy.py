"""SciPy: sparse arrays from entries and the places where they stand.

SciPy is optional and slow to import, so it is looked for when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from einback.errors import CompileError

__all__ = ["Array", "sparse_array"]

Array = np.ndarray[Any, np.dtype[Any]]


def sparse_array(entries: Iterable[tuple[Array, Array, Array]], shape: tuple[int, int], dtype: np.dtype[Any]) -> Any:
    """A `scipy.sparse.csr_array` of `(values, rows, columns)`; entries of one place are added."""
    try:
        sparse: Any = import_module("scipy.sparse")
    except ImportError:
        raise CompileError("SciPy is not installed", hint="pip install scipy, or use dense()") from None
    parts = list(entries)
    if not parts:
        return sparse.csr_array(shape, dtype=dtype)
    values, rows, columns = (np.concatenate([part[k].ravel() for part in parts]) for k in range(3))
    return sparse.coo_array((values.astype(dtype, copy=False), (rows, columns)), shape=shape).tocsr()
