"""Functions of matrices, and products with inverses, which are solved for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from einback.ir.nodes import Einsum, Matrix
from einback.ir.sizes import Size
from einback.plan.dtypes import DType
from einback.plan.factorisations import solver
from einback.rules.matrix import MATRIX_TABLE, matrix_row
from einback.run.functional.code import ANY, ATOM, Array, Code, Labels, relabelled
from einback.run.functional.writer import Writer

__all__ = ["function_of_matrix", "solved"]

_PLACES = {"sign": 0, "logdet": 1, "eigvalsh": 0, "eigvecs": 1}  # in what slogdet and eigh return


def function_of_matrix(writer: Writer, node: Matrix, code: Code, dtype: DType) -> Array:
    """A row of the matrix table, one part of a decomposition that several read, or that decomposition."""
    kept = node.arg.fn if isinstance(node.arg, Matrix) else ""
    axes = tuple(range(node.rank))
    if kept in ("slogdet", "eigh"):
        return Array(Code(f"{code.at(ATOM)}[{_PLACES[node.fn]}]"), axes, dtype)
    if node.fn not in MATRIX_TABLE:
        return Array(writer.function(f"linalg.{node.fn}", code.at(ANY)), axes, dtype)
    spelling = matrix_row(node.fn).numpy.replace("np.", f"{writer.target.module}.")
    return Array(Code(spelling.format(code.at(ANY))), axes, dtype)


def solved(
    writer: Writer, divisor: tuple[Array, Labels], right: tuple[Array, Labels], node: Einsum, dtype: DType
) -> Array:
    """inv(A) B or inv(A)' B over one axis of A. The axes of B that A lacks are columns, those of A in front a batch."""
    k = solver(node)
    assert k is not None
    *batch, p, q = divisor[1]
    summed, free = (q, p) if q in right[1] else (p, q)
    columns = [label for label in right[1] if label != summed and label not in batch]

    def dense(term: tuple[Array, Labels], order: Labels) -> Array:
        value = writer.cast(term[0], dtype)
        value = replace(value, dtype=dtype) if value.weak else value
        return writer.whole(relabelled(value, term[1], order), [node.sizes[label] for label in order])

    turned = (*batch, p, q) if summed == q else (*batch, q, p)
    matrix = dense(divisor, turned)
    stacked = bool(batch or columns)
    rhs = dense(right, [*batch, summed, *columns]).code
    if stacked and not columns:
        rhs = Code(f"{rhs.at(ATOM)}[..., None]")
    if len(columns) > 1:
        rhs = _reshaped(writer, rhs, [node.sizes[label] for label in (*batch, summed)], tail=", -1")
    made = writer.function("linalg.solve", matrix.code.at(ANY), rhs.at(ANY))
    if stacked and not columns:
        made = Code(f"{made.text}[..., 0]")
    natural = [*batch, free, *columns]
    if len(columns) > 1:
        made = _reshaped(writer, made, [node.sizes[label] for label in natural])
    return relabelled(Array(made, tuple(range(len(natural))), dtype), natural, node.out)


def _reshaped(writer: Writer, code: Code, sizes: Sequence[Size], tail: str = "") -> Code:
    return Code(f"{code.at(ATOM)}.reshape({', '.join(map(writer.size, sizes))}{tail})")
