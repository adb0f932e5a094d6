"""Formulas entry by entry."""

from __future__ import annotations

from einback.api.printing import subject
from einback.api.tensor import Tensor
from einback.formula.entrywise import entries as formula

__all__ = ["Entries", "entries"]


class Entries(tuple[str, ...]):
    """Lines of text, one an entry; printed, they stand under each other."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(self)


def entries(y: Tensor, **sizes: int) -> Entries:
    """The formula of every entry of y, with its sums written out term by term and indices counted from 1.

    Sizes that are names are given as numbers. Definitions that the formula needs follow, entry by entry. Of a tensor of
    more than 64 entries, of an entry of more than 64 terms, where a size is not known, and where an index is read from
    data, this is a `NotationError`.

    >>> import einback as eb
    >>> p = eb.program("Y[n,m] = X[n,d] W[d,m]")
    >>> dW = eb.vjp(p["Y"], p["W"], eb.tensor("G[n,m]"))
    >>> for line in eb.entries(dW, n=2, d=2, m=3)[:2]:
    ...     print(line)
    ∂L/∂W_11 = X_11 ∂L/∂Y_11 + X_21 ∂L/∂Y_21
    ∂L/∂W_12 = X_11 ∂L/∂Y_12 + X_21 ∂L/∂Y_22
    """
    return Entries(formula.entries(subject(y), sizes))
