"""Programs in phases: what runs once, and what runs a slice of an index at a time, IR to IR.

A phase reads arrays by name and makes others. Those that the caller passes come first; whatever a phase hands on is an
`Input` of the later ones. Splitting a phase over an index gives up to three:

    before   what the slices read whole, and does not depend on the index
    loop     its results are stacked along an axis, or combined over the slices in their order
    after    the rest, from whole arrays; which may be split again, over the same index or another one
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count
from math import inf

from einback.ir.build import const, stand_in
from einback.ir.nodes import Delta, Input, Map, Node, OneHot, Ones
from einback.ir.walk import children, inputs_of, postorder, substitute
from einback.plan.binding import Sizes, length
from einback.plan.bodies import Cut, Taken
from einback.plan.cost import elements, flops
from einback.plan.handing import kept
from einback.plan.slices import Needs, Role, Seeds, arrayless, joined, needs, reads

__all__ = ["Loop", "Made", "Phase", "Straight", "split"]


@dataclass(frozen=True, slots=True)
class Straight:
    """Nodes that are computed once; `makes[k]` is the name of what `roots[k]` gives."""

    roots: tuple[Node, ...]
    makes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What the slices give: rows of the array `name` along `axis`, or parts of it, which `how` combines."""

    name: str
    how: str
    axis: int = -1

    @property
    def stacked(self) -> bool:
        return self.how == "inside"


@dataclass(frozen=True, slots=True)
class Loop:
    """What is computed a slice at a time; what is sliced has the size `symbol` there, and `length` in all."""

    roots: tuple[Node, ...]
    makes: tuple[Made, ...]
    takes: tuple[Taken, ...]
    symbol: str
    length: int


Phase = Straight | Loop

_NEVER = 1e30  # operations for which nothing is computed again


def split(
    phase: Straight, start: Seeds, *, sizes: Sizes, taken: Collection[str], rate: float = inf, real: bool = True
) -> tuple[Phase, ...]:
    """A phase cut over an index; nothing where no node is cut, or there is no more than one slice.

    Names in `taken` are not given again. A value is computed again rather than kept where that costs less than
    `rate` operations an entry.
    """
    roles = joined(phase.roots, start, real=real)
    if all(role.how == "after" for role in roles.values()):
        return ()
    splitter = _Splitter(phase, roles, sizes, taken, rate, real)
    return splitter.phases() if splitter.length > 1 else ()


class _Splitter:
    def __init__(
        self,
        phase: Straight,
        roles: Mapping[Node, Role],
        sizes: Sizes,
        taken: Collection[str],
        rate: float,
        real: bool,
    ) -> None:
        self._phase, self._roles, self._sizes, self._rate, self._real = phase, roles, sizes, rate, real
        self._needs: Needs = needs(roles, real=real)
        self._order = list(postorder(phase.roots))
        self._free = arrayless(phase.roots)
        self._results = dict(zip(phase.roots, phase.makes, strict=True))
        self._names: dict[Node, str] = {}
        self.length = self._length()
        self._taken = {*taken, *phase.makes, *(tensor.name for tensor in inputs_of(phase.roots))}

    def phases(self) -> tuple[Phase, ...]:
        outside = dict.fromkeys([*self._needs.views, *(node for node in self._needs.whole if node not in self._free)])
        before = [node for node in outside if not isinstance(node, Input)]
        stacked, summed = self._handed_on(before)
        symbol = next(name for k in count() if (name := f"slice{k or ''}") not in self._sizes)
        cut = Cut(self._order, self._roles, self._needs, self._free, symbol, self._name, self._real)
        body = cut.body(stacked, summed)
        makes = [Made(self._name(node), "inside", axis) for node, axis in stacked.items()]
        makes += [Made(self._name(node), self._combined(node)) for node in summed]
        first = Straight(body.whole, tuple(map(self._name, body.whole)))
        loop = Loop(body.roots, tuple(makes), body.takes, symbol, self.length)
        last = self._after({*body.whole, *stacked, *summed})
        return tuple(phase for phase in (first, loop, last) if phase.roots)

    def _name(self, node: Node) -> str:
        """The name of a node's array: that of a result, where it is one, else a fresh one."""
        if node not in self._names:
            fresh = (name for k in count(1) if (name := f"part{k}") not in self._taken)
            result = None if self._is_peak(node) else self._results.get(node)
            self._names[node] = result or next(fresh)
            self._taken.add(self._names[node])
        return self._names[node]

    def _is_peak(self, node: Node) -> bool:
        return node in self._roles and self._roles[node].how == "peak"

    def _combined(self, node: Node) -> str:
        return "max" if self._is_peak(node) else self._roles[node].how

    def _length(self) -> int:
        """How long the index is."""
        node, role = next((node, role) for node, role in self._roles.items() if role.how != "after")
        sized = {label: size for k, child in enumerate(children(node))
                 for label, size in zip(reads(node, k), child.shape, strict=False)}  # fmt: skip
        return length(sized[role.label], self._sizes)

    def _handed_on(self, before: Collection[Node]) -> tuple[dict[Node, int], list[Node]]:
        """The nodes to stack, each with its axis, and those to combine, as far as others read them."""
        axes = self._stackable(before)
        forced = {root for root in self._phase.roots if root in axes}
        summed: set[Node] = set()
        wanted: dict[Node, None] = {}
        seen = {*forced, *before}
        waiting = list(self._phase.roots)
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self._roles and self._roles[node].summed:
                summed.add(node)
            elif node in axes:
                wanted[node] = None
            else:
                waiting.extend(children(node))
        given = {*forced, *before, *self._free, *summed}
        again = self._rate == inf  # then everything is computed again, and there is nothing to weigh
        more = set() if again else kept(wanted, axes.keys() - given, given, self._entries, self._operations)
        stacked = {node: axes[node] for node in self._order if node in more or node in forced}
        return stacked, [node for node in self._order if node in summed]

    def _stackable(self, before: Collection[Node]) -> dict[Node, int]:
        """The nodes that the slices compute on one axis."""
        axes = {node: role.axis for node, role in self._roles.items() if role.inside and not isinstance(node, OneHot)}
        variants: dict[Node, list[tuple[int, ...]]] = {}
        for node, own in self._needs.sliced:
            variants.setdefault(node, []).append(own)
        for node, (own, *others) in variants.items():
            if len(own) == 1 and not others and not isinstance(node, Input | OneHot | Ones | Delta):
                if node not in self._free and node not in before:
                    axes[node] = own[0]
        return axes

    def _entries(self, node: Node) -> int:
        return elements(node, self._sizes)

    def _operations(self, node: Node) -> float:
        """What computing a node again costs, in entries that might be kept instead."""
        return flops(node, self._sizes) / self._rate if self._rate else _NEVER

    def _after(self, made: Collection[Node]) -> Straight:
        """The rest of the program, from what was made."""
        images: dict[Node, Node] = {}
        for node in made:
            images[node] = stand_in(node, self._name(node))
            if self._is_peak(node):  # what shifts is 0 where the largest entry is infinite
                infinite = Map("equal", (Map("abs", (images[node],)), const(inf)))
                images[node] = Map("where", (infinite, const(0), images[node]))
        named = {self._results[node] for node in made if node in self._results and not self._is_peak(node)}
        left = [(root, name) for root, name in self._results.items() if name not in named]
        roots = substitute([root for root, _ in left], images)
        return Straight(roots, tuple(name for _, name in left))
