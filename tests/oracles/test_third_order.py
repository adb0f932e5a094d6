"""Third derivatives of small programs against JAX in float64: the Jacobian of a Hessian, the gradient of v' H v."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import einback as eb
from tests.oracles.compare import assert_close
from tests.oracles.jax_lib import jax, jnp

pytestmark = pytest.mark.oracle


def _spd(x: Any, eye: Any, product: Callable[[Any, Any], Any]) -> Any:
    return product(x, x.T) + 2 * eye


# A scalar of one tensor x, from einback, and from JAX; x is declared as [n] or [n,n], with n = 3.
PROGRAMS: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "polynomial": (
        "x[n]",
        lambda x: eb.program("f = x[i]^3 x[j] x[j] - 2 x[i] x[j] x[k] A[i,j,k]", x=x)["f"],
        lambda x: (x**3).sum() * (x @ x) - 2 * jnp.einsum("i,j,k,ijk->", x, x, x, _CUBE),
    ),
    "a product of all": ("x[n]", lambda x: eb.prod(x) * eb.sum(x), lambda x: jnp.prod(x) * x.sum()),
    "softmax": (
        "x[n]",
        lambda x: eb.sum(eb.softmax(x) ** 2),
        lambda x: (jax.nn.softmax(x) ** 2).sum(),
    ),
    "logsumexp": ("x[n]", lambda x: eb.logsumexp(x @ x * x), lambda x: jax.nn.logsumexp(x @ x * x)),
    "tanh of a matrix": (
        "x[n,n]",
        lambda x: eb.sum(eb.tanh(x @ eb.tanh(x))),
        lambda x: jnp.tanh(x @ jnp.tanh(x)).sum(),
    ),
    "convolution": (
        "x[n]",
        lambda x: eb.program("h[p] = tanh(x[i] x[p-i])\n f = sum[p:5](h[p]^2)", x=x)["f"],
        lambda x: (jnp.tanh(jnp.convolve(x, x)) ** 2).sum(),
    ),
    "windows": (
        "x[n]",
        lambda x: eb.program("f = sum[i,u](sigmoid(x[i+u-1]^2 x[i]))", x=x, u=3)["f"],
        lambda x: jax.nn.sigmoid(jnp.stack([jnp.pad(x, 1)[u : u + 3] for u in range(3)]) ** 2 * x).sum(),
    ),
    "masks": (
        "x[n,n]",
        lambda x: eb.program("f = sum[q](logsumexp[k](where(q >= k, x[q,m] x[k,m], -inf)))", x=x)["f"],
        lambda x: jax.nn.logsumexp(jnp.where(jnp.tri(3, dtype=bool), x @ x.T, -jnp.inf), axis=1).sum(),
    ),
    "logdet": (
        "x[n,n]",
        lambda x: eb.linalg.logdet(_spd(x, eb.eye("n"), eb.Tensor.__matmul__)),
        lambda x: jnp.linalg.slogdet(_spd(x, jnp.eye(3), jnp.matmul))[1],
    ),
    "solve": (
        "x[n,n]",
        lambda x: eb.sum(eb.linalg.solve(x + 3 * eb.eye("n"), x @ x)),
        lambda x: jnp.linalg.solve(x + 3 * jnp.eye(3), x @ x).sum(),
    ),
    "det": ("x[n,n]", lambda x: eb.linalg.det(x) ** 2, lambda x: jnp.linalg.det(x) ** 2),
    "cholesky": (
        "x[n,n]",
        lambda x: eb.sum(eb.sin(eb.linalg.cholesky(_spd(x, eb.eye("n"), eb.Tensor.__matmul__)))),
        lambda x: jnp.sin(jnp.linalg.cholesky(_spd(x, jnp.eye(3), jnp.matmul))).sum(),
    ),
    "eigenvalues": (
        "x[n,n]",
        lambda x: eb.sum(eb.linalg.eigvalsh(x + x.T) ** 3),
        lambda x: jnp.trace(jnp.linalg.matrix_power(x + x.T, 3)),
    ),
    "smallest eigenvalue": (
        "x[n,n]",
        lambda x: -eb.logsumexp(-eb.linalg.eigvalsh(x + x.T)),
        lambda x: -jax.nn.logsumexp(-jnp.linalg.eigvalsh(x + x.T)),
    ),
}

_CUBE = np.random.default_rng(5).normal(size=(3, 3, 3))


@pytest.mark.parametrize("name", PROGRAMS)
def test_third_derivatives(name: str):
    declared, ours, theirs = PROGRAMS[name]
    x, v = eb.tensor(declared), eb.tensor(declared.replace("x", "v"))
    y = ours(x)
    rng = np.random.default_rng(7)
    arrays = {"x": rng.normal(size=(3,) * x.ndim), "v": rng.normal(size=(3,) * x.ndim)}
    arrays |= {"A": _CUBE} if "A" in {one.name for one in y.inputs} else {}
    found = eb.evaluate(
        {
            "third": eb.jacobian(eb.hessian(y, x), x),
            "curvature": eb.grad(eb.sum(v * eb.hvp(y, x, v)), x),
        },
        **arrays,
    )
    third = jax.jit(jax.jacfwd(jax.jacfwd(jax.jacrev(theirs))))(arrays["x"])
    assert_close(found["third"], third, "Jacobian of the Hessian", 1e-9)
    axes = (range(x.ndim), range(x.ndim, 2 * x.ndim), range(2 * x.ndim, 3 * x.ndim))
    for order in permutations(axes):
        turned = found["third"].transpose([axis for part in order for axis in part])
        assert_close(turned, found["third"], "third derivative with its axes in another order", 1e-9)
    contracted = np.tensordot(np.tensordot(third, arrays["v"], x.ndim), arrays["v"], x.ndim)
    assert_close(found["curvature"], contracted, "gradient of v' H v", 1e-9)
