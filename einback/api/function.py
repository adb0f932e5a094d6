"""`Function`: a compiled program that knows the names and the structure its tensors had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from einback.api.derivatives import grad
from einback.api.scope import Known, gather, names_in_normal_form
from einback.api.structure import flatten, rebuild
from einback.api.tensor import Tensor
from einback.errors import CompileError
from einback.formula.index import Names, line
from einback.formula.labels import letters
from einback.ir.nodes import Input, Node
from einback.ir.walk import postorder
from einback.rules.simplify import normalise
from einback.run.callable import Compiled
from einback.run.facts import minds_complex
from einback.run.made import Compared
from einback.run.names import identifier
from einback.run.saved import Saved, SavedInput, specialisation, write
from einback.run.source import Describe

__all__ = ["Function", "describer"]


class Function(Compiled):
    """A compiled program; pickled as the tensors that it computes."""

    def __init__(
        self,
        outputs: Any,
        *,
        memory_limit: int | None = None,
        threads: int | None = None,
        precision: str = "float32",
        graph: bool = False,
        cutensor: bool = False,
    ) -> None:
        self.outputs = outputs
        self._options: dict[str, Any] = {"memory_limit": memory_limit, "threads": threads}
        self._options |= {"precision": precision, "graph": graph, "cutensor": cutensor}
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
            **self._options,
        )

    def save(self, path: str | PathLike[str], arrays: Mapping[str, object] | None = None, /, **named: Any) -> None:
        """Write the program into a file, from which `eb.load` takes it without compiling anything.

        What is saved is the program for the shapes and dtypes that it has been called with so far; with arrays,
        shapes (tuples) or sizes (numbers) it is that for these alone, and what is given as a shape is taken as
        float64. The file is JSON: the generated source, and the report of the plan.
        """
        values = {**(arrays or {}), **named}
        wanted = self._looked_up(values) if values else None
        if self._options["memory_limit"] is not None:  # it holds for arrays as they lie in memory
            raise CompileError(
                "a program under a memory_limit cannot be saved", hint="keep fn.source(), a file that runs by itself"
            )
        with self._lock:
            made = [one for one in self._made.values() if wanted is None or one is wanted]
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
                        one.case,
                        function=identifier(self._program.function),
                        reads=one.reads,
                        source=one.standalone(),
                        plan=one.plan.described(one.text.formulas),
                    )
                    for one in made
                ),
            ),
            Path(path),
        )

    def _checked(self) -> tuple[Compared, ...]:
        """The results that are gradients of other results, found by deriving them again."""
        tensors = flatten(self.outputs, "what is compiled")
        values = [(k, y) for k, y in enumerate(tensors) if not y.ndim and not y.derived]
        return tuple(
            (k, other, tensor.like)
            for other, tensor in enumerate(tensors)
            if tensor.like is not None
            for k, y in values
            if tensor.like in {x.node for x in y.inputs} and _is_gradient(tensor, y, tensor.like)
        )

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), **self._options), (self.outputs,)


def _is_gradient(tensor: Tensor, y: Tensor, x: Input) -> bool:
    """Whether a tensor is the gradient of a scalar by an input, whatever it was derived as."""
    if tensor.node.shape != x.shape:
        return False
    derived = grad(y, next(one for one in y.inputs if one.node is x))
    found, wanted = normalise([tensor.node, derived.node])
    return found is wanted


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
