"""The NumPy spelling of statements and expressions, with no more parentheses than Python needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import EllipsisType

from einback.run.kinds import OPERATORS, ufunc
from einback.run.steps import (
    Assign,
    Call,
    DTypeName,
    Expr,
    Fill,
    Free,
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

__all__ = ["expression", "statement"]

Name = Callable[[int], str]

_PRECEDENCE = {">": 1, ">=": 1, "<": 1, "<=": 1, "==": 1, "!=": 1, "+": 2, "-": 2, "*": 3, "/": 3, "@": 3, "**": 5}
_NEGATIVE, _ATOM = 4, 6
_BY_KEYWORD = ("np.einsum", "np.maximum", "np.minimum")  # NumPy wants it so; a place by position is read faster


def statement(step: Statement, name: Name) -> str:
    """One statement of source, a line but for loops; `name` gives the variable of a register."""
    match step:
        case Assign(target, value, into) if into is not None and _writes(value):
            return _in_place(name(target), value, into, name)
        case Assign(target, value):
            return f"{name(target)} = {_bare(expression(value, name))}"
        case Into(function, args, out, keywords):
            extra = [expression(value, name) for _, value in keywords]
            place = "out=" * (function in _BY_KEYWORD) + expression(out, name)
            words = [*(expression(arg, name) for arg in args), place, *extra]
            if function == "dot":
                return f"{_within(args[0], _ATOM, name)}.dot({', '.join(words[1:])})"
            return f"{function}({', '.join(words)})"
        case Fill(view, value, sign):
            whole = "" if isinstance(view, Index | Template) else "[...]"
            return f"{expression(view, name)}{whole} {sign}= {_bare(expression(value, name))}"
        case Run(call):
            return expression(call, name)
        case Free(registers):
            return f"del {', '.join(dict.fromkeys(map(name, registers)))}"
        case Sliced():
            return _sliced(step, name)
        case Launch(function, numbers, args, outs, scale):
            arrays = [expression(one, name) for one in (*args, *outs)]
            factors = f"{scale[0]!r}, {int(scale[1])}, " if scale is not None else ""
            return f"{function}({numbers}, {factors}({', '.join(arrays)},))"
    raise TypeError(f"unknown statement {type(step).__name__}")


def _writes(value: Expr) -> bool:
    """Whether NumPy can write an operation into an array."""
    return isinstance(value, Infix | Negative) or (isinstance(value, Call) and ufunc(value.function) is not None)


def _in_place(target: str, value: Expr, into: int, name: Name) -> str:
    """A statement that writes into an array: `Z += b`, `np.exp(Z, out=Z)`, or `P = np.exp(Z, out=Z)`."""
    out = name(into)
    if isinstance(value, Infix) and target == out:
        if value.left == Ref(into):
            return f"{out} {value.sign}= {expression(value.right, name)}"
        if value.right == Ref(into) and value.sign in "+*":
            return f"{out} {value.sign}= {expression(value.left, name)}"
    match value:
        case Infix():
            call = Call(OPERATORS[value.sign], (value.left, value.right))
        case Negative():
            call = Call("np.negative", (value.operand,))
        case Call():
            call = value
        case _:
            raise TypeError(f"{type(value).__name__} cannot write into an array")
    text = expression(Call(call.function, call.args, (*call.keywords, ("out", Ref(into)))), name)
    return text if target == out else f"{target} = {text}"


def _sliced(step: Sliced, name: Name) -> str:
    """A loop over slices of rows, so that the left matrix is never there as a whole."""
    target, k = name(step.target), name(step.index)
    rows = f"[{k} : {k} + {step.step}]"
    left = expression(step.left, lambda register: name(register) + rows)
    dtype = expression(DTypeName(step.dtype), name)
    return "\n".join(
        [
            *([f"{target} = np.empty({step.shape}, dtype={dtype})"] if step.fresh else []),
            f"for {k} in range(0, {step.shape[0]}, {step.step}):",
            f"    np.matmul({left}, {expression(step.right, name)}, {target}{rows})",
        ]
    )


def expression(expr: Expr, name: Name) -> str:
    return _text(expr, name)[0]


def _text(expr: Expr, name: Name) -> tuple[str, int]:
    """The text of an expression and how tightly it binds."""
    match expr:
        case Ref(register):
            return name(register), _ATOM
        case Literal(value):
            text = _number(value)
            return text, _NEGATIVE if text.startswith("-") else _ATOM
        case DTypeName(dtype):
            return "object" if dtype.kind == "O" else f"np.{dtype.type.__name__}", _ATOM
        case Infix(sign, left, right):
            level = _PRECEDENCE[sign]
            tight_left = level + (sign == "**" or level == 1)
            return f"{_within(left, tight_left, name)} {sign} {_within(right, level + 1, name)}", level
        case Negative(operand):
            return f"-{_within(operand, _NEGATIVE, name)}", _NEGATIVE
        case Call(function, args, keywords):
            return f"{function}({_arguments(args, keywords, name)})", _ATOM
        case Method(operand, method, args, keywords):
            return f"{_within(operand, _ATOM, name)}.{method}({_arguments(args, keywords, name)})", _ATOM
        case Index(operand, items):
            return f"{_within(operand, _ATOM, name)}[{_items(items)}]", _ATOM
        case Transposed(operand, axes):
            view = ".T" if axes == tuple(range(len(axes)))[::-1] else f".transpose({', '.join(map(str, axes))})"
            return _within(operand, _ATOM, name) + view, _ATOM
        case Template(text, args):
            return text.format(*(_within(arg, _ATOM, name) for arg in args)), _ATOM


def _within(expr: Expr, level: int, name: Name) -> str:
    text, own = _text(expr, name)
    return text if own >= level else f"({text})"


def _arguments(args: Sequence[Expr], keywords: Sequence[tuple[str, Expr]], name: Name) -> str:
    positional = [expression(arg, name) for arg in args]
    return ", ".join([*positional, *(f"{word}={expression(value, name)}" for word, value in keywords)])


def _items(items: Sequence[slice | int | EllipsisType | None]) -> str:
    def word(item: slice | int | EllipsisType | None) -> str:
        if isinstance(item, slice):
            start, stop, step = ("" if part is None else str(part) for part in (item.start, item.stop, item.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return "..." if item is Ellipsis else str(item)

    return ", ".join(map(word, items)) or "()"


def _number(value: int | float | str | tuple[int, ...]) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    return repr(value).replace("e+", "e")


def _bare(text: str) -> str:
    """A whole expression without the parentheses around it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for k, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if not depth and k < len(text) - 1:
            return text
    return text[1:-1]
