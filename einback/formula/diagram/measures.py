"""How wide text is, near enough and rather too wide: fonts are the reader's."""

from __future__ import annotations

import unicodedata

__all__ = ["LABEL", "NAME", "WORDS", "width"]

NAME, LABEL, WORDS = 15, 12, 16  # font sizes: names of tensors, legs and functions, and what stands beside networks

_NARROW = frozenset("iljtfrI.,:;'|!()[]/ ")


def width(text: str, size: float) -> float:
    """The width of a line of text in a font size.

    >>> width("iii", 10) < width("nnn", 10) < width("WWW", 10)
    True
    """
    return size * sum(map(_share, text))


def _share(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.1
    if char in _NARROW:
        return 0.4
    if char in "₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁻":
        return 0.45
    if char in "MWmw…−+=<>≥≤≠":
        return 0.92
    return 0.76 if char.isupper() else 0.63
