"""Rules for structure: deltas, ones, diagonals and broadcasts are contracted away by renaming labels.

Labels here may be of any hashable kind; `einsum` numbers them again.

    delta[i,j] x[j,..]         = x[i,..]                    (slot exchange)
    delta[i,j] alone           = ones[i] written on the diagonal
    ones[i] x[i,..]            = x[i,..]
    sum[i] ones[i]             = size(i)
    (x[i] ones[j]) y[j,k]      = x[i] y[j,k]                (a broadcast operand is its core)
    (delta-embedded d) y[j,k]  = d with its two labels identified
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from einback.ir.build import einsum, ones, size_of
from einback.ir.nodes import Add, Const, Delta, Einsum, Map, Node, Ones, Window
from einback.ir.walk import rebuild
from einback.rules.engine import Surroundings
from einback.rules.relations import flattens, is_relation, is_window_view, merge_barrier, spreads, stays_inside

__all__ = [
    "broadcast_axes",
    "delta_alone",
    "diagonal_inward",
    "drop_deltas",
    "drop_ones",
    "embeds",
    "hoist_broadcast",
    "hoist_diagonal",
    "inline",
    "is_size",
    "merge_nested",
    "peel_operands",
    "without_axes",
]

Term = tuple[Hashable, ...]

_MOST_SPREAD = 3  # factors of an outer product that is read in several places
_MOST_MERGED = 12  # factors of a merged product: the contraction order of more is searched less well, and reads worse


class _Same:
    """Union-find over labels."""

    def __init__(self) -> None:
        self.parent: dict[Hashable, Hashable] = {}

    def find(self, label: Hashable) -> Hashable:
        while label in self.parent:
            label = self.parent[label]
        return label

    def unite(self, a: Hashable, b: Hashable) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[a] = b

    def term(self, labels: Sequence[Hashable]) -> Term:
        return tuple(map(self.find, labels))


def is_size(node: Node) -> bool:
    """Whether a node is an axis length as a scalar, the sum of one `Ones`."""
    return isinstance(node, Einsum) and not node.out and len(node.operands) == 1 and isinstance(node.operands[0], Ones)


def embeds(node: Node) -> bool:
    """Whether a node writes a diagonal: zero wherever two of its axes differ."""
    return isinstance(node, Einsum) and len(set(node.out)) < len(node.out)


def broadcast_axes(node: Node) -> tuple[int, ...]:
    """The axes along which a node is constant because only `Ones` carries their label."""
    if isinstance(node, Ones):
        return (0,)
    if not isinstance(node, Einsum):
        return ()
    real = {
        label for op, term in zip(node.operands, node.labels, strict=True) if type(op) is not Ones for label in term
    }
    return tuple(k for k, label in enumerate(node.out) if label not in real and node.out.count(label) == 1)


def drop_deltas(node: Node, _: Surroundings) -> Node | None:
    """delta[i,j] f(j) -> f(i): a delta operand identifies its two labels."""
    assert isinstance(node, Einsum)
    if not any(type(op) is Delta for op in node.operands):
        return None
    same = _Same()
    operands: list[Node] = []
    terms: list[Sequence[int]] = []
    for operand, term in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Delta):
            same.unite(term[0], term[1])
            operand, term = Ones(operand.size), term[:1]
        operands.append(operand)
        terms.append(term)
    return einsum(operands, [same.term(term) for term in terms], same.term(node.out))


def delta_alone(node: Node, _: Surroundings) -> Node | None:
    """delta[i,j] -> ones[i] on the diagonal."""
    assert isinstance(node, Delta)
    return einsum([Ones(node.size)], ["i"], "ii")


def drop_ones(node: Node, _: Surroundings) -> Node | None:
    """ones[i] x[i] -> x[i]; ones[i] ones[i] -> ones[i]; a summed ones[i] alone -> size(i)."""
    assert isinstance(node, Einsum)
    if not any(type(op) is Ones for op in node.operands) or is_size(node):
        return None
    pairs = list(zip(node.operands, node.labels, strict=True))
    seen = {label for op, term in pairs if type(op) is not Ones for label in term}
    kept: list[tuple[Node, Term]] = []
    for operand, term in pairs:
        if isinstance(operand, Ones):
            if term[0] in seen:
                continue
            seen.add(term[0])
            if term[0] not in node.out:
                operand, term = size_of(operand.size), ()
        kept.append((operand, term))
    if kept == pairs:
        return None
    return einsum([op for op, _ in kept], [term for _, term in kept], node.out)


def inline(outer: Einsum, k: int, inner: Einsum) -> Node:
    """One Einsum for an Einsum whose k-th operand is an Einsum."""
    return _splice(outer, k, inner.out, list(zip(inner.operands, inner.labels, strict=True)))


def _splice(outer: Einsum, k: int, out: Term, factors: Sequence[tuple[Node, Term]]) -> Node:
    """Put the product of `factors`, whose axes are labelled `out`, in the place of the k-th operand."""
    same = _Same()
    for label, own in zip(outer.labels[k], out, strict=True):
        same.unite(("in", own), label)
    operands = [*outer.operands[:k], *(op for op, _ in factors), *outer.operands[k + 1 :]]
    middle = [tuple(("in", label) for label in term) for _, term in factors]
    terms = [*outer.labels[:k], *middle, *outer.labels[k + 1 :]]
    return einsum(operands, [same.term(term) for term in terms], same.term(outer.out))


def _is_view(node: Einsum) -> bool:
    """One operand, nothing summed: a permutation or a diagonal."""
    return len(node.operands) == 1 and set(node.out) == set(node.labels[0])


def _core(node: Einsum) -> tuple[Node, Term, list[tuple[Node, Term]]] | None:
    """A node with structure as (core, its labels, the `Ones` beside it), or None if it has none."""
    lonely = {node.out[k] for k in broadcast_axes(node)}
    repeated = len(set(node.out)) < len(node.out)
    if not lonely and not repeated:
        return None
    pairs = [pair for pair in zip(node.operands, node.labels, strict=True) if not set(pair[1]) & lonely]
    beside: list[tuple[Node, Term]] = [
        (op, term) for op, term in zip(node.operands, node.labels, strict=True) if set(term) & lonely
    ]
    out = tuple(dict.fromkeys(label for label in node.out if label not in lonely))
    if not pairs:
        return ones(()), (), beside
    return einsum([op for op, _ in pairs], [term for _, term in pairs], out), out, beside


def _reads_inside(node: Einsum, k: int, inner: Einsum) -> bool:
    """Whether other relations read the k-th operand, if at all, as windows of windows or undoing a flattening."""
    others = [(op, term) for op, term in zip(node.operands, node.labels, strict=True) if is_relation(op)]
    touching = [op for op, term in others if not set(term).isdisjoint(node.labels[k])]
    if any(isinstance(op, Window) and flattens(op) for op in inner.operands):
        return all(op in inner.operands for op in touching)
    return all(isinstance(op, Window) and stays_inside(op) for op in touching)


def _all_fit(node: Einsum) -> bool:
    """Whether there is room for the factors of all operands that hold relations, whichever is taken first."""
    inner = [op for op in node.operands if isinstance(op, Einsum) and spreads(op)]
    return len(node.operands) + sum(len(op.operands) - 1 for op in inner) <= _MOST_MERGED


def peel_operands(node: Node, _: Surroundings) -> Node | None:
    """An operand that is a view, a broadcast or an embedded diagonal gives its core and its labels.

    One that holds a relation gives all its factors: what reads it may use the relation up.
    """
    assert isinstance(node, Einsum)
    for k, operand in enumerate(node.operands):
        if not isinstance(operand, Einsum) or is_size(operand):
            continue
        if _is_view(operand) or (is_window_view(operand) and _reads_inside(node, k, operand)):
            return inline(node, k, operand)
        if spreads(operand) and _all_fit(node):
            return inline(node, k, operand)
        parts = _core(operand)
        if parts is not None:
            core, labels, beside = parts
            return _splice(node, k, operand.out, [(core, labels), *beside])
    return None


def _apart(node: Einsum) -> list[tuple[Node, Term]]:
    """The tensors that an outer product is made of: factors with no label in common are in different ones."""
    groups: list[tuple[set[int], list[tuple[Node, Term]]]] = []
    for operand, term in zip(node.operands, node.labels, strict=True):
        met = [group for group in groups if not group[0].isdisjoint(term)]
        groups = [group for group in groups if group not in met]
        labels = {*term, *(label for own, _ in met for label in own)}
        groups.append((labels, [*(pair for _, pairs in met for pair in pairs), (operand, term)]))
    parts: list[tuple[Node, Term]] = []
    for labels, pairs in groups:
        out = tuple(label for label in dict.fromkeys(node.out) if label in labels)
        parts.append((einsum([op for op, _ in pairs], [term for _, term in pairs], out), out))
    return parts


def _is_outer(node: Einsum, k: int, operand: Einsum) -> bool:
    """Whether an operand is larger than its factors, which nothing sums, and is contracted where it is read."""
    whole = set(operand.out)
    spread = len(whole) == len(operand.out) == len(operand.sizes)
    return (
        spread
        and not set(node.labels[k]) <= set(node.out)
        and len(operand.operands) <= _MOST_SPREAD
        and all(set(term) < whole for term in operand.labels)
    )


def merge_nested(node: Node, around: Surroundings) -> Node | None:
    """A nested contraction that nothing else reads joins the one around it.

    While deriving, only under a trace, a diagonal or a transpose, so that what derivatives share stays
    visible; for planning and printing, everywhere.
    """
    assert isinstance(node, Einsum)
    if not around.merging:
        term = node.labels[0]
        if len(node.operands) > 1 or (len(set(term)) == len(term) and not set(term) <= set(node.out)):
            return None
    beside = around.merging and len(node.operands) > 1
    for k, operand in enumerate(node.operands):
        if beside and isinstance(operand, Einsum) and not set(node.labels[k]) <= set(node.out):
            apart = _apart(operand)
            if sum(bool(out) and not isinstance(part, Ones) for part, out in apart) > 1:
                return _splice(node, k, operand.out, apart)
        alone = isinstance(operand, Einsum) and (around.once(operand) or (beside and _is_outer(node, k, operand)))
        if isinstance(operand, Einsum) and not is_size(operand) and alone:
            if around.merging and merge_barrier(node, k, operand):
                continue
            if len(node.operands) + len(operand.operands) - 1 <= _MOST_MERGED:
                return inline(node, k, operand)
    return None


def diagonal_inward(node: Node, _: Surroundings) -> Node | None:
    """f(a)[i,i] -> f(a[i,i]): the diagonal of a map or a sum is taken of its arguments."""
    assert isinstance(node, Einsum)
    for k, (operand, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        if isinstance(operand, Map | Add) and len(set(term)) < len(term):
            kept = tuple(dict.fromkeys(term))
            args = operand.args if isinstance(operand, Map) else operand.terms
            inner = rebuild(operand, [a if isinstance(a, Const) else einsum([a], [term], kept) for a in args])
            operands = (*node.operands[:k], inner, *node.operands[k + 1 :])
            return einsum(operands, (*node.labels[:k], kept, *node.labels[k + 1 :]), node.out)
    return None


def hoist_broadcast(node: Node, _: Surroundings) -> Node | None:
    """f(x[i] ones[j]) -> f(x[i]) ones[j], and likewise for sums: work on the small tensor."""
    assert isinstance(node, Map | Add)
    args = node.args if isinstance(node, Map) else node.terms
    if isinstance(node, Add) and len(args) == 1:
        return None
    common: set[int] | None = None
    for arg in args:
        if not isinstance(arg, Const):
            axes = set(broadcast_axes(_unscaled(arg)))
            common = axes if common is None else common & axes
    if not common or node.rank == 0:
        return None
    kept = tuple(k for k in range(node.rank) if k not in common)
    inner = rebuild(node, [arg if isinstance(arg, Const) else without_axes(arg, kept) for arg in args])
    others = sorted(common)
    return einsum([inner, *(Ones(node.shape[k]) for k in others)], [kept, *((k,) for k in others)], range(node.rank))


def hoist_diagonal(node: Node, _: Surroundings) -> Node | None:
    """delta[i,j] a[i] + delta[i,j] b[i] -> delta[i,j] (a[i] + b[i]): add what stands on the diagonal."""
    assert isinstance(node, Add)
    if len(node.terms) < 2 or not all(map(embeds, node.terms)):
        return None
    places = [term.out for term in node.terms if isinstance(term, Einsum)]
    same = [tuple(out[k] for out in places) for k in range(node.rank)]  # equal where every term ties the axes
    kept = [k for k in range(node.rank) if same.index(same[k]) == k]
    if len(kept) == node.rank:
        return None
    inner = rebuild(node, [einsum([term], [same], [same[k] for k in kept]) for term in node.terms])
    return einsum([inner], [[same[k] for k in kept]], same)


def _unscaled(node: Node) -> Node:
    return node.terms[0] if isinstance(node, Add) and len(node.terms) == 1 else node


def without_axes(node: Node, kept: tuple[int, ...]) -> Node:
    """A broadcast node on the axes `kept`: the `Ones` of the others are left out."""
    if isinstance(node, Add):
        return rebuild(node, [without_axes(node.terms[0], kept)])
    if isinstance(node, Ones):
        return ones(())
    assert isinstance(node, Einsum)
    gone = {node.out[k] for k in range(node.rank)} - {node.out[k] for k in kept}
    pairs = [p for p in zip(node.operands, node.labels, strict=True) if not set(p[1]) <= gone or not p[1]]
    if not pairs:
        return ones(())
    return einsum([op for op, _ in pairs], [term for _, term in pairs], [node.out[k] for k in kept])
