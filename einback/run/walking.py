"""What steps are made of, and which registers they read and change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from einback.run.steps import (
    Assign,
    Call,
    DTypeName,
    Expr,
    Fill,
    Index,
    Infix,
    Into,
    Launch,
    Literal,
    Method,
    Negative,
    Ref,
    Run,
    Sliced,
    Statement,
    Template,
    Transposed,
)

__all__ = ["changed", "mapped", "operators", "parts", "reads", "refs"]


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
        case Assign(target) | Sliced(target):
            yield target
        case Into(_, _, out) | Fill(out):
            yield next(refs(out))
        case Run(Call(_, (first, *_))):
            yield from list(refs(first))[:1]
        case Launch():
            yield from (register for out in statement.outs for register in refs(out))


def reads(statement: Statement) -> Iterator[int]:
    """The registers that a statement reads."""
    match statement:
        case Assign(_, value):
            yield from refs(value)
        case Into(_, args, _, keywords):
            yield from (register for expr in (*args, *(v for _, v in keywords)) for register in refs(expr))
        case Fill(view, value):
            yield from (*refs(value), *list(refs(view))[1:])
        case Run(call):
            yield from refs(call)
        case Launch():
            yield from (register for expr in statement.args for register in refs(expr))
        case Sliced():
            yield from (*refs(statement.left), *refs(statement.right))
