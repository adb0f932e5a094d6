"""How many programs random tests draw that take a tenth of a second each: as many as others, and 300 in CI."""

from hypothesis import settings

__all__ = ["SLOW"]

SLOW = settings(max_examples=min(settings().max_examples, 300))
