"""What is timed on a GPU: a workload at large sizes, in a precision, and small sizes at which its values are checked.

A case holds the mathematics once for each kind of peer: the tensors that einback compiles, the loss that JAX and
PyTorch differentiate, and the steps written by hand over NumPy's functions, which are CuPy's too.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

import einback as eb
from suite.workload import Step

__all__ = ["DTYPES", "TOLERANCES", "GpuCase", "Loss", "Precision", "Product", "everywhere"]

Precision = Literal["float64", "float32", "tf32", "bfloat16"]
Product = Callable[[Any, Any], Any]
Loss = Callable[[Any, Mapping[str, Any]], Any]

DTYPES: Final[Mapping[Precision, str]] = {
    "float64": "float64", "float32": "float32", "tf32": "float32", "bfloat16": "float32"
}  # fmt: skip
TOLERANCES: Final[Mapping[Precision, float]] = {"float64": 1e-8, "float32": 1e-3, "tf32": 3e-2, "bfloat16": 0.2}
"""Of results at small sizes, relative to their largest entry; a formula is proved by the check in double precision."""


@dataclass(frozen=True, slots=True)
class GpuCase:
    """A case by its `name`, as `--only` takes it.

    `losses` has the loss of each autodiff peer, `wrt` what it is differentiated by: gradients, or with `hessian` a
    dense Hessian. `gemm_bound` and `launch_bound` say what its time is measured against. Arrays are of the dtype of
    the `precision`, in which matrices are multiplied.
    """

    name: str
    title: str
    sizes: Mapping[str, int]
    small: Mapping[str, int]
    arrays: Callable[..., dict[str, Any]]
    outputs: Callable[..., Mapping[str, eb.Tensor]]
    by_hand: Callable[[Any, Product], Step]
    losses: Mapping[str, Loss]
    wrt: tuple[str, ...]
    precision: Precision = "float32"
    hessian: bool = False
    gemm_bound: bool = False
    launch_bound: bool = False
    label: str = field(default="")

    @property
    def dtype(self) -> str:
        return DTYPES[self.precision]

    @property
    def target(self) -> float:
        """The speed over the best library that einback is to reach."""
        return 3.0 if self.hessian else 1.0

    def text(self) -> str:
        sizes = self.label or ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        return f"{self.title}, {sizes}, {self.precision}"

    def drawn(self, dtype: str, *, small: bool) -> dict[str, Any]:
        """The arrays on the host. Those of large sizes repeat a million random numbers, which is sooner done."""
        rng = np.random.default_rng(0) if small else _Repeated()
        found = self.arrays(rng, **(self.small if small else self.sizes))
        return {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in found.items()}

    def wanted(self) -> Mapping[str, Any]:
        """The results at small sizes of the steps written by hand, by NumPy in double precision."""
        return self.by_hand(np, operator.matmul)(self.drawn("float64", small=True))


def everywhere(loss: Loss) -> dict[str, Loss]:
    """The same loss for all that differentiate it."""
    return dict.fromkeys(("PyTorch", "torch.compile", "JAX"), loss)


class _Repeated:
    """A generator whose numbers come again after a prime number of them, so that rows of a matrix differ."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def _filled(self, block: np.ndarray, size: int | tuple[int, ...]) -> np.ndarray:
        shape = (size,) if isinstance(size, int) else size
        return np.resize(block[: math.prod(shape)], shape)

    def normal(self, size: int | tuple[int, ...]) -> np.ndarray:
        return self._filled(self._rng.normal(size=1_000_003), size)

    def random(self, size: int | tuple[int, ...]) -> np.ndarray:
        return self._filled(self._rng.random(size=1_000_003), size)

    def integers(self, low: int, high: int, size: int) -> np.ndarray:
        return self._rng.integers(low, high, size)
