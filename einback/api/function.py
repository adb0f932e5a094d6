"""`Function`: a compiled program that knows the names and the structure its tensors had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from einback.api.scope import Known, gather, names_in_normal_form
from einback.api.structure import flatten, rebuild
from einback.formula.index import Names, line
from einback.formula.labels import letters
from einback.ir.nodes import Node
from einback.ir.walk import postorder
from einback.rules.simplify import normalise
from einback.run.callable import Compiled
from einback.run.facts import minds_complex
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
