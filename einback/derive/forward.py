"""Forward mode: a tangent a node, pushed from the inputs on.

    Einsum       product rule: the sum over operands of the einsum with that operand replaced by its tangent
    Add          the weighted sum of the tangents
    Map          sum over arguments of df/dx times the tangent of x; a choice chooses among tangents; conj, Re and
                 their kin at complex numbers push as `einback.rules.wirtinger` says
    Reduce       the local derivative times the tangent, summed over the reduced axes
    Matrix       the tangent contracted with dY/dX, a product in the matrix table

Tangents may have leading axes that every step carries along, as cotangents may in reverse mode. Those of complex
nodes are complex, and the push forward is linear over the real numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

from einback.derive.matrices import push_matrix
from einback.derive.partials import is_linear, lift, partial, push_part, real_linear, real_part, replace_argument
from einback.errors import DerivativeError
from einback.ir.build import add, einsum, multiply, total, zeros
from einback.ir.nodes import Add, Einsum, Map, Matrix, Node, OneHot, Reduce, Shape
from einback.ir.walk import children, postorder

__all__ = ["jvp", "pushforward"]


def jvp(y: Node, tangents: Mapping[Node, Node], lead: Shape = ()) -> Node:
    """The tangent of `y`, given those of some nodes below it, each with leading axes of the sizes `lead`."""
    moving: dict[Node, Node] = {}
    for node in postorder([y]):
        if node in tangents:
            moving[node] = tangents[node]
            continue
        shares = [
            pushforward(node, k, moving[child], lead) for k, child in enumerate(children(node)) if child in moving
        ]
        terms = [share for share in shares if share is not None]
        if terms:
            moving[node] = real_part(add(terms), node)
    return moving.get(y, zeros(lead + y.shape))


def pushforward(node: Node, k: int, t: Node, lead: Shape) -> Node | None:
    """What the tangent `t` of a node's k-th child gives to the node; None where that is zero."""
    match node:
        case Einsum():
            front = tuple(("lead", m) for m in range(len(lead)))
            operands = [*node.operands[:k], t, *node.operands[k + 1 :]]
            labels = [*node.labels[:k], front + node.labels[k], *node.labels[k + 1 :]]
            return einsum(operands, labels, front + node.out)
        case OneHot():
            return None  # where ids point moves in whole steps
        case Add():
            return add((t,), (node.weights[k],))
        case Map():
            move = real_linear(node, k)
            if move is not None:
                return push_part(node, move, t, lead)
            if is_linear(node, k):
                return replace_argument(node, k, t, lead)
            slope = partial(node, k)
            return None if slope is None else multiply(lift(slope, lead), t)
        case Reduce():
            slope = partial(node, 0)
            if slope is None:
                return None
            return total(multiply(lift(slope, lead), t), [len(lead) + axis for axis in node.axes])
        case Matrix():
            return push_matrix(node, t, lead)
        case _:
            raise DerivativeError(f"no pushforward is known for the node {type(node).__name__}")
