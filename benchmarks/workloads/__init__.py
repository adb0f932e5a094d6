"""The workloads of the CPU benchmark, one module a family."""

from workloads import attention, chain, convolution, cp, deep, factorisation, layer_norm, logistic, mlp, mps

__all__ = ["WORKLOADS"]

WORKLOADS = (
    logistic.HESSIAN,
    factorisation.HESSIAN,
    deep.HESSIAN,
    mlp.TINY,
    mlp.GRADIENTS,
    cp.GRADIENTS,
    cp.EXPANDED,
    mps.GRADIENTS,
    attention.PLAIN,
    attention.CAUSAL,
    convolution.GRADIENTS,
    mlp.PRODUCTS,
    logistic.NEWTON,
    layer_norm.GRADIENTS,
    chain.GRADIENTS,
)
