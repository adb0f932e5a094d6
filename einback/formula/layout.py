"""Equations as a text or as LaTeX: the results, the definitions that they read, and what has to be said beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from einback.formula import breaking
from einback.formula.breaking import BEGIN, END, NEXT
from einback.formula.measure import SIGN, width

__all__ = ["aligned", "broken", "rebroken", "with_definitions"]

_WIDE = 100  # columns of text
_ADDED = frozenset({"+", "-", "−"})
_SIGNS = _ADDED | {"*", "·", "/", "⊙", "⊗", "⊘", "=", "<", ">", "≤", "≥", "≠", "<=", ">=", "==", "!="}
_SEEN = 80  # letters of a line of LaTeX
_WHERE = r"\text{where}\quad "


def broken(terms: Iterable[str], column: int, times: str = "*") -> str:
    """A sum that begins at a column; a long one goes on below, every line with its sign.

    A term that is longer than a line goes on with a factor, or with a term inside of its brackets. `times` stands
    before a factor that has no sign.
    """
    lines = [""]
    for term in terms:
        longer = f"{lines[-1]} {term}" if lines[-1] else term
        if column + len(longer) <= _WIDE and not lines[-1].startswith(" "):
            lines[-1] = longer
            continue
        first, *more = _folded(term, _WIDE - max(column, 2), times)
        if lines[-1]:
            lines.append(first)
        else:
            lines[-1] = first
        lines += more
    return ("\n" + " " * max(column, 2)).join(lines)


def _folded(term: str, room: int, times: str) -> list[str]:
    """A term as lines no longer than that if it can be broken so; of places to break at, the outermost is taken."""
    lines: list[str] = []
    pieces = _pieces(term)
    while pieces:
        lead = f"  {'' if pieces[0][1].split(' ')[0] in _SIGNS else f'{times} '}" if lines else ""
        ends = list(accumulate((len(text) + 1 for _, text in pieces), initial=len(lead) - 1))
        fitting = [k for k in range(1, len(ends)) if ends[k] <= room] or [1]
        end = fitting[-1]
        if end < len(pieces):
            late = [k for k in fitting if ends[k] > room / 2] or fitting[-1:]
            end = min(reversed(late), key=lambda k: pieces[k][0])
        lines.append(lead + " ".join(text for _, text in pieces[:end]))
        pieces = pieces[end:]
    return lines


def _pieces(term: str) -> list[tuple[int, str]]:
    """What a line may begin with, factors and terms in brackets, and in how many; a sign goes with what follows it."""
    pieces: list[tuple[int, str]] = []
    depth = square = 0
    before = "+"
    for word in term.split(" "):
        if before in _SIGNS or before.startswith("Σ") or square or (depth and word not in _ADDED):
            first, text = pieces[-1] if pieces else (0, "")
            pieces[-1:] = [(first, f"{text} {word}" if pieces else word)]
        else:
            pieces.append((depth, word))
        depth += sum(map(word.count, "(⟨")) - sum(map(word.count, ")⟩"))
        square += sum(map(word.count, "[{")) - sum(map(word.count, "]}"))
        before = word
    return pieces


def with_definitions(
    results: Sequence[str], equations: Iterable[tuple[str, Sequence[str]]], notes: Sequence[str], times: str = "*"
) -> str:
    """Lines of results, then a left side and the terms of each definition, then notes, under `where`."""
    leads = _leads()
    lines = list(results)
    for left, terms in equations:
        left = next(leads) + left
        lines.append(f"{left} = {broken(terms, len(left) + 3, times)}")
    return "\n".join([*lines, *(next(leads) + note for note in notes)])


def _leads() -> Iterator[str]:
    yield "  where "
    while True:
        yield "        "


def aligned(equations: Sequence[tuple[str, str]], results: int = 1, notes: Sequence[str] = ()) -> str:
    """Equations and notes in LaTeX: one alone as it is, several under each other, definitions behind `where`.

    Right-hand sides that are too wide for a line go on below.
    """
    lefts = [(_WHERE if k == results else "") + left for k, (left, _) in enumerate(equations)]
    noted = _WHERE if notes and results == len(equations) else ""
    wide = max(_SEEN - SIGN - max(map(width, [*lefts, noted])), _SEEN / 2)
    rows = []
    for left, (_, right) in zip(lefts, equations, strict=True):
        first, *more = breaking.lines(right, wide)
        rows += [f"{left} &= {first}", *more]
    rows += [f"{'' if k else noted}& {note}" for k, note in enumerate(notes)]
    return " = ".join(part for part in equations[0] if part) if len(rows) == 1 else BEGIN + NEXT.join(rows) + END


def rebroken(latex: str) -> str:
    """What `aligned` made, with its lines broken anew: something in it has been written otherwise."""
    whole = breaking.joined(latex)
    if not whole.startswith(BEGIN):
        left, sign, right = whole.partition(" = ")
        return aligned([(left, right)]) if sign else whole
    rows = whole.removeprefix(BEGIN).removesuffix(END).split(NEXT)
    pairs = [row.partition(" &= ") for row in rows]
    results = next((k for k, row in enumerate(rows) if row.startswith(_WHERE)), len(rows))
    equations = [(left.removeprefix(_WHERE), right) for left, sign, right in pairs if sign]
    notes = [row.removeprefix(_WHERE).removeprefix("& ") for row in rows[len(equations) :]]
    return aligned(equations, results, notes)
