"""Source text as a user asks for it: for a library, under a name, with a check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module

from einback.errors import CompileError
from einback.run.functional.check import behind, check_text
from einback.run.functional.dialects import target_named
from einback.run.functional.document import file_of
from einback.run.functional.program import Asked
from einback.run.made import Case, Compared, Made
from einback.run.names import function_named, identifier
from einback.run.specialising import Program, result_dtypes_of, specialise

__all__ = ["source_text"]


def source_text(
    program: Program,
    case: Case,
    run: Callable[[], Made],
    compared: Callable[[], Sequence[Compared]],
    *,
    target: str,
    readable: bool | None,
    with_check: bool,
    function_name: str | None,
) -> str:
    """The file for a target; `run` makes the program that runs, and `compared` says what a check compares."""
    spelling, name = target_named(target), function_named(function_name, program.function)
    if readable is False and target not in ("numpy", "cupy"):
        raise CompileError(f"the text for {spelling.title} is readable in any case", hint="leave readable out")
    called = replace(program, function=name)
    asked = _asked(called, case)
    check = check_text(asked, spelling, case, tuple(compared())) if with_check else ""
    if target == "cupy" and readable is False and (kernels := _kernels(called, case)):
        if with_check:
            raise CompileError("a check stands behind readable text alone", hint="leave readable out")
        return kernels
    if target != "numpy" or readable:
        return file_of(asked, spelling, case.sizes, check)
    made = run() if name == identifier(program.function) else specialise(called, case.sizes, case.dtypes, case.strides)
    return behind(made.standalone(), check) if with_check else made.standalone()


def _kernels(program: Program, case: Case) -> str:
    """The file that a device runs, for arrays in C order; nothing, where no kernels compute the program."""
    making = import_module("einback.run.cuda.making")  # loaded when it is needed
    plan = making.planned(program, case)
    if not making.is_fused(plan):
        return ""
    lying = making.Lying.in_order(list(case.shapes))
    made, _ = import_module("einback.run.cuda.choosing").chosen(replace(program, graph=False), case, plan, lying)
    return str(made.written(True).source)


def _asked(program: Program, case: Case) -> Asked:
    """What is written as a function for people."""
    return Asked(
        roots=program.roots,
        inputs=program.inputs,
        wanted=tuple(result_dtypes_of(program, case.sizes, case.dtypes)),
        arrays=case.dtypes,
        structure=program.structure,
        equalities=program.equalities,
        names=program.names,
        letters=program.letters,
        describe=program.describe,
        title=program.title,
        function=program.function,
    )
