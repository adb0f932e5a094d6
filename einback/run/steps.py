"""Steps: what a lowered program consists of, as data that no dialect has spelled yet.

    routine   ::= parameters, blocks, results
    block     ::= the node that it makes, statements
    statement ::= Assign(target, expression, into) | Fill(view, expression) | Run(expression) | Free(registers)
                | Sliced(target, left, right) | Into(function, arguments, out) | Launch(function, numbers, args, outs)
    expression ::= Ref | Literal | DTypeName | Infix | Negative | Call | Method | Index | Transposed | Template

A register is an array (or a scalar) that a statement makes; its number is its place in `Routine.registers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import EllipsisType

from einback.ir.nodes import Input, Node
from einback.plan.dtypes import DType

__all__ = [
    "Assign",
    "Block",
    "Call",
    "DTypeName",
    "Expr",
    "Fill",
    "Free",
    "Index",
    "Infix",
    "Into",
    "Kind",
    "Launch",
    "Literal",
    "Method",
    "Negative",
    "Parameter",
    "Ref",
    "Register",
    "Routine",
    "Run",
    "Sliced",
    "Statement",
    "Template",
    "Transposed",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """The shape and the dtype of an array; a Python number has its type in place of a dtype."""

    shape: tuple[int, ...]
    dtype: DType | type

    @property
    def is_array(self) -> bool:
        """Whether it is an array of numbers with axes, whose memory can be planned."""
        return bool(self.shape) and not isinstance(self.dtype, type) and self.dtype.kind != "O"


@dataclass(frozen=True, slots=True)
class Ref:
    """The array in a register."""

    register: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A Python number, or a tuple of integers: an axis list or a shape."""

    value: int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DTypeName:
    dtype: DType


@dataclass(frozen=True, slots=True)
class Infix:
    """left sign right, for arithmetic, comparisons and the matrix product `@`."""

    sign: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Negative:
    operand: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """function(args, keyword=..): a name of NumPy's, or of a helper in the same source."""

    function: str
    args: tuple[Expr, ...]
    keywords: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """operand.name(args, keyword=..)."""

    operand: Expr
    name: str
    args: tuple[Expr, ...] = ()
    keywords: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """operand[items]: a slice keeps an axis, an ellipsis keeps many, None makes one, a number picks."""

    operand: Expr
    items: tuple[slice | int | EllipsisType | None, ...]


@dataclass(frozen=True, slots=True)
class Transposed:
    """The view whose axis k is axis `axes[k]` of the operand."""

    operand: Expr
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A function of the scalar table, written as its row spells it in NumPy; the arguments are names or numbers."""

    text: str
    args: tuple[Expr, ...]


Expr = Ref | Literal | DTypeName | Infix | Negative | Call | Method | Index | Transposed | Template


@dataclass(frozen=True, slots=True)
class Assign:
    """target = value; where `into` names a register, its array is overwritten, and becomes the target's."""

    target: int
    value: Expr
    into: int | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """view[...] = value, or with a sign, view[...] += value."""

    view: Expr
    value: Expr
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Into:
    """function(arguments, out): a function of NumPy's writes its result into a view of an array that is there."""

    function: str
    args: tuple[Expr, ...]
    out: Expr
    keywords: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """An expression that is evaluated for what it does."""

    call: Expr


@dataclass(frozen=True, slots=True)
class Free:
    """The registers' arrays are let go; several registers may hold one array."""

    registers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sliced:
    """target = left @ right, made `step` rows at a time; the registers in `left` stand for the rows of their arrays.

    `index` is the register that counts the rows. The target is a `fresh` array, unless memory is planned for it.
    """

    target: int
    index: int
    left: Expr
    right: Expr
    shape: tuple[int, ...]
    dtype: DType
    step: int
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Launch:
    """function(numbers, (arguments, outs)): on a device, arrays are written into some others; all are whole arrays.

    A product has a `scale`: its factor, and whether it adds to what is there.
    """

    function: str
    numbers: str
    args: tuple[Expr, ...]
    outs: tuple[Expr, ...]
    scale: tuple[float, bool] | None = None


Statement = Assign | Fill | Into | Run | Free | Sliced | Launch


@dataclass(frozen=True, slots=True)
class Register:
    """What a register holds: the node, if it is the head of a block or an input, and the block that makes it."""

    node: Node | None
    block: int | None


@dataclass(frozen=True, slots=True)
class Block:
    """The statements of one step of the plan; `register` holds its node when they are done."""

    node: Node
    register: int
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """An array that the caller passes."""

    tensor: Input
    register: int
    shape: tuple[int, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class Routine:
    """A lowered program: straight-line blocks, and an expression for each result.

    `kinds` are the shapes and dtypes of registers, as far as they are known. Where its memory is planned, `prepared`
    is what comes before the first call, working in a block of `space` bytes. On a device one that `allocates` calls
    CuPy for arrays that no plan knows of.
    """

    parameters: tuple[Parameter, ...]
    blocks: tuple[Block, ...]
    results: tuple[Expr, ...]
    registers: tuple[Register, ...]
    kinds: Mapping[int, Kind]
    helpers: tuple[str, ...]
    may_warn: bool
    prepared: tuple[Statement, ...] = ()
    space: int = 0
    allocates: bool = False
