"""Names of intermediate tensors: the user's, or a letter by kind, numbered where there are several.

P a softmax, S a sigmoid, H another activation, E an exponential, M a mask, L a logarithm of sums, Z what a
function is applied to, and G all else, which in derivatives are cotangents. Scalars take the small letter.
Z_1, Z_2, .. count from the inputs on; G_1, G_2, .. towards them, so that layers and their cotangents pair up.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import count

from einback.formula.forms import LogSoftmax, log_softmax, log_softmax_items, parts, softmax, view
from einback.ir.nodes import Add, Einsum, Map, Node, Reduce
from einback.rules.composite import AXIS_FUNCTIONS, FUNCTIONS, REDUCTIONS
from einback.rules.matrix_functions import MATRIX_FUNCTIONS
from einback.rules.scalar import row

__all__ = ["letters", "tensor_names"]

_CALLED = (*FUNCTIONS, *REDUCTIONS, *AXIS_FUNCTIONS, *MATRIX_FUNCTIONS)
_RESERVED = frozenset({*_CALLED, "size", "ones", "delta", "δ", "inf", "pi", "nan"})
_ACTIVATIONS = frozenset({"relu", "leaky_relu", "tanh", "softplus", "silu", "gelu", "erf", "maximum", "minimum"})


def tensor_names(
    defined: Sequence[Node], users: Mapping[Node, str], taken: Iterable[str], read_by: Iterable[Node]
) -> dict[Node, str]:
    """A name for every defined node, none of them in `taken`; `read_by` are all nodes that are shown."""
    used = {unicodedata.normalize("NFKC", name) for name in (*taken, *_RESERVED)}
    names: dict[Node, str] = {}
    for node in defined:
        name = users.get(node, "")
        if name and name not in used:
            names[node] = name
            used.add(name)
    fed = _fed(read_by)
    by_letter: dict[str, list[Node]] = {}
    for node in defined:
        if node not in names:
            by_letter.setdefault(_letter(node, fed), []).append(node)
    for letter, nodes in by_letter.items():
        if letter in "Gg":
            nodes.reverse()
        names.update(zip(nodes, _numbered(letter, len(nodes), used), strict=True))
    return names


def letters(nodes: Sequence[Node]) -> dict[Node, str]:
    """The letter by kind of every node of a program, for names of intermediate results."""
    fed = _fed(nodes)
    return {node: _letter(node, fed) for node in nodes if isinstance(node, Einsum | Add | Map | Reduce)}


def _numbered(letter: str, number: int, used: set[str]) -> list[str]:
    """The letter alone, if it is free and one name is wanted, else the letter with numbers that are free."""
    if number == 1 and letter not in used:
        return [letter]
    free = (name for k in count(1) if (name := f"{letter}_{k}") not in used)
    return [name for name, _ in zip(free, range(number), strict=False)]


def _letter(node: Node, fed: Container[Node]) -> str:
    match node:
        case _ if softmax(node) is not None:
            letter = "P"
        case Map(fn="sigmoid"):
            letter = "S"
        case Map(fn="exp"):
            letter = "E"
        case Map() if row(node.fn).predicate or node.fn == "above":
            letter = "M"
        case Map() if node.fn in _ACTIVATIONS:
            letter = "H"
        case Reduce(fn="logsumexp"):
            letter = "L"
        case Add() if log_softmax(node) is not None:
            letter = "L"
        case Einsum() | Add() if node in fed:
            letter = "Z"
        case _:
            letter = "G"
    return letter if node.rank else letter.lower()


def _fed(nodes: Iterable[Node]) -> set[Node]:
    """What functions are applied to, comparisons aside."""
    found: set[Node] = set()
    for node in nodes:
        for part in _arguments(node):
            while part not in found:
                found.add(part)
                part = view(part) or part
    return found


def _arguments(node: Node) -> Iterable[Node]:
    match node:
        case Map():
            return () if row(node.fn).predicate else parts(node)
        case Reduce():
            return (node.arg,)
        case Add():
            return [item.arg for _, item in log_softmax_items(node) if isinstance(item, LogSoftmax)]
        case _:
            return ()
