r"""Long right-hand sides in LaTeX, broken into the lines of an `aligned` block.

A line ends where the structure is weakest: before a sign that stands outside of all brackets, else before a factor,
else inside a bracket, which then is drawn as \bigl( .. \bigr), since \left and \right may not stand on two lines. The
next line begins with the sign, with \times for factors that stand side by side, further right the deeper it is.
Fractions, roots and exponents stay whole. `joined` takes the lines together again.

>>> for line in lines(r"2 x \left(a + b\right)", 7):
...     print(line)
2 x \bigl(a
&\quad\quad {} + b\bigr)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

from einback.formula.measure import tokens, width

__all__ = ["BEGIN", "END", "NEXT", "joined", "lines"]

BEGIN: Final = "\\begin{aligned}\n"
END: Final = "\n\\end{aligned}"
NEXT: Final = " \\\\\n"  # between the rows of a block
_INDENT = 2.0  # letters: a \quad


class _Kind(IntEnum):
    """Where a row may be broken, the weakest places first."""

    LIST = 0  # behind a comma
    RELATION = 1
    SUM = 2
    OVER = 3
    ODOT = 4
    KRON = 5
    FACTOR = 6
    NOWHERE = 7


_SIGNS: Final = {
    **dict.fromkeys(("=", "<", ">", r"\leq", r"\geq", r"\neq", r"\le", r"\ge", r"\ne"), _Kind.RELATION),
    **dict.fromkeys(("+", "-"), _Kind.SUM),
    r"\oslash": _Kind.OVER,
    r"\odot": _Kind.ODOT,
    r"\otimes": _Kind.KRON,
    r"\cdot": _Kind.FACTOR,
}
_OPENS = re.compile(r"-?\\(?:sum|prod|max|min|log|det|partial)(?:_.*)?")  # a sign that goes with what follows
_LISTED = re.compile(r"(?<!\\),(?:\\;)?$")
_OPENING: Final = {"{", r"\left", r"\begin"}
_CLOSING: Final = {"}", r"\right", r"\end"}
_TALL = re.compile(r"\\(?:frac|sum|prod|begin)")


def lines(latex: str, wide: float) -> list[str]:
    """A right-hand side, then the rows in which it goes on, none wider than so many letters if that can be."""
    page = _Page(wide)
    page.row(_row(latex), 0)
    return page.lines


def joined(latex: str) -> str:
    r"""An equation or a block of them in which every right-hand side is whole.

    >>> print(joined("\\begin{aligned}\ny &= 2 \\bigl(a \\\\\n&\\quad\\quad {} + b\\bigr)\n\\end{aligned}"))
    y = 2 \left(a + b\right)
    """
    whole = _GOES_ON.sub(" ", latex)
    whole = re.sub(r"\\[bB]igg?([lr])(?![A-Za-z])", lambda found: {"l": r"\left", "r": r"\right"}[found[1]], whole)
    alone = whole.startswith(BEGIN) and NEXT not in whole and " &= " in whole
    return whole.removeprefix(BEGIN).removesuffix(END).replace(" &= ", " = ", 1) if alone else whole


_GOES_ON = re.compile(re.escape(NEXT) + r"&(?:(?:\\quad)+(?: \{\}(?: \\times)?)? |(?==))")


class _Row(NamedTuple):
    """Words with blanks between them, and how a row may be broken before each."""

    words: Sequence[str]
    kinds: Sequence[_Kind]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def weakest(self) -> _Kind:
        return min(self.kinds[1:], default=_Kind.NOWHERE)

    def parts(self) -> list[_Row]:
        """The row, broken at all its weakest places."""
        starts = [0, *(k for k, kind in enumerate(self.kinds) if k and kind is self.weakest)]
        ends = [*starts[1:], len(self.words)]
        return [_Row(self.words[a:b], self.kinds[a:b]) for a, b in zip(starts, ends, strict=True)]


def _row(latex: str) -> _Row:
    words, kinds = list(_words(latex)), [_Kind.NOWHERE]
    for before, word in pairwise(words):
        if word in _SIGNS:
            kinds.append(_SIGNS[word])
        elif before in _SIGNS or word == r"\," or (_OPENS.fullmatch(before) and r"\left" not in before):
            kinds.append(_Kind.NOWHERE)
        else:
            kinds.append(_Kind.LIST if _LISTED.search(before) else _Kind.FACTOR)
    return _Row(words, kinds)


def _words(latex: str) -> Iterator[str]:
    """What stands between the blanks outside of all brackets."""
    word, depth = "", 0
    for token in tokens(latex):
        depth += (token in _OPENING) - (token in _CLOSING)
        if token == " " and not depth:
            yield word
            word = ""
        else:
            word += token
    yield word


class _Bracket(NamedTuple):
    before: str
    left: str
    inside: str
    right: str
    behind: str

    @property
    def breakable(self) -> bool:
        row = _row(self.inside)
        return row.weakest < _Kind.NOWHERE or _bracket(row.text) is not None


def _bracket(text: str) -> _Bracket | None:
    """The widest bracket of a word that can be broken, None if there is none."""
    found = [bracket for bracket in _brackets(text) if bracket.breakable]
    return max(found, key=lambda bracket: width(bracket.inside), default=None)


def _brackets(text: str) -> Iterator[_Bracket]:
    r"""The outermost pairs of \left and \right; blanks at their insides are no part of these."""
    split = tokens(text)
    depth = braces = start = 0
    for k, token in enumerate(split):
        braces += (token in ("{", r"\begin")) - (token in ("}", r"\end")) if not depth else 0
        if token == r"\left" and not braces:
            start, depth = (k if not depth else start), depth + 1
        elif token == r"\right" and not braces:
            depth -= 1
            if not depth and "." not in (split[start + 1], split[k + 1]):
                inside = "".join(split[start + 2 : k])
                left = split[start + 1] + inside[: len(inside) - len(inside.lstrip())]
                right = inside[len(inside.rstrip()) :], split[k + 1]
                yield _Bracket("".join(split[:start]), left, inside.strip(), _fence(*right), "".join(split[k + 2 :]))


def _fence(blank: str, delimiter: str) -> str:
    return f"{blank}\\right{delimiter}"


@dataclass(slots=True)
class _Page:
    """Lines that are filled from left to right; `used` is the width of the last one."""

    wide: float
    lines: list[str] = field(default_factory=lambda: [""])
    used: float = 0.0

    def put(self, text: str) -> None:
        self.lines[-1] += text
        self.used += width(text)

    def go_on(self, kind: _Kind, depth: int, first: str) -> None:
        """Begin a line with what stands there besides the word that comes first."""
        if kind is _Kind.RELATION and not depth and first == "=":
            self.lines.append("&")
            self.used = 0.0
            return
        sign = "" if kind is _Kind.LIST else r"{} \times " if first not in _SIGNS else "{} "
        self.lines.append("&" + r"\quad" * (depth + 1) + " ")
        self.used = _INDENT * (depth + 1)
        self.put(sign)

    def row(self, row: _Row, depth: int, tail: float = 0.0) -> None:
        """Write a row behind which a tail has to stand on the same line."""
        if self.used + width(row.text) + tail <= self.wide:
            self.put(row.text)
        elif row.weakest is _Kind.NOWHERE:
            self.word(row.text, depth, tail)
        else:
            self.parts(row.parts(), row.weakest, depth, tail)

    def parts(self, parts: Sequence[_Row], kind: _Kind, depth: int, tail: float) -> None:
        inner = depth if kind is _Kind.RELATION else depth + 1
        broken = False
        for k, part in enumerate(parts):
            room = self.wide - self.used - (tail if k == len(parts) - 1 else 0.0)
            if k and ((broken and kind <= _Kind.SUM) or (width(part.text) > room and not self.opens(part, kind))):
                self.go_on(kind, depth, part.words[0])
            elif k:
                self.put(" ")
            before = len(self.lines)
            self.row(part, inner, tail if k == len(parts) - 1 else 0.0)
            broken = len(self.lines) > before

    def opens(self, part: _Row, kind: _Kind) -> bool:
        """Whether a factor is a bracket whose first part has room on this line, where that is not half full."""
        if kind <= _Kind.SUM or self.used > self.wide / 2 or part.weakest < _Kind.NOWHERE:
            return False
        bracket = _bracket(part.text)
        if bracket is None:
            return False
        first = _row(bracket.inside).parts()[0]
        return self.used + width(bracket.before + first.text) + 1 <= self.wide

    def word(self, text: str, depth: int, tail: float) -> None:
        """Write what has no place to be broken at but inside of a bracket."""
        bracket = _bracket(text)
        if bracket is None:
            self.put(text)
            return
        size = "bigg" if _TALL.search(bracket.inside) else "Big" if r"\left" in bracket.inside else "big"
        closing = bracket.right.replace(r"\right", rf"\{size}r")
        self.put(rf"{bracket.before}\{size}l{bracket.left}")
        self.row(_row(bracket.inside), depth, width(closing + bracket.behind) + tail)
        self.put(closing + bracket.behind)
