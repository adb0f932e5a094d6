"""The body of a loop over slices: the nodes of a program over a slice of an index, IR to IR.

Every node that is computed in slices becomes a node over the slice; inputs, and what was computed before, are read
whole or as a slice along one or more of their axes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from einback.ir.build import stand_in
from einback.ir.nodes import Const, Input, Node, OneHot, Ones, Reduce
from einback.ir.walk import children, rebuild
from einback.plan.slices import Needs, Role, reads, restricts

__all__ = ["Body", "Cut", "Taken"]

Axes = tuple[int, ...]  # those of an array that are sliced; none of one that is read whole
Variant = tuple[Node, Axes]

_OF_ENTRIES = ("complex", "integer", "positive")  # facts that hold for all slices
_OF_ROWS = ("stochastic",)  # facts about the last axis alone


@dataclass(frozen=True, slots=True)
class Taken:
    """What a slice reads: `tensor` is a slice over some axes, or all, of the array `source`."""

    tensor: Input
    source: str
    axes: Axes


@dataclass(frozen=True, slots=True)
class Body:
    """The program over a slice: its results, what it takes, and the nodes outside that this needs whole."""

    roots: tuple[Node, ...]
    takes: tuple[Taken, ...]
    whole: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A program cut over an index: makes the body of the loop over its slices.

    `order` lists the program's nodes, children first; those in `free` read no array and are computed where they are
    read; `symbol` is the size of a slice, `name` names the arrays of nodes that are computed outside.
    """

    order: Sequence[Node]
    roles: Mapping[Node, Role]
    needs: Needs
    free: Collection[Node]
    symbol: str
    name: Callable[[Node], str]
    real: bool
    _takes: dict[str, Taken] = field(default_factory=dict)
    _whole: dict[Node, None] = field(default_factory=dict)
    _made: dict[Variant, Node] = field(default_factory=dict)

    def body(self, stacked: Mapping[Node, int], summed: Sequence[Node]) -> Body:
        """The body that gives the stacked nodes, sliced on an axis, and the parts of those summed."""
        variants = self._variants([(node, (axis,)) for node, axis in stacked.items()], summed)
        for node in self.order:
            for axes in variants.get(node, ()):
                self._made[node, axes] = self._variant(node, axes)
        roots = [self._made[node, (axis,)] for node, axis in stacked.items()]
        for node in summed:
            part = self._over_slice(node, self.roles[node])
            roots.append(Reduce("max", part.arg, part.axes) if isinstance(part, Reduce) and part.fn == "peak" else part)
        return Body(tuple(roots), tuple(self._takes.values()), tuple(self._whole))

    def _variants(self, start: Sequence[Variant], summed: Sequence[Node]) -> dict[Node, list[Axes]]:
        """The slices of each node that are read, and the nodes that are read whole."""
        waiting = [*start, *(key for node in summed for key in self._read(node, self.roles[node]))]
        known = dict.fromkeys(waiting)
        waiting = list(known)
        while waiting:
            node, axes = waiting.pop()
            role = self._role(node, axes)
            for key in self._read(node, role) if role is not None else ():
                if key not in known:
                    known[key] = None
                    waiting.append(key)
        found: dict[Node, list[Axes]] = {}
        for node, axes in known:
            found.setdefault(node, []).append(axes)
        return found

    def _read(self, node: Node, role: Role) -> list[Variant]:
        return [
            (child, tuple(axis for axis, label in enumerate(reads(node, k)) if label == role.label))
            for k, child in enumerate(children(node))
        ]

    def _role(self, node: Node, axes: Axes) -> Role | None:
        """How a variant is computed in the body; None where it is no computation of the body."""
        if isinstance(node, Input | Const):
            return None
        if not axes:
            return Role("inside") if isinstance(node, OneHot) and node not in self.free else None
        if node in self.roles:
            return self.roles[node]
        handed = node in self.needs.views or (node in self.needs.whole and node not in self.free)
        return None if handed else restricts(node, axes, real=self.real)

    def _variant(self, node: Node, axes: Axes) -> Node:
        role = self._role(node, axes)
        if role is not None:
            return self._over_slice(node, role)
        if isinstance(node, Const) or (not axes and node in self.free):
            return node
        if isinstance(node, Ones):
            return Ones(self.symbol)
        return self._taken(node, axes)

    def _over_slice(self, node: Node, role: Role) -> Node:
        if isinstance(node, Ones):
            return Ones(self.symbol)
        return rebuild(node, [self._made[key] for key in self._read(node, role)])

    def _taken(self, node: Node, axes: Axes) -> Input:
        """An array from outside, or a slice of it."""
        if isinstance(node, Input):
            source, whole = node.name, node
        else:
            self._whole[node] = None
            source = self.name(node)
            whole = stand_in(node, source)
        if not axes:
            self._takes.setdefault(source, Taken(whole, source, ()))
            return whole
        shape = tuple(self.symbol if axis in axes else size for axis, size in enumerate(whole.shape))
        facts = tuple(fact for fact in whole.facts if _holds_in_slices(fact, whole.rank, axes))
        name = " ".join([source, "slice", *(map(str, axes) if axes != (0,) else ())])  # no name of a user has blanks
        tensor = Input(name, shape, facts)
        self._takes.setdefault(name, Taken(tensor, source, axes))
        return tensor


def _holds_in_slices(fact: str, rank: int, axes: Axes) -> bool:
    """Whether a fact about a whole array holds for its slices over some axes."""
    if fact in _OF_ENTRIES:
        return True
    of = 1 if fact in _OF_ROWS else 2  # the last axes that it is about
    return all(axis < rank - of for axis in axes)
