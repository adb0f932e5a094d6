"""Cheap trees for one network, beside the pairs that other networks of the program make.

    exactly     of up to seven tensors every tree is looked at, by dynamic programming over subsets
    greedily    of more, the pair goes first that costs least, or that frees most
    refined     a tree is cut out around each vertex, six branches wide, and replaced by the cheapest there is

A pair that another path makes costs nothing. Nothing here depends on a clock or on hashing: the work is bounded
by the number of tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from einback.plan.networks import NOBODY, Cost, Network, Pool, Vertex, bits
from einback.plan.paths import WIDEST, Path

__all__ = ["EXACT", "exactly", "greedily", "refined"]

EXACT = 7  # tensors of a network all of whose trees are looked at
_WINDOW = 6  # branches of a subtree that is replaced
_SWEEPS = 8  # over all vertices of a tree, at most
_LESS = 1 - 1e-9  # what counts as cheaper
_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class _Best:
    """The cheapest tree found for a subset of branches: its time, its result, and the two subsets it joins."""

    seconds: float
    vertex: Vertex
    split: tuple[int, int]


def exactly(net: Network, pool: Pool) -> Path:
    """The cheapest path of a small network."""
    branches = [pool.leaf(net, k) for k in range(len(net.terms))]
    pairs = _best_tree(net, pool, branches, net.kept)[1]
    return tuple(pairs)


def _best_tree(net: Network, pool: Pool, branches: Sequence[Vertex], kept: int) -> tuple[float, Path]:
    """The cheapest way to join some tensors into one that has the labels `kept`, as a path over them."""
    m = len(branches)
    whole = (1 << m) - 1
    labels = [0] * (1 << m)
    for s in range(1, 1 << m):
        low = s & -s
        labels[s] = labels[s ^ low] | branches[low.bit_length() - 1].mask
    best: dict[int, _Best] = {1 << k: _Best(0.0, branch, (0, 0)) for k, branch in enumerate(branches)}
    for s, splits in _subsets(m):
        keep = labels[s] & (kept | labels[whole ^ s])
        found: _Best | None = None
        least = _INFINITE
        for a, b in splits:
            one, two = best[a], best[b]
            seconds = one.seconds + two.seconds
            if seconds >= least:
                continue
            free = pool.made(one.vertex, two.vertex, keep)
            if free is None:
                seconds += net.seconds(one.vertex.mask, two.vertex.mask, keep)
            if seconds < least * _LESS or found is None:
                least = seconds
                found = _Best(seconds, free or Vertex(NOBODY, (), keep), (a, b))
        assert found is not None
        if keep.bit_count() > WIDEST:
            found = _Best(_INFINITE, found.vertex, found.split)
        best[s] = found
    return best[whole].seconds, _path_of(best, m)


def _path_of(best: dict[int, _Best], m: int) -> Path:
    """The chosen splits as a path, subsets of lower numbers first."""
    chosen: set[int] = set()
    stack = [(1 << m) - 1]
    while stack:
        s = stack.pop()
        if s & (s - 1):
            chosen.add(s)
            stack += best[s].split
    made = {1 << k: k for k in range(m)}
    path: list[tuple[int, int]] = []
    for s in sorted(chosen, key=lambda s: (s.bit_count(), s)):
        i, j = sorted(made[part] for part in best[s].split)
        path.append((i, j))
        made[s] = m + len(path) - 1
    return tuple(path)


@lru_cache(maxsize=16)
def _subsets(m: int) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """The subsets of m things with two and more, small ones first, each with the ways to split it in two."""
    found = []
    for s in sorted((s for s in range(1, 1 << m) if s & (s - 1)), key=lambda s: (s.bit_count(), s)):
        low = s & -s
        rest = s ^ low
        splits, part = [], rest
        while part:
            splits.append((s ^ part, part))
            part = (part - 1) & rest
        found.append((s, tuple(splits)))
    return tuple(found)


def greedily(net: Network, pool: Pool, *, frees: bool) -> Path:
    """The path that contracts at each step the pair that costs least, or that frees most memory."""
    return _Greedy(net, pool, frees).path()


class _Greedy:
    """Tensors not yet contracted, how many of them (and of the result) read each label, and the rank of each pair."""

    def __init__(self, net: Network, pool: Pool, frees: bool) -> None:
        self._net, self._pool, self._frees = net, pool, frees
        self._held = {k: pool.leaf(net, k) for k in range(len(net.terms))}
        self._readers = [0] * len(net.lengths)
        for term in (*net.terms, net.out):
            for label in term:
                self._readers[label] += 1
        self._ranks: dict[tuple[int, int], tuple[float, float, int, int]] = {}

    def path(self) -> Path:
        for k in self._held:
            self._rank_with(k, range(k))
        path: list[tuple[int, int]] = []
        while len(self._held) > 1:
            i, j = min(self._ranks, key=self._ranks.__getitem__) if self._ranks else self._smallest()
            a, b = self._held.pop(i), self._held.pop(j)
            kept = self._kept(a, b)
            for label in bits(a.mask & b.mask):
                self._readers[label] -= 1
            self._ranks = {pair: rank for pair, rank in self._ranks.items() if i not in pair and j not in pair}
            path.append((i, j))
            new = len(self._net.terms) + len(path) - 1
            others = list(self._held)
            self._held[new] = self._pool.made(a, b, kept) or Vertex(NOBODY, (), kept)
            self._rank_with(new, others)
        return tuple(path)

    def _kept(self, a: Vertex, b: Vertex) -> int:
        gone = sum(1 << label for label in bits(a.mask & b.mask) if self._readers[label] == 2)
        return (a.mask | b.mask) ^ gone

    def _rank_with(self, k: int, others: Iterable[int]) -> None:
        """Rank the pairs of one tensor, the latest, with those that share a label with it."""
        b = self._held[k]
        for j in others:
            a = self._held[j]
            if a.mask & b.mask:
                kept = self._kept(a, b)
                growth = self._net.count(kept) - self._net.count(a.mask) - self._net.count(b.mask)
                if self._pool.made(a, b, kept) is not None:
                    self._ranks[j, k] = (-_INFINITE, growth, j, k)
                    continue
                seconds = self._net.seconds(a.mask, b.mask, kept)
                self._ranks[j, k] = (growth, seconds, j, k) if self._frees else (seconds, growth, j, k)

    def _smallest(self) -> tuple[int, int]:
        """Of tensors that share no label the two smallest."""
        i, j = sorted(self._held, key=lambda k: (self._net.count(self._held[k].mask), k))[:2]
        return min(i, j), max(i, j)


def refined(net: Network, path: Path, pool: Pool) -> Path:
    """The path with subtrees replaced by cheaper ones, where that makes the program cheaper; the pool is without it."""
    tree = _Tree(net, path, pool)
    for _ in range(_SWEEPS):
        improved = [tree.improve(root) for root in tree.by_time()]
        if not any(improved):
            break
    return tree.path()


class _Tree:
    """A tree whose inner vertices keep their numbers while subtrees of it are replaced."""

    def __init__(self, net: Network, path: Path, pool: Pool) -> None:
        self._net, self._pool, self._n = net, pool, len(net.terms)
        self._children = {self._n + k: pair for k, pair in enumerate(path)}
        self._root = self._n + len(path) - 1
        self._vertices = dict(enumerate(pool.trace(net, path)))
        self._cost = self._extra(self._vertices)

    def by_time(self) -> list[int]:
        """The inner vertices, the dearest first."""
        return sorted(self._children, key=lambda v: (-self._vertices[v].cost.seconds, v))

    def path(self) -> Path:
        return self._in_sequence(self._children)[0]

    def improve(self, root: int) -> bool:
        """Replace the subtree below a vertex, a few branches wide, if there is a cheaper one."""
        branches, inside = self._window(root)
        if len(branches) < 3 or self._pool.uses.get(self._vertices[root].number):
            return False
        outside = [vertex for v, vertex in self._vertices.items() if v >= self._n and v not in inside]
        self._pool.count(outside, 1)
        before = self._extra({v: self._vertices[v] for v in inside})
        after, pairs = _best_tree(
            self._net, self._pool, [self._vertices[v] for v in branches], self._vertices[root].mask
        )
        self._pool.count(outside, -1)
        return after < before.seconds * _LESS and self._replace(branches, [*inside[1:], root], pairs)

    def _window(self, root: int) -> tuple[list[int], list[int]]:
        """The branches below a vertex, of which the dearest are opened until there are enough; and what was opened."""
        branches, inside = list(self._children[root]), [root]
        while len(branches) < _WINDOW and (inner := [v for v in branches if v in self._children]):
            opened = max(inner, key=lambda v: (self._vertices[v].cost.seconds, v))
            branches.remove(opened)
            branches += self._children[opened]
            inside.append(opened)
        return sorted(branches), inside

    def _replace(self, branches: Sequence[int], inside: Sequence[int], pairs: Path) -> bool:
        """Join the branches by other pairs, which take the numbers `inside`, unless the program gets no cheaper."""
        names = [*branches, *inside]
        new = {v: (names[i], names[j]) for v, (i, j) in zip(inside, pairs, strict=True)}
        children = {**self._children, **new}
        path, order = self._in_sequence(children)
        vertices = dict(zip(order, self._pool.trace(self._net, path), strict=True))
        cost = self._extra(vertices)
        if not cost.betters(self._cost):
            return False
        self._children, self._vertices, self._cost = children, vertices, cost
        return True

    def _extra(self, vertices: Mapping[int, Vertex]) -> Cost:
        return self._pool.extra([vertex for v, vertex in vertices.items() if v >= self._n])

    def _in_sequence(self, children: Mapping[int, tuple[int, int]]) -> tuple[Path, list[int]]:
        """A tree as a path, and its vertices in the order in which the path numbers them."""
        made = {v: v for v in range(self._n)}
        path: list[tuple[int, int]] = []
        stack = [self._root]
        while stack:
            v = stack[-1]
            waiting = [child for child in children[v] if child not in made]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            i, j = sorted(made[child] for child in children[v])
            path.append((i, j))
            made[v] = self._n + len(path) - 1
        return tuple(path), list(made)
