"""The compiled program: a callable that specialises itself to the shapes and dtypes it meets.

The first call with new shapes binds the sizes, plans, lowers, and compiles the generated source; later calls look
the function up. Results are fresh arrays in C order that share memory with nothing; a result without axes is
a NumPy scalar (a Python integer where arrays hold objects). Calls from many threads are safe: each works in
memory of its own, which is kept for later calls.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from einback.errors import ArrayError, CompileError
from einback.ir.extents import symbols_in
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Equality
from einback.ir.walk import inputs_of
from einback.plan.binding import Sizes, bind, equalities_of, resolve, symbols_of
from einback.plan.choosing import choose_slices
from einback.plan.dtypes import DType, result_dtypes
from einback.plan.plan import Plan, make_plan, spec
from einback.run.executing import steps_in
from einback.run.facts import depends_on_entries, minds_complex
from einback.run.guards import Array, checked_arrays, is_shape, refuse_missing, sorted_out
from einback.run.limited import order_of, runs_in_slices, specialise_in_slices
from einback.run.linalg import explained
from einback.run.lower import lower
from einback.run.made import Made, Wording
from einback.run.names import identifier
from einback.run.report import SlicedPlan
from einback.run.source import Describe, Result, Structure, Text, leaves, write
from einback.run.wording import origins, wishes
from einback.run.workspace import settled

__all__ = ["Compiled", "einsum_describe"]

_KEPT = 64  # specialisations of one program
_DEFAULT = {"integer": np.dtype(np.int64), "complex": np.dtype(np.complex128)}

Key = tuple[object, ...]
Shapes = dict[str, tuple[int, ...]]


def einsum_describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
    """A step in words of its own: Z = einsum('ij,jk->ik', X, W)."""
    return f"{name} = {spec(node, lambda operand: given.get(operand, '…'))}"


@dataclass(frozen=True, slots=True)
class Program:
    """What is compiled: the nodes wanted, and all that is known of them.

    `inputs` may be passed by the caller, and those that the roots read must be; `equalities` are sizes that must
    agree; result k takes the dtype of the array for `likes[k]` if that is floating, else that of the node
    `declared[k]`, before simplification; `structure` says how results are handed out; `forward` are nodes whose
    cost counts as the forward pass; `names`, `letters` and `describe` word the source, which opens with `title`.
    """

    roots: tuple[Node, ...]
    declared: tuple[Node, ...]
    inputs: tuple[Input, ...]
    structure: Structure
    equalities: tuple[Equality, ...]
    likes: tuple[Input | None, ...]
    forward: tuple[Node, ...]
    names: Mapping[Node, str]
    letters: Mapping[Node, str]
    describe: Describe
    title: str
    function: str
    memory_limit: int | None
    threads: int | None


class Compiled:
    """A program that takes arrays by keyword (or as one dict) and gives results in the structure asked for."""

    def __init__(
        self,
        roots: Sequence[Node],
        inputs: Sequence[Input],
        *,
        declared: Sequence[Node] = (),
        strictly: bool = False,
        structure: Structure = 0,
        equalities: Iterable[Equality] = (),
        likes: Sequence[Input | None] = (),
        forward: Sequence[Node] = (),
        names: Mapping[Node, str] | None = None,
        letters: Mapping[Node, str] | None = None,
        describe: Describe = einsum_describe,
        title: str = "",
        function: str = "step",
        memory_limit: int | None = None,
        threads: int | None = None,
    ) -> None:
        if sorted(leaves(structure)) != list(range(len(roots))):
            raise CompileError(f"a structure of results {leaves(structure)} for {len(roots)} nodes")
        self._program = Program(
            roots=tuple(roots),
            declared=tuple(declared) or tuple(roots),
            inputs=tuple(inputs),
            structure=structure,
            equalities=(*equalities, *equalities_of([*roots, *forward])),
            likes=tuple(likes) or (None,) * len(roots),
            forward=tuple(forward),
            names=dict(names or {}),
            letters=dict(letters or {}),
            describe=describe,
            title=title,
            function=function,
            memory_limit=memory_limit,
            threads=threads,
        )
        self._strictly = strictly or minds_complex([*inputs, *self._program.declared])
        self._symbols = {name for size in symbols_of([*inputs, *roots, *forward]) for name in symbols_in(size)}
        self._needed = symbols_of([*roots, *forward])
        read = set(inputs_of(roots))
        self._required = [tensor.name for tensor in inputs if tensor in read]
        self._lock = threading.Lock()
        self._fast: dict[Key, Made] = {}  # by the arrays exactly as they were passed
        self._made: dict[Key, Made] = {}
        self._last: Made | None = None  # the one for arrays as they were passed in the call before

    def __repr__(self) -> str:
        declared = ", ".join(f"{t.name}[{','.join(map(str, t.sizes))}]" for t in self._program.inputs)
        count = len(self._program.roots)
        return f"<compiled program of {declared}: {count} result{'s' if count > 1 else ''}>"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """All tensors that may be passed."""
        return self._program.inputs

    def __call__(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> Any:
        values: Mapping[str, Any] = named if arrays is None else {**arrays, **named} if named else arrays
        made = self._last
        if made is None or not made.accepts(values):
            key = _key(values)
            made = self._fast.get(key) if key is not None else None
            if made is None:
                made, values = self._prepared(values)
            else:
                self._last = made = made.remembering(values)
        try:
            return made.steps(*[values[name] for name in made.reads])
        except np.linalg.LinAlgError as error:
            raise explained(error, made.text.source) from error
        except IndexError as reason:  # what is read through indices is checked while it runs
            raise ArrayError(str(reason)) from None

    def plan(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> Plan | SlicedPlan:
        """The plan for some arrays, shapes (tuples) or sizes (numbers); by default the latest one made."""
        made = self._looked_up({**(arrays or {}), **named})
        return made.plan.described(made.text.formulas)

    def source(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> str:
        """The generated program as a standalone file; arguments as for `plan`."""
        return self._looked_up({**(arrays or {}), **named}).standalone()

    def sizes(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> dict[str, int]:
        """The length of every size symbol; arguments as for `plan`."""
        _, known, sizes = self._measured({**(arrays or {}), **named})
        return bind(self._program.inputs, known, equalities=self._program.equalities, given=sizes, needed=self._needed)

    # specialisation

    def _prepared(self, values: Mapping[str, object]) -> tuple[Made, dict[str, Any]]:
        """Check what was passed, and find or make the specialisation for it."""
        tensors, sizes = self._sorted_out(values)
        refuse_missing(list(tensors), self._required)
        arrays = checked_arrays(self._program.inputs, tensors, self._strictly)
        shapes = {name: array.shape for name, array in arrays.items()}
        limited = self._program.memory_limit is not None  # copies, and so bytes, depend on the order in memory
        orders = {name: order_of(array) for name, array in arrays.items()} if limited else {}
        made = self._specialised(shapes, {name: array.dtype for name, array in arrays.items()}, sizes, orders)
        key = _key(values) if not limited else None
        as_passed = all(arrays.get(name) is value and arrays[name].dtype != object for name, value in values.items())
        if key is not None and as_passed and not any(map(depends_on_entries, self._program.inputs)):
            with self._lock:
                _remember(self._fast, key, made)
        return made, arrays

    def _sorted_out(self, values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, int]]:
        """The arrays, and the sizes among the keywords."""
        return sorted_out(values, [tensor.name for tensor in self._program.inputs], self._symbols)

    def _specialised(
        self, shapes: Shapes, dtypes: Mapping[str, DType], sizes: Sizes, orders: Shapes | None = None
    ) -> Made:
        key = (*sorted(shapes.items()), *sorted((name, d.str) for name, d in dtypes.items()), *sorted(sizes.items()),
               *sorted((orders or {}).items()))  # fmt: skip
        with self._lock:
            made = self._made.pop(key, None)
            if made is None:
                bound = bind(
                    self._program.inputs,
                    shapes,
                    equalities=self._program.equalities,
                    given=sizes,
                    needed=self._needed,
                )
                made = _specialise(self._program, bound, dtypes, orders or {})
            _remember(self._made, key, made)  # last in the order: the latest
        return made

    def _looked_up(self, values: Mapping[str, object]) -> Made:
        """The specialisation for arrays, shapes or sizes; what is not given is taken as float64."""
        if not values and self._made:
            return next(reversed(self._made.values()))
        arrays, known, sizes = self._measured(values)
        bound = bind(self._program.inputs, known, equalities=self._program.equalities, given=sizes, needed=self._needed)
        dtypes: dict[str, DType] = {}
        for tensor in self._program.inputs:
            if tensor.name in known or tensor.name in self._required:
                known.setdefault(tensor.name, resolve(tensor.sizes, bound))
                default = next((_DEFAULT[fact] for fact in tensor.facts if fact in _DEFAULT), np.dtype(np.float64))
                dtypes[tensor.name] = arrays[tensor.name].dtype if tensor.name in arrays else default
        return self._specialised(known, dtypes, sizes)

    def _measured(self, values: Mapping[str, object]) -> tuple[dict[str, Array], Shapes, dict[str, int]]:
        """What was passed as arrays, the shapes of these and those passed as shapes, and the sizes."""
        tensors, sizes = self._sorted_out(values)
        shapes = {name: value for name, value in tensors.items() if is_shape(value)}
        passed = {name: value for name, value in tensors.items() if name not in shapes}
        arrays = checked_arrays(self._program.inputs, passed, self._strictly)
        known: Shapes = {name: array.shape for name, array in arrays.items()}
        known.update((name, tuple(map(int, shape))) for name, shape in shapes.items())  # type: ignore[call-overload]
        return arrays, known, sizes


def _specialise(program: Program, sizes: Sizes, dtypes: Mapping[str, DType], orders: Shapes) -> Made:
    declared = result_dtypes(_typing_nodes(program, dtypes, sizes), dtypes, sizes)
    wanted = [
        _wanted(like, node, dtypes) or dtype
        for like, node, dtype in zip(program.likes, program.declared, declared, strict=True)
    ]
    cut = runs_in_slices(program.memory_limit, program.threads, dtypes)
    plan = None
    if program.memory_limit is None:
        plan = make_plan(program.roots, sizes=sizes, arrays=dtypes, forward=program.forward, named=program.names)
    slices = choose_slices(plan, program.threads or 1).slices if cut and plan is not None else 0
    if cut and slices != 1:
        return specialise_in_slices(
            program.roots,
            program.inputs,
            wanted,
            sizes=sizes,
            dtypes=dtypes,
            orders=orders,
            structure=program.structure,
            memory_limit=program.memory_limit,
            threads=program.threads,
            slices=slices,
            wording=Wording(program.names, program.letters, program.describe, program.title, program.function),
        )
    assert plan is not None  # a program under a limit is cut in any case
    routine = settled(lower(plan, program.inputs, dtypes, wanted))
    plan = replace(plan, space=routine.space)
    results = [Result(resolve(root.shape, sizes), dtype) for root, dtype in zip(plan.roots, wanted, strict=True)]

    @cache
    def written(checked: bool, described: bool = True) -> Text:
        return write(
            routine,
            program.structure,
            results,
            names=wishes(plan, program.names),
            letters=program.letters,
            describe=program.describe,
            origins=origins(plan),
            title=program.title,
            function=program.function,
            checked=checked,
            described=described,
        )

    steps = steps_in(written(checked=False, described=False).source, identifier(program.function))
    reads = tuple(parameter.tensor.name for parameter in routine.parameters)
    return Made(plan, reads, steps, written)


def _typing_nodes(program: Program, dtypes: Mapping[str, DType], sizes: Sizes) -> tuple[Node, ...]:
    """The results as declared, unless they read what cancels and was therefore not passed."""
    passed = all(tensor.name in dtypes for tensor in inputs_of(program.declared))
    return program.declared if passed and set(symbols_of(program.declared)) <= sizes.keys() else program.roots


def _wanted(like: Input | None, node: Node, dtypes: Mapping[str, DType]) -> DType | None:
    """The dtype of a derivative by `like`: that of the array, which must hold numbers that can move."""
    dtype = dtypes.get(like.name) if like is not None else None
    if like is None or dtype is None or dtype.kind == "O":
        return None
    if dtype.kind == "f":
        return np.result_type(dtype, np.complex64) if node.is_complex else dtype
    if dtype.kind == "c" and like.is_complex:
        return dtype
    remedy = f"pass floats for {like.name}: integers have no gradient"
    if dtype.kind == "c":
        remedy = f"declare {like.name} with complex=True"
    raise ArrayError(f"a result is the derivative by {like.name}, and the array for it holds {dtype}", hint=remedy)


def _key(values: Mapping[str, Any]) -> Key | None:
    """A key for arrays as they are; anything but plain arrays gets None, which is never remembered."""
    key: list[object] = []
    for name, value in values.items():
        if type(value) is not np.ndarray:
            return None
        key += (name, value.shape, value.dtype)
    return tuple(key)


def _remember(cache: dict[Key, Made], key: Key, made: Made) -> None:
    cache[key] = made
    if len(cache) > _KEPT:
        del cache[next(iter(cache))]
