"""Einsum strings: all of NumPy's notation, words for labels, and repeated output labels.

    "ij,jk->ik"                         a letter is a label; blanks mean nothing
    "ij,jk"                             no arrow: the labels that occur once, in alphabetical order
    "...ij,...jk->...ik"                an ellipsis stands for further axes, aligned from the right; an axis
                                        of size 1 is repeated there, and only there
    "batch head, head k -> batch k"     a term with blanks inside makes words of all labels
    "i->ii", "ii->i"                    a repeated label writes or reads a diagonal

Without an arrow the axes of the ellipsis come first, as in NumPy. Equal labels are equal sizes: symbols
that meet are reported as equalities, integers that differ are an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from einback.errors import ShapeError, Span
from einback.ir import build
from einback.ir.nodes import Node, Ones
from einback.ir.sizes import Equality, Size
from einback.notation import messages, string_messages
from einback.notation.tokens import Names, scan_name, scan_primes
from einback.notation.unify import Indices, distinct_names
from einback.rules.composite import broadcast_shapes

__all__ = ["EinsumResult", "Label", "Spec", "Term", "einsum_node", "parse_spec"]


@dataclass(frozen=True, slots=True)
class Label:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Term:
    """The labels of one operand; `ellipsis` is the position of the ellipsis among them, if there is one."""

    labels: tuple[Label, ...]
    ellipsis: int | None
    span: Span

    def axes(self, rank: int) -> list[Label | int]:
        """A label, or a position in the ellipsis counted from the right, for each axis of an operand."""
        at = len(self.labels) if self.ellipsis is None else self.ellipsis
        return [*self.labels[:at], *range(rank - len(self.labels), 0, -1), *self.labels[at:]]


@dataclass(frozen=True, slots=True)
class Spec:
    """An einsum string, taken apart; `output` is None where there is no arrow."""

    text: str
    terms: tuple[Term, ...]
    output: Term | None


@dataclass(frozen=True, slots=True)
class EinsumResult:
    """The node, the labels of its axes ("" where there is none), the size of each label, what became equal."""

    node: Node
    out_names: tuple[str, ...]
    label_sizes: dict[str, Size]
    equalities: frozenset[Equality]


def einsum_node(
    spec: str, operands: Sequence[Node], names: Sequence[str] = (), sizes: Mapping[str, Size] | None = None
) -> EinsumResult:
    """The einsum of some nodes.

    `names` are the operands' names for messages. `sizes` gives sizes of labels; an output label with a size
    that no operand has repeats the result along a new axis.

    >>> from einback.ir.nodes import Input
    >>> einsum_node("nd,dc", [Input("X", ("n", "d"), ()), Input("W", ("e", 3), ())]).node.shape
    (3, 'n')
    """
    return _Binding(parse_spec(spec), operands, names, sizes or {}).result()


# Parsing


def parse_spec(text: str) -> Spec:
    """Take an einsum string apart."""
    if not isinstance(text, str):
        raise messages.not_a_string(text)
    arrow = text.find("->")
    if arrow >= 0 and (again := text.find("->", arrow + 2)) >= 0:
        raise string_messages.two_arrows(text, (again, again + 2))
    for at, char in enumerate(text):
        if char in "->" and not (arrow <= at < arrow + 2 and arrow >= 0):
            raise string_messages.half_arrow(text, (at, at + 1))
    left = text if arrow < 0 else text[:arrow]
    pieces = list(_pieces(left))
    if arrow >= 0:
        pieces.append((arrow + 2, len(text)))
        if (comma := text.find(",", arrow)) >= 0:
            raise string_messages.comma_in_output(text, (comma, comma + 1))
    words = any(len(text[start:end].split()) > 1 for start, end in pieces)
    names = Names(text)
    terms = tuple(_term(text, piece, words, names) for piece in pieces)
    return Spec(text, terms, None) if arrow < 0 else Spec(text, terms[:-1], terms[-1])


def _pieces(left: str) -> Iterator[Span]:
    start = 0
    for piece in left.split(","):
        yield start, start + len(piece)
        start += len(piece) + 1


def _term(text: str, piece: Span, words: bool, names: Names) -> Term:
    labels: list[Label] = []
    ellipsis = None
    at, stop = piece
    while at < stop:
        if text[at].isspace():
            at += 1
        elif text.startswith("...", at):
            if ellipsis is not None:
                raise string_messages.two_ellipses(text, (at, at + 3))
            ellipsis, at = len(labels), at + 3
        elif text[at] == ".":
            raise string_messages.lone_dot(text, (at, at + 1))
        else:
            if not text[at].isidentifier():
                raise string_messages.bad_label(text, at)
            end = min(scan_name(text, at), stop) if words else at + 1
            name = names.normal(text[at:end], (at, end))
            end, primes = scan_primes(text, end)
            labels.append(Label(name + "'" * primes, (at, end)))
            at = end
    inner = text[piece[0] : stop]
    start = piece[0] + len(inner) - len(inner.lstrip())
    return Term(tuple(labels), ellipsis, (start, max(start, piece[0] + len(inner.rstrip()))))


# Binding to operands


class _Binding:
    """One string on its operands: every check, and then the node."""

    def __init__(self, spec: Spec, operands: Sequence[Node], names: Sequence[str], sizes: Mapping[str, Size]) -> None:
        if len(operands) != len(spec.terms):
            raise string_messages.operand_count(len(spec.terms), len(operands), names, spec.text)
        self.spec = spec
        self.operands = list(operands)
        self.places = [_place(k, names) for k in range(len(operands))]
        self.sizes = sizes
        self.indices = Indices("label")
        self.axes = [self._axes(*pair) for pair in zip(spec.terms, operands, self.places, strict=True)]
        self.covered, self.equalities = self._broadcast()

    def result(self) -> EinsumResult:
        for term, operand, axes, place in zip(self.spec.terms, self.operands, self.axes, self.places, strict=True):
            self._meet(axes, operand, place, term)
        out = self._output()
        labels = [self._labels(k) for k in range(len(self.spec.terms))]
        for label, size in self.sizes.items():
            if label not in self.indices and label not in out:
                raise messages.no_such_size(label, self.indices.names())
            new = label not in self.indices
            self.indices.preset(label, size)
            if new:
                self.operands.append(Ones(size))
                labels.append([label])
        return EinsumResult(
            build.einsum(self.operands, labels, out),
            distinct_names(self._name(one) for one in out),
            {label: self.indices.size(label) for label in self.indices.names()},
            self.indices.equalities() | self.equalities,
        )

    def _axes(self, term: Term, operand: Node, place: str) -> list[Label | int]:
        covered = operand.rank - len(term.labels)
        if covered < 0 or (covered and term.ellipsis is None):
            raise string_messages.operand_rank(place, len(term.labels), operand.rank, self.spec.text, term.span)
        return term.axes(operand.rank)

    def _broadcast(self) -> tuple[tuple[Size, ...], frozenset[Equality]]:
        """The sizes that the ellipsis stands for."""
        shapes = [
            tuple(size for axis, size in zip(axes, operand.shape, strict=True) if isinstance(axis, int))
            for axes, operand in zip(self.axes, self.operands, strict=True)
        ]
        try:
            return broadcast_shapes(*shapes)
        except ShapeError as error:
            dots = self.spec.text.find("...")
            raise error.located(self.spec.text, (dots, dots + 3)) from None

    def _meet(self, axes: Sequence[Label | int], operand: Node, place: str, term: Term) -> None:
        for axis, size in zip(axes, operand.shape, strict=True):
            if isinstance(axis, Label):
                try:
                    self.indices.meet(axis.name, size, f"in {place}")
                except ShapeError as error:
                    raise error.located(self.spec.text, axis.span) from None

    def _labels(self, k: int) -> list[Hashable]:
        """What `build.einsum` calls the axes of an operand."""
        labels: list[Hashable] = []
        for axis, size in zip(self.axes[k], self.operands[k].shape, strict=True):
            if isinstance(axis, Label):
                labels.append(axis.name)
            elif size == 1 and self.covered[-axis] != 1:
                labels.append(("one", k, axis))  # repeated: read at its only entry
            else:
                labels.append(axis)
        return labels

    def _output(self) -> list[str | int]:
        """A label's name or a position in the ellipsis for each axis of the result."""
        dots: list[str | int] = list(range(len(self.covered), 0, -1))
        output = self.spec.output
        if output is None:
            seen = Counter(label.name for term in self.spec.terms for label in term.labels)
            return dots + sorted(name for name, times in seen.items() if times == 1)
        if output.ellipsis is None and dots:
            raise string_messages.lost_ellipsis(len(dots), self.spec.text, output.span)
        for label in output.labels:
            if label.name not in self.indices and label.name not in self.sizes:
                raise string_messages.unknown_output_label(label.name, self.spec.text, label.span)
        names = [label.name for label in output.labels]
        at = len(names) if output.ellipsis is None else output.ellipsis
        return [*names[:at], *dots, *names[at:]]

    def _name(self, axis: str | int) -> str:
        """What an axis of the result is called; one under the ellipsis by its size, if that is free."""
        if isinstance(axis, str):
            return axis
        size = self.covered[-axis]
        return size if isinstance(size, str) and size not in self.indices else ""


def _place(k: int, names: Sequence[str]) -> str:
    name = names[k] if k < len(names) else ""
    return f"operand {k + 1} ({name})" if name else f"operand {k + 1}"
