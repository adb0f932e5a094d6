"""Derivatives by tensors whose rows sum to one: gradients lie among tensors whose rows sum to zero.

The oracles are central differences along e[i] - e[j], which keep a row's sum, and JAX by all entries with the mean of
each row taken away. With C = 1 - 1 1'/c the Hessian of a function of one row is C H C.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb
from tests.oracles.jax_lib import jax, jnp

Array = np.ndarray

A, x = eb.tensors("A[n,c] x[c]")
Y, p = eb.tensor("Y[n,c]", stochastic=True), eb.tensor("p[c]", stochastic=True)
U = eb.tensor("U[k,n,c]", stochastic=True, positive=True)

N, C, K = 3, 4, 2
RNG = np.random.default_rng(0)


def rows(*shape: int) -> Array:
    raw = RNG.uniform(0.2, 1, shape)
    return raw / raw.sum(-1, keepdims=True)


ARRAYS = {"A": RNG.normal(size=(N, C)), "x": RNG.normal(size=C), "Y": rows(N, C), "p": rows(C), "U": rows(K, N, C)}
TENSORS = {"Y": Y, "p": p, "U": U}


def loss_of(m: Any, Y: Any, p: Any, U: Any, A: Any, x: Any) -> Any:
    """Reads every row in a curved way, and also only through its sum."""
    bent = m.einsum("nc,nc->", m.sin(Y @ m.einsum("nc,nd->cd", A, Y)), m.exp(A))
    mixed = m.einsum("knc,nc,c->", U**3, Y, p**2) + m.einsum("knc,knc->", U, m.log(U)) * m.sum(Y)
    return bent + mixed + m.einsum("nc,d,d->", Y, p, x)


LOSS = loss_of(eb, Y, p, U, A, x)


def held(t: eb.Tensor, more: dict[str, Array] | None = None) -> dict[str, Array]:
    known = ARRAYS | (more or {})
    return {one.name: known[one.name] for one in t.inputs}


def centred(g: Array) -> Array:
    return g - g.mean(-1, keepdims=True)


def plain_gradient(name: str) -> Array:
    def value(entries: Any) -> Any:
        return loss_of(jnp, **(ARRAYS | {name: entries}))

    return np.asarray(jax.grad(value)(ARRAYS[name]))


@pytest.mark.oracle
@pytest.mark.parametrize("name", TENSORS)
def test_the_gradient_is_that_by_all_entries_without_the_means_of_rows(name: str) -> None:
    found = eb.evaluate(eb.grad(LOSS, TENSORS[name]), **held(LOSS))
    np.testing.assert_allclose(found.sum(-1), 0, atol=1e-13)
    np.testing.assert_allclose(found, centred(plain_gradient(name)), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", TENSORS)
def test_the_gradient_gives_every_slope_that_keeps_the_sums(name: str) -> None:
    found = eb.evaluate(eb.grad(LOSS, TENSORS[name]), **held(LOSS))
    at = ARRAYS[name]
    for place in np.ndindex(at.shape):
        along = np.zeros(at.shape)
        along[place] += 1
        along[(*place[:-1], (place[-1] + 1) % C)] -= 1
        ahead, behind = (float(loss_of(np, **(ARRAYS | {name: at + h * along}))) for h in (1e-5, -1e-5))
        np.testing.assert_allclose(np.sum(found * along), (ahead - behind) / 2e-5, rtol=1e-7, atol=1e-7)


@pytest.mark.oracle
def test_the_hessian_is_projected_on_both_sides() -> None:
    def value(entries: Any) -> Any:
        return loss_of(jnp, **(ARRAYS | {"p": entries}))

    keep = np.eye(C) - 1 / C
    want = keep @ np.asarray(jax.hessian(value)(ARRAYS["p"])) @ keep
    np.testing.assert_allclose(eb.evaluate(eb.hessian(LOSS, p), **held(LOSS)), want, rtol=1e-10, atol=1e-11)
    structured = eb.compile(eb.hessian(LOSS, p), structured=True)(held(LOSS))
    np.testing.assert_allclose(structured.dense(), want, rtol=1e-10, atol=1e-11)


def test_all_derivatives_keep_one_convention() -> None:
    """Jacobian, pull back, push forward, Hessian blocks and products with a vector fit each other."""
    out = eb.einsum("nc,nc->n", eb.sin(Y @ eb.einsum("nc,nd->cd", A, Y)), A)
    g, v, w = eb.tensors("g[n] v[n,c] w[c]")
    outputs = {
        "J": eb.jacobian(out, Y),
        "pulled": eb.vjp(out, Y, g),
        "pushed": eb.jvp(out, {Y: v}),
        "H": eb.hessian(LOSS, Y),
        "Hv": eb.hvp(LOSS, Y, v),
        "blocks": eb.hessian(LOSS, [Y, p]),
        "moved": eb.jvp(eb.grad(LOSS, Y), {p: w}),
        "G": eb.gauss_newton(eb.sum(out**2), out, Y),
    }
    arrays = ARRAYS | {"g": RNG.normal(size=N), "v": RNG.normal(size=(N, C)), "w": RNG.normal(size=C)}
    found = eb.compile(outputs)(arrays)
    J, H, v_kept, w_kept = found["J"], found["H"], centred(arrays["v"]), centred(arrays["w"])

    def close(one: Array, other: Array) -> None:
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-11)

    close(np.einsum("i,ijk->jk", arrays["g"], J), found["pulled"])
    close(np.einsum("ijk,jk->i", J, arrays["v"]), found["pushed"])  # what breaks the sums does not count
    close(np.einsum("ijk,jk->i", J, v_kept), found["pushed"])
    close(np.einsum("ijkl,kl->ij", H, arrays["v"]), found["Hv"])
    close(H, H.transpose(2, 3, 0, 1))
    close(H, found["blocks"][0][0])
    close(found["blocks"][0][1], found["blocks"][1][0].transpose(1, 2, 0))
    close(np.einsum("ijk,k->ij", found["blocks"][0][1], w_kept), found["moved"])
    close(found["G"], 2 * np.einsum("ijk,ilm->jklm", J, J))

    step = 1e-5
    slopes = [eb.evaluate(eb.grad(LOSS, Y), **held(LOSS, {"Y": ARRAYS["Y"] + h * v_kept})) for h in (step, -step)]
    np.testing.assert_allclose(found["Hv"], (slopes[0] - slopes[1]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_what_is_read_through_sums_alone_has_no_slope() -> None:
    assert str(eb.grad(eb.exp(eb.sum(Y)) * eb.sum(x), Y)) == "dY[n,c] = 0"
    assert str(eb.jvp(eb.sum(Y, axis="c"), {Y: A})) == "y[n] = 0"
    one = eb.tensor("q[1]", stochastic=True)
    assert eb.evaluate(eb.grad(eb.sum(one**2), one), q=np.ones(1)) == 0


def test_errors() -> None:
    with pytest.raises(
        eb.DerivativeError, match="the entries of Y, which is stochastic, are not independent\neach row"
    ):
        eb.grad(LOSS, Y, entries="independent")
    with pytest.raises(eb.DerivativeError, match="the entries of p, which is stochastic, are not independent"):
        eb.hessian(LOSS, p, entries="independent")
    whole = eb.tensor("T[n,c]", stochastic=True, integer=True)
    with pytest.raises(eb.DerivativeError, match="T holds integers"):
        eb.grad(eb.sum(whole * A), whole)


def test_check_and_verify_move_along_rows() -> None:
    assert eb.check(LOSS, [Y, p, U, A], **held(LOSS))
    for tensor in (Y, p, U):
        report = eb.derivation(LOSS, tensor).verify()
        assert report.passed, str(report)


def test_check_and_verify_at_one_hot_rows() -> None:
    """Entries of zero are moved below it and above it: the program is read without the fact there."""
    loss = eb.sum(Y**2 * eb.sin(A)) + eb.sum(abs(Y - 2))
    arrays = {"Y": np.eye(C)[:N], "A": ARRAYS["A"]}
    assert eb.check(loss, [Y, A], **arrays)
    assert eb.derivation(loss, Y).verify(arrays).passed
    wrong = arrays | {"Y": np.eye(C)[:N] + 1}
    with pytest.raises(eb.ArrayError, match="Y is declared stochastic"):
        eb.check(loss, [Y], **wrong)


def test_check_sees_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    free = eb.tensor("Y[n,c]")
    raw = loss_of(eb, free, p, U, A, x)
    assert not np.allclose(*(eb.evaluate(eb.grad(f, t), **held(LOSS)) for f, t in ((raw, free), (LOSS, Y))))
    monkeypatch.setattr("einback.api.checking.grad", lambda y, wrt: [2 * eb.grad(y, Y)])
    assert not eb.check(LOSS, [Y], **held(LOSS))


@pytest.mark.parametrize("threads", [None, 2])
def test_slices_of_rows(threads: int | None) -> None:
    """Programs cut over n keep the fact in their slices, those cut over c do not."""
    rng = np.random.default_rng(0)
    big = {"Y": rng.dirichlet(np.ones(300), 400), "A": rng.normal(size=(400, 300))}
    f = eb.sum(eb.exp(eb.sin(Y * A)) * Y) + eb.sum(eb.sum(Y * eb.exp(A), axis="n") ** 2)
    outputs = [f, eb.grad(f, A), eb.sum(Y * A, axis="c"), eb.sum(eb.exp(Y * A) * A, axis="n")]
    want = eb.compile(outputs)(big)
    fn = eb.compile(outputs, memory_limit=2_500_000, threads=threads)
    for one, other in zip(fn(big), want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)
