"""The error family, and the one formatter of messages.

Every error that a user can cause is an `EinbackError`. Inner layers raise one short fact; whoever holds
the text adds it with a span, and the formatter draws the line with a caret under the fault:

    >>> raise NotationError("two arrows in one string", text="ij,jk->ik->il", span=(9, 11))
    Traceback (most recent call last):
      ...
    einback.errors.NotationError: two arrows in one string
      ij,jk->ik->il
               ^^
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

__all__ = [
    "ArrayError",
    "CompileError",
    "DerivativeError",
    "EinbackError",
    "NotationError",
    "ShapeError",
    "did_you_mean",
]

Span = tuple[int, int]

_WIDEST = 100  # characters of a line that are shown around the fault


class EinbackError(Exception):
    """A fault in what the user wrote or passed: a short fact, where it stands, and what to do.

    `text` is the whole source (possibly many lines), `span` the half-open range of the fault in it.
    """

    def __init__(self, fact: str, *, text: str | None = None, span: Span | None = None, hint: str = "") -> None:
        self.fact, self.text, self.span, self.hint = fact, text, span, hint
        super().__init__(_format(fact, text, span, hint))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.fact, self.text, self.span, self.hint)

    def located(self, text: str, span: Span) -> EinbackError:
        """The same fact, pointing into `text`; an error that already points somewhere is left alone."""
        if self.text is not None:
            return self
        return type(self)(self.fact, text=text, span=span, hint=self.hint)


class NotationError(EinbackError, ValueError):
    """An einsum string, an index program or a declaration that cannot be read."""


class ShapeError(EinbackError, ValueError):
    """Operand counts, ranks or sizes that contradict each other."""


class DerivativeError(EinbackError, ValueError):
    """A derivative that is asked for and does not exist, or is not known."""


class ArrayError(EinbackError, ValueError):
    """Arrays at call time that are missing, unknown, or contradict the declaration."""


class CompileError(EinbackError, RuntimeError):
    """A program that cannot be planned or lowered."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint naming the nearest known name, or an empty string.

    >>> did_you_mean("W_l", ["W_1", "b_1"])
    'did you mean W_1?'
    """
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def _rebuild(kind: type[EinbackError], fact: str, text: str | None, span: Span | None, hint: str) -> EinbackError:
    return kind(fact, text=text, span=span, hint=hint)


def _format(fact: str, text: str | None, span: Span | None, hint: str) -> str:
    parts = [fact]
    if text is not None and span is not None:
        parts.append(_pointed(text, span))
    if hint:
        parts.append(hint)
    return "\n".join(parts)


def _pointed(text: str, span: Span) -> str:
    """The line that holds the span, cut to a readable width, and carets under the span."""
    start, end = max(0, span[0]), max(span[0] + 1, span[1])
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", first)
    line = text[first:] if last < 0 else text[first:last]
    start, end = start - first, min(end - first, max(len(line), start - first + 1))
    left = max(0, start - _WIDEST // 2)
    right = max(left + _WIDEST, min(end, left + 2 * _WIDEST))
    shown = ("…" if left else "") + line[left:right] + ("…" if right < len(line) else "")
    shift = start - left + (1 if left else 0)
    number = f"line {text.count(chr(10), 0, first) + 1}: " if "\n" in text.strip("\n") else ""
    # Blanks take the place of what stands before the fault, as wide as it shows.
    lead = "".join(" " * _width(c) for c in shown[:shift])
    marks = "".join("^" * _width(c) for c in shown[shift : shift + min(end, right) - start]) or "^"
    return f"  {number}{_plain(shown)}\n  {' ' * len(number)}{lead}{marks}"


def _plain(line: str) -> str:
    return "".join(" " if c == "\t" else c if c.isprintable() else "?" for c in line)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
