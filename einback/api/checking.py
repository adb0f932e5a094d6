"""`check`: derived gradients against numerical ones, on the user's own arrays.

Where every function in the program is analytic, by the complex step Im f(x + ih) / h with h = 1e-30, which
is exact to rounding (Squire & Trapp, SIAM Review 40, 1998); elsewhere by central differences. A complex entry is
moved along both parts, an entry of a tensor with facts together with those that the facts tie to it. The differences of
a stochastic tensor are those of the program without that fact: its entries may be zero, and pass below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from einback.api.compiling import compile
from einback.api.derivatives import default_wrt, grad
from einback.api.operations import sum as sum_of
from einback.api.structure import flatten
from einback.api.tensor import Tensor, declared
from einback.errors import ArrayError, DerivativeError
from einback.ir.facts import without
from einback.ir.nodes import Input, Map, Matrix, Node, Reduce
from einback.ir.walk import postorder, substitute
from einback.rules.matrix import matrix_row
from einback.rules.scalar import row
from einback.run.callable import Compiled

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

    `wrt` is as in `grad`. Where y is not a real scalar, its entries, or their parts, are summed with random
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
    facts = {node.name: node.facts for node in y.known().inputs}
    values = {name: _numbers(name, value, facts.get(name, ())) for name, value in arrays.items()}
    if y.ndim or y.node.is_complex:
        y, values = _weighted(y, values)
    return _check(y, sources, values)


def _numbers(name: str, value: Any, facts: tuple[str, ...]) -> Array:
    array = np.asarray(value)
    if "complex" in facts:
        return array.astype(np.complex128)
    if array.dtype.kind == "f":
        return array.astype(np.float64)
    if array.dtype.kind in "iub":
        return array
    raise ArrayError(f"{name} holds {array.dtype}: check takes real numbers, and complex ones for complex tensors")


def _weighted(y: Tensor, values: dict[str, Array]) -> tuple[Tensor, dict[str, Array]]:
    """The sum of y's entries times fixed random weights, and the arrays with the weights among them."""
    name = "weights"
    while name in values:
        name += "_"
    weights = declared(Input(name, y.shape, ("complex",) if y.node.is_complex else ()), y.names)
    rng, shape = np.random.default_rng(0), np.shape(compile(y)(values))
    drawn = rng.normal(size=shape) + (1j * rng.normal(size=shape) if y.node.is_complex else 0)
    return sum_of((y * weights).real if y.node.is_complex else y * weights), values | {name: drawn}


def _check(y: Tensor, sources: list[Tensor], values: dict[str, Array]) -> Check:
    derived = compile(grad(y, sources))(values)
    analytic = all(_is_analytic(node) for node in postorder([y.node]))
    return Check(tuple(_compared(y, x, slope, values, analytic) for x, slope in zip(sources, derived, strict=True)))


def _compared(y: Tensor, x: Tensor, slope: Array, values: dict[str, Array], analytic: bool) -> Comparison:
    assert isinstance(x.node, Input)
    exact = analytic and set(x.node.facts) <= {"stochastic"}
    moved = Input(x.name, x.node.sizes, ("complex",)) if exact else without(x.node, "stochastic")
    value = compile(y) if moved is x.node else _moving(y, x.node, moved)
    array = values[x.name]
    places = _places(array.shape, x.node.facts)
    found, wanted = [], []
    for place in places:
        for direction in _directions(array, place, x.node.facts):
            found.append(float(np.vdot(slope, direction).real))
            wanted.append((_complex_step if exact else _central)(value, values, x.node, place, direction))
    return Comparison(
        x.name,
        float(np.max(np.abs(np.subtract(found, wanted)), initial=0.0)),
        float(np.max(np.abs(wanted), initial=0.0)),
        len(places),
        array.size,
        "complex step" if exact else "central differences",
        1e-9 if exact else 1e-5,
    )


def _moving(y: Tensor, x: Input, moved: Input) -> Compiled:
    """The program of y with x of other facts; declared complex, nothing is read into it that holds for reals alone."""
    known = y.known()
    inputs = tuple(moved if node is x else node for node in known.inputs)
    return Compiled(substitute([y.node], {x: moved}), inputs, equalities=known.equalities)


def _is_analytic(node: Node) -> bool:
    match node:
        case Input():
            return not node.is_complex
        case Map():
            return bool(row(node.fn).analytic)
        case Reduce():
            return node.fn in ("prod", "logsumexp")
        case Matrix():
            return matrix_row(node.fn).holomorphic
        case _:
            return True


def _places(shape: tuple[int, ...], facts: tuple[str, ...]) -> list[tuple[int, ...]]:
    """The entries to compare: all that may move, or as many as are compared at most, drawn at random."""
    allowed = np.ones(shape, dtype=bool)
    if "diagonal" in facts:
        allowed &= np.eye(shape[-1], dtype=bool)
    elif "lower" in facts:
        allowed = np.tril(allowed)
    elif "orthogonal" in facts:
        allowed = np.tril(allowed, -1)
    chosen = np.flatnonzero(allowed)
    if chosen.size > _MOST:
        chosen = np.random.default_rng(0).choice(chosen, _MOST, replace=False)
    return [tuple(int(axis) for axis in np.unravel_index(int(k), shape)) for k in chosen]


def _directions(array: Array, place: tuple[int, ...], facts: tuple[str, ...]) -> list[Array]:
    """The directions in which an entry moves; an orthogonal matrix turns in the plane of two of its columns.

    What an entry of a stochastic tensor gains, its row gives.
    """
    direction = np.zeros(array.shape, np.result_type(array, np.float64))
    direction[place] = 1
    if "symmetric" in facts:
        direction[(*place[:-2], place[-1], place[-2])] = 1
    if "stochastic" in facts:
        direction[place[:-1]] -= 1 / array.shape[-1]
    if "orthogonal" in facts:
        direction = array @ (direction - np.swapaxes(direction, -1, -2))
    return [direction, 1j * direction] if "complex" in facts else [direction]


def _moved(values: dict[str, Array], x: Input, direction: Array, by: complex) -> dict[str, Array]:
    return values | {x.name: values[x.name] + by * direction}


def _complex_step(
    value: Compiled, values: dict[str, Array], x: Input, place: tuple[int, ...], direction: Array
) -> float:
    return float(np.imag(value(_moved(values, x, direction, _STEP * 1j))) / _STEP)


def _central(value: Compiled, values: dict[str, Array], x: Input, place: tuple[int, ...], direction: Array) -> float:
    step = float(np.cbrt(np.finfo(float).eps))
    moving = np.abs(values[x.name][direction != 0])
    if "positive" in x.facts and moving.size:
        step *= float(moving.min())  # no entry passes zero
    else:
        step *= max(1.0, float(np.abs(values[x.name][place])))
    ahead, behind = (value(_moved(values, x, direction, sign * step)) for sign in (1.0, -1.0))
    return float((ahead - behind) / (2 * step))
