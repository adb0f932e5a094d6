"""Cells: statements that work entry by entry, with the reduction of what they compute, as kernels see them.

A cell goes over a space of axes. It reads entries through layouts over that space, computes one number of them, and
writes it, or its sum, product, maximum or minimum over some axes, through a layout over the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from operator import add, mul, sub, truediv

import numpy as np

from einback.plan.dtypes import HALF, SINGLE, DType
from einback.rules.scalar import TABLE
from einback.run.arrays import Arrays
from einback.run.kinds import REDUCTIONS, kind_of, ufunc
from einback.run.layout import Layout
from einback.run.steps import Call, DTypeName, Expr, Fill, Infix, Into, Literal, Run, Statement
from einback.run.walking import refs

__all__ = ["Access", "Cell", "Gathered", "Number", "Place", "accessed", "cell_of"]

_REDUCTIONS = {function: name.capitalize() for name, function in REDUCTIONS.items()}  # as the prelude has them
_SPELLED = {
    "np.add": "({0} + {1})",
    "np.subtract": "({0} - {1})",
    "np.multiply": "({0} * {1})",
    "np.divide": "({0} / {1})",
    "np.negative": "(-{0})",
    "np.square": "({0} * {0})",
    "np.sqrt": "sqrt({0})",
    "np.logical_not": "(!{0})",
    "np.fmin": "fmin({0}, {1})",
    "np.where": TABLE["where"].cuda,
}
_OF_INTEGERS = {"np.add", "np.subtract", "np.multiply", "np.negative", "np.square", "np.where", "np.maximum"}
_OF_INTEGERS |= {"np.minimum"}
_OF_COMPLEX = {name: _SPELLED[name] for name in ("np.add", "np.subtract", "np.multiply", "np.negative", "np.square")}
_OF_COMPLEX |= {"np.sqrt": _SPELLED["np.sqrt"], "np.divide": "divided({0}, {1})"}
_KINDS = "?bhilqBHILQefdFD"
_OF_NUMBERS = {"+": add, "-": sub, "*": mul, "/": truediv}


@dataclass(frozen=True, slots=True)
class Access:
    """Entries of the array that the register `root` stands for."""

    root: int
    dtype: DType
    layout: Layout


@dataclass(frozen=True, slots=True)
class Number:
    """A number; one without a dtype takes that of what it meets."""

    value: int | float
    dtype: DType | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The entries of `array`, each `step` further on for each unit of what `ids` holds there."""

    array: Access
    ids: Access
    step: int

    @property
    def dtype(self) -> DType:
        return self.array.dtype


@dataclass(frozen=True, slots=True)
class Place:
    """The index along an axis of a cell's space."""

    axis: int
    dtype: DType


@dataclass(frozen=True, slots=True)
class Cell:
    """`template` in {0}, {1}, .. makes an entry of the operands, each taken to its dtype among `taken`, in `dtype`.

    `space` are the lengths of all axes, `gone` those that `reduction` takes away, of what begins with `initial`; `out`
    is over the others. With `into` the entries are added where indices point, in no order that is known beforehand.
    """

    operands: tuple[Access | Gathered | Number | Place, ...]
    taken: tuple[DType, ...]
    template: str
    dtype: DType
    space: tuple[int, ...]
    out: Access
    reduction: str = ""
    gone: tuple[int, ...] = ()
    initial: float | None = None
    into: Gathered | None = None

    @property
    def kept(self) -> tuple[int, ...]:
        """The axes of the space that the result has."""
        return tuple(k for k in range(len(self.space)) if k not in self.gone)

    @property
    def held(self) -> DType:
        """The dtype in which parts of a reduction are kept."""
        return SINGLE if self.dtype == HALF else self.dtype

    @property
    def reads(self) -> list[Access]:
        found = [operand for operand in self.operands if isinstance(operand, Access)]
        return found + [one for operand in self.operands if isinstance(operand, Gathered)
                        for one in (operand.array, operand.ids)]  # fmt: skip

    @property
    def entries(self) -> int:
        return prod(self.space)


def cell_of(statement: Statement, arrays: Arrays) -> Cell | None:
    """The statement as a cell, if it is one whose numbers a kernel can compute with."""
    cell = _cell_of(statement, arrays)
    if cell is None or 0 in cell.space:
        return None
    aliased = any(read.root == cell.out.root and read.layout != cell.out.layout for read in cell.reads)
    return None if aliased else cell


def _cell_of(statement: Statement, arrays: Arrays) -> Cell | None:
    match statement:
        case Run(Call("scatter_add", (target, ids, values, Literal(int() as shared)))):
            return _scattered(accessed(target, arrays), accessed(ids, arrays), values, shared, arrays)
        case Fill(view, value, sign):
            out = accessed(view, arrays)
            if out is None:
                return None
            if not sign:
                return _elementwise("copy", (value,), out, arrays)
            return _elementwise("np.add" if sign == "+" else "np.subtract", (view, value), out, arrays)
        case Into(function, (operand, axis, dtype), view, words) if function in _REDUCTIONS:
            return _reduced(_REDUCTIONS[function], (operand,), axis, dtype, words, accessed(view, arrays), arrays)
        case Into("np.vecdot" | "np.vdot" as function, args, view):
            if any(kind is not None and kind.dtype in (np.complex64, np.complex128) for kind in
                   (kind_of(one, arrays.kinds) for one in args)):  # fmt: skip
                return None  # which takes the conjugate of the first
            last = Literal(-1) if function == "np.vecdot" else None
            return _reduced("Sum", args, last, None, (), accessed(view, arrays), arrays)
        case Into("np.einsum", (Literal(str() as pattern), *args), view):
            kept = pattern.partition("->")[2]
            axis = Literal(tuple(k for k, letter in enumerate(pattern.partition(",")[0]) if letter not in kept))
            return _reduced("Sum", tuple(args), axis, None, (), accessed(view, arrays), arrays)
        case Into("np.matmul", (left, right), view):
            kinds = [kind_of(one, arrays.kinds) for one in (left, right)]
            if all(kind is not None and len(kind.shape) == 1 for kind in kinds):
                return _reduced("Sum", (left, right), Literal(0), None, (), accessed(view, arrays), arrays)
            return None
        case Into("gathered", (operand, ids, Literal(tuple() as shared)), view):
            return _gathered(operand, ids, shared, accessed(view, arrays), arrays)
        case Into("contracted"):
            return None
        case Into("np.arange", (), view):
            out = accessed(view, arrays)
            return (
                None
                if out is None
                else Cell((Place(0, np.dtype(np.int64)),), (out.dtype,), "{0}", out.dtype, out.layout.shape, out)
            )
        case Into(function, args, view):
            out = accessed(view, arrays)
            return None if out is None else _elementwise(function, args, out, arrays)
        case _:
            return None


def _gathered(operand: Expr, ids: Expr, shared: tuple[int, ...], out: Access | None, arrays: Arrays) -> Cell | None:
    """Entries where indices point: `shared` are the axes of these that the array begins with."""
    array, pointers = accessed(operand, arrays), accessed(ids, arrays)
    if array is None or pointers is None or out is None or pointers.dtype.kind not in "iu":
        return None
    space, rank = out.layout.shape, len(pointers.layout.shape)
    strides = [0] * rank
    for axis, stride in zip(shared, array.layout.strides, strict=False):
        strides[axis] = stride
    step, *rest = array.layout.strides[len(shared) :]
    entries = Access(array.root, array.dtype, Layout(space, (*strides, *rest), array.layout.offset))
    spread = Layout(space, (*pointers.layout.strides, *(0,) * len(rest)), pointers.layout.offset)
    read = Gathered(entries, Access(pointers.root, pointers.dtype, spread), step)
    return Cell((read,), (out.dtype,), "{0}", out.dtype, space, out)


def _scattered(target: Access | None, ids: Access | None, values: Expr, shared: int, arrays: Arrays) -> Cell | None:
    """Rows added up where indices point: the array begins with the first `shared` axes of these."""
    if target is None or ids is None or target.dtype.char not in "fdFD" or ids.dtype.kind not in "iu":
        return None
    lead, (step, *row) = target.layout.strides[:shared], target.layout.strides[shared:]
    rank = len(ids.layout.shape)
    space = (*ids.layout.shape, *target.layout.shape[shared + 1 :])
    strides = (*lead, *(0,) * (rank - shared), *row)
    out = Access(target.root, target.dtype, Layout(space, strides, target.layout.offset))
    spread = Layout(space, (*ids.layout.strides, *(0,) * len(row)), ids.layout.offset)
    value = _operand(values, space, arrays)
    if value is None:
        return None
    pointed = Gathered(out, Access(ids.root, ids.dtype, spread), step)
    return Cell((value,), (out.dtype,), "{0}", out.dtype, space, out, into=pointed)


def accessed(expr: Expr, arrays: Arrays) -> Access | None:
    """A view of an array that is there, None where nothing is known of its layout or a kernel has no such numbers."""
    kind, layout = kind_of(expr, arrays.kinds), arrays.layout(expr)
    if kind is None or layout is None or isinstance(kind.dtype, type) or kind.dtype.char not in _KINDS:
        return None
    return Access(arrays.root(next(refs(expr))), kind.dtype, layout)


def _operand(expr: Expr, shape: Sequence[int], arrays: Arrays) -> Access | Number | None:
    """What is read over a space: an array, repeating where it lacks axes, or a number."""
    match expr:
        case Literal(int() | float() as value):
            return Number(value)
        case Call(_, (inner,), ()) if expr.function.startswith("np.") and isinstance(inner, Literal | Infix):
            found = _operand(inner, shape, arrays)
            kind = kind_of(Call(expr.function, (Literal(0),)), arrays.kinds)
            known = kind is not None and isinstance(kind.dtype, np.dtype)
            return Number(found.value, kind.dtype) if known and isinstance(found, Number) else None  # type: ignore
        case Infix(sign, Literal(int() | float() as left), Literal(int() | float() as right)) if sign in _OF_NUMBERS:
            return Number(_OF_NUMBERS[sign](left, right))
    found = accessed(expr, arrays)
    return None if found is None else Access(found.root, found.dtype, found.layout.repeated(shape))


def _elementwise(function: str, args: Sequence[Expr], out: Access, arrays: Arrays) -> Cell | None:
    shape = out.layout.shape
    operands = [_operand(arg, shape, arrays) for arg in args]
    if any(operand is None for operand in operands):
        return None
    known = tuple(operand for operand in operands if operand is not None)
    dtypes = [type(one.value) if isinstance(one, Number) and one.dtype is None else one.dtype for one in known]
    found = _loop(function, [dtype for dtype in dtypes if dtype is not None], out.dtype)
    if found is None:
        return None
    template, taken, made = found
    return Cell(known, taken, template, made, shape, out)


def _loop(function: str, dtypes: Sequence[DType | type], out: DType) -> tuple[str, tuple[DType, ...], DType] | None:
    """How a function is spelled, the dtypes that it takes its arguments to, and that of its result."""
    of_complex = [dtype for dtype in dtypes if not isinstance(dtype, type) and dtype.kind == "c"]
    if function == "copy":
        (source,) = dtypes
        taken = out if isinstance(source, type) else source
        return ("{0}", (taken,), taken) if not of_complex or out.kind == "c" else None
    if function == "np.where":
        if of_complex and out.kind != "c":
            return None
        return _SPELLED[function], (np.dtype(np.bool_), out, out), out
    name = function.partition(".")[2]
    if function.startswith("scalar."):
        return _called(name, of_complex, len(dtypes), out)
    made = ufunc(function)
    if made is None or made.nin != len(dtypes) or made.nout != 1:
        return None
    try:
        resolved = made.resolve_dtypes((*dtypes, None))
    except TypeError:
        return None
    loops, result = resolved[:-1], resolved[-1]
    if any(dtype.char not in _KINDS for dtype in (*loops, result)) or {dtype.kind for dtype in loops} == {"i", "u"}:
        return None  # C would compare integers without their signs
    if any(dtype.kind == "c" for dtype in loops):
        spelled = _OF_COMPLEX.get(function) or (TABLE[name].complex_cuda if name in TABLE else "")
        return (spelled, loops, result) if spelled else None
    template = _SPELLED.get(function) or (TABLE[name].cuda if name in TABLE else None)
    compares = result == np.bool_ and name in TABLE and TABLE[name].predicate
    computes = result.kind == "f" or compares or function == "np.logical_not"
    whole = result.kind in "iu" and function in _OF_INTEGERS
    return (template, loops, result) if template and (computes or whole) else None


def _called(
    name: str, of_complex: Sequence[DType], count: int, out: DType
) -> tuple[str, tuple[DType, ...], DType] | None:
    """How a row of the scalar table is spelled, of which complex arguments, and which dtypes it takes."""
    if not of_complex and out.kind != "c":
        return TABLE[name].cuda, (out,) * count, out
    parts = np.empty(0, out).real.dtype
    taken = of_complex[0] if out.kind != "c" else parts if name == "complex" else out
    template = TABLE[name].complex_cuda
    return (template, (taken,) * count, out) if template else None


def _reduced(
    reduction: str,
    args: Sequence[Expr],
    axis: Expr | None,
    dtype: Expr | None,
    words: Sequence[tuple[str, Expr]],
    out: Access | None,
    arrays: Arrays,
) -> Cell | None:
    """A reduction of an array, or a sum of products of two."""
    kinds = [kind_of(arg, arrays.kinds) for arg in args]
    if out is None or any(kind is None for kind in kinds):
        return None
    space = np.broadcast_shapes(*(kind.shape for kind in kinds if kind is not None))
    operands = tuple(_operand(arg, space, arrays) for arg in args)
    known = tuple(operand for operand in operands if isinstance(operand, Access))
    taken = dtype.dtype if isinstance(dtype, DTypeName) else out.dtype
    if len(known) < len(args) or taken != out.dtype or out.dtype == np.bool_:
        return None
    if taken.kind == "c" and reduction in ("Max", "Min"):
        return None
    axes = axis.value if isinstance(axis, Literal) and isinstance(axis.value, tuple) else None
    if isinstance(axis, Literal) and isinstance(axis.value, int):
        axes = (axis.value,)
    gone = range(len(space)) if axes is None else sorted(k % len(space) for k in axes)
    initial = next((value.value for _, value in words if isinstance(value, Literal)
                    and isinstance(value.value, int | float) and not isinstance(value.value, bool)), None)  # fmt: skip
    if reduction in ("Max", "Min") and initial is None and 0 in (space[k] for k in gone):
        return None  # an error, which the library words
    template = "({0} * {1})" if len(args) == 2 else "{0}"
    return Cell(known, (taken,) * len(known), template, taken, space, out, reduction, tuple(gone), initial)
