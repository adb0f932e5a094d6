"""Derivations in Kronecker notation: every line, read back and evaluated, is an equation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

import einback as eb
from tests.formula.matrix.reader import value_of
from tests.formula.matrix.test_vec import flat

SIZES = {"m": 4, "n": 3, "k": 3, "p": 2, "q": 5}
PROGRAMS = {
    "matrix times vector": ("y[m] = W[m,n] x[n]", "W"),
    "dense layer": ("z[m] = W[m,n] x[n] + b[m]\ny[m] = sigmoid(z[m])", "W"),
    "dense layer by its bias": ("z[m] = W[m,n] x[n] + b[m]\ny[m] = sigmoid(z[m])", "b"),
    "two factors": ("Z[m,q] = A[m,n] X[n,p] B[p,q]\nY[m,q] = Z[m,q]^2", "X"),
    "two layers": (
        "z[m] = W[m,n] x[n]\nh[m] = tanh(z[m])\nu[p] = V[p,m] h[m]\ny[p] = exp(u[p])",
        "W",
    ),
    "transposed": ("Z[p,m] = B[p,n] W[m,n]\nS[p,m] = sin(Z[p,m])\nY[p,m] = C[p,m] S[p,m]", "W"),
    "square": ("Z[n,n'] = X[n,k] X[k,n']\nY[n,m] = Z[n,k] A[m,k] - 2 B[n,m]", "X"),
}


def equations(text: str) -> Iterator[tuple[str, str]]:
    """The equations of a page as left and right sides, one for every sign."""
    left = ""
    for line in text.splitlines():
        own, sign, right = line.partition("= ")
        left = re.sub(r"^\s*(\(\d+\) )?\s*(where )?", "", own).strip() or left
        if sign and re.fullmatch(r"\w+|vec\(\w+\)|∂\S+", left):
            yield left, right


def test_three_axes_stand_in_index_notation() -> None:
    program = eb.program("Z[n,m,k] = A[n,m] B[m,k]\nY[n,m,k] = tanh(Z[n,m,k])")
    shown = eb.derivation(program["Y"], program["A"]).text("vec")
    assert "dY[n,m,k] = J_Z[n,m,k,n',m',k'] dZ[n',m',k']" in shown
    assert "J_A vec(" not in shown


@pytest.mark.parametrize("case", PROGRAMS)
def test_every_line_is_an_equation(case: str) -> None:
    text, name = PROGRAMS[case]
    program = eb.program(text)
    by, y = program[name], program[text.splitlines()[-1].split("[")[0]]
    rng = np.random.default_rng(2)
    env = {one.name: rng.normal(size=[SIZES[str(size)] for size in one.shape]) for one in y.inputs}
    move = eb.tensor(f"d{name}[{','.join(map(str, by.shape))}]")
    env[move.name] = rng.normal(size=env[name].shape)
    for line in text.splitlines():
        one = program[line.split("[")[0]]
        for key, value in ((one.name, one), (f"d{one.name}", eb.jvp(one, {by: move}))):
            env[key] = eb.evaluate(value, **{other.name: env[other.name] for other in value.inputs})
    shown = eb.derivation(y, by).text("vec")
    assert "[" not in shown, shown  # nothing had to stand in index notation
    lines = list(equations(shown))
    for left, right in lines:
        if left.startswith("J_") and left not in env:
            env[left] = value_of(right, env, SIZES, (env[y.name].size, env[left.removeprefix("J_")].size))
    for left, right in lines:
        if "∂" in left:
            result = eb.jacobian(y, by)
            wanted = flat(eb.evaluate(result, **{one.name: env[one.name] for one in result.inputs}), y.ndim, "column")
        else:
            wanted = env[left.removeprefix("vec(").removesuffix(")")]
            wanted = wanted.T.reshape(-1, 1) if left.startswith("vec") else wanted.reshape(len(wanted), -1)
        found = value_of(right, env, SIZES, wanted.shape)
        assert np.allclose(found, wanted, rtol=1e-9, atol=1e-12), (left, right)
    assert {"J_" + name, f"d{y.name}" if y.ndim == 1 else f"vec(d{y.name})"} <= {left for left, _ in lines}
    assert any("∂" in left for left, _ in lines)
