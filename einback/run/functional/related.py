"""What reads and writes through windows and indices: strides as slices and gathers, sums of overlaps as scatters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from einback.ir.nodes import Einsum, Node, OneHot, Window
from einback.ir.sizes import Size
from einback.plan.dtypes import DType
from einback.plan.views import span
from einback.run.functional.code import ANY, ATOM, Array, Code, Labels, relabelled
from einback.run.functional.writer import Writer

__all__ = ["gathered", "scattered", "through_window"]


def through_window(
    writer: Writer, value: Array, labels: Labels, window: Window, own: Labels, sizes: Sequence[Size]
) -> tuple[Array, Labels]:
    """The array with the axis that a window reads replaced by the window's indices; it stays inside of that axis."""
    place, *indices = own
    at = list(labels).index(place)
    rest = [label for label in labels if label != place]
    axis = value.axes[at]
    if axis is None:
        return relabelled(value, labels, rest), rest
    order = [label for label, k in sorted(zip(labels, value.axes, strict=True), key=lambda pair: pair[1] or 0)
             if k is not None]  # fmt: skip
    colons = ":, " * axis
    new = [label for one in order for label in (indices if one == place else [one])]
    if len(indices) == 1 and int(window.steps[0]) > 0 and int(window.sizes[0]) > 0:
        index = _slice(int(window.offset), int(window.sizes[0]), int(window.steps[0]))
    elif _splits(window):
        shape = ", ".join(writer.size(sizes[label]) for label in new)
        made = Array(Code(f"{value.code.at(ATOM)}.reshape({shape})"), tuple(range(len(new))), value.dtype, value.mask)
        return _spread(made, new, rest)
    else:
        index = writer.index(_indices(writer, window)).text
    code = Code(f"{value.code.at(ATOM)}[{colons}{index}]")
    made = Array(code, tuple(range(len(new))), value.dtype, mask=value.mask)
    return _spread(made, new, rest)


def _spread(made: Array, new: Labels, rest: Labels) -> tuple[Array, Labels]:
    """Over the labels along which the array only repeats too; one that the window shares with it stands twice."""
    repeats = [label for label in rest if label not in new]
    return replace(made, axes=(*made.axes, *[None] * len(repeats))), [*new, *repeats]


def _slice(offset: int, count: int, step: int) -> str:
    stop = offset + step * (count - 1) + 1
    return f"{offset or ''}:{stop}" + (f":{step}" if step > 1 else "")


def _splits(window: Window) -> bool:
    """Whether a window splits its axis into several, the last running fastest."""
    sizes = [int(size) for size in window.sizes]
    steps = [prod(sizes[k + 1 :]) for k in range(len(sizes))]
    return bool(sizes) and window.offset == 0 and window.size == prod(sizes) and [*map(int, window.steps)] == steps


def _indices(writer: Writer, window: Window, shift: int = 0) -> Code:
    """offset + the sum of step * index, as an array with an axis for each index."""
    rank = len(window.sizes)
    offset = int(window.offset) + shift
    text = str(offset) if offset or not rank else ""
    for k, (size, step) in enumerate(zip(window.sizes, window.steps, strict=True)):
        part = writer.arange(int(size)).text + (f"[:{', None' * (rank - 1 - k)}]" if k < rank - 1 else "")
        step = int(step)
        part = part if abs(step) == 1 else f"{abs(step)} * {part}"
        text = f"{text} {'-' if step < 0 else '+'} {part}" if text else f"-{part}" if step < 0 else part
    return Code(text, ANY if rank else ATOM)


def gathered(
    writer: Writer, value: Array, labels: Labels, relation: OneHot, own: Labels, ids: Array, node: Einsum, dtype: DType
) -> Array:
    """x[.., ids[..], ..] over the axes of the node."""
    *pointing, place = own
    sizes = node.sizes
    if value.axes[list(labels).index(place)] is None:  # what only repeats is the same wherever ids point
        _pointers(writer, relation, ids, pointing, sizes)
        return relabelled(value, labels, node.out)
    shared = [label for label in pointing if label in labels]
    rest = [label for label in labels if label not in (*shared, place)]
    pointers = _pointers(writer, relation, ids, pointing, sizes)
    if shared:
        order = [*shared, place, *rest]
        lead = writer.whole(relabelled(value, labels, order), [sizes[label] for label in order]).code
        index = [*(_along(writer, pointing, label, sizes) for label in shared), pointers.at(ANY)]
        code, natural = Code(f"{lead.at(ATOM)}[{', '.join(index)}]"), [*pointing, *rest]
    else:
        at = {axis: label for label, axis in zip(labels, value.axes, strict=True) if axis is not None}
        order = [at[axis] for axis in range(len(at))]
        code = Code(f"{value.code.at(ATOM)}[{':, ' * order.index(place)}{pointers.at(ANY)}]")
        natural = [label for one in order for label in (pointing if one == place else [one])]
    return relabelled(Array(code, tuple(range(len(natural))), dtype), natural, node.out)


def _pointers(writer: Writer, relation: OneHot, ids: Array, order: Labels, sizes: Sequence[Size]) -> Code:
    """The indices with an axis for each label, checked where that is possible."""
    code = writer.dense(ids, [sizes[label] for label in order])
    if writer.target.checks:
        code = writer.settled(Array(code, (), ids.dtype)).code
        writer.check_indices(code, writer.size(relation.size))
    if writer.target.strict and ids.dtype.itemsize < 8:
        return Code(f"{code.at(ATOM)}.long()")
    return code


def _along(writer: Writer, labels: Labels, label: int, sizes: Sequence[Size]) -> str:
    """The numbers of one index, ready to broadcast against indices over `labels`."""
    behind = len(labels) - 1 - list(labels).index(label)
    return writer.arange(sizes[label]).text + (f"[:{', None' * behind}]" if behind else "")


def scattered(
    writer: Writer, value: Array, labels: Labels, relation: Node, own: Labels, ids: Array | None, node: Einsum,
    dtype: DType,
) -> Array:  # fmt: skip
    """The entries added up where a window or indices point, over the axes of the node."""
    if isinstance(relation, Window):
        return _through(writer, value, labels, relation, own, node, dtype)
    assert isinstance(relation, OneHot)
    assert ids is not None
    *pointing, place = own
    kept = [label for label in pointing if label in node.out]
    order = [*kept, *(label for label in pointing if label not in kept)]
    rest = [label for label in node.out if label != place and label not in kept]
    size = writer.size(relation.size)
    turned = relabelled(ids, pointing, order)
    pointers = _pointers(writer, relation, turned, order, node.sizes)
    index = pointers
    if kept:
        count = " * ".join(_factor(writer.size(node.sizes[label])) for label in kept)
        shape = [writer.size(node.sizes[label]) for label in kept] + ["1"] * (len(order) - len(kept))
        first = writer.function("arange", count + writer.placed(None))
        index = Code(f"({size} * {first.text}.reshape({', '.join(shape)}) + {pointers.at(ATOM)})")
        size = f"{count} * {size}"
    code = _flat(writer, value, labels, order, [], rest, node, dtype)
    writer.helper("add_at")
    made = Code(f"add_at({code.at(ANY)}, {index.at(ATOM)}.reshape(-1), 0, {size})")
    natural = [*kept, place, *rest]
    if kept:
        made = Code(f"{made.text}.reshape({', '.join(writer.size(node.sizes[label]) for label in natural)})")
    return relabelled(Array(made, tuple(range(len(natural))), dtype), natural, node.out)


def _factor(text: str) -> str:
    return text if text.isalnum() or text.isidentifier() else f"({text})"


def _flat(
    writer: Writer, value: Array, labels: Labels, indices: Labels, before: Labels, after: Labels, node: Einsum,
    dtype: DType,
) -> Code:  # fmt: skip
    """The entries with the axes of the indices as one, between others."""
    order = [*before, *indices, *after]
    filled = Array(value.code, value.axes, dtype, weak=value.weak)
    code = writer.dense(relabelled(filled, labels, order), [node.sizes[label] for label in order])
    if len(indices) == 1:
        return writer.inlined(Array(code, (), dtype)).code
    count = " * ".join(_factor(writer.size(node.sizes[label])) for label in indices) or "1"
    sizes = [writer.size(node.sizes[label]) for label in before], [writer.size(node.sizes[label]) for label in after]
    flat = Code(f"{code.at(ATOM)}.reshape({', '.join([*sizes[0], count, *sizes[1]])})")
    return writer.inlined(Array(flat, (), dtype)).code


def _through(
    writer: Writer, value: Array, labels: Labels, window: Window, own: Labels, node: Einsum, dtype: DType
) -> Array:
    """Entries added up along a window: what would lie outside of the axis is left out."""
    place, *indices = own
    at = node.out.index(place)
    before, after = node.out[:at], node.out[at + 1 :]
    reordered = sorted(range(len(indices)), key=lambda k: -int(window.steps[k]))
    turned = Window(window.size, tuple(window.sizes[k] for k in reordered),
                    tuple(window.steps[k] for k in reordered), window.offset)  # fmt: skip
    if _splits(turned):
        code = _flat(writer, value, labels, [indices[k] for k in reordered], before, after, node, dtype)
        return Array(code, tuple(range(len(node.out))), dtype)
    size = int(window.size)
    low, high = span(window)
    start, stop = min(low, 0), max(high, size - 1)
    index = _indices(writer, window, -start)
    index = writer.index(index) if len(indices) > 1 else index
    code = _flat(writer, value, labels, indices, before, after, node, dtype)
    writer.helper("add_at")
    flat = f"{index.at(ATOM)}.reshape(-1)" if len(indices) > 1 else index.at(ANY)
    if not indices:
        flat = f"{writer.arange(1).text} + {index.text}"
    made = f"add_at({code.at(ANY)}, {flat}, {at}, {stop - start + 1})"
    if start < 0 or stop >= size:
        made += f"[{':, ' * at}{-start or ''}:{size - start}]"
    return writer.inlined(Array(Code(made), tuple(range(len(node.out))), dtype))
