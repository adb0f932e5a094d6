"""Source of programs in phases: one file with a function for each part, and a driver that runs over slices.

    def step(X, W):
        part1 = phase1(W)                                       # before
        H = np.empty((4096, 128), dtype=np.float64)

        def slice2(start, stop):                                # a slice: rows are stacked, sums returned
            ..
        for start, (u1,) in over(slice2, 4096, 512):            # results are added up in the order of the slices
            ..
        return phase3(H, part2)                                 # after

With threads, slices run on a pool of them, as many at a time as there are threads, each with BLAS limited to one.
What a slice gives does not depend on when it ran, and sums are taken in order: results are the same, bit for bit.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from einback.ir.walk import inputs_of
from einback.plan.dtypes import DType
from einback.plan.phases import Loop, Made, Phase, Straight
from einback.run.names import Namer, imports_of, refuse_defined
from einback.run.over_slices import IMPORTS, LIMITS, OVER, OVER_IN_SHARES, OVER_IN_THREADS
from einback.run.parts import Array, Part, Parts
from einback.run.source import Structure, rendered

__all__ = ["Driver", "DriverWriter", "Layout", "drive"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a program is cut: its phases, and for each loop the length of a slice (0 for what runs once)."""

    phases: tuple[Phase, ...]
    lengths: tuple[int, ...]
    threads: int = 1
    in_shares: bool = False  # each thread runs one share of the slices, all of whose results wait for each other


@dataclass(frozen=True, slots=True)
class Driver:
    """The finished file. `parts[k]` are those of phase k, the one for whole slices first; `reads` are its arrays."""

    source: str
    parts: tuple[tuple[Part, ...], ...]
    reads: tuple[str, ...]


def drive(
    layout: Layout,
    parts: Parts,
    inputs: Mapping[str, Array],
    structure: Structure,
    results: Sequence[tuple[str, DType]],
    *,
    title: str = "",
    function: str = "step",
    checked: bool = False,
) -> Driver:
    """The file of a program that takes `inputs`; result k of the structure is an array by name, in a dtype."""
    return DriverWriter(layout, parts, inputs, structure, results, function).driver(title, checked)


class DriverWriter:
    """Writes the file of a program in phases."""

    needs: ClassVar = "NumPy only"
    reserved: ClassVar[tuple[str, ...]] = ()  # names that no variable of the driver may take
    numbers_are_arrays: ClassVar = False  # what has no axes could be written to

    def __init__(
        self,
        layout: Layout,
        parts: Parts,
        inputs: Mapping[str, Array],
        structure: Structure,
        results: Sequence[tuple[str, DType]],
        function: str,
    ) -> None:
        self._layout, self._parts, self._structure = layout, parts, structure
        self._results, self._function = results, function
        numbers = range(1, len(layout.phases) + 1)
        numbered = [f"{kind}{k}" for kind in ("phase", "slice", "body", "rest") for k in numbers]
        most = max((len(phase.makes) for phase in layout.phases), default=0)
        parts_of_slices = [f"u{k + 1}" for k in range(most)]
        self._namer = Namer(
            [*self.reserved, function, *numbered, *parts_of_slices, "over", "start", "stop", "body", "worker", "lock"]
        )
        self._arrays = dict(inputs)
        self._inputs = inputs
        self._names = {name: self._namer.name(name) for name in inputs}
        self._functions: dict[str, None] = {}
        self._ready: dict[str, None] = {}
        self._made: list[tuple[Part, ...]] = []

    def driver(self, title: str, checked: bool) -> Driver:
        blocks = [self._phase(k, phase) for k, phase in enumerate(self._layout.phases)]
        used = {name for phase in self._layout.phases for name in _read(phase)}
        reads = [name for name in self._inputs if name in used]
        body = [*(self._check(reads) if checked else []), *(line for block in blocks for line in [*block, ""])]
        body.append(f"return {rendered(self._structure, self._returned)}")
        star = "*, " if checked and reads else ""
        head = f"def {self._function}({star}{', '.join(self._names[name] for name in reads)}):"
        may_warn = any(part.may_warn for made in self._made for part in made)
        decorator = ['@np.errstate(all="ignore")'] if may_warn else []
        if self._parts.planned:  # the workspaces are for one call at a time
            body = ["with lock:", textwrap.indent("\n".join(body), "    ")]
        step = "\n".join([*decorator, head, textwrap.indent("\n".join(body), "    ")])
        docstring = '"""' + self._summary(title, reads).replace("\\", "\\\\") + '"""'
        return Driver(self._file(docstring, step), tuple(self._made), tuple(reads))

    def _file(self, docstring: str, step: str) -> str:
        threaded = self._layout.threads > 1
        over = OVER if not threaded else OVER_IN_SHARES if self._layout.in_shares else OVER_IN_THREADS
        top = [
            docstring,
            "",
            *imports_of(list(self._functions)),
            *([IMPORTS.strip("\n")] if threaded else []),
            "import numpy as np",
        ]
        if threaded:
            top += [LIMITS.strip("\n"), f"THREADS = {self._layout.threads}", "pool = ThreadPoolExecutor(THREADS)"]
        ready = ["\n".join(["lock = Lock()", *self._ready])] if self._parts.planned else []
        parts = [*self._functions, *ready, over.strip("\n")]
        refuse_defined(self._function, [*top[1:], *parts])
        return "\n\n\n".join(["\n".join(top), *parts, step]) + "\n"

    def _add(self, phase: Phase, function: str, length: int = 0, step: int = 0) -> Part:
        part = self._parts.part(phase, self._arrays, function, length, step or length)
        self._functions.update(dict.fromkeys(_definitions(part.text.source)))
        self._prepare(function, part)
        return part

    def _prepare(self, function: str, part: Part) -> None:
        """Note what is made before the first call."""
        if self._parts.planned:
            one = f"{part.prepare}()" if part.prepare else function
            self._ready[f"{function}s = [{one} for _ in range(THREADS)]"] = None

    def _of_thread(self, function: str) -> str:
        """A part, or where parts have workspaces, that of the thread at hand."""
        return f"{function}s[worker]" if self._parts.planned else function

    def _name(self, made: str) -> str:
        if made not in self._names:
            self._names[made] = self._namer.name(made)
        return self._names[made]

    def _phase(self, k: int, phase: Phase) -> list[str]:
        """The statements of a phase, and the end of arrays that nothing reads after it."""
        lines = self._loop(k, phase) if isinstance(phase, Loop) else self._once(k, phase)
        later = {
            *(name for name, _ in self._results),
            *(name for other in self._layout.phases[k + 1 :] for name in _read(other)),
        }
        dead = [name for name in _read(phase) if name not in later and name not in self._inputs]
        return [*lines, f"del {', '.join(map(self._name, dead))}"] if dead else lines

    def _once(self, k: int, phase: Straight) -> list[str]:
        part = self._add(phase, f"phase{k + 1}")
        self._made.append((part,))
        self._arrays.update(zip(phase.makes, part.makes, strict=True))
        arguments = ", ".join(self._names[tensor.name] for tensor in part.reads)
        function = f"phase{k + 1}s[0]" if self._parts.planned else f"phase{k + 1}"
        return [f"{_listed(map(self._name, phase.makes))} = {function}({arguments})"]

    def _loop(self, k: int, phase: Loop) -> list[str]:
        length = min(self._layout.lengths[k], phase.length)
        whole, rest = self._add(phase, f"body{k + 1}", length), phase.length % length
        self._made.append((whole, self._add(phase, f"rest{k + 1}", rest, length)) if rest else (whole,))
        lines = []
        for one, array in zip(phase.makes, whole.makes, strict=True):
            shape = (*array.shape[: one.axis], phase.length, *array.shape[one.axis + 1 :])
            if one.stacked:
                lines.append(f"{self._name(one.name)} = np.empty({shape}, dtype=np.{array.dtype.type.__name__})")
            self._arrays[one.name] = Array(shape if one.stacked else array.shape, array.dtype)
        lines += [
            *([""] if lines else []),
            f"def slice{k + 1}(start, stop{', worker' if self._layout.in_shares else ''}):",
            *(f"    {line}" for line in self._work(k, phase, length)),
            "",
        ]
        local = {one: f"u{j}" for j, one in enumerate(phase.makes, 1) if not one.stacked}
        lines.append(f"for start, ({_listed(local.values())}) in over(slice{k + 1}, {phase.length}, {length}):")
        for one, part in local.items():
            lines += [f"    {line}" for line in self._combined(one, part)]
        return [*lines, f"    del {', '.join(local.values())}" if local else "    pass"]

    def _work(self, k: int, phase: Loop, length: int) -> list[str]:
        """What is done with one slice: rows are written, the rest is returned."""
        whole, *rest = self._made[-1]
        taken = {taken.tensor.name: taken for taken in phase.takes}
        arguments = ", ".join(
            self._names[taken[tensor.name].source] + _rows(taken[tensor.name].axes) for tensor in whole.reads
        )
        local = {one: f"u{j}" for j, one in enumerate(phase.makes, 1)}
        body, other = self._of_thread(f"body{k + 1}"), self._of_thread(f"rest{k + 1}")
        choice = f"{body} if stop - start == {length} else {other}" if rest else body
        return [
            f"body = {choice}",
            f"{_listed(local.values())} = body({arguments})",
            *(f"{self._name(one.name)}{_rows((one.axis,))} = {name}" for one, name in local.items() if one.stacked),
            f"return {_listed(name for one, name in local.items() if not one.stacked) or '()'}",
        ]

    def _combined(self, one: Made, local: str) -> list[str]:
        """The first slice's part is the total, to which others are added in place."""
        total = self._name(one.name)
        ufunc = _UFUNCS[one.how]
        out = f", out={total}" if self._arrays[one.name].shape else ""
        return ["if start == 0:", f"    {total} = {local}", "else:", f"    {total} = {ufunc}({total}, {local}{out})"]

    def _returned(self, k: int) -> str:
        """A result, in its dtype; an array that is handed out twice is copied."""
        name, wanted = self._results[k]
        array, variable = self._arrays[name], self._names[name]
        if array.dtype != wanted:
            return f"{variable}.astype(np.{wanted.type.__name__})"
        again = name in (other for other, _ in self._results[:k])
        return f"{variable}.copy()" if again and (array.shape or self.numbers_are_arrays) else variable

    def _check(self, reads: Sequence[str]) -> list[str]:
        shapes, expected = self._namer.name("shapes"), self._namer.name("expected")
        found = ", ".join(f"{self._names[name]}.shape" for name in reads)
        known = ", ".join(str(self._inputs[name].shape) for name in reads)
        error = f'raise ValueError(f"{self._function} was written for shapes {{{expected}}}, and got {{{shapes}}}")'
        return [f"{shapes} = [{found}]", f"{expected} = [{known}]", f"if {shapes} != {expected}:", f"    {error}", ""]

    def _summary(self, title: str, reads: Sequence[str]) -> str:
        lines = [title or f"{self._function}, a program generated by einback, which runs in slices.", "", "Arrays"]
        lines += [f"    {self._names[name]}  {_described(self._inputs[name])}" for name in reads]
        lines += ["", "Results"]
        for name, dtype in dict(self._results).items():
            lines.append(f"    {self._names[name]}  {_described(Array(self._arrays[name].shape, dtype))}")
        return "\n".join([*lines, "", f"It needs {self.needs}. Arrays of other shapes need a file of their own.", ""])


_UFUNCS = {
    "add": "np.add",
    "max": "np.maximum",
    "min": "np.minimum",
    "prod": "np.multiply",
    "logsumexp": "np.logaddexp",
}


def _read(phase: Phase) -> Iterator[str]:
    """The names of the arrays that a phase reads."""
    if isinstance(phase, Loop):
        yield from dict.fromkeys(taken.source for taken in phase.takes)
    else:
        yield from (tensor.name for tensor in inputs_of(phase.roots))


def _listed(names: Iterable[str]) -> str:
    """Names as a tuple, without parentheses."""
    names = list(names)
    return f"{names[0]}," if len(names) == 1 else ", ".join(names)


def _rows(axes: Sequence[int]) -> str:
    """The index that reads a slice along some axes."""
    if not axes:
        return ""
    return f"[{', '.join('start:stop' if axis in axes else ':' for axis in range(max(axes) + 1))}]"


def _described(array: Array) -> str:
    return f"{' × '.join(map(str, array.shape)) or 'scalar'}, {array.dtype}"


def _definitions(source: str) -> list[str]:
    """The functions and constants of a file, as they stand there, without its docstring and imports."""
    lines = source.splitlines()
    found: list[list[str]] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        found.append(lines[first - 1 : node.end_lineno])
    return ["\n".join(block) for block in found]
