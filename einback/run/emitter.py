"""The emitter: registers, their lifetimes, and the statements of the block at hand.

Expressions are kept pending until a name for them is needed, and what a pending expression reads counts as
unread until it is written down; so an array is overwritten only by the statement that reads it last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from einback.ir.nodes import Node
from einback.plan.dtypes import DType
from einback.run.kinds import ufunc
from einback.run.steps import (
    Assign,
    Block,
    Call,
    Expr,
    Fill,
    Free,
    Index,
    Infix,
    Kind,
    Method,
    Negative,
    Ref,
    Register,
    Run,
    Sliced,
    Statement,
    Transposed,
)
from einback.run.values import Value, array, carried, laid
from einback.run.walking import operators, refs

__all__ = ["Emitter"]

_LONGEST = 4  # operators in one expression
_WORTH_FREEING = 1 << 20  # bytes; below, an array is left to the end of the function
_IN_PLACE = {"+", "-", "*", "/"}


class Emitter:
    """Writes statements, and knows which arrays may be overwritten.

    For a `device`, where operations are fused later on, none is, and functions of the scalar table stay whole; there
    `cutensor` may contract what cuBLAS needs copies for.
    """

    def __init__(self, device: bool = False, cutensor: bool = False) -> None:
        self.device, self.cutensor = device, cutensor
        self.registers: list[Register] = []
        self.blocks: list[Block] = []
        self.helpers: dict[str, None] = {}
        self._statements: list[Statement] = []
        self._unread: Counter[int] = Counter()
        self._owned: dict[int, Value] = {}  # arrays of this program; the caller's are not among them
        self._dead: list[int] = []
        self._before: dict[int, int] = {}  # the register whose array another took over
        self._scalars: set[int] = set()
        self.kinds: dict[int, Kind] = {}  # of the registers whose kind is known

    def parameter(self, node: Node, shape: tuple[int, ...], dtype: DType) -> int:
        self.registers.append(Register(node, None))
        self.kinds[len(self.registers) - 1] = Kind(shape, dtype)
        return len(self.registers) - 1

    def shape(self, register: int) -> tuple[int, ...] | None:
        """The shape of the caller's array, or of one that this program owns."""
        known = self.kinds.get(register)
        return known.shape if known is not None else None

    def adopt(self, register: int, node: Node, uses: int) -> bool:
        """Make a register of this block the home of `node`, unless it is another node's."""
        made = self.registers[register]
        if made.node is not None or made.block != len(self.blocks):
            return False
        self.registers[register] = Register(node, made.block)
        self._unread[register] = uses
        return True

    def owns(self, register: int) -> bool:
        """Whether the array was made here, and is not the caller's."""
        return register in self._owned

    def makes_scalar(self, register: int) -> bool:
        """Whether a register without axes is sure to hold a scalar, not an array of no axes."""
        return register in self._scalars

    # pending expressions

    def settled(self, value: Value, node: Node | None = None, uses: int = 1) -> Value:
        """The value under a name; `node` is what it stands for if others read it too, `uses` how often it is read."""
        if value.named and node is None:
            return value
        places = carried([value])
        expr = laid(value, places)
        shape = tuple(value.shape[k] for k in (value.axes[p] for p in places) if k is not None)
        into = self._overwritten(expr, shape, value.dtype)
        target = self.assign(expr, node, uses, into=into)
        row_major = self._owned[into].row_major if into is not None else value.row_major and expr is value.expr
        made = array(Ref(target), shape, value.dtype, row_major=row_major)
        if not _is_tuple(expr):
            self.kinds[target] = Kind(shape, value.dtype)
        if not _is_read_only(expr):
            self._owned[target] = made
        where = {place: axis for axis, place in enumerate(places)}
        return replace(made, axes=tuple(where.get(k) for k in range(len(value.axes))))

    def inline(self, value: Value) -> Value:
        """The value as part of a longer expression, or under a name where it is long or can run in place."""
        if value.named or (value.dtype == np.bool_ and operators(value.expr) < _LONGEST):
            return value
        if operators(value.expr) >= _LONGEST or self._overwritten(value.expr, value.shape, value.dtype) is not None:
            return self.settled(value)
        return value

    def read_again(self, value: Value, times: int) -> None:
        """An expression that is about to be written reads a named value more often than nodes do."""
        for register in refs(value.expr):
            self._unread[register] += max(0, times)

    def assign(self, expr: Expr, node: Node | None = None, uses: int = 1, *, into: int | None = None) -> int:
        target = len(self.registers)
        self.registers.append(Register(node, len(self.blocks)))
        self._statements.append(Assign(target, expr, into))
        self._unread[target] = uses
        if isinstance(expr, Infix | Negative | Method) or _is_ufunc(expr) or _is_call(expr, "np.vdot"):
            self._scalars.add(target)
        if into is not None:
            self._before[target] = into
        self._read(expr, kept=into)
        return target

    def own(self, register: int, value: Value) -> None:
        self._owned[register] = value
        self.kinds[register] = Kind(value.shape, value.dtype)

    def fill(self, view: Expr, expr: Expr, sign: str = "", reads: Sequence[Expr] = ()) -> None:
        """Write into an array of this program; `reads` are what the view reads beside it."""
        self._statements.append(Fill(view, expr, sign))
        for read in (expr, *reads):
            self._read(read, kept=None)

    def sliced(self, left: Expr, right: Expr, shape: tuple[int, ...], dtype: DType, step: int) -> Value:
        """left @ right, `step` rows at a time: a slice of the left operand is all that is there of it."""
        index, target = len(self.registers), len(self.registers) + 1
        self.registers += [Register(None, len(self.blocks)), Register(None, len(self.blocks))]
        self._statements.append(Sliced(target, index, left, right, shape, dtype, step))
        self._unread[target] = 1
        self.own(target, array(Ref(target), shape, dtype, row_major=True))
        for read in (left, right):
            self._read(read, kept=None)
        return self._owned[target]

    def run(self, call: Expr, reads: Sequence[Expr] = ()) -> None:
        """Evaluate an expression for what it does; `reads` are the operands that it uses up."""
        self._statements.append(Run(call))
        for read in reads:
            self._read(read, kept=None)

    def helper(self, text: str) -> None:
        if text:
            self.helpers[text] = None

    def close(self, node: Node, register: int, *, last: bool) -> None:
        """End the block that makes `node`; large arrays that nothing reads any more are let go."""
        dead = [k for k in self._dead if self._nbytes(k) >= _WORTH_FREEING]
        if dead and not last:
            self._statements.append(Free(tuple(name for register in dead for name in self._holders(register))))
        self.blocks.append(Block(node, register, tuple(self._statements)))
        self._statements, self._dead = [], []

    def _holders(self, register: int) -> list[int]:
        """All registers that hold the array: those it was taken over from still do."""
        held = [register]
        while held[-1] in self._before:
            held.append(self._before[held[-1]])
        return held

    def _nbytes(self, register: int) -> int:
        value = self._owned[register]
        return prod(value.shape) * value.dtype.itemsize

    def _read(self, expr: Expr, kept: int | None) -> None:
        for register in refs(expr):
            self._unread[register] -= 1
            if not self._unread[register] and register in self._owned and register != kept:
                self._dead.append(register)

    def _overwritten(self, expr: Expr, shape: tuple[int, ...], dtype: DType) -> int | None:
        """The register whose array the outermost operation of an expression may overwrite, if there is one."""
        reads = Counter(refs(expr))
        for operand in () if self.device else _overwritable(expr):
            if isinstance(operand, Ref):
                k = operand.register
                own = self._owned.get(k)
                if own and shape and own.shape == shape and own.dtype == dtype and self._unread[k] == reads[k]:
                    return k
        return None


def _overwritable(expr: Expr) -> Iterable[Expr]:
    """The operands into which NumPy could write the outermost operation."""
    match expr:
        case Infix() if expr.sign in _IN_PLACE:
            return (expr.left, expr.right)
        case Negative():
            return (expr.operand,)
        case Call("np.where", (_, yes, no)):
            return (yes, no)
        case Call() if _is_ufunc(expr) and expr.function != "np.vecdot":
            return expr.args
        case _:
            return ()


def _is_read_only(expr: Expr) -> bool:
    """Whether NumPy gives a view that refuses to be written."""
    match expr:
        case Transposed() | Index():
            return _is_read_only(expr.operand)
        case Method():
            return expr.name == "diagonal"
        case _:
            return _is_call(expr, "np.broadcast_to") or _is_call(expr, "windows")


def _is_tuple(expr: Expr) -> bool:
    """Whether a call gives several arrays: what a matrix is kept as."""
    return isinstance(expr, Call) and expr.function in ("factor", "qr", "np.linalg.eigh", "np.linalg.slogdet")


def _is_call(expr: Expr, function: str) -> bool:
    return isinstance(expr, Call) and expr.function == function


def _is_ufunc(expr: Expr) -> bool:
    return isinstance(expr, Call) and ufunc(expr.function) is not None
