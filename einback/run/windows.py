"""Lowering of windows: views that stride through an array, and sums of what overlaps.

read      x[.., p, ..] at p = offset + s i + r u is a pick, a slice, a reshape, or `windows(x, ..)`, all without a copy
write     the other way: slices and reshapes where no two entries meet, else `overlap_add`, a slice at a time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from einback.ir.nodes import Number, Window
from einback.plan.dtypes import DType
from einback.plan.views import is_injective, is_inside
from einback.run.casting import conformed
from einback.run.elementwise import signed, weighted
from einback.run.emitter import Emitter
from einback.run.steps import Call, Expr, Index, Literal, Method, Transposed
from einback.run.values import Labels, Term, Value, array, dense, laid, spread, viewed

__all__ = ["add_windows", "fused", "read_windows"]


def read_windows(emitter: Emitter, term: Term, window: Window, labels: Labels, out: Labels) -> Value:
    """A view over the axes `out`; the window, whose labels are `labels`, stays inside the array's axis."""
    place, *indices = labels
    k = list(term.labels).index(place)
    axis = term.value.axes[k]
    left = [*term.labels[:k], *indices, *term.labels[k + 1 :]]
    if axis is None:  # what only repeats does so along windows too
        return spread(term.value, term.labels, out)
    _, sizes, _ = _numbers(window)
    value = term.value
    shape = (*value.shape[:axis], *sizes, *value.shape[axis + 1 :])
    shift = len(indices) - 1
    moved = [a if a is None or a <= axis else a + shift for a in value.axes]
    axes = (*moved[:k], *range(axis, axis + len(indices)), *moved[k + 1 :])
    splits = _splits(window)
    expr = _strided(emitter, value, axis, window)
    made = Value(
        expr, shape, value.dtype, axes, row_major=value.row_major and splits, overlaps=not splits and shift > 0
    )
    return viewed(made, left, out)


def _strided(emitter: Emitter, value: Value, axis: int, window: Window) -> Expr:
    """The array with an axis replaced by those of a window."""
    steps, sizes, offset = _numbers(window)
    expr = value.expr
    if not sizes:
        return Index(expr, (*(slice(None),) * axis, offset))
    if len(sizes) == 1:
        return Index(expr, (*(slice(None),) * axis, _slice(offset, sizes[0], steps[0])))
    if _splits(window):
        shape = (*value.shape[:axis], *sizes, *value.shape[axis + 1 :])
        return Method(expr, "reshape", tuple(map(Literal, shape)))
    emitter.helper(_WINDOWS)
    return Call("windows", (expr, Literal(axis), Literal(offset), Literal(sizes), Literal(steps)))


def _slice(start: int, count: int, step: int) -> slice:
    if count <= 1:
        return slice(start, start + count)
    stop = start + step * (count - 1) + (1 if step > 0 else -1)
    return slice(start, None if stop < 0 else stop, None if step == 1 else step)


def _numbers(window: Window) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Steps, sizes and offset of a window whose numbers are known."""
    return tuple(map(int, window.steps)), tuple(map(int, window.sizes)), int(window.offset)


def _splits(window: Window) -> bool:
    """Whether a window splits its axis into several, the last running fastest."""
    steps, sizes, offset = _numbers(window)
    return (
        bool(sizes)
        and offset == 0
        and window.size == prod(sizes)
        and list(steps) == [prod(sizes[k + 1 :]) for k in range(len(sizes))]
    )


def fused(
    emitter: Emitter, term: Term, window: Window, labels: Labels, out: Labels, *, lengths: Sequence[int], dtype: DType
) -> Value | None:
    """Several axes as one, a reshape, where that is all that a window does."""
    place, *indices = labels
    order = sorted(range(len(indices)), key=lambda k: -_numbers(window)[0][k])
    own = [indices[k] for k in order]
    carried = {label for label, axis in zip(term.labels, term.value.axes, strict=True) if axis is not None}
    if not _splits(Window(window.size, *_reordered(window, order), window.offset)) or not set(own) <= carried:
        return None
    (value,) = conformed([term.value], dtype)
    apart = [label for one in out for label in (own if one == place else (one,))]
    whole = dense(emitter.inline(spread(value, term.labels, apart)), [lengths[label] for label in apart])
    shape = [lengths[label] for label in out]
    expr = Method(laid(whole, range(len(apart))), "reshape", tuple(map(Literal, shape)))
    return array(expr, shape, dtype, row_major=whole.plain and whole.row_major)


def _reordered(window: Window, order: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    steps, sizes, _ = _numbers(window)
    return tuple(sizes[k] for k in order), tuple(steps[k] for k in order)


def add_windows(
    emitter: Emitter,
    target: Value,
    term: Term,
    window: Window,
    labels: Labels,
    out: Labels,
    *,
    lengths: Sequence[int],
    weight: Number | None,
) -> None:
    """Add weight * the entries of `term` into an array over `out`; without a weight, write them over zeros."""
    place, *indices = labels
    others = [label for label in out if label != place]
    (value,) = conformed([term.value], target.dtype)
    if len(indices) <= 1 or (is_injective(window) and is_inside(window)):
        window, value = _clipped(window, Term(value, term.labels), indices)
        if not is_inside(window):
            return
        at = list(out).index(place)
        view = _strided(emitter, target, at, window)
        apart = [label for one in out for label in (indices if one == place else (one,))]
        sign, value = signed(emitter, spread(value, term.labels, apart), weight, target.dtype)
        emitter.fill(view, laid(value, range(len(apart))), sign)
        return
    # The longest axis is added a slice at a time, in a loop over the others.
    inner = sorted(indices, key=lambda label: lengths[label])
    steps = [int(window.steps[indices.index(label)]) for label in inner]
    parts = [*others, *inner]
    value = weighted(emitter, spread(value, term.labels, parts), weight, target.dtype)
    value = dense(emitter.settled(value), [lengths[label] for label in parts])
    last = _moved_last(target, list(out).index(place))
    emitter.helper(_OVERLAP_ADD)
    call = Call(
        "overlap_add", (last, laid(value, range(len(parts))), Literal(int(window.offset)), Literal(tuple(steps)))
    )
    emitter.run(call, reads=call.args[1:])


def _moved_last(target: Value, axis: int) -> Expr:
    rank = len(target.shape)
    order = (*(k for k in range(rank) if k != axis), axis)
    return target.expr if axis == rank - 1 else Transposed(target.expr, order)


def _clipped(window: Window, term: Term, indices: Labels) -> tuple[Window, Value]:
    """A window of one index less what lies outside of its axis, and the entries that it then takes."""
    if is_inside(window) or not indices:
        return window, term.value
    (step,), (count,), offset = _numbers(window)
    inside = [i for i in range(count) if 0 <= offset + step * i < int(window.size)]
    first = inside[0] if inside else 0
    cut = Window(window.size, (len(inside),), (step,), offset + step * first if inside else 0)
    value = term.value
    axis = dict(zip(term.labels, value.axes, strict=True)).get(indices[0])
    if axis is None:
        return cut, value
    expr = Index(value.expr, (*(slice(None),) * axis, slice(first, first + len(inside))))
    shape = (*value.shape[:axis], len(inside), *value.shape[axis + 1 :])
    return cut, replace(value, expr=expr, shape=shape, row_major=False)


_WINDOWS = '''
def windows(x, axis, offset, shape, steps):
    """The view of x with axis p replaced by axes i, j, .. of the lengths `shape`: p = offset + steps[0] i + .."""
    start = x[(slice(None),) * axis + (slice(offset, None),)]
    strides = [step * x.strides[axis] for step in steps]
    return np.lib.stride_tricks.as_strided(
        start,
        (*x.shape[:axis], *shape, *x.shape[axis + 1 :]),
        (*x.strides[:axis], *strides, *x.strides[axis + 1 :]),
        writeable=x.flags.writeable,
    )
'''

_OVERLAP_ADD = '''
def overlap_add(out, parts, offset, steps):
    """out[.., p] += parts[.., u, .., i] for p = offset + steps[0] u + .. + steps[-1] i, where p is inside."""
    step, count, size = steps[-1], parts.shape[-1], out.shape[-1]
    for place in np.ndindex(parts.shape[-len(steps) : -1]):
        start = offset + sum(k * index for k, index in zip(steps, place))
        low, high = (start, size - 1 - start) if step > 0 else (size - 1 - start, start)
        first, last = max(0, -(low // abs(step))), min(count - 1, high // abs(step))
        if first <= last:
            entries = parts[(..., *place, slice(first, last + 1))]
            begin, end = start + step * first, start + step * last
            out[..., min(begin, end) : max(begin, end) + 1 : abs(step)] += entries if step > 0 else entries[..., ::-1]
'''
