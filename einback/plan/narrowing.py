"""Programs made ready to be cut over an index, IR to IR: sizes are numbers, and products stand one pair at a time.

A node that is handed from one phase to another should be small, and a node that reads a tensor at two labels cannot be
cut: of a[n] a[n'] g[n'] the inner product over n' is made a node of its own, which can.
"""

from __future__ import annotations

from collections.abc import Sequence

from einback.ir.build import einsum
from einback.ir.nodes import Delta, Einsum, Input, Node, OneHot, Ones, Range, Window
from einback.ir.walk import transform
from einback.plan.binding import Sizes, length, resolve
from einback.plan.paths import contraction_path, intermediates

__all__ = ["in_numbers", "narrowed"]


def in_numbers(roots: Sequence[Node], sizes: Sizes) -> dict[Node, Node]:
    """What each node becomes with numbers for the sizes of its axes; the steps of windows stay formulas."""

    def visit(_: Node, node: Node) -> Node:
        match node:
            case Input():
                return Input(node.name, resolve(node.sizes, sizes), node.facts)
            case Delta() | Ones() | Range():
                return type(node)(length(node.size, sizes))
            case OneHot():
                return OneHot(node.ids, length(node.size, sizes))
            case _:
                return node

    return transform(roots, visit)


def narrowed(roots: Sequence[Node], sizes: Sizes) -> dict[Node, Node]:
    """What each node becomes when products are cut into pairs, and what is summed is repeated afterwards."""

    def visit(_: Node, node: Node) -> Node:
        return _repeated_last(node, sizes) if isinstance(node, Einsum) else node

    return transform(roots, visit)


def _repeated_last(node: Einsum, sizes: Sizes) -> Node:
    """A product before it is repeated along new axes, or written on a diagonal."""
    terms = list(zip(node.operands, node.labels, strict=True))
    held = {label for operand, term in terms if not isinstance(operand, Ones) for label in term}
    repeated = {label for operand, term in terms if isinstance(operand, Ones) for label in term} - held
    out = tuple(label for label in dict.fromkeys(node.out) if label not in repeated)
    if out == node.out or not held or len(node.sizes) == len(set(node.out)):
        return _paired(node, sizes)
    spread = [label for label in dict.fromkeys(node.out) if label in repeated]
    kept = [(op, term) for op, term in terms if not (isinstance(op, Ones) and term[0] in spread)]
    core = einsum([op for op, _ in kept], [term for _, term in kept], out)
    core = _paired(core, sizes) if isinstance(core, Einsum) else core
    return einsum([core, *(Ones(node.sizes[k]) for k in spread)], [out, *((k,) for k in spread)], node.out)


def _paired(node: Einsum, sizes: Sizes) -> Node:
    """A product of many tensors as pairs, in the order that costs least for whole arrays."""
    terms = list(zip(node.operands, node.labels, strict=True))
    tensors = [(op, term) for op, term in terms if op.rank]
    plain = not any(isinstance(op, Delta | Ones | Window | OneHot) for op, _ in tensors)
    once = all(len(set(term)) == len(term) for term in (*node.labels, node.out))
    if len(tensors) < 3 or not plain or not once:
        return node
    path = contraction_path(tuple(term for _, term in tensors), node.out, resolve(node.sizes, sizes))
    pairs = list(intermediates([term for _, term in tensors], node.out, path))
    for i, j, kept in pairs[:-1]:
        (a, left), (b, right) = tensors[i], tensors[j]
        out = tuple(label for label in dict.fromkeys((*left, *right)) if label in kept)
        tensors.append((einsum([a, b], [left, right], out), out))
    scalars = [(op, term) for op, term in terms if not op.rank]
    last = [tensors[pairs[-1][0]], tensors[pairs[-1][1]], *scalars]
    return einsum([op for op, _ in last], [term for _, term in last], node.out)
