"""Reductions over a few entries, as over the windows of a pooling.

NumPy's reductions call their inner loop once for every result; over two or three axes of a few entries that takes
thirty times as long as taking these entries one after the other, each a slice of the whole array.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from einback.plan.dtypes import DType
from einback.run.emitter import Emitter
from einback.run.steps import Call, Expr, Template, Transposed
from einback.run.values import Value

__all__ = ["fold"]

_FEW, _MANY = 32, 1024  # entries of a window, and windows, from which on slices pay
_UFUNCS = {"max": "np.maximum", "min": "np.minimum", "sum": "np.add"}


def fold(emitter: Emitter, fn: str, value: Value, axes: Sequence[int], dtype: DType) -> Expr | None:
    """max, min or sum over some axes of the array, where slices are faster."""
    count = prod(value.shape[axis] for axis in axes)
    windowed = isinstance(value.expr, Call) and value.expr.function == "windows"
    inner = len(axes) > 1 and len(value.shape) - 1 in axes
    if (
        fn not in _UFUNCS
        or dtype.kind == "O"
        or not 0 < count <= _FEW
        or prod(value.shape) < _MANY * count
        or not (windowed or inner)
    ):
        return None
    emitter.helper(_FOLD)
    order = (*axes, *(axis for axis in range(len(value.shape)) if axis not in axes))
    kind = f", np.{dtype.type.__name__}" if dtype != value.dtype else ""
    return Template(f"fold({_UFUNCS[fn]}, {{0}}, {len(axes)}{kind})", (Transposed(value.expr, order),))


_FOLD = '''
def fold(ufunc, x, count, dtype=None):
    """The reduction over the first `count` axes, which are short: an array at a time."""
    first, *rest = np.ndindex(x.shape[:count])
    total = np.array(x[first], dtype)
    for place in rest:
        ufunc(total, x[place], out=total)
    return total
'''
