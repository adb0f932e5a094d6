"""Which sub-nodes get a line of their own.

A node is defined once and then read by name if the user named it, if it is read more than once and is more
than a glance, if it is a softmax inside something larger, or if the line around it would grow too long or
too deep. Views (a transpose, a broadcast, a multiple) are not worth a name: what they read may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from einback.formula.forms import is_size, log_softmax, parts, softmax, view, walk
from einback.formula.relations import flattened, gathered_by, read_at_places
from einback.ir.nodes import Add, Const, Einsum, Input, Map, Matrix, Node, Range, Reduce, Window
from einback.rules.relations import is_window_view
from einback.rules.scalar import row

__all__ = ["definitions"]

_WIDE = 80  # characters of a right-hand side
_DEEP = 3  # brackets inside brackets
_NESTED = 20  # nodes inside nodes, with brackets or without
_WORTH = 16  # characters that a name should save


def definitions(
    roots: Sequence[Node], users: Container[Node], fixed: Container[Node] = (), inline: bool = False
) -> list[Node]:
    """The nodes below the roots that are defined on lines of their own, what is read first standing first.

    `users` are the nodes that the user named; `fixed` ones have a name already and are not looked into. A
    softmax inside something larger is defined unless it is wanted `inline`, and so are views that windows read or
    that are gathered by.
    """
    order = [node for node in walk(roots, fixed) if node not in fixed]
    forced = {part for node in order for part in read_at_places(node) if not inline or not _is_view(part)}
    forced |= {ids for node in order for ids in gathered_by(node) if not inline or not _is_place(ids, fixed)}
    forced |= {node.arg for node in order if isinstance(node, Matrix)}
    outline = _Outline(frozenset(roots), users, fixed, _uses(order, roots, fixed), forced, inline)
    for node in order:
        outline.visit(node)
    return [node for node in order if node in outline.chosen]


def _is_view(node: Node) -> bool:
    return isinstance(node, Einsum) and (view(node) is not None or is_window_view(node))


def _is_place(node: Node, named: Container[Node]) -> bool:
    """Whether a node is written as one tensor at some places, t[2*i+1]."""
    while node not in named and not isinstance(node, Input):
        if not isinstance(node, Einsum) or len(set(node.out)) < len(node.out):
            return False
        windows = is_window_view(node) and not flattened(node)
        inner = next(part for part in node.operands if not isinstance(part, Window)) if windows else view(node)
        if inner is None:
            return False
        node = inner
    return True


@dataclass(frozen=True, slots=True)
class _Measure:
    """How large a node is where it is inlined: characters, nested brackets and nodes, operations, tensors."""

    width: int
    brackets: int = 0
    nodes: int = 0
    operations: int = 0
    tensors: int = 0


@dataclass(slots=True)
class _Outline:
    roots: frozenset[Node]
    users: Container[Node]
    fixed: Container[Node]
    uses: Counter[Node]
    forced: Container[Node]
    inline: bool
    chosen: set[Node] = field(default_factory=set)
    measures: dict[Node, _Measure] = field(default_factory=dict)

    def visit(self, node: Node) -> None:
        """Decide about a node whose parts are decided."""
        self.measure(node)
        if not isinstance(node, Add):  # a long sum goes on over several lines
            while self.measures[node].width > _WIDE and (trail := self.widest(node)):
                self.chosen.add(trail[-1])
                for changed in (*trail[-2::-1], node):
                    self.measure(changed)
        if node not in self.roots and self.worth_a_name(node):
            self.chosen.add(node)

    def worth_a_name(self, node: Node) -> bool:
        if isinstance(node, Input | Const | Range) or is_size(node):
            return False
        if node in self.users or node in self.forced:
            return True
        measure = self.measures[node]
        if view(node) is not None:
            return measure.nodes > _NESTED
        if measure.brackets > _DEEP or measure.nodes > _NESTED:
            return True
        if softmax(node, self.fixed) is not None and not self.inline:
            return True
        return self.uses[node] > 1 and not self.glance(node)

    def glance(self, node: Node) -> bool:
        """Whether a node is read as quickly as a name would be: one tensor, one operation."""
        measure = self.measures[node]
        named = isinstance(node, Map) and node.fn == "sigmoid"
        return measure.operations <= 1 and measure.tensors <= 1 and not named

    def widest(self, node: Node) -> list[Node]:
        """The way to what should be named to save most; empty if nothing is worth it."""
        trails = [self.trail(part) for part in parts(node, self.fixed)]
        trails = [way for way in trails if not self.is_named(way[-1]) and self.measures[way[-1]].operations]
        trails = [way for way in trails if self.measures[way[-1]].width >= _WORTH]
        return max(trails, key=lambda way: self.measures[way[-1]].width, default=[])

    def trail(self, part: Node) -> list[Node]:
        """From a part to what to name in it: not a view, and not a log-softmax, which reads well where it stands."""
        way = [part]
        while not self.is_named(way[-1]):
            found = log_softmax(way[-1], self.fixed)
            inner = view(way[-1]) if found is None else found.arg
            if inner is None:
                break
            way.append(inner)
        return way

    def is_named(self, node: Node) -> bool:
        return node in self.chosen or node in self.roots or node in self.fixed

    def measure(self, node: Node) -> None:
        inner = [_reference(part) if self.is_named(part) else self.measures[part] for part in parts(node, self.fixed)]
        brackets = max((m.brackets for m in inner), default=0)
        operations, tensors = sum(m.operations for m in inner), sum(m.tensors for m in inner)
        width = sum(m.width + 1 for m in inner)
        match node:
            case Input():
                self.measures[node] = _reference(node)
                return
            case Range():
                width = 1
            case Einsum() if is_size(node):
                width = 7
            case Einsum():
                sums = any(isinstance(part, Add) and not self.is_named(part) for part in parts(node, self.fixed))
                brackets += sums
                width += 2 * sums
                operations += view(node) is None
            case Add():
                operations += max(1, len(inner) - 1)
                width += 2 * len(inner)
            case Map() | Reduce():
                fn = node.fn
                signed = fn == "power" or (isinstance(node, Map) and row(fn).predicate)
                brackets += bool(brackets or operations) and not signed
                operations += 1
                width += 3 if signed else len(fn) + 2
            case Matrix():
                operations += 1
                width = len(node.fn) + 4 + 2 * node.rank
        nodes = 1 + max((m.nodes for m in inner), default=0)
        self.measures[node] = _Measure(width, brackets, nodes, operations, tensors)


def _reference(node: Node) -> _Measure:
    name = node.name if isinstance(node, Input) else "Z"
    return _Measure(len(name) + 2 * node.rank + bool(node.rank), tensors=1)


def _uses(order: Iterable[Node], roots: Iterable[Node], fixed: Container[Node]) -> Counter[Node]:
    """How often each node is read; a view that is read twice reads twice."""
    uses = Counter(roots)
    for node in reversed(list(order)):  # readers first
        weight = uses[node] if view(node) is not None else 1
        for part in parts(node, fixed):
            uses[part] += weight
    return uses
