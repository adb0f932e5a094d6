"""The autodiff peers: one set of functions under one set of names, each as its library has it, and their derivatives.

A workload writes its loss once, as `loss(lib, arrays)`, and every peer runs it with its own functions, compiled where
the library compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from suite.workload import Arrays, Step

__all__ = ["AUTODIFF", "functions", "hessians", "products", "ready", "received", "value_and_gradients"]

AUTODIFF = ("JAX", "PyTorch", "torch.compile", "autograd")
Loss = Callable[[Any, Arrays], Any]


def _jax() -> Any:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    return SimpleNamespace(
        einsum=jnp.einsum, exp=jnp.exp, log=jnp.log, tanh=jnp.tanh, sqrt=jnp.sqrt, sum=jnp.sum, mean=jnp.mean,
        where=jnp.where, relu=jax.nn.relu, logaddexp=jnp.logaddexp, logsumexp=jax.scipy.special.logsumexp,
        softmax=jax.nn.softmax, asarray=jnp.asarray, name="JAX",
    )  # fmt: skip


def _torch() -> Any:
    import torch

    return SimpleNamespace(
        einsum=torch.einsum, exp=torch.exp, log=torch.log, tanh=torch.tanh, sqrt=torch.sqrt, sum=torch.sum,
        mean=torch.mean, where=torch.where, relu=torch.relu, logaddexp=_torch_logaddexp, logsumexp=torch.logsumexp,
        softmax=torch.softmax, asarray=torch.from_numpy, name="PyTorch",
        addmm=torch.addmm, attention=torch.nn.functional.scaled_dot_product_attention,  # for losses of its own
    )  # fmt: skip


def _torch_logaddexp(a: Any, b: Any) -> Any:
    import torch

    return torch.nn.functional.softplus(b, threshold=1e9) if isinstance(a, int) and a == 0 else torch.logaddexp(a, b)


def _autograd() -> Any:
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    return SimpleNamespace(
        einsum=anp.einsum, exp=anp.exp, log=anp.log, tanh=anp.tanh, sqrt=anp.sqrt, sum=anp.sum, mean=anp.mean,
        where=anp.where, relu=lambda x: anp.maximum(x, 0), logaddexp=anp.logaddexp, logsumexp=logsumexp,
        softmax=lambda x, axis: anp.exp(x - logsumexp(x, axis, keepdims=True)), asarray=anp.asarray, name="autograd",
    )  # fmt: skip


_LIBRARIES = {"JAX": _jax, "PyTorch": _torch, "torch.compile": _torch, "autograd": _autograd}


def functions(peer: str) -> Any:
    """The functions of a library under the names that the losses use."""
    return _LIBRARIES[peer]()


def received(peer: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """NumPy's arrays as those of the peer."""
    if peer not in _LIBRARIES:
        return dict(arrays)
    return {name: _LIBRARIES[peer]().asarray(array) for name, array in arrays.items()}


def ready(peer: str, results: Any) -> Any:
    """The results, once they are computed: JAX returns before."""
    if peer == "JAX":
        import jax

        jax.block_until_ready(results)
    return results


def value_and_gradients(loss: Loss, wrt: Sequence[str], value: bool = True) -> dict[str, Callable[..., Step]]:
    """Steps that give "value" and the gradients under the names of the arrays."""

    def named(result: Any, slopes: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": result, **slopes} if value else dict(slopes)

    def jax(**_: int) -> Step:
        from jax import jit, value_and_grad

        lib = _jax()
        return jit(lambda a: named(*value_and_grad(lambda x: loss(lib, {**a, **x}))({key: a[key] for key in wrt})))

    def torch(compiled: bool = False) -> Step:
        import torch as pt

        lib = _torch()
        forward = pt.compile(lambda a: loss(lib, a)) if compiled else lambda a: loss(lib, a)

        def step(a: Arrays) -> Mapping[str, Any]:
            x = {key: a[key].detach().requires_grad_() for key in wrt}
            result = forward({**a, **x})
            slopes = pt.autograd.grad(result, list(x.values()))
            return named(result.detach(), dict(zip(x, slopes, strict=True)))

        return step

    def autograd(**_: int) -> Step:
        from autograd import value_and_grad

        lib = _autograd()

        def step(a: Arrays) -> Mapping[str, Any]:
            return named(*value_and_grad(lambda x: loss(lib, {**a, **x}))({key: a[key] for key in wrt}))

        return step

    return {"JAX": jax, "PyTorch": lambda **_: torch(), "torch.compile": lambda **_: torch(compiled=True),
            "autograd": autograd}  # fmt: skip


def hessians(loss: Loss, wrt: str) -> dict[str, Callable[..., Step]]:
    """Steps that give the dense "hessian" for one array."""

    def jax(**_: int) -> Step:
        from jax import hessian, jit

        lib = _jax()
        return jit(lambda a: {"hessian": hessian(lambda x: loss(lib, {**a, wrt: x}))(a[wrt])})

    def torch(**_: int) -> Step:
        from torch.func import hessian

        lib = _torch()
        return lambda a: {"hessian": hessian(lambda x: loss(lib, {**a, wrt: x}))(a[wrt])}

    def compiled(**_: int) -> Step:
        import torch as pt

        return pt.compile(torch())

    def autograd(**_: int) -> Step:
        from autograd import hessian

        lib = _autograd()
        return lambda a: {"hessian": hessian(lambda x: loss(lib, {**a, wrt: x}))(a[wrt])}

    return {"JAX": jax, "PyTorch": torch, "torch.compile": compiled, "autograd": autograd}


def products(loss: Loss, wrt: Sequence[str], along: str = "v_") -> dict[str, Callable[..., Step]]:
    """Steps that give Hessian-vector products under the names of the arrays; the vectors are "v_" and the name."""

    def split(a: Arrays) -> tuple[dict[str, Any], dict[str, Any]]:
        return {key: a[key] for key in wrt}, {key: a[along + key] for key in wrt}

    def jax(**_: int) -> Step:
        from jax import grad, jit, jvp

        lib = _jax()

        def step(a: Arrays) -> Mapping[str, Any]:
            x, v = split(a)
            return dict(jvp(grad(lambda x: loss(lib, {**a, **x})), (x,), (v,))[1])

        return jit(step)

    def torch(**_: int) -> Step:
        from torch.func import grad, jvp

        lib = _torch()

        def step(a: Arrays) -> Mapping[str, Any]:
            x, v = split(a)
            return dict(jvp(grad(lambda x: loss(lib, {**a, **x})), (x,), (v,))[1])

        return step

    def compiled(**_: int) -> Step:
        import torch as pt

        return pt.compile(torch())

    def autograd(**_: int) -> Step:
        from autograd import grad

        lib = _autograd()

        def step(a: Arrays) -> Mapping[str, Any]:
            x, v = split(a)

            def slope(x: Mapping[str, Any]) -> Any:
                gradient = grad(lambda x: loss(lib, {**a, **x}))(x)
                return sum(lib.sum(gradient[key] * v[key]) for key in wrt)

            return grad(slope)(x)

        return step

    return {"JAX": jax, "PyTorch": torch, "torch.compile": compiled, "autograd": autograd}
