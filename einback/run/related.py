"""Lowering of nodes with relations: reading through windows and indices, and adding up where these point."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from einback.ir.nodes import Einsum, Input, Node, Number, OneHot, Ones, Window
from einback.plan.binding import resolve
from einback.plan.dtypes import DType
from einback.plan.plan import Plan
from einback.plan.views import is_scatter, relation_at
from einback.run.casting import number_value
from einback.run.emitter import Emitter
from einback.run.gather import add_scattered, check, gather, zeros
from einback.run.steps import Method, Ref
from einback.run.values import Labels, Term, Value, array, dense, laid, viewed
from einback.run.windows import add_windows, fused, read_windows

__all__ = ["Related"]


class Related:
    """Lowers views, gathers and scatters; `value` gives the array of a node that they read."""

    def __init__(self, emitter: Emitter, plan: Plan, value: Callable[[Node], Value]) -> None:
        self._emitter, self._plan, self._value = emitter, plan, value
        self._checked: set[tuple[Node, int]] = set()  # indices and the lengths of the axes they point into

    def view(self, value: Value, node: Einsum) -> Value:
        """A view of an array, given that."""
        k = next(k for k, operand in enumerate(node.operands) if not isinstance(operand, Ones | Window))
        w = relation_at(node)
        if w is None:
            return viewed(value, node.labels[k], node.out)
        window = node.operands[w]
        assert isinstance(window, Window)
        return read_windows(self._emitter, Term(value, node.labels[k]), window, node.labels[w], node.out)

    def computed(self, node: Einsum, dtype: DType) -> Value:
        """The array that a gather or a scatter makes."""
        relation, labels = self._relation(node)
        term = self._moved(node, dtype)
        lengths = resolve(node.sizes, self._plan.sizes)
        if not is_scatter(node):
            assert isinstance(relation, OneHot)
            ids = Term(self._pointers(relation), labels[:-1])
            return gather(self._emitter, term, ids, labels[-1], node.out, lengths=lengths)
        if isinstance(relation, Window):
            made = fused(self._emitter, term, relation, labels, node.out, lengths=lengths, dtype=dtype)
            if made is not None:
                return made
        target = zeros(self._emitter, [lengths[label] for label in node.out], dtype)
        self.add_into(target, node, None)
        return target

    def own(self, total: Value, shape: tuple[int, ...]) -> Value:
        """The value as an array in C order that may be written to."""
        whole = dense(total, shape)
        repeats = whole is not total or whole.overlaps  # entries of it share memory
        if not whole.named and whole.plain and not repeats:
            settled = self._emitter.settled(whole)
            if settled.row_major and settled.plain:
                return settled
            whole = settled
        target = self._emitter.assign(Method(laid(whole, range(len(shape))), "copy"))
        made = array(Ref(target), shape, total.dtype, row_major=True)
        self._emitter.own(target, made)
        return made

    def _relation(self, node: Einsum) -> tuple[Node, Labels]:
        w = relation_at(node)
        assert w is not None
        return node.operands[w], node.labels[w]

    def _moved(self, node: Einsum, dtype: DType) -> Term:
        """The tensor beside a relation; the number one where it stands alone."""
        for operand, labels in zip(node.operands, node.labels, strict=True):
            if not isinstance(operand, Window | OneHot):
                return Term(self._value(operand), labels)
        return Term(number_value(Fraction(1), 0, dtype), ())

    def add_into(self, target: Value, node: Einsum, weight: Number | None) -> None:
        """Add weight * the scatter `node` into an array that may be written to; without a weight it holds zeros."""
        relation, labels = self._relation(node)
        term = self._moved(node, target.dtype)
        lengths = resolve(node.sizes, self._plan.sizes)
        if isinstance(relation, Window):
            add_windows(self._emitter, target, term, relation, labels, node.out, lengths=lengths, weight=weight)
        else:
            assert isinstance(relation, OneHot)
            ids = Term(self._pointers(relation), labels[:-1])
            add_scattered(self._emitter, target, term, ids, labels[-1], node.out, lengths=lengths, weight=weight)

    def _pointers(self, relation: OneHot) -> Value:
        """The ids of a one-hot tensor, checked before they are first used."""
        ids = self._emitter.settled(self._value(relation.ids))
        (size,) = resolve((relation.size,), self._plan.sizes)
        if (relation.ids, size) not in self._checked:
            self._checked.add((relation.ids, size))
            name = relation.ids.name if isinstance(relation.ids, Input) else "an index"
            check(self._emitter, ids, size, name)
        return ids
