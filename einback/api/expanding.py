"""Expansion: the one rewriting that is never done unasked, since it trades accuracy for speed."""

from __future__ import annotations

from einback.api.tensor import Tensor, combine
from einback.errors import EinbackError
from einback.rules.expand import expand as multiplied_out

__all__ = ["expand"]


def expand(y: Tensor) -> Tensor:
    """The tensor with products and powers (up to 4) of sums multiplied out: y's shape and index names, equal to y.

    It pays where a sum is a large array and what it is multiplied with contracts it to small ones. A residual
    |T - X|², where X is a product of small factors, is |T|² - 2 <T, X> + |X|². None of the three forms X, nor do their
    derivatives: those of the result are those of the expanded form. What stands inside a function stays as it is, so
    write `eb.sqrt(eb.expand(x))`; so do other powers, and products and powers that would have more than 100 terms.

    It costs accuracy, which is why it is never done unasked: large terms cancel. With r = |T - X| / |T|, the relative
    error of the value grows from about eps / r to eps / r², while gradients stay at eps / r. In double precision 1e-6
    leaves three to four digits of the value; at 1e-8 nothing is left of it, and it may be negative.

    Raises `EinbackError` for what is no tensor.

    >>> import einback as eb
    >>> T, A, B = eb.tensors("T[i,j] A[i,r] B[j,r]")
    >>> f = eb.expand(eb.sum((T - A @ B.T) ** 2))
    >>> print(f)
    y = A[i,r] A[i,r'] B[j,r'] B[j,r] + T[i,j]² - 2 T[i,j] B[j,r''] A[i,r'']
    >>> print(eb.grad(f, A))
    dA[i,r] = 2 A[i,r'] B[j,r'] B[j,r] - 2 T[i,j] B[j,r]
    """
    if not isinstance(y, Tensor):
        raise EinbackError(f"tensors are expanded, and this is of type {type(y).__name__}")
    return combine(multiplied_out(y.node), y.names, [y], name=y.name, like=y.like, derivative=y.derivative)
