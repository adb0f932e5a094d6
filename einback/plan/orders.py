"""The contraction orders of a whole program, chosen together.

Each network in turn, the forward pass first, takes

    the tree of a relative    a product and its derivatives are one closed network, see `einback.plan.families`
    or a searched tree        by `einback.plan.search` and opt_einsum, where there is no relative or it is much dearer

where pairs that others make are free. Then all are visited again, last ones first, with everybody else's pairs known:
a product that several derivatives could share is now formed where that pays. A tree changes only if the
program gets cheaper, so that this ends, and sooner after a few rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from einback.ir.nodes import Matrix
from einback.plan.families import Families
from einback.plan.hyper import hyper_path, is_installed
from einback.plan.networks import Cost, Network, Pool, Vertex, total
from einback.plan.paths import Path, contraction_path
from einback.plan.search import EXACT, exactly, greedily, refined

__all__ = ["contraction_orders"]

_ROUNDS = 3
_NEIGHBOURS = 1024  # pairs of tensors that share a label, up to which a network is searched greedily
_LARGE = 60  # tensors of a network for which cotengra is asked, unless it is a chain or a tree
_SHARE = 16  # a long network is searched again if it makes up this part of the program's time, or more
_RELATIVES = 4  # trees of relatives that are compared for a short network
_LOYAL = 1.25  # how much dearer than the best of its own a relative's tree may be: those to come will share it


def contraction_orders(networks: Sequence[Network]) -> list[Path]:
    """A path for each network, for the least modelled time of all of them together."""
    orders = _Orders(networks)
    for net in networks:
        orders.add(net)
    for _ in range(_ROUNDS):
        if not orders.improve():
            break
    return orders.paths


@dataclass(slots=True)
class _Orders:
    networks: Sequence[Network]
    pool: Pool = field(default_factory=Pool)
    families: Families = field(default_factory=Families)
    paths: list[Path] = field(default_factory=list)
    pairs: list[list[Vertex]] = field(default_factory=list)  # of each path

    def add(self, net: Network) -> None:
        path = self._first(net)
        pairs = self._pairs(net, path)
        self.families.remember(net, path)
        self.pool.count(pairs, 1)
        self.paths.append(path)
        self.pairs.append(pairs)

    def improve(self) -> bool:
        """Visit every network once more; whether some path has changed."""
        changed = False
        whole = total({pair.number: pair.cost for pairs in self.pairs for pair in pairs}.values())
        for k in reversed(range(len(self.networks))):
            net = self.networks[k]
            if len(net.terms) > 2:
                self.pool.count(self.pairs[k], -1)
                path = self._again(net, self.paths[k], self.pool.extra(self.pairs[k]), whole)
                if path != self.paths[k]:
                    changed = True
                    self.paths[k], self.pairs[k] = path, self._pairs(net, path)
                self.pool.count(self.pairs[k], 1)
        return changed

    def _first(self, net: Network) -> Path:
        if len(net.terms) == 2:
            return ((0, 1),)
        if _solves(net):
            return contraction_path(net.terms, net.out, net.lengths)
        short = len(net.terms) <= EXACT
        relatives = list(islice(self.families.paths_for(net), _RELATIVES if short else 1))
        if not relatives:
            return exactly(net, self.pool) if short else self._searched(net)
        if not short:
            return relatives[0]
        relative = min(relatives, key=lambda path: self._extra(net, path)[::-1])  # fewest flops
        return self._better(net, relative, [exactly(net, self.pool)], _LOYAL)

    def _again(self, net: Network, path: Path, own: Cost, whole: Cost) -> Path:
        """The path of a network whose pairs, which cost `own`, are not counted now, or a better one."""
        if not own.seconds or _solves(net):
            return path
        if len(net.terms) <= EXACT:
            return self._better(net, path, [exactly(net, self.pool)])
        if own.seconds * _SHARE >= whole.seconds:
            return self._better(net, path, [refined(net, path, self.pool), self._searched(net)])
        return path

    def _better(self, net: Network, path: Path, candidates: Sequence[Path], loyal: float = 1.0) -> Path:
        """The cheapest of the candidates that beat a path, by a factor, with no more flops; else the path."""
        own = self._extra(net, path)
        bar = Cost(own.seconds / loyal, int(own.flops / loyal))
        better = [candidate for candidate in candidates if self._extra(net, candidate).betters(bar)]
        return self._cheapest(net, better) if better else path

    def _searched(self, net: Network) -> Path:
        candidates = [contraction_path(net.terms, net.out, net.lengths)]
        if net.neighbours() <= _NEIGHBOURS:
            candidates += [greedily(net, self.pool, frees=frees) for frees in (True, False)]
        if len(net.terms) >= _LARGE:
            candidates = [self._cheapest(net, candidates)]
        best = self._cheapest(net, [refined(net, path, self.pool) for path in candidates])
        best = refined(net, best, self.pool)  # numbered anew, its subtrees are cut out elsewhere
        if len(net.terms) >= _LARGE and is_installed() and net.grows(best):
            best = self._cheapest(net, [best, hyper_path(net.terms, net.out, net.lengths)])
        return best

    def _cheapest(self, net: Network, candidates: Sequence[Path]) -> Path:
        """The first of the cheapest candidates."""
        return min(candidates, key=lambda path: self._extra(net, path)) if len(candidates) > 1 else candidates[0]

    def _extra(self, net: Network, path: Path) -> Cost:
        return self.pool.extra(self._pairs(net, path))

    def _pairs(self, net: Network, path: Path) -> list[Vertex]:
        return self.pool.trace(net, path)[len(net.terms) :]


def _solves(net: Network) -> bool:
    """Whether there is an inverse: with the order of fewest flops it meets vectors first, and is a solve."""
    return any(isinstance(tensor, Matrix) and tensor.fn == "inv" for tensor in net.tensors)
