"""The matrix algebra: expressions of scalars, columns, rows and matrices, as they will be written.

    expr ::= Symbol | Number | Length | Full           A, 2, n, a number in every entry
           | Ones | Identity | Commutation             1, I, K_mn
           | Scaled(coefficient, above, below, body)   2 s A x / t, where s and t are scalars
           | Chain | Sum | Hadamard | Ratio | Power    A B x, A + B, A ⊙ B, entry by entry a / b and a^b
           | Apply | Along                             exp(A) entry by entry, softmax_rows(A)
           | Transpose | Function | Trace              Aᵀ, A⁻¹ or det(A), tr(A)
           | Diag | Diagonal | Kron | Vec              diag(x), diagonal(A), A ⊗ B, vec(A)
         | Blocks                                    [A B; C D]

A shape is rows and columns, None where there is no such axis: a scalar is (None, None), a column (n, None), a row
(None, n). Nodes are compared by what they say. `einback.formula.matrix.algebra` builds them in the form that is
written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from einback.ir.nodes import Number as Value
from einback.ir.sizes import Size
from einback.rules.matrix import matrix_row

__all__ = [
    "SCALAR",
    "Along",
    "Apply",
    "Blocks",
    "Chain",
    "Commutation",
    "Diag",
    "Diagonal",
    "Expr",
    "Full",
    "Function",
    "Hadamard",
    "Identity",
    "Kron",
    "Length",
    "Number",
    "Ones",
    "Power",
    "Ratio",
    "Scaled",
    "Shape",
    "Sum",
    "Symbol",
    "Trace",
    "Transpose",
    "Vec",
    "is_scalar",
    "times",
]

Shape: TypeAlias = tuple[Size | None, Size | None]

SCALAR: Shape = (None, None)


@dataclass(frozen=True, slots=True)
class Expr:
    @property
    def shape(self) -> Shape:
        return SCALAR


@dataclass(frozen=True, slots=True)
class Symbol(Expr):
    """A tensor by name. `marks` says what else it is: "d" a differential, "e" a unit vector or an entry."""

    name: str
    sized: Shape = SCALAR
    symmetric: bool = False
    marks: str = ""

    @property
    def shape(self) -> Shape:
        return self.sized


@dataclass(frozen=True, slots=True)
class Number(Expr):
    value: Value


@dataclass(frozen=True, slots=True)
class Length(Expr):
    """The length of an axis, as a number."""

    size: Size


@dataclass(frozen=True, slots=True)
class Full(Expr):
    """One number in every entry: a summand, or an argument."""

    value: Value
    sized: Shape

    @property
    def shape(self) -> Shape:
        return self.sized


@dataclass(frozen=True, slots=True)
class Ones(Expr):
    size: Size

    @property
    def shape(self) -> Shape:
        return self.size, None


@dataclass(frozen=True, slots=True)
class Identity(Expr):
    size: Size

    @property
    def shape(self) -> Shape:
        return self.size, self.size


@dataclass(frozen=True, slots=True)
class Commutation(Expr):
    """K_mn vec(A) = vec(Aᵀ) for every m by n matrix A."""

    rows: Size
    columns: Size

    @property
    def shape(self) -> Shape:
        both = times(self.rows, self.columns)
        return both, both


@dataclass(frozen=True, slots=True)
class Scaled(Expr):
    """coefficient * above / below * body, all but the body scalars; the body of a scalar is None."""

    coefficient: Value
    above: tuple[Expr, ...]
    below: tuple[Expr, ...]
    body: Expr | None

    @property
    def shape(self) -> Shape:
        return SCALAR if self.body is None else self.body.shape


@dataclass(frozen=True, slots=True)
class Chain(Expr):
    """A product of matrices, columns and rows."""

    factors: tuple[Expr, ...]

    @property
    def shape(self) -> Shape:
        return self.factors[0].shape[0], self.factors[-1].shape[1]


@dataclass(frozen=True, slots=True)
class Sum(Expr):
    terms: tuple[Expr, ...]

    @property
    def shape(self) -> Shape:
        return self.terms[0].shape


@dataclass(frozen=True, slots=True)
class Hadamard(Expr):
    factors: tuple[Expr, ...]

    @property
    def shape(self) -> Shape:
        return self.factors[0].shape


@dataclass(frozen=True, slots=True)
class Ratio(Expr):
    """top / bottom, entry by entry."""

    top: Expr
    bottom: Expr

    @property
    def shape(self) -> Shape:
        return self.bottom.shape


@dataclass(frozen=True, slots=True)
class Power(Expr):
    """Entry by entry; the exponent may be a number."""

    base: Expr
    exponent: Expr

    @property
    def shape(self) -> Shape:
        return self.exponent.shape if self.base.shape == SCALAR else self.base.shape


@dataclass(frozen=True, slots=True)
class Apply(Expr):
    """A row of the scalar table, entry by entry; numbers among the arguments stand for themselves at every entry."""

    fn: str
    args: tuple[Expr, ...]

    @property
    def shape(self) -> Shape:
        return next((arg.shape for arg in self.args if arg.shape != SCALAR), SCALAR)


@dataclass(frozen=True, slots=True)
class Along(Expr):
    """A function of whole rows or columns, or of all entries (`how` is then ""): softmax_rows(A), max(x)."""

    fn: str
    how: str
    arg: Expr
    keeps: bool

    @property
    def shape(self) -> Shape:
        rows, columns = self.arg.shape
        if self.keeps:
            return rows, columns
        return {"rows": (rows, None), "columns": (columns, None), "": SCALAR}[self.how]


@dataclass(frozen=True, slots=True)
class Transpose(Expr):
    arg: Expr

    @property
    def shape(self) -> Shape:
        return self.arg.shape[1], self.arg.shape[0]


@dataclass(frozen=True, slots=True)
class Function(Expr):
    """A row of the matrix table."""

    fn: str
    arg: Expr
    symmetric: bool = False

    @property
    def shape(self) -> Shape:
        side = self.arg.shape[0]
        keeps = matrix_row(self.fn).keeps
        return side if keeps else None, side if keeps == 2 else None


@dataclass(frozen=True, slots=True)
class Trace(Expr):
    arg: Expr


@dataclass(frozen=True, slots=True)
class Diag(Expr):
    """The diagonal matrix of a column."""

    arg: Expr

    @property
    def shape(self) -> Shape:
        return self.arg.shape[0], self.arg.shape[0]


@dataclass(frozen=True, slots=True)
class Diagonal(Expr):
    """The diagonal of a matrix, as a column."""

    arg: Expr

    @property
    def shape(self) -> Shape:
        return self.arg.shape[0], None


@dataclass(frozen=True, slots=True)
class Kron(Expr):
    left: Expr
    right: Expr

    @property
    def shape(self) -> Shape:
        rows, columns = (times(a, b) for a, b in zip(self.left.shape, self.right.shape, strict=True))
        return rows, columns


@dataclass(frozen=True, slots=True)
class Vec(Expr):
    """The columns of a matrix, one below the other; with `how` "row", its rows."""

    arg: Expr
    how: str = "column"

    @property
    def shape(self) -> Shape:
        return times(*self.arg.shape), None


@dataclass(frozen=True, slots=True)
class Blocks(Expr):
    """Expressions side by side, row below row; scalars among them are 1 by 1."""

    rows: tuple[tuple[Expr, ...], ...]

    @property
    def shape(self) -> Shape:
        above = [row[0].shape[0] for row in self.rows]
        along = [one.shape[1] for one in self.rows[0]]
        return _added(above), _added(along)


def _added(sizes: list[Size | None]) -> Size | None:
    """The size of several axes one after the other."""
    if len(sizes) == 1:
        return sizes[0]
    return "+".join(f"({1 if size is None else size})" for size in sizes)


def times(*sizes: Size | None) -> Size | None:
    """The size of an axis that holds several; None stands for no axis."""
    found: Size | None = None
    for size in sizes:
        if found is None or size is None:
            found = size if found is None else found
        elif isinstance(found, int) and isinstance(size, int):
            found *= size
        else:
            found = f"({found})*({size})"
    return found


def is_scalar(expr: Expr) -> bool:
    return expr.shape == SCALAR
