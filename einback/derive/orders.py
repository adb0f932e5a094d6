"""Gradients, Jacobians, Hessians and Hessian-vector products, built from the two modes and simplified.

Any order is reached by repetition: what comes out is a program like any other. A derivative with respect
to an intermediate tensor treats it as an input: the tensor is replaced by a stand-in, and put back after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from einback.derive.conventions import (
    DEFAULT,
    Convention,
    arriving,
    by_entries,
    check_curvature,
    check_holomorphic,
    check_real,
    outward,
    tangent,
)
from einback.derive.forward import jvp
from einback.derive.reverse import vjp
from einback.ir.build import const, einsum
from einback.ir.nodes import Delta, Input, Node
from einback.ir.walk import substitute
from einback.rules.simplify import simplify

__all__ = [
    "gradient",
    "hessian",
    "hessian_vector",
    "identity",
    "jacobian",
    "prepared",
    "pull",
    "push",
    "with_stand_ins",
]


def gradient(y: Node, sources: Sequence[Node], how: Convention = DEFAULT) -> tuple[Node, ...]:
    """dy/dx of a real scalar y for each source x, of x's shape."""
    check_real(y)
    found = vjp(prepared(y, sources), const(1), sources)
    return simplify([outward(g, x, how) for g, x in zip(found, sources, strict=True)])


def pull(y: Node, sources: Sequence[Node], cotangent: Node, how: Convention = DEFAULT) -> tuple[Node, ...]:
    """sum over y's entries of cotangent * dy/dx, of x's shape, for each source."""
    found = vjp(prepared(y, sources), arriving(cotangent, y, how), sources)
    return simplify([outward(g, x, how) for g, x in zip(found, sources, strict=True)])


def push(y: Node, tangents: Mapping[Node, Node]) -> Node:
    """sum over x of dy/dx * tangent, of y's shape."""
    kept = {x: tangent(t, x) for x, t in tangents.items()}
    return simplify([jvp(prepared(y, list(tangents)), kept)])[0]


def identity(x: Node) -> Node:
    """The derivative of x by itself: a product of deltas, x's axes twice."""
    if not x.rank:
        return const(1)
    axes = range(x.rank)
    return einsum([Delta(size) for size in x.shape], [(k, k + x.rank) for k in axes], range(2 * x.rank))


def jacobian(y: Node, x: Node, how: Convention = DEFAULT) -> Node:
    """dy/dx with the axes of y, then the axes of x; the mode that carries fewer leading axes.

    A complex y moves with a real x in forward mode: reverse mode would take the real part of what arrives at x.
    """
    y = prepared(y, [x])
    check_holomorphic(y, x)
    if y.rank <= x.rank and y.is_complex <= x.is_complex:
        return simplify([by_entries(vjp(y, identity(y), [x])[0], x, how)])[0]
    moved = jvp(y, {x: identity(x)}, x.shape)
    axes = range(moved.rank)
    turned = einsum([moved], [axes], [*axes[x.rank :], *axes[: x.rank]])
    return simplify([by_entries(turned, x, how)])[0]


def hessian(y: Node, x: Node, z: Node, how: Convention = DEFAULT) -> Node:
    """d2y / dx dz of a scalar y, with the axes of x, then the axes of z."""
    check_curvature([x, z])
    (y, x, z), back = with_stand_ins(y, x, z)
    (slope,) = gradient(y, [x], how)
    return simplify(substitute([jacobian(slope, z, how)], back))[0]


def hessian_vector(y: Node, x: Node, v: Node, how: Convention = DEFAULT) -> Node:
    """sum over z of d2y / dx dz * v[z], without forming the Hessian: forward over reverse.

    At a complex x, how the gradient changes along v.
    """
    check_curvature([x], along=True)
    (y, x), back = with_stand_ins(y, x)
    (slope,) = gradient(y, [x], how)
    return simplify(substitute([jvp(slope, {x: tangent(v, x)})], back))[0]


def prepared(y: Node, sources: Sequence[Node]) -> Node:
    """y in normal form, so that stable forms are what is differentiated: softplus, not log(1 + exp x).

    Simplification may rewrite an intermediate tensor, so y stays as it is where one is a source.
    """
    return simplify([y])[0] if all(isinstance(source, Input) for source in sources) else y


def with_stand_ins(y: Node, *sources: Node) -> tuple[tuple[Node, ...], dict[Node, Node]]:
    """y and its sources with intermediate sources replaced by inputs, and the way back.

    Simplification between two derivatives may rewrite an intermediate; an input stays what it is.
    """
    stand_in: dict[Node, Node] = {
        node: Input(f"<{node.digest.hex()}>", node.shape, ("complex",) if node.is_complex else ())
        for node in sources
        if not isinstance(node, Input)
    }
    if not stand_in:
        return (y, *sources), {}
    (replaced,) = substitute([y], stand_in)
    return (replaced, *(stand_in.get(s, s) for s in sources)), {new: old for old, new in stand_in.items()}
