"""Flattening: statements of one operation each, which write into arrays that are there.

An expression such as `(A @ B) * C + D` becomes three statements, and what each makes is an array of its own or its
reader's, so that no operation allocates: `A.dot(B, u)`, `np.multiply(u, C, u)`, `np.add(u, D, u)`. Views stay part
of the operand that they are. What NumPy cannot write into an array (solvers, helpers) stays an assignment, and so
does what has no axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from math import prod
from types import EllipsisType

import numpy as np

from einback.plan.dtypes import DType
from einback.run.arrays import Arrays
from einback.run.copies import Copies
from einback.run.kinds import OPERATORS, REDUCTIONS, kind_of, ufunc
from einback.run.layout import Layout, row_major
from einback.run.steps import (
    Assign,
    Call,
    DTypeName,
    Expr,
    Fill,
    Index,
    Infix,
    Into,
    Kind,
    Literal,
    Method,
    Negative,
    Ref,
    Routine,
    Run,
    Sliced,
    Statement,
    Template,
    Transposed,
)
from einback.run.views import base_of, is_view, reads_windows
from einback.run.walking import refs

__all__ = ["Flattened"]

_SHORT = 4096  # entries that BLAS may sum up one after the other, as NumPy's pairwise sums do in blocks
_SMALL = 4096  # entries of a result


class Flattened(Arrays):
    """The statements of a routine, flattened, block by block.

    `written` are the registers whose arrays the statements write into: somebody must provide them.
    """

    def __init__(self, routine: Routine, layouts: Mapping[str, Layout] | None = None) -> None:
        super().__init__(routine, layouts)
        self._ones: dict[tuple[int, DType], int] = {}
        self._copies = Copies(self)
        self.constants: list[Statement] = []
        self._statements: list[Statement] = []
        self.blocks: list[tuple[Statement, ...]] = []
        for block in routine.blocks:
            for statement in block.statements:
                self._flatten(statement)
            self.blocks.append(tuple(self._statements))
            self._statements = []
        self._copies.clear()
        self.results = tuple(self._rebuilt(result) for result in routine.results)
        self.handed = {self.root(register) for result in self.results for register in refs(result)}

    # statements

    def _flatten(self, statement: Statement) -> None:
        match statement:
            case Assign(target, value, None):
                self._assign(target, value)
            case Assign(target, value, into) if into is not None:
                self.taken[target] = into
                if not self._write(value, Ref(target), self.kinds.get(target), fresh=False):
                    del self.taken[target]
                    self._statements.append(Assign(target, self._rebuilt(value)))
            case Fill(view, value, sign):
                self._statements.append(Fill(self._rebuilt(view), self._operand(value), sign))
            case Run(call):
                self._statements.append(Run(self._rebuilt(call)))
            case Sliced():
                self.written[statement.target] = None
                right = self._operand(statement.right)
                self._statements.append(replace(statement, right=right, fresh=False))
            case _:
                self._statements.append(statement)

    def _assign(self, target: int, value: Expr) -> None:
        if is_view(value):
            self._copies.clear()  # what has a name may be overwritten: it shares no copy with others
            view = self._rebuilt(value)
            self._copies.clear()
            base = base_of(view)
            if base is not None:
                self.taken[target] = base
                self.views[target] = view
            self._statements.append(Assign(target, view))
            return
        kind = self.kinds.get(target)
        if self.holds(kind) and self._write(value, Ref(target), kind):
            self.written[target] = None
            return
        made = self._rebuilt(value)
        if is_view(made):
            self._assign(target, made)
        else:
            self._statements.append(Assign(target, made))

    # expressions

    def _operand(self, expr: Expr) -> Expr:
        """An expression that computes nothing: a name, a number, or a view of one."""
        match expr:
            case Ref() | Literal() | DTypeName():
                return expr
            case Call("np.ascontiguousarray", (operand,), ()):
                inner = self._operand(operand)
                layout = self.layout(inner)
                if layout is None:
                    return Call("np.ascontiguousarray", (inner,))
                return inner if layout.in_order else self._copied(inner)
            case _ if is_view(expr):
                return self._rebuilt(expr)
        kind = kind_of(expr, self.kinds)
        if kind is None or not self.holds(kind):
            return self._rebuilt(expr)
        temporary = Ref(self.register(kind))
        if not self._write(expr, temporary, kind):
            return self._rebuilt(expr)
        self.written[temporary.register] = None
        return temporary

    def _rebuilt(self, expr: Expr) -> Expr:
        """The expression itself, with what it reads flattened."""
        match expr:
            case Ref() | Literal() | DTypeName():
                return expr
            case Infix(sign, left, right):
                return Infix(sign, self._operand(left), self._operand(right))
            case Negative(operand):
                return Negative(self._operand(operand))
            case Call(function, args, keywords):
                named = tuple((key, self._operand(value)) for key, value in keywords)
                return Call(function, tuple(map(self._operand, args)), named)
            case Method(operand, "reshape"):
                return self._reshaped(self._operand(operand), expr)
            case Method(operand, name, args, keywords):
                named = tuple((key, self._operand(value)) for key, value in keywords)
                return Method(self._operand(operand), name, tuple(map(self._operand, args)), named)
            case Index(operand, items):
                return Index(self._operand(operand), items)
            case Transposed(operand, axes):
                return Transposed(self._operand(operand), axes)
            case Template(text, args):
                return Template(text, tuple(map(self._operand, args)))

    def _reshaped(self, inner: Expr, expr: Method) -> Expr:
        """A view where the layout allows; of the caller's arrays, where it would if they lie in C order."""
        made = Method(inner, "reshape", expr.args)
        layout = self.layout(inner)
        kind = kind_of(made, self.kinds)
        if layout is None or kind is None or layout.reshaped(kind.shape) is not None:
            return made
        return Method(self._copied(inner), "reshape", expr.args)

    def _copied(self, operand: Expr) -> Expr:
        """A copy of a view, in C order."""
        kind = kind_of(operand, self.kinds)
        if kind is None or not self.holds(kind):
            return Method(operand, "copy")
        so_far = [*chain.from_iterable(self.blocks), *self._statements] if reads_windows(operand) else []
        if (again := self._copies.found(operand, so_far)) is not None:
            return Ref(again)
        temporary = Ref(self.register(kind))
        self.written[temporary.register] = None
        self._statements.append(Fill(temporary, operand))
        self._copies.add(operand, temporary.register, [*so_far, self._statements[-1]])
        return temporary

    # one operation

    def _write(self, expr: Expr, out: Expr, kind: Kind | None, *, fresh: bool = True) -> bool:
        """Compute into `out`, of the kind given, if NumPy can; an array that is `fresh` holds nothing that is read."""
        match expr:
            case Infix("@", left, right):
                return self._product(left, right, out)
            case Infix(sign, left, right):
                return self._elementwise(OPERATORS[sign], (left, right), out, kind, fresh)
            case Negative(operand):
                return self._elementwise("np.negative", (operand,), out, kind, fresh)
            case Call("np.where", (condition, yes, no), ()):
                return self._chosen(condition, yes, no, out, kind, fresh)
            case Call("np.zeros"):
                self._statements.append(Fill(out, Literal(0)))
                return True
            case Call("np.vecdot", args, ()):
                self._statements.append(Into("np.vecdot", tuple(map(self._operand, args)), out))
                return True
            case Call("np.einsum", (pattern, left, right), ()):
                self._statements.append(Into("np.einsum", (pattern, self._operand(left), self._operand(right)), out))
                return True
            case Call("np.ascontiguousarray", (operand,), ()) | Method(operand, "copy" | "astype", _, ()):
                self._statements.append(Fill(out, self._operand(operand)))
                return True
            case Method(_, name) if name in REDUCTIONS:
                return self._reduction(expr, out, kind)
            case Call(function, args, ()) if (found := ufunc(function)) is not None and found.nout == 1:
                return self._elementwise(function, args, out, kind, fresh)
            case _:
                return fresh and self._through_view(expr, out)

    def _through_view(self, expr: Expr, out: Expr) -> bool:
        """A view of what is computed: computed into a view of the array."""
        match expr:
            case Transposed(operand, axes):
                inverse = tuple(sorted(range(len(axes)), key=axes.__getitem__))
                if len(axes) > 2 and any(k < len(axes) - 2 for k in axes[-2:]):
                    return False  # a matrix product into what BLAS cannot write
                view: Expr = Transposed(out, inverse)
            case Method(operand, "reshape") if isinstance(out, Ref):
                inner = kind_of(operand, self.kinds)
                if inner is None:
                    return False
                view = Method(out, "reshape", tuple(map(Literal, inner.shape)))
            case Index(operand, (EllipsisType(), 0)):
                view = Index(out, (Ellipsis, None))
            case _:
                return False
        kind = kind_of(operand, self.kinds)
        return self.holds(kind) and self._write(operand, view, kind)

    def _elementwise(self, function: str, args: Sequence[Expr], out: Expr, kind: Kind | None, fresh: bool) -> bool:
        if function == "np.multiply" and fresh and self._outer(args, out, kind):
            return True
        placed: list[Expr] = []
        for arg in args:
            free = fresh and out not in placed and not is_view(arg) and kind_of(arg, self.kinds) == kind
            if free and self._write(arg, out, kind):
                placed.append(out)
            else:
                placed.append(self._operand(arg))
        self._statements.append(Into(function, tuple(placed), out))
        return True

    def _chosen(self, condition: Expr, yes: Expr, no: Expr, out: Expr, kind: Kind | None, fresh: bool) -> bool:
        """np.where, which cannot write into an array: one side first, unless it is there, then the other."""
        known = kind_of(condition, self.kinds)
        if known is None or known.dtype != np.bool_ or not known.is_array:
            return False
        there = [side for side in (yes, no) if self._is_array(side, out)]
        computed = [side for side in (yes, no) if not is_view(side) and kind_of(side, self.kinds) == kind]
        first = next(iter([*there, *computed]), no)
        other, where = (no, Call("np.logical_not", (condition,))) if first is yes else (yes, condition)
        if not there and not (first in computed and self._write(first, out, kind)):
            self._statements.append(Fill(out, self._operand(first)))
        keywords = (("where", self._operand(where)),)
        self._statements.append(Run(Call("np.copyto", (out, self._operand(other)), keywords)))
        return True

    def _outer(self, args: Sequence[Expr], out: Expr, kind: Kind | None) -> bool:
        """A small outer product as a product of matrices, which costs a third of what broadcasting does."""
        if kind is None or len(kind.shape) != 2 or prod(kind.shape) > _SMALL or not isinstance(out, Ref):
            return False
        column, row = args
        first, second = (kind_of(arg, self.kinds) for arg in args)
        if first is None or second is None or {first.dtype, second.dtype} != {kind.dtype} or not _is_blas(kind.dtype):
            return False
        n, m = kind.shape
        if first.shape != (n, 1) or second.shape not in ((m,), (1, m)) or not (is_view(column) and is_view(row)):
            return False
        left, right = self._operand(column), self._operand(row)
        right = right if len(second.shape) == 2 else Index(right, (None, slice(None)))
        self._statements.append(Into("dot", (left, right), out))
        return True

    def _is_array(self, expr: Expr, out: Expr) -> bool:
        """Whether an operand is the very array that is written."""
        if not (isinstance(expr, Ref) and isinstance(out, Ref)):
            return False
        return self.array(expr.register) == self.array(out.register)

    def _product(self, left: Expr, right: Expr, out: Expr) -> bool:
        a, b = self._operand(left), self._operand(right)
        kinds = [kind_of(one, self.kinds) for one in (a, b, out)]
        flat = all(kind is not None and kind.is_array and len(kind.shape) <= 2 for kind in kinds)
        dtypes = {kind.dtype for kind in kinds if kind is not None}
        layout = self._layout_of_target(out)
        plain = flat and len(dtypes) == 1 and _is_blas(next(iter(dtypes))) and layout is not None and layout.in_order
        self._statements.append(Into("dot" if plain else "np.matmul", (a, b), out))
        return True

    def _layout_of_target(self, out: Expr) -> Layout | None:
        """The layout of what is about to be written."""
        match out:
            case Ref() | Method(_, "reshape"):
                kind = kind_of(out, self.kinds)
                return row_major(kind.shape) if kind is not None else None
            case _:
                return None

    def _reduction(self, expr: Method, out: Expr, kind: Kind | None) -> bool:
        words = dict(expr.keywords)
        if not words.keys() <= {"axis", "dtype", "initial"} or expr.args:
            return False
        operand = self._operand(expr.operand)
        axis = words.get("axis", Template("None", ()))
        inner = kind_of(operand, self.kinds)
        if expr.name == "sum" and inner is not None and self._summed_by_blas(operand, inner, axis, out, kind):
            return True
        dtype = words.get("dtype", Template("None", ()))
        initial = (("", Literal(False)), ("", words["initial"])) if "initial" in words else ()
        self._statements.append(Into(REDUCTIONS[expr.name], (operand, axis, dtype), out, initial))
        return True

    def _summed_by_blas(self, operand: Expr, inner: Kind, axis: Expr, out: Expr, kind: Kind | None) -> bool:
        """Short sums over an axis of a matrix, as a product with ones: a third of the time of a reduction."""
        if len(inner.shape) != 2 or not isinstance(axis, Literal) or axis.value not in (0, 1):
            return False
        if kind is None or kind.dtype != inner.dtype or not _is_blas(inner.dtype) or not isinstance(out, Ref):
            return False
        layout = self.layout(operand)
        length = inner.shape[int(axis.value)]
        if length > _SHORT or layout is None or 0 in layout.strides:
            return False
        assert isinstance(inner.dtype, np.dtype)
        ones = Ref(self._ones_of(length, inner.dtype))
        self._statements.append(Into("dot", (operand, ones) if axis.value == 1 else (ones, operand), out))
        return True

    def _ones_of(self, length: int, dtype: DType) -> int:
        if (length, dtype) not in self._ones:
            register = self.register(Kind((length,), dtype))
            self._ones[length, dtype] = register
            self.constants.append(Assign(register, Call("np.ones", (Literal(length), DTypeName(dtype)))))
        return self._ones[length, dtype]


def _is_blas(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "fc" and dtype.char in "fdFD"
