"""Small arrays for a program: sizes that agree, entries of the declared kinds."""

import numpy as np
import pytest

import einback as eb
from einback.api.samples import direction, sample, sample_sizes


def test_sizes_agree():
    X, W = eb.tensors("X[n,d] W[e,c]")
    sizes = sample_sizes(X @ W, {})
    assert sizes["d"] == sizes["e"]
    assert sample_sizes(X @ W, {"e": 9})["d"] == 9
    assert sample_sizes(X @ W, {"n": 100_000})["n"] == 100_000


def test_windows_stay_inside_of_their_axes():
    y = eb.program("y[b,o,i,j] = x[b,c,2*i+u,2*j+v] K[o,c,u,v]")["y"]
    assert min(eb.evaluate(y, **sample(y, {}).arrays).shape) >= 1


def test_entries_keep_what_is_declared():
    t = eb.tensor("t[b]", integer=True)
    S = eb.tensor("S[n,n]", symmetric=True)
    C = eb.tensor("C[n,n]", positive_definite=True)
    Q = eb.tensor("Q[n,n]", orthogonal=True)
    D = eb.tensor("D[n,n]", diagonal=True)
    z = eb.tensor("z[n]", complex=True)
    p = eb.tensor("p[n]", positive=True)
    Y = eb.tensor("Y[b,n]", stochastic=True)
    T = eb.tensor("T[b,n]", stochastic=True, integer=True)
    gathered = eb.program("y[b] = E[t[b],d] E[t[b],d]", t=t)["y"]
    y = eb.sum(S @ C @ Q @ D @ (p * z)) * eb.sum(gathered) * eb.sum(T * eb.log(Y))
    arrays = sample(y, {}).arrays
    eb.evaluate(y, **arrays)  # checks what is declared
    assert arrays["t"].max() < len(arrays["E"])
    assert np.linalg.eigvalsh(arrays["C"]).min() > 0
    assert np.iscomplexobj(arrays["z"])
    assert set(arrays["T"].ravel()) == {0, 1}
    for targets in (arrays["Y"], arrays["T"]):
        np.testing.assert_allclose(targets.sum(-1), 1, rtol=1e-15)
    assert abs(direction(Y.node, arrays["Y"], np.random.default_rng(0)).sum(-1)).max() < 1e-14


def test_entries_are_where_the_program_is_defined():
    x = eb.tensor("x[n]")
    assert np.isfinite(eb.evaluate(eb.log(x - 1), **sample(eb.log(x - 1), {}).arrays)).all()


def test_the_same_seed_gives_the_same_arrays():
    x = eb.tensor("x[n]")
    one, again, other = (sample(eb.exp(x), {"n": 4}, seed).arrays["x"] for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).all()


def test_sizes_that_cannot_agree_and_unknown_names():
    x = eb.tensor("x[n]")
    with pytest.raises(eb.ArrayError, match="no size is named m\nthe sizes are n"):
        sample_sizes(x, {"m": 3})
    y = eb.program("y[i] = x[i+u] K[u]")["y"]
    with pytest.raises(eb.ArrayError):
        sample_sizes(y, {symbol: 2 + 3 * (symbol == "u") for symbol in sample_sizes(y, {})})
