"""Facts: what a caller promises of the array for a tensor, as words on its `Input`.

integer             whole numbers, which have no gradient
complex             complex numbers
positive            every entry is larger than 0
symmetric           S[i,j] = S[j,i]                            in the last two axes, as all that follow
diagonal            D[i,j] = 0 for i != j
lower               L[i,j] = 0 for i < j
positive_definite   symmetric, and x' S x > 0 for x != 0
orthogonal          Q'Q = QQ' = 1
stochastic          Y[..,c] >= 0, and sum[c] Y[..,c] = 1       in the last axis
"""

from __future__ import annotations

from collections.abc import Iterable

from einback.errors import EinbackError, ShapeError, did_you_mean
from einback.ir.nodes import Input, Shape

__all__ = ["FACTS", "facts_of", "without"]

FACTS = (
    "complex",
    "diagonal",
    "integer",
    "lower",
    "orthogonal",
    "positive",
    "positive_definite",
    "stochastic",
    "symmetric",
)

_OF_MATRICES = frozenset({"diagonal", "lower", "orthogonal", "positive_definite", "symmetric"})

_ONE_OF_BOTH = "declare the one that the formulas use: gradients respect one of the two"

# Pairs that contradict each other, or whose meaning nobody needs, with what to do instead.
_APART = {
    ("complex", "integer"): "",
    ("complex", "orthogonal"): "a complex tensor can be symmetric, diagonal or lower triangular",
    ("complex", "positive"): "",
    ("complex", "positive_definite"): "a complex tensor can be symmetric, diagonal or lower triangular",
    ("complex", "stochastic"): "",
    ("diagonal", "orthogonal"): "",
    ("diagonal", "positive"): "a diagonal matrix with positive entries on it is diagonal and positive_definite",
    ("diagonal", "stochastic"): "a matrix that is both is the identity, eye(n)",
    ("lower", "orthogonal"): "",
    ("lower", "positive"): "",
    ("lower", "stochastic"): _ONE_OF_BOTH,
    ("lower", "symmetric"): "a matrix that is both is diagonal",
    ("orthogonal", "positive"): "",
    (
        "orthogonal",
        "stochastic",
    ): "a matrix that is both permutes: declare integer ids, and read rows by them, X[ids[n],d]",
    ("orthogonal", "symmetric"): "",
    ("stochastic", "symmetric"): _ONE_OF_BOTH,
}


def facts_of(words: Iterable[str], name: str, shape: Shape) -> tuple[str, ...]:
    """The facts of an input, sorted, with what they imply.

    Raises `EinbackError` for facts that contradict each other, `ShapeError` for those of matrices on other shapes.

    >>> facts_of(["positive_definite"], "K", ("n", "n"))
    ('positive_definite', 'symmetric')
    """
    held = set(words)
    for word in sorted(held.difference(FACTS)):
        raise EinbackError(
            f"{word} is no fact of a tensor", hint=did_you_mean(word, FACTS) or f"facts: {', '.join(FACTS)}"
        )
    if "positive_definite" in held:
        held.add("symmetric")
    for (one, other), hint in _APART.items():
        if one in held and other in held:
            raise EinbackError(f"{name} cannot be {one} and {other}", hint=hint)
    if "stochastic" in held and not shape:
        raise ShapeError(
            f"{name} cannot be stochastic: it has no axis along which entries sum to one",
            hint=f"declare a vector, {name}[c], or rows of one length, {name}[n,c]",
        )
    of_matrices = sorted(held & _OF_MATRICES)
    if of_matrices and (len(shape) < 2 or shape[-1] != shape[-2]):
        raise ShapeError(
            f"{name}[{','.join(map(str, shape))}] cannot be {of_matrices[0]}: its last two axes have no one size",
            hint=f"declare a square matrix, {name}[n,n], or several, {name}[b,n,n]",
        )
    return tuple(sorted(held))


def without(x: Input, fact: str) -> Input:
    """The input of which nothing of the kind is promised."""
    return Input(x.name, x.sizes, tuple(one for one in x.facts if one != fact))
