"""Networks and programs as graphs of networkx, for whoever wants to ask other questions than how they look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from einback.formula.diagram.network import Block, Network, Row
from einback.formula.labels import letters
from einback.ir.nodes import Add, Const, Einsum, Input, Map, Matrix, Node, OneHot, Reduce, Window
from einback.ir.walk import children, postorder

__all__ = ["network_graph", "program_graph"]

_LABELS = "ijklmnopqrstuvwxyzabcdefgh"


def network_graph(lines: Sequence[Block]) -> Any:
    """All networks of some lines as one multigraph; its nodes are numbers."""
    graph = import_module("networkx").MultiGraph()
    waiting: list[tuple[Block, int, int | None]] = []
    waiting += [(block, k, None) for k, block in reversed([*enumerate(lines)])]
    while waiting:
        block, line, inside = waiting.pop()
        match block:
            case Row():
                waiting += [(one, line, inside) for one in reversed(block.blocks)]
            case Network():
                first = graph.number_of_nodes()
                for k, part in enumerate(block.parts):
                    graph.add_node(first + k, kind=part.kind.value, label=part.text, line=line, inside=inside)
                for leg in block.legs:
                    ends = first + leg.start.part, first + leg.stop.part
                    graph.add_edge(*ends, index=leg.name, size=leg.size, axes=(leg.start.axis, leg.stop.axis))
                framed = [(k, part.frame) for k, part in enumerate(block.parts) if part.frame is not None]
                waiting += [(frame.block, line, first + k) for k, frame in reversed(framed)]
    return graph


def program_graph(outputs: Mapping[str, Node]) -> Any:
    """The nodes below some outputs as a directed graph, edges from what is read to what reads it."""
    graph = import_module("networkx").DiGraph()
    order = list(postorder(outputs.values()))
    number = {node: k for k, node in enumerate(order)}
    letter = letters(order)
    for node, k in number.items():
        wanted = [name for name, output in outputs.items() if output is node]
        name = node.name if isinstance(node, Input) else wanted[0] if wanted else letter.get(node, "")
        kind = type(node).__name__.lower()
        graph.add_node(k, kind=kind, name=name, label=_label(node), shape=node.shape, outputs=tuple(wanted))
        for place, child in enumerate(children(node)):
            at = number[child]
            places = graph.edges[at, k]["operands"] if graph.has_edge(at, k) else ()
            graph.add_edge(at, k, operands=(*places, place))
    return graph


def _label(node: Node) -> str:
    """What a node does, in a few characters."""
    match node:
        case Input():
            return node.name
        case Const():
            return str(node.value)
        case Einsum():
            return ",".join(map(_letters, node.labels)) + "->" + _letters(node.out)
        case Add():
            return " ".join(f"{'-' if weight < 0 else '+'}{abs(weight)}" for weight in node.weights)
        case Map() | Matrix():
            return node.fn
        case Reduce():
            return f"{node.fn} over {', '.join(map(str, node.axes))}"
        case Window():
            return " + ".join([str(node.offset), *(f"{step} i{k}" for k, step in enumerate(node.steps))])
        case OneHot():
            return f"one of {node.size}"
        case _:
            return str(node.shape[0])


def _letters(labels: Sequence[int]) -> str:
    return "".join(_LABELS[label] if label < len(_LABELS) else f"({label})" for label in labels)
