"""Local derivatives of the nodes that are not linear.

`partial(node, k)` is a tensor of the shape of the node's k-th argument's entries that it meets: for a `Map`,
d out[e] / d arg[e] at every entry e; for a `Reduce`, d out / d arg[e] with the reduced axes kept.

    logsumexp    exp(x - y)                                   (the softmax)
    max, min     [x = y] / (number of entries that tie)
    prod         the product of the other entries, written as a product over a second copy of the axes in
                 which the entry itself is replaced by one: right with zeros, to any order
"""

from __future__ import annotations

from einback.errors import DerivativeError
from einback.ir.build import add, broadcast, const, einsum, multiply, power, reduce, total
from einback.ir.nodes import Const, Delta, Map, Node, Ones, Reduce
from einback.rules.expr import Expr
from einback.rules.scalar import LINEAR, row
from einback.rules.wirtinger import RealLinear

__all__ = ["is_linear", "lift", "partial", "pull_part", "push_part", "real_linear", "real_part", "replace_argument"]


def is_linear(node: Map, k: int) -> bool:
    """Whether a map is linear in its k-th argument, entry by entry, as a choice is in what it chooses."""
    return row(node.fn).derivatives[k] is LINEAR


def real_linear(node: Map, k: int) -> RealLinear | None:
    """How a map that has no complex derivative in its k-th argument moves with it, where the two are complex."""
    parts = row(node.fn).parts
    return parts[k] if parts and (node.is_complex or node.args[k].is_complex) else None


def push_part(node: Map, move: RealLinear, t: Node, lead: tuple[int | str, ...]) -> Node:
    """The tangent of such a map for the tangent `t` of an argument; `t` has leading axes."""
    return move.push(*_lifted(node, lead), Expr(t)).node


def pull_part(node: Map, move: RealLinear, g: Node, lead: tuple[int | str, ...]) -> Node:
    """The cotangent of an argument for the cotangent `g` of such a map; `g` has leading axes."""
    return move.pull(*_lifted(node, lead), Expr(g)).node


def real_part(moved: Node, node: Node) -> Node:
    """A tangent or cotangent of a node, of which the real part counts where the node is real: it stays real."""
    return Map("real", (moved,)) if moved.is_complex and not node.is_complex else moved


def _lifted(node: Map, lead: tuple[int | str, ...]) -> list[Expr]:
    return [Expr(one if isinstance(one, Const) else lift(one, lead)) for one in (*node.args, node)]


def lift(node: Node, lead: tuple[int | str, ...]) -> Node:
    """A node repeated along leading axes of the sizes `lead`."""
    shape = lead + node.shape
    return broadcast(node, shape, range(len(lead), len(shape))) if lead else node


def replace_argument(node: Map, k: int, value: Node, lead: tuple[int | str, ...]) -> Node:
    """The map with its k-th argument replaced and its other linear arguments zero; `value` has leading axes."""
    args: list[Node] = []
    for m, arg in enumerate(node.args):
        if m == k:
            args.append(value)
        elif is_linear(node, m):
            args.append(const(0))
        else:
            args.append(arg if isinstance(arg, Const) else lift(arg, lead))
    return Map(node.fn, tuple(args))


def partial(node: Map | Reduce, k: int) -> Node | None:
    """The local derivative with respect to argument k, or None where it is zero everywhere."""
    if isinstance(node, Reduce):
        return _reduce_partial(node)
    derivative = row(node.fn).derivatives[k]
    if derivative is None:
        return None
    if node.args[k].is_complex and not row(node.fn).analytic:
        raise DerivativeError(f"{node.fn} has no derivative at complex numbers")
    if not callable(derivative):
        raise DerivativeError(f"{node.fn} is linear in argument {k + 1}: it has no table derivative there")
    return derivative(*(Expr(arg) for arg in node.args), Expr(node)).node


def _reduce_partial(node: Reduce) -> Node:
    x = node.arg
    kept = [k for k in range(x.rank) if k not in node.axes]
    match node.fn:
        case "logsumexp":
            return Map("exp", (add((x, broadcast(node, x.shape, kept)), (1, -1)),))
        case "max" | "min":
            ties = Map("equal", (x, broadcast(node, x.shape, kept)))
            share = power(total(ties, node.axes), -1)
            return multiply(ties, broadcast(share, x.shape, kept))
        case "prod":
            return _product_of_others(node)
        case _:
            raise DerivativeError(f"no derivative is known for the reduction {node.fn}")


def _product_of_others(node: Reduce) -> Node:
    """prod over r' of (1 where r' = r, else x[.., r']), as a tensor over the axes of x."""
    x, rank = node.arg, node.arg.rank
    copies = {axis: rank + m for m, axis in enumerate(node.axes)}
    sizes = x.shape + tuple(x.shape[axis] for axis in node.axes)
    itself = einsum(
        [*(Delta(x.shape[axis]) for axis in node.axes), *(Ones(size) for size in sizes)],
        [*((axis, copies[axis]) for axis in node.axes), *((k,) for k in range(len(sizes)))],
        range(len(sizes)),
    )
    others = broadcast(x, sizes, [copies.get(axis, axis) for axis in range(rank)])
    return reduce("prod", Map("where", (itself, const(1), others)), sorted(copies.values()))
