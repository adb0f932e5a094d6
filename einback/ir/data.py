"""Programs as plain data: lists, strings and numbers, fit for JSON. Loading builds nodes and runs nothing.

    {"einback": 1, "nodes": [["Input", "x", ["n"], []], ["Map", "exp", [0]], ..], "roots": [1]}

Children stand before the nodes that read them and are given by their place in the list. An unknown version,
kind or field is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from einback.errors import EinbackError
from einback.ir.nodes import (
    Add,
    Const,
    Delta,
    Einsum,
    Input,
    Map,
    Matrix,
    Node,
    Number,
    OneHot,
    Ones,
    Range,
    Reduce,
    Window,
)
from einback.ir.verify import fault
from einback.ir.walk import postorder

__all__ = ["VERSION", "from_data", "to_data"]

VERSION = 1


def to_data(roots: Sequence[Node]) -> dict[str, Any]:
    """The program below some roots as plain data."""
    place: dict[Node, int] = {}
    nodes = []
    for node in postorder(roots):
        nodes.append([type(node).__name__, *_fields(node, place)])
        place[node] = len(place)
    return {"einback": VERSION, "nodes": nodes, "roots": [place[root] for root in roots]}


def _fields(node: Node, place: dict[Node, int]) -> list[Any]:
    match node:
        case Input():
            return [node.name, list(node.sizes), list(node.facts)]
        case Const():
            return [_number(node.value)]
        case Delta() | Ones() | Range():
            return [node.size]
        case Window():
            return [node.size, list(node.sizes), list(node.steps), node.offset]
        case OneHot():
            return [place[node.ids], node.size]
        case Einsum():
            return [[place[op] for op in node.operands], [list(term) for term in node.labels], list(node.out)]
        case Add():
            return [[place[term] for term in node.terms], [_number(weight) for weight in node.weights]]
        case Map():
            return [node.fn, [place[arg] for arg in node.args]]
        case Reduce():
            return [node.fn, place[node.arg], list(node.axes)]
        case Matrix():
            return [node.fn, place[node.arg], node.keeps]
        case _:
            raise TypeError(f"unknown node {type(node).__name__}")


def _number(value: Number) -> str:
    return str(value) if isinstance(value, Fraction) else value.hex()


def _read_number(text: str) -> Number:
    return float.fromhex(text) if "x" in text or text.lstrip("-") in ("inf", "nan") else Fraction(text)


_READERS: dict[str, Callable[..., Node]] = {
    "Input": lambda made, name, sizes, facts: Input(str(name), tuple(sizes), tuple(facts)),
    "Const": lambda made, value: Const(_read_number(value)),
    "Delta": lambda made, size: Delta(size),
    "Ones": lambda made, size: Ones(size),
    "Range": lambda made, size: Range(size),
    "Window": lambda made, size, sizes, steps, offset: Window(size, tuple(sizes), tuple(steps), offset),
    "OneHot": lambda made, ids, size: OneHot(made[ids], size),
    "Einsum": lambda made, ops, labels, out: Einsum(
        tuple(made[k] for k in ops), tuple(tuple(term) for term in labels), tuple(out)
    ),
    "Add": lambda made, terms, weights: Add(tuple(made[k] for k in terms), tuple(map(_read_number, weights))),
    "Map": lambda made, fn, args: Map(str(fn), tuple(made[k] for k in args)),
    "Reduce": lambda made, fn, arg, axes: Reduce(str(fn), made[arg], tuple(axes)),
    "Matrix": lambda made, fn, arg, keeps: Matrix(str(fn), made[arg], int(keeps)),
}


def from_data(data: Any) -> tuple[Node, ...]:
    """The roots of a program that `to_data` wrote. Raises `EinbackError` for anything else."""
    version = data.get("einback") if isinstance(data, dict) else None
    if version != VERSION:
        raise EinbackError(f"this is not a program of version {VERSION}: its version is {version!r}")
    made: list[Node] = []
    for item in data["nodes"]:
        made.append(_read(item, made))
    return tuple(made[k] for k in data["roots"])


def _read(item: Any, made: list[Node]) -> Node:
    kind = item[0] if isinstance(item, list) and item else item
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise EinbackError(f"the program has a node of unknown kind {kind!r}")
    try:
        node = reader(made, *item[1:])
    except (TypeError, ValueError, IndexError) as error:
        raise EinbackError(f"the program has a malformed {kind} node: {error}") from error
    reason = fault(node)
    if reason:
        raise EinbackError(f"the program has a malformed {kind} node: {reason}")
    return node
