"""The slowest einsum there is: Python loops over every label, with Python's own numbers.

It reads all of NumPy's notation and repeated output labels, and shares no line with the package, so it can
judge it. On object arrays of integers it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, product

import numpy as np

__all__ = ["einsum", "expand", "without_embedding"]

Label = str | int
Labels = tuple[Label, ...]


def expand(spec: str, ranks: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result. The axes of an ellipsis are labelled ..., -2, -1."""
    left, arrow, right = "".join(spec.split()).partition("->")
    widest, terms = 0, []
    for term, rank in zip(left.split(","), ranks, strict=True):
        head, dots, tail = term.partition("...")
        hidden = rank - len(head) - len(tail)
        assert hidden >= 0 if dots else hidden == 0
        widest = max(widest, hidden)
        terms.append((*head, *range(-hidden, 0), *tail))
    if arrow:
        head, dots, tail = right.partition("...")
        return terms, (*head, *(range(-widest, 0) if dots else ()), *tail)
    letters = left.replace(",", "").replace(".", "")
    return terms, (*range(-widest, 0), *sorted(c for c in letters if letters.count(c) == 1))


def einsum(spec: str, *operands: np.ndarray) -> np.ndarray:
    """The sum of products, entry by entry; entries that no loop reaches are zero."""
    terms, out = expand(spec, [operand.ndim for operand in operands])
    sizes: dict[Label, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        for label, size in zip(term, operand.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    result = np.zeros([sizes[label] for label in out], dtype=object)
    for values in product(*map(range, sizes.values())):
        point = dict(zip(sizes, values, strict=True))
        entry = 1
        for term, operand in zip(terms, operands, strict=True):
            entry *= operand[tuple(point[c] if n > 1 else 0 for c, n in zip(term, operand.shape, strict=True))]
        result[tuple(point[label] for label in out)] += entry
    return result


def without_embedding(spec: str) -> tuple[str, list[int]]:
    """The string with every label once on the right, and which axes of the result an identity matrix joins.

    Each repetition becomes a new letter and one more operand, the identity, in the place of the diagonal.

    >>> without_embedding("ij->jij")
    ('ij,jA->jiA', [2])
    """
    left, arrow, right = spec.partition("->")
    fresh = (c for c in map(chr, count(ord("A"))) if c not in spec)
    out, joined = "", []
    for axis, letter in enumerate(right):
        if letter != "." and letter in out:
            new = next(fresh)
            left, out = f"{left},{letter}{new}", out + new
            joined.append(axis)
        else:
            out += letter
    return left + arrow + out, joined
