"""The switches between conventions of derivatives, by name; docs/complex.md and docs/facts.md say what they mean."""

from __future__ import annotations

from einback.derive.conventions import Convention
from einback.errors import DerivativeError, did_you_mean

__all__ = ["chosen"]

_CONVENTIONS = ("ascent", "conjugate")
_ENTRIES = ("projected", "independent")


def chosen(convention: str = "ascent", entries: str = "projected") -> Convention:
    """The convention that two words name.

    >>> chosen("conjugate")
    Convention(conjugate=True, independent=False)
    """
    for what, word, known in (("convention", convention, _CONVENTIONS), ("entries", entries, _ENTRIES)):
        if word not in known:
            hint = did_you_mean(str(word), known) or f"it is one of {' and '.join(known)}"
            raise DerivativeError(f"no {what} is named {word!r}", hint=hint)
    return Convention(convention == "conjugate", entries == "independent")
