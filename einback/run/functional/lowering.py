"""Lowering of a program that is cut into pairs to expressions of a target, one step a statement.

Views never become statements, and numbers stay numbers; each node that heads a step gets a name, and what is too long
to stand inside of another expression gets one too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from einback.errors import CompileError
from einback.ir.nodes import (
    Add,
    Delta,
    Einsum,
    Map,
    Matrix,
    Node,
    Number,
    OneHot,
    Ones,
    Range,
    Reduce,
    Window,
)
from einback.ir.sizes import Size
from einback.ir.walk import children
from einback.plan.dtypes import HALF, SINGLE, DType
from einback.plan.factorisations import is_divisor, solver
from einback.plan.numbers import times
from einback.plan.views import is_embedding, is_identity, relation_at
from einback.run.functional.code import ANY, ATOM, PRODUCT, Array, Code, Labels, atom, relabelled
from einback.run.functional.elementwise import apply, weighted_sum
from einback.run.functional.linalg import function_of_matrix, solved
from einback.run.functional.related import gathered, scattered, through_window
from einback.run.functional.writer import Writer, number_array

__all__ = ["Lowering"]

_COUNTS = np.dtype(np.int8)
_LETTERS = "ijklmnopqrstuvwxyzabcdefghIJKLMNOPQRSTUVWXYZABCDEFGH"


@dataclass(slots=True)
class Lowering:
    """Gives each node its value; `numbers` are the nodes that are numbers, as text that may name sizes."""

    writer: Writer
    dtypes: Mapping[Node, DType]
    numbers: Mapping[Node, Code]
    known: Mapping[Node, Number]
    values: dict[Node, Array]

    def value(self, node: Node) -> Array:
        """An array as others read it: given, computed before, or a view of one of these."""
        waiting: list[Node] = []
        while node not in self.values and node not in self.numbers:
            waiting.append(node)
            if not isinstance(node, Einsum):
                break
            node = next(child for child in children(node) if not isinstance(child, Ones | Window))
        for view in reversed(waiting):
            self.values[view] = self._view(view)
        return self._read(node) if not waiting else self.values[waiting[0]]

    def _read(self, node: Node) -> Array:
        if node in self.numbers:
            code = self.numbers[node]
            below = Code(code.text.removeprefix("1 / ")) if code.text.startswith("1 / ") else None
            return Array(code, (None,) * node.rank, self._dtype(node), weak=True, below=below)
        return self.values[node]

    def _dtype(self, node: Node) -> DType:
        return self.dtypes.get(node, np.dtype(np.float64))

    def computed(self, node: Node) -> Array:
        """The value of a node that takes a computation."""
        dtype = self.dtypes[node]
        wide = dtype == HALF and any(self._dtype(child) == SINGLE for child in children(node))
        value = self._computed_in(node, SINGLE if wide else dtype)
        return self.writer.cast(value, dtype) if wide else value

    def _computed_in(self, node: Node, dtype: DType) -> Array:
        writer = self.writer
        match node:
            case Einsum():
                return self._einsum(node, dtype)
            case Add():
                pairs = list(zip(node.terms, node.weights, strict=True))
                terms = [(self.value(term), weight) for term, weight in pairs if term not in self.known]
                constant = sum((times(weight, self.known[term]) for term, weight in pairs if term in self.known),
                               start=Fraction(0))  # fmt: skip
                if constant or not terms:
                    sign = -1 if constant < 0 else 1
                    terms.append((number_array(sign * constant, node.rank, dtype), Fraction(sign)))
                return weighted_sum(writer, terms, dtype)
            case Map():
                return self._map(node, dtype)
            case Reduce():
                return self._reduce(node, dtype)
            case Matrix():
                given = node.arg.arg if isinstance(node.arg, Matrix) and is_divisor(node.arg) else node.arg
                if isinstance(given, Matrix) and given.fn in ("slogdet", "eigh"):
                    return function_of_matrix(writer, node, self.values[given].code, dtype)
                value = self.value(given)
                value = value if value.dtype.kind == "c" else writer.cast(value, dtype)
                return function_of_matrix(
                    writer, node, self.writer.dense(self._typed(value, dtype), given.shape), dtype
                )
            case Range():
                return atom(writer.arange(node.size).text, 1, dtype)
            case Delta():
                return self._identity(node.size, dtype)
            case _:
                raise TypeError(f"unknown node {type(node).__name__}")

    def _typed(self, value: Array, dtype: DType) -> Array:
        return replace(value, dtype=dtype) if value.weak else value

    # views

    def _view(self, node: Node) -> Array:
        if isinstance(node, Matrix) and is_divisor(node):
            return self.value(node.arg)
        if not isinstance(node, Einsum):
            raise TypeError(f"{type(node).__name__} is no view")
        k = next(k for k, operand in enumerate(node.operands) if not isinstance(operand, Ones | Window))
        value, labels = self._read(node.operands[k]), node.labels[k]
        if value.weak:
            return replace(value, axes=(None,) * len(node.out))
        value, own = self._diagonal(value, labels, node)
        w = relation_at(node)
        if w is not None:
            window = node.operands[w]
            assert isinstance(window, Window)
            read = through_window(self.writer, value, own, window, node.labels[w], node.sizes)
            value, own = self._diagonal(*read, node)
        return relabelled(value, own, node.out)

    def _diagonal(self, value: Array, labels: Labels, node: Einsum) -> tuple[Array, Labels]:
        """The array over distinct labels: where one stands twice, a diagonal is read."""
        own = list(dict.fromkeys(labels))
        if len(own) == len(labels):
            return value, labels
        code = self.writer.dense(value, [node.sizes[label] for label in labels])
        left, right = self._letters(labels, own), self._letters(own, own)
        made = self.writer.function("einsum", f'"{left}->{right}"', code.at(ANY))
        return Array(made, tuple(range(len(own))), value.dtype, mask=value.mask), own

    def _letters(self, labels: Labels, order: Labels) -> str:
        if len(order) > len(_LETTERS):
            raise CompileError(f"a product of {len(order)} indices has no einsum string")
        letter = dict(zip(order, _LETTERS, strict=False))
        return "".join(letter[label] for label in labels)

    # products

    def _einsum(self, node: Einsum, dtype: DType) -> Array:
        k = solver(node)
        if k is not None:
            divisor = node.operands[k]
            assert isinstance(divisor, Matrix)
            left = self.value(divisor.arg), node.labels[k]
            right = self.value(node.operands[1 - k]), node.labels[1 - k]
            return solved(self.writer, left, right, node, dtype)
        if relation_at(node) is not None:
            return self._related(node, dtype)
        pairs = list(zip(node.operands, node.labels, strict=True))
        terms = [(self.value(op), ls) for op, ls in pairs if not isinstance(op, Ones) or op in self.values]
        if len(terms) == 2:
            return self._pair(terms, node, dtype)
        if is_embedding(node):
            if is_identity(node):
                return self._identity(node.sizes[0], dtype)
            return self._embedded(*terms[0], node, dtype)
        (value, labels), *_ = terms
        return self._total(value, labels, node, dtype)

    def _pair(self, terms: Sequence[tuple[Array, Labels]], node: Einsum, dtype: DType) -> Array:
        summed = [label for label in range(len(node.sizes)) if label not in node.out]
        if not summed:
            a, b = (relabelled(value, labels, node.out) for value, labels in terms)
            return self.writer.product(a, b, dtype)
        one, other = (self._carrying(value, labels, summed, node.sizes, dtype) for value, labels in terms)
        carried = [label for label in node.out if label in (*one[1], *other[1])]
        code, order = self._contracted(one, other, carried)
        return relabelled(Array(code, tuple(range(len(order))), dtype), order, node.out)

    def _carrying(
        self, value: Array, labels: Labels, needed: Sequence[int], sizes: Sequence[Size], dtype: DType
    ) -> tuple[Code, list[int]]:
        """An operand's text and the labels of its axes: those it repeats along are left out, unless they are needed."""
        value = self._typed(self.writer.cast(value, dtype), dtype)
        repeats = [label for label, axis in zip(labels, value.axes, strict=True) if axis is None]
        if set(repeats) & set(needed):
            value = self.writer.whole(value, [sizes[label] for label in labels])
        at = {axis: label for label, axis in zip(labels, value.axes, strict=True) if axis is not None}
        return self.writer.inlined(value).code, [at[axis] for axis in range(len(at))]

    def _contracted(
        self, a: tuple[Code, list[int]], b: tuple[Code, list[int]], out: Sequence[int]
    ) -> tuple[Code, list[int]]:
        """The product of two texts, as a product of matrices where it is one, and the order of its labels."""
        shared = set(a[1]) & set(b[1])
        if len(shared) == 1 and not shared & set(out) and max(len(a[1]), len(b[1])) <= 2:
            (inner,) = shared
            if (out and out[0] in b[1]) or (not out and len(a[1]) > len(b[1])):
                a, b = b, a
            left = a[0] if a[1][-1] == inner else self.writer.transposed(a[0], (1, 0))
            right = b[0] if b[1][0] == inner else self.writer.transposed(b[0], (1, 0))
            order = [label for label in (*a[1], *b[1]) if label != inner]
            return Code(f"{left.at(ATOM)} @ {right.at(ATOM)}", PRODUCT), order
        every = list(dict.fromkeys((*a[1], *b[1])))
        spec = f'"{self._letters(a[1], every)},{self._letters(b[1], every)}->{self._letters(out, every)}"'
        return self.writer.function("einsum", spec, a[0].at(ANY), b[0].at(ANY)), list(out)

    def _total(self, value: Array, labels: Labels, node: Einsum, dtype: DType) -> Array:
        """The sum over the labels that the result lacks."""
        gone = [label for label in labels if label not in node.out]
        code, own = self._carrying(value, labels, gone, node.sizes, dtype)
        axes = [k for k, label in enumerate(own) if label in gone]
        made = self.writer.reduced("sum", code, axes, len(own))
        left = [label for label in own if label not in gone]
        return relabelled(Array(made, tuple(range(len(left))), dtype), left, node.out)

    # diagonals that are written

    def _identity(self, size: Size, dtype: DType) -> Array:
        made = self.writer.function("eye", self.writer.size(size) + self.writer.placed(dtype))
        return Array(made, (0, 1), dtype)

    def _embedded(self, value: Array, labels: Labels, node: Einsum, dtype: DType) -> Array:
        """Zeros, and the value where the axes with the same label agree."""
        out = node.out
        value = self.writer.cast(value, dtype)
        twice = [label for label in dict.fromkeys(out) if out.count(label) > 1]
        if value.weak and value.code.text == "1" and len(twice) == 1 and out.count(twice[0]) == 2:
            eye, (first_place, *_) = self._identity(node.sizes[twice[0]], dtype), [out.index(twice[0])]
            second = out.index(twice[0], first_place + 1)
            return replace(eye, axes=tuple({first_place: 0, second: 1}.get(k) for k in range(len(out))))
        if len(out) == 2 and value.rank == 1 and len(labels) == 1:
            return Array(self.writer.function("diag", value.code.at(ANY)), (0, 1), dtype)
        rank = len(out)
        first = {label: out.index(label) for label in out}
        spread = [None] * rank
        axes: list[int | None] = list(spread)
        for label, axis in zip(labels, value.axes, strict=True):
            axes[first[label]] = axis
        masks = []
        for place, label in enumerate(out):
            if place != first[label]:
                masks.append(self._agree(node.sizes[label], first[label], place, rank))
        mask = masks[0]
        for other in masks[1:]:
            mask = self.writer.combined(
                [mask, other], mask.dtype, lambda e: Code(f"{e[0].at(ATOM)} & {e[1].at(ATOM)}", ANY)
            )
        held = self.writer.number(replace(value, axes=tuple(axes)), dtype)
        zero = number_array(Fraction(0), rank, dtype)
        made = self.writer.combined(
            [mask, held, zero], dtype, lambda e: self.writer.function("where", *(part.at(ANY) for part in e))
        )
        return made if held.weak or not value.weak else self.writer.cast(replace(made, mask=True), dtype)

    def _agree(self, size: Size, one: int, other: int, rank: int) -> Array:
        """Where two axes have the same place."""
        places = self.writer.arange(size)
        index = np.dtype(np.int64)
        a, b = (Array(places, tuple(0 if k == axis else None for k in range(rank)), index) for axis in (one, other))
        made = self.writer.combined([a, b], index, lambda e: Code(f"{e[0].at(ATOM)} == {e[1].at(ATOM)}", ANY))
        return replace(made, mask=True)

    # what reads or writes through windows and indices

    def _related(self, node: Einsum, dtype: DType) -> Array:
        w = relation_at(node)
        assert w is not None
        relation, labels = node.operands[w], node.labels[w]
        place = labels[-1] if isinstance(relation, OneHot) else labels[0]
        term = (number_array(Fraction(1), 0, dtype), ())
        for operand, own in zip(node.operands, node.labels, strict=True):
            if not isinstance(operand, Window | OneHot):
                term = self._diagonal(self.value(operand), own, node)  # type: ignore[assignment]
        value, own = self.writer.cast(term[0], dtype), term[1]
        ids = self.value(relation.ids) if isinstance(relation, OneHot) else None
        if place in node.out:
            if dtype.kind == "b":  # bools are not added
                value = self.writer.cast(term[0], _COUNTS)
                made = scattered(self.writer, value, own, relation, labels, ids, node, _COUNTS)
                return replace(self.writer.cast(made, dtype), mask=True)
            return scattered(self.writer, value, own, relation, labels, ids, node, dtype)
        assert isinstance(relation, OneHot)
        assert ids is not None
        return gathered(self.writer, value, own, relation, labels, ids, node, dtype)

    # entry by entry, and reductions

    def _map(self, node: Map, dtype: DType) -> Array:
        args = [replace(self.value(arg), axes=(None,) * node.rank) if not arg.rank else self.value(arg)
                for arg in node.args]  # fmt: skip
        exponent = self.known.get(node.args[-1]) if node.fn == "power" else None
        return apply(self.writer, node.fn, args, dtype, exponent)

    def _reduce(self, node: Reduce, dtype: DType) -> Array:
        writer, shape = self.writer, node.arg.shape
        value = self.value(node.arg)
        value = value if value.dtype.kind == "c" else self._typed(writer.cast(value, dtype), dtype)
        code, own = self._carrying(value, range(len(shape)), node.axes, shape, value.dtype)
        if node.fn in ("peak", "logsumexp"):
            code = self.writer.settled(Array(code, tuple(range(len(own))), dtype)).code
        axes = [own.index(axis) for axis in node.axes]
        fn = "logsumexp_of" if node.fn == "logsumexp" and value.dtype.kind == "c" and writer.target.strict else node.fn
        made = writer.reduced(fn, code, sorted(axes), len(own))
        left = [k for k in own if k not in node.axes]
        kept = [k for k in range(len(shape)) if k not in node.axes]
        return relabelled(Array(made, tuple(range(len(left))), dtype), left, kept)
