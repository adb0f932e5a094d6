"""Relations as the operations they come from: axes that fuse and part, entries that are looked up.

    flatten      y[.., h * len(w) + w, ..] = x[.., h, w, ..]        sum over h, w of x times a window
    unflatten    y[.., h, w, ..] = x[.., h * len(w) + w, ..]        the same window, the other way round
    gather       y[b, t, ..] = x[ids[b, t], ..]                     sum over v of onehot(ids)[b,t,v] x[v,..]

Fused axes run as C has them: the last one fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product as choices

from einback.errors import ShapeError
from einback.ir.build import einsum
from einback.ir.extents import plus, product
from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Node, OneHot, Ones, Range, Reduce, Shape, Window
from einback.ir.sizes import Size
from einback.ir.walk import postorder

__all__ = ["flattened", "gathered", "group", "group_digits", "is_whole", "one_hot", "unflattened"]

_DIGITS = 4  # of a group with an index that comes again
_WHOLE_MAPS = frozenset({"abs", "maximum", "minimum"})


def group(sizes: Shape) -> Window:
    """The window w[p, i, j, ..] of p = (i * len(j) + j) * .. : the number that the digits i, j, .. write.

    >>> group(("h", "w", 3)).steps
    ('3*w', 3, 1)
    """
    steps = tuple(product(*sizes[k + 1 :]) for k in range(len(sizes)))
    return Window(product(*sizes), sizes, steps, 0)


def group_digits(window: Window) -> tuple[int, ...]:
    """Which of its indices a window writes as one number, the last running fastest; () if it does something else.

    An index may come again, where steps are formulas: (i i) is the place (size(i) + 1) * i on a diagonal.

    >>> group_digits(group(("h", "w"))), group_digits(Window("n*n", ("n",), ("n+1",), 0)), group_digits(group((4,)))
    ((0, 1), (0, 0), (0,))
    """
    axes = range(len(window.sizes))
    formulas = not all(isinstance(step, int) for step in window.steps)
    for count in range(len(axes), max(len(axes), _DIGITS if formulas else 0) + 1):
        for digits in choices(axes, repeat=count) if formulas else [axes]:
            whole = group(tuple(window.sizes[k] for k in digits))
            steps = [[step for d, step in zip(digits, whole.steps, strict=True) if d == k] for k in axes]
            if (whole.size, window.offset, [plus(*one) for one in steps]) == (window.size, 0, list(window.steps)):
                return tuple(digits)
    return ()


def flattened(node: Node, axes: Sequence[int]) -> Node:
    """Some axes, in the order given, as one, which stands where the first of them in the shape stood."""
    if not axes:
        raise ShapeError("no axes are given to make one of")
    if len(axes) == 1:
        return node
    window = group(tuple(node.shape[axis] for axis in axes))
    place = min(axes)
    out = ["p" if axis == place else axis for axis in range(node.rank) if axis == place or axis not in axes]
    return einsum([node, window], [range(node.rank), ["p", *axes]], out)


def unflattened(node: Node, axis: int, sizes: Shape) -> Node:
    """An axis as several, whose sizes have its size as their product."""
    parts = [("part", k) for k in range(len(sizes))]
    labels = range(node.rank)
    return einsum([node, group(sizes)], [labels, [axis, *parts]], [*labels[:axis], *parts, *labels[axis + 1 :]])


def gathered(node: Node, ids: Node) -> Node:
    """The rows of a node, its entries along the first axis, that some whole numbers name."""
    if not node.rank:
        raise ShapeError("a scalar has no rows to look up")
    where = [("id", k) for k in range(ids.rank)]
    hot = one_hot(ids, node.shape[0])
    return einsum([node, hot], [range(node.rank), [*where, 0]], [*where, *range(1, node.rank)])


def one_hot(ids: Node, size: Size) -> OneHot:
    """The tensor h[.., p] that is one where p = ids[..]."""
    if not is_whole(ids):
        name = f"{ids.name} has" if isinstance(ids, Input) else "an index tensor has"
        hint = 'whole numbers are declared: eb.tensor("ids[n]", integer=True)'
        raise ShapeError(f"{name} to be of whole numbers to look entries up with", hint=hint)
    return OneHot(ids, size)


def is_whole(node: Node) -> bool:
    """Whether a node has whole numbers at all entries, going by what its inputs are declared as."""
    return all(_stays_whole(part) for part in postorder([node]))


def _stays_whole(node: Node) -> bool:
    match node:
        case Input():
            return "integer" in node.facts
        case Const():
            return isinstance(node.value, Fraction) and node.value.denominator == 1
        case Add():
            return all(isinstance(weight, Fraction) and weight.denominator == 1 for weight in node.weights)
        case Map():
            return node.fn in _WHOLE_MAPS
        case Reduce():
            return node.fn in ("max", "min")
        case Einsum() | Delta() | Ones() | Range() | Window() | OneHot():
            return True
        case _:
            return False
