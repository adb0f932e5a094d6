"""Declaring a case of the corpus, and comparing what came out."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from tests.oracles.corpus import Case

__all__ = ["assert_close", "declare", "is_exact"]


def declare(case: Case, slots: tuple[int, ...] | None = None) -> tuple[list[Any], Any]:
    """The operands as tensors x0, x1, .., and their einsum. `slots[k]` says which tensor stands at operand k.

    Sizes are symbols named after the labels; where an ellipsis stands, or one tensor meets several terms, they
    are the integers.
    """
    terms = "".join(case.spec.split()).partition("->")[0].split(",")
    slots = slots or tuple(range(len(terms)))
    symbolic = "..." not in case.spec and len(set(slots)) == len(slots)
    tensors: list[Any] = []
    for slot, term, shape in zip(slots, terms, case.shapes, strict=True):
        if slot == len(tensors):
            tensors.append(eb.tensor(f"x{slot}[{','.join(term) if symbolic else ','.join(map(str, shape))}]"))
    return tensors, eb.einsum(case.spec, *(tensors[slot] for slot in slots))


def assert_close(found: Any, wanted: Any, what: str, tolerance: float = 1e-11) -> None:
    """Same shape, and no entry off by more than `tolerance` of the largest entry (or of one)."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"{what}: shape {found.shape}, not {wanted.shape}"
    if wanted.size:
        error = np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())
        assert error <= tolerance, f"{what}: off by {error:.2e}\n{found}\nnot\n{wanted}"


def is_exact(found: Any, wanted: Any) -> bool:
    """Equal, and Python integers still: nothing went through a float."""
    found, wanted = np.asarray(found, dtype=object), np.asarray(wanted, dtype=object)
    integral = all(isinstance(entry, int) for entry in found.flat)
    return integral and found.shape == wanted.shape and bool(np.all(found == wanted))
