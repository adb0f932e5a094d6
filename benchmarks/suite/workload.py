"""What a workload is: its cases, its arrays, and how each peer computes its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Arrays", "Case", "Step", "Workload"]

Arrays = Mapping[str, Any]
Step = Callable[[Arrays], Mapping[str, Any]]  # arrays of the peer's kind in, results by name out


@dataclass(frozen=True, slots=True)
class Case:
    """One size of a workload; `target` is the speed over the best peer that einback is to reach."""

    sizes: Mapping[str, int]
    target: float
    label: str = ""

    @property
    def title(self) -> str:
        return self.label or ", ".join(f"{name} = {size}" for name, size in self.sizes.items())


@dataclass(frozen=True, slots=True)
class Workload:
    """`peers` maps a peer's name to a function of the sizes that makes its step; "NumPy" is the one written by hand.

    `arrays` draws the arrays of a case in float64, which are then cast to `dtype`; whole numbers stay.
    """

    letter: str
    title: str
    cases: tuple[Case, ...]
    arrays: Callable[..., dict[str, Any]]
    peers: Mapping[str, Callable[..., Step]]
    dtype: str = "float64"
    tolerance: float = 1e-8
    left_out: Mapping[str, str] = field(default_factory=dict)  # peers that are not there, and why

    def drawn(self, case: Case, dtype: str = "") -> dict[str, Any]:
        found = self.arrays(np.random.default_rng(0), **case.sizes)
        return {name: a.astype(dtype or self.dtype) if a.dtype.kind == "f" else a for name, a in found.items()}
