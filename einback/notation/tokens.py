"""Text to tokens, each with its place in the text.

    name         a Unicode identifier, kept in the form NFKC (as Python keeps identifiers), and its primes
    number       2, 0.5, .5, 1e-3
    superscript  ², ⁻¹, ¹⁰: a power
    operator     one of `OPERATORS`, in its plain spelling
    newline      the end of a statement, not of every line
    end          the end of the text

A line goes on where a bracket is open, where it ends with an operator, and where the next one begins
with one. `#` begins a comment. Any other character is an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

from einback.errors import Span
from einback.notation import messages

__all__ = ["OPERATORS", "Names", "Token", "scan_name", "tokenize"]

OPERATORS: Final = (
    "**",
    "==",
    "!=",
    "<=",
    ">=",
    "^",
    "+",
    "-",
    "*",
    "/",
    "<",
    ">",
    "=",
    ",",
    ":",
    "(",
    ")",
    "[",
    "]",
    "√",
)

_SPELLINGS: Final = {"−": "-", "·": "*", "⋅": "*", "×": "*", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!=", "**": "^"}
_BINARY: Final = frozenset({"^", "+", "-", "*", "/", "<", ">", "<=", ">=", "==", "!="})
_PRIMES: Final = {"'": 1, "′": 1, "″": 2, "‴": 3}
_RAISED: Final = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))

_NUMBER: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+|\.(?!\w))?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?!\w))?")
_OPERATOR: Final = re.compile("|".join(map(re.escape, (*OPERATORS, *_SPELLINGS))))
_SUPERSCRIPT: Final = re.compile("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")


class Token(NamedTuple):
    """`glued` says that no blank stands before it."""

    kind: str
    text: str
    span: Span
    glued: bool = False
    primes: int = 0

    def is_op(self, *texts: str) -> bool:
        return self.kind == "operator" and self.text in texts


class Names:
    """The names of one text, in normal form; two spellings of one normal form are an error."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._spelled: dict[str, str] = {}

    def normal(self, spelled: str, span: Span) -> str:
        name = unicodedata.normalize("NFKC", spelled)
        known = self._spelled.setdefault(name, spelled)
        if known != spelled:
            raise messages.colliding_names(known, spelled, self._text, span)
        if name.startswith("__") and name.endswith("__"):
            raise messages.dunder_name(name, self._text, span)
        return name


def tokenize(text: str) -> list[Token]:
    """All tokens of a text; newlines that end no statement are left out.

    >>> [token.text for token in tokenize("y = x²  # a square")]
    ['y', '=', 'x', '2', '']
    """
    if not isinstance(text, str):
        raise messages.not_a_string(text)
    kept: list[Token] = []
    depth = 0
    for token in _scan(text):
        if token.kind == "newline":
            if depth == 0 and kept and kept[-1].kind != "newline" and not _goes_on(kept[-1]):
                kept.append(token)
            continue
        if kept and kept[-1].kind == "newline" and token.kind == "operator" and token.text in _BINARY:
            kept.pop()
        if token.is_op("(", "["):
            depth += 1
        elif token.is_op(")", "]"):
            depth = max(0, depth - 1)
        kept.append(token)
    return kept


def scan_name(text: str, start: int) -> int:
    """Where the identifier that begins at `start` ends; `start` if there is none."""
    if start >= len(text) or not text[start].isidentifier():
        return start
    end = start + 1
    while end < len(text) and ("a" + text[end]).isidentifier():
        end += 1
    return end


def scan_primes(text: str, start: int) -> tuple[int, int]:
    """The end of the primes that begin at `start`, and their number."""
    end, primes = start, 0
    while end < len(text) and text[end] in _PRIMES:
        primes += _PRIMES[text[end]]
        end += 1
    return end, primes


def _goes_on(token: Token) -> bool:
    return token.kind == "operator" and (token.text in _BINARY or token.text == ",")


def _scan(text: str) -> Iterator[Token]:
    names = Names(text)
    at, after_blank, previous = 0, True, ""
    while at < len(text):
        char = text[at]
        if char == "\n":
            yield Token("newline", "", (at, at + 1))
        if char.isspace():
            at, after_blank = at + 1, True
            continue
        if char == "#":
            end = text.find("\n", at)
            at, after_blank = (len(text) if end < 0 else end), True
            continue
        token = _token_at(text, at, names, not after_blank)
        if token.kind == previous == "number":
            raise messages.two_numbers(text, token.span)
        if token.glued and token.text[0] == "." and previous in ("name", "closing"):
            raise messages.stray_character(text, at)
        yield token
        at, after_blank = token.span[1], False
        previous = "closing" if token.is_op(")", "]") else token.kind
    yield Token("end", "", (len(text), len(text)))


def _token_at(text: str, at: int, names: Names, glued: bool) -> Token:
    if (end := scan_name(text, at)) > at:
        name = names.normal(text[at:end], (at, end))
        end, primes = scan_primes(text, end)
        return Token("name", name, (at, end), glued, primes)
    if found := _NUMBER.match(text, at):
        return Token("number", found[0], found.span(), glued)
    if found := _SUPERSCRIPT.match(text, at):
        return Token("superscript", "".join(_RAISED[c] for c in found[0]), found.span(), glued)
    if found := _OPERATOR.match(text, at):
        return Token("operator", _SPELLINGS.get(found[0], found[0]), found.span(), glued)
    if text[at] == "∞":
        return Token("name", "inf", (at, at + 1), glued)
    raise messages.stray_character(text, at)
