"""What the rim of a program knows beside its nodes: inputs, index names, size equalities, names of results.

A tensor holds a `Scope` that links to the scopes of the tensors it was made from; nothing is copied while a
program is declared. `gather` walks the links when the whole is needed, to print or to compile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from einback.errors import ShapeError
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Classes, Equality, Size
from einback.rules.simplify import normalise

__all__ = ["Known", "Scope", "gather", "names_in_normal_form"]


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """The facts that one declaration adds, and the scopes of what it was made from."""

    inputs: Mapping[Input, tuple[str, ...]] = field(default_factory=dict)  # with the names of their axes
    parameters: tuple[Input, ...] = ()
    size_names: Mapping[Size, tuple[str, ...]] = field(default_factory=dict)
    equalities: frozenset[Equality] = frozenset()
    tensors: Mapping[Node, str] = field(default_factory=dict)
    derived: bool = False  # a derivative was taken
    parents: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that the scopes below some tensors say, in order of declaration."""

    inputs: Mapping[Input, tuple[str, ...]]
    parameters: tuple[Input, ...]
    size_names: Mapping[Size, tuple[str, ...]]
    equalities: frozenset[Equality]
    tensors: Mapping[Node, str]
    derived: bool


def gather(scopes: Iterable[Scope]) -> Known:
    """The union of some scopes and all their ancestors. Names given last are preferred.

    Raises `ShapeError` where two different tensors have one name, or sizes contradict each other.
    """
    inputs: dict[Input, tuple[str, ...]] = {}
    by_name: dict[str, Input] = {}
    parameters: dict[Input, None] = {}
    size_names: dict[Size, dict[str, None]] = {}
    equalities: set[Equality] = set()
    tensors: dict[Node, str] = {}
    derived = False
    for scope in _ancestors_first(scopes):
        for node, names in scope.inputs.items():
            inputs[node] = names
            other = by_name.setdefault(node.name, node)
            if other is not node:
                raise ShapeError(
                    f"two tensors are named {node.name}: one of shape {_shown(other)}, one of shape {_shown(node)}",
                    hint="give them different names (a layer takes name=..), or declare the tensor once",
                )
        parameters.update(dict.fromkeys(scope.parameters))
        for size, preferred in scope.size_names.items():
            size_names[size] = dict.fromkeys([*preferred, *size_names.get(size, {})])
        equalities |= scope.equalities
        tensors.update(scope.tensors)
        derived = derived or scope.derived
    if equalities:
        Classes(sorted(equalities, key=repr))
    pool = {size: tuple(names) for size, names in size_names.items()}
    return Known(inputs, tuple(parameters), pool, frozenset(equalities), tensors, derived)


def names_in_normal_form(known: Known) -> dict[Node, str]:
    """The user's names, on the nodes that normal form gives the named tensors."""
    named = [node for node in known.tensors if not isinstance(node, Input)]
    found: dict[Node, str] = {}
    for node, normal in zip(named, normalise(named), strict=True):
        if not isinstance(normal, Input):
            found.setdefault(normal, known.tensors[node])
    return found


def _ancestors_first(scopes: Iterable[Scope]) -> list[Scope]:
    done: dict[int, Scope] = {}
    stack = list(scopes)[::-1]
    while stack:
        scope = stack[-1]
        waiting = [parent for parent in scope.parents if id(parent) not in done]
        if id(scope) in done or not waiting:
            done.setdefault(id(stack.pop()), scope)
        else:
            stack.extend(reversed(waiting))
    return list(done.values())


def _shown(node: Input) -> str:
    facts = f" ({', '.join(node.facts)})" if node.facts else ""
    return f"[{','.join(map(str, node.sizes))}]{facts}"
