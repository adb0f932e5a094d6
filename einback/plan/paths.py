"""Contraction orders: the one module that knows opt_einsum.

A path is in static single assignment form: operands are numbered 0..n-1, and pair number k makes tensor
n+k. Labels are integers, so that nothing depends on how strings hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from opt_einsum.paths import auto

from einback.errors import CompileError

__all__ = ["WIDEST", "Labels", "Path", "contraction_path", "intermediates"]

Labels = tuple[int, ...]
Path = tuple[tuple[int, int], ...]

WIDEST = 64  # axes of a NumPy array


@lru_cache(maxsize=4096)
def contraction_path(terms: tuple[Labels, ...], out: Labels, lengths: tuple[int, ...]) -> Path:
    """A cheap order of pairwise contractions; `lengths` is by label.

    >>> contraction_path(((0, 1), (1, 2), (2,)), (0,), (100, 100, 100))  # A (B x), not (A B) x
    ((1, 2), (0, 3))

    An order that makes no intermediate of more than 64 axes is sought; without one, `CompileError`.
    """
    if len(terms) <= 2:
        return ((0, 1),)[: len(terms) - 1]
    widest = 0
    for candidate in _CANDIDATES:
        path = candidate(terms, out, lengths)
        widest = max(len(kept) for _, _, kept in intermediates(terms, out, path))
        if widest <= WIDEST:
            return path
    raise CompileError(
        f"every contraction order tried for {len(terms)} operands makes an array of {widest} axes; "
        f"NumPy allows {WIDEST}"
    )


def intermediates(terms: Sequence[Labels], out: Labels, path: Path) -> Iterator[tuple[int, int, frozenset[int]]]:
    """The pairs of a path in order, each with the labels that it keeps."""
    held = [frozenset(term) for term in terms]
    readers: dict[int, int] = dict.fromkeys(out, 1)  # tensors not yet contracted, and the result
    for term in held:
        for label in term:
            readers[label] = readers.get(label, 0) + 1
    for i, j in path:
        for label in held[i] & held[j]:
            readers[label] -= 1
        kept = frozenset(label for label in held[i] | held[j] if readers[label] > 1)
        held.append(kept)
        yield i, j, kept


def _auto(terms: tuple[Labels, ...], out: Labels, lengths: tuple[int, ...]) -> Path:
    linear = auto([frozenset(term) for term in terms], frozenset(out), dict(enumerate(lengths)))
    return _single_assignment(linear, len(terms))


def _auto_wide(terms: tuple[Labels, ...], out: Labels, lengths: tuple[int, ...]) -> Path:
    """As if every axis were long, so that axes of length one are not free to pile up."""
    return _auto(terms, out, tuple(max(2, length) for length in lengths))


def _in_order(terms: tuple[Labels, ...], out: Labels, lengths: tuple[int, ...]) -> Path:
    del out, lengths
    n = len(terms)
    return tuple((0 if k == 1 else n + k - 2, k) for k in range(1, n))


_CANDIDATES: tuple[Callable[[tuple[Labels, ...], Labels, tuple[int, ...]], Path], ...] = (_auto, _auto_wide, _in_order)


def _single_assignment(linear: Sequence[Sequence[int]], n: int) -> Path:
    """opt_einsum's path, where a step's positions count the operands still there, with fixed numbers."""
    left = list(range(n))
    path: list[tuple[int, int]] = []
    for step in linear:
        taken = [left[k] for k in step]
        left = [k for k in left if k not in taken]
        while len(taken) > 1:
            path.append((min(taken[0], taken[1]), max(taken[0], taken[1])))
            taken = [n + len(path) - 1, *taken[2:]]
        left += taken
    return tuple(path)
