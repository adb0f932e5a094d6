r"""A derivation as LaTeX: one `aligned` block, numbered, each step under its rule.

It keeps to what KaTeX and MathJax know: aligned, \text, \textbf, \quad.
"""

from __future__ import annotations

import re
from textwrap import wrap

from einback.formula.derivation.page import Entry, Page, latex_of
from einback.formula.derivation.plain import rows

__all__ = ["latex", "worded"]


def latex(page: Page, notation: str) -> str:
    """All steps below each other: numbers on the left, reasons over their formulas, these aligned at their signs."""
    lines: list[str] = []
    for heading, entries in page.sections():
        lines.append(rf"&&&\textbf{{{worded(heading)}}}")
        for entry in entries:
            lines += _entry(entry, notation)
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _entry(entry: Entry, notation: str) -> list[str]:
    """The rows of a step, in four columns: its number, nothing, left sides, right sides and words."""
    words = [rf"&&&\text{{{worded(part)}}}" for part in wrap(entry.reason, _WIDE)]
    lines = [*words, *(f"&& {row}" for row in rows([latex_of(one, notation) for one in entry.equations]))]
    lines[0] = rf"\text{{({entry.number})}}\quad {lines[0]}"
    return lines


_WIDE = 80  # characters of a line of words

_SPECIAL = {
    "\\": r"\textbackslash ", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\char94 ", "~": r"\char126 ", "²": "$^2$", "³": "$^3$", "⁻": "$^-$", "∂": r"$\partial$", "δ": r"$\delta$",
    "Φ": r"$\Phi$", "<": "$<$", ">": "$>$", "|": "$|$", "√": r"$\sqrt{\ }$",
}  # fmt: skip


def worded(words: str) -> str:
    r"""Words for \text: special signs are escaped, and mathematical ones set as such.

    >>> worded("tanh'(x) = 1 - tanh(x)², from Z_1")
    "tanh'(x) = 1 - tanh(x)$^2$, from Z\\_1"
    """
    return re.sub(r"[^\w\s]|[_²³]", lambda found: _SPECIAL.get(found[0], found[0]), words).replace("δ", r"$\delta$")
