"""On a CUDA device: arrays of PyTorch and JAX come and go through DLPack, without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb

pytestmark = pytest.mark.gpu

X, W, t = eb.tensors("X[n,d] W[d,c] t[n,c]")
LOSS = eb.sum((eb.tanh(X @ W) - t) ** 2)
STEP = eb.compile({"loss": LOSS, "dW": eb.grad(LOSS, W)})
RNG = np.random.default_rng(0)
ARRAYS = {"X": RNG.normal(size=(64, 8)), "W": RNG.normal(size=(8, 3)), "t": RNG.normal(size=(64, 3))}


def test_tensors_of_torch(cupy: Any) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    tensors = {name: torch.tensor(array, device="cuda") for name, array in ARRAYS.items()}
    tensors["W"].requires_grad_()
    loss = ((torch.tanh(tensors["X"] @ tensors["W"]) - tensors["t"]) ** 2).sum()
    loss.backward()
    with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
        given = {name: cupy.from_dlpack(tensor.detach()) for name, tensor in tensors.items()}
        assert all(given[name].data.ptr == tensor.data_ptr() for name, tensor in tensors.items())
        found = STEP(given)
        gradient = torch.from_dlpack(found["dW"])
    assert gradient.data_ptr() == found["dW"].data.ptr
    torch.testing.assert_close(gradient, tensors["W"].grad, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(float(found["loss"]), float(loss), rtol=1e-12)


def test_arrays_of_jax(cupy: Any) -> None:
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("JAX finds no GPU")
    arrays = {name: jax.numpy.asarray(array, jax.numpy.float32) for name, array in ARRAYS.items()}
    jax.block_until_ready(arrays)
    found = STEP({name: cupy.from_dlpack(array) for name, array in arrays.items()})
    cupy.cuda.get_current_stream().synchronize()
    gradient = jax.dlpack.from_dlpack(found["dW"])

    def loss(W: Any) -> Any:
        return ((jax.numpy.tanh(arrays["X"] @ W) - arrays["t"]) ** 2).sum()

    np.testing.assert_allclose(np.asarray(gradient), np.asarray(jax.grad(loss)(arrays["W"])), rtol=2e-2, atol=2e-2)
