"""The left side of a derivative as a quotient: ∂L/∂W, ∂y/∂x, ∂²f/∂x∂x.

A gradient, a Jacobian and a Hessian are quotients of named tensors. So is what is pulled back along a named tensor,
for a loss L whose gradient by the output that tensor is. A derivative by a tensor without a name, of another kind, or
at complex numbers, where conventions differ, keeps the name that it is printed under.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einback.formula.program import Program
from einback.formula.subject import Subject, Variable
from einback.formula.tree import Place, references

__all__ = ["Quotient", "differential", "quotient"]

Entry = tuple[str, tuple[Place, ...]]


@dataclass(frozen=True, slots=True)
class Quotient:
    """`of` by each of `by`, every tensor with the places that stand at it."""

    of: Entry
    by: tuple[Entry, ...]
    seed: tuple[str, str] | None = None  # the tensor that is a gradient of the loss `of`, and by what: g, y


def quotient(subject: Subject, program: Program) -> Quotient | None:
    """What the only result of a program is printed as a derivative of, if it is printed as one."""
    how = subject.derivative
    if how is None or subject.titled or not all(one.name for one in how.by):
        return None
    if any(node.is_complex for node in (subject.node, *subject.inputs)):
        return None
    statement = program.results[0]
    taken = {node.name for node in subject.inputs} | {one.name for one in (*how.by, how.of)}
    taken |= {*subject.names.tensors.values(), *_shown(program)}
    places = statement.left
    of: Entry
    match how.kind:
        case "gradient" | "hessian":
            of, rest = (_called(how.of, "Lf", taken), ()), places
        case "jacobian":
            of, rest = (_called(how.of, "yz", taken), places[: how.of.rank]), places[how.of.rank :]
        case "pullback" if how.of.name and all(one.name for one in how.along):
            of, rest = (_free("Lf", taken), ()), places
        case _:
            return None
    by: list[Entry] = []
    for one in how.by:
        by.append((one.name, rest[: one.rank]))
        rest = rest[one.rank :]
    seed = (how.along[0].name, how.of.name) if how.kind == "pullback" else None
    return Quotient(of, tuple(by), seed)


def differential(subject: Subject, program: Program) -> str:
    """The name dy of how y moves along dx; other results keep theirs."""
    how = subject.derivative
    if how is None or how.kind != "pushforward" or subject.titled:
        return subject.name
    if [one.name for one in how.along] != [f"d{one.name}" for one in how.by]:
        return subject.name
    taken = {node.name for node in subject.inputs} | _shown(program)
    name = "d" + _called(how.of, "yz" if how.of.rank else "Lf", taken)
    return subject.name if name in taken else name


def _called(variable: Variable, letters: str, taken: set[str]) -> str:
    return variable.name or _free(letters, taken)


def _free(letters: Sequence[str], taken: set[str]) -> str:
    """The first letter that no tensor has, or one with lines below it."""
    while taken.issuperset(letters):
        letters = [letter + "_" for letter in letters]
    return next(letter for letter in letters if letter not in taken)


def _shown(program: Program) -> set[str]:
    lines = (*program.results, *program.where)
    return {ref.name for line in lines for ref in references(line.body)} | {line.name for line in program.where}
