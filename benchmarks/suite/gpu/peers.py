"""The peers of the GPU benchmark: what each needs, and how its library is made in a process of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from suite.gpu.case import GpuCase
from suite.gpu.library import Library

__all__ = ["BY_HAND", "EAGER", "GRAPH", "LIBRARIES", "OURS", "PEERS", "Peer", "missing", "of_case"]

EAGER, GRAPH, BY_HAND = "einback", "einback graph", "CuPy"
OURS: Final = (EAGER, GRAPH)
LIBRARIES: Final = ("PyTorch", "torch.compile", "torch.compile graphs", "JAX")


@dataclass(frozen=True, slots=True)
class Peer:
    """`package` is what must be installed, on a GPU; `compiles` says that each check costs seconds of compiling."""

    package: str
    make: Callable[[str], Library]
    compiles: bool = False
    launch_bound_only: bool = False


def _late(module: str, name: str, **settings: Any) -> Callable[[str], Library]:
    """The library, imported where it is used."""

    def make(device: str) -> Library:
        library: Library = getattr(import_module(f"suite.gpu.{module}"), name)(device, **settings)
        return library

    return make


PEERS: Final = {
    EAGER: Peer("cupy", _late("with_cupy", "Einback", graph=False)),
    GRAPH: Peer("cupy", _late("with_cupy", "Einback", graph=True)),
    "PyTorch": Peer("torch", _late("with_torch", "Torch")),
    "torch.compile": Peer("torch", _late("with_torch", "Torch", peer="torch.compile", mode="default"), compiles=True),
    "torch.compile graphs": Peer(
        "torch",
        _late("with_torch", "Torch", peer="torch.compile", mode="reduce-overhead"),
        compiles=True,
        launch_bound_only=True,
    ),
    "JAX": Peer("jax", _late("with_jax", "Jax")),
    BY_HAND: Peer("cupy", _late("with_cupy", "ByHand")),
}


def missing(peer: str, device: str) -> str:
    """Why a peer cannot run here, as far as that is seen without starting it."""
    package = PEERS[peer].package
    if package == "cupy" and device == "cpu":
        return ""
    return "" if importlib.util.find_spec(package) else f"{package} is not installed"


def of_case(case: GpuCase, peers: tuple[str, ...]) -> tuple[str, ...]:
    """The peers that a case is timed with."""
    return tuple(peer for peer in peers if case.launch_bound or not PEERS[peer].launch_bound_only)
