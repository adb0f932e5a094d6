"""`Function`: a compiled program that knows the names and the structure its tensors had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from einback.api.scope import Known, gather, names_in_normal_form
from einback.api.structure import flatten, rebuild
from einback.errors import CompileError
from einback.formula.index import Names, line
from einback.formula.labels import letters
from einback.ir.nodes import Node
from einback.ir.walk import postorder
from einback.plan.plan import Plan
from einback.rules.simplify import normalise
from einback.run.callable import Compiled
from einback.run.facts import minds_complex
from einback.run.names import identifier
from einback.run.report import SlicedPlan
from einback.run.saved import Saved, SavedInput, specialisation, write
from einback.run.source import Describe

__all__ = ["Function", "describer"]


class Function(Compiled):
    """A compiled program; pickled as the tensors that it computes."""

    def __init__(self, outputs: Any, *, memory_limit: int | None = None, threads: int | None = None) -> None:
        self.outputs = outputs
        self._limits = {"memory_limit": memory_limit, "threads": threads}
        wanted = flatten(outputs, "what is compiled")
        known = gather(tensor.scope for tensor in wanted)
        roots = normalise([tensor.node for tensor in wanted])
        axes = {root: tensor.names for root, tensor in zip(roots, wanted, strict=True)}
        named = names_in_normal_form(known)
        super().__init__(
            roots,
            tuple(known.inputs),
            declared=[tensor.node for tensor in wanted],
            structure=rebuild(outputs, range(len(wanted))),
            equalities=known.equalities,
            strictly=known.derived or minds_complex(tensor.node for tensor in wanted),
            likes=[tensor.like for tensor in wanted],
            forward=[root for root, tensor in zip(roots, wanted, strict=True) if not tensor.derived],
            names=named | _result_names(outputs, roots),
            letters=letters(list(postorder(roots))),
            describe=describer(known, axes, named),
            memory_limit=memory_limit,
            threads=threads,
        )

    def save(self, path: str | PathLike[str], arrays: Mapping[str, object] | None = None, /, **named: Any) -> None:
        """Write the program into a file, from which `eb.load` takes it without compiling anything.

        What is saved is the program for the shapes and dtypes that it has been called with so far; with arrays,
        shapes (tuples) or sizes (numbers) it is that for these alone, and what is given as a shape is taken as
        float64. The file is JSON: the generated source, and the report of the plan.
        """
        values = {**(arrays or {}), **named}
        wanted = self._looked_up(values) if values else None
        if any(limit is not None for limit in self._limits.values()):
            raise CompileError(
                "a program in slices cannot be saved", hint="keep fn.source(), a file that runs by itself"
            )
        with self._lock:
            made = [(key, one) for key, one in self._made.items() if wanted is None or one is wanted]
        if any(isinstance(one.plan, SlicedPlan) for _, one in made):
            raise CompileError(
                "a program in slices cannot be saved", hint="keep fn.source(), a file that runs by itself"
            )
        if not made:
            raise CompileError("the program has met no arrays yet, and is saved for those that it has met",
                               hint="call it first, or pass arrays or shapes to save")  # fmt: skip
        write(
            Saved(
                inputs=tuple(SavedInput(tensor.name, tensor.sizes, tensor.facts) for tensor in self.inputs),
                required=tuple(self._required),
                symbols=tuple(sorted(self._symbols)),
                strictly=self._strictly,
                specialisations=tuple(
                    specialisation(
                        key,
                        function=identifier(self._program.function),
                        reads=one.reads,
                        source=one.standalone(),
                        plan=one.plan.described(one.text.formulas),
                    )
                    for key, one in made
                    if isinstance(one.plan, Plan)
                ),
            ),
            Path(path),
        )

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), **self._limits), (self.outputs,)


def describer(known: Known, axes: Mapping[Node, tuple[str, ...]], named: Mapping[Node, str]) -> Describe:
    """What words the steps of a program: formulas with the names that the rim knows; `axes` are those of results."""

    def describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
        return line(node, name, given, Names(axes.get(node, ()), known.size_names, named))

    return describe


def _result_names(outputs: Any, roots: Sequence[Node]) -> dict[Node, str]:
    """Names for the results: the tensors' own, else the keys that they stand under."""
    found: dict[Node, str] = {}
    for root, name in zip(roots, _leaf_names(outputs, ""), strict=True):
        if name.isidentifier():
            found.setdefault(root, name)
    return found


def _leaf_names(structure: Any, key: object) -> list[str]:
    match structure:
        case dict():
            return [name for own, part in structure.items() for name in _leaf_names(part, own)]
        case list() | tuple():
            return [name for part in structure for name in _leaf_names(part, "")]
        case _:
            return [structure.name or str(key)]
