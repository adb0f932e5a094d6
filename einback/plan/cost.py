"""What a node costs: floating-point operations, exact in Python's integers, and a pair also in modelled seconds.

Plans report flops. Contraction orders are chosen by modelled time, because a product of small tensors costs what its
call costs, and an outer product what it takes to write it out:

    seconds = calls * per call + further batch entries * per entry + flops / rate + bytes written / bandwidth

The model has no clock in it: an order depends on the program and its sizes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from einback.ir.nodes import Add, Einsum, Map, Matrix, Node, Ones, Reduce
from einback.plan.binding import Sizes, resolve
from einback.plan.factorisations import matrix_elements, matrix_flops, solve_flops
from einback.plan.views import is_scatter, is_view, relation_at
from einback.rules.relations import is_relation

__all__ = ["MACHINE", "Machine", "elements", "flops", "pair_flops"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What one core does, float64; measured by `benchmarks/calibrate.py`, rounded. Only the ratios decide."""

    call: float = 0.8e-6  # seconds of a NumPy call that computes nothing
    entry: float = 0.04e-6  # seconds for each further entry of a batch, which is a small product of its own
    flops: float = 6e10  # flops a second in a matrix product
    bandwidth: float = 2e10  # bytes a second written by an elementwise pass, out of cache

    def pair_seconds(self, joint: int, kept: int, batch: int) -> float:
        """The time of a pair: entries of its joint index space, of its result, and of the batch where it contracts."""
        entries = max(0, batch - 1) if joint > kept else 0
        work = joint * (2 if joint > kept else 1)
        return self.call + entries * self.entry + work / self.flops + kept * _ITEM / self.bandwidth


_ITEM = 8  # bytes of a float64
MACHINE = Machine()


def elements(node: Node, sizes: Sizes) -> int:
    if isinstance(node, Matrix):
        return matrix_elements(node, sizes)
    return prod(resolve(node.shape, sizes))


def pair_flops(lengths: Sequence[int], contracts: bool) -> int:
    """One multiplication an entry of the joint index space, and one addition where something is summed.

    >>> pair_flops([10**6] * 8, contracts=True) == 2 * 10**48
    True
    """
    return prod(lengths) * (2 if contracts else 1)


def flops(node: Node, sizes: Sizes) -> int:
    """The operations of one node, of an Einsum taken as a single loop nest; an elementwise function counts one."""
    match node:
        case Einsum() if relation_at(node) is not None:  # one for every entry that is moved
            tensors = [operand for operand in node.operands if not is_relation(operand)]
            return 0 if is_view(node) else elements(tensors[0] if is_scatter(node) and tensors else node, sizes)
        case Einsum():
            factors = sum(not isinstance(operand, Ones) for operand in node.operands)
            contracts = len(set(node.out)) < len(node.sizes)
            return solve_flops(node, sizes, prod(resolve(node.sizes, sizes)) * max(0, factors - 1 + contracts))
        case Add():
            scaled = sum(abs(weight) != 1 for weight in node.weights)
            return elements(node, sizes) * max(1, len(node.terms) - 1 + scaled)
        case Map():
            return elements(node, sizes)
        case Matrix():
            return matrix_flops(node, sizes)
        case Reduce():
            return elements(node.arg, sizes) * (3 if node.fn == "logsumexp" else 1)
        case _:
            return 0
