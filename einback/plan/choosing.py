"""Whether slices would make a program faster, a simple model: elementwise work moves bytes, matrix products compute.

A program whose arrays fit the cache gains nothing from slices, nor does one whose time goes into matrix products,
which block for the cache themselves. In between, slices keep an elementwise chain in the cache, and several threads
run several of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from einback.ir.nodes import Einsum, Matrix, Node, Ones
from einback.plan.binding import resolve
from einback.plan.plan import Plan

__all__ = ["Choice", "choose_slices"]

_OPERATIONS_A_BYTE = 8  # of a matrix product, in the time that one byte moves to memory or back
_MOST = 256  # slices: what a call costs must not show


@dataclass(frozen=True, slots=True)
class Choice:
    """How many slices a program is worth cutting into, one for none, and why."""

    slices: int
    reason: str


def choose_slices(plan: Plan, threads: int, cache_bytes: int) -> Choice:
    """How many slices to aim at, so that those that run at a time fit a cache of `cache_bytes` together.

    It prices the plan of the whole program, and does not say over which index.
    """
    if plan.peak_bytes <= cache_bytes:
        return Choice(1, "all arrays fit the cache")
    moved = sum(2 * step.nbytes for step in plan.steps for node in step.nodes if not _multiplies(node))
    computed = sum(_product_flops(plan, node) for step in plan.steps for node in step.nodes)
    if moved * _OPERATIONS_A_BYTE < computed:
        return Choice(1, "matrix products take most of the time")
    slices = ceil(plan.peak_bytes * threads / cache_bytes)
    slices = min(_MOST, ceil(slices / threads) * threads)
    return Choice(slices, f"{slices} slices of an elementwise chain stay in the cache, {threads} at a time")


def _multiplies(node: Node) -> bool:
    """Whether a node is a product that is summed, or a function of matrices."""
    if isinstance(node, Matrix):
        return True
    if not isinstance(node, Einsum):
        return False
    factors = sum(not isinstance(operand, Ones) for operand in node.operands)
    return factors > 1 and len(set(node.out)) < len(node.sizes)


def _product_flops(plan: Plan, node: Node) -> int:
    return 2 * prod(resolve(node.sizes, plan.sizes)) if isinstance(node, Einsum) and _multiplies(node) else 0
