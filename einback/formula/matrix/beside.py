"""Matrices side by side in one bracket, what they share outside of it: [xᵀ ⊗ I, I] is [xᵀ, 1] ⊗ I."""

from __future__ import annotations

from collections.abc import Sequence

from einback.formula.matrix.algebra import chain, kron
from einback.formula.matrix.expr import Blocks, Chain, Expr, Identity, Kron, Number, is_scalar
from einback.formula.matrix.scaling import scaled, split
from einback.formula.tree import ONE

__all__ = ["beside"]


def beside(blocks: Sequence[Expr]) -> Expr:
    """Blocks in one row: what all begin with stands before the bracket, what they end with as ⊗ behind it."""
    if len(blocks) == 1:
        return blocks[0]
    parts = [split(one) for one in blocks]
    if any(is_scalar(one) for one in blocks) or any(part[:3] != parts[0][:3] for part in parts):
        return Blocks((tuple(blocks),))
    number, above, below, _ = parts[0]
    bodies = [body for *_, body in parts if body is not None]
    factors = [list(body.factors) if isinstance(body, Chain) else [body] for body in bodies]
    front: list[Expr] = []
    while all(factors) and all(one[0] == factors[0][0] for one in factors):
        front.append(factors[0][0])
        factors = [one[1:] for one in factors]
    if not front:
        return scaled(number, above, below, _kron(bodies))
    side = front[-1].shape[1]
    if side is None:
        return Blocks((tuple(blocks),))
    rest = [chain(*one) if one else Identity(side) for one in factors]
    return scaled(number, above, below, chain(*front, _kron(rest)))


def _kron(blocks: Sequence[Expr]) -> Expr:
    """Blocks that end with one Kronecker factor."""
    last = {one.right if isinstance(one, Kron) else one for one in blocks}
    if len(last) != 1 or not any(isinstance(one, Kron) for one in blocks):
        return Blocks((tuple(blocks),))
    lefts = tuple(one.left if isinstance(one, Kron) else Number(ONE) for one in blocks)
    (right,) = last
    return kron(Blocks((lefts,)), right)
