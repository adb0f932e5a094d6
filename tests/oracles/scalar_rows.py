"""The rows of the scalar table as programs of named inputs a, b, c, and points of their domains."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from einback.rules.scalar import TABLE, Scalar

__all__ = ["NAMES", "apply_row", "points"]

NAMES = sorted(TABLE.keys() - {"complex"})  # whose values and derivatives are not real: see tests/derive/test_complex

_COMPARISONS = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}


def apply_row(name: str) -> Any:
    """The row as `y[n] = name(a[n], ..)`, written as index text, which knows every row."""
    arguments = [f"{c}[n]" for c in "abc"[: TABLE[name].arity]]
    sign = _COMPARISONS.get(name)
    right = f" {sign} ".join(arguments) if sign else f"{name}({', '.join(arguments)})"
    return eb.program(f"y[n] = {right}")["y"]


def points(row: Scalar, count: int = 9) -> list[np.ndarray]:
    """An array an argument, drawn from its domain away from kinks and ties; the condition of a `where` is 0 or 1."""
    rng = np.random.default_rng(len(row.name))
    arrays = [rng.uniform(low + 0.01, high - 0.01, count) for low, high in row.domain]
    if row.name == "where":
        arrays[0] = np.arange(count) % 2.0
    elif row.arity == 2:
        arrays[1] += 0.1 * (np.abs(arrays[0] - arrays[1]) < 0.05)
    return arrays
