"""Programs as index text, with what the text means computed by its definition: one term an entry of the grid.

A line is a sum of products; a product is evaluated on the grid of all its indices, every factor looked up at
its positions, and summed over the indices that are not on the left. So convolutions, gathers, groups and masks are
all the same: arrays of positions. Nothing here knows how einback reads the text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["LENGTHS", "Affine", "Bare", "Gather", "Group", "Line", "Place", "Product", "Program", "Read", "Relation"]

LENGTHS = {"i": 2, "j": 3, "k": 4, "l": 3, "u": 2, "v": 3}  # of the indices that every place may use

Env = Mapping[str, np.ndarray]  # the value of each index, over the grid


# Positions: what they are called, and where they point. `length` is that of the axis.


@dataclass(frozen=True)
class Bare:
    """An index by itself, which has all of the axis's length."""

    index: str
    length: int

    @property
    def indices(self) -> tuple[str, ...]:
        return (self.index,)

    def text(self) -> str:
        return self.index

    def value(self, env: Env, arrays: Mapping[str, Any]) -> np.ndarray:
        return env[self.index]


@dataclass(frozen=True)
class Affine:
    """offset + the sum of steps * indices."""

    steps: tuple[tuple[str, int], ...]
    offset: int
    length: int

    @property
    def indices(self) -> tuple[str, ...]:
        return tuple(index for index, _ in self.steps)

    def text(self) -> str:
        parts = [f"{'-' if step < 0 else '+'}{'' if abs(step) == 1 else f'{abs(step)}*'}{i}" for i, step in self.steps]
        text = "".join(parts).removeprefix("+")
        return f"{text}{self.offset:+d}" if self.offset or text.isalpha() else text

    def value(self, env: Env, arrays: Mapping[str, Any]) -> np.ndarray:
        return sum(step * env[index] for index, step in self.steps) + self.offset


@dataclass(frozen=True)
class Group:
    """Indices as one, the last running fastest."""

    indices: tuple[str, ...]
    length: int

    def text(self) -> str:
        return f"({' '.join(self.indices)})"

    def value(self, env: Env, arrays: Mapping[str, Any]) -> np.ndarray:
        place = env[self.indices[0]]
        for index in self.indices[1:]:
            place = place * LENGTHS[index] + env[index]
        return place


@dataclass(frozen=True)
class Gather:
    """The number that a tensor of whole numbers has at some indices."""

    tensor: str
    indices: tuple[str, ...]
    length: int

    def text(self) -> str:
        return f"{self.tensor}[{','.join(self.indices)}]"

    def value(self, env: Env, arrays: Mapping[str, Any]) -> np.ndarray:
        return arrays[self.tensor][tuple(env[index] for index in self.indices)]


Place = Bare | Affine | Group | Gather


# Factors


@dataclass(frozen=True)
class Read:
    """A tensor at some positions; zero where one lies outside."""

    tensor: str
    places: tuple[Place, ...]

    @property
    def indices(self) -> tuple[str, ...]:
        return tuple(index for place in self.places for index in place.indices)

    def text(self) -> str:
        return f"{self.tensor}[{','.join(place.text() for place in self.places)}]" if self.places else self.tensor

    def value(self, module: Any, env: Env, arrays: Mapping[str, Any]) -> Any:
        at: list[Any] = []
        inside: Any = 1
        for place, length in zip(self.places, arrays[self.tensor].shape, strict=True):
            where = place.value(env, arrays)
            held = (where >= 0) & (where < length)
            at.append(np.where(held, where, 0))
            inside = inside * held
        return arrays[self.tensor][tuple(at)] * inside


@dataclass(frozen=True)
class Relation:
    """A delta of two positions, or a comparison of them."""

    sign: str
    one: Place
    other: Place

    @property
    def indices(self) -> tuple[str, ...]:
        return (*self.one.indices, *self.other.indices)

    def text(self) -> str:
        one, other = self.one.text(), self.other.text()
        return f"δ[{one},{other}]" if self.sign == "δ" else f"({one} {self.sign} {other})"

    def value(self, module: Any, env: Env, arrays: Mapping[str, Any]) -> Any:
        one, other = self.one.value(env, arrays), self.other.value(env, arrays)
        return {"δ": np.equal, ">=": np.greater_equal, "<": np.less}[self.sign](one, other) * 1


@dataclass(frozen=True)
class Product:
    weight: int
    factors: tuple[Read | Relation, ...]

    @property
    def indices(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(index for factor in self.factors for index in factor.indices))

    def text(self) -> str:
        return f"{self.weight} " * (self.weight != 1) + " ".join(factor.text() for factor in self.factors)

    def value(self, module: Any, indices: Sequence[str], lengths: Mapping[str, int], arrays: Any) -> Any:
        """The product over the grid of some indices, and the sum over its others."""
        summed = [index for index in self.indices if index not in indices]
        shape = [lengths[index] for index in (*indices, *summed)]
        env = dict(zip((*indices, *summed), np.indices(shape, sparse=False), strict=True))
        total: Any = self.weight * np.ones(shape)
        for factor in self.factors:
            total = total * factor.value(module, env, arrays)
        return total.sum(axis=tuple(range(len(indices), len(shape)))) if summed else total


@dataclass(frozen=True)
class Line:
    """name[left] = wrap(sum of products); `inner` are the indices that a reduction of the wrap takes away."""

    name: str
    left: tuple[tuple[str, ...], ...]  # one index an axis, or a group of them
    products: tuple[Product, ...]
    wrap: str = ""
    inner: tuple[str, ...] = ()

    @property
    def indices(self) -> tuple[str, ...]:
        return tuple(index for axis in self.left for index in axis)

    def text(self) -> str:
        left = ",".join(axis[0] if len(axis) == 1 else f"({' '.join(axis)})" for axis in self.left)
        body = " + ".join(product.text() for product in self.products)
        if self.wrap:
            summed = [i for product in self.products for i in product.indices]
            summed = [i for i in dict.fromkeys(summed) if i not in (*self.indices, *self.inner)]
            body = f"sum[{','.join(summed)}]({body})" if summed else body
            body = f"{self.wrap}{f'[{chr(44).join(self.inner)}]' if self.inner else ''}({body})"
        return f"{self.name}[{left}] = {body}" if self.left else f"{self.name} = {body}"

    def value(self, module: Any, functions: Mapping[str, Any], lengths: Mapping[str, int], arrays: Any) -> Any:
        grid = (*self.indices, *self.inner)
        total = sum(product.value(module, grid, lengths, arrays) for product in self.products)
        if self.inner:
            total = functions[self.wrap](total, (tuple(range(len(self.indices), len(grid))), False))
        elif self.wrap:
            total = functions[self.wrap](total)
        return total.reshape([math.prod(lengths[index] for index in axis) for axis in self.left])


@dataclass
class Program:
    """Lines, and the shapes of what they read. `sizes` are given to einback, other lengths follow."""

    lines: list[Line] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    below: dict[str, int] = field(default_factory=dict)  # of tensors of whole numbers
    lengths: dict[str, int] = field(default_factory=lambda: dict(LENGTHS))
    sizes: dict[str, int] = field(default_factory=dict)

    def text(self) -> str:
        return "\n".join(line.text() for line in self.lines)

    def __repr__(self) -> str:
        return f"\n{self.text()}\n{self.shapes} {self.below} {self.sizes}"

    def arrays(self, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {
            name: rng.integers(0, self.below[name], shape) if name in self.below else rng.normal(size=shape) / 2
            for name, shape in self.shapes.items()
        }

    def values(self, module: Any, functions: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
        """All tensors that the lines define."""
        known = dict(arrays)
        for line in self.lines:
            known[line.name] = line.value(module, functions, self.lengths, known)
        return {line.name: known[line.name] for line in self.lines}
