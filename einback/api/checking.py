"""`check`: derived gradients against numerical ones, on the user's own arrays.

Where every function in the program is analytic, by the complex step Im f(x + ih) / h with h = 1e-30, which
is exact to rounding (Squire & Trapp, SIAM Review 40, 1998); elsewhere by central differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from einback.api.compiling import Function, compile
from einback.api.derivatives import default_wrt, grad
from einback.api.operations import sum as sum_of
from einback.api.structure import flatten
from einback.api.tensor import Tensor, declared
from einback.errors import ArrayError, DerivativeError
from einback.ir.nodes import Input, Map, Node, Reduce
from einback.ir.walk import postorder
from einback.rules.scalar import row

__all__ = ["Check", "Comparison", "check"]

_STEP = 1e-30  # of the complex step
_MOST = 256  # entries of a tensor that are compared; of a larger tensor, as many drawn at random

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One tensor's gradient: the largest error over the compared entries, beside the largest entry."""

    name: str
    error: float
    largest: float
    compared: int
    entries: int
    method: str
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance * max(1.0, self.largest)

    def __str__(self) -> str:
        which = "all" if self.compared == self.entries else f"{self.compared} of"
        verdict = "ok" if self.passed else "WRONG"
        return (
            f"{self.name}: largest error {self.error:.1e}, largest entry {self.largest:.1e}, "
            f"{which} {self.entries} entries by {self.method}: {verdict}"
        )


@dataclass(frozen=True, slots=True)
class Check:
    """The report of `check`: a line a tensor when printed, true if all gradients agree."""

    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        return all(comparison.passed for comparison in self.comparisons)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return "\n".join(map(str, self.comparisons))


def check(y: Tensor, wrt: Any = None, /, **arrays: Any) -> Check:
    """Compare the derived gradient of y with a numerical one, for each tensor of `wrt`.

    `wrt` is as in `grad`; the arrays are real. Where y is not a scalar, its entries are summed with random
    weights. Up to 256 entries of each tensor are compared. The check passes where the error is within 1e-9
    (complex step) or 1e-5 (central differences) of the largest entry, or of one.

    >>> import numpy as np
    >>> import einback as eb
    >>> x = eb.tensor("x[n]")
    >>> print(check(eb.sum(eb.sin(x) ** 2), x, x=np.array([0.0, 1.0])))  # doctest: +ELLIPSIS
    x: largest error ..., largest entry 9.1e-01, all 2 entries by complex step: ok
    """
    sources = flatten(default_wrt(y) if wrt is None else wrt, "wrt")
    for source in sources:
        if not isinstance(source.node, Input):
            raise DerivativeError(
                "check compares gradients by tensors that arrays are passed for, not by intermediates"
            )
        if source.name not in arrays:
            raise ArrayError(f"no array is given for {source.name}", hint=f"pass {source.name}=...")
    values = {name: _real(name, value) for name, value in arrays.items()}
    if y.ndim:
        y, values = _weighted(y, values)
    return _check(y, sources, values)


def _real(name: str, value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return array.astype(np.float64)
    if array.dtype.kind in "iub":
        return array
    raise ArrayError(f"{name} holds {array.dtype}: check takes real numbers")


def _weighted(y: Tensor, values: dict[str, Array]) -> tuple[Tensor, dict[str, Array]]:
    """The sum of y's entries times fixed random weights, and the arrays with the weights among them."""
    name = "weights"
    while name in values:
        name += "_"
    weights = declared(Input(name, y.shape, ()), y.names)
    drawn = np.random.default_rng(0).normal(size=np.shape(compile(y)(values)))
    return sum_of(y * weights), values | {name: drawn}


def _check(y: Tensor, sources: list[Tensor], values: dict[str, Array]) -> Check:
    derived = compile(grad(y, sources))(values)
    value = compile(y)
    analytic = all(_is_analytic(node) for node in postorder([y.node]))
    comparisons = []
    for source, slope in zip(sources, derived, strict=True):
        places = _places(values[source.name].shape)
        differences = [(_complex_step if analytic else _central)(value, values, source.name, p) for p in places]
        errors = [abs(slope[p] - d) for p, d in zip(places, differences, strict=True)]
        comparisons.append(
            Comparison(
                source.name,
                float(np.max(errors, initial=0.0)),
                float(np.max(np.abs(differences), initial=0.0)),
                len(places),
                values[source.name].size,
                "complex step" if analytic else "central differences",
                1e-9 if analytic else 1e-5,
            )
        )
    return Check(tuple(comparisons))


def _is_analytic(node: Node) -> bool:
    match node:
        case Map():
            return bool(row(node.fn).analytic)
        case Reduce():
            return node.fn in ("prod", "logsumexp")
        case _:
            return True


def _places(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The entries to compare: all, or as many as are compared at most, drawn at random."""
    count = math.prod(shape)
    chosen = range(count) if count <= _MOST else np.random.default_rng(0).choice(count, _MOST, replace=False)
    return [tuple(map(int, np.unravel_index(k, shape))) for k in chosen]


def _moved(values: dict[str, Array], name: str, place: tuple[int, ...], by: complex) -> dict[str, Array]:
    array = values[name].astype(np.result_type(type(by), np.float64))
    array[place] += by
    return values | {name: array}


def _complex_step(value: Function, values: dict[str, Array], name: str, place: tuple[int, ...]) -> float:
    return float(np.imag(value(_moved(values, name, place, _STEP * 1j))) / _STEP)


def _central(value: Function, values: dict[str, Array], name: str, place: tuple[int, ...]) -> float:
    step = float(np.cbrt(np.finfo(float).eps)) * max(1.0, abs(float(values[name][place])))
    ahead, behind = (value(_moved(values, name, place, sign * step)) for sign in (1.0, -1.0))
    return float((ahead - behind) / (2 * step))
