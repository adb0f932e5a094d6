"""Files that test themselves, run as scripts; and broken ones, which must say so."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import einback as eb
from einback.api.function import Function
from einback.errors import CompileError


def script(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a file as people do; it finds what this process finds, but not einback."""
    path = folder / "program.py"
    path.write_text(source, encoding="utf8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if "site" in part)}
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )


def network() -> Function:
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    loss = -eb.sum(Y * eb.log_softmax(eb.tanh(X @ W) + b, axis="c")) / X.size("n")
    return eb.compile({"loss": loss, "grads": eb.grad(loss, {"W": W, "b": b})})


def with_facts() -> Function:
    K, t, s = eb.tensor("K[n,n]", positive_definite=True), eb.tensor("t[n]"), eb.tensor("s[n]", positive=True)
    D, L = eb.tensor("D[n,n]", diagonal=True), eb.tensor("L[n,n]", lower=True)
    token, E = eb.tensor("token[b]", integer=True), eb.tensor("E[v,n]")
    f = t @ eb.linalg.solve(K, t) + eb.linalg.logdet(K) + eb.sum(eb.log(s)) + eb.sum(E[token] ** 3)
    f = f + eb.sum((D @ t) ** 2) + eb.sum((L @ t) ** 3)
    Y, T = eb.tensor("Y[b,n]", stochastic=True), eb.tensor("T[b,n]", stochastic=True, integer=True)
    f = f + eb.sum(T * eb.log(Y)) + eb.sum(Y**2 @ t) * eb.sum(Y @ D)
    return eb.compile([f, *eb.grad(f, [K, t, s, E, D, L, Y])])


@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("program", [network, with_facts])
def test_a_file_checks_itself(target: str, program, tmp_path: Path):
    if target != "numpy" and find_spec(target) is None:
        pytest.skip(f"{target} is not installed")
    sizes = {"n": 4, "d": 3, "c": 2} if program is network else {"n": 4, "b": 3, "v": 5}
    done = script(program().source(target=target, with_check=True, **sizes), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == (3 if program is network else 8)
    assert lines[-1].startswith("largest error: ")


@pytest.mark.parametrize(
    ("readable", "right", "wrong"),
    [(True, "dW = X.T @", "dW = -X.T @"), (True, "db = G1.sum(axis=0)", "db = np.nan * G1.sum(axis=0)"),
     (False, "dW = X.T.dot(", "dW = 1.001 * X.T.dot(")],
)  # fmt: skip
def test_a_broken_file_says_so(readable: bool, right: str, wrong: str, tmp_path: Path):
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    loss = -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")
    program = eb.compile({"loss": loss, "dW": eb.grad(loss, W), "db": eb.grad(loss, b)})
    source = program.source(n=5, d=3, c=2, readable=readable, with_check=True)
    assert script(source, tmp_path).returncode == 0
    assert right in source
    done = script(source.replace(right, wrong), tmp_path)
    assert done.returncode == 1, done.stderr
    assert "largest error" in done.stdout


def test_a_file_for_cupy_names_its_check():
    source = network().source(n=4, d=3, c=2, target="cupy", with_check=True)
    assert 'if __name__ == "__main__":' in source
    assert "cupy.asnumpy(" in source


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: [eb.grad(eb.sum(x**2), x)], "there is nothing to check: no result is the gradient of another"),
        (lambda x: [eb.sum(x**2), eb.grad(eb.sum(x**3), x)], "there is nothing to check"),
    ],
)
def test_nothing_to_check(build, message: str):
    with pytest.raises(CompileError, match=message):
        eb.compile(build(eb.tensor("x[n]"))).source(n=3, with_check=True)


def test_what_differences_cannot_tell():
    z, Q, x = eb.tensor("z[n]", complex=True), eb.tensor("Q[n,n]", orthogonal=True), eb.tensor("x[n]")
    f = eb.sum(eb.abs(z) ** 2)
    with pytest.raises(CompileError, match="z is complex"):
        eb.compile([f, eb.grad(f, z)]).source(n=3, with_check=True)
    g = eb.sum((Q @ x) ** 3)
    with pytest.raises(CompileError, match="Q is orthogonal"):
        eb.compile([g, eb.grad(g, Q)]).source(n=3, with_check=True)
    h = eb.sum(x**2)
    with pytest.raises(CompileError, match="x is float32, too short for differences"):
        eb.compile([h, eb.grad(h, x)]).source(x=np.ones(3, np.float32), with_check=True)
