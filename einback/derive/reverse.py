"""Reverse mode: one cotangent a node, accumulated from the nodes that read it, outputs first.

For a node y that reads x, and the cotangent g of y, the pullback of g to x is

    Einsum       y[o] = sum x[a] r          ->  einsum of g[o] and the other operands r, with output a;
                                                a label of x that nothing else has is a broadcast, a label
                                                that x has twice is an embedded diagonal
    Add          y = sum w x                ->  w g
    Map          y[e] = f(x[e], ..)         ->  g[e] df/dx[e]; a choice pulls back as a choice
    Reduce       y = f over some axes of x  ->  g, broadcast along them, times the local derivative
    Matrix       Y = f(X)                   ->  g contracted with dY/dX, a product in the matrix table

At complex numbers these products are not conjugated: the cotangent g of a node y stands for the change Re(g dy),
so that a loss L gives dL/dx - i dL/dy. What has no complex derivative (conj, Re, |z|) pulls back as
`einback.rules.wirtinger` says, and of what arrives at a real node the real part counts.

Cotangents may have leading axes that every pullback carries along: with an identity as the cotangent of
the output, the result is a Jacobian. (Griewank & Walther, Evaluating Derivatives, 2008, chapter 3;
the contraction rules are those of the Ricci calculus.)
"""

from __future__ import annotations

from collections.abc import Sequence

from einback.derive.matrices import pull_matrix
from einback.derive.partials import is_linear, lift, partial, pull_part, real_linear, real_part, replace_argument
from einback.errors import DerivativeError
from einback.ir.build import add, broadcast, einsum, multiply, scale, zeros
from einback.ir.nodes import Add, Const, Einsum, Map, Matrix, Node, OneHot, Ones, Reduce, Shape
from einback.ir.walk import children, depends_on, postorder

__all__ = ["pullback", "vjp"]


def vjp(y: Node, cotangent: Node, sources: Sequence[Node]) -> tuple[Node, ...]:
    """The cotangents of `sources`, given that of `y`, whose shape is leading axes followed by y's axes."""
    lead = cotangent.shape[: cotangent.rank - y.rank]
    active = depends_on([y], sources)
    arriving: dict[Node, list[Node]] = {y: [cotangent]}
    done: dict[Node, Node] = {}
    wanted = set(sources)
    for node in reversed(list(postorder([y]))):
        if node not in active or node not in arriving:
            continue
        g = real_part(add(arriving.pop(node)), node)
        if node in wanted:
            done[node] = g
        for k, child in enumerate(children(node)):
            if child in active:
                share = pullback(node, k, g, lead)
                if share is not None:
                    arriving.setdefault(child, []).append(share)
    return tuple(done[source] if source in done else zeros(lead + source.shape) for source in sources)


def pullback(node: Node, k: int, g: Node, lead: Shape) -> Node | None:
    """What the cotangent `g` of a node gives to its k-th child; None where that is zero."""
    match node:
        case Einsum():
            return _pull_einsum(node, k, g, lead)
        case OneHot():
            return None  # where ids point moves in whole steps
        case Add():
            return scale(g, node.weights[k])
        case Map():
            move = real_linear(node, k)
            if move is not None:
                return None if isinstance(node.args[k], Const) else pull_part(node, move, g, lead)
            if is_linear(node, k):
                return replace_argument(node, k, g, lead)
            slope = partial(node, k)
            if slope is None or isinstance(node.args[k], Const):
                return None
            return multiply(g, lift(slope, lead))
        case Reduce():
            slope = partial(node, 0)
            if slope is None:
                return None
            shape = lead + node.arg.shape
            kept = [m for m in range(node.arg.rank) if m not in node.axes]
            places = [*range(len(lead)), *(len(lead) + m for m in kept)]
            return multiply(broadcast(g, shape, places), lift(slope, lead))
        case Matrix():
            return pull_matrix(node, g, lead)
        case _:
            raise DerivativeError(f"no pullback is known for the node {type(node).__name__}")


def _pull_einsum(node: Einsum, k: int, g: Node, lead: Shape) -> Node:
    front = tuple(("lead", m) for m in range(len(lead)))
    others = [m for m in range(len(node.operands)) if m != k]
    present = set(node.out).union(*(node.labels[m] for m in others))
    lonely = dict.fromkeys(label for label in node.labels[k] if label not in present)
    return einsum(
        [g, *(node.operands[m] for m in others), *(Ones(node.sizes[label]) for label in lonely)],
        [front + node.out, *(node.labels[m] for m in others), *((label,) for label in lonely)],
        front + node.labels[k],
    )
