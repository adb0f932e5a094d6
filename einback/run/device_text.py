"""The text of a program for a device: that for NumPy, with CuPy in its place."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable, Sequence
from typing import Final

from einback.plan.dtypes import DType
from einback.run.names import Namer

__all__ = ["IN_ORDER", "device_check", "in_cupy", "libraries"]


def libraries(helpers: Iterable[str]) -> str:
    """The lines that import what a file needs."""
    used = any("cutensor." in text for text in helpers)
    lines = ["import cupy", "import numpy", "from cupy_backends.cuda.libs import cublas"]
    return "\n".join([*lines, *(["from cupyx import cutensor"] if used else [])])


IN_ORDER: Final = """
def in_order(array):
    \"\"\"The array as kernels read it: in C order, from an address on at which several entries are loaded.\"\"\"
    return array if array.flags.c_contiguous and array.data.ptr % 16 == 0 else array.copy()
"""


def device_check(function: str, arrays: Sequence[tuple[str, tuple[int, ...], DType]], namer: Namer) -> list[str]:
    """Lines that refuse arrays of other shapes and dtypes, and take the others as the kernels read them."""
    if not arrays:
        return []
    given, expected = namer.name("given"), namer.name("expected")
    found = ", ".join(f"({name}.shape, {name}.dtype.name)" for name, _, _ in arrays)
    known = ", ".join(f"({shape}, {dtype.name!r})" for _, shape, dtype in arrays)
    error = f'    raise ValueError(f"{function} was written for {{{expected}}}, and got {{{given}}}")'
    taken = [f"{name} = in_order({name})" for name, _, _ in arrays]
    return [f"{given} = [{found}]", f"{expected} = [{known}]", f"if {given} != {expected}:", error, *taken, ""]


def in_cupy(source: str) -> str:
    """The text with `cupy` where it reads `np`; what stands in strings and comments stays.

    >>> print(in_cupy('x = np.exp(y)  # of np.mean\\nz = {"np.mean": x}'))
    x = cupy.exp(y)  # of np.mean
    z = {"np.mean": x}
    """
    lines = source.splitlines(keepends=True)
    found = [token.start for token in tokenize.generate_tokens(io.StringIO(source).readline)
             if token.type == tokenize.NAME and token.string == "np"]  # fmt: skip
    for row, column in reversed(found):
        line = lines[row - 1]
        lines[row - 1] = f"{line[:column]}cupy{line[column + 2 :]}"
    return "".join(lines)
