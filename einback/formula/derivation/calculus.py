"""The calculus of a derivation: differentials of its definitions, and the cotangents that they give back.

Each definition v = f(c, ..) of the program is differentiated once,

    dv = sum over c of (df/dc) dc,

by the rules of forward mode, and read for each of the dc once, by those of reverse mode: in

    <G_v, dv> = <G_v, (df/dc) dc> = <G_c, dc>

what stands beside dc, its indices moved out, is the cotangent of c, as far as it arrives through v. Cotangents that
arrive on several paths add up. At a result with axes cotangents carry these in front, and are Jacobians: dy = J_c dc.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from einback.derive.forward import jvp
from einback.derive.orders import identity
from einback.derive.reverse import vjp
from einback.formula.derivation.axes import axis_names
from einback.formula.derivation.cutting import Cut, Definition
from einback.formula.derivation.letters import DIFFERENTIAL, fresh
from einback.formula.derivation.marks import quotient
from einback.formula.forms import softmax, walk
from einback.ir.build import add, const, einsum, is_zero, stand_in
from einback.ir.nodes import Input, Map, Matrix, Node, Reduce, Shape
from einback.ir.walk import inputs_of, substitute
from einback.notation.unify import distinct_names
from einback.rules.simplify import normalise

__all__ = ["Calculus", "Edge", "calculus"]

_LINEAR_FACTS = frozenset({"complex", "diagonal", "lower", "symmetric"})  # of a tensor, and so of its differential


@dataclass(frozen=True, slots=True)
class Edge:
    """A definition that moves with a tensor that it reads.

    `push` is the differential of the one along that of the other, `pull` what the cotangent gives back.
    """

    reader: Definition
    read: Input
    push: Node
    pull: Node
    alone: bool = False  # whether all of the result's differential goes this way


@dataclass(frozen=True, slots=True)
class Calculus:
    """The definitions, in order and with helpers among them, and what moves."""

    definitions: tuple[Definition, ...]
    result: Input
    variable: Input
    lead: Shape
    edges: Mapping[Input, tuple[Edge, ...]]  # by reader, those that lead on to the variable
    tangents: Mapping[Input, Input]
    cotangents: Mapping[Input, Input]
    axes: Mapping[Input, tuple[str, ...]]  # of all symbols
    helpers: frozenset[Input]
    arrivals: Mapping[Input, int]  # on how many edges a cotangent arrives

    def pair(self, symbol: Input, moved: Node) -> Node:
        """<G, moved>: what a differential of a tensor, `moved`, gives to that of the result."""
        if symbol is self.result:
            return moved
        return self.paired(self.cotangents[symbol], moved)

    def paired(self, cotangent: Input, moved: Node) -> Node:
        """The sum over the entries of a differential times a cotangent, whose leading axes stay."""
        front, axes = range(len(self.lead)), range(len(self.lead), cotangent.rank)
        node = einsum([cotangent, moved], [range(cotangent.rank), axes], front)
        return Map("real", (node,)) if node.is_complex and not self.result.is_complex else node

    def derivative(self, edge: Edge) -> tuple[Input, Node]:
        """All entries of the derivative of a definition by a tensor that it reads: a symbol for it, and its value.

        Where the result reads a tensor on other ways too, that is not the whole of its derivative.
        """
        one, tangent = edge.reader.symbol, self.tangents[edge.read]
        direct = one is self.result and self.arrivals[edge.read] > 1
        name = quotient(one, edge.read, one.name if direct else "", whole=one is self.result)
        symbol = Input(name, one.shape + edge.read.shape, ())
        return symbol, normalise(vjp(edge.push, identity(edge.push), [tangent]))[0]

    def differential(self, symbol: Input) -> Node:
        """dv of a definition, along all that moves in it."""
        return normalise([add([edge.push for edge in self.edges[symbol]])])[0]


def calculus(cut: Cut, entries: bool = False) -> Calculus:
    """Differentiate all definitions that move with the variable.

    The cotangents of a result with axes carry these in front. With `entries` they are called what they are, ∂y/∂v.
    """
    return _Differentiation(cut, cut.definitions[-1].symbol.shape, set(cut.taken), entries).run()


@dataclass(slots=True)
class _Differentiation:
    cut: Cut
    lead: Shape
    taken: set[str]
    entries: bool
    definitions: list[Definition] = field(default_factory=list)
    edges: dict[Input, list[Edge]] = field(default_factory=dict)
    tangents: dict[Input, Input] = field(default_factory=dict)
    cotangents: dict[Input, Input] = field(default_factory=dict)
    axes: dict[Input, tuple[str, ...]] = field(default_factory=dict)
    helpers: dict[Node, Input] = field(default_factory=dict)

    def run(self) -> Calculus:
        result = self.result
        self.axes = dict(self.cut.axes)
        self.symbols(self.cut.variable)
        for definition in self.cut.definitions:
            self.definitions.append(definition)
            self.differentiate(definition, definition.symbol is result)
        live = self.live(result)
        edges = {one.symbol: tuple(e for e in self.edges.get(one.symbol, ()) if e.read in live)
                 for one in self.definitions if one.symbol in live}  # fmt: skip
        return Calculus(
            definitions=tuple(self.definitions),
            result=result,
            variable=self.cut.variable,
            lead=self.lead,
            edges=_alone({symbol: found for symbol, found in edges.items() if found}, result, self.cut.variable),
            tangents=self.tangents,
            cotangents=self.cotangents,
            axes=self.axes,
            helpers=frozenset(self.helpers.values()),
            arrivals=Counter(edge.read for found in edges.values() for edge in found),
        )

    @property
    def result(self) -> Input:
        return self.cut.definitions[-1].symbol

    def symbols(self, symbol: Input) -> None:
        """The stand-ins of the differential and of the cotangent of a tensor that moves."""
        facts = tuple(fact for fact in symbol.facts if fact in _LINEAR_FACTS)
        tangent = Input(DIFFERENTIAL + fresh(f"d{symbol.name}", self.taken)[1:], symbol.shape, facts)
        shape = self.lead + symbol.shape
        letter = "J" if self.lead else "G"
        name = quotient(self.result, symbol) if self.entries else f"{letter}_{symbol.name}"
        cotangent = Input(fresh(name, self.taken), shape, _complex(symbol.is_complex))
        front = self.axes[self.result]
        self.tangents[symbol], self.cotangents[symbol] = tangent, cotangent
        self.axes[tangent] = self.axes[symbol]
        self.axes[cotangent] = distinct_names((*front, *self.axes[symbol]))

    def differentiate(self, definition: Definition, last: bool) -> None:
        """The edges to all that a definition reads and that moves; one that moves with none does not move itself."""
        node, symbol = definition.node, definition.symbol
        moving = [one for one in inputs_of([node]) if one in self.tangents]
        if not moving:
            return
        self.symbols(symbol)
        arriving = (identity(symbol) if self.lead else const(1)) if last else self.cotangents[symbol]
        pulls = normalise(vjp(node, arriving, moving))
        kept = [k for k, pull in enumerate(pulls) if not is_zero(pull)]
        if not kept:
            del self.tangents[symbol], self.cotangents[symbol]
            return
        pushes = normalise([jvp(node, {moving[k]: self.tangents[moving[k]]}) for k in kept])
        told = self.told(definition, [*pushes, *(pulls[k] for k in kept)])
        found = normalise(substitute([*pushes, *(pulls[k] for k in kept)], told))
        half = len(kept)
        self.edges[symbol] = [Edge(definition, moving[k], found[m], found[half + m]) for m, k in enumerate(kept)]

    def told(self, definition: Definition, derivatives: Sequence[Node]) -> dict[Node, Node]:
        """What derivatives read by name: the function's own value, and a softmax, which is defined for that."""
        told: dict[Node, Node] = {}
        for node in walk(derivatives):
            if node is not definition.node and softmax(node) is not None:
                if node not in self.helpers:
                    name = "P" if node.rank else "p"
                    if name in self.taken:
                        name = next(f"{name}_{k}" for k in count(1) if f"{name}_{k}" not in self.taken)
                    helper = self.helpers[node] = stand_in(node, fresh(name, self.taken))
                    self.definitions.insert(-1 if definition.symbol is self.result else
                                            len(self.definitions), Definition(helper, node))  # fmt: skip
                    self.axes[helper] = axis_names(node, self.axes)
                told[node] = self.helpers[node]
        if isinstance(definition.node, Map | Reduce | Matrix):
            told[definition.node] = definition.symbol
        return told

    def live(self, result: Input) -> set[Input]:
        """What lies on a path from the result to the variable along which something moves."""
        live = {result}
        for definition in reversed(self.definitions):
            if definition.symbol in live:
                live.update(edge.read for edge in self.edges.get(definition.symbol, ()))
        return live


def _complex(is_complex: bool) -> tuple[str, ...]:
    return ("complex",) if is_complex else ()


def _alone(edges: dict[Input, tuple[Edge, ...]], result: Input, variable: Input) -> dict[Input, tuple[Edge, ...]]:
    """The edges, with those marked that all paths from the variable to the result share."""
    up: Counter[Input] = Counter({variable: 1})  # paths from the variable
    for symbol, found in edges.items():
        up[symbol] = sum(up[edge.read] for edge in found)
    down: Counter[Input] = Counter({result: 1})  # paths to the result
    for symbol, found in reversed(edges.items()):
        for edge in found:
            down[edge.read] += down[symbol]
    return {
        symbol: tuple(replace(edge, alone=up[edge.read] * down[symbol] == up[result]) for edge in found)
        for symbol, found in edges.items()
    }
