"""Axes that fuse and part, and one-hot tensors. None of them is ever stored: they are contracted, or read as views."""

from __future__ import annotations

from collections.abc import Sequence

from einback.api.axes import Axis, resolve_axes
from einback.api.tensor import Tensor, combine
from einback.errors import EinbackError, ShapeError
from einback.ir.extents import product, quotient
from einback.ir.indexing import flattened, unflattened
from einback.ir.indexing import one_hot as one_hot_node
from einback.ir.nodes import Shape
from einback.ir.sizes import Equality, Size

__all__ = ["flatten", "one_hot", "unflatten"]


def flatten(x: Tensor, axes: Axis = None) -> Tensor:
    """Some axes of a tensor as one, the last of them running fastest, as NumPy's `reshape` does it.

    The axes by position or index name, all if left out; they are fused in the order given, and the new axis stands
    where the first of them stood. In index text: `y[n, (h w)] = x[n,h,w]`. Raises `ShapeError` for no axes.

    >>> import einback as eb
    >>> x = eb.tensor("x[n,h,w]")
    >>> flatten(x, ("h", "w")).shape
    ('n', 'h*w')
    """
    chosen = resolve_axes(x.names, x.shape, axes)
    if len(chosen) == 1:
        return x
    node = flattened(x.node, chosen)
    names = ["" if axis in chosen else name for axis, name in enumerate(x.names)]
    kept = [name for axis, name in enumerate(names) if axis not in chosen or axis == min(chosen)]
    return combine(node, kept, [x])


def unflatten(x: Tensor, axis: int | str, sizes: Sequence[Size]) -> Tensor:
    """One axis of a tensor as several, the last of them running fastest: the inverse of `flatten`.

    The axis by position or index name; `sizes` are whole numbers or names, and one may be -1 where the others are
    whole numbers. In index text: `y[n,h,w] = x[n, (h w:3)]`. Raises `ShapeError` where the sizes do not fit; what
    is only known when arrays come is checked then.

    >>> import einback as eb
    >>> x = eb.tensor("x[n,d]")
    >>> unflatten(x, "d", (4, -1)).shape
    ('n', 4, 'd//4')
    """
    (at,) = resolve_axes(x.names, x.shape, axis)
    own = x.shape[at]
    parts = _parts(own, sizes)
    count = product(*parts)
    equalities: frozenset[Equality] = frozenset() if count == own else frozenset({(own, count)})
    if isinstance(own, int) and isinstance(count, int) and own != count:
        raise ShapeError(f"an axis of size {own} does not part into {_listed(sizes)}")
    new = [size if isinstance(size, str) and size not in x.names else "" for size in sizes]
    names = (*x.names[:at], *(name if new.index(name) == k else "" for k, name in enumerate(new)), *x.names[at + 1 :])
    size_names: dict[Size, tuple[str, ...]] = {name: (name,) for name in new if name}
    return combine(unflattened(x.node, at, parts), names, [x], equalities=equalities, size_names=size_names)


def one_hot(ids: Tensor, size: Size) -> Tensor:
    """The tensor that is one where its last index is ids[..], and zero elsewhere; of ids' axes and one of `size`.

    Against a table it looks rows up, `einsum("bv,vd->bd", one_hot(ids, "v"), E)`, which is `E[ids]`. In index text:
    `δ[v, ids[b]]` and `E[ids[b], d]`. Raises `ShapeError` for ids that are not declared as whole numbers.

    >>> import einback as eb
    >>> one_hot(eb.tensor("ids[b,t]", integer=True), 10).shape
    ('b', 't', 10)
    """
    if not isinstance(ids, Tensor):
        raise EinbackError(f"one_hot takes a tensor of whole numbers, not {type(ids).__name__}")
    _check_size(size, 0)
    name = size if isinstance(size, str) and size not in ids.names else ""
    names: dict[Size, tuple[str, ...]] = {name: (name,)} if name else {}
    return combine(one_hot_node(ids.node, size), (*ids.names, name), [ids], size_names=names)


def _parts(own: Size, sizes: Sequence[Size]) -> Shape:
    """The sizes, the -1 among them replaced by what the axis leaves to it."""
    for size in sizes:
        _check_size(size, -1)
    if not sizes or list(sizes).count(-1) > 1:
        raise ShapeError(f"an axis does not part into {_listed(sizes)}", hint="one size may be -1")
    count = product(*(size for size in sizes if size != -1))
    if -1 not in sizes:
        return tuple(sizes)
    if not isinstance(count, int) or count < 1:
        raise ShapeError(f"-1 in {_listed(sizes)} cannot be known", hint="the other sizes are whole numbers then")
    return tuple(quotient(own, count) if size == -1 else size for size in sizes)


def _check_size(size: object, least: int) -> None:
    if not (size.isidentifier() if isinstance(size, str) else isinstance(size, int) and size >= least):
        raise ShapeError(f"the size {size!r} is neither a whole number nor a name")


def _listed(sizes: Sequence[Size]) -> str:
    return f"[{','.join(map(str, sizes))}]"
