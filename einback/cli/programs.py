"""Reading what a command works on: the program, what is declared beside it, what is differentiated, and sizes.

A program is text on the command line, a file, or standard input (`-`). On the command line a semicolon ends a line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from einback.api.declaring import Program, program, tensor
from einback.api.tensor import Tensor
from einback.errors import EinbackError, NotationError, did_you_mean

__all__ = ["Declared", "assignments", "declared"]

_KINDS = ("symmetric", "diagonal", "lower", "positive", "positive_definite", "orthogonal", "stochastic", "complex",
          "integer")  # fmt: skip
_DECLARATION = re.compile(r"\s*([^\s\[]+(?:\[[^\]]*\])?)((?:[\s,]+\w+)*)\s*")


@dataclass(frozen=True, slots=True)
class Declared:
    """A program that was read: the tensor that is meant, and those that it is differentiated by, `asked` for or all."""

    program: Program
    of: Tensor
    by: tuple[Tensor, ...]
    asked: bool


def declared(
    source: str, of: str | None, wrt: Iterable[str], declarations: Iterable[str], bound: Iterable[str]
) -> Declared:
    """Read a program; without `of` the last definition is meant, without `wrt` all inputs that hold real numbers."""
    named = dict(map(_declaration, declarations))
    read = program(_text(source), **named, **assignments(bound))
    if not read.outputs:
        raise NotationError("the program defines nothing", hint="write loss = .. or y[n] = ..")
    y = read[of] if of else read[read.outputs[-1]]
    names = [name for one in wrt for name in one.replace(",", " ").split()]
    reached = {node.name for node in y.known().inputs}
    inputs = [one for one in read.inputs if "integer" not in one.node.facts and one.name in reached]  # type: ignore[attr-defined]
    return Declared(read, y, tuple(read[name] for name in names) if names else tuple(inputs), bool(names))


def assignments(pairs: Iterable[str]) -> dict[str, int]:
    """Sizes from `n=3`, several in one string apart by commas."""
    found: dict[str, int] = {}
    for pair in (part for text in pairs for part in re.split(r"[,\s]+", text) if part):
        name, equals, number = pair.partition("=")
        if not (equals and name.isidentifier() and number.isdecimal()):
            raise EinbackError(f"{pair!r} is no size", hint="write a name and a number, as in n=100")
        found[name] = int(number)
    return found


def _declaration(text: str) -> tuple[str, Tensor]:
    """A tensor from `A[n,n] symmetric`."""
    match = _DECLARATION.fullmatch(text)
    if match is None:
        raise NotationError(f"{text!r} declares no tensor", hint='write it as in "A[n,n] symmetric"')
    kinds = re.split(r"[\s,]+", match[2].strip(" ,")) if match[2].strip(" ,") else []
    for kind in kinds:
        if kind not in _KINDS:
            hint = did_you_mean(kind, _KINDS) or f"the kinds are {', '.join(_KINDS)}"
            raise NotationError(f"{kind!r} says nothing about a tensor that einback knows", hint=hint)
    made = tensor(match[1], **dict.fromkeys(kinds, True))
    return made.name, made


_PROGRAM = 'a program is a file, - for standard input, or text with a definition: "y[n] = A[n,m] x[m]"'


def _text(source: str) -> str:
    if not source.strip():
        raise EinbackError("the program is empty", hint=_PROGRAM)
    if source == "-":
        return sys.stdin.read()
    if "=" not in source or source.endswith(".ein"):
        return _file(Path(source))
    return source.replace(";", "\n")


def _file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as reason:
        raise EinbackError(f"{path} cannot be read: {reason.strerror}", hint=_PROGRAM) from None
    except UnicodeDecodeError:
        raise EinbackError(f"{path} is no text in UTF-8") from None
