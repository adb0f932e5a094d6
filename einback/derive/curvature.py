"""Second derivatives as matrices of blocks: Hessians in several variables, and Gauss-Newton matrices.

    Hessian        H[a,b] = d2y / dx_a dx_b;  H[b,a] is the transpose of H[a,b], and is not derived again
    Gauss-Newton   G[a,b] = sum over entries o, p of the output: do/dx_a d2loss/do dp dp/dx_b

A Gauss-Newton block pushes an identity forward to the output, multiplies by the curvature there and pulls back: no
Jacobian is multiplied with itself, and deltas are contracted on the way. (Schraudolph, Fast curvature matrix-vector
products for second-order gradient descent, Neural Computation 14, 2002.)
"""

from __future__ import annotations

from collections.abc import Sequence

from einback.derive.conventions import DEFAULT, Convention, by_entries, check_curvature
from einback.derive.orders import gradient, jacobian, prepared, with_stand_ins
from einback.derive.reverse import vjp
from einback.ir.build import einsum, permute
from einback.ir.nodes import Node
from einback.ir.walk import substitute
from einback.rules.simplify import simplify

__all__ = ["gauss_newton", "hessian_blocks"]

Blocks = dict[tuple[Node, Node], Node]


def hessian_blocks(y: Node, rows: Sequence[Node], columns: Sequence[Node], how: Convention = DEFAULT) -> Blocks:
    """d2y / dx dz of a scalar y, the axes of x, then those of z, for every x of `rows` and z of `columns`."""
    check_curvature([*rows, *columns])
    (y, *held), back = with_stand_ins(y, *rows, *columns)
    stand_in = dict(zip([*rows, *columns], held, strict=True))
    slopes = dict(zip(rows, gradient(y, [stand_in[x] for x in rows], how), strict=True))
    blocks: Blocks = {}
    for x in rows:
        for z in columns:
            if x is not z and (z, x) in blocks:
                blocks[x, z] = _transposed(blocks[z, x], z.rank)
            else:
                block = jacobian(slopes[x], stand_in[z], how)
                blocks[x, z] = simplify(substitute([block], back))[0]
    return blocks


def gauss_newton(loss: Node, output: Node, sources: Sequence[Node], how: Convention = DEFAULT) -> Blocks:
    """J' H J for every pair of sources, with H the Hessian of the loss in the output and J = d output / d source."""
    check_curvature([*sources, output])
    curvature = hessian_blocks(loss, [output], [output])[output, output]
    (output, *held), back = with_stand_ins(output, *sources)
    (curvature,) = substitute([curvature], {old: new for new, old in back.items()})
    stand_in = dict(zip(sources, held, strict=True))
    output = prepared(output, held)
    blocks: Blocks = {}
    for k, x in enumerate(sources):
        moved = jacobian(output, stand_in[x], how)
        own = [("row", axis) for axis in range(x.rank)]
        left = [("left", axis) for axis in range(output.rank)]
        right = [("right", axis) for axis in range(output.rank)]
        bent = einsum([moved, curvature], [[*left, *own], [*left, *right]], [*own, *right])
        for z, pulled in zip(sources[k:], vjp(output, bent, held[k:]), strict=True):
            block = by_entries(pulled, stand_in[z], how)
            blocks[x, z] = simplify(substitute(simplify([block]), back))[0]
            if z is not x:
                blocks[z, x] = _transposed(blocks[x, z], x.rank)
    return blocks


def _transposed(block: Node, rows: int) -> Node:
    """The axes after the first `rows` come first; the block itself stays visible, so that both are one computation."""
    columns = block.rank - rows
    return permute(block, [*range(columns, block.rank), *range(columns)])
