"""Matrix products for cuBLAS: one strided batched call each, operands transposed by how they are read.

cuBLAS counts rows first. It takes a matrix whose rows or whose columns lie side by side in memory, with any distance
between one and the next, and a batch of them at a constant distance. An operand that lies otherwise is copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from einback.run.arrays import Arrays
from einback.run.kinds import kind_of
from einback.run.layout import Layout
from einback.run.steps import Expr, Fill, Into, Kind, Launch, Ref, Statement, Transposed
from einback.run.walking import refs

__all__ = ["GEMM", "copied", "gemms"]

_DATA = ("eee", "eef", "fff", "ddd", "FFF", "DDD")  # dtypes of operands and results that cuBLAS takes here
_AS_IT_IS, _TRANSPOSED, _ADJOINT = 0, 1, 2  # what cuBLAS does with an operand
_MOST = 16  # calls for one product, beyond which its operands are copied

GEMM = '''
def gemm(kind, numbers, factor, adds, arrays):
    """c = factor a @ b + adds c, `count` times, of matrices that are stored column by column; offsets are in bytes."""
    left, right, m, n, k, (a, lda, next_a), (b, ldb, next_b), (c, ldc, next_c), count = numbers
    data, result, compute, scalar = KINDS[kind]
    multiply(
        np.cuda.device.get_cublas_handle(), left, right, m, n, k, number(scalar, factor),
        arrays[0].data.ptr + a, data, lda, next_a, arrays[1].data.ptr + b, data, ldb, next_b, number(scalar, adds),
        arrays[2].data.ptr + c, result, ldc, next_c, count, compute, -1,
    )


def number(kind, value, kept={}):
    """Where a number lies in memory."""
    if (kind, value) not in kept:
        kept[kind, value] = numpy.array(value, kind)
    return kept[kind, value].ctypes.data


def multiplication():
    """cuBLAS's strided batched product: of the library that CuPy has loaded, for CuPy refuses to let it be captured."""
    path = getattr(cublas, "__file__", None)
    if path is None:
        return cublas.gemmStridedBatchedEx
    library = ctypes.CDLL(path)  # and with it the library that it is linked to
    product, use_stream = library.cublasGemmStridedBatchedEx, library.cublasSetStream_v2
    pointer, number, distance = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
    matrix = [pointer, number, number, distance]
    product.argtypes = [pointer, *[number] * 5, pointer, *matrix, *matrix, pointer, *matrix, *[number] * 3]
    use_stream.argtypes = [pointer, pointer]

    def multiply(handle, *rest):
        status = use_stream(handle, np.cuda.get_current_stream().ptr) or product(handle, *rest)
        if status:
            raise RuntimeError(f"cuBLAS fails with status {status}")

    return multiply


multiply = multiplication()
'''


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A matrix by the lengths and strides of its rows and columns, with those of its batch axes."""

    root: int
    offset: int
    rows: int
    columns: int
    batch: tuple[int, ...]

    def leading(self, rows: int, columns: int, conjugated: bool = False) -> tuple[int, int] | None:
        """What cuBLAS is to do with it, and how far its rows, or columns, lie apart; None if cuBLAS cannot do that."""
        if not conjugated and (self.rows == 1 or rows == 1) and (columns == 1 or self.columns >= max(1, rows)):
            return _AS_IT_IS, self.columns if columns > 1 else max(1, rows)
        if (self.columns == 1 or columns == 1) and (rows == 1 or self.rows >= max(1, columns)):
            return _ADJOINT if conjugated else _TRANSPOSED, self.rows if rows > 1 else max(1, columns)
        return None


def gemms(statement: Into, arrays: Arrays, conjugates: Mapping[int, Expr]) -> list[Statement] | None:
    """The statements of a product; None where it is none for cuBLAS.

    The arrays of some registers are `conjugates` of other arrays, which cuBLAS may read in their place.
    """
    kinds = [kind_of(one, arrays.kinds) for one in (*statement.args, statement.out)]
    if "".join(getattr(kind.dtype, "char", " ") for kind in kinds if kind is not None) not in _DATA:
        return None
    found = _of_conjugates(statement, arrays, conjugates)
    return _products(statement, arrays) if found is None else found


def _of_conjugates(statement: Into, arrays: Arrays, conjugates: Mapping[int, Expr]) -> list[Statement] | None:
    """The product with operands that cuBLAS conjugates; it does that to what it transposes too."""
    a, b = (_conjugate(one, conjugates) for one in statement.args)
    for first, second in ((a, b), (a, None), (None, b)):
        operands = [new or old for new, old in zip((first, second), statement.args, strict=True)]
        if first is not None or second is not None:
            found = _calls(operands, statement.out, arrays, (first is not None, second is not None))
            if found is not None:
                return found
    return None


def _conjugate(expr: Expr, conjugates: Mapping[int, Expr]) -> Expr | None:
    """The view whose conjugate a view is."""
    match expr:
        case Ref(register):
            return conjugates.get(register)
        case Transposed(operand, axes):
            inner = _conjugate(operand, conjugates)
            return None if inner is None else Transposed(inner, axes)
        case _:
            return None


def _products(statement: Into, arrays: Arrays) -> list[Statement] | None:
    a, b = statement.args
    made: list[Statement] = []
    layouts = [arrays.layout(one) for one in (a, b, statement.out)]
    if layouts[2] is None:
        return None
    operands = [a, b]
    for k, (operand, layout) in enumerate(zip(operands, layouts[:2], strict=True)):
        if layout is None:
            operands[k] = copied(operand, arrays, made)
    found = _calls(operands, statement.out, arrays)
    if found is None:
        for k in range(2):
            if not _is_readable(operands[k], k, arrays):
                operands[k] = copied(operands[k], arrays, made)
        found = _calls(operands, statement.out, arrays)
    if found is None:
        operands = [copied(one, arrays, made) for one in operands]
        found = _calls(operands, statement.out, arrays)
    kind = kind_of(statement.out, arrays.kinds)
    if found is None and kind is not None:  # into an array of its own, and then where it belongs
        whole = arrays.register(Kind(kind.shape, kind.dtype))
        arrays.written[whole] = None
        found = _calls(operands, Ref(whole), arrays)
        found = None if found is None else [*found, Fill(statement.out, Ref(whole))]
    return None if found is None else [*made, *found]


def copied(operand: Expr, arrays: Arrays, made: list[Statement]) -> Expr:
    """An array in C order with the entries of an operand; the statement that fills it is added to those `made`."""
    kind = kind_of(operand, arrays.kinds)
    assert kind is not None
    register = arrays.register(Kind(kind.shape, kind.dtype))
    arrays.written[register] = None
    made.append(Fill(Ref(register), operand))
    return Ref(register)


def _is_readable(operand: Expr, k: int, arrays: Arrays) -> bool:
    layout = arrays.layout(operand)
    assert layout is not None
    if len(layout.shape) == 1:
        return layout.strides[0] > 0 or layout.shape[0] == 1
    matrix = _Matrix(0, 0, layout.strides[-2], layout.strides[-1], ())
    rows, columns = layout.shape[-2:]
    return matrix.leading(rows, columns) is not None and min(layout.strides) >= 0


def _calls(
    operands: Sequence[Expr], out: Expr, arrays: Arrays, conjugated: tuple[bool, bool] = (False, False)
) -> list[Statement] | None:
    a, b, c = (arrays.layout(one) for one in (*operands, out))
    if a is None or b is None or c is None:
        return None
    rows = a.shape[-2] if len(a.shape) > 1 else 1
    inner = a.shape[-1]
    columns = b.shape[-1] if len(b.shape) > 1 else 1
    whole = _with_sides(c, len(a.shape) > 1, len(b.shape) > 1)
    batch = whole.shape[:-2]
    left = _with_sides(a, len(a.shape) > 1, True).repeated((*batch, rows, inner))
    right = _with_sides(b, True, len(b.shape) > 1).repeated((*batch, inner, columns))
    if 0 in whole.shape:
        return []
    one, two, made = (_matrix(arrays, expr, layout) for expr, layout in
                      zip((*operands, out), (left, right, whole), strict=True))  # fmt: skip
    axes = _fused(batch, [one.batch, two.batch, made.batch])
    if len(axes) == 1 and axes[0][1][1] == 0 and rows > 1:  # one matrix for all of the batch: its rows are rows
        count, (step, _, stride) = axes[0]
        if step == rows * one.rows and stride == rows * made.rows:
            rows, axes = rows * count, []
    longest = max(range(len(axes)), key=lambda k: axes[k][0], default=None)
    others = [axis for k, axis in enumerate(axes) if k != longest]
    if prod(length for length, _ in others) > _MOST:
        return None
    count, steps = axes[longest] if longest is not None else (1, (0, 0, 0))
    turned = made.columns == 1 or columns == 1  # rows of the result lie side by side: it is computed transposed
    if turned:
        first, second, m, n = _swapped(two), _swapped(one), columns, rows
        order, result = (1, 0), _swapped(made)
    else:
        first, second, m, n = one, two, rows, columns
        order, result = (0, 1), made
    one_is, two_is = (conjugated[k] for k in order)
    lead = first.leading(m, inner, one_is), second.leading(inner, n, two_is), result.leading(m, n)
    if lead[0] is None or lead[1] is None or lead[2] is None or lead[2][0] or min(steps) < 0:
        return None
    if max(m, n, inner, count, lead[0][1], lead[1][1], lead[2][1]) >= 1 << 31:
        return None
    dtypes = [kind.dtype for one in (operands[0], out) if (kind := kind_of(one, arrays.kinds)) is not None]
    assert isinstance(dtypes[0], np.dtype)
    assert isinstance(dtypes[1], np.dtype)
    found: list[Statement] = []
    sizes = [dtypes[0].itemsize, dtypes[0].itemsize, dtypes[1].itemsize]
    for places in product(*(range(length) for length, _ in others)):
        shifts = [sum(k * by[p] for k, (_, by) in zip(places, others, strict=True)) for p in range(3)]
        parts = [
            f"({(matrix.offset + shifts[p]) * sizes[p]}, {ld[1]}, {steps[p]})"
            for matrix, p, ld in zip((first, second, result), (*order, 2), lead, strict=True)
            if ld is not None
        ]
        numbers = f"({lead[0][0]}, {lead[1][0]}, {m}, {n}, {inner}, {', '.join(parts)}, {count})"
        args = (Ref(first.root), Ref(second.root))
        words = f'"{dtypes[0].char}{dtypes[1].char}", {numbers}'
        found.append(Launch("gemm", words, args, (Ref(result.root),), scale=(1.0, False)))
    return found


def _with_sides(layout: Layout, rows: bool, columns: bool) -> Layout:
    """The layout with an axis of rows and one of columns, of length one where it has none."""
    if rows and columns:
        return layout
    if rows:
        return layout.indexed((Ellipsis, None))
    if columns:
        return layout.indexed((*(slice(None),) * (len(layout.shape) - 1), None, slice(None)))
    return layout.indexed((Ellipsis, None, None))


def _matrix(arrays: Arrays, expr: Expr, layout: Layout) -> _Matrix:
    *batch, rows, columns = layout.strides
    return _Matrix(arrays.root(next(refs(expr))), layout.offset, rows, columns, tuple(batch))


def _swapped(matrix: _Matrix) -> _Matrix:
    return _Matrix(matrix.root, matrix.offset, matrix.columns, matrix.rows, matrix.batch)


def _fused(lengths: Sequence[int], strides: Sequence[Sequence[int]]) -> list[tuple[int, tuple[int, ...]]]:
    """The batch axes, those that run on into each other in all operands as one."""
    axes: list[tuple[int, tuple[int, ...]]] = []
    for k, length in enumerate(lengths):
        own = tuple(one[k] for one in strides)
        if length == 1:
            continue
        if axes and axes[-1][1] == tuple(length * step for step in own):
            axes[-1] = (axes[-1][0] * length, own)
        else:
            axes.append((length, own))
    return axes
