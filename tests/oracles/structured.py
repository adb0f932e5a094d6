"""Operations of `programs` on structure: windows, gathers, masks, axes that fuse and part, functions of matrices.

Each is told three times: drawn as plain data, written for einback as index text, and computed from arrays by the
definition, for NumPy and JAX alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import einback as eb
from einback.ir.extents import plus, product, quotient
from tests.oracles.programs import CLASSICAL, Ids, Op, Shape, draw_unary, length, pick

__all__ = ["EINBACK", "KINDS", "arrays_library", "dominant", "positive", "spread"]

_MOST_ENTRIES = 72  # of a value
_AXES = "abcde"  # names of axes that stay as they are
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@dataclass(frozen=True)
class Window:
    """Axis `axis` read at step * i + dilation * u + offset, where `kernel` is the number of u; the axis becomes i, u.

    Of i there are as many as the range rule says, or `count`. Without a kernel there is no u. What lies outside
    of the axis is zero.
    """

    axis: int
    step: int
    dilation: int
    offset: int
    kernel: int
    count: int | None

    def places(self, size: int) -> np.ndarray:
        """The places that are read of an axis of some size, which may lie outside."""
        padding, reach = -min(self.offset, 0), self.dilation * max(self.kernel - 1, 0)
        count = (size - 1 - max(self.offset, 0) + 2 * padding - reach) // self.step + 1
        i = np.arange(count if self.count is None else self.count)
        u = np.arange(self.kernel)
        along = self.step * i + self.offset
        return along[:, None] + self.dilation * u if self.kernel else along


@dataclass(frozen=True)
class Gather:
    """Axis `axis` read at ids, each axis of which is new or goes along with another axis of what is read."""

    axis: int
    ids: Ids
    along: tuple[int | None, ...]

    def labels(self, rank: int) -> tuple[str, str, str]:
        """One letter an axis: of what is read, of the ids, of the result."""
        own, new = _AXES[:rank], iter("stu")
        ids = "".join(next(new) if axis is None else own[axis] for axis in self.along)
        fresh = "".join(letter for letter in ids if letter not in own)
        return own, ids, own[: self.axis] + fresh + own[self.axis + 1 :]


@dataclass(frozen=True)
class Mask:
    """The index of one axis compared with that of another, or with a number; `fill` stands where it does not hold."""

    comparison: str
    axis: int
    other: int | None
    number: int
    fill: float


# Drawing


def _draw_window(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    k = pick(draw, shapes)
    shape = shapes[k]
    if not shape:
        return draw_unary(draw, shapes)
    axis = draw(st.integers(0, len(shape) - 1))
    kernel = draw(st.sampled_from((0, 1, 2, 2, 3)))
    step, dilation = draw(st.sampled_from((1, 1, 2, -1))), draw(st.sampled_from((1, 2, -1)))
    offset = draw(st.integers(-2, 2))
    backwards = step < 0 or (kernel > 0 and dilation < 0)
    count = draw(st.integers(1, 3)) if backwards or (offset < 0 and draw(st.booleans())) else None
    window = Window(axis, step, dilation, offset, kernel, count)
    new: tuple[str, ...]
    if count is None:
        if not len(window.places(length(shape[axis]))):
            return draw_unary(draw, shapes)
        room = plus(shape[axis], -1, -max(offset, 0), 2 * -min(offset, 0), -dilation * max(kernel - 1, 0))
        new = (str(plus(quotient(room, step), 1)),)
    else:
        new = (str(count),)
    shape = (*shape[:axis], *new, *([str(kernel)] if kernel else []), *shape[axis + 1 :])
    return (Op("window", (k,), window), shape) if _small(shape) else draw_unary(draw, shapes)


def _draw_gather(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    k = pick(draw, shapes)
    shape = shapes[k]
    if not shape:
        return draw_unary(draw, shapes)
    axis = draw(st.integers(0, len(shape) - 1))
    along: list[int | None] = []
    sizes: list[str] = []
    for _ in range(draw(st.integers(1, 2))):
        free = [other for other in range(len(shape)) if other != axis and other not in along]
        along.append(draw(st.sampled_from([None, *free])))
        sizes.append(draw(st.sampled_from("nmk")) if along[-1] is None else shape[along[-1]])
    fresh = [size for size, other in zip(sizes, along, strict=True) if other is None]
    gather = Gather(axis, Ids(tuple(sizes), shape[axis]), tuple(along))
    shape = (*shape[:axis], *fresh, *shape[axis + 1 :])
    return (Op("gather", (k,), gather), shape) if _small(shape) else draw_unary(draw, shapes)


def _draw_mask(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    k = pick(draw, shapes)
    rank = len(shapes[k])
    if not rank:
        return draw_unary(draw, shapes)
    axis = draw(st.integers(0, rank - 1))
    other = draw(st.sampled_from([None, *(m for m in range(rank) if m != axis)]))
    if other is not None and draw(st.booleans()):
        return Op("causal_softmax", (k,), (axis, other)), shapes[k]
    fill = draw(st.sampled_from((0, 0, -1, 0.5)))
    mask = Mask(draw(st.sampled_from(sorted(_COMPARISONS))), axis, other, draw(st.integers(0, 2)), fill)
    return Op("mask", (k,), mask), shapes[k]


def _draw_flatten(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    """Some axes as one, or such an axis as several again, in any order."""
    k = pick(draw, shapes)
    shape = shapes[k]
    fused = [axis for axis, size in enumerate(shape) if "*" in size and size.replace("*", "").isalpha()]
    if fused and draw(st.booleans()):
        axis = draw(st.sampled_from(fused))
        sizes = draw(st.permutations(shape[axis].split("*")))
        return Op("unflatten", (k,), (axis, tuple(sizes))), (*shape[:axis], *sizes, *shape[axis + 1 :])
    if len(shape) < 2:
        return draw_unary(draw, shapes)
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=2, max_size=3, unique=True))
    size = str(product(*(shape[axis] for axis in axes)))
    kept = tuple(
        size if axis == min(axes) else own for axis, own in enumerate(shape) if axis == min(axes) or axis not in axes
    )
    return Op("flatten", (k,), tuple(axes)), kept


_KEPT = {"inv": 2, "cholesky": 2, "eigvalsh": 1, "det": 0, "logdet": 0, "inv_any": 2, "logdet_any": 0, "det_any": 0}


def _draw_matrix(draw: st.DrawFn, shapes: Sequence[Shape]) -> tuple[Op, Shape]:
    """A function of a matrix that is made of a value, or the solution of equations with it."""
    k = pick(draw, shapes)
    if len(shapes[k]) < 2 or length(shapes[k][-2]) > 4:
        return draw_unary(draw, shapes)
    *batch, side, _ = shapes[k]
    rows = [m for m, shape in enumerate(shapes) if len(shape) in (1, 2) and shape[-min(2, len(shape))] == side]
    if rows and draw(st.booleans()):
        m = draw(st.sampled_from(rows))
        shape = (*batch, side, *shapes[m][1:])
        return (Op("solve", (k, m)), shape) if _small(shape) else draw_unary(draw, shapes)
    fn = draw(st.sampled_from(sorted(_KEPT)))
    return Op(fn, (k,)), (*batch, *(side,) * _KEPT[fn])


def _small(shape: Shape) -> bool:
    return len(shape) <= 4 and math.prod(map(length, shape)) <= _MOST_ENTRIES


KINDS = (*CLASSICAL, _draw_window, _draw_gather, _draw_mask, _draw_flatten, _draw_matrix, _draw_window)
"""What is drawn: an operation on structure nearly as often as another one."""


# For einback


def _window_text(x: Any, window: Window) -> Any:
    names = [*_AXES[: x.ndim]]
    place = f"{window.step}*i" + (f" + {window.dilation}*u" if window.kernel else "") + f" + {window.offset}"
    place = place.replace("+ -", "- ")
    read = [*names[: window.axis], place, *names[window.axis + 1 :]]
    i = "i" if window.count is None else f"i:{window.count}"
    u = [f"u:{window.kernel}"] if window.kernel else []
    kept = [*names[: window.axis], i, *u, *names[window.axis + 1 :]]
    return eb.program(f"y[{','.join(kept)}] = x[{','.join(read)}]", x=x)["y"]


def _gather_text(x: Any, ids: Any, gather: Gather) -> Any:
    own, by, out = gather.labels(x.ndim)
    read = [*own[: gather.axis], f"ids[{','.join(by)}]", *own[gather.axis + 1 :]]
    return eb.program(f"y[{','.join(out)}] = x[{','.join(read)}]", x=x, ids=ids)["y"]


def _mask_text(x: Any, mask: Mask) -> Any:
    names = _AXES[: x.ndim]
    other = mask.number if mask.other is None else names[mask.other]
    own = ",".join(names)
    return eb.program(f"y[{own}] = where({names[mask.axis]} {mask.comparison} {other}, x[{own}], {mask.fill})", x=x)[
        "y"
    ]


def _causal_text(x: Any, axes: tuple[int, int]) -> Any:
    own, (q, k) = ",".join(_AXES[: x.ndim]), (_AXES[axis] for axis in axes)
    return eb.program(f"y[{own}] = softmax[{k}](where({q} >= {k}, x[{own}], -inf))", x=x)["y"]


def _made(x: Any, text: str) -> Any:
    """A square matrix from the last two axes of x."""
    return eb.program(text.replace("..", "".join(f"{axis}," for axis in _AXES[: x.ndim - 2])), x=x)["y"]


def _positive_text(x: Any) -> Any:
    return _made(x, "y[..i,j] = tanh(x[..i,k]) tanh(x[..j,k]) + 2 δ[i,j]")


def _dominant_text(x: Any) -> Any:
    return _made(x, "y[..i,j] = tanh(x[..i,k]) cos(x[..j,k]) / size(k) + (size(i) + 1/2) δ[i,j]")


def _spread_text(x: Any) -> Any:
    """Growing numbers are added to the diagonal, so that eigenvalues are apart."""
    return _made(x, "y[..i,j] = tanh(x[..i,k]) tanh(x[..j,k]) + 3 δ[i,j] sum[i'](i' <= i)")


EINBACK: dict[str, Callable[..., Any]] = {
    "window": _window_text,
    "gather": _gather_text,
    "mask": _mask_text,
    "causal_softmax": _causal_text,
    "flatten": eb.flatten,
    "unflatten": lambda x, how: eb.unflatten(x, how[0], how[1]),
    "inv": lambda x: eb.linalg.inv(_positive_text(x)),
    "det": lambda x: eb.linalg.det(_positive_text(x)),
    "logdet": lambda x: eb.linalg.logdet(_positive_text(x)),
    "cholesky": lambda x: eb.linalg.cholesky(_positive_text(x)),
    "eigvalsh": lambda x: eb.linalg.eigvalsh(_spread_text(x)),
    "solve": lambda x, y: eb.linalg.solve(_positive_text(x), y),
    "inv_any": lambda x: eb.linalg.inv(_dominant_text(x)),
    "det_any": lambda x: eb.linalg.det(_dominant_text(x)),
    "logdet_any": lambda x: eb.linalg.logdet(_dominant_text(x)),
}


# From arrays


def arrays_library(module: Any) -> dict[str, Callable[..., Any]]:
    """The operations by their definitions; `module` is NumPy or JAX's double of it."""

    def window(x: Any, how: Window) -> Any:
        size = x.shape[how.axis]
        places = how.places(size)
        inside = (places >= 0) & (places < size)
        behind = x.ndim - how.axis - 1
        read = module.take(x, np.where(inside, places, 0), axis=how.axis)
        return read * inside.reshape(*inside.shape, *(1,) * behind)

    def gather(x: Any, ids: Any, how: Gather) -> Any:
        own, by, out = how.labels(x.ndim)
        chosen = ids[..., None] == np.arange(x.shape[how.axis])
        return module.einsum(f"{own},{by}{own[how.axis]}->{out}", x, chosen.astype(x.dtype))

    def mask(x: Any, how: Mask) -> Any:
        one = _index(x, how.axis)
        other = how.number if how.other is None else _index(x, how.other)
        return module.where(_COMPARISONS[how.comparison](one, other), x, how.fill)

    def causal_softmax(x: Any, axes: tuple[int, int]) -> Any:
        kept = _index(x, axes[0]) >= _index(x, axes[1])
        powers = module.where(kept, module.exp(x), 0)
        return powers / powers.sum(axis=axes[1], keepdims=True)

    def flatten(x: Any, axes: tuple[int, ...]) -> Any:
        before = [axis for axis in range(min(axes)) if axis not in axes]
        after = [axis for axis in range(min(axes), x.ndim) if axis not in axes]
        shape = [x.shape[axis] for axis in before], [x.shape[axis] for axis in after]
        return x.transpose(*before, *axes, *after).reshape(*shape[0], -1, *shape[1])

    def unflatten(x: Any, how: tuple[int, tuple[str, ...]]) -> Any:
        axis, sizes = how
        return x.reshape(*x.shape[:axis], *map(length, sizes), *x.shape[axis + 1 :])

    return {
        "window": window,
        "gather": gather,
        "mask": mask,
        "causal_softmax": causal_softmax,
        "flatten": flatten,
        "unflatten": unflatten,
    }


def _index(x: Any, axis: int) -> np.ndarray:
    """The index of an axis, along it."""
    return np.arange(x.shape[axis]).reshape([-1 if k == axis else 1 for k in range(x.ndim)])


def positive(module: Any, x: Any) -> Any:
    """What `_positive_text` writes down."""
    y = module.tanh(x)
    return y @ module.swapaxes(y, -1, -2) + 2 * np.eye(x.shape[-2])


def dominant(module: Any, x: Any) -> Any:
    rows, columns = x.shape[-2:]
    return module.tanh(x) @ module.swapaxes(module.cos(x), -1, -2) / columns + (rows + 0.5) * np.eye(rows)


def spread(module: Any, x: Any) -> Any:
    y, rows = module.tanh(x), x.shape[-2]
    return y @ module.swapaxes(y, -1, -2) + 3 * np.diag(np.arange(1, rows + 1))
