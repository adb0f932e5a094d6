"""What a node costs: floating-point operations and bytes, exact in Python's integers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from einback.ir.nodes import Add, Einsum, Map, Matrix, Node, Ones, Reduce
from einback.plan.binding import Sizes, resolve
from einback.plan.factorisations import matrix_elements, matrix_flops, solve_flops
from einback.plan.views import is_scatter, is_view, relation_at
from einback.rules.relations import is_relation

__all__ = ["elements", "flops", "pair_flops"]


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
