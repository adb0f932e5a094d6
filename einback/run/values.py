"""Values: how lowering sees an array, as an expression with the axes of its node laid over it.

A view never becomes a statement of its own: axis k of the value is axis `axes[k]` of the expression's array,
or None where the value only repeats. Whoever reads the value asks for the axes in the order that suits, and
gets the expression under transposes and indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from types import EllipsisType

from einback.plan.dtypes import DType
from einback.run.steps import Call, Expr, Index, Literal, Method, Transposed
from einback.run.views import is_view
from einback.run.walking import refs

__all__ = [
    "Labels",
    "Term",
    "Value",
    "array",
    "carried",
    "column",
    "dense",
    "fuses_freely",
    "laid",
    "matrix",
    "picked",
    "spread",
    "viewed",
]

Labels = Sequence[int]


@dataclass(frozen=True, slots=True)
class Value:
    """`expr` gives an array of `shape` and `dtype`; `row_major` says that it is known to lie in C order.

    One that `overlaps` is read through windows: no two of its axes fuse without a copy.
    """

    expr: Expr
    shape: tuple[int, ...]
    dtype: DType
    axes: tuple[int | None, ...]
    row_major: bool = False
    overlaps: bool = False

    @property
    def plain(self) -> bool:
        """Whether the axes of the value are those of the expression."""
        return self.axes == tuple(range(len(self.shape)))

    @property
    def made(self) -> int:
        """When its first array was made: the caller's come first, in the order of the parameters."""
        return min(refs(self.expr), default=-1)

    @property
    def named(self) -> bool:
        """Whether reading the value computes nothing: it is a name, a number, or a view of one."""
        return is_view(self.expr)


@dataclass(frozen=True, slots=True)
class Term:
    """A value whose axes have labels."""

    value: Value
    labels: Labels

    def over(self, out: Labels) -> Value:
        """The value over the axes `out`, repeating along those that are not among its labels."""
        return spread(self.value, self.labels, out)

    def in_order(self, group: Labels) -> list[int]:
        """Some of the labels, in the order of the array's axes."""
        at = dict(zip(self.labels, self.value.axes, strict=True))
        return sorted(group, key=lambda label: at[label] or 0)


def array(expr: Expr, shape: Sequence[int], dtype: DType, *, row_major: bool = False) -> Value:
    """An expression without a view over it. One axis or none always lies in order."""
    return Value(expr, tuple(shape), dtype, tuple(range(len(shape))), row_major or len(shape) <= 1)


def viewed(value: Value, labels: Labels, out: Labels) -> Value:
    """The view that `labels -> out` is, for an array whose axes have `labels`: permuted, diagonals read, repeated."""
    own = list(labels)
    for label in dict.fromkeys(labels):
        while own.count(label) > 1:
            first = own.index(label)
            second = own.index(label, first + 1)
            value = _diagonal(value, first, second)
            del own[second]
    return spread(value, own, out)


def _diagonal(value: Value, p: int, q: int) -> Value:
    """The value without its axis q, read where it equals axis p."""
    first, second = value.axes[p], value.axes[q]
    if first is None or second is None:  # what repeats along one of the axes is its own diagonal
        merged = list(value.axes)
        merged[p] = first if second is None else second
        return replace(value, axes=(*merged[:q], *merged[q + 1 :]))
    low, high = sorted((first, second))
    left = [k for k in range(len(value.shape)) if k not in (low, high)]
    place = {axis: k for k, axis in enumerate(left)} | {low: len(left)}  # NumPy puts the diagonal last
    rest = [*value.axes[:q], *value.axes[q + 1 :]]
    rest[p] = low
    keywords = () if (low, high) == (0, 1) else (("axis1", Literal(low)), ("axis2", Literal(high)))
    return Value(
        Method(value.expr, "diagonal", (), keywords),
        (*(value.shape[k] for k in left), value.shape[low]),
        value.dtype,
        tuple(None if axis is None else place[axis] for axis in rest),
    )


def spread(value: Value, labels: Labels, out: Labels) -> Value:
    """The value over the axes `out`, repeating along those that are not among its `labels`."""
    at = dict(zip(labels, value.axes, strict=True))
    return replace(value, axes=tuple(at.get(label) for label in out))


def carried(values: Sequence[Value]) -> list[int]:
    """The axes that at least one value has entries along."""
    rank = max(len(value.axes) for value in values)
    return [k for k in range(rank) if any(len(v.axes) == rank and v.axes[k] is not None for v in values)]


def laid(value: Value, places: Sequence[int]) -> Expr:
    """The value over some of its axes, ready to broadcast: None for an axis it repeats along, leading ones left out."""
    axes = [value.axes[k] for k in places] if value.axes else []
    return _indexed(_transposed(value.expr, [axis for axis in axes if axis is not None]), axes)


def dense(value: Value, shape: Sequence[int]) -> Value:
    """The value with an axis of its own for each axis of the node, so that every axis may be summed or fused."""
    if None not in value.axes:
        return value
    expr = Call("np.broadcast_to", (laid(value, range(len(shape))), Literal(tuple(shape))))
    return array(expr, shape, value.dtype)


def picked(value: Value, k: int) -> Value:
    """The value without its axis k, which has length one."""
    axis = value.axes[k]
    rest = value.axes[:k] + value.axes[k + 1 :]
    if axis is None:
        return replace(value, axes=rest)
    expr = Index(value.expr, (*(slice(None),) * axis, 0))
    shape = value.shape[:axis] + value.shape[axis + 1 :]
    axes = tuple(a if a is None or a < axis else a - 1 for a in rest)
    return Value(expr, shape, value.dtype, axes, value.row_major)


def matrix(term: Term, batch: Labels, *groups: Labels) -> Expr:
    """The array with its batch axes first, then one axis for each group that is not empty, its labels fused.

    A batch label that the array lacks becomes an axis to broadcast along.
    """
    value = term.value
    at = {label: axis for label, axis in zip(term.labels, value.axes, strict=True) if axis is not None}
    own = [label for label in batch if label in at]
    order = [at[label] for label in own] + [at[label] for labels in groups for label in labels]
    expr = _transposed(value.expr, order)
    fused = [labels for labels in groups if labels]
    if any(len(labels) > 1 for labels in fused):
        lengths = [value.shape[at[label]] for label in own]
        lengths += [prod(value.shape[at[label]] for label in labels) for labels in fused]
        expr = Method(expr, "reshape", tuple(map(Literal, lengths)))
    elif value.overlaps or (own and len(order) - 1 not in order[-2:]):
        expr = Call("np.ascontiguousarray", (expr,))  # else matmul would not reach BLAS
    return _indexed(expr, [label if label in at else None for label in batch] + [0] * len(fused))


def column(expr: Expr) -> Expr:
    """Vectors as matrices of one column."""
    if isinstance(expr, Index) and all(item is None or item == slice(None) for item in expr.items):
        return Index(expr.operand, (*expr.items, None))
    return Index(expr, (Ellipsis, None))


def fuses_freely(term: Term, *groups: Labels) -> bool:
    """Whether the labels of each group lie side by side, so that fusing them copies nothing."""
    if term.value.overlaps and any(len(group) > 1 for group in groups):
        return False
    at = dict(zip(term.labels, term.value.axes, strict=True))
    runs = [[at[label] for label in labels] for labels in groups]
    return all(run[0] is not None and run == list(range(run[0], run[0] + len(run))) for run in runs if run)


def _transposed(expr: Expr, order: Sequence[int]) -> Expr:
    return expr if list(order) == list(range(len(order))) else Transposed(expr, tuple(order))


def _indexed(expr: Expr, axes: Sequence[int | None]) -> Expr:
    """A new axis for each None but the leading ones, which broadcasting supplies."""
    items: list[slice | None] = [None if axis is None else slice(None) for axis in axes]
    while items and items[0] is None:
        items.pop(0)
    if None not in items:
        return expr
    picks = isinstance(expr, Index) and isinstance(expr.items[0], int)  # what is picked may come from a tuple
    if isinstance(expr, Index) and not picks and all(isinstance(item, slice | int) for item in expr.items):
        merged: list[slice | int | EllipsisType | None] = []
        for item in expr.items:  # x[:, 0][:, None] is x[:, 0, None]
            while isinstance(item, slice) and items[0] is None:
                merged.append(items.pop(0))
            if isinstance(item, slice):
                items.pop(0)
            merged.append(item)
        return Index(expr.operand, (*merged, *items))
    return Index(expr, tuple(items))
