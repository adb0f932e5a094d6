"""Source: a routine as one straight-line Python function in a file of its own.

The file needs NumPy only. Above the statements of each step stands its formula; the caller supplies the words,
for formulas are none of this folder's business.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from einback.errors import CompileError
from einback.ir.nodes import Einsum, Node
from einback.plan.dtypes import DType
from einback.rules.scalar import TABLE
from einback.run.device_text import IN_ORDER, device_check, in_cupy, libraries
from einback.run.names import Namer, defined_in, identifier, imports_of, refuse_defined
from einback.run.numpy_dialect import expression, statement
from einback.run.steps import Assign, Block, Call, Ref, Routine, Sliced, Statement, Transposed
from einback.run.views import base_of, is_view

__all__ = ["Describe", "Result", "Structure", "Text", "is_cut", "leaves", "paths", "rendered", "write"]

# (node, its variable, the variables of nodes that have one) -> a formula on one line
Describe = Callable[[Node, str, Mapping[Node, str]], str]

# What a call returns: the number k stands for result k; lists, tuples and dicts hold structures.
Structure = Any

_WIDTH = 106  # of a line in the function, whose body is indented by 4


@dataclass(frozen=True, slots=True)
class Result:
    """The array that result k is, for the docstring."""

    shape: tuple[int, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class Text:
    """The finished file, and the formula above each step."""

    source: str
    formulas: tuple[str, ...]


def leaves(structure: Structure) -> list[int]:
    """The numbers of the results in a structure, in order.

    >>> leaves({"loss": 0, "grads": [1, (2,)]})
    [0, 1, 2]
    """
    match structure:
        case int():
            return [structure]
        case list() | tuple():
            return [leaf for part in structure for leaf in leaves(part)]
        case dict():
            return [leaf for part in structure.values() for leaf in leaves(part)]
        case _:
            raise CompileError(f"results are held in lists, tuples and dicts, not in {type(structure).__name__}")


def write(
    routine: Routine,
    structure: Structure,
    results: Sequence[Result],
    *,
    names: Mapping[Node, str],
    letters: Mapping[Node, str],
    describe: Describe,
    origins: Mapping[Node, Sequence[Node]] | None = None,
    title: str = "",
    function: str = "step",
    checked: bool = True,
    described: bool = True,
    prepare: str = "prepare",
    device: bool = False,
) -> Text:
    """The routine as a file.

    `names` wishes for variable names, `letters` for what they begin with where there is no wish, `origins` gives
    the nodes that a computed node comes from and that formulas may be written with, `structure` says what the
    function returns, `title` opens the docstring. A `checked` function takes its arrays by keyword and refuses
    other shapes than it was written for. What only runs need not be `described`: it has the same lines, without the
    formulas, which cost as much as the rest of a compilation. Where memory is planned, the function comes out of
    another, whose name is `prepare`. For a `device` the file calls CuPy.
    """
    writer = _Writer(routine, names, letters, describe, origins or {}, identifier(function), device)
    check = writer.check() if checked else []
    body = [*check, *writer.body(described), f"return {rendered(structure, writer.returned)}"]
    helpers = [text.strip("\n") for text in routine.helpers]
    if routine.space:
        helpers.append((_DEVICE_WORKSPACE if device else _WORKSPACE).strip("\n"))
    if device and checked and routine.parameters:
        helpers.append(IN_ORDER.strip("\n"))
    imports = [f"{line}\n" for line in imports_of(helpers)]
    decorator = ['@np.errstate(all="ignore")\n'] if routine.may_warn else []
    code = "".join([*decorator, writer.signature(checked), "\n", textwrap.indent("\n".join(body), "    ")])
    if routine.prepared:
        code = writer.prepared(code, prepare, ready=checked)
    docstring = f'"""{_escaped(writer.summary(title, structure, results))}"""'
    library = libraries(helpers) if device else "import numpy as np"
    refuse_defined(identifier(function), [*helpers, *([f"def {prepare}("] if routine.prepared else [])])
    source = "\n\n\n".join([f"{docstring}\n\n{''.join(imports)}{library}", *helpers, code]) + "\n"
    return Text(in_cupy(source) if device else source, tuple(writer.formulas))


_WORKSPACE = '''
def workspace(size):
    """A block of memory that starts at a cache line."""
    block = np.empty(size + 64, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + size]
'''


_DEVICE_WORKSPACE = '''
def workspace(size):
    """A block of memory on the device."""
    return np.empty(size, np.uint8)
'''


class _Writer:
    """Names the registers, then writes block after block."""

    def __init__(
        self,
        routine: Routine,
        names: Mapping[Node, str],
        letters: Mapping[Node, str],
        describe: Describe,
        origins: Mapping[Node, Sequence[Node]],
        function: str,
        device: bool,
    ) -> None:
        self._device = device
        helpers = [name for scalar in TABLE.values() for name in defined_in(scalar.helper)]
        helpers += [name for text in routine.helpers for name in defined_in(text)]
        defined = [name for text in routine.helpers for name in defined_in(text)]
        modules = ["cublas", "cupy", "cutensor", "numpy"] if device else []
        self._namer = Namer(
            [
                *modules,
                *helpers,
                *defined,
                "logsumexp",
                "peak",
                "prepare",
                "results",
                "space",
                "sys",
                "workspace",
                function,
            ]
        )
        self._routine, self._describe, self._function, self._origins = routine, describe, function, origins
        self._names = {p.register: self._namer.name(p.tensor.name) for p in routine.parameters}
        self._given: dict[Node, str] = {p.tensor: self._names[p.register] for p in routine.parameters}
        for block in routine.blocks:
            wish = names.get(block.node)
            known = (letters[node] for node in (block.node, *origins.get(block.node, ())) if node in letters)
            self._names[block.register] = self._namer.name(wish) if wish else self._namer.number(next(known, "t"))
        for block in routine.blocks:
            self._name_temporaries(block.statements)
        self._name_temporaries(routine.prepared)
        self.formulas: list[str] = []

    def _name_temporaries(self, statements: Sequence[Statement]) -> None:
        """Names for what is no step's: those of prepared views after what they are of, others are u1, u2, ..."""
        for step in statements:
            for register in _made(step):
                if register not in self._names:
                    self._names[register] = self._temporary(step)

    def _temporary(self, step: Statement) -> str:
        match step:
            case Assign(_, Transposed(Ref(base), axes)) if (
                axes == tuple(range(len(axes)))[::-1] and base in self._names
            ):
                return self._namer.name(f"{self._names[base]}_T")
            case Assign(_, Call("np.array")):
                return self._namer.number("c")
            case Assign(_, Call("results")):
                return self._namer.number("new_")
            case Assign(_, Call("np.ones")):
                return self._namer.number("ones_")
            case Assign(_, value) if is_view(value) and (seen := base_of(value)) is not None and seen in self._names:
                return self._namer.number(f"{self._names[seen]}_")
            case _:
                return self._namer.number("u")

    def signature(self, by_keyword: bool) -> str:
        """The head of the function; a file that people call takes its arrays by keyword only."""
        parameters = [self._names[p.register] for p in self._routine.parameters]
        star = ["*"] if by_keyword and parameters else []
        return "\n".join(_filled(f"def {self._function}(", [*star, *parameters], "):"))

    def prepared(self, code: str, prepare: str, ready: bool) -> str:
        """The function inside of another that makes the arrays that it works in."""
        lines = [
            f"def {prepare}():",
            f'    """Make {self._function}, and the memory that it works in: one for each thread."""',
        ]
        if self._routine.space:
            lines.append(f"    space = workspace({self._routine.space})")
        lines += [f"    {statement(step, self._names.__getitem__)}" for step in self._routine.prepared]
        lines += ["", textwrap.indent(code, "    "), "", f"    return {self._function}"]
        return "\n".join([*lines, *(["", "", f"{self._function} = {prepare}()"] if ready else [])])

    def check(self) -> list[str]:
        """Lines that refuse other shapes: lengths are written into the code as numbers."""
        parameters = self._routine.parameters
        if self._device:
            arrays = [(self._names[p.register], p.shape, p.dtype) for p in parameters]
            return device_check(self._function, arrays, self._namer)
        shaped = [p for p in parameters if p.shape]
        if not shaped:
            return []
        shapes, expected = self._namer.name("shapes"), self._namer.name("expected")
        found = _filled(f"{shapes} = [", [f"{self._names[p.register]}.shape" for p in shaped], "]")
        known = _filled(f"{expected} = [", [str(p.shape) for p in shaped], "]")
        error = f'    raise ValueError(f"{self._function} was written for shapes {{{expected}}}, and got {{{shapes}}}")'
        return [*found, *known, f"if {shapes} != {expected}:", error, ""]

    def body(self, described: bool) -> list[str]:
        lines: list[str] = []
        for block in self._routine.blocks:
            if described:
                self.formulas.append(self._formula(block))
            lines.append(f"# {self.formulas[-1]}" if described else "#")
            lines += [statement(step, self._names.__getitem__) for step in block.statements]
            lines.append("")
        return lines

    def _formula(self, block: Block) -> str:
        """What a block computes, in terms of what stands above it."""
        name = self._names[block.register]
        origins = self._origins.get(block.node, ())
        subject = origins[0] if origins and not is_cut(origins[0]) else block.node
        formula = " ".join(self._describe(subject, name, self._given).split())
        self._given.update(dict.fromkeys([block.node, *origins], name))
        return formula

    def returned(self, k: int) -> str:
        return expression(self._routine.results[k], self._names.__getitem__)

    def summary(self, title: str, structure: Structure, results: Sequence[Result]) -> str:
        """The module's docstring: what goes in and what comes out."""
        arrays = [(self._names[p.register], p.shape, p.dtype) for p in self._routine.parameters]
        outcomes = [(path or "result", results[k].shape, results[k].dtype) for path, k in paths(structure)]
        lines = [title or f"{self._function}, a program generated by einback.", ""]
        for heading, rows in (("Arrays", arrays), ("Results", outcomes)):
            width = max((len(name) for name, _, _ in rows), default=0)
            lines.append(heading + ("" if rows else ": none"))
            for name, shape, dtype in rows:
                lines.append(f"    {name:<{width}}  {' × '.join(map(str, shape)) or 'scalar'}, {dtype}")
            lines.append("")
        needs = "CuPy, and CUDA's compiler of kernels" if self._device else "NumPy only"
        return "\n".join([*lines, f"It needs {needs}. Arrays of other shapes need a file of their own.", ""])


def _made(step: Statement) -> tuple[int, ...]:
    """The registers that a statement makes."""
    match step:
        case Assign():
            return (step.target,)
        case Sliced():
            return step.index, step.target
        case _:
            return ()


def is_cut(node: Node) -> bool:
    """Whether a node is computed in several steps, so that its formula would not be that of the last one."""
    return isinstance(node, Einsum) and sum(bool(operand.rank) for operand in node.operands) > 2


def paths(structure: Structure, path: str = "") -> Iterator[tuple[str, int]]:
    """How each result is reached from what the function returns: `loss`, `grads["W"]`, `[0]`."""
    if isinstance(structure, int):
        yield path, structure
        return
    for key, part in structure.items() if isinstance(structure, dict) else enumerate(structure):
        plain = not path and isinstance(key, str) and key.isidentifier()
        yield from paths(part, str(key) if plain else f"{path}[{_key(key)}]")


def rendered(structure: Structure, name: Callable[[int], str], indent: str = "") -> str:
    """The structure as Python writes it, broken into lines where it is long."""
    match structure:
        case int():
            return name(structure)
        case dict():
            opening, closing = "{", "}"
            parts = [f"{_key(key)}: {rendered(part, name, indent + '    ')}" for key, part in structure.items()]
        case _:
            opening, closing = "[]" if isinstance(structure, list) else "()"
            parts = [rendered(part, name, indent + "    ") for part in structure]
    comma = "," if isinstance(structure, tuple) and len(parts) == 1 else ""
    flat = f"{opening}{', '.join(parts)}{comma}{closing}"
    if len(indent) + len(flat) <= _WIDTH - len("return ") and "\n" not in flat:
        return flat
    inner = "".join(f"{indent}    {part},\n" for part in parts)
    return f"{opening}\n{inner}{indent}{closing}"


def _key(key: object) -> str:
    if isinstance(key, str):
        return json.dumps(key, ensure_ascii=False)
    if isinstance(key, int | float | None):
        return repr(key)
    if isinstance(key, tuple):
        return f"({''.join(_key(part) + ', ' for part in key)})"
    raise CompileError(f"a dict of results has keys that are strings or numbers, not {type(key).__name__}")


def _filled(opening: str, items: Sequence[str], closing: str) -> list[str]:
    """One line if it is short enough, else the items on lines between."""
    line = opening + ", ".join(items) + closing
    if len(line) <= _WIDTH:
        return [line]
    inner = textwrap.wrap(", ".join(items) + ",", _WIDTH, initial_indent="    ", subsequent_indent="    ",
                          break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return [opening, *inner, closing]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
