"""The intermediate representation: a handful of frozen, interned nodes.

    node    ::= Input(name, sizes, facts)            an array the caller supplies
              | Const(value)                         a number, exact where it can be
              | Delta(size) | Ones(size)             structural operands: identity matrix, vector of ones,
              | Range(size)                          the numbers 0 .. size-1,
              | Window(size, sizes, steps, offset)   one where p = offset + the sum of steps * indices,
              | OneHot(ids, size)                    one where p = ids[..]
              | Einsum(operands, labels, out)        the sum of products over every label not in `out`
              | Add(terms, weights)                  a weighted sum of terms of one shape
              | Map(fn, args)                        an elementwise function, a row of the scalar table
              | Reduce(fn, arg, axes)                max, min, prod or logsumexp over axes
              | Matrix(fn, arg, keeps)               a function of square matrices, a row of the matrix table

Axes are positions. Labels inside an `Einsum` are small integers numbered by first appearance (operands in
order, then `out`), so that renaming an index does not make another node; a label may stand several times
in an operand (a diagonal is read) and in `out` (a diagonal is written). Structural equality is identity:
building a node that exists returns it. `digest` orders nodes the same way in every process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from einback.errors import ShapeError
from einback.ir.sizes import Size, merge_shapes, merge_sizes

__all__ = [
    "Add",
    "Const",
    "Delta",
    "Einsum",
    "Input",
    "Map",
    "Matrix",
    "Node",
    "Number",
    "OneHot",
    "Ones",
    "Range",
    "Reduce",
    "Shape",
    "Window",
]  # fmt: skip

Number: TypeAlias = Fraction | float
Shape: TypeAlias = tuple[Size, ...]
Labels: TypeAlias = tuple[int, ...]

_TABLE: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
_LOCK = threading.Lock()

# Whether the values of a function are complex, where that does not depend on its arguments.
_COMPLEX_VALUES = {
    "complex": True,
    **dict.fromkeys(("abs", "real", "imag", "logdet"), False),
    **dict.fromkeys(("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"), False),
}


class Interned(type):
    """Building a node looks it up first: equal structure is the same object."""

    def __call__(cls, *args: Any) -> Any:
        key = (cls, *args)
        node = _TABLE.get(key)
        if node is None:
            made = super().__call__(*args)
            with _LOCK:
                node = _TABLE.setdefault(key, made)
        return node


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Node(metaclass=Interned):
    """A tensor-valued expression. `shape` lists the sizes of its axes.

    `is_complex` says whether its entries may be complex: a complex input stands below, and nothing real between.
    """

    shape: Shape = field(init=False)
    digest: bytes = field(init=False)
    is_complex: bool = field(init=False)

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.shape)} {self.digest.hex()[:8]}>"

    def __reduce__(self) -> Any:
        raise TypeError("nodes are stored as data, a whole program at a time: see einback.ir.data")

    def _seal(self, shape: Shape, *content: object, is_complex: bool | None = None) -> None:
        """Fix the derived fields: the shape, and a digest of the kind, its fields and its children.

        A node is complex if a child is, unless the kind of node says otherwise.
        """
        hasher = blake2b(type(self).__name__.encode(), digest_size=12)
        for item in content:
            if isinstance(item, Node):
                hasher.update(item.digest)
            else:
                hasher.update(repr(item).encode())
            hasher.update(b";")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "digest", hasher.digest())
        if is_complex is None:
            is_complex = any(item.is_complex for item in content if isinstance(item, Node))
        object.__setattr__(self, "is_complex", is_complex)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Input(Node):
    """A named array; `facts` is a sorted tuple of words such as "integer"."""

    name: str
    sizes: Shape
    facts: tuple[str, ...]

    def __post_init__(self) -> None:
        self._seal(self.sizes, self.name, self.sizes, self.facts, is_complex="complex" in self.facts)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Const(Node):
    """A scalar number. Build it with `einback.ir.build.const`, which makes it exact where it can."""

    value: Number

    def __post_init__(self) -> None:
        self._seal((), self.value)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Delta(Node):
    """The identity matrix, the Kronecker delta of two indices of one size."""

    size: Size

    def __post_init__(self) -> None:
        self._seal((self.size, self.size), self.size)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Ones(Node):
    """The vector of ones: a broadcast where its label is kept, the axis length where it is summed."""

    size: Size

    def __post_init__(self) -> None:
        self._seal((self.size,), self.size)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Range(Node):
    """The vector 0, 1, .., size - 1: the value of an index, to compare indices."""

    size: Size

    def __post_init__(self) -> None:
        self._seal((self.size,), self.size)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Window(Node):
    """The tensor w[p, i, ..] that is one where p = offset + steps[0] i + .., and zero elsewhere.

    Summed over p against x[p] it reads x[offset + steps[0] i + ..], zero where that lies outside of the axis: strides,
    dilation, padding. Summed over the others it adds windows up where they overlap. With the steps of a number
    system (i * len(j) + j) it fuses axes into one. Without a negative step or offset every window lies inside.
    """

    size: Size
    sizes: Shape
    steps: tuple[Size, ...]
    offset: Size

    def __post_init__(self) -> None:
        self._seal((self.size, *self.sizes), self.size, self.sizes, self.steps, self.offset)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class OneHot(Node):
    """The tensor h[.., p] that is one where p = ids[..]: against x[p] it gathers, summed over ids it scatters."""

    ids: Node
    size: Size

    def __post_init__(self) -> None:
        self._seal((*self.ids.shape, self.size), self.size, self.ids)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Einsum(Node):
    """out = sum over the labels not in `out` of the product of the operands' entries."""

    operands: tuple[Node, ...]
    labels: tuple[Labels, ...]
    out: Labels
    sizes: Shape = field(init=False)  # the size of each label

    def __post_init__(self) -> None:
        sizes: dict[int, Size] = {}
        for operand, labels in zip(self.operands, self.labels, strict=True):
            if len(labels) != operand.rank:
                raise ShapeError(f"{len(labels)} labels for an operand of {operand.rank} axes")
            for label, size in zip(labels, operand.shape, strict=True):
                sizes[label] = merge_sizes(sizes.get(label, size), size)
        object.__setattr__(self, "sizes", tuple(sizes[k] for k in range(len(sizes))))
        shape = tuple(sizes[label] for label in self.out)
        self._seal(shape, self.labels, self.out, *self.operands)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Add(Node):
    """The sum of weight * term; the terms have one shape, the weights are numbers."""

    terms: tuple[Node, ...]
    weights: tuple[Number, ...]

    def __post_init__(self) -> None:
        shape = self.terms[0].shape
        for term in self.terms[1:]:
            shape = merge_shapes(shape, term.shape)
        self._seal(shape, self.weights, *self.terms)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Map(Node):
    """An elementwise function. The arguments have one shape; a `Const` stands for itself at every entry."""

    fn: str
    args: tuple[Node, ...]

    def __post_init__(self) -> None:
        shape: Shape | None = None
        for arg in self.args:
            if not isinstance(arg, Const):
                shape = arg.shape if shape is None else merge_shapes(shape, arg.shape)
        self._seal(shape or (), self.fn, *self.args, is_complex=_COMPLEX_VALUES.get(self.fn))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Reduce(Node):
    """max, min, prod or logsumexp over `axes` (sorted positions), which disappear."""

    fn: str
    arg: Node
    axes: tuple[int, ...]

    def __post_init__(self) -> None:
        shape = tuple(s for k, s in enumerate(self.arg.shape) if k not in self.axes)
        self._seal(shape, self.fn, self.axes, self.arg)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Matrix(Node):
    """A function of square matrices, the last two axes of `arg`; of these the result keeps 2, 1 or 0."""

    fn: str
    arg: Node
    keeps: int

    def __post_init__(self) -> None:
        batch, side = self.arg.shape[:-2], merge_sizes(*self.arg.shape[-2:])
        shape = (*batch, *(side,) * self.keeps)
        self._seal(shape, self.fn, self.keeps, self.arg, is_complex=_COMPLEX_VALUES.get(self.fn))
