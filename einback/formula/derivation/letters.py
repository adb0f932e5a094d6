"""Names for the intermediate tensors of a derivation that the user did not name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from einback.formula.labels import letters
from einback.ir.nodes import Add, Einsum, Input, Matrix, Node

__all__ = ["DIFFERENTIAL", "fresh", "letter_names", "plain_name"]

# What stands before a tensor's name in that of its differential while formulas are made: it sorts behind all letters,
# so that differentials stand last in their products, and no name has it. Writers make a plain d of it.
DIFFERENTIAL = "\N{MATHEMATICAL ITALIC SMALL D}"

# Letters by kind where the usual one is that of cotangents; the first that is free.
_SUM, _PRODUCT, _FUNCTION = "ABCM", "TQUB", "FHM"


def plain_name(symbol: Input) -> str:
    """The name of a tensor as it is shown."""
    return symbol.name.replace(DIFFERENTIAL, "d")


def fresh(name: str, taken: set[str]) -> str:
    """The name, with underscores behind it until nobody has it; it is taken then.

    >>> fresh("Z", {"X", "Z"})
    'Z_'
    """
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def letter_names(own: Sequence[Node], shown: Iterable[Node], taken: set[str]) -> dict[Node, str]:
    """A letter by kind for each node, numbered where there are several; the names are taken then."""
    kinds = letters([*shown])
    by_letters: dict[str, list[Node]] = {}
    for node in own:
        by_letters.setdefault(_letters(node, kinds.get(node, "G")), []).append(node)
    names: dict[Node, str] = {}
    for several, nodes in by_letters.items():
        letter = next((one for one in several if one not in taken), several[0])
        alone = len(nodes) == 1 and letter not in taken
        number = 0
        for node in nodes:
            number += 1
            while not alone and f"{letter}_{number}" in taken:
                number += 1
            names[node] = letter if alone else f"{letter}_{number}"
            taken.add(names[node])
    return {node: names[node] for node in own}


def _letters(node: Node, kind: str) -> str:
    """Letters by kind, best first; G is that of cotangents, so what has none of its own is told apart here."""
    residual = isinstance(node, Add) and any(weight < 0 for weight in node.weights)
    if kind not in "GgZz" or (kind in "Zz" and not residual):
        return kind
    match node:
        case Add():
            several = "R" if residual else _SUM
        case Einsum():
            several = _PRODUCT
        case Matrix(fn="inv"):
            several = "V"
        case Matrix():
            return "D"  # no small letter: dd would be its differential
        case _:
            several = _FUNCTION
    return several if node.rank else several.lower()
