"""Products with a large elementwise operand, made a few rows at a time.

(f(A) g(B)) @ C needs the left matrix only row by row. Made as a whole, one that is too large for the allocator to
reuse costs more time in fresh memory pages than in arithmetic; a slice of it stays in the cache instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from einback.run.emitter import Emitter
from einback.run.kinds import ufunc
from einback.run.steps import Call, Expr, Infix, Literal, Negative, Ref
from einback.run.values import Term
from einback.run.walking import parts

__all__ = ["rows_of_slice"]

_LARGE = 1 << 25  # bytes, from which arrays always come from fresh pages
_SLICE = 3 << 23  # bytes of a slice: below what is large, and few enough slices to keep all threads busy
_FEWEST_ROWS = 16


def rows_of_slice(emitter: Emitter, term: Term, other: Term, out: Sequence[int]) -> int:
    """How many rows of a pending matrix to make at a time, where it pays and the other operand is small; else 0."""
    value = term.value
    if value.named or not value.plain or len(value.shape) != 2:
        return 0
    row, column = term.labels
    if row not in out or row in other.labels or column in out or column not in other.labels:
        return 0
    size = value.dtype.itemsize
    rows = _SLICE // (value.shape[1] * size) if value.shape[1] else 0
    small = prod(other.value.shape) * size <= _SLICE
    if prod(value.shape) * size < _LARGE or not small or rows < _FEWEST_ROWS:
        return 0
    return rows if _is_elementwise(emitter, value.expr, value.shape) else 0


def _is_elementwise(emitter: Emitter, expr: Expr, shape: tuple[int, ...]) -> bool:
    """Whether an expression works entry by entry on whole arrays of one shape and on numbers."""
    stack = [expr]
    while stack:
        part = stack.pop()
        match part:
            case Ref(register):
                if emitter.shape(register) != shape:
                    return False
            case Literal():
                pass
            case Infix(sign) if sign != "@":
                stack.extend(parts(part))
            case Negative():
                stack.extend(parts(part))
            case Call(function, keywords=()) if ufunc(function) is not None and function != "np.vecdot":
                stack.extend(parts(part))
            case _:
                return False
    return True
