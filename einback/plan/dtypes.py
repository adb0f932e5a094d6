"""The dtype of every node, before anything runs.

NumPy's promotion, where numbers that are known while planning are weak, as Python's scalars are in NumPy 2:
they never widen a float array. Beyond that
    integers    products and sums of nothing but integers and bools are int64 (uint64 stays), so that a sum of
                uint8 does not wrap around; a fractional weight makes them float64
    predicates  a comparison counts as the dtype of what it compares: 0 and 1 in that dtype; of places along axes, as
                structure
    objects     Python integers of any length: sums, products, powers and choices of them are exact
    structure   what reads no array, such as identity matrices and complex numbers, is weak too; alone it takes the
                dtype of the program's floating arrays
    halves      sums of 16-bit floats are 32-bit, and so is what is made of them alone; they are rounded where
                they meet 16-bit arrays, and as results: the mean of 5,000 hundreds is 100
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from einback.errors import ArrayError, CompileError
from einback.ir.nodes import (
    Add,
    Const,
    Delta,
    Einsum,
    Input,
    Map,
    Matrix,
    Node,
    Number,
    OneHot,
    Ones,
    Range,
    Reduce,
    Window,
)
from einback.ir.walk import children, postorder
from einback.plan.binding import Sizes
from einback.plan.numbers import is_integral, known_numbers
from einback.plan.views import is_view, selects
from einback.rules.matrix import MATRIX_TABLE, matrix_row
from einback.rules.relations import is_relation
from einback.rules.scalar import row

__all__ = ["HALF", "KEEPS_INTEGERS", "SINGLE", "DType", "infer_dtypes", "number_dtype", "result_dtypes", "widened"]

DType = np.dtype[np.generic]

INT, FLOAT = np.dtype(np.int64), np.dtype(np.float64)
HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)

# Functions that give integers for integers; all others give floats.
KEEPS_INTEGERS = frozenset(
    ["abs", "sign", "conj", "real", "imag", "relu", "maximum", "minimum", "where", "power"]
    + ["floor", "ceil", "rint", "trunc"]
    + ["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"]
)


def infer_dtypes(
    order: Iterable[Node],
    arrays: Mapping[str, DType],
    numbers: Mapping[Node, Number],
    preset: Mapping[Node, DType] | None = None,
) -> dict[Node, DType]:
    """The dtype of every node that is not a number; `order` lists children first, `arrays` is by input name.

    `preset` overrules for some nodes. Raises `CompileError` for functions that a dtype does not have.
    """
    structural = _structural(arrays.values())
    dtypes: dict[Node, DType] = {}
    order = list(order)
    arrayless = _arrayless(order)
    for node in order:
        if node in numbers:
            continue
        if preset is not None and node in preset:
            dtypes[node] = preset[node]
            continue
        strong = _strong(_entries(node), dtypes, arrayless)
        weak = [numbers[child] for child in children(node) if child in numbers]
        match node:
            case Input():
                dtypes[node] = arrays[node.name]
            case Einsum():
                rearranged = strong and (is_view(node) or selects(node) or _is_embedding(node))
                dtypes[node] = strong[0] if rearranged else _combined(strong, weak, structural)
            case Add():
                dtypes[node] = _combined(strong, [*weak, *node.weights], structural)
            case Map():
                dtypes[node] = _map(node, lambda args: _strong(args, dtypes, arrayless), numbers, structural)
            case Reduce():
                dtypes[node] = _reduce(node, strong[0] if strong else _combined([], weak, structural))
            case Matrix():
                dtypes[node] = _matrix(node, strong[0] if strong else _combined([], weak, structural))
            case OneHot() if strong and strong[0].kind not in "iu":
                raise ArrayError(f"{_name(node.ids)} points into an axis, and holds {strong[0]}", hint="pass integers")
            case Delta() | Window() | OneHot():
                dtypes[node] = structural or INT
            case Range():
                dtypes[node] = INT
            case _:
                raise TypeError(f"unknown node {type(node).__name__}")
    return dtypes


def widened(order: Iterable[Node], dtypes: Mapping[Node, DType]) -> dict[Node, DType]:
    """The dtypes in which a program runs: 16-bit sums, and what is made of such sums alone, are 32-bit."""
    wide: dict[Node, DType] = {}
    for node in order:
        if node in dtypes:
            kids = [wide[child] for child in _entries(node) if child in wide]
            grows = _accumulates(node) or (bool(kids) and all(kid == SINGLE for kid in kids))
            wide[node] = SINGLE if grows and dtypes[node] == HALF else dtypes[node]
    return wide


def _accumulates(node: Node) -> bool:
    match node:
        case Einsum():
            return len(set(node.out)) < len(node.sizes) and not is_view(node) and not selects(node)
        case Reduce():
            return node.fn in ("prod", "logsumexp")
        case Matrix():
            return True
        case _:
            return False


def result_dtypes(roots: Sequence[Node], arrays: Mapping[str, DType], sizes: Sizes) -> tuple[DType, ...]:
    """The dtypes of results, from the program as it was declared: what simplification cancels promotes too."""
    order = list(postorder(roots))
    numbers = known_numbers(order, sizes)
    dtypes = infer_dtypes(order, arrays, numbers)
    structural, arrayless = _structural(arrays.values()), _arrayless(order)
    for root in roots:
        if root in dtypes and dtypes[root].kind in "fc" and structural and root in arrayless:
            dtypes[root] = np.result_type(structural, np.complex64 if dtypes[root].kind == "c" else structural)
    return tuple(dtypes[root] if root in dtypes else number_dtype(numbers[root], arrays.values()) for root in roots)


def _arrayless(order: Iterable[Node]) -> set[Node]:
    """The nodes that read no array."""
    found: set[Node] = set()
    for node in order:
        if not isinstance(node, Input) and all(
            child in found or isinstance(child, Const | Ones) for child in children(node)
        ):
            found.add(node)
    return found


def _strong(nodes: Iterable[Node], dtypes: Mapping[Node, DType], arrayless: Collection[Node]) -> list[DType]:
    """The dtypes that promote: of what reads no array, it only counts beside floats whether it is complex."""
    held = [dtypes[node] for node in nodes if node in dtypes and node not in arrayless]
    rest = [dtypes[node] for node in nodes if node in dtypes and node in arrayless]
    if not held or np.result_type(*held).kind not in "fc":
        return held + rest
    return held + [np.dtype(np.complex64) for dtype in rest if dtype.kind == "c"]


def _entries(node: Node) -> list[Node]:
    """The nodes whose entries a node computes with; a relation beside them only says which."""
    return [child for child in children(node) if not (isinstance(node, Einsum) and is_relation(child))]


def _name(node: Node) -> str:
    return node.name if isinstance(node, Input) else "what"


def number_dtype(value: Number, arrays: Iterable[DType]) -> DType:
    """The dtype of a number that is wanted as a result: of the program's floating arrays, else of its integers."""
    dtypes = list(arrays)
    return _structural(dtypes) or (INT if dtypes and is_integral(value) else FLOAT)


def _structural(dtypes: Iterable[DType]) -> DType | None:
    """The dtype of arrays that no input enters: of the floating inputs if they agree, else float64 or unknown."""
    floats = {np.empty(0, dtype).real.dtype for dtype in dtypes if dtype.kind in "fc"}
    if not floats:
        return None
    return floats.pop() if len(floats) == 1 else FLOAT


def _is_embedding(node: Einsum) -> bool:
    return len(node.operands) == 1 and len(set(node.out)) < len(node.out) and len(set(node.out)) == len(node.sizes)


def _combined(strong: Sequence[DType], weak: Sequence[Number], structural: DType | None) -> DType:
    """The dtype of sums and products."""
    integral = all(map(is_integral, weak))
    if not strong:
        return structural or (INT if integral else FLOAT)
    dtype = np.result_type(*strong)
    if dtype.kind not in "bui":
        return dtype
    if not integral:
        return FLOAT
    return dtype if dtype == np.uint64 and all(weight >= 0 for weight in weak) else INT


def _map(
    node: Map,
    strong_of: Callable[[Sequence[Node]], list[DType]],
    numbers: Mapping[Node, Number],
    structural: DType | None,
) -> DType:
    scalar = row(node.fn)
    args = node.args[1:] if node.fn == "where" else node.args
    strong = strong_of(args) or strong_of(node.args)
    weak = [numbers[arg] for arg in args if arg in numbers]
    if scalar.predicate:
        if all(arg in numbers or _is_position(arg) for arg in args):
            return structural or INT
        dtype = _combined(strong, [], structural)
        return np.empty(0, dtype).real.dtype
    if node.fn == "complex" and not strong:
        return np.dtype(np.complex128)
    dtype = _combined(strong, weak, structural)
    if node.fn == "complex":
        return np.result_type(dtype if dtype.kind in "fc" else FLOAT, np.complex64)
    if dtype.kind in "iuO":
        exact = node.fn in KEEPS_INTEGERS and not (node.fn == "power" and _leaves_integers(node, numbers))
        if dtype.kind == "O" and node.fn not in KEEPS_INTEGERS:
            raise CompileError(f"{node.fn} is not defined for object arrays, which hold exact integers")
        return dtype if exact or dtype.kind == "O" else FLOAT
    if dtype.kind == "c":
        return _complex_map(node.fn, dtype)
    return dtype


def _is_position(node: Node) -> bool:
    """Whether a node counts along an axis, i or 2 i - 1: its integers are no data, and widen no floats."""
    stack, counts = [node], False
    while stack:
        part = stack.pop()
        match part:
            case Range():
                counts = True
            case Einsum() | Add():
                stack.extend(children(part))
            case Ones() | Const():
                pass
            case _:
                return False
    return counts


def _leaves_integers(node: Map, numbers: Mapping[Node, Number]) -> bool:
    """Whether a power of integers may be a fraction: only a whole exponent that is known rules it out."""
    exponent = numbers.get(node.args[1])
    return exponent is None or not is_integral(exponent) or exponent < 0


def _complex_map(fn: str, dtype: DType) -> DType:
    if fn in ("abs", "real", "imag"):
        return np.empty(0, dtype).real.dtype
    if fn != "where" and not (row(fn).analytic or row(fn).parts):
        raise CompileError(f"{fn} is not defined for complex arrays")
    return dtype


def _matrix(node: Matrix, dtype: DType) -> DType:
    """NumPy's linear algebra works on floats; 16-bit floats are widened where it runs."""
    if dtype.kind == "O":
        raise CompileError(f"{node.fn} is not defined for object arrays, which hold exact integers")
    if dtype.kind == "c" and node.fn in MATRIX_TABLE and matrix_row(node.fn).symmetric:
        raise CompileError(f"{node.fn} is not supported for complex arrays")
    if dtype.kind in "bui":
        return FLOAT
    return np.empty(0, dtype).real.dtype if node.fn == "logdet" else dtype


def _reduce(node: Reduce, dtype: DType) -> DType:
    if node.fn == "peak":
        return FLOAT if dtype.kind in "bui" else np.empty(0, dtype).real.dtype
    if dtype.kind == "c" and node.fn in ("max", "min"):
        raise CompileError(f"{node.fn} is not defined for complex arrays")
    if dtype.kind == "O" and node.fn == "logsumexp":
        raise CompileError("logsumexp is not defined for object arrays, which hold exact integers")
    if dtype.kind in "bui":
        return FLOAT if node.fn == "logsumexp" else dtype if dtype == np.uint64 else INT
    return dtype
