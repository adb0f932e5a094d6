"""What slices hand on whole: of the values that later parts read, which are kept, and which are computed again.

Keeping a value costs its entries; computing it again costs its operations, and what it reads must be there, kept or
computed again in turn. The cheapest choice is a minimum cut: each value is a pair of vertices, joined by an edge that
is cut where the value is kept; where it is not, an edge to the sink charges its operations, and edges lead on to what
it reads. (Picard & Queyranne's closure problem; for training of networks, Kumar et al., NeurIPS 2019.)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from math import inf

from einback.ir.nodes import Const, Input, Node
from einback.ir.walk import children

__all__ = ["kept"]


def kept(
    wanted: Iterable[Node],
    keepable: Collection[Node],
    given: Collection[Node],
    entries: Callable[[Node], int],
    operations: Callable[[Node], float],
) -> set[Node]:
    """The nodes among `keepable` to keep, so that `wanted` can be had from these, from inputs and from `given`."""
    nx = import_module("networkx")  # only programs in slices need it
    graph = nx.DiGraph()
    waiting = [node for node in wanted if node in keepable]
    for node in waiting:
        graph.add_edge("source", (node, "wanted"), capacity=inf)
    seen: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node in seen or node in given or isinstance(node, Input | Const):
            continue
        seen.add(node)
        price = {"capacity": float(entries(node))} if node in keepable else {}  # an edge without one is never cut
        graph.add_edge((node, "wanted"), (node, "computed"), **price)
        graph.add_edge((node, "computed"), "sink", capacity=float(operations(node)))
        for child in children(node):
            if not (child in given or isinstance(child, Input | Const)):
                graph.add_edge((node, "computed"), (child, "wanted"))
                waiting.append(child)
    if not seen:
        return set()
    _, (reached, _) = nx.minimum_cut(graph, "source", "sink")
    return {node for node in seen if (node, "wanted") in reached and (node, "computed") not in reached}
