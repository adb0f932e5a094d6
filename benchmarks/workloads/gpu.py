"""The cases of the GPU benchmark, the ones that say most first: what the budget does not reach is left out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from suite.gpu.case import GpuCase, Loss, everywhere
from suite.workload import Arrays
from workloads import attention, convolution, cp, factorisation, logistic, mlp, mps

__all__ = ["CASES"]


def _classifier(layers: int) -> dict[str, Loss]:
    """For PyTorch with a product and a sum in one call, as `torch.nn.Linear` makes it."""

    def fused(lib: Any, a: Arrays) -> Any:
        return mlp.loss(lib, a, layers, affine=lambda h, W, b: lib.addmm(b, h, W))

    return {**everywhere(fused), "JAX": lambda lib, a: mlp.loss(lib, a, layers)}


def _attention(lib: Any, a: Arrays) -> Any:
    """PyTorch's own attention; `torch.compile` is given the formula, in which it may find the same."""
    return lib.sum(a["G"] * lib.attention(a["Q"], a["K"], a["V"]))


MLP = GpuCase(
    name="mlp-float32",
    title="value and gradients of a classifier",
    label="4096; 4096-4096-4096-4096",
    sizes={"batch": 4096, "inputs": 4096, "hidden": 4096, "classes": 4096, "layers": 3},
    small={"batch": 24, "inputs": 16, "hidden": 32, "classes": 16, "layers": 3},
    arrays=mlp.draw,
    outputs=lambda **_: mlp.outputs(3),
    by_hand=lambda xp, product: mlp.by_hand(3, xp, product),
    losses=_classifier(3),
    wrt=tuple(mlp.names(3)),
    gemm_bound=True,
)

TINY = GpuCase(
    name="tiny",
    title="value and gradients of a tiny classifier",
    label="8; 16-16-4",
    sizes={"batch": 8, "inputs": 16, "hidden": 16, "classes": 4, "layers": 2},
    small={"batch": 8, "inputs": 16, "hidden": 16, "classes": 4, "layers": 2},
    arrays=mlp.draw,
    outputs=lambda **_: mlp.outputs(2),
    by_hand=lambda xp, product: mlp.by_hand(2, xp, product),
    losses=_classifier(2),
    wrt=tuple(mlp.names(2)),
    launch_bound=True,
)

ATTENTION = GpuCase(
    name="attention",
    title="softmax attention, value and gradients",
    label="16, 16, 1024, 64",
    sizes={"batch": 16, "heads": 16, "time": 1024, "depth": 64},
    small={"batch": 2, "heads": 3, "time": 16, "depth": 8},
    arrays=attention.draw,
    outputs=lambda **_: attention.outputs(causal=False),
    by_hand=lambda xp, _: attention.by_hand(False, xp),
    losses={**everywhere(partial(attention.loss, causal=False)), "PyTorch": _attention},
    wrt=("Q", "K", "V"),
    precision="tf32",
)

CHAIN = GpuCase(
    name="mps",
    title="norm of a matrix product state of 50 sites, gradients in its cores",
    sizes={"bond": 128},
    small={"bond": 6},
    arrays=mps.draw,
    outputs=mps.outputs,
    by_hand=lambda xp, _: partial(mps.by_hand, xp=xp),
    losses=everywhere(mps.loss),
    wrt=tuple(mps.NAMES),
    precision="float64",
    launch_bound=True,
)

RESIDUAL = GpuCase(
    name="cp",
    title="value and gradients of a CP residual",
    sizes={"n": 300, "r": 20},
    small={"n": 12, "r": 3},
    arrays=cp.draw,
    outputs=lambda **_: cp.outputs(expanded=False),
    by_hand=lambda xp, _: partial(cp.by_hand, xp=xp),
    losses=everywhere(cp.loss),
    wrt=("A", "B", "C"),
)

LOGISTIC = GpuCase(
    name="logistic",
    title="Hessian of logistic regression",
    sizes={"n": 4096},
    small={"n": 20},
    arrays=logistic.draw,
    outputs=lambda **_: logistic.outputs(),
    by_hand=lambda xp, _: partial(logistic.by_hand, xp=xp),
    losses=everywhere(logistic.loss),
    wrt=("w",),
    hessian=True,
    gemm_bound=True,
)

FACTORISATION = GpuCase(
    name="factorisation",
    title="dense Hessian of masked matrix factorisation",
    sizes={"n": 400, "k": 8},
    small={"n": 12, "k": 3},
    arrays=factorisation.draw,
    outputs=lambda **_: factorisation.outputs(),
    by_hand=lambda xp, _: partial(factorisation.by_hand, xp=xp),
    losses=everywhere(factorisation.loss),
    wrt=("U",),
    hessian=True,
)

CONVOLUTION = GpuCase(
    name="convolution",
    title="value and gradients of a convolutional layer",
    label="64, 64 to 64, 56 by 56, 3 by 3",
    sizes={"batch": 64, "channels": 64, "out": 64, "side": 56, "window": 3},
    small={"batch": 2, "channels": 3, "out": 4, "side": 8, "window": 3},
    arrays=convolution.draw,
    outputs=lambda **_: convolution.outputs(),
    by_hand=lambda xp, _: partial(convolution.by_hand, xp=xp),
    losses={**everywhere(convolution.torch_loss), "JAX": convolution.jax_loss},
    wrt=tuple(convolution.WRT),
)

CASES = (
    replace(MLP, name="mlp-tf32", precision="tf32"),
    TINY,
    LOGISTIC,
    ATTENTION,
    RESIDUAL,
    CHAIN,
    FACTORISATION,
    CONVOLUTION,
    replace(MLP, name="mlp-bfloat16", precision="bfloat16"),
    MLP,
    replace(RESIDUAL, name="cp-large", sizes={"n": 600, "r": 64}),
)
