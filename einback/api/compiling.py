"""From tensors to a callable that takes arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from einback.api.scope import gather, names_in_normal_form
from einback.api.structure import flatten, rebuild
from einback.api.tensor import Tensor
from einback.errors import CompileError
from einback.formula.index import Names, line
from einback.formula.labels import letters
from einback.ir.nodes import Node
from einback.ir.walk import postorder
from einback.rules.simplify import normalise
from einback.run.callable import Compiled

__all__ = ["Function", "compile", "evaluate"]


class Function(Compiled):
    """A compiled program; pickled as the tensors that it computes."""

    def __init__(self, outputs: Any) -> None:
        self.outputs = outputs
        wanted = flatten(outputs, "what is compiled")
        known = gather(tensor.scope for tensor in wanted)
        roots = normalise([tensor.node for tensor in wanted])
        axes = {root: tensor.names for root, tensor in zip(roots, wanted, strict=True)}
        named = names_in_normal_form(known)

        def describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
            return line(node, name, given, Names(axes.get(node, ()), known.size_names, named))

        super().__init__(
            roots,
            tuple(known.inputs),
            structure=rebuild(outputs, range(len(wanted))),
            equalities=known.equalities,
            likes=[tensor.like for tensor in wanted],
            forward=[root for root, tensor in zip(roots, wanted, strict=True) if not tensor.derived],
            names=named | _result_names(outputs, roots),
            letters=letters(list(postorder(roots))),
            describe=describe,
        )

    def __reduce__(self) -> tuple[object, ...]:
        return Function, (self.outputs,)


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


def compile(
    outputs: Any, memory_limit: int | None = None, threads: int | None = None, structured: bool = False
) -> Function:
    """Compile tensors into a function of arrays.

    `outputs` is a tensor, or a list, tuple or dict of them, nested at will; a call takes the arrays by
    keyword, or as one dict, and gives results in the same structure. The program is planned as one whole,
    specialised per shapes and dtypes, and cached. Arrays are not changed, and results share no memory with
    them. `fn.source()` is the program as a standalone file, `fn.plan()` its cost and steps.

    >>> import numpy as np
    >>> import einback as eb
    >>> A, x = eb.tensors("A[n,n] x[n]")
    >>> f = eb.einsum("i,ij,j->", x, A, x)
    >>> fn = eb.compile({"f": f, "slope": eb.grad(f, x)})
    >>> fn(A=np.eye(2), x=np.array([1.0, 2.0]))["slope"]
    array([2., 4.])
    """
    if isinstance(memory_limit, Tensor):
        raise CompileError("several tensors are compiled as one structure", hint="write compile([a, b])")
    for value, what in ((memory_limit, "memory_limit"), (threads, "threads"), (structured, "structured")):
        if value not in (None, False):
            raise CompileError(f"{what} is not supported in this version", hint=f"leave {what} out")
    return Function(outputs)


def evaluate(outputs: Any, /, **arrays: Any) -> Any:
    """Compile once, and run on arrays: the value of a tensor or of a structure of tensors.

    >>> import numpy as np
    >>> import einback as eb
    >>> eb.evaluate(eb.sum(eb.tensor("x[n]") ** 2), x=np.arange(4.0))
    np.float64(14.0)
    """
    return (_compiled(outputs) if isinstance(outputs, Tensor) else Function(outputs))(arrays)


@lru_cache(maxsize=256)
def _compiled(y: Tensor) -> Function:
    return Function(y)
