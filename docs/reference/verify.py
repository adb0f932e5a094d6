"""Derive the rows and verify them.

Each order of derivative is compared with central differences of the order below, sixth order in the step; the
last with the row's closed form in NumPy; and the printed formula is read back and must give the same numbers,
unless it holds matrix functions, which index text has no spelling for.
"""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import einback as eb
from einback.ir.nodes import Matrix
from einback.ir.walk import postorder
from einback.notation.elaborate import elaborate

from .row import Row

__all__ = ["Derived", "RowError", "derive", "verify"]

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

SIZES = (3, 4, 2, 5, 6, 7)  # of the symbols of a row, in order of appearance
STEP = 4e-3
STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))  # sixth-order central differences
EXACT, APPROXIMATE = 1e-10, 1e-8


class RowError(Exception):
    """A row that does not hold."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What einback makes of a row: a tensor an order, the last of which is the answer."""

    row: Row
    ladder: tuple[eb.Tensor, ...]
    variables: tuple[eb.Tensor, ...]
    name: str

    @property
    def answer(self) -> eb.Tensor:
        return self.ladder[-1]

    @property
    def text(self) -> str:
        return self.answer.text(name=self.name)

    @property
    def latex(self) -> str:
        return self.answer.latex(name=self.name)


def derive(row: Row) -> Derived:
    """Declare the row's expression and differentiate it as often as the row says."""
    y, given = _declare(row)
    called = y.name or ("Y" if y.ndim else "f")
    if row.along:
        tangents = {given[x]: _tangent(given[x], dx) for x, dx in row.along.items()}
        return Derived(row, (y, eb.jvp(y, tangents)), tuple(tangents.values()), f"d{called}")
    variables = tuple(given[name] for name in row.by.split())
    ladder = [y]
    for order, x in enumerate(variables):
        if order == 1 and not y.ndim:
            ladder.append(eb.hessian(y, variables[0], x))
        else:
            ladder.append(eb.jacobian(ladder[-1], x) if ladder[-1].ndim else eb.grad(ladder[-1], x))
    names = [called, "J" if y.ndim else ladder[-1].name, "H", "T"]
    return Derived(row, tuple(ladder), variables, names[len(variables)])


def _declare(row: Row) -> tuple[eb.Tensor, dict[str, eb.Tensor]]:
    if row.given:
        given = {one.name: one for one in map(eb.tensor, row.given.split())}
        return eval(row.declared, {"eb": eb, **given}), given
    program = eb.program(row.declared.replace("; ", "\n"))
    return program[program.outputs[-1]], dict(program)


def _tangent(x: eb.Tensor, name: str) -> eb.Tensor:
    return eb.tensor(f"{name}[{','.join(map(str, x.shape))}]" if x.ndim else name)


# Verification


def verify(derived: Derived) -> None:
    """Raise `RowError` where an order of the row's derivative is wrong, or its printed form."""
    row = derived.row
    arrays = draw(derived)
    values = [eb.compile(tensor) for tensor in derived.ladder]
    known = [{one.name for one in tensor.inputs} for tensor in derived.ladder]

    def value(order: int, arrays: Arrays) -> Array:
        return np.asarray(values[order]({name: arrays[name] for name in known[order]}))

    answer = value(-1, arrays)
    taken = {name: arrays[name] for name in inspect.signature(row.closed).parameters}
    _agree(answer, row.closed(**taken), EXACT, "the closed form")
    if not any(isinstance(node, Matrix) for node in postorder([derived.answer.node])):
        _agree(_read_back(derived, arrays), answer, EXACT, "what the printed formula says")
    if row.along:
        directions = {x: arrays[dx] for x, dx in row.along.items()}
        _agree(answer, _difference(lambda a: value(0, a), arrays, directions), APPROXIMATE, "differences")
        return
    for order, x in enumerate(derived.variables):
        rung = _differences(lambda a, order=order: value(order, a), arrays, x.name)
        _agree(value(order + 1, arrays), rung, APPROXIMATE, f"differences of order {order + 1}")


def _agree(found: Array, wanted: Any, tolerance: float, what: str) -> None:
    wanted = np.asarray(wanted)
    if found.shape != wanted.shape:
        raise RowError(f"the shape is {found.shape}, and that of {what} {wanted.shape}")
    error = np.max(np.abs(found - wanted), initial=0.0) / max(1.0, np.max(np.abs(wanted), initial=0.0))
    if not error <= tolerance:
        raise RowError(f"off by {error:.1e} from {what}")


def _read_back(derived: Derived, arrays: Arrays) -> Array:
    """The value of the printed formula, read as an index program."""
    answer = derived.answer
    given = {one.name: one.node for one in answer.inputs}
    named = zip(answer.names, answer.shape, strict=True)
    sizes = {name.rstrip("'"): size for name, size in named if name and _symbols(size) in ([], [size])}
    parsed = elaborate(derived.text, given, sizes)
    read = eb.Tensor(parsed.tensors[derived.name], answer.names, answer.scope)
    return np.asarray(eb.compile(read)({name: arrays[name] for name in given}))


def _differences(f: Callable[[Arrays], Array], arrays: Arrays, name: str) -> Array:
    """The derivative of f by each entry of one array, the axes of f first."""
    x = arrays[name]
    columns = []
    for place in np.ndindex(x.shape):
        direction = np.zeros(x.shape)
        direction[place] = 1.0
        columns.append(_difference(f, arrays, {name: direction}))
    stacked = np.stack(columns, axis=-1)
    return stacked.reshape((*stacked.shape[:-1], *x.shape))


def _difference(f: Callable[[Arrays], Array], arrays: Arrays, directions: Arrays) -> Array:
    """The directional derivative of f."""

    def at(distance: float) -> Array:
        return f(arrays | {name: arrays[name] + distance * v for name, v in directions.items()})

    parts = [weight * (at(k * STEP) - at(-k * STEP)) for k, weight in STENCIL]
    return np.asarray(sum(parts) / STEP)


# Arrays to verify with


def draw(derived: Derived) -> Arrays:
    """Random arrays for the inputs, seeded by the row, of shapes in which no two sizes are equal."""
    row = derived.row
    rng = np.random.default_rng(zlib.crc32(row.declared.encode()))
    kinds = dict(part.split() for part in row.draw.split(", ")) if row.draw else {}
    sizes: dict[Any, int] = dict(row.sizes)
    free = [size for size in SIZES if size not in sizes.values()]
    inputs = derived.answer.inputs
    for symbol in dict.fromkeys(name for one in inputs for size in one.shape for name in _symbols(size)):
        if symbol not in sizes:
            sizes[symbol] = free.pop(0)
    arrays = {}
    for one in inputs:
        shape = tuple(size if isinstance(size, int) else eval(size, {}, sizes) for size in one.shape)
        arrays[one.name] = DRAWS[kinds.pop(one.name, "normal")](rng, shape)
    if kinds:
        raise RowError(f"arrays are drawn for {', '.join(kinds)}, which the row does not read")
    return arrays


def _symbols(size: int | str) -> list[str]:
    """The symbols of a size, which may be a formula such as `h*w`."""
    return re.findall(r"[^\W\d]\w*", str(size))


def _definite(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    root = rng.normal(size=shape)
    return root @ np.swapaxes(root, -1, -2) + np.eye(shape[-1])


def _symmetric(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    root = rng.normal(size=shape)
    return root + np.swapaxes(root, -1, -2)


def _dominant(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Matrices far from singular, of either orientation, not symmetric."""
    return (rng.uniform(-1, 1, size=shape) + shape[-1] * np.eye(shape[-1])) * rng.choice([-1.0, 1.0], size=shape[-1])


def _apart(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Entries of both signs that are at least a fifth apart, and from zero."""
    count = int(np.prod(shape))
    levels = 0.25 * (np.arange(count) - count // 2) + 0.125
    return rng.permutation(levels).reshape(shape)


DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "positive": lambda rng, shape: rng.uniform(0.5, 2.0, size=shape),
    "unit": lambda rng, shape: rng.uniform(0.2, 0.8, size=shape),
    "sign": lambda rng, shape: rng.choice([-1.0, 1.0], size=shape),
    "ids": lambda rng, shape: rng.integers(0, 3, size=shape),
    "binary": lambda rng, shape: rng.choice([0.0, 1.0], size=shape),
    "apart": _apart,
    "symmetric": _symmetric,
    "definite": _definite,
    "dominant": _dominant,
}
