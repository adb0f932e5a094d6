"""Whether arrays keep what was declared of them: checked at every call, in a few passes over the array.

Equality is up to rounding: arrays that a computation made symmetric, orthogonal or stochastic are so to some digits
only. That a matrix is positive definite is checked as far as its diagonal and its symmetry tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from einback.errors import ArrayError
from einback.ir.nodes import Const, Input, Map, Matrix, Node
from einback.ir.walk import children, postorder
from einback.rules.scalar import TABLE

__all__ = ["as_declared", "depends_on_entries", "minds_complex"]

Array = np.ndarray[Any, np.dtype[Any]]
Fault = tuple[tuple[int, ...], str] | tuple[tuple[int, ...], str, str]  # a place, what stands there, what to do

_OF_REALS = frozenset(["conj", "real", "imag"]) | {name for name, row in TABLE.items() if row.predicate}
_UNDONE = frozenset(["exp", "expm1", "sigmoid", "inv"])
_UNDOING = frozenset(["log", "log1p", "sign"])

_SLACK, _MOST_SLACK = 16, 0.05  # the one times the root of the rounding unit


def depends_on_entries(tensor: Input) -> bool:
    """Whether the entries of an array have to be looked at, and not only its dtype."""
    return any(fact in _CHECKS for fact in tensor.facts)


def minds_complex(roots: Iterable[Node]) -> bool:
    """Whether it matters in a program which tensors are complex.

    It does where one is declared so, where parts are taken or entries compared, and where a rule may have used that
    numbers are real: |x|^2 = x^2, log(exp x) = x, and inv(X) has the sign of X.
    """
    undone: set[Node] = set()  # what holds a function that another may have undone
    for node in postorder(roots):
        fn = node.fn if isinstance(node, Map | Matrix) else ""
        below = any(child in undone for child in children(node))
        if node.is_complex or fn in _OF_REALS or (below and fn in _UNDOING) or _is_square_of_modulus(node):
            return True
        if below or fn in _UNDONE:
            undone.add(node)
    return False


def _is_square_of_modulus(node: Node) -> bool:
    match node:
        case Map("power", (Map("abs"), Const(value=value))):
            return value % 2 == 0
        case _:
            return False


def as_declared(tensor: Input, array: Array, strictly: bool) -> Array:
    """The array for a tensor with its facts checked; real numbers for a complex tensor become complex.

    Complex numbers for a tensor that is not declared complex pass only through a program that is read without
    such declarations (`strictly` is false): one that would mean the same had they been made.

    Raises `ArrayError` with the tensor, the fact and an entry.
    """
    if "complex" in tensor.facts and array.dtype.kind in "biuf":
        array = array.astype(np.result_type(array.dtype, np.complex64))
    if "integer" in tensor.facts and array.dtype.kind not in "biuO":
        raise ArrayError(f"{tensor.name} holds integers, but the array is of {array.dtype}")
    if array.dtype.kind == "c" and "complex" not in tensor.facts and (strictly or depends_on_entries(tensor)):
        raise ArrayError(
            f"{tensor.name} is not declared complex, and the array holds {array.dtype}",
            hint=f'declare it as einback.tensor("{tensor.name}[..]", complex=True), or pass real numbers',
        )
    for fact in tensor.facts:
        check = _CHECKS.get(fact)
        if check is None or array.ndim != len(tensor.sizes) or _says_nothing(fact, array):
            continue  # what is wrong with the shape is said where sizes are bound
        found = check(array)
        if found is not None:
            place, what, *hint = found
            raise ArrayError(
                f"{tensor.name} is declared {fact.replace('_', ' ')}, but {what.format(_named(tensor.name, place))}",
                hint="".join(hint),
            )
    return array


def _says_nothing(fact: str, array: Array) -> bool:
    """Whether a fact says nothing of an array of this shape; rows without entries sum to zero, not to one."""
    if fact == "stochastic":
        return False
    return not array.size or (fact != "positive" and array.shape[-1] != array.shape[-2])


def _named(name: str, place: tuple[int, ...]) -> str:
    return f"{name}[{','.join(map(str, place))}]" if place else name


def _first(wrong: Array) -> tuple[int, ...] | None:
    """The first place, in C order, where something is wrong."""
    return tuple(int(k) for k in np.unravel_index(int(wrong.argmax()), wrong.shape)) if wrong.any() else None


def _slack(array: Array) -> float:
    kind = array.dtype if array.dtype.kind in "fc" else np.dtype(np.float64)
    return min(_SLACK * float(np.sqrt(np.finfo(kind).eps)), _MOST_SLACK)


def _positive(array: Array) -> Fault | None:
    place = _first(~(array > 0))
    return None if place is None else (place, f"{{}} is {array[place]}")


def _symmetric(array: Array) -> Fault | None:
    turned = np.swapaxes(array, -1, -2)
    wrong = array != turned
    if array.dtype.kind in "fc" and wrong.any():
        size = np.abs(array)
        largest = np.where(np.isfinite(size), size, 0).max(axis=(-2, -1), keepdims=True)
        with np.errstate(invalid="ignore"):
            wrong &= ~(np.abs(array - turned) <= _slack(array) * largest) & ~(np.isnan(array) & np.isnan(turned))
    place = _first(wrong)
    if place is None:
        return None
    other = (*place[:-2], place[-1], place[-2])
    return place, f"{{}} is {array[place]} and its mirror image is {array[other]}"


def _zero(array: Array, where: Array) -> Fault | None:
    place = _first((array != 0) & where)
    return None if place is None else (place, f"{{}} is {array[place]}")


def _diagonal(array: Array) -> Fault | None:
    return _zero(array, ~np.eye(array.shape[-1], dtype=bool))


def _lower(array: Array) -> Fault | None:
    return _zero(array, np.triu(np.ones(array.shape[-2:], dtype=bool), 1))


def _positive_definite(array: Array) -> Fault | None:
    diagonal = np.diagonal(array, axis1=-2, axis2=-1)
    place = _first(~(diagonal > 0))
    return None if place is None else ((*place, place[-1]), f"{{}} is {diagonal[place]}")


def _orthogonal(array: Array) -> Fault | None:
    """Q'Q v = v and QQ' v = v for one v without pattern, which a matrix that is not orthogonal does not keep."""
    matrix = array if array.dtype.kind == "f" else array.real.astype(np.float64)
    v = np.random.default_rng(0).uniform(0.5, 1.5, array.shape[-1])
    for line, q in (("column", matrix), ("row", np.swapaxes(matrix, -1, -2))):
        image = np.squeeze(np.swapaxes(q, -1, -2) @ (q @ v)[..., None], -1)
        place = _first(~(np.abs(image - v) <= _slack(matrix) * np.sqrt(v.size)))
        if place is None:
            continue
        *front, k = place
        length = float(np.linalg.norm(q[tuple(front)][:, k].astype(np.float64)))
        said = f"has the length {length:.6g}" if abs(length - 1) > _slack(matrix) else "is not orthogonal to the others"
        return (*front, 0, k) if line == "column" else (*front, k, 0), f"the {line} of {{}} {said}"
    return None


def _stochastic(array: Array) -> Fault | None:
    """No entry below zero, and rows that sum to one: both up to rounding, sums in double precision."""
    slack = _slack(array)
    entries = array if array.dtype == np.float64 else array.astype(np.float64)
    place = _first(entries < -slack)
    if place is not None:
        return place, f"{{}} is {array[place]}, which is negative"
    with np.errstate(invalid="ignore", over="ignore"):
        sums = entries.sum(-1)
        place = _first(~(np.abs(sums - 1) <= slack))
    if place is None:
        return None
    hint = "divide by the sums along the last axis, or declare the tensor without the fact"
    return place, f"the entries of {{}} sum to {_unlike_one(sums[place])}, not to 1", hint


def _unlike_one(number: float) -> str:
    """A number with as many digits as tell it from one."""
    short = f"{number:.6g}"
    return repr(float(number)) if short == "1" else short


_CHECKS: dict[str, Callable[[Array], Fault | None]] = {
    "diagonal": _diagonal,
    "lower": _lower,
    "orthogonal": _orthogonal,
    "positive": _positive,
    "positive_definite": _positive_definite,
    "stochastic": _stochastic,
    "symmetric": _symmetric,
}
