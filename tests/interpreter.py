"""An oracle for programs: a slow interpreter of nodes, one NumPy call a node, independent of `einback.run`.

`evaluate(roots, arrays)` binds the sizes from the arrays' shapes and returns the value of each root. Sums of
products go operand by operand through `np.einsum`, the smallest product first, for object arrays of exact integers too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from einback.ir.extents import evaluate as evaluate_size
from einback.ir.extents import is_formula, symbols_in
from einback.ir.nodes import (
    Add,
    Const,
    Delta,
    Einsum,
    Input,
    Map,
    Matrix,
    Node,
    Number,
    OneHot,
    Ones,
    Range,
    Reduce,
    Window,
)
from einback.ir.sizes import Classes, Equality, Size
from einback.ir.walk import inputs_of, postorder
from einback.rules.scalar import TABLE

_MOST = 20_000_000  # entries of an array: relations are matrices here


class TooLargeError(Exception):
    """The interpreter would need an array of too many entries."""


def evaluate(
    roots: Sequence[Node],
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    equalities: Iterable[Equality] = (),
) -> list[np.ndarray]:
    """The values of the roots; `sizes` gives symbols that no array has."""
    values = {name: np.asarray(array) for name, array in arrays.items()}
    classes = Classes(equalities)
    for name, size in (sizes or {}).items():
        classes.unite(name, size)
    for node in inputs_of(roots):
        assert len(node.sizes) == values[node.name].ndim, f"{node.name}: {node.sizes} and {values[node.name].shape}"
        for size, length in zip(node.sizes, values[node.name].shape, strict=True):
            classes.unite(size, length)
    done: dict[Node, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for node in postorder(roots):
            done[node] = np.asarray(_value(node, done, values, classes))
    return [done[root] for root in roots]


def _value(node: Node, done: Mapping[Node, np.ndarray], arrays: Mapping[str, np.ndarray], classes: Classes) -> Any:
    def length(size: Size) -> int:
        found = classes.find(size)
        if isinstance(found, str) and is_formula(found):
            return evaluate_size(found, {name: length(name) for name in symbols_in(found)})
        assert isinstance(found, int), f"no size for {size}"
        return found

    match node:
        case Input():
            return arrays[node.name]
        case Const():
            return _number(node.value)
        case Delta():
            return np.eye(length(node.size), dtype=int)
        case Ones():
            return np.ones(length(node.size), dtype=int)
        case Range():
            return np.arange(length(node.size))
        case Window():
            return _window([length(size) for size in node.shape], [length(s) for s in node.steps], length(node.offset))
        case OneHot():
            return (done[node.ids][..., None] == np.arange(length(node.size))).astype(int)
        case Matrix():
            return MATRICES[node.fn](done[node.arg])
        case Einsum():
            return _einsum([done[operand] for operand in node.operands], node.labels, node.out)
        case Add():
            return sum(_number(w) * done[term] for term, w in zip(node.terms, node.weights, strict=True))
        case Map():
            return _map(node.fn, [done[arg] for arg in node.args])
        case Reduce():
            return _reduce(node.fn, done[node.arg], node.axes)
    raise TypeError(f"unknown node {node!r}")


MATRICES: Mapping[str, Any] = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "logdet": lambda a: np.linalg.slogdet(a)[1],
    "sign": lambda a: np.linalg.slogdet(a)[0],
    "cholesky": np.linalg.cholesky,
    "eigvalsh": np.linalg.eigvalsh,
    "eigvecs": lambda a: np.linalg.eigh(a)[1],
}


def _window(shape: Sequence[int], steps: Sequence[int], offset: int) -> np.ndarray:
    place = np.full(shape[1:], offset)
    for axis, step in enumerate(steps):
        place += step * np.arange(shape[axis + 1]).reshape([-1 if k == axis else 1 for k in range(len(steps))])
    return (np.arange(shape[0]).reshape(-1, *(1 for _ in steps)) == place).astype(int)


def _number(value: Number) -> Any:
    """An exact number as an int where it is one, so that integer arrays stay exact."""
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else value.numerator / value.denominator
    return value


def _einsum(arrays: list[np.ndarray], labels: Sequence[Sequence[int]], out: Sequence[int]) -> np.ndarray:
    left: np.ndarray = np.asarray(1)
    own: list[int] = []
    sizes = {
        label: n for array, own in zip(arrays, labels, strict=True) for n, label in zip(array.shape, own, strict=True)
    }
    waiting = list(zip(arrays, labels, strict=True))
    while waiting:  # the operand next that leaves the smallest product
        after = []
        for k, (_, more) in enumerate(waiting):
            later = {label for j, (_, rest) in enumerate(waiting) if j != k for label in rest} | set(out)
            after.append([label for label in dict.fromkeys([*own, *more]) if label in later])
        entries = [math.prod(sizes[label] for label in kept) for kept in after]
        k = entries.index(min(entries))
        if entries[k] > _MOST:
            raise TooLargeError(f"a product of {entries[k]} entries")
        array, more = waiting.pop(k)
        left, own = _product(left, own, array, more, after[k]), after[k]
    return _embedded(left, own, out)


def _product(
    a: np.ndarray, labels: Sequence[int], b: np.ndarray, more: Sequence[int], kept: Sequence[int]
) -> np.ndarray:
    short = {label: k for k, label in enumerate(dict.fromkeys([*labels, *more]))}
    return np.einsum(a, [short[x] for x in labels], b, [short[x] for x in more], [short[x] for x in kept])


def _embedded(array: np.ndarray, labels: list[int], out: Sequence[int]) -> np.ndarray:
    """The array with its axes in the order of `out`, where a repeated label writes a diagonal."""
    length = dict(zip(labels, array.shape, strict=True))
    distinct = list(dict.fromkeys(out))
    array = array.transpose([labels.index(label) for label in distinct])
    result = np.zeros([length[label] for label in out], dtype=array.dtype)
    grid = np.indices(array.shape)
    result[tuple(grid[distinct.index(label)] for label in out)] = array
    return result


def _map(fn: str, args: list[np.ndarray]) -> Any:
    row = TABLE[fn]
    space: dict[str, Any] = {"np": np, "math": math}
    exec(row.helper, space)
    if fn == "power" and all(arg.dtype.kind in "iu" for arg in args):
        args = [args[0].astype(float), args[1]]
    names = {f"a{k}": arg for k, arg in enumerate(args)}
    value = eval(row.numpy.format(*names), space | names)
    return np.asarray(value).astype(np.result_type(float, *args)) if row.predicate else value  # 0 and 1 as numbers


def _reduce(fn: str, array: np.ndarray, axes: tuple[int, ...]) -> Any:
    match fn:
        case "max":
            return np.max(array, axis=axes, initial=None if array.size else -np.inf)
        case "min":
            return np.min(array, axis=axes, initial=None if array.size else np.inf)
        case "prod":
            return np.prod(array, axis=axes)
        case "logsumexp":
            array = array.astype(float) if array.dtype.kind in "biu" else array
            top = np.max(array, axis=axes, keepdims=True, initial=-np.inf)
            finite = np.where(np.isfinite(top), top, 0)
            return np.log(np.sum(np.exp(array - finite), axis=axes)) + np.squeeze(finite, axis=axes)
        case "peak":  # in plans alone: what the exponentials of a logsumexp are shifted by
            top = np.max(array, axis=axes, initial=-np.inf)
            return np.where(np.isinf(top), 0, top)
    raise KeyError(fn)
