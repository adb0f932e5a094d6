"""Steps: what a lowered program consists of, as data that no dialect has spelled yet.

    routine   ::= parameters, blocks, results
    block     ::= the node that it makes, statements
    statement ::= Assign(target, expression, into) | Fill(view, expression) | Run(expression) | Free(registers)
                | Sliced(target, left, right) | Into(function, arguments, out)
    expression ::= Ref | Literal | DTypeName | Infix | Negative | Call | Method | Index | Transposed | Template

A register is an array (or a scalar) that a statement makes; its number is its place in `Routine.registers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    "changed",
    "mapped",
    "operators",
    "reads",
    "refs",
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
    """An expression that is evaluated for what it does: a check, or entries added into an array."""

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


Statement = Assign | Fill | Into | Run | Free | Sliced


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
    is what comes before the first call, working in a block of `space` bytes.
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


def parts(expr: Expr) -> tuple[Expr, ...]:
    """The expressions that an expression is made of, one level down."""
    match expr:
        case Infix():
            return expr.left, expr.right
        case Negative() | Index() | Transposed():
            return (expr.operand,)
        case Call():
            return (*expr.args, *(value for _, value in expr.keywords))
        case Method():
            return (expr.operand, *expr.args, *(value for _, value in expr.keywords))
        case Template():
            return expr.args
        case Ref() | Literal() | DTypeName():
            return ()


def refs(expr: Expr) -> Iterator[int]:
    """The registers that an expression reads, as they stand in it, once for each time that it does."""
    stack = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, Ref):
            yield part.register
        stack.extend(reversed(parts(part)))


def operators(expr: Expr) -> int:
    """How many computations an expression holds; views count nothing."""
    count, stack = 0, [expr]
    while stack:
        part = stack.pop()
        count += isinstance(part, Infix | Negative | Call | Method | Template)
        stack.extend(parts(part))
    return count


def mapped(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with another in place of each that it is made of."""
    match expr:
        case Infix(sign, left, right):
            return Infix(sign, change(left), change(right))
        case Negative(operand):
            return Negative(change(operand))
        case Call(function, args, keywords):
            return Call(function, tuple(map(change, args)), tuple((key, change(value)) for key, value in keywords))
        case Method(operand, name, args, keywords):
            named = tuple((key, change(value)) for key, value in keywords)
            return Method(change(operand), name, tuple(map(change, args)), named)
        case Index(operand, items):
            return Index(change(operand), items)
        case Transposed(operand, axes):
            return Transposed(change(operand), axes)
        case Template(text, args):
            return Template(text, tuple(map(change, args)))
        case _:
            return expr


def changed(statement: Statement) -> Iterator[int]:
    """The registers that a statement makes, or whose arrays it may write into."""
    match statement:
        case Assign(target):
            yield target
        case Into(_, _, out):
            yield next(refs(out))
        case Fill(view):
            yield next(refs(view))
        case Run(Call(_, (first, *_))):
            yield from list(refs(first))[:1]
        case Sliced(target):
            yield target


def reads(statement: Statement) -> Iterator[int]:
    """The registers that a statement reads."""
    match statement:
        case Assign(_, value):
            yield from refs(value)
        case Into(_, args, _, keywords):
            for expr in (*args, *(value for _, value in keywords)):
                yield from refs(expr)
        case Fill(view, value):
            yield from refs(value)
            yield from list(refs(view))[1:]
        case Run(call):
            yield from refs(call)
        case Sliced():
            yield from refs(statement.left)
            yield from refs(statement.right)
