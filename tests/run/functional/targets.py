"""Running generated files on each target: CuPy, which needs a GPU, by a module that hands NumPy's functions on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.run.cupy_stand_in import cupy_stand_in

__all__ = ["TARGETS", "flat", "run_source"]

TARGETS = ("numpy", "cupy", "torch", "jax")


def flat(found: Any) -> list[Any]:
    """The results in a structure, one after the other."""
    match found:
        case dict():
            return [leaf for key in sorted(found) for leaf in flat(found[key])]
        case list() | tuple():
            return [leaf for part in found for leaf in flat(part)]
        case _:
            return [found]


def run_source(source: str, target: str, arrays: Mapping[str, np.ndarray], *, name: str = "step") -> Any:
    """What the function in a file returns, as NumPy arrays; on JAX it is compiled with `jax.jit`."""
    here: dict[str, Any] = {"__name__": "generated"}
    match target:
        case "torch":
            torch = pytest.importorskip("torch")
            exec(source, here)
            given = {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}
            return _mapped(here[name](**given), lambda one: one.resolve_conj().numpy())
        case "jax":
            pytest.importorskip("jax")
            from tests.oracles.jax_lib import jax

            exec(source, here)
            return _mapped(jax.jit(here[name])(**{key: np.asarray(array) for key, array in arrays.items()}), np.asarray)
        case "cupy":
            with cupy_stand_in(), np.errstate(all="ignore"):
                exec(source, here)
                return _mapped(here[name](**arrays), np.asarray)
        case _:
            exec(source, here)
            return _mapped(here[name](**arrays), np.asarray)


def _mapped(found: Any, turned: Any) -> Any:
    match found:
        case dict():
            return {key: _mapped(part, turned) for key, part in found.items()}
        case list() | tuple():
            return type(found)(_mapped(part, turned) for part in found)
        case _:
            return turned(found)
