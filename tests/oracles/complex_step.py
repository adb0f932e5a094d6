"""NumPy on numbers a + ih: with h = 1e-30 the imaginary part of a result is h times its exact slope.

Squire & Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998).
Functions that are not analytic get the extension whose imaginary part is the slope of einback's conventions:
abs'(0) = relu'(0) = 0, ties of maxima split evenly. `nearest` is how close a branch came to its kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.oracles.loops import without_embedding
from tests.oracles.structured import arrays_library, dominant, positive, spread

__all__ = ["ComplexNumpy", "gradients", "slope"]

STEP = 1e-30

_erf = np.frompyfunc(math.erf, 1, 1)


class ComplexNumpy(Mapping[str, Callable[..., Any]]):
    """The operations of `programs`, on complex arrays. Keeps the largest value met and the nearest kink."""

    _structured = arrays_library(np)

    def __init__(self) -> None:
        self.largest = 0.0
        self.nearest = math.inf
        self.conditions = math.inf

    def __getitem__(self, name: str) -> Callable[..., Any]:
        function = self._structured.get(name) or getattr(self, f"do_{name}")

        def watched(*args: Any) -> Any:
            value = np.asarray(function(*args), dtype=complex)
            if value.size:
                size = np.abs(value.real).max()
                self.largest = max(self.largest, size if size == size else math.inf)
            return value

        return watched

    def __iter__(self) -> Any:
        return iter([*self._structured, *(name[3:] for name in dir(self) if name.startswith("do_"))])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _kink(self, distance: np.ndarray) -> None:
        apart = np.abs(distance[distance != 0])
        self.nearest = min(self.nearest, apart.min(initial=math.inf))

    # elementwise, one argument
    do_tanh = staticmethod(np.tanh)
    do_sin = staticmethod(np.sin)
    do_cos = staticmethod(np.cos)
    do_arctan = staticmethod(np.arctan)
    do_square = staticmethod(np.square)
    do_exp = staticmethod(np.exp)
    do_negative = staticmethod(np.negative)

    def do_expm1(self, x: Any) -> Any:
        return np.expm1(x.real) + 1j * x.imag * np.exp(x.real)

    def do_sigmoid(self, x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def do_softplus(self, x: Any) -> Any:
        return np.log(1 + np.exp(x))

    def do_silu(self, x: Any) -> Any:
        return x / (1 + np.exp(-x))

    def do_erf(self, x: Any) -> Any:
        slope = 2 / math.sqrt(math.pi) * np.exp(-(x.real**2))
        return np.asarray(_erf(x.real), dtype=float) + 1j * x.imag * slope

    def do_gelu(self, x: Any) -> Any:
        return x * 0.5 * (1 + self.do_erf(x * math.sqrt(0.5)))

    def do_relu(self, x: Any) -> Any:
        self._kink(x.real)
        return np.where(x.real > 0, x, 0)

    def do_leaky(self, x: Any) -> Any:
        self._kink(x.real)
        return np.where(x.real > 0, x, 0.25 * x)

    def do_abs(self, x: Any) -> Any:
        self._kink(x.real)
        return x * np.sign(x.real)

    def do_sqrt1(self, x: Any) -> Any:
        return np.sqrt(1 + x * x)

    def do_log1(self, x: Any) -> Any:
        return np.log(1 + x * x)

    def do_inverse1(self, x: Any) -> Any:
        return 1 / (1 + x * x)

    # elementwise, two arguments
    do_add = staticmethod(np.add)
    do_subtract = staticmethod(np.subtract)
    do_multiply = staticmethod(np.multiply)

    def do_divide1(self, x: Any, y: Any) -> Any:
        return x / (1 + y * y)

    def do_maximum(self, x: Any, y: Any) -> Any:
        self._kink(x.real - y.real)
        share = (x.real > y.real) + 0.5 * (x.real == y.real)
        return np.maximum(x.real, y.real) + 1j * (share * x.imag + (1 - share) * y.imag)

    def do_minimum(self, x: Any, y: Any) -> Any:
        return -self.do_maximum(-x, -y)

    def do_choose(self, x: Any, y: Any) -> Any:
        self.conditions = min(self.conditions, np.abs(x.real - 0.3).min(initial=math.inf))
        return np.where(x.real > 0.3, x * y, x + 2 * y)

    def do_logaddexp(self, x: Any, y: Any) -> Any:
        return np.log(np.exp(x) + np.exp(y))

    def do_hypot1(self, x: Any, y: Any) -> Any:
        return np.sqrt((1 + x * x) ** 2 + y * y)

    def do_power1(self, x: Any, y: Any) -> Any:
        return np.exp(np.log(1 + x * x) * np.tanh(y))

    def do_affine(self, x: Any, numbers: tuple[float, float]) -> Any:
        return numbers[0] * x + numbers[1]

    # sums of products
    def do_einsum(self, *operands_and_spec: Any) -> Any:
        *operands, spec = operands_and_spec
        plain, joined = without_embedding(spec)
        left, _, right = spec.partition("->")
        sizes = {c: n for t, x in zip(left.split(","), operands, strict=True) for c, n in zip(t, x.shape, strict=True)}
        return np.einsum(plain, *operands, *(np.eye(sizes[right[axis]]) for axis in joined))

    # reductions
    def do_sum(self, x: Any, how: tuple[Any, bool]) -> Any:
        return np.sum(x, axis=how[0], keepdims=how[1])

    def do_mean(self, x: Any, how: tuple[Any, bool]) -> Any:
        return np.mean(x, axis=how[0], keepdims=how[1])

    def do_prod(self, x: Any, how: tuple[Any, bool]) -> Any:
        return np.prod(x, axis=how[0], keepdims=how[1])

    def do_max(self, x: Any, how: tuple[Any, bool]) -> Any:
        top = x.real.max(axis=how[0], keepdims=True)
        self._kink(top - x.real)
        share = x.real == top
        return (x * share).sum(axis=how[0], keepdims=how[1]) / share.sum(axis=how[0], keepdims=how[1])

    def do_min(self, x: Any, how: tuple[Any, bool]) -> Any:
        return -self.do_max(-x, how)

    def do_logsumexp(self, x: Any, how: tuple[Any, bool]) -> Any:
        return np.log(np.sum(np.exp(x), axis=how[0], keepdims=how[1]))

    def do_softmax(self, x: Any, axis: int) -> Any:
        return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)

    def do_log_softmax(self, x: Any, axis: int) -> Any:
        return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))

    # functions of matrices that are made of x
    def do_inv(self, x: Any) -> Any:
        return np.linalg.inv(positive(np, x))

    def do_inv_any(self, x: Any) -> Any:
        return np.linalg.inv(dominant(np, x))

    def do_det(self, x: Any) -> Any:
        return np.linalg.det(positive(np, x))

    def do_det_any(self, x: Any) -> Any:
        return np.linalg.det(dominant(np, x))

    def do_logdet(self, x: Any) -> Any:
        return np.log(np.linalg.det(positive(np, x)))

    def do_logdet_any(self, x: Any) -> Any:
        return np.log(np.linalg.det(dominant(np, x)))

    def do_solve(self, x: Any, y: Any) -> Any:
        return np.linalg.inv(positive(np, x)) @ y

    def do_cholesky(self, x: Any) -> Any:
        """Column by column, with nothing conjugated."""
        a = positive(np, x)
        lower = np.zeros_like(a)
        for j in range(a.shape[-1]):
            rest = a[..., j] - np.einsum("...ik,...k->...i", lower, lower[..., j, :])
            lower[..., j:, j] = rest[..., j:] / np.sqrt(rest[..., j, None])
        return lower

    def do_eigvalsh(self, x: Any) -> Any:
        a = spread(np, x)
        values, vectors = np.linalg.eigh(a.real)
        self.conditions = min(self.conditions, np.diff(values).min(initial=math.inf) / 50)
        return values + 1j * np.einsum("...ki,...kl,...li->...i", vectors, a.imag, vectors)


def slope(f: Callable[[list[np.ndarray]], Any], arrays: list[np.ndarray], direction: list[np.ndarray]) -> float:
    """The directional derivative of a scalar function."""
    return float(f([a + 1j * STEP * d for a, d in zip(arrays, direction, strict=True)]).imag / STEP)


def gradients(f: Callable[[list[np.ndarray]], Any], arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The gradient for every array, an entry at a time."""
    found = [np.zeros(np.shape(a)) for a in arrays]
    for k, array in enumerate(arrays):
        for index in np.ndindex(np.shape(array)):
            moved = [np.array(a, dtype=complex) for a in arrays]
            moved[k][index] += 1j * STEP
            found[k][index] = f(moved).imag / STEP
    return found
