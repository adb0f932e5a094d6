r"""Decimals that are roots and multiples of pi, as LaTeX writes them: 0.3989422804014327 is 1 / sqrt(2 pi).

A float v of full length is known where v^2 / pi^k is a fraction of small numbers up to rounding, k from -2 to 2. There
are about 12,000 such numbers, so that another float is taken for one with a chance of about 10^-11.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

__all__ = ["surd"]

_LARGEST = 64  # in the fraction under the root
_ROUNDING = 1e-15
_SHORT = 12  # digits of a decimal that was meant as it is


@lru_cache(maxsize=256)
def surd(value: float) -> tuple[str, str] | None:
    r"""What stands above and below the line, or None for a number that is no such.

    >>> surd(0.3989422804014327), surd(2**0.5 / 4), surd(3.141592653589793), surd(0.25)
    (('1', '\\sqrt{2 \\pi}'), ('1', '2 \\sqrt{2}'), ('\\pi', '1'), None)
    """
    if not math.isfinite(value) or value <= 0 or sum(map(str.isdigit, repr(value))) < _SHORT:
        return None
    for k in (0, -1, 1, -2, 2):
        square = value * value / math.pi**k
        if not 1e-4 < square < 1e4:
            continue
        near = Fraction(square).limit_denominator(_LARGEST)
        if 0 < near.numerator <= _LARGEST and abs(float(near) / square - 1) < _ROUNDING:
            if k or any(math.isqrt(one) ** 2 != one for one in (near.numerator, near.denominator)):
                return _line(near.numerator, max(k, 0)), _line(near.denominator, max(-k, 0))
    return None


def _line(number: int, pis: int) -> str:
    r"""sqrt(number pi^pis): what comes out of the root in front of it."""
    outside = max(k for k in range(1, math.isqrt(number) + 1) if number % (k * k) == 0)
    under = number // outside**2
    front = [str(outside)] if outside > 1 else []
    front += [r"\pi"] if pis == 2 else []
    root = [str(under)] if under > 1 else []
    root += [r"\pi"] if pis == 1 else []
    front += [rf"\sqrt{{{' '.join(root)}}}"] if root else []
    return " ".join(front) or "1"
