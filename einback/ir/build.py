"""Smart constructors: the readable way to build nodes.

They normalise what a node's definition needs (labels numbered by first appearance, numbers exact where
they can be, identities dropped) and check it; the algebra is in `einback.rules`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction

from einback.errors import ShapeError
from einback.ir.nodes import Add, Const, Einsum, Input, Map, Node, Number, Ones, Reduce, Shape
from einback.ir.sizes import Size

__all__ = [
    "add",
    "broadcast",
    "const",
    "einsum",
    "exact",
    "fill",
    "is_zero",
    "multiply",
    "ones",
    "permute",
    "power",
    "quotient",
    "reduce",
    "scale",
    "size_of",
    "stand_in",
    "total",
    "zeros",
]  # fmt: skip

_ONE = Fraction(1)
_LONGEST = 1024  # bits: larger numbers are infinite as floats
_SIMPLE = 1 << 20  # a float whose exact value has a denominator up to this is kept as a fraction


def exact(value: object) -> Number:
    """A number as it is kept: a fraction where that is exact and short, else a float.

    >>> exact(0.5), exact(3), exact(0.1)
    (Fraction(1, 2), Fraction(3, 1), 0.1)
    """
    if isinstance(value, Fraction | int):
        fraction = value if isinstance(value, Fraction) else Fraction(value)
        small = fraction.numerator.bit_length() < _LONGEST
        return fraction if small else math.inf if fraction > 0 else -math.inf
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return math.nan  # one object, so that it is found again: NaN does not equal itself
    if math.isinf(number):
        return number
    short = Fraction(number)
    return short if short.denominator <= _SIMPLE else number


def const(value: object) -> Const:
    return Const(exact(value))


def einsum(operands: Sequence[Node], labels: Sequence[Sequence[Hashable]], out: Sequence[Hashable]) -> Node:
    """The sum of products, with labels of any hashable kind; a plain identity returns its operand."""
    number: dict[Hashable, int] = {}
    own = tuple(tuple(number.setdefault(label, len(number)) for label in term) for term in labels)
    missing = [label for label in out if label not in number]
    if missing:
        raise ShapeError(f"output label {missing[0]} is in no operand")
    result = tuple(number[label] for label in out)
    if len(operands) == 1 and own[0] == result and len(set(result)) == len(result):
        return operands[0]
    return Einsum(tuple(operands), own, result)


def add(terms: Iterable[Node], weights: Iterable[object] | None = None) -> Node:
    """The weighted sum; one term of weight one is that term."""
    terms = tuple(terms)
    exact_weights = (_ONE,) * len(terms) if weights is None else tuple(map(exact, weights))
    if len(terms) == 1 and exact_weights[0] == 1:
        return terms[0]
    return Add(terms, exact_weights)


def scale(node: Node, weight: object) -> Node:
    return add((node,), (weight,))


def ones(shape: Shape) -> Node:
    """The tensor of ones: `Const(1)` for no axes, else a product of `Ones`."""
    if not shape:
        return const(1)
    return einsum([Ones(size) for size in shape], [(k,) for k in range(len(shape))], range(len(shape)))


def fill(shape: Shape, value: object) -> Node:
    """One number at every entry."""
    return scale(ones(shape), value) if shape else const(value)


def zeros(shape: Shape) -> Node:
    return fill(shape, 0)


def is_zero(node: Node) -> bool:
    """Whether a node is the zero tensor as `zeros` builds it."""
    match node:
        case Const():
            return node.value == 0
        case Add():
            return not any(node.weights)
        case _:
            return False


def size_of(size: Size) -> Node:
    """An axis length as a scalar: the sum of ones, or the number where it is known."""
    return const(size) if isinstance(size, int) else Einsum((Ones(size),), ((0,),), ())


def multiply(*factors: Node) -> Node:
    """The entrywise product of tensors of one shape; scalars (no axes) may be among them."""
    rank = max(factor.rank for factor in factors)
    axes = range(rank)
    return einsum(factors, [axes if factor.rank else () for factor in factors], axes)


def broadcast(node: Node, shape: Shape, axes: Sequence[int]) -> Node:
    """`node` laid along `axes` of `shape`, constant along the others."""
    new = [k for k in range(len(shape)) if k not in axes]
    if not new:
        return permute(node, axes)
    return einsum([node, *(Ones(shape[k]) for k in new)], [axes, *((k,) for k in new)], range(len(shape)))


def permute(node: Node, axes: Sequence[int]) -> Node:
    """Axis k of `node` becomes axis `axes[k]` of the result."""
    return einsum([node], [axes], range(node.rank))


def total(node: Node, axes: Sequence[int]) -> Node:
    """The sum over some axes."""
    return einsum([node], [range(node.rank)], [k for k in range(node.rank) if k not in axes])


def reduce(fn: str, node: Node, axes: Sequence[int]) -> Node:
    return Reduce(fn, node, tuple(sorted(axes))) if axes else node


def power(node: Node, exponent: object) -> Node:
    """node ** number; an exponent of one is the node."""
    number = exact(exponent)
    return node if number == 1 else Map("power", (node, Const(number)))


def quotient(numerator: Node, denominator: Node) -> Node:
    """The entrywise numerator / denominator, as a product with a power of minus one."""
    return multiply(numerator, power(denominator, -1))


def stand_in(node: Node, name: str) -> Input:
    """The input that stands for a node where its value is known already."""
    return Input(name, node.shape, ("complex",) if node.is_complex else ())
