"""Lowering of a pair of tensors to a matrix product.

The labels of the pair fall into four groups: batch (in both and kept), contracted (in both and summed), rows (in
the left one only) and columns (in the right one only). With each group fused into one axis, the pair is

    out[batch, rows, columns] = left[batch, rows, contracted] @ right[batch, contracted, columns]

where views do the transposing, and fusing copies only if the axes of a group do not lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_letters

from einback.plan.dtypes import HALF, SINGLE, DType
from einback.run.casting import cast
from einback.run.elementwise import multiply
from einback.run.emitter import Emitter
from einback.run.reduction import total
from einback.run.slicing import rows_of_slice
from einback.run.steps import Call, Expr, Index, Infix, Literal, Method, Transposed
from einback.run.values import Labels, Term, Value, array, column, dense, fuses_freely, laid, matrix, picked, spread

__all__ = ["contract"]

_WORTH_SUMMING = 1 << 17  # multiplications, from which a matrix product of its own for each term of a sum pays
_WORTH_A_CALL = 16  # columns, from which a matrix product of its own for each batch entry pays


@dataclass(frozen=True, slots=True)
class _Groups:
    batch: Labels
    rows: Labels
    columns: Labels
    contracted: Labels


def contract(emitter: Emitter, terms: tuple[Term, Term], out: Labels, *, lengths: Sequence[int], dtype: DType) -> Value:
    """The product of two tensors, summed over the labels that `out` lacks; `lengths` is by label."""
    a, b = (_without_units(term, out, lengths) for term in terms)
    shared = [label for label in a.labels if label in b.labels]
    summed = [label for label in shared if label not in out]
    if not summed:
        return multiply(emitter, a.over(out), b.over(out), dtype)
    batch = [label for label in out if label in shared]
    first = next((label for label in out if label not in batch), None)
    if first in b.labels or (first is None and b.value.made < a.value.made):
        a, b = b, a
    made = _in_slices(emitter, a, b, out, lengths, dtype) or _in_slices(emitter, b, a, out, lengths, dtype)
    if made is not None:
        return made
    simple = len(a.labels) <= 2 and len(b.labels) <= 2  # of longer operands, each gets a line
    halves = emitter.device and dtype == SINGLE and a.value.dtype == b.value.dtype == HALF
    alike = [value if halves else cast(value, dtype) for value in (a.value, b.value)]  # else matmul would, in pieces
    values = [emitter.inline(value) if simple else emitter.settled(value) for value in alike]
    a, b = (
        Term(dense(value, [lengths[label] for label in term.labels]), term.labels)
        for value, term in zip(values, (a, b), strict=True)
    )
    rows = a.in_order([label for label in a.labels if label not in shared])
    columns = b.in_order([label for label in b.labels if label not in shared])
    if emitter.cutensor and (whole := _whole(emitter, a, b, out, lengths, dtype, (rows, columns, summed, batch))):
        return whole
    if not batch and (outer := _outer(a, b, rows, columns, summed, lengths)) is not None:
        alone = [outer, *out]
        products = contract(emitter, (a, b), alone, lengths=lengths, dtype=dtype)
        return total(emitter, Term(products, alone), out, lengths=lengths, dtype=dtype)
    if batch:  # matmul loops over the batch in any case: over more axes, where fusing them would copy
        loose = _loose(a, rows) + _loose(b, columns)
        batch = [label for label in out if label in batch or label in loose]
        rows, columns = ([label for label in group if label not in loose] for group in (rows, columns))
    elif lead := _lead(a, rows, columns, out, lengths):  # matmul broadcasts the other over the first of the rows
        batch, rows = lead, [label for label in rows if label not in lead]
        a, b, rows, columns = b, a, columns, rows
    groups = _Groups(batch, rows, columns, _shared_order(a, b, summed, rows, columns))
    expr = _product(a, b, groups, dtype)
    natural = [*batch, *rows, *columns]
    shape = [lengths[label] for label in natural]
    if len(rows) > 1 or len(columns) > 1:
        expr = Method(expr, "reshape", tuple(map(Literal, shape)))
    made = array(expr, shape, dtype, row_major=len(batch) < 2 or _batch_in_order(a, b, batch))
    made = emitter.settled(made) if halves else made  # a product of halves is one of their sums
    return spread(made, natural, out)


def _whole(
    emitter: Emitter, a: Term, b: Term, out: Labels, lengths: Sequence[int], dtype: DType, groups: Sequence[Labels]
) -> Value | None:
    """The contraction as cuTENSOR takes it, where fusing the axes of a group would copy an operand."""
    rows, columns, summed, batch = groups
    natural = [label for label in out if label in a.labels or label in b.labels]
    order = _shared_order(a, b, summed, rows, columns)
    free = fuses_freely(a, rows, order, batch) and fuses_freely(b, order, columns, batch)
    plain = all(term.value.dtype == dtype and not term.value.overlaps for term in (a, b)) and dtype.char in "fdFD"
    if free or not plain or not natural or 0 in (lengths[label] for label in (*natural, *summed)):
        return None
    letters = dict(zip((*natural, *summed), ascii_letters, strict=False))
    words = ("".join(letters[label] for label in group) for group in (a.labels, b.labels, natural))
    left, right = (laid(term.value, range(len(term.labels))) for term in (a, b))
    emitter.helper(_CONTRACTED)
    expr = Call("contracted", (Literal("{},{}->{}".format(*words)), left, right))
    shape = [lengths[label] for label in natural]
    return spread(emitter.settled(array(expr, shape, dtype, row_major=True)), natural, out)


_CONTRACTED = '''
def contracted(pattern, left, right, out):
    """The einsum of two arrays, by cuTENSOR."""
    operands, _, kept = pattern.partition("->")
    first, _, second = operands.partition(",")
    cutensor.contraction(1, left, first, right, second, 0, out, kept)
'''


def _in_slices(
    emitter: Emitter, large: Term, other: Term, out: Labels, lengths: Sequence[int], dtype: DType
) -> Value | None:
    """The product where one operand is a large matrix that need not be formed, a few of its rows at a time."""
    if emitter.device or large.value.dtype != dtype or other.value.dtype != dtype:
        return None
    step = rows_of_slice(emitter, large, other, out)
    if not step:
        return None
    row, contracted = large.labels
    value = dense(emitter.settled(other.value), [lengths[label] for label in other.labels])
    columns = Term(value, other.labels).in_order([label for label in other.labels if label != contracted])
    groups = [[contracted], columns] if columns else [[contracted]]
    right = matrix(Term(value, other.labels), (), *groups)
    shape = [lengths[row]] + ([prod(lengths[label] for label in columns)] if columns else [])
    made = emitter.sliced(large.value.expr, right, tuple(shape), dtype, step)
    natural = [row, *columns]
    whole = tuple(lengths[label] for label in natural)
    expr = Method(made.expr, "reshape", tuple(map(Literal, whole))) if len(columns) > 1 else made.expr
    return spread(array(expr, whole, dtype, row_major=True), natural, out)


def _without_units(term: Term, out: Labels, lengths: Sequence[int]) -> Term:
    """Sums over axes of length one are no sums."""
    value, labels = term.value, list(term.labels)
    for label in term.labels:
        if label not in out and lengths[label] == 1:
            value = picked(value, labels.index(label))
            labels.remove(label)
    return Term(value, labels)


def _loose(term: Term, group: Labels) -> list[int]:
    return [] if term.value.overlaps or fuses_freely(term, group) else list(group[:-1])


def _lead(term: Term, rows: Labels, columns: Labels, out: Labels, lengths: Sequence[int]) -> list[int]:
    """The rows that come before the columns in the result, if other rows follow them, and fusing all would copy."""
    places = [k for k, label in enumerate(out) if label in columns]
    if not places or fuses_freely(term, rows):
        return []
    lead, behind = out[: places[0]], out[places[-1] + 1 :]
    whole = len(lead) + len(columns) + len(behind) == len(out)
    return list(lead) if whole and prod(lengths[label] for label in behind) >= _WORTH_A_CALL else []


def _outer(a: Term, b: Term, rows: Labels, columns: Labels, summed: Labels, lengths: Sequence[int]) -> int | None:
    """The contracted label that is outermost in both operands, where a product for each of its entries, and their
    sum, move less than the copies that fusing it with the others takes."""
    leads = [{label for label, axis in zip(term.labels, term.value.axes, strict=True) if axis == 0} for term in (a, b)]
    outer = next((label for label in summed if all(label in lead for lead in leads)), None)
    rest = [label for label in summed if label != outer]
    if outer is None or not rest or not rows or not columns:
        return None
    count, inner = prod(lengths[label] for label in (*rows, *columns)), prod(lengths[label] for label in rest)
    if count * inner < _WORTH_SUMMING:
        return None

    def copied(order: Labels) -> int:
        left = prod(a.value.shape) * (not fuses_freely(a, rows, order))
        return left + prod(b.value.shape) * (not fuses_freely(b, order, columns))

    return outer if copied(rest) + 3 * lengths[outer] * count < copied([outer, *rest]) else None


def _shared_order(a: Term, b: Term, summed: Labels, rows: Labels, columns: Labels) -> list[int]:
    """The order of the contracted labels in which less has to be copied."""

    def copied(order: Labels) -> int:
        left = 0 if fuses_freely(a, rows, order) else prod(a.value.shape)
        right = 0 if fuses_freely(b, order, columns) else prod(b.value.shape)
        return left + right

    return min(a.in_order(summed), b.in_order(summed), key=copied)


def _product(a: Term, b: Term, groups: _Groups, dtype: DType) -> Expr:
    """The matrix product, with the axes of the rows and of the columns fused where there are several."""
    batch, rows, columns, contracted = groups.batch, groups.rows, groups.columns, groups.contracted
    if rows and columns:
        return Infix("@", _copied_well(a, rows, contracted, batch), _copied_well(b, contracted, columns, batch))
    left = matrix(a, batch, rows, contracted)
    right = matrix(b, batch, contracted)
    if rows and batch:
        return Index(Infix("@", left, column(right)), (Ellipsis, 0))
    if rows:
        leads = a.value.axes[list(a.labels).index(rows[0])] == 0
        return Infix("@", left, right) if leads else Infix("@", right, matrix(a, (), contracted, rows))
    if batch and dtype.char in "fd" and _is_inner(a, batch) and _is_inner(b, batch):
        letters = dict(zip((*contracted, *batch), ascii_letters, strict=False))
        pattern, kept = ("".join(letters[label] for label in group) for group in ((*contracted, *batch), batch))
        order = (*contracted, *batch)
        operands = (laid(term.over(order), range(len(order))) for term in (a, b))
        return Call("np.einsum", (Literal(f"{pattern},{pattern}->{kept}"), *operands))
    if batch and dtype.kind != "c":
        return Call("np.vecdot", (left, right))
    if batch:  # vecdot would conjugate
        row = Index(left, (Ellipsis, None, slice(None)))
        return Index(Infix("@", row, column(right)), (Ellipsis, 0, 0))
    if len(contracted) > 1 and dtype.kind != "c":
        along = range(len(contracted))
        return Call("np.vdot", (laid(a.over(contracted), along), laid(b.over(contracted), along)))
    return Infix("@", left, right)


def _is_inner(term: Term, batch: Labels) -> bool:
    """Whether the batch axes are the last in memory, so that sums over the others are sums of rows."""
    at = dict(zip(term.labels, term.value.axes, strict=True))
    last = range(len(term.value.shape) - len(batch), len(term.value.shape))
    return [at[label] for label in batch] == list(last)


def _copied_well(term: Term, first: Labels, second: Labels, batch: Labels) -> Expr:
    """The matrices of two groups; of windows, which must be copied, the longer axis lies innermost in the copy."""
    value = term.value
    length = {label: value.shape[k] for label, k in zip(term.labels, value.axes, strict=True) if k is not None}
    if value.overlaps and length[first[-1]] > length[second[-1]] and set(batch) <= length.keys():
        rank = len(batch) + 2
        return Transposed(matrix(term, batch, second, first), (*range(rank - 2), rank - 1, rank - 2))
    return matrix(term, batch, first, second)


def _batch_in_order(a: Term, b: Term, batch: Labels) -> bool:
    """Whether NumPy lays out the batch axes of the product in order, as both operands have them."""
    return all(
        term.value.row_major and set(batch) <= set(term.labels) and term.in_order(batch) == list(batch)
        for term in (a, b)
    )
