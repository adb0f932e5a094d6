"""Every row of the scalar table against JAX: value, and first and second derivatives in every argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import einback as eb
from einback.rules.scalar import TABLE
from tests.oracles.compare import assert_close
from tests.oracles.jax_lib import jax, jnp
from tests.oracles.scalar_rows import NAMES, apply_row, points

pytestmark = pytest.mark.oracle


def _function(name: str) -> Callable[..., Any]:
    """The row in JAX; only those rows are listed that jax.numpy does not have under the same name."""
    own: dict[str, Callable[..., Any]] = {
        "above": lambda a, b: (a > b) + 0.5 * (a == b),
        "erf": jax.scipy.special.erf,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "leaky_relu": lambda x, slope: jnp.where(x > 0, x, slope * x),
        "relu": jax.nn.relu,
        "sigmoid": jax.nn.sigmoid,
        "silu": jax.nn.silu,
        "softplus": jax.nn.softplus,
        "where": lambda condition, a, b: jnp.where(condition != 0, a, b),
    }
    return own.get(name) or getattr(jnp, name)


@pytest.mark.parametrize("name", NAMES)
def test_row(name: str):
    row = TABLE[name]
    arrays = points(row)
    arguments = list(eb.tensors(" ".join(f"{c}[n]" for c in "abc"[: row.arity])))
    y = apply_row(name)
    first = eb.grad(eb.sum(y), arguments)
    second = [eb.grad(eb.sum(slope), arguments) for slope in first]
    found = eb.compile({"y": y, "first": first, "second": second})(**dict(zip("abc", arrays, strict=False)))

    function = _function(name)

    def total(args: tuple[Any, ...]) -> Any:
        return jnp.sum(jnp.asarray(function(*args), dtype=float))

    slopes = jax.grad(total)
    assert_close(found["y"], jnp.asarray(function(*arrays), dtype=float), name)
    wanted = slopes(tuple(arrays))
    for j in range(row.arity):
        assert_close(found["first"][j], wanted[j], f"first derivative in argument {j}")
        again = jax.grad(lambda args, j=j: jnp.sum(slopes(args)[j]))(tuple(arrays))
        for k in range(row.arity):
            assert_close(found["second"][j][k], again[k], f"second derivative in arguments {j}, {k}")
