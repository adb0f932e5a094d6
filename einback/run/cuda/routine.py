"""The routine of a program for a device: its statements fused into kernels and products for cuBLAS."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from einback.rules.scalar import row
from einback.run.cuda.accumulating import accumulated
from einback.run.cuda.cells import Access, Cell
from einback.run.cuda.conjugating import conjugates, unread_conjugates
from einback.run.cuda.flattened import DeviceFlattened
from einback.run.cuda.fusing import Part, fused
from einback.run.cuda.gemm import GEMM, copied, gemms
from einback.run.cuda.groups import Group
from einback.run.cuda.kernels import Kernel, Split, kernel_of, split_of
from einback.run.cuda.overlaps import overlap_kernel
from einback.run.cuda.prelude import COMPLEX, HALF, PRELUDE
from einback.run.functional.dialects import CUPY
from einback.run.kinds import REDUCTIONS, is_scalar_type, kind_of, ufunc
from einback.run.layout import Layout
from einback.run.specialising import PRECISIONS
from einback.run.steps import (
    Assign,
    Call,
    DTypeName,
    Expr,
    Fill,
    Free,
    Into,
    Kind,
    Launch,
    Literal,
    Method,
    Ref,
    Routine,
    Run,
    Statement,
    Template,
)
from einback.run.views import is_view
from einback.run.walking import mapped, refs
from einback.run.workspace import settled

__all__ = ["device_routine"]

_METHODS = {name: method for method, name in REDUCTIONS.items()}

COMPUTE = dict(zip(PRECISIONS, (68, 77, 75, 74), strict=True))  # cuBLAS's names of how floats are multiplied


def device_routine(
    routine: Routine,
    layouts: Mapping[str, Layout],
    aligned: Collection[str],
    precision: str,
    *,
    static: bool = False,
    prefix: str = "",
) -> Routine:
    """The routine with its operations fused and its memory planned.

    `layouts` says how the caller's arrays lie, by name, where that is not C order; `aligned` names those that begin
    at 16 bytes. A `static` one keeps the arrays of its results, and takes indices as they are. Names of kernels begin
    with the `prefix`.
    """
    return _Device(routine, layouts, aligned, precision, static, prefix).made()


@dataclass(slots=True)
class _Placed:
    """A statement and the block that it is of."""

    statement: Statement
    block: int


class _Device:
    def __init__(
        self,
        routine: Routine,
        layouts: Mapping[str, Layout],
        aligned: Collection[str],
        precision: str,
        static: bool,
        prefix: str,
    ) -> None:
        self._routine, self._precision, self._static, self._prefix = routine, precision, static, prefix
        self._flat = flat = DeviceFlattened(routine, layouts)
        flat.static = static
        self._kernels: list[Kernel] = []
        self._allocates = False
        self._handed: set[int] = set()  # arrays that are results
        self._placed: list[_Placed] = []
        self._conjugates = conjugates([one for block in flat.blocks for one in block], flat, self._inlined)
        for number, block in enumerate(flat.blocks):
            for statement in block:
                self._placed += [_Placed(one, number) for one in self._prepared(statement)]
        flat.results = tuple(self._result(result) for result in flat.results)
        flat.handed = {flat.root(register) for result in flat.results for register in refs(result)}
        self._unaligned = {p.register for p in routine.parameters if p.tensor.name not in aligned}

    def made(self) -> Routine:
        flat = self._flat
        unread = unread_conjugates([one.statement for one in self._placed], self._conjugates, flat)
        self._placed = [one for place, one in enumerate(self._placed) if place not in unread]
        found = accumulated([one.statement for one in self._placed], flat, flat.handed)
        self._placed = [
            replace(one, statement=made) for one, made in zip(self._placed, found, strict=True) if made is not None
        ]
        parts = fused([one.statement for one in self._placed], flat, flat.handed)
        blocks: list[list[Statement]] = [[] for _ in flat.blocks]
        latest = 0
        for part in parts:  # what came together stands in the last of its blocks
            latest = max(latest, *(self._placed[place].block for place in part.places))
            blocks[latest] += self._statements(part)
        flat.blocks = [tuple(statements) for statements in blocks]
        given = replace(self._routine, helpers=self._helpers(), may_warn=False, allocates=self._allocates)
        return settled(given, flat)

    # statements

    def _prepared(self, statement: Statement) -> list[Statement]:
        """The statement without names of views; matrix products as calls of cuBLAS."""
        flat = self._flat
        match statement:
            case Free():
                return []
            case Assign(target) if target in flat.views:
                return []
            case Assign(target, value):
                return [Assign(target, self._inlined(value))]
            case Fill(view, value, sign):
                return self._unless_empty(Fill(self._inlined(view), self._inlined(value), sign), view)
            case Into(function, args, out, keywords):
                named = tuple((key, self._inlined(value)) for key, value in keywords)
                made = Into(function, tuple(map(self._inlined, args)), self._inlined(out), named)
                if (
                    function == "np.matmul"
                    and (found := gemms(made, flat, self._conjugates)) is not None
                    and not _is_dot(made, flat)
                ):
                    return found
                if function == "contracted":
                    return self._contraction(made)
                return self._unless_empty(made, out)
            case Run(Call("check_indices")) if self._static:
                return []
            case Run(call):
                return [Run(self._inlined(call))]
            case _:
                return [statement]

    def _contraction(self, statement: Into) -> list[Statement]:
        """A contraction of arrays that run forwards, as cuTENSOR wants them; others are copied."""
        copies: list[Statement] = []
        pattern, *operands = statement.args
        for k, operand in enumerate(operands):
            layout = self._flat.layout(operand)
            if layout is None or min(layout.strides, default=1) <= 0:
                operands[k] = copied(operand, self._flat, copies)
        return [*copies, replace(statement, args=(pattern, *operands))]

    def _unless_empty(self, statement: Statement, out: Expr) -> list[Statement]:
        kind = kind_of(out, self._flat.kinds)
        return [] if kind is not None and 0 in kind.shape else [statement]

    def _inlined(self, expr: Expr) -> Expr:
        if isinstance(expr, Ref):
            array = self._flat.array(expr.register)
            return self._inlined(self._flat.views[array]) if array in self._flat.views else Ref(array)
        return mapped(expr, self._inlined)

    def _result(self, result: Expr) -> Expr:
        """A result as an array of its own, which a kernel may write."""
        flat = self._flat
        result = self._inlined(result)
        kind = kind_of(result, flat.kinds)
        match result:
            case Ref(register) | Call("np.ascontiguousarray", (Ref(register),), ()) if self._is_own(register):
                self._handed.add(register)
                return Ref(register)
            case Call("np.ascontiguousarray", (view,), ()) | Method(view, "copy", (), ()):
                pass
            case Method(view, "astype"):
                inner = kind_of(view, flat.kinds)
                name = result.args[0]
                kind = Kind(inner.shape, name.dtype) if inner is not None and isinstance(name, DTypeName) else None
            case Call(_, (view,), ()) if kind is not None and is_scalar_type(result.function):
                pass
            case Call("np.full", (Literal(tuple() as shape), view), ((_, DTypeName(dtype)),)) if flat.blocks:
                kind = Kind(shape, dtype)
            case _ if is_view(result):
                view = result
            case _:
                return result
        known = flat.layout(view) is not None or isinstance(view, Literal)
        if kind is None or not known or not flat.holds(kind) or isinstance(kind.dtype, type):
            return result
        if not flat.blocks:  # nothing runs before the results
            number = (Literal(()), view), (("dtype", DTypeName(kind.dtype)),)
            return Call("np.full", *number) if isinstance(view, Literal) else result
        register = flat.register(kind)
        flat.written[register] = None
        block = len(flat.blocks) - 1
        filled = self._unless_empty(Fill(Ref(register), view), Ref(register))
        self._placed += [_Placed(one, block) for one in filled]
        return Ref(register)

    def _is_own(self, register: int) -> bool:
        """Whether an array is made here, in C order, and no result yet."""
        flat = self._flat
        return flat.root(register) == register and register in flat.written and register not in self._handed

    def _statements(self, part: Part) -> list[Statement]:
        if part.group is None:
            return [self._alone(self._placed[place].statement) for place in part.places]
        split = split_of(part.group, part.stored)
        if split:
            return self._in_two(part.group, part.stored, split)
        return [self._launched(part.group, part.stored, None)]

    def _alone(self, statement: Statement) -> Statement:
        """A statement that is fused with no other."""
        kernel = overlap_kernel(self._name(), statement, self._flat)
        if kernel is not None:
            return self._launch(kernel)
        made = _called(statement, self._flat)
        self._allocates |= _allocates(made)
        return made

    def _launched(self, group: Group, stored: set[int], split: Split | None) -> Launch:
        aligned = {read.root for cell in group.cells.values() for read in (*cell.reads, cell.out)} - self._unaligned
        return self._launch(kernel_of(self._name(), group, stored, aligned, split))

    def _name(self) -> str:
        return f"{self._prefix}kernel_{len(self._kernels) + 1}"

    def _launch(self, kernel: Kernel) -> Launch:
        self._kernels.append(kernel)
        numbers = f"({kernel.blocks},), ({kernel.threads},)"
        return Launch(kernel.name, numbers, tuple(map(Ref, kernel.reads)), tuple(map(Ref, kernel.writes)))

    def _in_two(self, group: Group, stored: set[int], count: int) -> list[Statement]:
        """A long reduction in parts, and then over these."""
        flat = self._flat
        total, steps = prod(group.lengths[k] for k in group.outer), group.steps
        partial: dict[int, int] = {}
        outer = [1 if axis in (group.inner or ()) else n for axis, n in enumerate(group.lengths)]
        second = Group([*outer, count], (len(outer),))
        for place, cell in group.cells.items():
            if group.over_inner(place) and not cell.reduction:
                continue
            if not cell.reduction:
                second.cells[place], second.axes[place] = cell, group.axes[place]
                continue
            register = partial[place] = flat.register(Kind((count * total,), cell.held))
            flat.written[register] = None
            kept = cell.kept
            axes = [group.axes[place][k] for k in kept]
            strides = (*(steps[axis] if axis is not None else 0 for axis in axes), total)
            shape = (*(cell.space[k] for k in kept), count)
            read = Access(register, cell.held, Layout(shape, strides))
            second.cells[place] = Cell((read,), (cell.dtype,), "{0}", cell.dtype, shape, cell.out, cell.reduction,
                                       (len(kept),), cell.initial)  # fmt: skip
            second.axes[place] = (*axes, len(group.lengths))
        return [self._launched(group, stored, Split(count, partial)), self._launched(second, stored, None)]

    # text

    def _helpers(self) -> tuple[str, ...]:
        launched = "".join(kernel.text for kernel in self._kernels)
        helpers = list(self._routine.helpers)
        if self._kernels:
            types = (HALF if "half" in launched else "") + (COMPLEX if "complex<" in launched else "")
            module = f"{self._prefix.upper()}KERNELS"
            names = "".join(f'{kernel.name} = {module}.get_function("{kernel.name}")\n' for kernel in self._kernels)
            text = f"{types}{PRELUDE}\n{''.join(kernel.text + chr(10) for kernel in self._kernels)}"
            helpers.append(f'\n{module} = np.RawModule(code=r"""{text}""", options=("--std=c++17",))\n{names}')
        calls = any(isinstance(one.statement, Launch) for one in self._placed)
        if calls:
            compute = COMPUTE[self._precision]
            kinds = {"ee": (2, 2, 68, "f"), "ef": (2, 0, 68, "f"), "ff": (0, 0, compute, "f"), "dd": (1, 1, 70, "d"),
                     "FF": (4, 4, compute, "F"), "DD": (5, 5, 70, "D")}  # fmt: skip
            lines = "".join(
                f'    "{kind}": ({a}, {b}, {sums}, "{scalar}"),\n' for kind, (a, b, sums, scalar) in kinds.items()
            )
            words = "cuBLAS's types of operands, results and sums, and the dtype of its factors"
            helpers.append(f"\n# {words}\nKINDS = {{\n{lines}}}\n")
            helpers.append(GEMM)
        return tuple(helpers)


def _called(statement: Statement, flat: DeviceFlattened) -> Statement:
    """A statement that no kernel computes, as CuPy spells it."""
    match statement:
        case Into("np.where", args, out):
            return Fill(out, Call("np.where", args))
        case Into("gathered", (array, ids, Literal(tuple() as shared)), out):
            return Fill(out, Template(_gathering(shared), (array, ids)))
        case Into("np.arange", (), out):
            return Fill(out, Template("np.arange({0}.size)", (out,)))
        case Into("np.vecdot", args, out):
            return Fill(out, Template("({0}.conj() * {1}).sum(-1)", args))
        case Into("np.einsum" | "np.vdot" as function, args, out):
            return Fill(out, Call(function, args))
        case Into(function, (operand, axis, dtype), out, keywords) if function in _METHODS:
            words = (("axis", axis), *([("dtype", dtype)] if isinstance(dtype, DTypeName) else []))
            made = Method(operand, _METHODS[function], (), words)
            bounds = [value for _, value in keywords[1:]]  # behind keepdims: the least that a maximum may be
            return Fill(out, Call("np.maximum", (made, *bounds)) if bounds else made)
        case Into(function, args, out) if function.startswith("scalar."):
            name = function.removeprefix("scalar.")
            kinds = [kind_of(one, flat.kinds) for one in (out, *args)]
            is_complex = any(getattr(kind.dtype, "kind", "") == "c" for kind in kinds if kind is not None)
            spelled = (is_complex and row(name).analytic) or CUPY.functions.get(name, row(name).numpy)
            return Fill(out, Template(spelled, args))
        case _:
            return statement


def _allocates(statement: Statement) -> bool:
    """Whether CuPy makes arrays of its own for a statement: all but functions that write entry by entry, and copies."""
    match statement:
        case Launch() | Free() | Run(Call("check_indices")):
            return False
        case Into(function):
            return ufunc(function) is None or function == "np.matmul"
        case Fill(_, value) | Assign(_, value):
            return not is_view(value)
        case _:
            return True


def _gathering(shared: Sequence[int]) -> str:
    """How CuPy reads entries of {0} where {1} points: the array begins with the axes `shared` of the indices."""
    places = (f"np.arange({{1}}.shape[{k}]).reshape(-1, *(1,) * ({{1}}.ndim - {k + 1}))" for k in shared)
    return f"{{0}}[{', '.join([*places, '{1}'])}]"


def _is_dot(statement: Into, flat: DeviceFlattened) -> bool:
    """Whether a product is of two vectors, a sum that a kernel takes."""
    kinds = [kind_of(one, flat.kinds) for one in statement.args]
    floating = all(kind is not None and getattr(kind.dtype, "kind", "") in "fc" for kind in kinds)
    return floating and all(kind is not None and len(kind.shape) == 1 for kind in kinds)
