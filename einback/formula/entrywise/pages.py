"""Whole formulas entry by entry, as text and as LaTeX: the layout that explicit sums and Ricci notation share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from einback.formula.entrywise.notes import notes_latex, notes_text
from einback.formula.entrywise.sum_writers import Heights, Seed, SumLatexWriter, SumTextWriter, natural_heights
from einback.formula.layout import aligned, broken, with_definitions
from einback.formula.program import Program, Statement, arrange
from einback.formula.quotients import Quotient, differential, quotient
from einback.formula.subject import Subject
from einback.formula.tree import Index, Place, Ref, Tree

__all__ = ["Line", "Prepare", "latex", "text"]

_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"


@dataclass(frozen=True, slots=True)
class Line:
    """A right-hand side as it is written; `heights` is None where indices have none."""

    body: Tree
    heights: Mapping[Tree, Heights] | None = None


# Makes a line of a statement, whose left side has its indices at these heights; the name is that of the seed.
Prepare = Callable[[Statement, Heights, str], Line]


def text(subject: Subject, prepare: Prepare) -> str:
    """The formula, its definitions and what has to be said beside them, in Unicode."""
    program, seed, equations = _equations(subject, prepare)
    blank = SumTextWriter({}, program.names, seed=seed)
    shown: list[tuple[str, list[str]]] = []
    for one in equations:
        writer = replace(blank, chosen=one.chosen, heights=one.line.heights)
        shown.append((_left(one, writer), (writer if one.seeded else replace(writer, seed=None)).terms(one.line.body)))
    (left, terms), *others = shown
    first = broken(terms, len(left) + 3)
    if equations[0].left is not None:
        first = f"{left} = {first}"
    return with_definitions([first], others, notes_text(program))


def latex(subject: Subject, prepare: Prepare) -> str:
    """The formula, its definitions and what has to be said beside them, in LaTeX mathematics."""
    program, seed, equations = _equations(subject, prepare)
    blank = SumLatexWriter({}, program.names, seed=seed)
    rows: list[tuple[str, str]] = []
    for one in equations:
        writer = replace(blank, chosen=one.chosen, heights=one.line.heights)
        right = writer if one.seeded else replace(writer, seed=None)
        rows.append((_left(one, writer), right.expression(one.line.body)))
    notes = notes_latex(program)
    return rows[0][1] if equations[0].left is None else aligned(rows, notes=notes)


@dataclass(frozen=True, slots=True)
class _Equation:
    left: Quotient | Ref | tuple[str, tuple[Place, ...]] | None  # None where a tensor would be said to be itself
    line: Line
    chosen: Mapping[Index, str]
    seeded: bool = True  # whether the right-hand side shows the seed as a quotient


def _left(equation: _Equation, writer: SumTextWriter | SumLatexWriter) -> str:
    match equation.left:
        case None:
            return ""
        case Quotient() as found:
            return writer.quotient(found)
        case Ref() as seed:
            return writer.atom(seed)
        case (name, places):
            return writer.tensor(name, places)


def _equations(subject: Subject, prepare: Prepare) -> tuple[Program, Seed | None, list[_Equation]]:
    """The result, the seed if there is one, and the definitions."""
    program = arrange([subject.node], [subject.name], [subject.names], settle=False)
    found = quotient(subject, program)
    seed = Seed(found.seed[0], found.of[0], found.seed[1]) if found and found.seed else None
    named = seed.name if seed else ""
    first = program.results[0]
    line = prepare(first, _heights(subject, first, found), named)
    left = found or (None if first.trivial else (differential(subject, program), first.left))
    equations = [_Equation(left, line, first.chosen)]
    if seed is not None and subject.derivative is not None:
        of = subject.derivative.of
        places = tuple(Index("") for _ in of.names)
        given = Ref(seed.name, places)
        own = Line(given, None if line.heights is None else {given: natural_heights(of.rank, turned=True)})
        equations.append(_Equation(given, own, dict(zip(places, _distinct(of.names), strict=True)), seeded=False))
    for one in program.where:
        line = prepare(one, natural_heights(len(one.left)), named)
        equations.append(_Equation((one.name, one.left), line, one.chosen))
    return program, seed, equations


def _heights(subject: Subject, statement: Statement, found: Quotient | None) -> Heights:
    """The heights of the indices on the left of a result: those of what it is differentiated by are turned over."""
    if found is None:
        how = subject.derivative
        turned = how is not None and how.kind in ("gradient", "pullback", "product", "hessian", "gauss-newton")
        return natural_heights(len(statement.left), turned and not subject.titled)
    of = natural_heights(len(found.of[1]))
    return (*of, *(up for _, places in found.by for up in natural_heights(len(places), turned=True)))


def _distinct(names: Sequence[str]) -> list[str]:
    """The names of some indices, letters where they have none or one twice."""
    spare = [letter for letter in _LETTERS if letter not in names]
    return [name if name and name not in names[:k] else spare[k] for k, name in enumerate(names)]
