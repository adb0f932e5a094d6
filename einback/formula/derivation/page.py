"""A derivation as a page: numbered entries in sections, from which text, Markdown, LaTeX and HTML are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from einback.errors import NotationError
from einback.formula.derivation.letters import DIFFERENTIAL
from einback.formula.derivation.marks import differentials_latex, quotient_latex, quotients_latex, quotients_text
from einback.formula.derivation.steps import SECTIONS, Part, Section
from einback.formula.layout import rebroken
from einback.formula.notations import notation_named
from einback.formula.subject import Subject

_CALLED_SO = re.compile(r"\b(\w+):\1\b")  # an index that is called as its size
_WHERE = "\n  where "
_SIZED = re.compile(r":\w+")

__all__ = ["Entry", "Page", "latex_of", "page_of", "text_of"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A numbered step; `uses` are the numbers of those that it follows from."""

    number: int
    part: Part
    uses: tuple[int, ...]

    @property
    def reason(self) -> str:
        """The rule, what it says, and what it is applied to; "" where nothing is to be said."""
        source = f"from {_listed(self.uses)}" if self.uses else ""
        rule = "" if self.part.section == "definitions" else self.part.rule
        head = ", ".join(one for one in (source, rule) if one)
        return ": ".join(one for one in (head, self.part.about) if one)

    @property
    def equations(self) -> tuple[Subject, ...]:
        """What is written: the chain, as far as its expressions need no definitions of their own, and the equation."""
        kept: list[Subject] = []
        told = [(one, self.text(one, "index")) for one in (*self.part.chain, self.part.equation)]
        for k, (one, text) in enumerate(told):
            last = k == len(told) - 1
            if (not kept or last or _WHERE not in text) and (last or told[k + 1][1] != text):
                kept.append(one)
        return tuple(kept)

    def text(self, subject: Subject, notation: str) -> str:
        """A formula of the step as text; only definitions and the result say sizes that are not called so."""
        text = text_of(subject, notation)
        if subject.derivative is not None or notation != "index":
            return text
        if self.part.section == "definitions":
            return _CALLED_SO.sub(r"\1", text)
        left, sign, right = text.partition(" = ")
        return _SIZED.sub("", left) + sign + right


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    entries: tuple[Entry, ...]

    def sections(self) -> Iterator[tuple[str, list[Entry]]]:
        """The entries under the headings of their sections."""
        for section, entries in groupby(self.entries, key=lambda entry: entry.part.section):
            yield SECTIONS[section], list(entries)


def page_of(title: str, parts: Sequence[Part]) -> Page:
    """The parts, numbered, each with the numbers of what it follows from."""
    entries: list[Entry] = []
    places: dict[tuple[Section, object], int] = {}  # of steps about tensors, and about how one reads another
    result = next(part.symbol for part in reversed(parts) if part.section == "definitions")
    for number, part in enumerate(parts, start=1):
        entries.append(Entry(number, part, tuple(_uses(part, places, number))))
        places[part.section, part.symbol] = number
        if part.edge is not None:
            places[part.section, (part.edge.reader.symbol, part.edge.read)] = number
            if part.symbol is result:
                places["cotangents", part.edge.read] = number  # entry by entry, its derivative is the cotangent
    return Page(title, tuple(entries))


def _uses(part: Part, places: dict[tuple[Section, object], int], number: int) -> Iterator[int]:
    match part.section:
        case "differentials" | "derivatives":
            yield places["definitions", part.symbol]
        case "cotangents" if part.edge is not None:
            reader = part.edge.reader.symbol
            keys: list[tuple[Section, object]] = [
                ("differentials", reader),
                ("derivatives", (reader, part.edge.read)),
                ("cotangents", reader),
            ]
            yield from (places[key] for key in keys if key in places)


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(f"({number})" for number in numbers)


def text_of(subject: Subject, notation: str) -> str:
    """A formula of a derivation as text; one that the notation has no form for stands in index notation."""
    try:
        text = notation_named(notation).text(subject)
    except NotationError:
        if notation_named(notation) is notation_named("index"):
            raise
        text = notation_named("index").text(subject)
    return quotients_text(text.replace(DIFFERENTIAL, "d"))


def latex_of(subject: Subject, notation: str) -> str:
    """A formula of a derivation in LaTeX, with an upright d before what is a differential."""
    try:
        latex = notation_named(notation).latex(subject)
    except NotationError:
        if notation_named(notation) is notation_named("index"):
            raise
        latex = notation_named("index").latex(subject)
    return rebroken(quotients_latex(differentials_latex(quotient_latex(latex, subject))))
