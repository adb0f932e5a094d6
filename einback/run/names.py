"""Names for generated source: valid, distinct identifiers, as close to the wanted ones as Python allows."""

from __future__ import annotations

import builtins
import keyword
import unicodedata
from collections.abc import Iterable

__all__ = ["Namer", "identifier"]

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
