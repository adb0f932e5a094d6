"""Random programs as index text: convolutions, gathers, groups, masks, and what is computed from these."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.oracles.index_text import (
    LENGTHS,
    Affine,
    Bare,
    Gather,
    Group,
    Line,
    Place,
    Product,
    Program,
    Read,
    Relation,
)

__all__ = ["programs"]

_MOST_TERMS = 3000  # of the grid of a product


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
