r"""How wide LaTeX is where it is seen, in letters: what a command is called does not count, what it draws does.

A fraction is as wide as the wider of its lines, indices are small, and a name such as softmax has its letters.

>>> width(r"x"), width(r"\operatorname{softmax}"), width(r"\frac{1}{abc}"), width(r"\left(x\right)")
(1.0, 7.0, 3.0, 3.0)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["SIGN", "cells", "tokens", "width"]

SIGN: Final = 2.5  # a sign such as + with the space around it
_SMALL: Final = 0.7  # indices and exponents

_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|\s+|.", re.DOTALL)
_SPACES: Final = {r"\,": 0.3, r"\;": 0.5, r"\quad": 2.0, r"\qquad": 4.0}
_NAMES: Final = frozenset({"log", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "max", "min", "det"})
_SIGNS: Final = frozenset(
    {"+", "-", "=", "<", ">"}
    | {rf"\{name}" for name in ("leq", "geq", "neq", "le", "ge", "ne", "odot", "otimes", "oslash", "cdot", "times")}
)
_LIMITS: Final = frozenset({r"\sum", r"\prod", r"\max", r"\min"})  # what is written under them stands in their width
_UPRIGHT: Final = frozenset({r"\text", r"\textbf", r"\texttt"})  # their blanks are seen
_FENCE = re.compile(r"\\(?:left|right|[bB]igg?[lr])")


def tokens(latex: str) -> list[str]:
    """Commands, single characters and blanks, in order."""
    return _TOKEN.findall(latex)


def width(latex: str) -> float:
    """About how many letters of text stand in the place of a formula."""
    return _Reader(tokens(latex)).row()


def cells(latex: str) -> list[list[str]]:
    r"""The cells of a block, row by row; those of a matrix inside of one are not taken apart.

    >>> cells(r"a & b \\ \begin{bmatrix} 1 & 2 \end{bmatrix} & c")
    [['a ', ' b '], [' \\begin{bmatrix} 1 & 2 \\end{bmatrix} ', ' c']]
    """
    rows, depth = [[""]], 0
    for token in tokens(latex):
        depth += (token in ("{", r"\begin")) - (token in ("}", r"\end"))
        if token == "&" and not depth:
            rows[-1].append("")
        elif token == r"\\" and not depth:
            rows.append([""])
        else:
            rows[-1][-1] += token
    return rows


class _Reader:
    """Adds widths up along the tokens of a formula."""

    def __init__(self, found: Sequence[str]) -> None:
        self.tokens, self.at = found, 0

    def row(self, end: str = "") -> float:
        """The width up to a token, or of all that is left."""
        return sum(self.parts(end))

    def parts(self, end: str) -> Iterator[float]:
        while self.at < len(self.tokens):
            if self.tokens[self.at] == end:
                self.at += 1
                return
            yield self.item()

    def item(self) -> float:
        """What stands on the line, with the scripts above and below each other behind it."""
        first = self.tokens[self.at]
        nucleus = self.nucleus()
        scripts = [0.0]
        while self.at < len(self.tokens) and self.tokens[self.at] in ("^", "_"):
            self.at += 1
            scripts.append(_SMALL * self.argument())
        return max(nucleus, *scripts) if first in _LIMITS else nucleus + max(scripts)

    def argument(self) -> float:
        """A group, or the one token that stands for it."""
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        return self.nucleus() if self.at < len(self.tokens) else 0.0

    def nucleus(self) -> float:
        token = self.tokens[self.at]
        self.at += 1
        if token == "{":
            return self.row("}")
        if token == r"\frac":
            return max(self.argument(), self.argument())
        if token == r"\sqrt":
            if self.at < len(self.tokens) and self.tokens[self.at] == "[":
                self.at = self.tokens.index("]", self.at) + 1
            return 1.5 + self.argument()
        if token == r"\begin":
            return self.block()
        if token in _UPRIGHT:
            return self.words()
        if _FENCE.fullmatch(token):
            self.at += 1
            return 0.0 if self.tokens[self.at - 1] == "." else 1.0
        return _drawn(token)

    def words(self) -> float:
        """Letters of text up to the end of their group."""
        start = self.at + 1
        self.argument()
        return float(sum(_letter(token[-1]) for token in self.tokens[start : self.at - 1]))

    def block(self) -> float:
        """A matrix: its columns beside each other, each as wide as its widest cell."""
        start = self.at
        depth = 1
        while depth:
            depth += (self.tokens[self.at] == r"\begin") - (self.tokens[self.at] == r"\end")
            self.at += 1
        inner = "".join(self.tokens[start : self.at - 1]).partition("}")[2]
        self.argument()
        widths = [list(map(width, row)) for row in cells(inner)]
        columns = [max(row[k] for row in widths if k < len(row)) for k in range(max(map(len, widths)))]
        return sum(columns) + 2.0 * len(columns)


def _drawn(token: str) -> float:
    """The width of one token that draws itself."""
    if token in _SIGNS:
        return SIGN
    if token in _SPACES:
        return _SPACES[token]
    if token in (r"\sum", r"\prod", r"\dots"):
        return 2.5
    if token.startswith("\\") and token[1:] in _NAMES:
        return float(len(token) - 1)
    if token.startswith("\\") and token[1:] in ("mathrm", "mathbf", "operatorname", "overline"):
        return 0.0  # its argument follows as a group
    if token.isspace() or token in ("&", "}"):
        return 0.0
    return 0.3 if token == "'" else _letter(token[-1])


def _letter(char: str) -> float:
    return 2.0 if unicodedata.east_asian_width(char) in ("W", "F") else 1.0
