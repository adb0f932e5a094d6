"""What is compiled, made for one set of shapes and dtypes: planned, lowered and written, or in slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from einback.errors import ArrayError
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Equality
from einback.ir.walk import inputs_of
from einback.plan.binding import Sizes, resolve, symbols_of
from einback.plan.choosing import choose_slices
from einback.plan.dtypes import DType, result_dtypes
from einback.plan.plan import Plan, make_plan
from einback.run.executing import steps_in
from einback.run.limited import runs_in_slices, specialise_in_slices
from einback.run.lower import lower
from einback.run.made import Made, Wording
from einback.run.names import identifier
from einback.run.source import Describe, Result, Structure, Text, write
from einback.run.steps import Routine
from einback.run.wording import origins, wishes
from einback.run.workspace import settled

__all__ = ["PRECISIONS", "Program", "Shapes", "result_dtypes_of", "specialise", "writer"]

PRECISIONS = ("float32", "tf32", "bfloat16", "float16")  # in which a device multiplies matrices of 32-bit floats
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Program:
    """What is compiled: the nodes wanted, and all that is known of them.

    `inputs` may be passed by the caller, and those that the roots read must be; `equalities` are sizes that must
    agree; result k takes the dtype of the array for `likes[k]` if that is floating, else that of the node
    `declared[k]`, before simplification; `structure` says how results are handed out; `forward` are nodes whose
    cost counts as the forward pass; `names`, `letters` and `describe` word the source, which opens with `title`;
    `precision` is that in which a device multiplies 32-bit floats; `graph` says that it replays a CUDA graph, and
    `cutensor` that cuTENSOR contracts what cuBLAS needs copies for.
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
    precision: str = "float32"
    graph: bool = False
    cutensor: bool = False


def result_dtypes_of(program: Program, sizes: Sizes, dtypes: Mapping[str, DType]) -> list[DType]:
    declared = result_dtypes(_typing_nodes(program, dtypes, sizes), dtypes, sizes)
    return [
        _wanted(like, node, dtypes) or dtype
        for like, node, dtype in zip(program.likes, program.declared, declared, strict=True)
    ]


def specialise(program: Program, sizes: Sizes, dtypes: Mapping[str, DType], strides: Shapes) -> Made:
    wanted = result_dtypes_of(program, sizes, dtypes)
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
            strides=strides,
            structure=program.structure,
            memory_limit=program.memory_limit,
            threads=program.threads,
            slices=slices,
            wording=Wording(program.names, program.letters, program.describe, program.title, program.function),
        )
    assert plan is not None  # a program under a limit is cut in any case
    routine = settled(lower(plan, program.inputs, dtypes, wanted))
    plan = replace(plan, space=routine.space)
    written = writer(program, plan, routine, wanted)
    steps = steps_in(written(checked=False, described=False).source, identifier(program.function))
    reads = tuple(parameter.tensor.name for parameter in routine.parameters)
    return Made(plan, reads, steps, written)


def writer(
    program: Program, plan: Plan, routine: Routine, wanted: Sequence[DType], *, device: bool = False
) -> Callable[..., Text]:
    """What writes the file of a routine, `checked` for people, and `described` by formulas unless that is False."""
    results = [Result(resolve(root.shape, plan.sizes), dtype) for root, dtype in zip(plan.roots, wanted, strict=True)]

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
            device=device,
        )

    return written


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
