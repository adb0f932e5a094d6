"""The compiled form of a program in slices: fitted to a limit of memory, or cut for threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from einback.errors import CompileError
from einback.ir.nodes import Input, Node
from einback.ir.walk import inputs_of
from einback.plan.binding import Sizes, resolve
from einback.plan.dtypes import DType
from einback.plan.narrowing import in_numbers, narrowed
from einback.plan.phases import Straight
from einback.plan.shifts import shifted
from einback.plan.units import zero_at_zero
from einback.run.executing import steps_in
from einback.run.fitting import Fitted, Target, cut_for_threads, fitted
from einback.run.made import Made, Wording
from einback.run.names import identifier
from einback.run.parts import Array, Parts
from einback.run.report import reported
from einback.run.sliced import Driver, drive
from einback.run.source import Describe, Structure, Text

__all__ = ["aimed", "runs_in_slices", "specialise_in_slices", "strides_of"]


def strides_of(array: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The strides of an array; of one in C order, nothing."""
    return () if array.flags.c_contiguous else array.strides


def runs_in_slices(memory_limit: int | None, threads: int | None, dtypes: Mapping[str, DType]) -> bool:
    """Whether a program is to be cut. Arrays of objects are not: how much memory these take, nobody knows."""
    holds_objects = any(dtype.kind == "O" for dtype in dtypes.values())
    if memory_limit is not None and holds_objects:
        raise CompileError("memory_limit counts the bytes of arrays, and Python's integers take more than these")
    return memory_limit is not None or (threads is not None and threads > 1 and not holds_objects)


def specialise_in_slices(
    roots: Sequence[Node],
    inputs: Sequence[Input],
    wanted: Sequence[DType],
    *,
    sizes: Sizes,
    dtypes: Mapping[str, DType],
    strides: Mapping[str, tuple[int, ...]],
    structure: Structure,
    memory_limit: int | None,
    threads: int | None,
    slices: int = 0,
    wording: Wording,
) -> Made:
    """Compile a program in slices; result k, the node `roots[k]`, has the dtype `wanted[k]`.

    `strides` says how arrays lie in memory that are not in C order.
    """
    whole, target = aimed(
        roots, inputs, wanted, sizes=sizes, dtypes=dtypes, strides=strides, structure=structure,
        threads=threads or 1, wording=wording,
    )  # fmt: skip
    target = replace(target, slices=slices)
    found = fitted(whole, target, memory_limit) if memory_limit is not None else cut_for_threads(whole, target)
    return _compiled(found, target, memory_limit, inputs, wording.title, identifier(wording.function))


def aimed(
    roots: Sequence[Node],
    inputs: Sequence[Input],
    wanted: Sequence[DType],
    *,
    sizes: Sizes,
    dtypes: Mapping[str, DType],
    strides: Mapping[str, tuple[int, ...]],
    structure: Structure,
    threads: int,
    wording: Wording,
) -> tuple[Straight, Target]:
    """The program as one phase, and what is to be made of it."""
    images = _prepared(roots, sizes, dtypes)
    heads = [images[root] for root in roots]
    names, letters = (
        {images[node]: word for node, word in words.items() if node in images}
        for words in (wording.names, wording.letters)
    )
    origins = {image: node for node, image in reversed(images.items())}
    keys = _named(heads, names, {tensor.name for tensor in inputs})
    kinds: dict[str, DType] = {}
    for head, dtype in zip(heads, wanted, strict=True):
        kinds[keys[head]] = np.promote_types(kinds.get(keys[head], dtype), dtype)
    read = set(inputs_of(roots))
    arrays = {
        t.name: Array(resolve(t.sizes, sizes), dtypes[t.name], strides.get(t.name, ())) for t in inputs if t in read
    }
    target = Target(
        parts=Parts(sizes, kinds, names, letters, _as_declared(wording.describe, origins)),
        inputs=arrays,
        structure=structure,
        results=tuple((keys[head], dtype) for head, dtype in zip(heads, wanted, strict=True)),
        threads=threads,
        real=all(dtype.kind != "c" for dtype in dtypes.values()),
    )
    return Straight(tuple(keys), tuple(keys.values())), target


def _as_declared(describe: Describe, origins: Mapping[Node, Node]) -> Describe:
    """What words the nodes that are still whole as they were before sizes became numbers, with the user's indices."""

    def described(node: Node, name: str, given: Mapping[Node, str]) -> str:
        known = {origins[other]: word for other, word in given.items() if other in origins}
        return describe(origins[node], name, {**given, **known}) if node in origins else describe(node, name, given)

    return described


def _compiled(
    found: Fitted, target: Target, limit: int | None, inputs: Sequence[Input], title: str, function: str
) -> Made:
    planned = replace(target.parts, planned=found.layout.in_shares, _made={})
    described = replace(planned, described=True, _made={})

    def driven(parts: Parts, checked: bool) -> Driver:
        return drive(
            found.layout,
            parts,
            target.inputs,
            target.structure,
            target.results,
            title=title,
            function=function,
            checked=checked,
        )

    @cache
    def written(checked: bool) -> Text:
        made = driven(described, checked)
        return Text(made.source, tuple(formula for parts in made.parts for formula in parts[0].text.formulas))

    steps = steps_in(driven(planned, checked=False).source, function)
    return Made(reported(found, target, limit, inputs), found.driver.reads, steps, written)


def _prepared(roots: Sequence[Node], sizes: Sizes, dtypes: Mapping[str, DType]) -> dict[Node, Node]:
    """What each node becomes before it is cut: what looks at several nodes at once is done on the whole program."""
    declared = all(node.is_complex or dtypes[node.name].kind != "c" for node in inputs_of(roots))
    first = shifted(roots)
    guarded = zero_at_zero(list(first.values()), real=declared)
    numbered = in_numbers(list(guarded.values()), sizes)
    narrow = narrowed(list(numbered.values()), sizes)
    return {node: narrow[numbered[guarded[image]]] for node, image in first.items()}


def _named(heads: Sequence[Node], names: Mapping[Node, str], taken: set[str]) -> dict[Node, str]:
    """A name for the array of each result: the user's own where it is free."""
    found: dict[Node, str] = {}
    for node in dict.fromkeys(heads):
        wish = names.get(node, "")
        found[node] = wish if wish and wish not in taken else f"result {len(found) + 1}"
        taken = taken | {found[node]}
    return found
