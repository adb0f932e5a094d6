"""What is a number before any array is known: constants, axis lengths, and tensors with one number at every entry.

Such a tensor is never an array in a plan; it is written as a literal where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Ones, Reduce
from einback.ir.walk import children
from einback.plan.binding import Sizes, resolve
from einback.rules.scalar import evaluate_power

__all__ = ["is_integral", "known_numbers", "times", "uniform"]


def is_integral(value: Number) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def times(a: Number, b: Number) -> Number:
    """The product, infinite where a fraction is beyond the floats that it meets.

    >>> times(Fraction(1, 3), Fraction(3)), times(Fraction(10) ** 400, -0.5)
    (Fraction(1, 1), -inf)
    """
    try:
        return a * b
    except OverflowError:
        return float("inf") if (a > 0) == (b > 0) else float("-inf")


def known_numbers(order: Iterable[Node], sizes: Sizes) -> dict[Node, Number]:
    """The nodes of a program that are numbers; `order` lists children first."""
    numbers: dict[Node, Number] = {}
    for node in order:
        value = uniform(node, numbers, sizes)
        if value is not None:
            numbers[node] = value
    return numbers


def uniform(node: Node, known: Mapping[Node, Number], sizes: Sizes) -> Number | None:
    """The number at every entry of a node, if it is known; `known` holds those of the nodes below that have one."""
    match node:
        case Const():
            return node.value
        case Ones():
            return Fraction(1)
    values = [uniform(child, known, sizes) if isinstance(child, Const | Ones) else known.get(child)
              for child in children(node)]  # fmt: skip
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return None
    try:
        return _of_numbers(node, numbers, sizes)
    except OverflowError:  # beyond the floats: left to run, where it becomes an infinity
        return None


def _of_numbers(node: Node, values: Sequence[Number], sizes: Sizes) -> Number | None:
    match node:
        case Einsum():
            if len(set(node.out)) < len(node.out):
                return None  # a diagonal between zeros
            product: Number = Fraction(1)
            for value in values:
                product = product * value
            for label, length in enumerate(resolve(node.sizes, sizes)):
                product = product if label in node.out else product * length
            return product
        case Add():
            return sum((w * value for value, w in zip(values, node.weights, strict=True)), Fraction(0))
        case Map(fn="power"):
            return _power(*values)
        case Reduce(fn="max" | "min") if all(resolve(node.arg.shape, sizes)):
            return values[0]
        case _:
            return None


def _power(base: Number, exponent: Number) -> Number | None:
    value = evaluate_power(base, exponent)
    if value is not None:
        return value
    if base == 0 and exponent < 0:
        return math.inf
    if not base > 0:  # NumPy decides on 0, negative bases and NaN
        return None
    result: float = float(base) ** float(exponent)
    return result
