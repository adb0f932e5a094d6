"""Structures of tensors: a tensor, or lists, tuples and dicts of them, nested. One way to take them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from einback.api.tensor import Tensor
from einback.errors import EinbackError

__all__ = ["flatten", "rebuild"]


def flatten(structure: Any, what: str) -> list[Tensor]:
    """The tensors of a structure, in order; `what` names it in the error for anything else."""
    match structure:
        case Tensor():
            return [structure]
        case dict():
            for key in structure:
                if not isinstance(key, str | int):
                    raise EinbackError(f"the keys of {what} are strings or whole numbers, not {key!r}")
            return [leaf for part in structure.values() for leaf in flatten(part, what)]
        case list() | tuple():
            return [leaf for part in structure for leaf in flatten(part, what)]
        case _:
            raise EinbackError(
                f"{what} must be a tensor, or a list, tuple or dict of tensors, not {type(structure).__name__}"
            )


def rebuild(structure: Any, leaves: Sequence[Any]) -> Any:
    """A structure like `structure` with other leaves."""
    rest = iter(leaves)
    return _filled(structure, lambda: next(rest))


def _filled(structure: Any, take: Callable[[], Any]) -> Any:
    match structure:
        case dict():
            return {key: _filled(part, take) for key, part in structure.items()}
        case list():
            return [_filled(part, take) for part in structure]
        case tuple():
            return tuple(_filled(part, take) for part in structure)
        case _:
            return take()
