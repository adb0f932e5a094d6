"""Random whole programs: value, all gradients, a Hessian-vector product and a push forward in one compiled step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import einback as eb
from tests.oracles.compare import assert_close
from tests.oracles.complex_step import ComplexNumpy, gradients, slope
from tests.oracles.jax_lib import einsum as jax_einsum
from tests.oracles.jax_lib import jax, jnp
from tests.oracles.programs import Recipe, follow, random_arrays, recipes

_H = 1e-5  # step of the central difference that takes gradients to second order


def _named(module: Any, names: str) -> dict[str, Callable[..., Any]]:
    return {name: getattr(module, name) for name in names.split()}


def _over_axes(module: Any, names: str) -> dict[str, Callable[..., Any]]:
    """Reductions take (axes, keepdims) as one detail."""
    functions = _named(module, names)
    return {name: lambda x, how, f=f: f(x, axis=how[0], keepdims=how[1]) for name, f in functions.items()}


def _over_axis(module: Any, names: str) -> dict[str, Callable[..., Any]]:
    return {name: lambda x, axis, f=f: f(x, axis=axis) for name, f in _named(module, names).items()}


def _library(module: Any, nn: Any) -> dict[str, Callable[..., Any]]:
    """What einback and JAX spell alike; `nn` has the activations."""
    return {
        **_named(module, "tanh sin cos arctan abs square exp expm1 maximum minimum logaddexp"),
        **_named(nn, "sigmoid softplus silu relu"),
        **_over_axes(module, "sum mean max min prod"),
        **_over_axes(nn, "logsumexp"),
        **_over_axis(nn, "softmax log_softmax"),
        "sqrt1": lambda x: module.sqrt(1 + x * x),
        "log1": lambda x: module.log(1 + x * x),
        "inverse1": lambda x: 1 / (1 + x * x),
        "negative": lambda x: -x,
        "leaky": lambda x: module.where(x > 0, x, 0.25 * x),
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "divide1": lambda x, y: x / (1 + y * y),
        "choose": lambda x, y: module.where(x > 0.3, x * y, x + 2 * y),
        "power1": lambda x, y: (1 + x * x) ** module.tanh(y),
        "hypot1": lambda x, y: module.hypot(1 + x * x, y),
        "affine": lambda x, ab: ab[0] * x + ab[1],
    }


EINBACK = _library(eb, eb) | {
    "gelu": eb.gelu,
    "erf": eb.erf,
    "leaky": lambda x: eb.leaky_relu(x, 0.25),
    "einsum": lambda *args: eb.einsum(args[-1], *args[:-1]),
}


def _jax_library() -> dict[str, Callable[..., Any]]:
    return _library(jnp, jax.nn) | {
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "erf": jax.scipy.special.erf,
        "einsum": lambda *args: jax_einsum(args[-1], *args[:-1]),
    }


def _run(recipe: Recipe, arrays: list[np.ndarray], v: np.ndarray) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Loss, gradients, a Hessian-vector product and a push forward along v, compiled as one program.

    The first result says which inputs the recipe reads: the gradients are for these, the products along the
    first of them.
    """
    xs = [eb.tensor(f"x{k}[{','.join(shape)}]") for k, shape in enumerate(recipe.inputs)]
    loss = follow(recipe, EINBACK, xs)
    read = {x.name for x in loss.inputs}
    used = tuple(k for k, x in enumerate(xs) if x.name in read)
    x = xs[used[0]]
    along = eb.tensor(f"v[{','.join(recipe.inputs[used[0]])}]")
    step = eb.compile(
        {
            "loss": loss,
            "grads": eb.grad(loss, [xs[k] for k in used]),
            "hvp": eb.hvp(loss, x, along),
            "jvp": eb.jvp(loss, {x: along}),
        }
    )
    return used, step(**{f"x{k}": arrays[k] for k in used}, v=v)


def _direction(recipe: Recipe, arrays: list[np.ndarray], seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """A direction for the first input that is read, and the same with zeros for the others."""
    first = min(k for op in recipe.ops for k in op.reads)
    v = np.random.default_rng(seed).normal(size=arrays[first].shape)
    return v, [v if k == first else np.zeros(a.shape) for k, a in enumerate(arrays)]


def _moderate(recipe: Recipe, arrays: list[np.ndarray]) -> bool:
    """Whether values stay below 1e3, and away from kinks by more than the differences step."""
    library = ComplexNumpy()
    with np.errstate(all="ignore"):
        follow(recipe, library, [a.astype(complex) for a in arrays])
    return library.largest < 1e3 and library.nearest > 1e-3 and library.conditions > 1e-3


@given(recipe=recipes(), seed=st.integers(0, 99))
def test_against_complex_step(recipe: Recipe, seed: int):
    arrays = random_arrays(recipe, seed)
    assume(_moderate(recipe, arrays))
    v, along = _direction(recipe, arrays, seed + 1)
    used, found = _run(recipe, arrays, v)

    def f(values: list[np.ndarray]) -> Any:
        return follow(recipe, ComplexNumpy(), values)

    def moved(step: float) -> np.ndarray:
        return gradients(f, [a + step * d for a, d in zip(arrays, along, strict=True)])[used[0]]

    wanted = gradients(f, arrays)
    hvp = (moved(_H) - moved(-_H)) / (2 * _H)
    scale = max(1.0, *(np.abs(g).max(initial=0) for g in (*wanted, hvp)))
    assert_close(found["loss"], f([a.astype(complex) for a in arrays]).real, "loss")
    for k, gradient in zip(used, found["grads"], strict=True):
        assert_close(gradient / scale, wanted[k] / scale, f"gradient for x{k}", 1e-9)
    assert_close(found["jvp"] / scale, slope(f, arrays, along) / scale, "push forward", 1e-9)
    assert_close(found["hvp"] / scale, hvp / scale, "Hessian-vector product", 1e-5)


@pytest.mark.oracle
@settings(max_examples=150)
@given(recipe=recipes(), seed=st.integers(100, 199))
def test_against_jax(recipe: Recipe, seed: int):
    arrays = random_arrays(recipe, seed)
    assume(_moderate(recipe, arrays))
    v, along = _direction(recipe, arrays, seed + 1)
    used, found = _run(recipe, arrays, v)

    def f(xs: tuple[Any, ...]) -> Any:
        return follow(recipe, _jax_library(), xs)

    def derivatives(xs: tuple[Any, ...]) -> tuple[Any, Any]:
        return jax.jvp(jax.value_and_grad(f), (xs,), (tuple(along),))

    (loss, grads), (jvp, hvps) = jax.jit(derivatives)(tuple(arrays))
    hvp = hvps[used[0]]
    scale = max(1.0, *(np.abs(g).max(initial=0) for g in (*grads, hvp)))
    assert_close(found["loss"], loss, "loss")
    for k, gradient in zip(used, found["grads"], strict=True):
        assert_close(gradient / scale, grads[k] / scale, f"gradient for x{k}", 1e-9)
    assert_close(found["jvp"] / scale, jvp / scale, "push forward", 1e-9)
    assert_close(found["hvp"] / scale, hvp / scale, "Hessian-vector product", 1e-9)
