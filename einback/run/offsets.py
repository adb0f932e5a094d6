"""Offsets in one block of memory for arrays that are alive at different times."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["placed"]

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def placed(lives: Mapping[int, tuple[int, int, int]]) -> tuple[dict[int, int], int]:
    """Offsets for arrays that live from a first to a last statement, by the bytes of each; and the bytes of the block.

    In the order in which they are written, each takes the smallest gap that it fits into.
    """
    offsets: dict[int, int] = {}
    alive: list[tuple[int, int, int]] = []  # offset, end, the last statement
    space = 0
    for root in sorted(lives, key=lambda root: lives[root][0]):
        first, last, nbytes = lives[root]
        size = -(-nbytes // _ALIGNMENT) * _ALIGNMENT
        alive = sorted(one for one in alive if one[2] >= first)
        gaps: list[tuple[int, int]] = []
        end = 0
        for offset, stop, _ in alive:
            if offset - end >= size:
                gaps.append((offset - end, end))
            end = max(end, stop)
        place = min(gaps)[1] if gaps else end
        offsets[root] = place
        alive.append((place, place + size, last))
        space = max(space, place + size, _ALIGNMENT)
    return offsets, space
