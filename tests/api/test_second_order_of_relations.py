"""Einsums on derivatives of convolutions and gathers: no array of zeros and ones is formed for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import einback as eb

RNG = np.random.default_rng(0)
Arrays = dict[str, np.ndarray]


def factorisation() -> tuple[eb.Tensor, eb.Tensor, eb.Tensor, Callable[[int], Arrays]]:
    E, F, r = eb.tensors("E[p,d] F[q,d] r[n]")
    s, t = (eb.tensor(f"{name}[n]", integer=True) for name in "st")
    y = eb.einsum("nd,nd->n", E[s], F[t]) - r
    return eb.sum(y**2), y, E, lambda n: {
        "E": RNG.normal(size=(n, 3)), "F": RNG.normal(size=(n, 3)), "r": RNG.normal(size=2 * n),
        "s": RNG.integers(0, n, 2 * n), "t": RNG.integers(0, n, 2 * n),
    }  # fmt: skip


def convolution() -> tuple[eb.Tensor, eb.Tensor, eb.Tensor, Callable[[int], Arrays]]:
    p = eb.program("y[i] = tanh(x[i+u-1] K[u])\nloss = sum[i](y[i]^3)")
    return p["loss"], p["y"], p["x"], lambda n: {"x": RNG.normal(size=n), "K": RNG.normal(size=3)}


def differences() -> tuple[eb.Tensor, eb.Tensor, eb.Tensor, Callable[[int], Arrays]]:
    p = eb.program("y[i] = x[i+1] - x[i+0]\nloss = sum[i](y[i]^4)")
    return p["loss"], p["y"], p["x"], lambda n: {"x": RNG.normal(size=n)}


def chained() -> tuple[eb.Tensor, eb.Tensor, eb.Tensor, Callable[[int], Arrays]]:
    p = eb.program("y[i] = x[2*i+u-2] K[u]\nloss = sin(sum[i](y[i]^2))")
    return p["loss"], p["y"], p["x"], lambda n: {"x": RNG.normal(size=n), "K": RNG.normal(size=5)}


def cubes() -> tuple[eb.Tensor, eb.Tensor, eb.Tensor, Callable[[int], Arrays]]:
    x, t = eb.tensor("x[n]"), eb.tensor("t[k]", integer=True)
    y = x[t] ** 3
    return eb.sum(y * y), y, x, lambda n: {"x": RNG.normal(size=n), "t": RNG.integers(0, n, 2 * n)}


PROGRAMS = {one.__name__: one for one in (factorisation, convolution, differences, chained, cubes)}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("what", ["trace", "diagonal", "times", "rows", "columns", "pushed", "pulled", "squares"])
def test_nothing_larger_than_the_answer_is_formed(name: str, what: str) -> None:
    loss, y, x, draw = PROGRAMS[name]()
    v = eb.tensor(f"v[{','.join(map(str, x.shape))}]")
    H, J = eb.hessian(loss, x), eb.jacobian(y, x)
    a, b = "ab"[: x.ndim], "cd"[: x.ndim]
    derived, spec = {
        "trace": ((H,), f"{a}{a}->"),
        "diagonal": ((H,), f"{a}{a}->{a}"),
        "times": ((H, v), f"{a}{b},{b}->{a}"),
        "rows": ((J, J), f"n{a},n{a}->n"),
        "columns": ((J, J), f"n{a},n{a}->{a}"),
        "pushed": ((J, v), f"n{a},{a}->n"),
        "pulled": ((J, y), f"n{a},n->{a}"),
        "squares": ((J**2,), f"n{a}->n"),
    }[what]  # fmt: skip
    result = eb.einsum(spec, *derived)
    arrays = draw(6)
    arrays["v"] = RNG.normal(size=arrays[x.name].shape)
    dense = [eb.evaluate(one, **_read(one, arrays)) for one in derived]
    found = eb.evaluate(result, **_read(result, arrays))
    np.testing.assert_allclose(found, np.einsum(spec, *dense), rtol=1e-11, atol=1e-12)
    large = draw(3000)
    large["v"] = RNG.normal(size=large[x.name].shape)
    large = _read(result, large)
    limit = 12 * sum(array.nbytes for array in large.values()) + 2_000_000
    assert eb.compile(result).plan(**large).peak_bytes < limit < 8 * 3000**2


def _read(y: eb.Tensor, arrays: Arrays) -> Arrays:
    return {one.name: arrays[one.name] for one in y.inputs if one.name in arrays}
