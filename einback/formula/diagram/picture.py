"""Whole pictures: a network for every line of a formula, results beside each other, what they define below.

A gradient beside its formula has slots: the gradient of a contraction is the network with one tensor taken out, and
what is left open is drawn as a dashed tensor. Each of its terms has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from einback.formula.diagram.network import Block, Row, Words
from einback.formula.diagram.networks import Slot, Surroundings, drawn, subscripted
from einback.formula.latex import LatexWriter, tensor_latex
from einback.formula.program import Program, Statement, arrange
from einback.formula.subject import Derivative, Subject
from einback.formula.tree import Index, references
from einback.formula.unicode import TextWriter
from einback.ir.nodes import Input, Shape
from einback.ir.walk import inputs_of

__all__ = ["Picture", "pictured"]


@dataclass(frozen=True, slots=True)
class Picture:
    """The blocks of the results and of the lines below, each with its left side, and the tensors in order of colour."""

    results: tuple[Block, ...]
    where: tuple[Block, ...]
    tensors: tuple[str, ...]


def pictured(subjects: Sequence[Subject], slots: bool) -> Picture:
    """What is drawn of some tensors; with `slots` derivatives show what was taken out."""
    names = [one.name for one in subjects]
    program = arrange([one.node for one in subjects], names, [one.names for one in subjects])
    writer = _Lines(program, _alike(program, subjects))
    pairs = zip(program.results, subjects, strict=True)
    taken = [_slots(one.derivative, statement) if slots else () for statement, one in pairs]
    results = [writer.line(*pair) for pair in zip(program.results, taken, strict=True)]
    lines = [*program.results, *program.where]
    tensors = dict.fromkeys(ref.name for line in lines for ref in references(line.body))
    tensors |= dict.fromkeys(slot.name for slots_of_one in taken for slot in slots_of_one)
    return Picture(tuple(results), tuple(writer.line(line) for line in program.where), tuple(tensors))


@dataclass(frozen=True, slots=True)
class _Lines:
    program: Program
    alike: frozenset[str]

    def line(self, statement: Statement, slots: Sequence[Slot] = ()) -> Block:
        """A statement: its left side, and the block of its right side."""
        text = TextWriter(statement.chosen, self.program.names, whole=False)
        latex = LatexWriter(statement.chosen, self.program.names)
        lines = (*self.program.results, *self.program.where)
        defined = frozenset(line.name for line in lines if not line.trivial)
        around = Surroundings(text, latex, defined, self.alike)
        taken = {index for slot in slots for index in slot.indices}
        outs = [place for place in statement.left if place not in taken]
        block = drawn(statement.body, outs, around, slots)
        if statement.trivial:
            return block
        left = f"{subscripted(statement.name)}{text.indices(statement.left)} ="
        sides = Words(left, f"{tensor_latex(statement.name)}{latex.indices(statement.left)} =", left=True)
        return Row((sides, *(block.blocks if isinstance(block, Row) else (block,))))


def _slots(derivative: Derivative | None, statement: Statement) -> tuple[Slot, ...]:
    """The tensors that a derivative was taken by, at the axes of its result that are theirs."""
    if derivative is None or not all(isinstance(place, Index) for place in statement.left):
        return ()
    if derivative.kind == "pushforward" or not all(one.name for one in derivative.by):
        return ()
    axes = [place for place in statement.left if isinstance(place, Index)]
    start = derivative.of.rank if derivative.kind == "jacobian" else 0
    found = []
    for one in derivative.by:
        if one.rank:
            found.append(Slot(one.name, tuple(axes[start : start + one.rank])))
        start += one.rank
    return tuple(found) if start == len(axes) else ()


def _alike(program: Program, subjects: Sequence[Subject]) -> frozenset[str]:
    """The tensors of which two axes have one size, unless they may be exchanged."""
    inputs = {node.name: node for node in inputs_of([one.node for one in subjects])}
    shapes: dict[str, Shape] = {name: node.shape for name, node in inputs.items() if not _exchangeable(node)}
    for line in (*program.results, *program.where):
        shapes.setdefault(line.name, tuple(i.size if isinstance(i, Index) else "" for i in line.left))
    named = _classes(program)
    return frozenset(
        name
        for name, shape in shapes.items()
        if any(a == b or named.get(str(a), a) == named.get(str(b), b) for a, b in combinations(shape, 2))
    )


def _exchangeable(node: Input) -> bool:
    return node.rank == 2 and bool({"symmetric", "diagonal"}.intersection(node.facts))


def _classes(program: Program) -> Mapping[str, str]:
    """The name that every size is shown under; sizes that are equal share it."""
    return {
        str(index.size): name.rstrip("'")
        for line in (*program.results, *program.where)
        for index, name in line.chosen.items()
    }
