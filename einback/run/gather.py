"""Lowering of one-hot tensors: entries gathered where indices point, or added up there.

Indices are checked once for each axis they point into: NumPy would count negative ones from the end. Entries with
one index several times add up; `np.add.at` over single entries is the fastest way that NumPy has (rows at a time,
it takes three times as long; sorting them for `np.add.reduceat`, twice as long), and it takes every dtype.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from einback.ir.nodes import Input, Node, Number, OneHot
from einback.ir.walk import postorder
from einback.plan.binding import Sizes, resolve
from einback.plan.dtypes import DType
from einback.run.casting import conformed, dtype_keyword
from einback.run.elementwise import signed, weighted
from einback.run.emitter import Emitter
from einback.run.steps import Call, Expr, Literal, Method, Ref, Template
from einback.run.values import Labels, Term, Value, array, dense, laid, spread

__all__ = ["add_scattered", "check", "check_all", "gather", "zeros"]


def check(emitter: Emitter, ids: Value, size: int, name: str) -> None:
    """A statement that refuses indices outside of an axis of `size` entries."""
    emitter.helper(_CHECK_INDICES)
    emitter.run(Call("check_indices", (ids.expr, Literal(size), Literal(name))))


def check_all(roots: Sequence[Node], arrays: Mapping[str, Any], sizes: Sizes, library: Any = np) -> None:
    """Check the indices that arrays hold, as programs do: in slices, these see a part of an array at a time."""
    namespace: dict[str, Any] = {"np": library}
    exec(_CHECK_INDICES, namespace)
    for node in postorder(roots):
        if isinstance(node, OneHot) and isinstance(node.ids, Input):
            (size,) = resolve((node.size,), sizes)
            namespace["check_indices"](library.asarray(arrays[node.ids.name]), size, node.ids.name)


def gather(emitter: Emitter, term: Term, ids: Term, place: int, out: Labels, *, lengths: Sequence[int]) -> Value:
    """x[.., ids[..], ..] over the axes `out`; `place` is the label of the axis that the ids point into."""
    value, labels = term.value, list(term.labels)
    if value.axes[labels.index(place)] is None:  # what only repeats is the same wherever ids point
        return spread(value, labels, out)
    shared = [label for label in ids.labels if label in labels]
    if not shared and None not in value.axes and not emitter.device:
        return _taken(emitter, Term(emitter.inline(value), term.labels), ids, place, out, lengths=lengths)
    rest = [label for label in labels if label not in (*shared, place)]
    whole = dense(emitter.settled(value), [lengths[label] for label in labels])
    order = [*shared, place, *rest]
    lead = laid(spread(whole, labels, order), range(len(order)))
    pointers = _pointers(emitter, ids, ids.labels, lengths)
    natural = [*ids.labels, *rest]
    if emitter.device:
        where = tuple(list(ids.labels).index(label) for label in shared)
        made = array(Call("gathered", (lead, pointers, Literal(where))), [lengths[k] for k in natural], value.dtype)
        return spread(emitter.settled(made), natural, out)
    index = [*(_along(ids.labels, label, lengths) for label in shared), "{1}"]
    expr = Template(f"{{0}}[{', '.join(index)}]", (lead, pointers))
    made = array(expr, [lengths[label] for label in natural], value.dtype)
    return spread(made, natural, out)


def _taken(emitter: Emitter, term: Term, ids: Term, place: int, out: Labels, *, lengths: Sequence[int]) -> Value:
    """The array with the axis of `place` replaced by those of the ids."""
    value = term.value
    at = {own: label for label, own in zip(term.labels, value.axes, strict=True)}
    labels = [at[k] for k in range(len(at))]  # of the array's axes
    axis = labels.index(place)
    pointers = _pointers(emitter, ids, ids.labels, lengths)
    shape = (*value.shape[:axis], *(lengths[label] for label in ids.labels), *value.shape[axis + 1 :])
    expr = Method(value.expr, "take", (pointers,), (("axis", Literal(axis)),))
    made = array(expr, shape, value.dtype, row_major=True)
    return spread(made, [*labels[:axis], *ids.labels, *labels[axis + 1 :]], out)


def _pointers(emitter: Emitter, ids: Term, order: Labels, lengths: Sequence[int]) -> Expr:
    """The indices as an array with an axis for each label."""
    pointers = dense(emitter.settled(ids.over(order)), [lengths[label] for label in order])
    return laid(pointers, range(len(order)))


def _along(labels: Labels, label: int, lengths: Sequence[int]) -> str:
    """The numbers of one index, ready to broadcast against indices over `labels`."""
    behind = len(labels) - 1 - list(labels).index(label)
    return f"np.arange({lengths[label]})" + (f"[:{', None' * behind}]" if behind else "")


def zeros(emitter: Emitter, shape: Sequence[int], dtype: DType) -> Value:
    """A new array of zeros, to be written to."""
    target = emitter.assign(Call("np.zeros", (Literal(tuple(shape)),), dtype_keyword(dtype)))
    made = array(Ref(target), shape, dtype, row_major=True)
    emitter.own(target, made)
    return made


def add_scattered(
    emitter: Emitter,
    target: Value,
    term: Term,
    ids: Term,
    place: int,
    out: Labels,
    *,
    lengths: Sequence[int],
    weight: Number | None,
) -> None:
    """Add weight * the entries of `term` into an array over `out`; without a weight, write them over zeros.

    Where the array keeps some of the ids' axes but not all, they and `place` are its first, and it is in C order.
    """
    kept = [label for label in ids.labels if label in out]
    rest = [label for label in out if label != place and label not in kept]
    (value,) = conformed([term.value], target.dtype)
    on_device = emitter.device and target.dtype.char in "fdFD"
    if len(kept) == len(ids.labels) and not on_device:  # no entry is written twice
        order = [*kept, place, *rest]
        lead = laid(spread(target, out, order), range(len(order)))
        index = [*(_along(kept, label, lengths) for label in kept), "{1}"]
        view = Template(f"{{0}}[{', '.join(index)}]", (lead, _pointers(emitter, ids, kept, lengths)))
        apart = [*kept, *rest]
        sign, value = signed(emitter, spread(value, term.labels, apart), weight, target.dtype)
        emitter.fill(view, laid(value, range(len(apart))), sign, reads=view.args[1:])
        return
    order = [*kept, *(label for label in ids.labels if label not in kept)]
    apart = [*order, *rest]
    value = weighted(emitter, spread(value, term.labels, apart), weight, target.dtype)
    values = laid(emitter.settled(value), range(len(apart)))
    emitter.helper(_SCATTER_ADD)
    pointers = _pointers(emitter, ids, order, lengths)
    lead = laid(spread(target, out, [*kept, place, *rest]), range(len(out))) if on_device else target.expr
    call = Call("scatter_add", (lead, pointers, values, Literal(len(kept))))
    emitter.run(call, reads=call.args[1:3])


_CHECK_INDICES = '''
def check_indices(ids, size, name):
    """Raise IndexError unless every index points into an axis of `size` entries."""
    if ids.size and (ids.min() < 0 or ids.max() >= size):
        place = tuple(int(k) for k in np.argwhere((ids < 0) | (ids >= size))[0])
        entries = "1 entry" if size == 1 else f"{size} entries"
        entry = name + (str(list(place)) if place else "")
        raise IndexError(f"{entry} is {ids[place]}, and the axis that it points into has {entries}")
'''

_SCATTER_ADD = '''
def scatter_add(out, ids, values, shared):
    """Add the rows of `values` to those of `out` that the indices name, also where an index comes again.

    The first `shared` axes of `out` are the first of `ids` too; rows follow the axis that the ids point into.
    """
    lead, (size, *row) = out.shape[:shared], out.shape[shared:]
    width = math.prod(row)
    first = size * np.arange(math.prod(lead)).reshape(*lead, *(1,) * (ids.ndim - shared))
    places = ((ids.astype(np.intp) + first)[..., None] * width + np.arange(width)).reshape(-1)
    values = np.broadcast_to(values, (*ids.shape, *row)).reshape(-1)
    np.add.at(out.reshape(-1), places, values)
'''
