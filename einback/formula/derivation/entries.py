"""The steps entry by entry: ∂L/∂W[d,m] as a sum of products ∂L/∂Y[n,m'] ∂Y[n,m']/∂W[d,m], deltas and all."""

from __future__ import annotations

from collections.abc import Iterator

from einback.formula.derivation.calculus import Edge
from einback.formula.derivation.cutting import Definition
from einback.formula.derivation.marks import quotient
from einback.formula.derivation.steps import Part, Writer
from einback.formula.derivation.wording import forward_rule
from einback.formula.subject import Subject
from einback.ir.build import einsum
from einback.ir.nodes import Delta, Einsum, Input, Node
from einback.ir.walk import postorder
from einback.notation.unify import distinct_names

__all__ = ["EntryWriter"]


class EntryWriter(Writer):
    """Writes the steps by derivatives of entries by entries."""

    __slots__ = ()

    def differentiated(self, definition: Definition) -> Iterator[Part]:
        """The derivative of a definition by each of the tensors that it moves with."""
        found, symbol = self.found, definition.symbol
        for edge in found.edges[symbol]:
            rule, about = forward_rule(definition.node, {edge.read: edge.read})
            mark, node = found.derivative(edge)
            names = distinct_names((*found.axes[symbol], *found.axes[edge.read]))
            equation = Subject(node, mark.name, self.names(names))
            yield Part("derivatives", rule, about, equation, symbol, edge)

    def given_back(self, edge: Edge, shared: bool) -> Iterator[Part]:
        """The chain rule: a sum over all entries of what stands between."""
        found, reader, read = self.found, edge.reader.symbol, edge.read
        cotangent = found.cotangents[read]
        if shared:
            cotangent = self.share(edge, quotient(found.result, read, reader.name))
        self.given[cotangent] = edge.pull
        if reader is found.result:
            return  # said already, by its derivative
        names = self.names(found.axes[found.cotangents[read]])
        mark, node = found.derivative(edge)
        arriving = found.cotangents[reader]
        chain = [Subject(_chained(arriving, one, reader), cotangent.name, names) for one in (mark, node)]
        equation = self.subject(cotangent.name, edge.pull, found.cotangents[read])
        deltas = any(map(_is_delta, postorder([node])))
        about = "the deltas are contracted" if deltas else ""
        yield Part("cotangents", "chain rule", about, equation, read, edge, tuple(chain))


def _is_delta(node: Node) -> bool:
    return isinstance(node, Delta) or (isinstance(node, Einsum) and len(set(node.out)) < len(node.out))


def _chained(arriving: Input, derivative: Node, between: Input) -> Node:
    """A cotangent times a derivative, summed over the entries between; products stay as they are."""
    lead = arriving.rank - between.rank
    axes = range(derivative.rank - between.rank)
    inner = [("between", k) for k in range(between.rank)]
    front = [("lead", k) for k in range(lead)]
    own = [("own", k) for k in axes]
    return einsum([arriving, derivative], [[*front, *inner], [*inner, *own]], [*front, *own])
