"""Names for generated source: valid, distinct identifiers, as close to the wanted ones as Python allows."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence

from einback.errors import CompileError

__all__ = ["Namer", "defined_in", "function_named", "identifier", "imports_of", "refuse_defined"]

_DEFINED = re.compile(r"^(?:def |import )?(\w+)(?: =|\(|$)", re.MULTILINE)
_IMPORTED = re.compile(r"^from \S+ import (.+)$", re.MULTILINE)
_CALLED = {"ctypes": "ctypes.CDLL", "math": "math.", "sys": "sys."}
_MODULES = ("cublas", "cupy", "cutensor", "numpy")
RESERVED = frozenset(["np", "math", *dir(builtins), *keyword.kwlist, *keyword.softkwlist])


def identifier(name: str, reserved: Iterable[str] = RESERVED) -> str:
    """The nearest identifier; Python reads identifiers in NFKC form, so that is the form they get.

    >>> identifier("W'"), identifier("class"), identifier("3d"), identifier("β")
    ('W_', 'class_', '_3d', 'β')
    """
    plain = unicodedata.normalize("NFKC", name)
    letters = "".join(c if ("_" + c).isidentifier() else "_" for c in plain) or "_"
    if not letters.isidentifier():
        letters = "_" + letters
    return letters + "_" if letters in reserved else letters


def function_named(wanted: str | None, usual: str) -> str:
    """The name of a generated function.

    Raises `CompileError` for what is no name of a function.

    >>> function_named(None, "step"), function_named("train", "step")
    ('step', 'train')
    >>> function_named("1st", "step")
    Traceback (most recent call last):
      ...
    einback.errors.CompileError: function_name='1st' is no name of a Python function
    use letters, digits and underscores, as in train_step
    """
    if wanted is None:
        return identifier(usual)
    if not isinstance(wanted, str) or identifier(wanted) != wanted:
        raise CompileError(
            f"function_name={wanted!r} is no name of a Python function",
            hint="use letters, digits and underscores, as in train_step",
        )
    return wanted


def defined_in(text: str) -> list[str]:
    """What the statements of a file define."""
    names: list[str] = _DEFINED.findall(text)
    return names + [name for line in _IMPORTED.findall(text) for name in line.split(", ")]


def imports_of(texts: Sequence[str]) -> list[str]:
    """The lines that import what the texts of a file call in Python's own library."""
    return [f"import {module}" for module, sign in _CALLED.items() if any(sign in text for text in texts)]


def refuse_defined(function: str, texts: Iterable[str]) -> None:
    """Refuse the name of a function that the rest of its file defines, or that it calls CuPy by."""
    if function in _MODULES or any(function in defined_in(text) for text in texts):
        raise CompileError(
            f"function_name={function!r} is what the file calls something else", hint="choose another function_name"
        )


class Namer:
    """Hands out distinct names.

    >>> namer = Namer()
    >>> namer.name("dW"), namer.name("dW"), namer.number("t")
    ('dW', 'dW_2', 't1')
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = {*RESERVED, *reserved}
        self._counts: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """The wanted name, made an identifier, with a number if it is taken."""
        name = candidate = identifier(wanted, self._taken & RESERVED)
        if candidate in self._taken:
            count = self._counts.get(name, 1)
            while candidate in self._taken:
                count += 1
                candidate = f"{name}_{count}"
            self._counts[name] = count
        self._taken.add(candidate)
        return candidate

    def number(self, stem: str) -> str:
        """The stem with the next free number."""
        count = self._counts.get(stem, 0)
        candidate = stem
        while candidate in self._taken or candidate == stem:
            count += 1
            candidate = f"{stem}{count}"
        self._counts[stem] = count
        self._taken.add(candidate)
        return candidate
