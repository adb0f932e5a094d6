"""What tensors of complex numbers offer as arrays do: `z.conj()`, `z.real`, `z.imag`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, cast

import numpy as np

__all__ = ["Parts"]


class Parts:
    """Asks NumPy, which asks the tensor in turn, as `np.conj(z)` does."""

    __slots__ = ()

    def conj(self) -> Self:
        """The complex conjugate, entry by entry."""
        return self._asked(np.conjugate)

    @property
    def real(self) -> Self:
        """The real part, entry by entry."""
        return self._asked(np.real)

    @property
    def imag(self) -> Self:
        """The imaginary part, entry by entry."""
        return self._asked(np.imag)

    def _asked(self, function: Callable[[Any], Any]) -> Self:
        return cast(Self, function(self))
