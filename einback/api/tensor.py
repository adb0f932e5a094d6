"""`Tensor`: a node with the names of its axes. Arithmetic on tensors builds programs; nothing is computed.

Operators broadcast as NumPy does, on symbolic sizes: axes are aligned from the right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from einback.api.scope import Known, Scope, gather, names_in_normal_form
from einback.errors import EinbackError, NotationError, ShapeError, did_you_mean
from einback.formula.index import Names, latex, text
from einback.ir.build import const, einsum, size_of
from einback.ir.data import from_data, to_data
from einback.ir.nodes import Input, Node, Number, Shape
from einback.ir.sizes import Equality, Size
from einback.rules import composite
from einback.rules.simplify import normalise

__all__ = ["Axis", "Tensor", "combine", "elementwise", "nodes_of", "resolve_axes"]

Axis = int | str | Sequence[int | str] | None
Operand = Any  # a Tensor or a number


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class Tensor:
    """A symbolic tensor: what `tensors`, `einsum` and every operation return.

    `shape` holds sizes (symbols or integers), `names` the index names of the axes, "" where an axis has none.
    A tensor is a value: operations make new ones. It has no numbers; `evaluate` and `compile` bring arrays in.

    >>> import einback as eb
    >>> X, W, b = eb.tensors("X[n,d] W[d,c] b[c]")
    >>> Z = X @ W + b
    >>> Z.shape, Z.names
    (('n', 'c'), ('n', 'c'))
    >>> print(Z)
    y[n,c] = X[n,d] W[d,c] + b[c]
    """

    node: Node
    names: tuple[str, ...]
    scope: Scope
    name: str = ""
    like: Input | None = None  # the input whose dtype a gradient has
    derived: bool = False  # whether it is a derivative, for the plan's report

    __array_ufunc__: ClassVar[None] = None  # NumPy leaves mixed arithmetic to the operators below
    __iter__: ClassVar[None] = None

    # What it is

    @property
    def shape(self) -> Shape:
        """The sizes of the axes: symbols, or integers where they are known."""
        return self.node.shape

    @property
    def ndim(self) -> int:
        return self.node.rank

    @property
    def parameters(self) -> list[Tensor]:
        """The layers' parameters that this tensor was made from, in order of creation."""
        known = self.known()
        return [declared(node, known.inputs[node]) for node in known.parameters]

    @property
    def inputs(self) -> list[Tensor]:
        """All tensors declared by name that this one was made from, in order of declaration."""
        known = self.known()
        return [declared(node, names) for node, names in known.inputs.items()]

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        axes = range(self.ndim)
        return combine(einsum([self.node], [axes], list(axes)[::-1]), self.names[::-1], [self])

    def size(self, axis: int | str) -> Tensor:
        """The length of an axis as a scalar tensor; the axis by position, index name or size.

        >>> import einback as eb
        >>> X = eb.tensor("X[n,d]")
        >>> print(eb.sum(X) / X.size("n"))
        y = X[n,d] / size(n)
        """
        if isinstance(axis, str) and axis not in self.names and axis in self.shape:
            return combine(size_of(axis), (), [self])
        (position,) = resolve_axes(self, axis)
        return combine(size_of(self.shape[position]), (), [self])

    # How it reads

    def known(self) -> Known:
        """What was declared on the way to this tensor."""
        return gather([self.scope])

    def text(self, notation: str = "index") -> str:
        """The formula as an index program, which `program` reads back: `y[n,c] = ...` and its `where` lines."""
        _check_notation(notation)
        return text(*self._printable())

    def latex(self, notation: str = "index") -> str:
        """The formula in LaTeX, in index notation."""
        _check_notation(notation)
        return latex(*self._printable())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        pairs = zip(self.names, self.shape, strict=True)
        axes = [f"{name}:{size}" if name and name != size else str(size) for name, size in pairs]
        return f"<Tensor {self.name or type(self.node).__name__.lower()}[{','.join(axes)}]>"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled as data: what was declared, flattened."""
        known = self.known()
        roots = [self.node, *known.inputs, *known.tensors, *([self.like] if self.like else [])]
        facts = (
            self.names,
            list(known.inputs.values()),
            [list(known.inputs).index(node) for node in known.parameters],
            dict(known.size_names),
            sorted(known.equalities, key=repr),
            list(known.tensors.values()),
        )
        return _loaded, (to_data(roots), facts, self.name, self.derived)

    def _printable(self) -> tuple[Node, str, Names]:
        known = self.known()
        (node,) = normalise([self.node])
        name = self.name or "y"
        while any(name == other.name and other is not node for other in known.inputs):
            name += "_"
        return node, name, Names(self.names, known.size_names, names_in_normal_form(known))

    # Arithmetic

    def __add__(self, other: Operand) -> Tensor:
        return _binary(composite.add, self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return _binary(composite.add, other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return _binary(composite.subtract, self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return _binary(composite.subtract, other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return _binary(composite.multiply, self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return _binary(composite.multiply, other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return _binary(composite.divide, self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return _binary(composite.divide, other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return _binary(composite.power, self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return _binary(composite.power, other, self)

    def __neg__(self) -> Tensor:
        return elementwise(composite.negative, self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return elementwise(composite.FUNCTIONS["abs"].build, self)

    def __gt__(self, other: Operand) -> Tensor:
        return _binary(composite.FUNCTIONS["greater"].build, self, other)

    def __ge__(self, other: Operand) -> Tensor:
        return _binary(composite.FUNCTIONS["greater_equal"].build, self, other)

    def __lt__(self, other: Operand) -> Tensor:
        return _binary(composite.FUNCTIONS["less"].build, self, other)

    def __le__(self, other: Operand) -> Tensor:
        return _binary(composite.FUNCTIONS["less_equal"].build, self, other)

    def __matmul__(self, other: Operand) -> Tensor:
        return _matmul(self, other) if isinstance(other, Tensor) else NotImplemented

    def __bool__(self) -> bool:
        raise EinbackError(
            "a tensor has no truth value: it has no numbers yet",
            hint="choose between entries with einback.where(condition, a, b)",
        )


def _loaded(data: Any, facts: tuple[Any, ...], name: str, derived: bool) -> Tensor:
    names, input_names, parameters, size_names, equalities, tensor_names = facts
    node, *rest = from_data(data)
    inputs = dict(zip(rest, input_names, strict=False))
    named = dict(zip(rest[len(input_names) :], tensor_names, strict=False))
    like = rest[-1] if len(rest) > len(input_names) + len(tensor_names) else None
    scope = Scope(
        inputs,  # type: ignore[arg-type]
        tuple(rest[k] for k in parameters),
        size_names,
        frozenset(equalities),
        named,
    )
    return Tensor(node, names, scope, name, like, derived)  # type: ignore[arg-type]


def nodes_of(operands: Iterable[Operand]) -> list[Node]:
    """The nodes of tensors and numbers."""
    return [operand.node if isinstance(operand, Tensor) else _number(operand) for operand in operands]


def _number(value: Any) -> Node:
    if isinstance(value, int | float | Number) or (hasattr(value, "__float__") and getattr(value, "shape", None) == ()):
        return const(value)
    raise EinbackError(
        f"a tensor cannot be combined with {type(value).__name__}",
        hint="declare a tensor for it, and pass the array when the program is evaluated",
    )


def combine(
    node: Node,
    names: Sequence[str],
    made_from: Iterable[Tensor],
    *,
    equalities: frozenset[Equality] = frozenset(),
    size_names: dict[Size, tuple[str, ...]] | None = None,
    name: str = "",
    like: Input | None = None,
    derived: bool = False,
) -> Tensor:
    """A tensor made from others. New size equalities are checked against all that is known."""
    parents = tuple(dict.fromkeys(tensor.scope for tensor in made_from))
    if not equalities and not size_names and len(parents) == 1:
        scope = parents[0]
    else:
        scope = Scope(size_names=size_names or {}, equalities=equalities, parents=parents)
    if equalities:
        gather([scope])
    return Tensor(node, tuple(names), scope, name, like, derived)


def elementwise(build: Callable[..., Node], *operands: Operand) -> Tensor:
    """Apply a builder of nodes that broadcasts to tensors and numbers."""
    nodes = nodes_of(operands)
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
    shape, equalities = composite.broadcast_shapes(*(node.shape for node in nodes))
    names = _aligned_names([tensor.names for tensor in tensors], len(shape))
    return combine(build(*nodes), names, tensors, equalities=equalities)


def _binary(build: Callable[..., Node], a: Operand, b: Operand) -> Tensor:
    return elementwise(build, a, b)


def _aligned_names(operands: Iterable[tuple[str, ...]], rank: int) -> tuple[str, ...]:
    """For each axis of a broadcast result, the first name that an operand gives it."""
    names = [""] * rank
    for operand in operands:
        for axis, name in enumerate(operand, start=rank - len(operand)):
            if not names[axis] and name not in names:
                names[axis] = name
    return tuple(names)


def resolve_axes(tensor: Tensor, axis: Axis) -> tuple[int, ...]:
    """Positions of the axes that the user named: None for all, a position, an index name, or a tuple of them."""
    if axis is None:
        return tuple(range(tensor.ndim))
    wanted = [axis] if isinstance(axis, int | str) else list(axis)
    found = [_one_axis(tensor, one) for one in wanted]
    if len(set(found)) < len(found):
        raise ShapeError(f"an axis is given twice in {axis!r}")
    return tuple(found)


def _one_axis(tensor: Tensor, axis: int | str) -> int:
    shown = ",".join(name or str(size) for name, size in zip(tensor.names, tensor.shape, strict=True))
    if isinstance(axis, str):
        if axis in tensor.names:
            return tensor.names.index(axis)
        raise NotationError(
            f"no axis is named {axis!r}: the axes are [{shown}]", hint=did_you_mean(axis, filter(None, tensor.names))
        )
    if not -tensor.ndim <= axis < tensor.ndim:
        raise ShapeError(f"axis {axis} does not exist: the tensor has {tensor.ndim} axes, [{shown}]")
    return axis % tensor.ndim


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    """NumPy's matmul: the last axis of a meets the one before the last of b; axes before them broadcast."""
    for side, tensor in (("left", a), ("right", b)):
        if not tensor.ndim:
            raise ShapeError(f"the {side} operand of @ is a scalar", hint="multiply by a scalar with *")
    row, column = a.ndim > 1, b.ndim > 1
    batch, equalities = composite.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    inner = (a.shape[-1], b.shape[-2] if column else b.shape[-1])
    if isinstance(inner[0], int) and isinstance(inner[1], int) and inner[0] != inner[1]:
        raise ShapeError(f"the operands of @ do not fit: {inner[0]} columns on the left, {inner[1]} rows on the right")
    left = composite.broadcast_to(a.node, batch + a.shape[-2:]) if row and batch else a.node
    right = composite.broadcast_to(b.node, batch + b.shape[-2:]) if column and batch else b.node
    dots = tuple(range(len(batch)))
    terms = (
        (*(dots if row else ()), *(("i",) if row else ()), "j"),
        (*(dots if column else ()), "j", *(("k",) if column else ())),
    )
    out = (*dots, *(("i",) if row else ()), *(("k",) if column else ()))
    front = _aligned_names([a.names[:-2], b.names[:-2]], len(batch))
    names = (*front, *(a.names[-2:-1] if row else ()), *(b.names[-1:] if column else ()))
    if inner[0] != inner[1]:
        equalities |= {inner}
    return combine(einsum([left, right], terms, out), names, [a, b], equalities=equalities)


def declared(node: Input, names: Sequence[str], *, parameter: bool = False) -> Tensor:
    """The tensor of an input."""
    scope = Scope(
        inputs={node: tuple(names)},
        parameters=(node,) if parameter else (),
        size_names={size: (name.rstrip("'"),) for size, name in zip(node.sizes, names, strict=True) if name},
    )
    return Tensor(node, tuple(names), scope, node.name)


def _check_notation(notation: str) -> None:
    if notation != "index":
        raise NotationError(f"no notation is named {notation!r}", hint="the notations are: index")
