"""What is a number before any array is known: constants, axis lengths, and tensors with one number at every entry.

Such a tensor is never an array in a plan; it is written as a literal where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Ones, Reduce
from einback.ir.walk import children
from einback.plan.binding import Sizes, resolve
from einback.rules.scalar import evaluate_power

__all__ = ["is_integral", "uniform"]


def is_integral(value: Number) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def uniform(node: Node, known: Mapping[Node, Number], sizes: Sizes) -> Number | None:
    """The number at every entry of a node, if it is known; `known` holds those of its children."""
    try:
        match node:
            case Const():
                return node.value
            case Ones():
                return Fraction(1)
            case Einsum() | Add() | Map() | Reduce() if all(child in known for child in children(node)):
                return _of_known(node, known, sizes)
            case _:
                return None
    except OverflowError:  # beyond the floats: left to run, where it becomes an infinity
        return None


def _of_known(node: Node, known: Mapping[Node, Number], sizes: Sizes) -> Number | None:
    match node:
        case Einsum():
            if len(set(node.out)) < len(node.out):
                return None  # a diagonal between zeros
            value: Number = Fraction(1)
            for operand in node.operands:
                value = value * known[operand]
            for label, length in enumerate(resolve(node.sizes, sizes)):
                value = value if label in node.out else value * length
            return value
        case Add():
            return sum((w * known[term] for term, w in zip(node.terms, node.weights, strict=True)), Fraction(0))
        case Map(fn="power"):
            return _power(known[node.args[0]], known[node.args[1]])
        case Reduce(fn="max" | "min") if all(resolve(node.arg.shape, sizes)):
            return known[node.arg]
        case _:
            return None


def _power(base: Number, exponent: Number) -> Number | None:
    value = evaluate_power(base, exponent)
    if value is not None:
        return value
    if not base > 0:  # NumPy decides on 0, negative bases and NaN
        return None
    result: float = float(base) ** float(exponent)
    return result
