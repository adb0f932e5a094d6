"""What was made is kept for later calls, as long as it is not too much."""

from __future__ import annotations

from typing import Final, TypeVar

__all__ = ["KEPT", "remember"]

KEPT: Final = 64  # specialisations of one program

K = TypeVar("K")
V = TypeVar("V")


def remember(cache: dict[K, V], key: K, made: V) -> None:
    """Keep what was made last in the order; the first goes where there are too many."""
    cache[key] = made
    if len(cache) > KEPT:
        del cache[next(iter(cache))]
