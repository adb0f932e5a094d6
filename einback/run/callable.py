"""The compiled program: a callable that specialises itself to the shapes and dtypes it meets.

The first call with new shapes binds the sizes, plans, lowers, and compiles the generated source; later calls look
the function up. Results are fresh arrays in C order that share memory with nothing; a result without axes is
a NumPy scalar (a Python integer where arrays hold objects). Calls from many threads are safe: each works in
memory of its own, which is kept for later calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from einback.errors import ArrayError, CompileError
from einback.ir.extents import symbols_in
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Equality
from einback.ir.walk import inputs_of
from einback.plan.binding import Sizes, bind, equalities_of, resolve, symbols_of
from einback.plan.dtypes import DType
from einback.plan.plan import Plan, spec
from einback.run.device import (
    DeviceFunctions,
    device_arrays,
    is_device_array,
    refuse_device_copies,
    refuse_threads,
    run,
)
from einback.run.facts import depends_on_entries, minds_complex
from einback.run.gather import check_all
from einback.run.guards import Array, checked_arrays, is_shape, refuse_copies, refuse_missing, sorted_out
from einback.run.keeping import remember
from einback.run.limited import strides_of
from einback.run.linalg import explained
from einback.run.made import Case, Compared, Made
from einback.run.report import SlicedPlan
from einback.run.source import Describe, Structure, leaves
from einback.run.specialising import Program, Shapes, specialise

__all__ = ["Compiled", "einsum_describe"]

_DEFAULT = {"integer": np.dtype(np.int64), "complex": np.dtype(np.complex128)}

Key = tuple[object, ...]


def einsum_describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
    """A step in words of its own: Z = einsum('ij,jk->ik', X, W)."""
    return f"{name} = {spec(node, lambda operand: given.get(operand, '…'))}"


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
        precision: str = "float32",
        graph: bool = False,
        cutensor: bool = False,
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
            precision=precision,
            graph=graph,
            cutensor=cutensor,
        )
        self._strictly = strictly or minds_complex([*inputs, *self._program.declared])
        self._symbols = {name for size in symbols_of([*inputs, *roots, *forward]) for name in symbols_in(size)}
        self._needed = symbols_of([*roots, *forward])
        read = set(inputs_of(roots))
        self._required = [tensor.name for tensor in inputs if tensor in read]
        self._lock = threading.Lock()
        self._fast: dict[Key, Made] = {}  # by the arrays exactly as they were passed
        self._made: dict[Key, Made] = {}
        self._device = DeviceFunctions(self._program, lambda case: self._text(case, "cupy"))
        self._last: Made | None = None  # the one for arrays as they were passed in the call before

    def __repr__(self) -> str:
        declared = ", ".join(f"{t.name}[{','.join(map(str, t.sizes))}]" for t in self._program.inputs)
        count = len(self._program.roots)
        return f"<compiled program of {declared}: {count} result{'s' if count > 1 else ''}>"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """All tensors that may be passed."""
        return self._program.inputs

    @property
    def symbols(self) -> frozenset[str]:
        """The names of sizes that may be passed as numbers."""
        return frozenset(self._symbols)

    def __call__(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> Any:
        values: Mapping[str, Any] = named if arrays is None else {**arrays, **named} if named else arrays
        made = self._last
        if made is None or not made.accepts(values):
            key = _key(values)
            made = self._fast.get(key) if key is not None else None
            if made is None and any(map(is_device_array, values.values())):
                return self._on_device(values)
            if made is None:
                made, values = self._prepared(values)
            else:
                self._last = made = made.remembering(values)
        try:
            return made.steps(*[values[name] for name in made.reads])
        except np.linalg.LinAlgError as error:
            raise explained(error, made.text.source) from error
        except IndexError as reason:  # what is read through indices is checked while it runs
            raise ArrayError(self._outside(values) or str(reason)) from None

    def plan(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> Plan | SlicedPlan:
        """The plan for some arrays, shapes (tuples) or sizes (numbers); by default the latest one made."""
        values = {**(arrays or {}), **named}
        if any(map(is_device_array, values.values())):
            return self._device.plan(*self._case_on_device(values))
        made = self._looked_up(values)
        return made.plan.described(made.text.formulas)

    def source(
        self,
        arrays: Mapping[str, object] | None = None,
        /,
        *,
        target: str = "numpy",
        readable: bool | None = None,
        with_check: bool = False,
        function_name: str | None = None,
        **named: Any,
    ) -> str:
        """The generated program as a standalone file; other arguments as for `plan`.

        For NumPy this is the program that runs, for these shapes alone. For the targets "cupy", "torch" and "jax", and
        for "numpy" where it is asked to be `readable`, it is a pure function that makes new arrays at every step, for
        all shapes that agree where the program allows; with `readable=False` that for "cupy" is what runs on a device,
        its kernels included. With `with_check` the file compares its gradients with
        differences when it is run as a script. `function_name` is what the function is called.

        Raises `CompileError` for an unknown target, for a name that is no identifier, and for what a target, or a
        check, cannot express. A tensor called as one of the keywords is given in the dict of arrays.

        >>> import einback as eb
        >>> x, w = eb.tensors("x[n,d] w[d]")
        >>> source = eb.compile({"y": eb.tanh(x @ w)}).source(n=4, d=3, target="jax", function_name="predict")
        >>> print(source[source.index("def") :])
        def predict(x: jax.Array, w: jax.Array) -> dict[str, jax.Array]:
            _, d = x.shape
            if w.shape != (d,):
                raise ValueError("predict takes arrays of the shapes x[n,d] w[d]")
        <BLANKLINE>
            # y[n] = tanh(x[n,d] w[d])
            y = jnp.tanh(x @ w)
        <BLANKLINE>
            return {"y": y}
        <BLANKLINE>
        """
        case = self._case({**(arrays or {}), **named})
        return self._text(case, target, readable, with_check, function_name)

    def _text(
        self,
        case: Case,
        target: str,
        readable: bool | None = None,
        with_check: bool = False,
        function_name: str | None = None,
    ) -> str:
        asking = import_module("einback.run.functional.asking")  # loaded when it is needed
        text: str = asking.source_text(
            self._program,
            case,
            lambda: self._specialised(case.shapes, case.dtypes, case.given, case.strides),
            self._checked,
            target=target,
            readable=readable,
            with_check=with_check,
            function_name=function_name,
        )
        return text

    def _checked(self) -> tuple[Compared, ...]:
        """What a check compares: a result, another that is its gradient, and by what."""
        raise CompileError("nothing is known of which result is the gradient of which", hint="compile tensors")

    def sizes(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> dict[str, int]:
        """The length of every size symbol; arguments as for `plan`."""
        _, known, sizes = self._measured({**(arrays or {}), **named})
        return bind(self._program.inputs, known, equalities=self._program.equalities, given=sizes, needed=self._needed)

    def _outside(self, values: Mapping[str, Any]) -> str:
        """Which entry of an array of indices points outside of its axis."""
        try:
            check_all(self._program.roots, values, self.sizes(values))
        except IndexError as reason:
            return str(reason)
        return ""

    # on a device

    def _on_device(self, values: Mapping[str, object]) -> Any:
        """The results for CuPy arrays, on their device and its current stream."""
        step = self._device.like_before(values)
        if step is not None:
            return run(step, values)
        arrays, case, sizes = self._case_on_device(values)
        return self._device(arrays, case, sizes, values)

    def _case_on_device(self, values: Mapping[str, object]) -> tuple[dict[str, Any], Callable[[], Case], Sizes]:
        """The arrays of a call, what they are made for, and the sizes among the keywords."""
        refuse_threads(self._program.threads)
        tensors, sizes = self._sorted_out(values)
        refuse_missing(list(tensors), self._required)
        arrays = device_arrays(self._program.inputs, tensors, self._strictly)
        refuse_device_copies(tensors, arrays, self._program.memory_limit)
        shapes = {name: array.shape for name, array in arrays.items()}
        dtypes = {name: array.dtype for name, array in arrays.items()}
        return arrays, lambda: self._bound(shapes, dtypes, sizes), sizes

    # specialisation

    def _prepared(self, values: Mapping[str, object]) -> tuple[Made, dict[str, Any]]:
        """Check what was passed, and find or make the specialisation for it."""
        tensors, sizes = self._sorted_out(values)
        refuse_missing(list(tensors), self._required)
        arrays = checked_arrays(self._program.inputs, tensors, self._strictly)
        shapes = {name: array.shape for name, array in arrays.items()}
        limit = self._program.memory_limit
        strides: dict[str, tuple[int, ...]] = {}
        if limit is not None:  # copies, and so bytes, depend on how arrays lie in memory
            refuse_copies(values, arrays, limit)
            strides = {name: strides_of(array) for name, array in arrays.items()}
        made = self._specialised(shapes, {name: array.dtype for name, array in arrays.items()}, sizes, strides)
        key = _key(values) if limit is None else None
        as_passed = all(arrays.get(name) is value and arrays[name].dtype != object for name, value in values.items())
        if key is not None and as_passed and not any(map(depends_on_entries, self._program.inputs)):
            with self._lock:
                remember(self._fast, key, made)
        return made, arrays

    def _sorted_out(self, values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, int]]:
        """The arrays, and the sizes among the keywords."""
        return sorted_out(values, [tensor.name for tensor in self._program.inputs], self._symbols)

    def _specialised(
        self, shapes: Shapes, dtypes: Mapping[str, DType], sizes: Sizes, strides: Shapes | None = None
    ) -> Made:
        key = (*sorted(shapes.items()), *sorted((name, d.str) for name, d in dtypes.items()), *sorted(sizes.items()),
               *sorted((strides or {}).items()))  # fmt: skip
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
                made = specialise(self._program, bound, dtypes, strides or {})
                made.case = Case(shapes, dtypes, sizes, strides or {}, bound)
            remember(self._made, key, made)  # last in the order: the latest
        return made

    def _looked_up(self, values: Mapping[str, object]) -> Made:
        """The specialisation for arrays, shapes or sizes; what is not given is taken as float64."""
        if not values and self._made:
            return next(reversed(self._made.values()))
        case = self._case(values)
        return self._specialised(case.shapes, case.dtypes, case.given)

    def _case(self, values: Mapping[str, object]) -> Case:
        """The shapes, dtypes and sizes that are given, or those met last."""
        if not values and self._made:
            return next(reversed(self._made.values())).case
        arrays, known, sizes = self._measured(values)
        bound = self._bound(known, {}, sizes).sizes
        dtypes: dict[str, DType] = {}
        for tensor in self._program.inputs:
            if tensor.name in known or tensor.name in self._required:
                known.setdefault(tensor.name, resolve(tensor.sizes, bound))
                default = next((_DEFAULT[fact] for fact in tensor.facts if fact in _DEFAULT), np.dtype(np.float64))
                dtypes[tensor.name] = arrays[tensor.name].dtype if tensor.name in arrays else default
        return Case(known, dtypes, sizes, {}, bound)

    def _bound(self, shapes: Shapes, dtypes: Mapping[str, DType], given: Sizes) -> Case:
        """The case of some arrays, with the length of every size."""
        equalities = self._program.equalities
        bound = bind(self._program.inputs, shapes, equalities=equalities, given=given, needed=self._needed)
        return Case(shapes, dtypes, given, {}, bound)

    def _measured(
        self, values: Mapping[str, object]
    ) -> tuple[dict[str, Array], dict[str, tuple[int, ...]], dict[str, int]]:
        """What was passed as arrays, the shapes of these and those passed as shapes, and the sizes."""
        tensors, sizes = self._sorted_out(values)
        shapes = {name: value for name, value in tensors.items() if is_shape(value)}
        passed = {name: value for name, value in tensors.items() if name not in shapes}
        take = device_arrays if any(map(is_device_array, passed.values())) else checked_arrays
        arrays = take(self._program.inputs, passed, self._strictly)
        known: dict[str, tuple[int, ...]] = {name: array.shape for name, array in arrays.items()}
        known.update((name, tuple(map(int, shape))) for name, shape in shapes.items())  # type: ignore[call-overload]
        return arrays, known, sizes


def _key(values: Mapping[str, Any]) -> Key | None:
    """A key for arrays as they are; anything but plain arrays gets None, which is never remembered."""
    key: list[object] = []
    for name, value in values.items():
        if type(value) is not np.ndarray:
            return None
        key += (name, value.shape, value.dtype)
    return tuple(key)
