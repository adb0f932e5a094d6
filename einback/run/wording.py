"""How the source of a plan is worded: names for what is computed, and the nodes that formulas are written with."""

from __future__ import annotations

from collections.abc import Mapping

from einback.ir.nodes import Einsum, Node, Ones
from einback.plan.factorisations import plain
from einback.plan.plan import Plan

__all__ = ["origins", "wishes"]


def wishes(plan: Plan, names: Mapping[Node, str]) -> dict[Node, str]:
    """Names for what is computed; a name for a view goes to what it shows, if that has none."""
    found: dict[Node, str] = {}
    for exact in (True, False):
        for node, name in names.items():
            image = plan.image.get(node)
            base = plan.base.get(image) if image is not None else None
            if base is not None and (base is image) == exact:
                found.setdefault(base, name)
    return found


def origins(plan: Plan) -> dict[Node, list[Node]]:
    """For each planned node the nodes it comes from, those first that a step computes as they stand."""
    found: dict[Node, list[Node]] = {}
    for node, image in plan.image.items():
        found.setdefault(image, []).append(node)
    for step in plan.steps:
        if plain(step.node) is not step.node:
            found.setdefault(step.node, [plain(step.node)])
    for nodes in found.values():
        nodes.sort(key=_factors)
    return found


def _factors(node: Node) -> int:
    return sum(not isinstance(op, Ones) for op in node.operands) if isinstance(node, Einsum) else 0
