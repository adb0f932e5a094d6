"""Shapes and dtypes of expressions, as NumPy would give them; None where only a run could tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from einback.plan.dtypes import DType
from einback.run.layout import row_major
from einback.run.steps import Call, DTypeName, Expr, Index, Infix, Kind, Literal, Method, Negative, Ref, Transposed

__all__ = ["OPERATORS", "REDUCTIONS", "as_operator", "is_scalar_type", "kind_of", "ufunc"]

OPERATORS = {
    "+": "np.add",
    "-": "np.subtract",
    "*": "np.multiply",
    "/": "np.divide",
    "**": "np.power",
    "@": "np.matmul",
    ">": "np.greater",
    ">=": "np.greater_equal",
    "<": "np.less",
    "<=": "np.less_equal",
    "==": "np.equal",
    "!=": "np.not_equal",
}
REDUCTIONS = {
    "sum": "np.add.reduce",
    "max": "np.maximum.reduce",
    "min": "np.minimum.reduce",
    "prod": "np.multiply.reduce",
}


def ufunc(function: str) -> np.ufunc | None:
    """NumPy's function of the name, if it works entry by entry (or is a product) and can write into an array."""
    found = getattr(np, function.removeprefix("np."), None)
    return found if isinstance(found, np.ufunc) else None


def kind_of(expr: Expr, kinds: Mapping[int, Kind]) -> Kind | None:
    """The kind of an expression, given those of the registers."""
    match expr:
        case Ref(register):
            return kinds.get(register)
        case Literal(value):
            return Kind((), type(value)) if isinstance(value, bool | int | float) else None
        case Infix(sign, left, right):
            return _applied(OPERATORS[sign], (left, right), kinds)
        case Negative(operand):
            return _applied("np.negative", (operand,), kinds)
        case Call("np.where", (_, yes, no), ()):
            return _applied("np.where", expr.args, kinds) if yes and no else None
        case Call("np.broadcast_to", (operand, Literal(shape)), ()):
            inner = kind_of(operand, kinds)
            return Kind(shape, inner.dtype) if inner and isinstance(shape, tuple) else None
        case Call("np.ascontiguousarray", (operand,), ()):
            return kind_of(operand, kinds)
        case Call("windows", (operand, Literal(axis), _, Literal(sizes), _), ()):
            inner = kind_of(operand, kinds)
            if inner is None or not isinstance(axis, int) or not isinstance(sizes, tuple):
                return None
            return Kind((*inner.shape[:axis], *sizes, *inner.shape[axis + 1 :]), inner.dtype)
        case Call("gathered", (operand, ids, Literal(tuple() as shared)), ()):
            inner, pointers = kind_of(operand, kinds), kind_of(ids, kinds)
            return Kind((*pointers.shape, *inner.shape[len(shared) + 1 :]), inner.dtype) if inner and pointers else None
        case Call("np.vdot", (left, _), ()):
            inner = kind_of(left, kinds)
            return Kind((), inner.dtype) if inner else None
        case Call("np.einsum", (Literal(str() as pattern), *operands), ()):
            return _contracted(pattern, operands, kinds)
        case Call(function, args, (("dtype", DTypeName(dtype)),)) if function.startswith("scalar."):
            shapes = [kind.shape for arg in args if (kind := kind_of(arg, kinds)) is not None]
            return Kind(np.broadcast_shapes(*shapes), dtype) if len(shapes) == len(args) else None
        case Call(function, (arg,), ()) if (made := _scalar_type(function)) is not None:
            inner = kind_of(arg, kinds)
            return Kind((), made) if inner is not None and not inner.shape else None
        case Call(function, args, ()) if ufunc(function) is not None:
            return _applied(function, args, kinds)
        case Transposed(operand, axes):
            inner = kind_of(operand, kinds)
            return Kind(tuple(inner.shape[k] for k in axes), inner.dtype) if inner else None
        case Index(operand, items):
            inner = kind_of(operand, kinds)
            return Kind(row_major(inner.shape).indexed(items).shape, inner.dtype) if inner else None
        case Method():
            return _method(expr, kinds)
        case _:
            return None


def is_scalar_type(function: str) -> bool:
    """Whether a call makes an entry of a dtype, as np.float32(x) does."""
    return _scalar_type(function) is not None


@lru_cache(maxsize=64)
def _scalar_type(function: str) -> DType | None:
    """The dtype that a call such as np.float32(x) makes."""
    found = getattr(np, function.removeprefix("np."), None) if function.startswith("np.") else None
    return np.dtype(found) if isinstance(found, type) and issubclass(found, np.number | np.bool_) else None


def _method(expr: Method, kinds: Mapping[int, Kind]) -> Kind | None:
    inner = kind_of(expr.operand, kinds)
    if inner is None:
        return None
    words = dict(expr.keywords)
    match expr.name:
        case "reshape":
            lengths = [arg.value for arg in expr.args if isinstance(arg, Literal)]
            return Kind(tuple(n for n in lengths if isinstance(n, int)), inner.dtype)
        case "diagonal":
            p, q = (_number(words.get(key), default) for key, default in (("axis1", 0), ("axis2", 1)))
            return Kind(row_major(inner.shape).diagonal(p, q).shape, inner.dtype)
        case "copy" if not words:
            return inner
        case "astype" if not words and isinstance(expr.args[0], DTypeName):
            return Kind(inner.shape, expr.args[0].dtype)
        case "sum" | "max" | "min" | "prod" if words.keys() <= {"axis", "dtype", "initial"}:
            axis = words.get("axis")
            gone = range(len(inner.shape)) if axis is None else _axes(axis)
            wanted = words.get("dtype")
            dtype = wanted.dtype if isinstance(wanted, DTypeName) else _reduced(expr.name, inner.dtype)
            return Kind(tuple(n for k, n in enumerate(inner.shape) if k not in gone), dtype) if dtype else None
        case _:
            return None


def _number(expr: Expr | None, default: int) -> int:
    return int(expr.value) if isinstance(expr, Literal) and isinstance(expr.value, int) else default


def _axes(axis: Expr) -> tuple[int, ...]:
    assert isinstance(axis, Literal)
    return axis.value if isinstance(axis.value, tuple) else (int(axis.value),)


def _reduced(name: str, dtype: DType | type) -> DType | None:
    """The dtype that NumPy reduces to: sums and products of bools and small integers widen."""
    if not isinstance(dtype, np.dtype):
        return None
    if name in ("max", "min") or dtype.kind in "fcO":
        return dtype
    return np.dtype(np.uint64) if dtype.kind == "u" else np.dtype(np.int64)


def _applied(function: str, args: Sequence[Expr], kinds: Mapping[int, Kind]) -> Kind | None:
    found = [kind_of(arg, kinds) for arg in args]
    known = [kind for kind in found if kind is not None]
    if len(known) < len(found):
        return None
    dtype = _result_dtype(function, tuple(kind.dtype for kind in known))
    shapes = [kind.shape for kind in known]
    if dtype is None:
        return None
    match function:
        case "np.matmul":
            return Kind(_product_shape(*shapes), dtype)
        case "np.vecdot":
            return Kind(np.broadcast_shapes(shapes[0][:-1], shapes[1][:-1]), dtype)
        case _:
            return Kind(np.broadcast_shapes(*shapes), dtype)


def _contracted(pattern: str, operands: Sequence[Expr], kinds: Mapping[int, Kind]) -> Kind | None:
    """The kind of an einsum."""
    terms, _, out = pattern.partition("->")
    lengths: dict[str, int] = {}
    dtype: DType | type | None = None
    for letters, operand in zip(terms.split(","), operands, strict=True):
        kind = kind_of(operand, kinds)
        if kind is None:
            return None
        lengths.update(zip(letters, kind.shape, strict=True))
        dtype = kind.dtype
    return Kind(tuple(lengths[letter] for letter in out), dtype) if dtype is not None else None


def _product_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    if len(b) == 1:
        return a[:-1]
    if len(a) == 1:
        return (*b[:-2], b[-1])
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])


@lru_cache(maxsize=4096)
def _result_dtype(function: str, dtypes: tuple[DType | type, ...]) -> DType | None:
    """The dtype of a result; Python numbers are weak."""
    if any(isinstance(dtype, np.dtype) and dtype.kind == "O" for dtype in dtypes) or any(d is bool for d in dtypes):
        return None
    if function == "np.where":
        return _weakly(dtypes[1:])
    made = ufunc(function)
    if made is None or made.nin != len(dtypes) or made.nout != 1:
        return None
    if all(isinstance(dtype, type) for dtype in dtypes):
        return None
    try:
        return made.resolve_dtypes((*dtypes, None))[-1]
    except TypeError:
        return None


def _weakly(dtypes: tuple[DType | type, ...]) -> DType | None:
    if all(isinstance(dtype, type) for dtype in dtypes):
        return None
    return np.result_type(*(dtype if isinstance(dtype, np.dtype) else dtype(0) for dtype in dtypes))


def as_operator(function: str, args: tuple[Expr, ...]) -> Expr:
    """A call as an operator, where there is one."""
    sign = next((sign for sign, name in OPERATORS.items() if name == function), None)
    if function == "np.negative":
        return Negative(args[0])
    return Infix(sign, *args) if sign is not None and len(args) == 2 else Call(function, args)
