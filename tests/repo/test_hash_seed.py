"""Formulas, source and plan are the same byte for byte under any PYTHONHASHSEED."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import einback as eb

X, Y = eb.tensors("X[n,d] Y[n,c]")
dense = eb.layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])")
affine = eb.layer("z[n,k] = x[n,d] W[d,k] + b[k]")
hidden = dense(X, name="1", k=8)
logits = affine(hidden, name="2", k=3)
loss = -eb.sum(Y * eb.log_softmax(logits, axis=-1)) / X.size("n")
parameters = {p.name: p for p in loss.parameters}
grads = eb.grad(loss, parameters)
for name, gradient in grads.items():
    print(name, gradient, gradient.text(), gradient.latex(), sep="\\n")
step = eb.compile({"loss": loss, "grads": grads, "hvp": eb.hessian(loss, parameters["b_2"])})
print(step.source(n=5, d=4, c=3))
for target in ("cupy", "torch", "jax"):
    print(step.source(n=5, d=4, c=3, target=target, with_check=True))
print(step.plan(n=5, d=4, c=3))
"""


def test_output_does_not_depend_on_the_hash_seed():
    assert len({_output(seed) for seed in "012"}) == 1


def _output(seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": seed}
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    run = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "loss" in run.stdout
    return run.stdout
