"""Whether slices would make a program faster, a simple model: elementwise work moves bytes, matrix products compute.

A program whose time goes into large matrix products gains nothing from slices: BLAS blocks for the cache and runs on
several threads by itself. Small products in a batch, products that read windows, and elementwise chains do gain:
slices keep them in the cache, and several threads run several of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from einback.ir.nodes import Einsum, Matrix, Node, Ones
from einback.plan.binding import resolve
from einback.plan.cost import MACHINE, elements, flops
from einback.plan.plan import Plan
from einback.plan.views import is_view, relation_at
from einback.rules.relations import is_relation

__all__ = ["Choice", "choose_slices"]

_OPERATIONS_A_BYTE = 8  # of small matrix products, in the time that one byte moves to memory or back
_OPERATIONS_OF_BLAS = 1  # of large ones, for each byte moved, up to which slices pay: BLAS has its own threads
_OF_A_PATCH = 2  # bytes that move to memory in the time that one byte is gathered from windows
_CACHE_BYTES = 1 << 20  # of one core, that no other shares
_LEAST_BYTES = 1 << 23  # moved, from which it pays to wake threads
_DOUBLE = 8  # bytes of a number, of which the others have more or fewer in the same time
_MOST = 256  # slices
_SLICE_SECONDS = 1e-3  # modelled, of one slice at least: what its calls cost must not show


@dataclass(frozen=True, slots=True)
class Choice:
    """How many slices a program is worth cutting into, one for none, and why."""

    slices: int
    reason: str


def choose_slices(plan: Plan, threads: int, cache_bytes: int = _CACHE_BYTES) -> Choice:
    """How many slices to aim at, so that one fits a cache of `cache_bytes` of each of the threads.

    It prices the plan of the whole program, and does not say over which index.
    """
    nodes = [(step, node) for step in plan.steps for node in step.nodes]
    moved = sum(2 * max(elements(node, plan.sizes), flops(node, plan.sizes)) * step.dtype.itemsize
                for step, node in nodes if not _multiplies(node))  # fmt: skip
    patches = sum(_patches(plan, node) * step.dtype.itemsize for step, node in nodes if _multiplies(node))
    moved += _OF_A_PATCH * patches
    products = [(node, _product_flops(plan, node) * step.dtype.itemsize // _DOUBLE) for step, node in nodes]
    in_batches = sum(count for node, count in products if _batch(node) or _patches(plan, node))
    alone = sum(count for _, count in products) - in_batches
    work = moved + in_batches // _OPERATIONS_A_BYTE
    if work < _LEAST_BYTES:
        return Choice(1, "there is too little to do")
    if work * _OPERATIONS_OF_BLAS < alone:
        return Choice(1, "matrix products take most of the time")
    seconds = work / MACHINE.bandwidth + alone / MACHINE.flops
    slices = max(threads, min(ceil(plan.peak_bytes / cache_bytes), ceil(seconds / _SLICE_SECONDS)))
    slices = min(_MOST, ceil(slices / threads) * threads)
    return Choice(slices, f"{slices} slices stay near the processor, {threads} at a time")


def _multiplies(node: Node) -> bool:
    """Whether a node is a product that is summed, or a function of matrices."""
    if isinstance(node, Matrix):
        return True
    if not isinstance(node, Einsum):
        return False
    factors = sum(not (isinstance(operand, Ones) or is_relation(operand)) for operand in node.operands)
    return factors > 1 and len(set(node.out)) < len(node.sizes)


def _product_flops(plan: Plan, node: Node) -> int:
    return 2 * prod(resolve(node.sizes, plan.sizes)) if isinstance(node, Einsum) and _multiplies(node) else 0


def _batch(node: Node) -> bool:
    """Whether a product goes over a batch: one product of matrices for each entry."""
    if not isinstance(node, Einsum) or len(node.operands) != 2:
        return False
    return bool({*node.labels[0]} & {*node.labels[1]} & {*node.out})


def _patches(plan: Plan, node: Node) -> int:
    """The entries of operands that are read through windows, and copied for that."""
    if not isinstance(node, Einsum):
        return 0
    read = [operand for operand in node.operands if is_view(operand) and relation_at(operand) is not None]
    return sum(2 * prod(resolve(operand.shape, plan.sizes)) for operand in read)
