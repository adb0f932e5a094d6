"""A derivation as plain text, and as Markdown with LaTeX in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from einback.formula.derivation.page import Entry, Page, latex_of

__all__ = [
    "chained",
    "entry_block",
    "entry_formulas",
    "entry_markdown",
    "entry_text",
    "escaped",
    "markdown",
    "rows",
    "text",
]


def text(page: Page, notation: str) -> str:
    """The whole page: a heading a section, and every step under its number."""
    width = len(f"({len(page.entries)})")
    lines = [page.title]
    for heading, entries in page.sections():
        lines += ["", heading]
        for entry in entries:
            number = f"({entry.number})".rjust(width)
            for k, line in enumerate(entry_text(entry, notation).split("\n")):
                lines.append(f"  {number if not k else ' ' * width} {line}".rstrip())
    return "\n".join(lines)


def entry_text(entry: Entry, notation: str) -> str:
    """One step: its reason, the chain of equal expressions, and its equation."""
    return "\n".join([*([entry.reason] if entry.reason else []), entry_formulas(entry, notation)])


def entry_formulas(entry: Entry, notation: str) -> str:
    """The formulas of a step as text."""
    return "\n".join(chained([entry.text(one, notation) for one in entry.equations]))


def chained(equations: Sequence[str]) -> Iterator[str]:
    """Equations with one left side, which is written once."""
    left = ""
    for equation in equations:
        own, _, right = equation.partition(" = ")
        yield from (f"{' ' * len(own)} = {right}" if own == left else equation).split("\n")
        left = own


def markdown(page: Page, notation: str) -> str:
    """The whole page in Markdown, formulas between dollar signs."""
    lines = [f"## {escaped(page.title)}"]
    for heading, entries in page.sections():
        lines += ["", f"### {heading}"]
        for entry in entries:
            lines += ["", entry_markdown(entry, notation)]
    return "\n".join(lines) + "\n"


def entry_markdown(entry: Entry, notation: str) -> str:
    """One step: its number and reason, and its formulas as one block."""
    reason = f" {escaped(entry.reason)}" if entry.reason else ""
    return f"**({entry.number})**{reason}\n\n$$\n{entry_block(entry, notation)}\n$$"


def entry_block(entry: Entry, notation: str) -> str:
    """The formulas of a step in LaTeX, below each other."""
    shown = [latex_of(one, notation) for one in entry.equations]
    if len(shown) == 1:
        return shown[0]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows(shown)) + "\n\\end{aligned}"


def rows(equations: Sequence[str]) -> Iterator[str]:
    r"""Equations as rows that are aligned at their signs; a left side that repeats is written once.

    >>> list(rows(["a = b", "a = c", "d = e"]))
    ['a &= b', '&= c', 'd &= e']
    """
    left = ""
    for equation in equations:
        for row in _aligned(equation):
            own, sign, right = row.partition("&=")
            yield f"&={right}" if sign and own.strip() == left and left else row
            left = own.strip() or left if sign else left  # a row without is no equation: one goes on, or it is a note


def _aligned(equation: str) -> list[str]:
    """The rows of an equation, which may be a block with definitions below."""
    begin, end = "\\begin{aligned}\n", "\n\\end{aligned}"
    if equation.startswith(begin) and equation.endswith(end):
        return equation.removeprefix(begin).removesuffix(end).split(" \\\\\n")
    left, sign, right = equation.partition(" = ")
    return [f"{left} &= {right}" if sign else f"& {equation}"]


def escaped(words: str) -> str:
    r"""Words in which Markdown finds no signs.

    >>> escaped("d log|det A| = <G_Z, dZ>")
    'd log\\|det A\\| = \\<G\\_Z, dZ\\>'
    """
    return "".join("\\" + char if char in "\\`*_{}[]<>#|$~" else char for char in words)
