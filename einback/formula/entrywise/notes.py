"""What has to be said beside formulas in which indices are numbers: where they begin, how far they go, what is outside.

Index notation has conventions for this (`einback.formula.lengths`); other notations say it in words.
"""

from __future__ import annotations

from collections.abc import Iterator

from einback.formula.latex import index_latex
from einback.formula.program import Program
from einback.formula.tree import Affine, Eye, Group, Place, Position, Ref, Tree, subtrees
from einback.ir.extents import spelled
from einback.ir.sizes import Size

__all__ = ["notes_latex", "notes_text"]

_FROM_ZERO = "indices count from 0"
_OUTSIDE = "entries outside of a tensor are 0"


def notes_text(program: Program) -> list[str]:
    """The notes of a program, a range a line."""
    ranges = [f"0 ≤ {name} < {size}" for name, size in _ranges(program)]
    return [", ".join(part) for part in (_words(program), ranges) if part]


def notes_latex(program: Program) -> list[str]:
    words = _words(program)
    ranges = [rf"0 \leq {index_latex(name)} < {spelled(size, index_latex)}" for name, size in _ranges(program)]
    return [*([rf"\text{{{', '.join(words)}}}"] if words else []), *ranges]


def _ranges(program: Program) -> Iterator[tuple[str, Size]]:
    said = {}
    for line in (*program.results, *program.where):
        own = {index: size for index, size in line.sizes.items() if index in line.chosen}
        said.update({line.chosen[index].rstrip("'"): size for index, size in own.items()})
    yield from ((name, size) for name, size in said.items() if name != size)


def _words(program: Program) -> list[str]:
    words = []
    lines = (*program.results, *program.where)
    places = [place for line in lines for place in (*line.left, *_places(line.body))]
    computed = any(isinstance(place, Affine | Group | Ref) for place in places)
    if computed or any(isinstance(part, Position) for line in lines for part in _walk(line.body)):
        words.append(_FROM_ZERO)
    if any(isinstance(place, Group) for place in places):
        words.append("in parentheses the last index runs fastest")
    if any(isinstance(place, Affine) and _may_leave(place) for line in lines for place in _places(line.body, Ref)):
        words.append(_OUTSIDE)
    return words


def _may_leave(place: Affine) -> bool:
    return any(not isinstance(number, int) or number < 0 for number in (*place.steps, place.offset))


def _places(tree: Tree, kind: type[Tree] = Tree) -> Iterator[Place]:
    for part in _walk(tree):
        if isinstance(part, Ref | Eye) and isinstance(part, kind):
            yield from part.indices


def _walk(tree: Tree) -> Iterator[Tree]:
    stack = [tree]
    while stack:
        part = stack.pop()
        yield part
        stack.extend(reversed(subtrees(part)))
