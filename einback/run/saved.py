"""Compiled programs as data: what was specialised is kept in a file, and runs again without being compiled.

    {"format": "einback program", "version": 1, "sha256": "..",
     "program": {"inputs": .., "required": .., "symbols": .., "strictly": .., "specialisations": [..]}}

A specialisation is the generated file for some shapes and dtypes with the plan behind it. All of it is JSON; the
checksum tells a damaged file from a whole one, and not who wrote it.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from einback.errors import CompileError
from einback.plan.plan import Plan, PlanStep
from einback.run.made import Case
from einback.run.report import SlicedPlan

__all__ = ["Saved", "SavedInput", "SavedPlan", "SavedStep", "Specialisation", "read", "specialisation", "write"]

FORMAT = "einback program"
VERSION = 1


@dataclass(frozen=True, slots=True)
class SavedInput:
    """An array that may be passed."""

    name: str
    sizes: tuple[int | str, ...]
    facts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}[{','.join(map(str, self.sizes))}]"


@dataclass(frozen=True, slots=True)
class SavedStep:
    """A step of a plan; the fields are those of `PlanStep`, less the nodes."""

    formula: str
    shape: tuple[int, ...]
    dtype: str
    flops: int
    nbytes: int
    live: int
    forward: bool


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """The report of a plan: its figures, and as it was printed; `total` are its flops where steps run in slices."""

    steps: tuple[SavedStep, ...]
    input_bytes: int
    peak_bytes: int
    report: str
    total: int | None = None

    @property
    def flops(self) -> int:
        return sum(step.flops for step in self.steps) if self.total is None else self.total

    @property
    def forward_flops(self) -> int:
        return sum(step.flops for step in self.steps if step.forward)

    def __str__(self) -> str:
        return self.report


@dataclass(frozen=True, slots=True)
class Specialisation:
    """The generated file for arrays of some shapes and dtypes.

    `given` are the sizes that were passed beside the arrays, `sizes` those and all others; `function` is what the
    source defines, and `parameters` has the name of the array for each of its parameters.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    given: Mapping[str, int]
    sizes: Mapping[str, int]
    function: str
    parameters: Mapping[str, str]
    source: str
    plan: SavedPlan

    def __str__(self) -> str:
        arrays = [f"{name} {shape} {np.dtype(self.dtypes[name])}" for name, shape in self.shapes.items()]
        return ", ".join([*arrays, *(f"{name}={length}" for name, length in self.given.items())]) or "no arrays"


@dataclass(frozen=True, slots=True)
class Saved:
    """A program as it is kept: its inputs, those that must be passed, its size symbols, and what was specialised."""

    inputs: tuple[SavedInput, ...]
    required: tuple[str, ...]
    symbols: tuple[str, ...]
    strictly: bool
    specialisations: tuple[Specialisation, ...]


def specialisation(
    case: Case, *, function: str, reads: Sequence[str], source: str, plan: Plan | SlicedPlan
) -> Specialisation:
    """What is kept of a program for one case."""
    return Specialisation(
        shapes=dict(sorted(case.shapes.items())),
        dtypes={name: dtype.str for name, dtype in sorted(case.dtypes.items())},
        given=dict(sorted(case.given.items())),
        sizes=case.sizes,
        function=function,
        parameters=dict(zip(_parameters(source, function), reads, strict=True)),
        source=source,
        plan=SavedPlan(
            tuple(map(_step, plan.steps)),
            plan.input_bytes,
            plan.peak_bytes,
            str(plan),
            plan.flops if isinstance(plan, SlicedPlan) else None,
        ),
    )


def _step(step: PlanStep) -> SavedStep:
    return SavedStep(step.formula, step.shape, str(step.dtype), step.flops, step.nbytes, step.live, step.forward)


def _parameters(source: str, function: str) -> list[str]:
    """The names that a generated file gives to its arrays."""
    made = next(node for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.FunctionDef) and node.name == function)  # fmt: skip
    return [argument.arg for argument in (*made.args.args, *made.args.kwonlyargs)]


def write(saved: Saved, path: Path) -> None:
    """Write a program into a file."""
    program = asdict(saved)
    data = {"format": FORMAT, "version": VERSION, "sha256": _checksum(program), "program": program}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> Saved:
    """The program in a file; `CompileError` if it is none, of another version, or damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as reason:  # no UTF-8, or no JSON
        raise CompileError(f"{path} holds no saved program, or is damaged: {reason}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CompileError(f"{path} holds no saved program", hint="fn.save(path) writes one")
    if data.get("version") != VERSION:
        raise CompileError(
            f"{path} is of version {data.get('version')}, and this einback reads version {VERSION}",
            hint="compile the program and save it again",
        )
    program: Any = data.get("program")
    if data.get("sha256") != _checksum(program):
        raise CompileError(f"{path} is damaged: what it holds is not what was saved")
    try:
        saved = _program(program)
    except (AttributeError, KeyError, TypeError, ValueError) as reason:
        raise CompileError(f"{path} is damaged: {type(reason).__name__}, {reason}") from None
    if not saved.specialisations:
        raise CompileError(f"{path} is damaged: it holds no program")
    return saved


def _checksum(program: object) -> str:
    plain = json.dumps(program, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _program(data: Mapping[str, Any]) -> Saved:
    return Saved(
        inputs=tuple(SavedInput(one["name"], tuple(one["sizes"]), tuple(one["facts"])) for one in data["inputs"]),
        required=tuple(data["required"]),
        symbols=tuple(data["symbols"]),
        strictly=data["strictly"],
        specialisations=tuple(map(_specialisation, data["specialisations"])),
    )


def _specialisation(data: Mapping[str, Any]) -> Specialisation:
    shapes = {name: tuple(shape) for name, shape in data["shapes"].items()}
    return Specialisation(**{**data, "shapes": shapes, "plan": _plan(data["plan"])})


def _plan(data: Mapping[str, Any]) -> SavedPlan:
    steps = tuple(SavedStep(**{**step, "shape": tuple(step["shape"])}) for step in data["steps"])
    return SavedPlan(steps, data["input_bytes"], data["peak_bytes"], data["report"], data.get("total"))
