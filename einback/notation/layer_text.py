"""The text of a layer: one line of index notation, or a bare einsum string.

    h[n,k] = relu(x[n,d] W[d,k] + b[k])        slots x, W, b
    nd,dk->nk                                  slots x, W (then W2, W3, ..)

The slots are the tensors that the line reads, in order of appearance. Some are bound to nodes; the rest
become inputs, which take the layer's name behind their own, and so do the sizes that nothing fixes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from einback.ir.nodes import Input, Node
from einback.ir.sizes import Size
from einback.notation import messages, string_messages
from einback.notation.einsum_string import Label, Spec, einsum_node, parse_spec
from einback.notation.elaborate import Program, elaborate
from einback.notation.unify import distinct_names

__all__ = ["LayerText", "parse_layer"]


@dataclass(frozen=True, slots=True)
class LayerText:
    """A layer's line: its slots, the indices that name sizes, and the name of its result.

    `spec` is the einsum string, taken apart, where the text is one.
    """

    text: str
    slots: tuple[str, ...]
    indices: tuple[str, ...]
    output: str
    spec: Spec | None = None

    def bind(self, positional: Sequence[Node], named: Mapping[str, Node]) -> dict[str, Node]:
        """The nodes of the slots that are given, by position or by name."""
        if len(positional) > len(self.slots):
            raise string_messages.too_many_arguments(len(positional), self.slots, self.text)
        bound = dict(zip(self.slots, positional, strict=False))
        for name, node in named.items():
            if name not in self.slots:
                raise string_messages.unknown_slot(name, self.slots, self.text)
            if name in bound:
                raise string_messages.bound_slot_twice(name, self.text)
            bound[name] = node
        return bound

    def build(self, bound: Mapping[str, Node], name: str = "", sizes: Mapping[str, Size] | None = None) -> Program:
        """The layer on its arguments; `program.tensors` is by slot, and `program.inputs` are its parameters."""
        sizes = sizes or {}
        for index in sizes:
            if index not in self.indices:
                raise messages.no_such_size(index, self.indices)
        suffix = f"_{name}" if name else ""
        if self.spec is not None:
            return self._einsum(self.spec, bound, suffix, sizes)
        program = elaborate(self.text, bound, sizes, {slot: slot + suffix for slot in self.slots}, suffix=suffix)
        for slot, node in program.tensors.items():
            if slot not in bound and isinstance(node, Input) and "integer" in node.facts:
                raise string_messages.lookup_as_parameter(slot, self.text)
        return program

    def _einsum(self, spec: Spec, bound: Mapping[str, Node], suffix: str, sizes: Mapping[str, Size]) -> Program:
        """An einsum string; a label of a parameter has the size that a bound operand or `sizes` gives it."""
        known = dict(sizes)
        for slot, term in zip(self.slots, spec.terms, strict=True):
            if slot in bound:
                axes = zip(term.axes(bound[slot].rank), bound[slot].shape, strict=False)
                known |= {label.name: size for label, size in axes if isinstance(label, Label)}
        tensors: dict[str, Node] = {}
        for slot, term in zip(self.slots, spec.terms, strict=True):
            if slot not in bound and term.ellipsis is not None:
                raise string_messages.parameter_with_ellipsis(slot, self.text, term.span)
            shape = tuple(known.get(label.name, label.name + suffix) for label in term.labels)
            tensors[slot] = bound[slot] if slot in bound else Input(slot + suffix, shape, ())
        made = tuple(node for slot, node in tensors.items() if slot not in bound and isinstance(node, Input))
        result = einsum_node(self.text, list(tensors.values()), self.slots, sizes)
        names = {
            slot: distinct_names(axis.name if isinstance(axis, Label) else "" for axis in term.axes(tensors[slot].rank))
            for slot, term in zip(self.slots, spec.terms, strict=True)
        }
        size_names: dict[Size, tuple[str, ...]] = {}
        for label, size in result.label_sizes.items():
            size_names[size] = (*size_names.get(size, ()), label)
        return Program(
            tensors | {self.output: result.node},
            made,
            names | {self.output: result.out_names},
            size_names,
            result.equalities,
            (self.output,),
        )


def parse_layer(text: str) -> LayerText:
    """Read the line of a layer.

    >>> parse_layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])").slots, parse_layer("nd,dk,km->nm").slots
    (('x', 'W', 'b'), ('x', 'W', 'W2'))
    """
    if "=" not in text:
        spec = parse_spec(text)
        numbered = [f"W{k}" for k in range(2, len(spec.terms))]
        labels = dict.fromkeys(label.name for term in spec.terms for label in term.labels)
        return LayerText(text, ("x", "W", *numbered)[: len(spec.terms)], tuple(labels), "y", spec)
    program = elaborate(text, strict=False)
    if len(program.outputs) > 1:
        raise string_messages.layer_statements(len(program.outputs))
    return LayerText(text, tuple(node.name for node in program.inputs), program.sized, program.outputs[0])
