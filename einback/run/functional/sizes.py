"""Lengths of axes that a program computes with, as arguments of their own, so that they stay names in its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from einback.ir.build import einsum
from einback.ir.nodes import Add, Const, Einsum, Input, Map, Node, Number, Ones, Reduce
from einback.ir.sizes import Size
from einback.ir.walk import children, postorder, rebuild
from einback.plan.binding import Sizes, length
from einback.plan.numbers import uniform
from einback.run.functional.code import ATOM, PRODUCT, SUM, UNARY, Code, literal

__all__ = ["counted", "is_size", "number_codes", "numbers_with"]


def size_input(size: Size) -> Input:
    """The number of entries of an axis, as a scalar that stands for it; no array can have its name."""
    return Input(f"size({size})", (), ("positive",))


def is_size(node: Node) -> bool:
    return isinstance(node, Input) and node.name.startswith("size(")


def counted(roots: Sequence[Node]) -> dict[Node, Node]:
    """Every node of a program, with sums of ones replaced by the size that they come to, where that is a symbol."""
    new: dict[Node, Node] = {}
    for node in postorder(roots):
        kids = children(node)
        made = rebuild(node, [new[child] for child in kids]) if kids else node
        new[node] = _counted(made) if isinstance(made, Einsum) else made
    return new


def _counted(node: Einsum) -> Node:
    pairs = list(zip(node.operands, node.labels, strict=True))
    held = {label for op, labels in pairs if not isinstance(op, Ones) for label in labels} | set(node.out)
    free = [label for label, size in enumerate(node.sizes) if label not in held and isinstance(size, str)]
    if not free:
        return node
    kept = [(op, labels) for op, labels in pairs if not (isinstance(op, Ones) and labels[0] in free)]
    counts = [(size_input(node.sizes[label]), ()) for label in free]
    terms = [*kept, *counts]
    return einsum([op for op, _ in terms], [labels for _, labels in terms], node.out)


def numbers_with(order: Iterable[Node], sizes: Sizes) -> Mapping[Node, Number]:
    """The nodes that are numbers once sizes are known; `order` lists children first."""
    found: dict[Node, Number] = {}
    for node in order:
        if isinstance(node, Input):
            if is_size(node):
                found[node] = Fraction(length(node.name.removeprefix("size(").removesuffix(")"), sizes))
            continue
        value = uniform(node, found, sizes)
        if value is not None:
            found[node] = value
    return found


def number_codes(
    order: Sequence[Node], known: Mapping[Node, Number], sized: Mapping[Node, Number], size: Callable[[Size], str]
) -> dict[Node, Code]:
    """The nodes that are numbers as text: literals, and what is made of sizes as arithmetic on their names."""
    found: dict[Node, Code] = {}
    for node in order:
        if node in known:
            found[node] = literal(known[node])
        elif node in sized:
            found[node] = _arithmetic(node, found, size)
    return found


def _arithmetic(node: Node, found: Mapping[Node, Code], size: Callable[[Size], str]) -> Code:
    match node:
        case Input(name=name):
            return Code(size(name.removeprefix("size(").removesuffix(")")))
        case Einsum():
            factors = [found[op] for op in node.operands if not isinstance(op, Ones)]
            factors += [Code(size(own)) for label, own in enumerate(node.sizes) if label not in node.out]
            below = [code for code in factors if code.text.startswith("1 / ")]
            above = [code.at(UNARY) for code in factors if code not in below] or ["1"]
            text = " * ".join(above) + "".join(f" / {code.text.removeprefix('1 / ')}" for code in below)
            return Code(text, PRODUCT) if len(factors) > 1 else factors[0]
        case Add():
            pairs = zip(node.terms, node.weights, strict=True)
            text = ""
            for term, weight in pairs:
                sign, count = ("-", -weight) if weight < 0 else ("+", weight)
                part = literal(count).at(PRODUCT)
                if count == 1 or found[term].text != "1":
                    part = found[term].at(PRODUCT) if count == 1 else f"{part} * {found[term].at(ATOM)}"
                text = f"{text} {sign} {part}" if text else part if sign == "+" else f"-{part}"
            return Code(text, SUM)
        case Map(fn="power", args=(base, exponent)):
            if isinstance(exponent, Const) and exponent.value == -1:
                return Code(f"1 / {found[base].at(ATOM)}", PRODUCT)
            return Code(f"{found[base].at(ATOM)} ** {found[exponent].at(UNARY)}", UNARY)
        case Reduce(arg=arg):
            return found[arg]
        case _:
            raise TypeError(f"{type(node).__name__} is no number")
