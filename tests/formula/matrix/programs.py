"""Random programs of scalars, vectors and matrices, as a person would write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np

import einback as eb

SIZES = {"n": 3, "m": 4}
DECLARED = "A[n,m] B[m,n] S[n,n] T[m,m] x[n] u[n] y[m] s"
INPUTS = {one.name: one for one in eb.tensors(DECLARED)}
INPUTS["Q"] = eb.tensor("Q[n,n]", symmetric=True)

Tensor = Any


def arrays(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    made = {name: rng.uniform(-1, 1, [SIZES[size] for size in one.shape]) for name, one in INPUTS.items()}
    made["S"] = made["S"] + 3 * np.eye(3)
    made["T"] = made["T"] + 3 * np.eye(4)
    made["Q"] = made["Q"] + made["Q"].T
    return made


@dataclass(frozen=True)
class Made:
    """A value and how it was made, to tell a failure by."""

    value: Tensor
    how: str


ENTRYWISE = {
    "tanh": eb.tanh,
    "sin": eb.sin,
    "sigmoid": eb.sigmoid,
    "exp": lambda one: eb.exp(one * 0.1),
    "square": lambda one: one**2,
    "relu": eb.relu,
    "log": lambda one: eb.log(2 + one**2),
    "minus": lambda one: -one,
    "half": lambda one: one / 2,
    "three": lambda one: 3 * one,
    "onemore": lambda one: 1 + one,
    "from1": lambda one: 1 - one,
    "invert": lambda one: 1 / (2 + one**2),
}


def _transposed(one: Tensor) -> Tensor:
    return one.T


def _matrix(draw: st.DrawFn, one: Tensor) -> tuple[str, Tensor]:
    """A step from one matrix."""
    steps: dict[str, Callable[[Tensor], Tensor]] = {
        "T": _transposed,
        "rows": lambda a: eb.sum(a, axis=1),
        "columns": lambda a: eb.sum(a, axis=0),
        "total": eb.sum,
        "mean": eb.mean,
        "softmax": lambda a: eb.softmax(a, axis=1),
        "over": lambda a: a / eb.sum(a**2 + 1, axis=0),
        "max": lambda a: eb.max(a, axis=0),
    }
    if one.shape[0] == one.shape[1]:
        steps["trace"] = lambda a: eb.einsum("ii->", a)
        steps["diagonal"] = lambda a: eb.einsum("ii->i", a)
        steps["square"] = lambda a: a @ a
        steps["inv"] = lambda a: eb.linalg.inv(eb.tanh(a) + 4 * eb.eye(a.shape[0]))
    name = draw(st.sampled_from(sorted(steps)))
    return name, steps[name](one)


def _vector(draw: st.DrawFn, one: Tensor) -> tuple[str, Tensor]:
    steps: dict[str, Callable[[Tensor], Tensor]] = {
        "diag": lambda a: eb.einsum("i->ii", a),
        "total": eb.sum,
        "softmax": lambda a: eb.softmax(a, axis=0),
        "outer": lambda a: eb.einsum("i,j->ij", a, a),
        "logsumexp": eb.logsumexp,
        "norm": lambda a: a / eb.sqrt(1 + eb.sum(a**2)),
    }
    name = draw(st.sampled_from(sorted(steps)))
    return name, steps[name](one)


def _two(draw: st.DrawFn, a: Tensor, b: Tensor) -> tuple[str, Tensor] | None:
    """A step from two values, where one fits."""
    steps: dict[str, Callable[[], Tensor]] = {}
    if a.ndim == 0 or b.ndim == 0 or a.shape == b.shape or a.shape[1:] == b.shape or a.shape == b.shape[1:]:
        steps |= {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / (2 + b**2)}
    if a.ndim and b.ndim and a.shape[-1] == b.shape[0]:
        steps |= {"@": lambda: a @ b}
    if a.ndim == 2 and b.ndim == 2 and a.shape == b.shape[::-1]:
        steps |= {"tr": lambda: eb.einsum("ij,ji->", a, b), "dg": lambda: eb.einsum("ij,ji->i", a, b)}
    if a.ndim == 1 and b.ndim == 1:
        steps |= {"xyT": lambda: eb.einsum("i,j->ij", a, b)}
    if a.ndim == 1 and b.ndim == 2 and a.shape[0] == b.shape[0]:
        steps |= {"diag@": lambda: eb.einsum("i,ij->ij", a, b), "T@": lambda: eb.einsum("ij,i->j", b, a)}
    if not steps:
        return None
    name = draw(st.sampled_from(sorted(steps)))
    return name, steps[name]()


@st.composite
def programs(draw: st.DrawFn, most: int = 6) -> Made:
    """A value of up to two axes after some steps; the newest values are the likeliest to be read."""
    values = [Made(INPUTS[name], name) for name in draw(st.permutations(sorted(INPUTS)))]

    def pick() -> Made:
        return values[len(values) - 1 - draw(st.integers(0, len(values) - 1).map(lambda back: back // 2))]

    for _ in range(draw(st.integers(1, most))):
        one, other = pick(), pick()
        kind = draw(st.sampled_from(("two", "two", "own", "entry")))
        if kind == "two":
            found = _two(draw, one.value, other.value)
            how = f"{one.how}, {other.how}"
        elif kind == "own" and one.value.ndim:
            found, how = (_matrix if one.value.ndim == 2 else _vector)(draw, one.value), one.how
        else:
            name = draw(st.sampled_from(sorted(ENTRYWISE)))
            found, how = (name, ENTRYWISE[name](one.value)), one.how
        if found is not None:
            values.append(Made(found[1], f"{found[0]}({how})"))
    return values[-1]
