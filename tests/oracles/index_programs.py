"""Random programs as index text, with what the text means computed by its definition: one term an entry of the grid.

A line is a sum of products; a product is evaluated on the grid of all its indices, every factor looked up at
its positions, and summed over the indices that are not on the left. So convolutions, gathers, groups and masks are
all the same: arrays of positions. Nothing here knows how einback reads the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

__all__ = ["Program", "programs"]

LENGTHS = {"i": 2, "j": 3, "k": 4, "l": 3, "u": 2, "v": 3}  # of the indices that every place may use
_MOST_TERMS = 3000  # of the grid of a product

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


# Drawing


class _Draw:
    def __init__(self, draw: Any) -> None:
        self.draw, self.program = draw, Program()
        self.fresh: Iterator[str] = iter("pqrs")  # indices that the range rule gives a length
        self.whole: set[str] = set()  # those in use that an input has as an axis

    def pick(self, options: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def run(self) -> Program:
        for k in range(self.draw(st.integers(1, 3))):
            self.program.lines.append(self.line(f"t{k}"))
        self.program.sizes = {
            index: length
            for index, length in LENGTHS.items()
            if index not in self.whole and any(index in p.indices for line in self.program.lines for p in line.products)
        }
        return self.program

    def line(self, name: str) -> Line:
        wrap = self.pick(("", "", "view", "tanh", "sin", "max", "logsumexp"))
        if wrap == "view":
            products, wrap = [Product(1, (self.read(),))], ""
        else:
            products = [self.product() for _ in range(1 if wrap else self.pick((1, 1, 2)))]
        seen = list(products[0].indices)
        left = self.draw(st.permutations([index for index in seen if self.pick((True, True, False))][:4]))
        axes = [(index,) for index in left]
        if len(left) > 1 and set(left[:2]) <= LENGTHS.keys() and self.pick((True, False, False)):
            axes[:2] = [tuple(left[:2])]
        rest = tuple(index for index in seen if index not in left)
        inner = rest[:2] if wrap in ("max", "logsumexp") else ()
        if wrap in ("max", "logsumexp") and not inner:
            wrap = "tanh"
        return Line(name, tuple(axes), tuple(products), wrap, inner)

    def product(self) -> Product:
        factors: list[Read | Relation] = []
        for _ in range(self.draw(st.integers(1, 3))):
            before = dict(self.program.shapes), dict(self.program.below), set(self.whole)
            factor = self.read()
            trial = Product(1, (*factors, factor))
            if math.prod(self.program.lengths[index] for index in trial.indices) <= _MOST_TERMS:
                factors.append(factor)
            else:
                self.program.shapes, self.program.below, self.whole = before
        read = [index for index in Product(1, tuple(factors)).indices if index in LENGTHS]
        if read and self.pick((True, False)):
            factors.append(self.relation(read))
        return Product(self.pick((1, 1, 2, -3)), tuple(factors))

    def relation(self, read: Sequence[str]) -> Relation:
        """A delta or a comparison between indices that tensors have."""
        one = self.pick(read)
        sign = self.pick(("δ", ">=", "<"))
        steps = {index: self.pick((1, 2, -1)) for index in self.draw(st.lists(st.sampled_from(read), max_size=2))}
        steps = {index: step for index, step in steps.items() if index != one} or {self.pick(read): 1}
        return Relation(sign, Bare(one, LENGTHS[one]), Affine(tuple(steps.items()), -1, LENGTHS[one]))

    def read(self) -> Read:
        defined = [line for line in self.program.lines if line.left]
        if defined and self.pick((True, True, False)):
            line = self.pick(defined)
            lengths = [math.prod(self.program.lengths[index] for index in axis) for axis in line.left]
            return Read(line.name, tuple(self.place_within(length) for length in lengths))
        name = self.pick(
            [f"x{len(self.program.shapes)}", *(n for n in self.program.shapes if n not in self.program.below)]
        )
        if name in self.program.shapes:
            return Read(name, tuple(self.place_within(length) for length in self.program.shapes[name]))
        places = tuple(self.place(name) for _ in range(self.draw(st.integers(1, 3))))
        self.program.shapes[name] = tuple(place.length for place in places)
        return Read(name, places)

    def place_within(self, length: int) -> Place:
        """A position on an axis that exists."""
        fitting = [index for index, own in LENGTHS.items() if own == length]
        inside = [index for index, own in LENGTHS.items() if own <= length]
        kinds = ["bare", "bare"] * bool(fitting) + ["inside", "inside"] * bool(inside) + ["affine", "gather"]
        match self.pick(kinds):
            case "inside":
                index = self.pick(inside)
                return Affine(((index, 1),), self.draw(st.integers(0, length - LENGTHS[index])), length)
            case "bare":
                return Bare(self.pick(fitting), length)
            case "gather":
                return self.gather(length)
            case _:
                steps = self.steps()
                first = sum(step * (LENGTHS[index] - 1) for index, step in steps if step < 0)
                last = sum(step * (LENGTHS[index] - 1) for index, step in steps if step > 0)
                offset = self.draw(st.integers(-2, 2))
                if first == 0 <= offset and offset + last >= length:  # without a minus sign it stays inside
                    offset = -1
                return Affine(steps, offset, length)

    def steps(self) -> tuple[tuple[str, int], ...]:
        indices = self.draw(st.lists(st.sampled_from(list(LENGTHS)), min_size=1, max_size=2, unique=True))
        return tuple((index, self.pick((1, 1, 2, -1))) for index in indices)

    def place(self, name: str) -> Place:
        """A position on an axis that is declared by being read at it."""
        match self.pick(("bare", "bare", "affine", "range", "gather", "group")):
            case "bare":
                index = self.pick(list(LENGTHS))
                self.whole.add(index)
                return Bare(index, LENGTHS[index])
            case "group":
                indices = self.draw(st.lists(st.sampled_from(list(LENGTHS)), min_size=2, max_size=2, unique=True))
                return Group(tuple(indices), math.prod(LENGTHS[index] for index in indices))
            case "gather":
                return self.gather(self.draw(st.integers(2, 4)))
            case "range":
                index = next(self.fresh, None)
                if index is not None:
                    return self.ranged(index)
        steps, offset = self.steps(), self.draw(st.integers(-2, 2))
        last = offset + sum(step * (LENGTHS[index] - 1) for index, step in steps if step > 0)
        minus = offset < 0 or any(step < 0 for _, step in steps)
        length = self.draw(st.integers(1, 4)) if minus else last + 1 + self.draw(st.integers(0, 1))
        return Affine(steps, offset, length)

    def ranged(self, index: str) -> Affine:
        """step * index + .. + offset, on an axis that leaves the index so many values by the range rule."""
        step, offset = self.pick((1, 2)), self.draw(st.integers(-1, 1))
        others = [(other, self.pick((1, 2))) for other in self.draw(st.lists(st.sampled_from("uv"), max_size=1))]
        reach = sum(own * (LENGTHS[other] - 1) for other, own in others)
        least = 1 + reach + offset if offset >= 0 else max(1, 1 + reach + 2 * offset)
        length = least + self.draw(st.integers(0, 3))
        room = length - 1 - reach - max(offset, 0) + 2 * max(-offset, 0)
        self.program.lengths[index] = room // step + 1
        return Affine(((index, step), *others), offset, length)

    def gather(self, length: int) -> Gather:
        indices = self.draw(st.lists(st.sampled_from(list(LENGTHS)), min_size=1, max_size=2, unique=True))
        name = f"ids{len(self.program.below)}"
        self.whole.update(indices)
        self.program.shapes[name] = tuple(LENGTHS[index] for index in indices)
        self.program.below[name] = length
        return Gather(name, tuple(indices), length)


@st.composite
def programs(draw: Callable[..., Any]) -> Program:
    """One to three lines over up to a handful of tensors."""
    return _Draw(draw).run()
