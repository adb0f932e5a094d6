"""The checker of programs: whether nodes keep the promises of `einback.ir.nodes`, and a stable print.

`fault` returns the reason, not just False; tests call it after every pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

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
from einback.ir.walk import children, postorder

__all__ = ["dump", "fault", "verify"]


def verify(roots: Iterable[Node]) -> None:
    """Raise `AssertionError` with the reason if a node below the roots is malformed."""
    for node in postorder(roots):
        reason = fault(node)
        if reason:
            raise AssertionError(f"{node!r}: {reason}")


def fault(node: Node) -> str:
    """Why a node is malformed, or an empty string."""
    match node:
        case Einsum():
            return _einsum_fault(node)
        case Add():
            if len(node.terms) != len(node.weights) or not node.terms:
                return f"{len(node.terms)} terms and {len(node.weights)} weights"
            return _shape_fault(node.terms)
        case Map():
            return _shape_fault([arg for arg in node.args if not isinstance(arg, Const)])
        case Reduce():
            if node.axes != tuple(sorted(set(node.axes))) or not node.axes:
                return f"axes {node.axes} are not sorted and distinct"
            return "" if node.axes[-1] < node.arg.rank else f"axis {node.axes[-1]} of {node.arg.rank} axes"
        case Const():
            exact_or_float = isinstance(node.value, Fraction | float)
            return "" if exact_or_float else f"a constant of type {type(node.value).__name__}"
        case Matrix():
            keeps = "" if 0 <= node.keeps <= 2 else f"the result keeps {node.keeps} axes"
            return keeps or ("" if node.arg.rank >= 2 else f"a matrix of {node.arg.rank} axes")
        case Window():
            same = len(node.sizes) == len(node.steps)
            return "" if same else f"{len(node.steps)} steps for {len(node.sizes)} indices"
        case Input() | Delta() | Ones() | Range() | OneHot():
            return ""
        case _:
            return f"unknown node {type(node).__name__}"


def _shape_fault(nodes: Sequence[Node]) -> str:
    for node in nodes[1:]:
        if node.rank != nodes[0].rank:
            return f"shapes {list(nodes[0].shape)} and {list(node.shape)} differ in rank"
        for a, b in zip(nodes[0].shape, node.shape, strict=True):
            if a != b and isinstance(a, int) and isinstance(b, int):
                return f"shapes {list(nodes[0].shape)} and {list(node.shape)} differ"
    return ""


def _einsum_fault(node: Einsum) -> str:
    if not node.operands:
        return "no operands"
    seen: dict[int, int] = {}
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if len(labels) != operand.rank:
            return f"{len(labels)} labels for {operand.rank} axes"
        for label in labels:
            if seen.setdefault(label, len(seen)) != label:
                return f"label {label} is not numbered by first appearance"
    unknown = [label for label in node.out if label not in seen]
    return f"output label {unknown[0]} is in no operand" if unknown else ""


def number_text(value: Number) -> str:
    return str(value) if isinstance(value, Fraction) else repr(value)


def dump(roots: Sequence[Node]) -> str:
    """A program as text, a line a node, the same in every process."""
    names: dict[Node, str] = {}
    lines = []
    for node in postorder(roots):
        names[node] = f"%{len(names)}"
        args = ", ".join(names[child] for child in children(node))
        lines.append(f"{names[node]} = {_describe(node)}({args})  # {list(node.shape)}")
    lines.append("return " + ", ".join(names[root] for root in roots))
    return "\n".join(lines)


def _describe(node: Node) -> str:
    match node:
        case Input():
            return f"input {node.name}{''.join(' ' + fact for fact in node.facts)}"
        case Const():
            return f"const {number_text(node.value)}"
        case Delta() | Ones() | Range():
            return f"{type(node).__name__.lower()} {node.size}"
        case OneHot():
            return f"onehot {node.size} "
        case Window():
            return f"window {node.size} {list(node.sizes)} {list(node.steps)} {node.offset}"
        case Matrix():
            return f"matrix {node.fn} "
        case Einsum():
            terms = ",".join(".".join(map(str, labels)) for labels in node.labels)
            return f"einsum {terms}->{'.'.join(map(str, node.out))} "
        case Add():
            return f"add {' '.join(map(number_text, node.weights))} "
        case Map():
            return f"map {node.fn} "
        case Reduce():
            return f"reduce {node.fn} {node.axes} "
        case _:
            raise TypeError(f"unknown node {type(node).__name__}")
