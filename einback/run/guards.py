"""What is checked at the door: that each array is there and holds numbers that NumPy computes with.

Lists, bools and anything that NumPy turns into an array of numbers are converted. A Python number takes the
dtype of the floating arrays beside it, as Python's numbers do in NumPy, so that it never widens them. Arrays
of objects hold Python integers. Matrices, masked arrays, data frames and sparse matrices are refused: their
products and sums mean something else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Number as PythonNumber
from typing import Any

import numpy as np

from einback.errors import ArrayError, CompileError, did_you_mean
from einback.ir.nodes import Input
from einback.run.facts import as_declared

__all__ = [
    "Array",
    "checked_arrays",
    "is_shape",
    "number_dtype",
    "refuse_copies",
    "refuse_missing",
    "refuse_unknown",
    "sorted_out",
]

Array = np.ndarray[Any, np.dtype[Any]]


def refuse_unknown(names: Collection[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"the arrays are {', '.join(known)}" if known else ""
            raise ArrayError(f"unknown array {name}", hint=hint)


def sorted_out(
    values: Mapping[str, Any], known: Sequence[str], symbols: Collection[str]
) -> tuple[dict[str, Any], dict[str, int]]:
    """The arrays, and the sizes among the keywords; `known` are the names of arrays, `symbols` those of sizes."""
    sizes = {
        name: int(value)
        for name, value in values.items()
        if name in symbols and name not in known and _is_length(value)
    }
    refuse_unknown([name for name in values if name not in sizes], known)
    return {name: value for name, value in values.items() if name not in sizes}, sizes


def _is_length(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0


def is_shape(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(length, int) for length in value)


def refuse_missing(names: Collection[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in names]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        hint = f"arrays are passed by keyword, as in {missing[0]}=..."
        raise ArrayError(f"missing array{plural} {', '.join(missing)}", hint=hint)


def checked_arrays(inputs: Sequence[Input], values: Mapping[str, object], strictly: bool = False) -> dict[str, Array]:
    """The values as arrays of native byte order, by name; `strictly` as in `einback.run.facts`."""
    given = {tensor.name: tensor for tensor in inputs if tensor.name in values}
    scalars = {name for name in given if _is_number(values[name])}
    arrays = {name: _as_array(name, values[name]) for name in given if name not in scalars}
    beside = list(arrays.values())
    arrays |= {name: np.asarray(values[name], number_dtype(values[name], beside)) for name in scalars}
    return {name: as_declared(tensor, arrays[name], strictly) for name, tensor in given.items()}


def number_dtype(number: Any, beside: Iterable[Any]) -> np.dtype[Any] | None:
    """What a Python number becomes beside arrays: it never widens floats, and is itself where there are none."""
    floats = [array.real.dtype for array in beside if array.dtype.kind in "fc"]
    return np.result_type(*floats, number) if floats else None


def refuse_copies(values: Mapping[str, object], arrays: Mapping[str, Array], limit: int) -> None:
    """Refuse what would be copied as a whole, beyond a tenth of the limit: conversions, and arrays out of alignment."""
    for name, array in arrays.items():
        value = values[name]
        as_passed = isinstance(value, np.ndarray) and np.may_share_memory(value, array)
        if not (as_passed and array.flags.aligned) and 10 * array.nbytes > limit:
            raise ArrayError(
                f"{name} has to be copied, {array.nbytes:,} bytes that a memory_limit of {limit:,} leaves no room for",
                hint="pass an aligned NumPy array of the declared kind, in native byte order",
            )


def _is_number(value: object) -> bool:
    return isinstance(value, PythonNumber) and not isinstance(value, np.generic | bool)


def _as_array(name: str, value: object) -> Array:
    kind = type(value)
    if kind.__module__.partition(".")[0] == "cupy":
        raise CompileError(f"{name} is a CuPy array, and this program runs on NumPy", hint=f"pass cupy.asnumpy({name})")
    if isinstance(value, np.matrix):
        raise ArrayError(f"{name} is a numpy.matrix, whose products differ", hint=f"pass numpy.asarray({name})")
    if isinstance(value, np.ma.MaskedArray):
        raise ArrayError(f"{name} is a masked array, whose mask would be lost", hint=f"pass {name}.filled(0)")
    if not isinstance(value, np.ndarray) and hasattr(value, "to_numpy"):
        raise ArrayError(f"{name} is a {kind.__name__}, not an array", hint=f"pass {name}.to_numpy()")
    if not isinstance(value, np.ndarray) and hasattr(value, "toarray"):
        raise ArrayError(f"{name} is a sparse {kind.__name__}", hint=f"pass {name}.toarray()")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as reason:
        raise ArrayError(f"{name} is no array: {reason}") from None
    return _of_numbers(name, value, array)


def _of_numbers(name: str, value: object, array: Array) -> Array:
    if array.dtype.kind not in "biufcO":
        raise ArrayError(f"{name} is of dtype {array.dtype}; arrays of numbers are needed")
    if array.dtype.kind == "O":
        held = [type(x) for x in (array.ravel() if isinstance(value, np.ndarray | list | tuple) else [value])]
        foreign = [kind for kind in held if not issubclass(kind, int | Fraction | np.integer)]
        if foreign:
            raise ArrayError(f"{name} holds objects of type {foreign[0].__name__}; object arrays hold Python integers")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
