"""`Tensor`: a node with the names of its axes. Arithmetic on tensors builds programs; nothing is computed.

Operators broadcast as NumPy does, on symbolic sizes: axes are aligned from the right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from einback.api.axes import resolve_axes
from einback.api.numpy_names import INSTEAD, NO_NUMBERS
from einback.api.parts import Parts
from einback.api.printing import Printed
from einback.api.scope import Known, Scope, gather
from einback.errors import EinbackError, ShapeError
from einback.formula.subject import Derivative
from einback.ir.build import const, einsum, size_of
from einback.ir.data import from_data, to_data
from einback.ir.indexing import gathered
from einback.ir.nodes import Input, Node, Shape
from einback.ir.sizes import Equality, Size
from einback.rules import composite
from einback.rules.complex import complex_number

__all__ = ["Operand", "Tensor", "combine", "declared", "elementwise", "nodes_of"]

Operand = Any  # a Tensor or a number


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class Tensor(Parts, Printed):
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
    derivative: Derivative | None = None  # what it is a derivative of
    origin: tuple[Tensor, Tensor] | None = None  # the tensors themselves, of a gradient or Jacobian; not pickled

    __iter__: ClassVar[None] = None

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Tensor:
        """`np.exp(y)` is `einback.exp(y)`, and a NumPy number may stand on the left of an operator."""
        if ufunc is np.matmul and method == "__call__" and all(isinstance(one, Tensor) for one in operands):
            return _matmul(*operands)
        function = composite.FUNCTIONS.get(ufunc.__name__)
        if function is None or method != "__call__" or options or len(operands) not in function.arities:
            nodes_of(operands)
            raise EinbackError(f"np.{ufunc.__name__} works on arrays, and a tensor has no numbers yet")
        return elementwise(function.build, *operands)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        name = function.__name__
        if name in ("real", "imag"):
            return elementwise(composite.FUNCTIONS[name].build, *args)
        raise EinbackError(
            f"np.{name} works on arrays, and a tensor has no numbers yet", hint=INSTEAD.get(name, NO_NUMBERS)
        )

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise EinbackError("a tensor cannot become an array: it has no numbers yet", hint=NO_NUMBERS)

    def __float__(self) -> float:
        raise EinbackError("a tensor has no numbers yet", hint=NO_NUMBERS)

    def __getitem__(self, key: object) -> Tensor:
        if isinstance(key, Tensor):  # the rows that whole numbers name
            names = (*key.names, *self.names[1:])
            return combine(gathered(self.node, key.node), _aligned_names([names], len(names)), [self, key])
        raise EinbackError(
            "a tensor is not indexed by position",
            hint="read entries by labels: einsum('ii->i', A) is a diagonal, einsum('ij,j->i', A, v) picks with v",
        )

    @property
    def shape(self) -> Shape:
        """The sizes of the axes: symbols, or integers where they are known."""
        return self.node.shape

    @property
    def ndim(self) -> int:
        return self.node.rank

    @property
    def derived(self) -> bool:
        """Whether it is a derivative."""
        return self.derivative is not None

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
        (position,) = resolve_axes(self.names, self.shape, axis)
        return combine(size_of(self.shape[position]), (), [self])

    def known(self) -> Known:
        """What was declared on the way to this tensor."""
        return gather([self.scope])

    def __repr__(self) -> str:
        pairs = zip(self.names, self.shape, strict=True)
        axes = [f"{name}:{size}" if name and name != size else str(size) for name, size in pairs]
        return f"<Tensor {self.name or type(self.node).__name__.lower()}[{','.join(axes)}]>"

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
            known.derived,
        )
        return _loaded, (to_data(roots), facts, self.name, self.derivative)

    def __add__(self, other: Operand) -> Tensor:
        return elementwise(composite.add, self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return elementwise(composite.add, other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return elementwise(composite.subtract, self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return elementwise(composite.subtract, other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return elementwise(composite.multiply, self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return elementwise(composite.multiply, other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return elementwise(composite.divide, self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return elementwise(composite.divide, other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return elementwise(composite.power, self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return elementwise(composite.power, other, self)

    def __neg__(self) -> Tensor:
        return elementwise(composite.negative, self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return elementwise(composite.FUNCTIONS["abs"].build, self)

    def __gt__(self, other: Operand) -> Tensor:
        return elementwise(composite.FUNCTIONS["greater"].build, self, other)

    def __ge__(self, other: Operand) -> Tensor:
        return elementwise(composite.FUNCTIONS["greater_equal"].build, self, other)

    def __lt__(self, other: Operand) -> Tensor:
        return elementwise(composite.FUNCTIONS["less"].build, self, other)

    def __le__(self, other: Operand) -> Tensor:
        return elementwise(composite.FUNCTIONS["less_equal"].build, self, other)

    def __matmul__(self, other: Operand) -> Tensor:
        return _matmul(self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return _matmul(other, self)

    def __bool__(self) -> bool:
        raise EinbackError(
            "a tensor has no truth value: it has no numbers yet",
            hint="choose between entries with einback.where(condition, a, b)",
        )


def _loaded(data: Any, facts: tuple[Any, ...], name: str, derivative: Derivative | None) -> Tensor:
    names, input_names, parameters, size_names, equalities, tensor_names, from_derivatives = facts
    node, *rest = from_data(data)
    inputs = dict(zip(rest, input_names, strict=False))
    named = dict(zip(rest[len(input_names) :], tensor_names, strict=False))
    like = rest[-1] if len(rest) > len(input_names) + len(tensor_names) else None
    declared_before = tuple(rest[k] for k in parameters)
    scope = Scope(inputs, declared_before, size_names, frozenset(equalities), named, from_derivatives)  # type: ignore[arg-type]
    return Tensor(node, names, scope, name, like, derivative)  # type: ignore[arg-type]


def nodes_of(operands: Iterable[Operand]) -> list[Node]:
    """The nodes of tensors and numbers."""
    return [operand.node if isinstance(operand, Tensor) else _number(operand) for operand in operands]


def _number(value: Any) -> Node:
    if isinstance(value, complex | np.complexfloating):
        return complex_number(complex(value))
    if isinstance(value, int | float | Fraction) or (
        hasattr(value, "__float__") and getattr(value, "shape", None) == ()
    ):
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
    derivative: Derivative | None = None,
    origin: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """A tensor made from others. New size equalities are checked against all that is known."""
    parents = tuple(dict.fromkeys(tensor.scope for tensor in made_from))
    if not (equalities or size_names or derivative) and len(parents) == 1:
        scope = parents[0]
    else:
        scope = Scope(
            size_names=size_names or {}, equalities=equalities, derived=derivative is not None, parents=parents
        )
    if equalities:
        gather([scope])
    return Tensor(node, tuple(names), scope, name, like, derivative, origin)


def elementwise(build: Callable[..., Node], *operands: Operand) -> Tensor:
    """Apply a builder of nodes that broadcasts to tensors and numbers."""
    nodes = nodes_of(operands)
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
    shape, equalities = composite.broadcast_shapes(*(node.shape for node in nodes))
    names = _aligned_names([tensor.names for tensor in tensors], len(shape))
    return combine(build(*nodes), names, tensors, equalities=equalities)


def _aligned_names(operands: Iterable[tuple[str, ...]], rank: int) -> tuple[str, ...]:
    """For each axis of a broadcast result, the first name that an operand gives it."""
    names = [""] * rank
    for operand in operands:
        for axis, name in enumerate(operand, start=rank - len(operand)):
            if not names[axis] and name not in names:
                names[axis] = name
    return tuple(names)


def _matmul(a: Operand, b: Operand) -> Tensor:
    nodes_of([a, b])
    for side, tensor in (("left", a), ("right", b)):
        if not isinstance(tensor, Tensor) or not tensor.ndim:
            raise ShapeError(f"the {side} operand of @ is a scalar", hint="multiply by a scalar with *")
    node, equalities = composite.matmul(a.node, b.node)
    front = _aligned_names([a.names[:-2], b.names[:-2]], max(a.ndim, b.ndim, 2) - 2)
    names = (*front, *(a.names[-2:-1] if a.ndim > 1 else ()), *(b.names[-1:] if b.ndim > 1 else ()))
    return combine(node, names, [a, b], equalities=equalities)


def declared(node: Input, names: Sequence[str], *, parameter: bool = False) -> Tensor:
    """The tensor of an input."""
    scope = Scope(
        inputs={node: tuple(names)},
        parameters=(node,) if parameter else (),
        size_names={size: (name.rstrip("'"),) for size, name in zip(node.sizes, names, strict=True) if name},
    )
    return Tensor(node, tuple(names), scope, node.name)
