"""The steps of a derivation, in the order in which they are written: each an equation and the rule that it holds by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from einback.formula.derivation.calculus import Calculus, Edge
from einback.formula.derivation.cutting import Definition
from einback.formula.derivation.letters import DIFFERENTIAL, fresh, plain_name
from einback.formula.derivation.marks import quotients_text
from einback.formula.derivation.wording import convention_rule, forward_rule, reverse_rule, simplifications
from einback.formula.names import Names
from einback.formula.subject import Subject, Within
from einback.ir.build import add
from einback.ir.nodes import Add, Input, Node
from einback.ir.sizes import Size
from einback.ir.walk import substitute
from einback.rules.engine import Rule as Rewrite
from einback.rules.engine import Surroundings, rewrite
from einback.rules.simplify import LOCAL, SHARING, normalise

__all__ = ["SECTIONS", "Part", "Section", "Writer", "fired_rules"]

Section = Literal["definitions", "differentials", "derivatives", "cotangents", "result"]

SECTIONS: Mapping[Section, str] = {
    "definitions": "Definitions",
    "differentials": "Differentials",
    "derivatives": "Derivatives of each definition, entry by entry",
    "cotangents": "Backwards, from the result to the variable",
    "result": "Result",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One step: the equation that it ends in, behind a chain of equal expressions that lead there.

    `symbol` is the tensor that it speaks of, and `edge` says from where to where a cotangent is given back.
    """

    section: Section
    rule: str
    about: str
    equation: Subject
    symbol: Input
    edge: Edge | None = None
    chain: tuple[Subject, ...] = ()


@dataclass(slots=True)
class Writer:
    """Writes the steps by differentials: <G_v, dv> = <G_c, dc>."""

    found: Calculus
    pool: Mapping[Size, tuple[str, ...]]
    given: dict[Input, Node] = field(default_factory=dict)  # cotangents and their shares, each from those before
    taken: set[str] = field(default_factory=set)
    arrived: dict[Input, list[Input]] = field(default_factory=dict)  # shares of a cotangent, where there are several
    symbols: tuple[str, ...] = field(init=False)  # the names of all tensors, which no definition inside a step may have

    def __post_init__(self) -> None:
        self.symbols = tuple(one.name for one in self.found.axes)

    def steps(self, result: Subject, made: Node | None, fired: Sequence[str]) -> Iterator[Part]:
        """All steps. `result` is the derivative as it is printed; `made` what conventions make of the cotangent."""
        found = self.found
        yield from self.definitions()
        for definition in found.definitions:
            if definition.symbol in found.edges:
                yield from self.differentiated(definition)
        for definition in reversed(found.definitions):
            if definition.symbol in found.edges:
                yield from self.collected(definition.symbol)
                for edge in found.edges[definition.symbol]:
                    yield from self.given_back(edge, found.arrivals[edge.read] > 1)
        yield from self.collected(found.variable)
        yield from self.last(result, made, fired)

    def last(self, result: Subject, made: Node | None, fired: Sequence[str]) -> Iterator[Part]:
        """The result: all cotangents inserted, what conventions make of it, and the form that it is printed in."""
        found, variable = self.found, self.found.variable
        if found.result not in found.edges:
            about = f"nothing that moves with {variable.name} reaches {found.result.name}"
            yield Part("result", "no path", about, result, variable)
            return
        inserted: dict[Node, Node] = {}
        for cotangent, value in self.given.items():
            (inserted[cotangent],) = substitute([value], inserted)
        last = found.cotangents[variable]
        name, whole = last.name, self.subject(last.name, inserted[last], last)
        whole = replace(whole, within=Within(outputs=len(found.lead)))
        told = [] if len(self.given) == 1 else ["the steps before are inserted, one into the other"]
        if told and (whole.node is not result.node or made is not None):
            yield Part("result", "insertion", told.pop(), whole, variable)
        rule = convention_rule(variable)
        if made is not None and rule is not None:
            name = f"gradient_{variable.name}"
            yield Part("result", *rule, self.subject(name, made, last), variable)
        if whole.node is not result.node and len(found.definitions) > 1:
            told.append("the definitions are inserted")
        told += simplifications(fired)
        if result.name in (plain_name(found.tangents[variable]), found.result.name):
            told.append(f"{result.name} names the derivative here")
        yield Part("result", f"final form of {quotients_text(name)}", "; ".join(told), result, variable)

    def definitions(self) -> Iterator[Part]:
        for one in self.found.definitions:
            helps = one.symbol in self.found.helpers
            fixed = one.symbol not in self.found.edges and not helps
            about = (
                f"does not move with {self.found.variable.name}"
                if fixed
                else "the softmax, which derivatives read" * helps
            )
            yield Part(
                "definitions", "definition", about, self.subject(one.symbol.name, one.node, one.symbol), one.symbol
            )

    def differentiated(self, definition: Definition) -> Iterator[Part]:
        symbol = definition.symbol
        rule, about = forward_rule(definition.node, self.found.tangents)
        equation = self.subject(self.found.tangents[symbol].name, self.found.differential(symbol), symbol)
        moving = Within(tuple(self.found.tangents[edge.read].name for edge in self.found.edges[symbol]))
        yield Part("differentials", rule, about, replace(equation, within=moving), symbol)

    def given_back(self, edge: Edge, shared: bool) -> Iterator[Part]:
        """<G_v, dv> = <G_v, (df/dc) dc> = <G_c, dc>, and with it the cotangent of c as far as it comes through v."""
        found, symbol, read = self.found, edge.reader.symbol, edge.read
        cotangent = found.cotangents[read]
        if shared:
            cotangent = self.share(edge, f"{cotangent.name}_{symbol.name}")
        total = found.tangents[found.result].name
        name = total if edge.alone else f"{total}_{read.name}" + (f"_{symbol.name}" if shared else "")
        self.given[cotangent] = edge.pull
        pairs = [found.pair(symbol, edge.push), self.paired(cotangent, read)]
        if symbol is not found.result and edge.alone:
            pairs.insert(0, found.pair(symbol, found.tangents[symbol]))
        chain = [self.subject(name, pair, found.result) for pair in normalise(pairs)]
        lines = self.lines(edge, cotangent)
        chain = [replace(one, within=within) for one, within in zip(chain, lines[-1 - len(chain) : -1], strict=True)]
        rule, about = reverse_rule(edge.reader.node, read)
        if not edge.alone:
            through = "" if symbol is found.result else f" through {plain_name(found.tangents[symbol])}"
            moved = plain_name(found.tangents[read])
            part = f"the part of {total.replace(DIFFERENTIAL, 'd')} that {moved} makes{through}"
            about = f"{part}; {about}" if about else part
        equation = self.subject(cotangent.name, edge.pull, found.cotangents[read])
        yield Part("cotangents", rule, about, replace(equation, within=lines[-1]), read, edge, tuple(chain))

    def lines(self, edge: Edge, cotangent: Input) -> list[Within | None]:
        """The lines of a step, <J, dv>, <J, (dv/dc) dc>, <J_c, dc> and J_c, for where matrices are laid in vectors."""
        found, symbol, moved = self.found, edge.reader.symbol, self.found.tangents[edge.read]
        if edge.push.is_complex or edge.pull.is_complex:
            return [None] * 4
        along, outputs = (moved.name,), len(found.lead)
        if not outputs:
            arriving = () if symbol is found.result else (found.cotangents[symbol].name,)
            return [None, None, None, Within(arriving)]
        if symbol is found.result:
            return [None, Within(along), Within(pair=(cotangent, moved)), Within(outputs=outputs)]
        pair = found.cotangents[symbol], found.tangents[symbol]
        push = replace(self.subject(moved.name, edge.push, symbol), within=Within(along))
        return [
            Within(pair=pair), Within(pair=pair, push=push), Within(pair=(cotangent, moved)),
            Within(outputs=outputs, pair=pair, push=push),
        ]  # fmt: skip

    def share(self, edge: Edge, name: str) -> Input:
        """What stands for the share of a cotangent that comes through one of the definitions that read its tensor."""
        cotangent = self.found.cotangents[edge.read]
        self.taken = self.taken or {one.name for one in self.found.axes}
        share = Input(fresh(name, self.taken), cotangent.sizes, cotangent.facts)
        self.arrived.setdefault(edge.read, []).append(share)
        return share

    def paired(self, cotangent: Input, read: Input) -> Node:
        return self.found.paired(cotangent, self.found.tangents[read])

    def collected(self, symbol: Input) -> Iterator[Part]:
        """The sum of what arrived at a tensor, where that came on several ways."""
        shares = self.arrived.get(symbol)
        if shares:
            cotangent = self.found.cotangents[symbol]
            about = f"{symbol.name} is read {_times(len(shares))}"
            self.given[cotangent] = add(shares)
            equation = self.subject(cotangent.name, self.given[cotangent], cotangent)
            yield Part("cotangents", "sum over the paths", about, equation, symbol)

    def subject(self, name: str, node: Node, like: Input) -> Subject:
        return Subject(normalise([node])[0], name, self.names(self.found.axes[like]))

    def names(self, axes: tuple[str, ...]) -> Names:
        return Names(axes, self.pool, taken=self.symbols)


def _times(number: int) -> str:
    return {2: "twice", 3: "three times"}.get(number, f"{number} times")


def fired_rules(root: Node) -> tuple[str, ...]:
    """The names of the rules that change something while a derivative is simplified."""
    fired: dict[str, None] = {}

    def told(rule: Rewrite) -> Rewrite:
        def applied(node: Node, around: Surroundings) -> Node | None:
            changed = rule(node, around)
            if changed is not None and changed is not node and _tells(rule.__name__, node):
                fired[rule.__name__] = None
            return changed

        return applied

    local, sharing = ({kind: tuple(map(told, rules)) for kind, rules in table.items()} for table in (LOCAL, SHARING))
    rewrite([root], local, sharing, merging=False)
    return tuple(fired)


def _tells(rule: str, node: Node) -> bool:
    """Whether what a rule does to a node is worth a word: collecting is, where a term stands twice."""
    return rule != "collect_terms" or (isinstance(node, Add) and len(set(node.terms)) < len(node.terms))
