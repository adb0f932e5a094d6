"""Heights: every item as near as can be to what its legs lead to, in the order of its column and without touching.

For one column that is a least squares problem with a given order, which pooling neighbours that would touch solves
exactly; columns take turns, from left to right and back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from einback.formula.diagram.layers import Item

__all__ = ["Link", "heights"]

_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Link:
    """A piece of a leg between neighbouring columns, with how far from the middles of the items it is fixed."""

    one: Item
    other: Item
    offset: float  # the height of `one` should be that of `other` plus this
    weight: float


def heights(
    columns: Sequence[Sequence[Item]], apart: Mapping[tuple[Item, Item], float], links: Sequence[Link]
) -> dict[Item, float]:
    """The height of the middle of every item; `apart` is the least distance of neighbours in a column."""
    column_of = {item: c for c, items in enumerate(columns) for item in items}
    found: dict[Item, float] = {}
    for items in columns:
        steps = _places(items, apart)
        middle = steps[-1] / 2 if steps else 0.0
        found |= {item: step - middle for item, step in zip(items, steps, strict=True)}
    near: dict[Item, list[Link]] = {item: [] for item in column_of}
    for link in links:
        near[link.one].append(link)
    for turn in range(_ROUNDS):
        for c in range(len(columns)) if turn % 2 else reversed(range(len(columns))):
            sides = (c - 1, c + 1) if turn > 3 else (c - 1,) if turn % 2 else (c + 1,)
            wishes, weights = [], []
            for item in columns[c]:
                own = [link for link in near[item] if column_of[link.other] in sides]
                weight = sum(link.weight for link in own)
                mean = sum(link.weight * (found[link.other] + link.offset) for link in own) / weight if own else None
                wishes.append(found[item] if mean is None else mean)
                weights.append(weight or 0.01)
            found |= zip(columns[c], _settled(wishes, weights, _places(columns[c], apart)), strict=True)
    return found


def _places(items: Sequence[Item], apart: Mapping[tuple[Item, Item], float]) -> list[float]:
    places = [0.0] if items else []
    for pair in pairwise(items):
        places.append(places[-1] + apart[pair])
    return places


def _settled(wishes: Sequence[float], weights: Sequence[float], places: Sequence[float]) -> list[float]:
    """The nearest heights that are at least as far apart as the places."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, number
    for wish, weight, place in zip(wishes, weights, places, strict=True):
        mean, total, number = wish - place, weight, 1
        while pools and pools[-1][0] >= mean:
            other, heavy, many = pools.pop()
            mean = (mean * total + other * heavy) / (total + heavy)
            total, number = total + heavy, number + many
        pools.append((mean, total, number))
    flat = [mean for mean, _, number in pools for _ in range(number)]
    return [mean + place for mean, place in zip(flat, places, strict=True)]
