"""The order of factors and terms: what a person would write, whatever order the program keeps them in.

Factors form a matrix chain where they can: scalars first, then deltas, then tensors so that the output's
indices appear from left to right and neighbours share an index, best the last of one and the first of the
other (`X[n,d] W[d,c]`, `x[i] A[i,j] x[j]`), and at the end what multiplies the result entry by entry
(`G[n,c] W[k,c] (H[n,k] > 0)`). Terms stand with positive ones first, full terms before broadcasts and diagonals,
products before single tensors, numbers last (`X[n,d] W[d,c] + b[c]`, `P[n,c] - Y[n,c]`).

Nothing here depends on names of indices or on the order in which nodes keep their operands, as far as
tensor names and their wiring tell the factors apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

from einback.formula.tree import (
    Call,
    Eye,
    Fill,
    Index,
    Number,
    Over,
    Position,
    Power,
    Product,
    Ref,
    SizeOf,
    Tree,
    subtrees,
)
from einback.rules.scalar import row

__all__ = ["chain_order", "natural", "term_order"]

Key = tuple[Any, ...]

_MASK = 5  # the kind of a comparison
_MOST_TURNED = 4  # symmetric factors
_MANY = 8  # up to so many factors, every one is tried as the first of the chain


def natural(name: str) -> Key:
    """A key that sorts W_2 before W_10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name))


def chain_order(factors: Sequence[Tree], out: Sequence[Index]) -> tuple[Tree, ...]:
    """The factors of a product whose result carries the indices `out`, in reading order."""
    place = {index: k for k, index in enumerate(out)}
    groups: tuple[list[Tree], ...] = ([], [], [], [])
    carried = Counter(index for factor in factors for index in factor.free if index not in place)
    contracts = any(count > 1 for count in carried.values())
    for factor in factors:
        groups[_group(factor, place, contracts)].append(factor)
    scalars, deltas, chain, entrywise = groups
    wired = {id(factor): _wiring(factor, place) for factor in factors}

    def looks(factor: Tree) -> Key:
        return _kind(factor), wired[id(factor)]

    return (
        *sorted(scalars, key=looks),
        *sorted(deltas, key=looks),
        *_chain(sorted(chain, key=looks), place),
        *sorted(entrywise, key=looks),
    )


def term_order(terms: Sequence[Product], out: Sequence[Index]) -> tuple[Product, ...]:
    """The terms of a sum that carries the indices `out`, in reading order."""
    place = {index: k for k, index in enumerate(out)}

    def looks(term: Product) -> Key:
        number = not term.factors and not term.divisors
        lacking = len(place) - len(place.keys() & set(term.free))
        kinds = tuple(_kind(factor) + isinstance(factor, Power) for factor in term.factors)
        thin = any(isinstance(factor, Eye) for factor in term.factors)
        return term.coefficient < 0, number, lacking, thin, -len(term.factors), kinds, _wiring(term, place)

    return tuple(sorted(terms, key=looks))


def _group(factor: Tree, place: dict[Index, int], contracts: bool) -> int:
    """Scalars, deltas, the chain, or what multiplies it entry by entry: masks, and what has all output indices."""
    if isinstance(factor, Eye | Fill):
        return 1
    if not factor.free:
        return 0
    whole = contracts and bool(place) and place.keys() == set(factor.free)
    return 3 if whole or _kind(factor) == _MASK else 2


def _kind(tree: Tree) -> int:
    """How simple a factor looks."""
    match tree:
        case Ref() | Number() | Eye() | Fill() | Position():
            return 0
        case Power():
            return _kind(tree.base)
        case SizeOf():
            return 1
        case Call():
            return _MASK if row(tree.fn).predicate else 2
        case Over():
            return 3
        case _:
            return 4


def _wiring(tree: Tree, place: dict[Index, int]) -> Key:
    """The tensors read, by name, and where their indices go in the output; bound indices come last."""
    found: list[Key] = []
    stack = [tree]
    while stack:
        part = stack.pop()
        match part:
            case Ref():
                found.append((natural(part.name), tuple(place.get(index, len(place)) for index in part.free)))
            case Eye():
                found.append((natural("δ"), tuple(place.get(index, len(place)) for index in part.free)))
            case Call() | Over():
                found.append((natural(part.fn), ()))
            case Number():
                found.append((natural(str(part.value)), ()))
            case SizeOf():
                found.append((natural(str(part.size)), ()))
        stack.extend(reversed(subtrees(part)))
    found.sort(key=lambda item: not item[1])  # tensors speak before functions and numbers
    return tuple(found)


def _chain(factors: Sequence[Tree], place: dict[Index, int]) -> Sequence[Tree]:
    """The best chain of the factors, symmetric matrices either way round: as they are, if nothing is better."""
    turnable = [k for k, factor in enumerate(factors) if _is_turnable(factor, factors)][:_MOST_TURNED]
    if not turnable:
        return _straight_chain(factors, place)
    chains = []
    for turns in product((False, True), repeat=len(turnable)):
        turned = {k for k, turn in zip(turnable, turns, strict=True) if turn}
        chains.append(_straight_chain([_turned(one) if k in turned else one for k, one in enumerate(factors)], place))
    return min(chains, key=lambda chain: (*_flaws(chain, place)[:-1], _detours(chain), _first_place(chain[0], place)))


def _detours(chain: Sequence[Tree]) -> int:
    """How many factors begin with an index that the one before does not have."""
    return sum(right.free[0] not in left.free for left, right in pairwise(chain))


def _is_turnable(factor: Tree, factors: Sequence[Tree]) -> bool:
    """Whether a factor is a symmetric matrix whose two indices no other factor has: those are read alike."""
    if not isinstance(factor, Ref) or not factor.symmetric:
        return False
    pair = factor.indices[-2:]
    together = any(other is not factor and set(pair) <= set(other.free) for other in factors)
    return all(isinstance(one, Index) for one in pair) and not together


def _turned(factor: Tree) -> Tree:
    assert isinstance(factor, Ref)
    *front, a, b = factor.indices
    return replace(factor, indices=(*front, b, a))


def _straight_chain(factors: Sequence[Tree], place: dict[Index, int]) -> Sequence[Tree]:
    """The best of the greedy chains, one from each factor; the given order decides ties."""
    if len(factors) < 2:
        return factors
    starts = list(range(len(factors)))
    if len(factors) > _MANY:
        starts = [min(starts, key=lambda k: _first_place(factors[k], place))]
    chains = [_grow(list(factors), start, place) for start in starts]
    return min(chains, key=lambda chain: _flaws(chain, place))


def _grow(rest: list[Tree], start: int, place: dict[Index, int]) -> list[Tree]:
    chain = [rest.pop(start)]
    while rest:
        last = chain[-1]
        best = min(range(len(rest)), key=lambda k: (*_gap(last, rest[k]), _first_place(rest[k], place), k))
        chain.append(rest.pop(best))
    return chain


def _gap(left: Tree, right: Tree) -> tuple[bool, bool]:
    """Whether neighbours share no index, and whether they do not touch: last index against first."""
    return set(left.free).isdisjoint(right.free), left.free[-1] is not right.free[0]


def _first_place(factor: Tree, place: dict[Index, int]) -> int:
    return min((place.get(index, len(place)) for index in factor.free), default=len(place))


def _flaws(chain: Sequence[Tree], place: dict[Index, int]) -> Key:
    """Output indices out of order, neighbours that share nothing, neighbours that do not touch."""
    seen = dict.fromkeys(place[index] for factor in chain for index in factor.free if index in place)
    gaps = [_gap(left, right) for left, right in pairwise(chain)]
    swaps = sum(b < a for a, b in pairwise(seen))
    return swaps, sum(apart for apart, _ in gaps), sum(loose for _, loose in gaps), tuple(map(_kind, chain))
