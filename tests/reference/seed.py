"""A seed result that is one derivative: an item's number, the row that declares it, and the same for JAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reference.row import Row

from tests.oracles.jax_lib import jax

__all__ = ["Seed", "by_jax"]


@dataclass(frozen=True, slots=True)
class Seed:
    """`function` computes in JAX, from arrays with the tensors' names, what the row declares."""

    item: str
    row: Row
    function: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.item}: {self.row.identity}"


def by_jax(seed: Seed, arrays: dict[str, Any]) -> Any:
    """The derivative of the row, by forward mode, once for each of its variables."""
    row = seed.row
    tangents = {name: arrays[dx] for name, dx in row.along.items()}
    inputs = {name: array for name, array in arrays.items() if name not in row.along.values()}
    if tangents:
        moving = {name: inputs.pop(name) for name in tangents}
        return jax.jvp(lambda moved: seed.function(**inputs, **moved), (moving,), (tangents,))[1]
    function = seed.function
    for name in row.by.split():
        function = _derivative(function, name)
    return function(**inputs)


def _derivative(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def derivative(**inputs: Any) -> Any:
        return jax.jacfwd(lambda one: function(**inputs | {name: one}))(inputs[name])

    return derivative
