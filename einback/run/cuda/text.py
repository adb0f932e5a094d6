"""CUDA C++ for entries: the types that they are stored and computed in, numbers, and what a cell computes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from einback.plan.dtypes import DType
from einback.run.cuda.cells import Cell, Number

__all__ = ["address", "computed", "entry", "number", "start", "stored"]

_STORED = {
    "?": "bool", "b": "signed char", "B": "unsigned char", "h": "short", "H": "unsigned short", "i": "int",
    "I": "unsigned int", "l": "long long", "L": "unsigned long long", "q": "long long", "Q": "unsigned long long",
    "e": "half", "f": "float", "d": "double", "F": "complex<float>", "D": "complex<double>",
}  # fmt: skip


def stored(dtype: DType) -> str:
    """The type of an entry in memory."""
    return _STORED[dtype.char]


def computed(dtype: DType) -> str:
    """The type that an entry is computed in."""
    return "float" if dtype.char == "e" else _STORED[dtype.char]


def number(value: float, dtype: DType) -> str:
    """A number of a dtype.

    >>> number(2, np.dtype("f")), number(-0.5, np.dtype("d")), number(1, np.dtype("?"))
    ('2.0f', '(-0.5)', 'true')
    >>> number(2, np.dtype("F"))
    'complex<float>(2.0f)'
    """
    if dtype.kind == "c":
        return f"{computed(dtype)}({number(value, np.empty(0, dtype).real.dtype)})"
    if dtype.kind == "b":
        return "true" if value else "false"
    kind = computed(dtype)
    if dtype.kind in "iu":
        return f"({kind}){int(value)}"
    double = dtype.char == "d"
    if math.isnan(value):
        return f"({kind})(0.0 / 0.0)"
    if abs(value) > float(np.finfo(np.float64 if double else np.float32).max):
        return f"({kind})({'-' if value < 0 else ''}1.0 / 0.0)"
    text = repr(float(value)) if double else f"{float(np.float32(value))!r}f"
    return f"({text})" if text.startswith("-") else text


def start(cell: Cell) -> str:
    """What a reduction begins with."""
    if cell.initial is not None:
        return number(cell.initial, cell.dtype)
    if cell.reduction in ("Sum", "Prod"):
        return number(cell.reduction == "Prod", cell.dtype)
    least = cell.reduction == "Max"
    if cell.dtype.kind in "iu":
        bounds = np.iinfo(cell.dtype.char)
        value = int(bounds.min if least else bounds.max)
        suffix = ("ULL" if cell.dtype.kind == "u" else "LL") if cell.dtype.itemsize == 8 else ""
        text = f"{value + 1}{suffix} - 1" if value < 0 else f"{value}{suffix}"  # C has no literal of the least integer
        return f"({computed(cell.dtype)})({text})"
    return number(-math.inf if least else math.inf, cell.dtype)


def entry(cell: Cell, operands: Sequence[str]) -> str:
    """What a cell computes, of the names of its operands."""
    taken = []
    for operand, name, dtype in zip(cell.operands, operands, cell.taken, strict=True):
        if isinstance(operand, Number):
            taken.append(number(operand.value, dtype))
        elif computed(operand.dtype) == computed(dtype):
            taken.append(name)
        else:
            taken.append(f"({name} != 0)" if dtype.kind == "b" else f"({computed(dtype)}){name}")
    return cell.template.format(*taken)


def address(strides: Mapping[str, int], offset: int) -> str:
    """Where an entry lies, by the strides of index variables.

    >>> address({"i": 12, "j": 1}, 3)
    'i * 12 + j + 3'
    """
    terms = [name if stride == 1 else f"{name} * {stride}" for name, stride in strides.items() if stride]
    return " + ".join([*terms, *([str(offset)] if offset or not terms else [])]).replace("+ -", "- ")
