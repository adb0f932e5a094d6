"""Tensors kept as structure: the form that says how core arrays, deltas and broadcasts make up a whole.

A form is numbers only: the whole is the sum of its terms, and a term is

    weight * product of cores, summed over the labels that are on no axis

with a label for every axis of every core and of the whole. A label on several axes of the whole is a delta, a
label of the whole that no core has is a broadcast. What is computed from a form, the whole as one array or
its product with a vector, is a program like any other, planned and compiled on first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from einback.ir.build import add, einsum, fill, zeros
from einback.ir.nodes import Input, Node, Number, Ones
from einback.rules.simplify import normalise
from einback.run.callable import Compiled

__all__ = ["Form", "FormTerm", "core_names", "dense_program", "entries_program", "product_program", "whole"]

Labels = tuple[int, ...]
Lengths = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FormTerm:
    """One term: `factors` are the numbers of its cores with the labels of their axes, `axes` those of the whole.

    The labels of the whole are 0, 1, .. by first appearance; others are summed.
    """

    weight: Number
    factors: tuple[tuple[int, Labels], ...]
    axes: Labels


@dataclass(frozen=True, slots=True)
class Form:
    """The shape of the whole, those of the cores, and the terms."""

    shape: Lengths
    cores: tuple[Lengths, ...]
    terms: tuple[FormTerm, ...]

    def lengths(self, term: FormTerm) -> Lengths:
        """The lengths of a term's labels on the axes of the whole."""
        return tuple(self.shape[term.axes.index(label)] for label in sorted(set(term.axes)))


def core_names(form: Form) -> list[str]:
    """The names under which the programs below take the cores."""
    return [f"C{k + 1}" for k in range(len(form.cores))]


def whole(form: Form, names: Sequence[str]) -> Node:
    """The tensor as a program of its cores, which are inputs of the names given."""
    cores = [Input(name, shape, ()) for name, shape in zip(names, form.cores, strict=True)]
    return _sum(form, [_product(form, term, cores, [], term.axes) for term in form.terms], form.shape)


@lru_cache(maxsize=256)
def dense_program(form: Form) -> Compiled:
    """The whole as one array."""
    return _program(form, whole(form, core_names(form)), [])


@lru_cache(maxsize=256)
def product_program(form: Form, rows: int, transposed: bool) -> Compiled:
    """The whole as a matrix times `v`: its first `rows` axes are rows; the transposed matrix has them as columns."""
    row_shape, column_shape = form.shape[:rows], form.shape[rows:]
    v = Input("v", row_shape if transposed else column_shape, ())
    products = []
    for term in form.terms:
        left, right = term.axes[:rows], term.axes[rows:]
        out, summed = (right, left) if transposed else (left, right)
        products.append(_product(form, term, _cores(form), [(v, summed)], out))
    return _program(form, _sum(form, products, column_shape if transposed else row_shape), [v])


@lru_cache(maxsize=256)
def entries_program(form: Form, k: int) -> Compiled:
    """The entries of term k that may differ from zero: an array with one axis for each label of the whole."""
    term = form.terms[k]
    labels = tuple(sorted(set(term.axes)))
    entries = _product(form, term, _cores(form), [], labels)
    return _program(form, add([entries], [term.weight]), [])


def _cores(form: Form) -> list[Input]:
    return [Input(name, shape, ()) for name, shape in zip(core_names(form), form.cores, strict=True)]


def _product(
    form: Form, term: FormTerm, cores: Sequence[Input], others: Sequence[tuple[Input, Labels]], out: Labels
) -> Node:
    """The product of a term's cores and of others, without its weight."""
    factors: list[tuple[Node, Labels]] = [*((cores[k], own) for k, own in term.factors), *others]
    carried = {label for _, own in factors for label in own}
    for label, length in enumerate(form.lengths(term)):
        if label not in carried and label in term.axes:
            factors.append((Ones(length), (label,)))
    if not factors:
        return fill((), 1)
    return einsum([node for node, _ in factors], [own for _, own in factors], out)


def _sum(form: Form, products: Sequence[Node], shape: Lengths) -> Node:
    return add(products, [term.weight for term in form.terms]) if products else zeros(shape)


def _program(form: Form, node: Node, others: Sequence[Input]) -> Compiled:
    return Compiled(normalise([node]), [*_cores(form), *others])
