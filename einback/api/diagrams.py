"""Pictures of several tensors beside each other, and programs as graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from einback.api.printing import subject
from einback.api.structure import flatten
from einback.api.tensor import Tensor
from einback.errors import EinbackError
from einback.formula.diagram.diagram import Diagram
from einback.formula.diagram.diagram import diagram as drawn
from einback.formula.diagram.graphs import program_graph

__all__ = ["diagram", "graph"]


def diagram(*tensors: Tensor, sizes: bool = False) -> Diagram:
    """The tensor networks of some tensors beside each other, in one picture.

    A tensor has one colour in all of them. A derivative shows the slots of what it was taken by: the gradient of a
    contraction is its network with one tensor taken out, and the open legs end in a dashed tensor. `sizes` writes the
    sizes of legs beside their names. `y.diagram()` is the picture of one tensor.

    Raises `EinbackError` for what is no tensor, and where nothing is given.

    >>> import einback as eb
    >>> A, x = eb.tensors("A[n,n] x[n]")
    >>> y = x @ A @ x
    >>> picture = eb.diagram(y, eb.grad(y, x))
    >>> print(picture.text)
    y = x[n] A[n,n'] x[n']
    dx[n] = A[n,n'] x[n'] + x[n'] A[n',n]
    >>> sorted({kind for _, kind in picture.graph().nodes(data="kind")})
    ['input', 'slot']
    """
    if not tensors:
        raise EinbackError("a picture shows one tensor at least", hint="eb.diagram(y, eb.grad(y, x)) shows two")
    for one in tensors:
        if not isinstance(one, Tensor):
            raise EinbackError(f"tensors are drawn, and this is of type {type(one).__name__}")
    return drawn([subject(one) for one in tensors], slots=len(tensors) > 1, sizes=sizes)


def graph(outputs: Any) -> Any:
    """The program of some outputs as a `networkx.DiGraph`, edges leading from what is read to what reads it.

    `outputs` is a tensor, or a list, tuple or dict of tensors, as for `compile`. A node has `kind` (input, einsum, add,
    map, ..), `name` (of an input or an output, else the letter that formulas would give it), `label` (what it does),
    `shape` and `outputs` (the names under which it is wanted: keys and places, as in "grads.W" or "0"). An edge has
    `operands`, the places where it is read.

    Raises `EinbackError` for what is no tensor.

    >>> import einback as eb
    >>> X, W = eb.tensors("X[n,d] W[d,c]")
    >>> program = eb.graph({"H": eb.relu(X @ W)})
    >>> for _, node in program.nodes(data=True):
    ...     print(node["kind"], node["name"], node["label"], node["shape"])
    input X X ('n', 'd')
    input W W ('d', 'c')
    einsum Z ij,jk->ik ('n', 'c')
    map H relu ('n', 'c')
    >>> list(program.edges)
    [(0, 2), (1, 2), (2, 3)]
    """
    leaves = flatten(outputs, "what is drawn as a graph")
    names = list(_names(outputs)) if len(leaves) > 1 or isinstance(outputs, dict) else [leaves[0].name or "y"]
    return program_graph({name: subject(one).node for name, one in zip(names, leaves, strict=True)})


def _names(structure: Any, outside: str = "") -> Iterator[str]:
    """A name for every tensor of a structure: the keys and places that lead to it."""
    match structure:
        case dict():
            for key, part in structure.items():
                yield from _names(part, f"{outside}.{key}" if outside else str(key))
        case list() | tuple():
            for place, part in enumerate(structure):
                yield from _names(part, f"{outside}.{place}" if outside else str(place))
        case _:
            yield outside
