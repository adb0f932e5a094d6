"""Contraction orders of large networks by cotengra, where it is installed (the extra `plan`).

Its greedy search with random choices and its reconfiguration of subtrees are seeded and bounded in their work, not in
time, so that a plan is the same whenever it is made. (Gray & Kourtis, Hyper-optimized tensor network contraction,
Quantum 5, 410, 2021.)
"""

from __future__ import annotations

from einback.plan.paths import Labels, Path

try:
    import cotengra
except ImportError:
    cotengra = None

__all__ = ["hyper_path", "is_installed"]

_REPEATS = 64


def is_installed() -> bool:
    return cotengra is not None


def hyper_path(terms: tuple[Labels, ...], out: Labels, lengths: tuple[int, ...]) -> Path:
    """An order of pairwise contractions; `lengths` is by label."""
    search = cotengra.RandomGreedyOptimizer(max_repeats=_REPEATS, seed=0, accel=False, parallel=False)
    tree = search.search(terms, out, dict(enumerate(lengths)))
    tree.subtree_reconfigure_(seed=0)
    return tuple((min(pair), max(pair)) for pair in tree.get_ssa_path())
