"""Small arrays for a program, drawn at random: sizes that fit its formulas, entries that keep what was declared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from einback.api.compiling import compile
from einback.api.scope import Known, gather
from einback.api.tensor import Tensor
from einback.errors import ArrayError
from einback.ir.extents import evaluate, is_formula, symbols_in
from einback.ir.nodes import Input, Matrix, Node, OneHot
from einback.ir.sizes import Classes, Equality, Size
from einback.ir.walk import inputs_of, postorder
from einback.plan.binding import bind, equalities_of, symbols_of

__all__ = ["Sample", "direction", "sample", "sample_sizes", "samples"]

Array = np.ndarray[Any, Any]

_ATTEMPTS = 120
_LENGTHS = (5, 3, 4, 2)  # of sizes in order of appearance: more samples than features, in most programs
_RANGES = ((-1.4, 1.4), (0.3, 1.4), (0.05, 0.45), (1.2, 2.4))  # of entries; one of them suits most functions


@dataclass(frozen=True, slots=True)
class Sample:
    """Arrays by name, and the numbers of the sizes."""

    arrays: dict[str, Array]
    sizes: dict[str, int]


def sample(y: Tensor, lengths: Mapping[str, int], seed: int = 0) -> Sample:
    """Small arrays at which a tensor has finite entries; `lengths` are those of sizes that are not to be small."""
    known = _checked(y, lengths)
    for found in samples(y.node, known.equalities, {}, seed, lengths, tuple(known.inputs)):
        try:
            if np.isfinite(compile(y)(found.arrays)).all():
                return found
        except ArrayError:  # a matrix without an inverse, or without a factor
            continue
    raise ArrayError("no arrays were found at which all entries are finite", hint="pass arrays to einback.check")


def sample_sizes(y: Tensor, lengths: Mapping[str, int]) -> dict[str, int]:
    """A number for every size of a tensor's program: those of `lengths`, and small ones."""
    known = _checked(y, lengths)
    return next(_all_sizes(y.node, tuple(known.inputs), known.equalities, {}, lengths, 0))[1]


def _checked(y: Tensor, lengths: Mapping[str, int]) -> Known:
    known = gather([y.scope])
    sizes = [*(size for one in known.inputs for size in one.sizes), *symbols_of([y.node])]
    names = dict.fromkeys(name for size in sizes for name in symbols_in(size))
    for name in lengths:
        if name not in names:
            raise ArrayError(f"no size is named {name}", hint=f"the sizes are {', '.join(names) or 'all numbers'}")
    return known


def samples(
    root: Node,
    equalities: Collection[Equality],
    given: Mapping[str, Any],
    seed: int,
    lengths: Mapping[str, int] | None = None,
    inputs: Sequence[Input] | None = None,
) -> Iterator[Sample]:
    """Attempts: arrays for all inputs of a program, those given among them, of sizes that agree."""
    inputs = inputs_of([root]) if inputs is None else inputs
    arrays = {name: np.asarray(value) for name, value in given.items()}
    rng = np.random.default_rng(seed)
    for attempt, sizes in _all_sizes(root, inputs, equalities, arrays, lengths or {}, seed):
        low, high = _RANGES[attempt % len(_RANGES)]
        drawn = {one.name: _drawn(one, root, sizes, low, high, rng) for one in inputs if one.name not in arrays}
        yield Sample(arrays | drawn, sizes)


def _all_sizes(root: Node, inputs: Sequence[Input], equalities: Collection[Equality], arrays: Mapping[str, Array],
               lengths: Mapping[str, int], seed: int) -> Iterator[tuple[int, dict[str, int]]]:  # fmt: skip
    """The attempts whose sizes agree; `ArrayError` where no further one does."""
    equalities = sorted([*equalities, *equalities_of([root])], key=repr)
    classes = Classes(equalities)
    rng = np.random.default_rng([seed, 1])
    for attempt in range(_ATTEMPTS):
        try:
            yield attempt, _sizes(root, inputs, classes, equalities, arrays, lengths, attempt, rng)
        except ArrayError:
            if attempt == _ATTEMPTS - 1:
                raise


def _sizes(
    root: Node,
    inputs: Sequence[Input],
    classes: Classes,
    equalities: Sequence[Equality],
    arrays: Mapping[str, Array],
    lengths: Mapping[str, int],
    attempt: int,
    rng: np.random.Generator,
) -> dict[str, int]:
    """A number for every size; `ArrayError` where they contradict each other."""
    needed = [*symbols_of([root]), *(size for one in inputs for size in one.sizes if isinstance(size, str))]
    names = list(dict.fromkeys(name for size in needed for name in symbols_in(size)))
    known = bind(inputs, {name: array.shape for name, array in arrays.items()}, equalities=equalities, given=lengths)
    chosen: dict[Size, int] = {classes.find(name): number for name, number in known.items()}
    sizes: dict[str, int] = {}
    for k, name in enumerate(names):
        found = classes.find(name)
        if isinstance(found, int):
            sizes[name] = found
        elif is_formula(found):
            continue
        else:
            number = _LENGTHS[k % len(_LENGTHS)] if attempt < len(_RANGES) else int(rng.integers(2, 4 + attempt // 8))
            sizes[name] = chosen.setdefault(found, number)
    for name in names:
        if is_formula(found := classes.find(name)) and symbols_in(found) and sizes.keys() >= set(symbols_in(found)):
            sizes[name] = evaluate(found, sizes)
    shapes = {one.name: tuple(_number(size, sizes) for size in one.sizes) for one in inputs}
    bound = bind(inputs, shapes, equalities=equalities, given=sizes, needed=needed)
    return sizes | bound


def _number(size: Size, sizes: Mapping[str, int]) -> int:
    try:
        return evaluate(size, sizes)
    except KeyError as missing:
        raise ArrayError(f"no array fixes the size {missing.args[0]}") from None


def _drawn(
    one: Input, root: Node, sizes: Mapping[str, int], low: float, high: float, rng: np.random.Generator
) -> Array:
    """An array for an input, with its facts."""
    shape = tuple(evaluate(size, sizes) for size in one.sizes)
    if "stochastic" in one.facts:
        return _rows(one, shape, rng)
    if "integer" in one.facts:
        readers = [node for node in postorder([root]) if isinstance(node, OneHot) and one in inputs_of([node.ids])]
        below = min((evaluate(node.size, sizes) for node in readers), default=3)
        return np.asarray(rng.integers(0, below if all(node.ids is one for node in readers) else 2, shape))
    entries: Array = np.asarray(rng.uniform(low, high, shape))
    if "complex" in one.facts:
        entries = entries + 1j * rng.uniform(low, high, shape)
    if "positive" in one.facts:
        entries = np.abs(entries) + 0.1
    if one.rank < 2:
        return entries
    if "orthogonal" in one.facts:
        return np.asarray(np.linalg.qr(rng.normal(size=shape))[0])
    matrices = any(isinstance(node, Matrix) for node in postorder([root]))
    if shape[-1] == shape[-2] and (matrices or "positive_definite" in one.facts):
        entries = entries / shape[-1] + 2 * np.eye(shape[-1])
    return _kept(entries, one.facts)


def _rows(one: Input, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Rows that sum to one: whole numbers are one-hot, others stay away from zero."""
    if "integer" in one.facts:
        return np.asarray(np.eye(shape[-1], dtype=np.int64)[rng.integers(0, shape[-1], shape[:-1])])
    entries = rng.uniform(0.3, 1.4, shape)
    return np.asarray(entries / entries.sum(-1, keepdims=True))


def _kept(entries: Array, facts: Sequence[str]) -> Array:
    """The part of matrices that facts allow."""
    if "symmetric" in facts:
        entries = (entries + np.swapaxes(entries, -1, -2)) / 2
    if "diagonal" in facts:
        entries = entries * np.eye(entries.shape[-1])
    return np.tril(entries) if "lower" in facts else entries


def direction(one: Input, array: Array, rng: np.random.Generator) -> Array:
    """A random direction in which an array can move and keep its facts."""
    found: Array = np.asarray(rng.normal(size=array.shape))
    if "complex" in one.facts:
        found = found + 1j * rng.normal(size=array.shape)
    if "orthogonal" in one.facts:
        return np.asarray(array @ (found - np.swapaxes(found, -1, -2)))
    if "stochastic" in one.facts:
        return np.asarray(found - found.mean(-1, keepdims=True))
    return _kept(found, one.facts) if array.ndim > 1 else found
