"""Programs large enough for a limit of memory to matter, with arrays for them: forward, gradients and Hessians."""

from collections.abc import Callable
from typing import Any

import numpy as np

import einback as eb

__all__ = ["PROGRAMS"]

Built = tuple[Any, dict[str, np.ndarray]]


def _normal(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def network() -> Built:
    X, Y, W, b, V = eb.tensors("X[n,d] Y[n,c] W[d,h] b[h] V[h,c]")
    loss = -eb.sum(Y * eb.log_softmax(eb.tanh(X @ W + b) @ V, axis="c")) / X.size("n")
    arrays = _normal(X=(2000, 32), Y=(2000, 10), W=(32, 64), b=(64,), V=(64, 10))
    return {"loss": loss, "grads": eb.grad(loss, [W, b, V])}, arrays


def gelu_network() -> Built:
    X, W, V = eb.tensors("X[n,d] W[d,h] V[h]")
    loss = eb.sum(eb.gelu(X @ W) @ V)
    return eb.grad(loss, [W, V]), _normal(X=(2000, 16), W=(16, 48), V=(48,))


def forward() -> Built:
    p = eb.program("y[n,c] = sigmoid(tanh(x[n,d] W[d,h]) V[h,c])")
    return p["y"], _normal(x=(3000, 16), W=(16, 64), V=(64, 4))


def logistic_hessian() -> Built:
    X, y, w = eb.tensors("X[m,n] y[m] w[n]")
    f = eb.sum(eb.softplus(-y * (X @ w)))
    return {"f": f, "g": eb.grad(f, w), "H": eb.hessian(f, w)}, _normal(X=(4000, 24), y=(4000,), w=(24,))


def attention() -> Built:
    p = eb.program("""
        s[b,h,q,k] = Q[b,h,q,d] K[b,h,k,d]
        a[b,h,q,k] = softmax[k](s[b,h,q,k])
        o[b,h,q,d] = a[b,h,q,k] V[b,h,k,d]
        l = o[b,h,q,d] G[b,h,q,d]
    """)
    return eb.grad(p["l"], [p["Q"], p["K"], p["V"]]), _normal(**dict.fromkeys("QKVG", (2, 3, 150, 8)))


def causal_attention() -> Built:
    p = eb.program("""
        Q[t,d] = X[t,e] A[e,d]
        K[t,d] = X[t,e] B[e,d]
        s[q,k] = where(q >= k, Q[q,d] K[k,d], -inf)
        a[q,k] = softmax[k](s[q,k])
        o[q,d] = a[q,k] X[k,d]
        l = sum[q,d](tanh(o[q,d]) G[q,d])
    """)
    arrays = _normal(X=(400, 12), G=(400, 12), A=(12, 12), B=(12, 12))
    return [p["l"], eb.grad(p["l"], [p["X"], p["A"], p["B"]])], arrays


def layer_norm() -> Built:
    p = eb.program("""
        m[n] = x[n,d] / size(d)
        v[n] = sum[d]((x[n,d] - m[n])^2) / size(d)
        y[n,d] = g[d] (x[n,d] - m[n]) / sqrt(v[n] + 0.001) + s[d]
        l = sum[n,d](tanh(y[n,d]) u[n,d])
    """)
    return [p["l"], eb.grad(p["l"], [p["g"], p["s"]])], _normal(x=(1500, 40), u=(1500, 40), g=(40,), s=(40,))


def batch_norm() -> Built:
    p = eb.program("""
        h[n,d] = x[n,e] W[e,d]
        m[d] = h[n,d] / size(n)
        v[d] = sum[n]((h[n,d] - m[d])^2) / size(n)
        z[n,f] = (h[n,d] - m[d]) / sqrt(v[d] + 0.001) V[d,f]
        l = sum[n,f](tanh(z[n,f]) u[n,f])
    """)
    return [p["l"], eb.grad(p["l"], [p["V"], p["W"]])], _normal(x=(1500, 20), W=(20, 30), V=(30, 30), u=(1500, 30))


def softmax_over_samples() -> Built:
    p = eb.program("""
        h[n,d] = x[n,e] W[e,d]
        a[n,d] = softmax[n](h[n,d])
        l = sum[n,f](tanh(sum[d](a[n,d] V[d,f])) u[n,f])
    """)
    return [p["l"], eb.grad(p["l"], p["W"])], _normal(x=(1500, 20), W=(20, 30), V=(30, 10), u=(1500, 10))


def masked_factorisation() -> Built:
    p = eb.program("l = sum[i,j](M[i,j] (R[i,j] - sum[k](U[i,k] V[j,k]))^2)")
    arrays = _normal(R=(300, 400), U=(300, 6), V=(400, 6))
    arrays["M"] = (arrays["R"] > 1).astype(float)
    return [p["l"], eb.grad(p["l"], [p["U"], p["V"]])], arrays


def embedding() -> Built:
    token = eb.tensor("token[b,t]", integer=True)
    p = eb.program("h[b,t,d] = E[token[b,t],d]\nl = sum[b,t,d](tanh(h[b,t,d] + P[t,d]) U[b,t,d])", token=token)
    arrays = _normal(E=(100, 16), P=(30, 16), U=(120, 30, 16))
    arrays["token"] = np.random.default_rng(1).integers(0, 100, (120, 30))
    return [p["l"], eb.grad(p["l"], [p["E"], p["P"]])], arrays


def sample_gradients() -> Built:
    X, W, V = eb.tensors("X[n,d] W[d,h] V[h]")
    each = eb.jacobian(eb.tanh(X @ W) @ V, W)
    return {"each": each, "norms": eb.einsum("ndh,ndh->n", each, each)}, _normal(X=(300, 20), W=(20, 30), V=(30,))


def kernel() -> Built:
    p = eb.program("K[i,j] = exp(-sum[d]((X[i,d] - X[j,d])^2))\nl = u[i] K[i,j] v[j]")
    return [p["l"], eb.grad(p["l"], p["X"])], _normal(X=(300, 4), u=(300,), v=(300,))


def convolution() -> Built:
    p = eb.program("y[b,o,i,j] = relu(x[b,c,i+u,j+v] K[o,c,u,v])\nl = sum[b,o,i,j](y[b,o,i,j]^3)")
    return [p["l"], eb.grad(p["l"], p["K"])], _normal(x=(24, 3, 20, 20), K=(5, 3, 3, 3))


def gaussian_process() -> Built:
    p = eb.program(
        """
        A[b,i,j] = G[b,i,k] G[b,j,k] + eye[i,j]
        l = y[b,i] inv(A)[b,i,j] y[b,j]
    """.replace("eye[i,j]", "δ[i,j]")
    )
    return [p["l"], eb.grad(p["l"], p["G"])], _normal(G=(60, 30, 30), y=(60, 30))


def newton() -> Built:
    X, W = eb.tensors("X[n,d] W[d,c]")
    f = eb.sum(eb.logsumexp(X @ W, axis="c"))
    return eb.hessian(f, W), _normal(X=(1500, 10), W=(10, 6))


PROGRAMS: dict[str, Callable[[], Built]] = {
    build.__name__: build
    for build in (
        network, gelu_network, forward, logistic_hessian, attention, causal_attention, layer_norm, batch_norm,
        softmax_over_samples, masked_factorisation, embedding, sample_gradients, kernel, convolution,
        gaussian_process, newton,
    )
}  # fmt: skip
