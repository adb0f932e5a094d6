"""Rules for relations, the operands that say which entries belong together: windows and one-hot tensors.

With w[p,i,..] = [p = offset + step i + ..] and h[b,..,p] = [p = ids[b,..]]:

    w[p,i,u] w[p,i,u]                 = w[p,i,u]                      (a relation holds or not)
    w[p,i,u] w[p,i,v]                 = w[p,i,u] delta[u,v]           (all but one index fix the last)
    w[p,i,u] w'[p,i,u]                = 0, where w' has another offset
    h[b,p] h[b,q]                     = h[b,p] delta[p,q]
    sum[p] w[p,i,u]                   = 1, where windows stay inside  (each window reads one entry)
    sum[p] h[b,p]                     = 1
    sum[a,b] f[p,a,b]                 = 1, where f flattens           (each entry is read once)
    sum[p] f[p,a,b] f[p,c,d]          = delta[a,c] delta[b,d]
    sum[q] w[p,q,u] v[q,j]            = w'[p,j,u]                     (an affine index of an affine index)
    w[p,i,i]                          = w'[p,i], with the steps added
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from einback.ir.build import const, einsum
from einback.ir.extents import negative, plus, product
from einback.ir.nodes import Delta, Einsum, Node, OneHot, Ones, Window
from einback.rules.engine import Surroundings

__all__ = ["flattens", "is_relation", "is_window_view", "merge_barrier", "relate", "spreads", "stays_inside"]

Labels: TypeAlias = tuple[int, ...]
Factor: TypeAlias = tuple[Node, Labels]


def is_relation(node: Node) -> bool:
    return isinstance(node, Window | OneHot)


def stays_inside(node: Window) -> bool:
    """Whether every window lies inside the axis: it may leave it only by a negative step or offset."""
    return not any(isinstance(number, int) and number < 0 for number in (*node.steps, node.offset))


def flattens(node: Window) -> bool:
    """Whether a window only writes several indices as one, the last running fastest.

    >>> flattens(Window("h*w", ("h", "w"), ("w", 1), 0)), flattens(Window("n", ("i", "u"), (2, 1), 0))
    (True, False)
    """
    steps = [product(*node.sizes[k + 1 :]) for k in range(len(node.sizes))]
    return node.offset == 0 and list(node.steps) == steps and node.size == product(*node.sizes)


def is_window_view(node: Einsum) -> bool:
    """Whether a product reads one tensor through windows or flattens it, and sums over nothing else."""
    data = [k for k, operand in enumerate(node.operands) if not isinstance(operand, Window)]
    if len(data) != 1 or len(node.operands) == 1 or isinstance(node.operands[data[0]], OneHot | Ones):
        return False
    own, kept = node.labels[data[0]], set(node.out)
    gone: list[int] = []
    for operand, term in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Window):
            place, *indices = term
            gone += indices if flattens(operand) and place in kept else [place]
    summed = {label for term in node.labels for label in term} - kept
    return len(gone) == len(set(gone)) and summed == set(gone) and summed <= set(own)


def spreads(node: Node) -> bool:
    """Whether a tensor is zero but where a relation holds between two of its axes: as good as zeros and ones.

    That is a relation, and a product with one whose place is an axis, beside one of its indices or the place of
    another relation with the same index.
    """
    if not isinstance(node, Einsum):
        return is_relation(node)
    kept: set[int] = set()
    for operand, term in zip(node.operands, node.labels, strict=True):
        if is_relation(operand):
            at = len(term) - 1 if isinstance(operand, OneHot) else 0
            indices = {label for k, label in enumerate(term) if k != at and label != term[at]}
            if term[at] in node.out:
                if not indices.isdisjoint(node.out) or not indices.isdisjoint(kept):
                    return True
                kept |= indices
    return False


def merge_barrier(outer: Einsum, k: int, inner: Einsum) -> bool:
    """Whether a nested contraction stays separate because a relation stands in between.

    Summed over a window, A[p,k] B[k] would be multiplied out once for every window that reads the entry. What is only
    summed or repeated, as in sum[u](x[i+u] K[u]), has nothing beside it that could be, and of an outer product
    A[p] B[k] the window reads one factor.
    """
    beside = [operand for m, operand in enumerate(outer.operands) if m != k and not isinstance(operand, Ones)]
    if beside and any(map(is_relation, inner.operands)):
        return True
    touched = {
        label for op, term in zip(outer.operands, outer.labels, strict=True) if is_relation(op) for label in term
    }
    read = [label for label, own in zip(inner.out, outer.labels[k], strict=True) if own in touched]
    holders = [label for op, term in zip(inner.operands, inner.labels, strict=True) if not isinstance(op, Ones)
               for label in set(term)]  # fmt: skip
    summed = not set(holders) <= set(inner.out)
    return bool(read) and (summed or any(holders.count(label) > 1 for label in read))


def relate(node: Node, _: Surroundings) -> Node | None:
    """The rules above, for the first pair or the first relation to which one applies."""
    assert isinstance(node, Einsum)
    if not any(map(is_relation, node.operands)):
        return None
    factors = list(zip(node.operands, node.labels, strict=True))
    for k, (operand, term) in enumerate(factors):
        if not is_relation(operand):
            continue
        rest = [*factors[:k], *factors[k + 1 :]]
        changed = _alone(operand, term, _places(rest, node.out))
        if changed is not None:
            return _einsum([*rest, *changed], node.out)
        for other, own in rest[k:]:
            if is_relation(other):
                changed = _pair((operand, term), (other, own), _places(factors, node.out))
                if changed is not None:
                    left = [factor for factor in rest if factor != (other, own)]
                    return _einsum([*left, *changed], node.out)
    return None


def _places(factors: Sequence[Factor], out: Labels) -> Counter[int]:
    """In how many factors each label stands, the output counted as one."""
    found = Counter(set(out))
    for _, term in factors:
        found.update(set(term))
    return found


def _einsum(factors: Sequence[Factor], out: Labels) -> Node:
    return const(1) if not factors else einsum([op for op, _ in factors], [term for _, term in factors], out)


def _ones(node: Node, term: Labels, axes: Sequence[int]) -> list[Factor]:
    return [(Ones(node.shape[axis]), (term[axis],)) for axis in axes]


def _alone(node: Node, term: Labels, others: Counter[int]) -> list[Factor] | None:
    """What a relation is by itself; `others` counts its labels elsewhere."""
    match node:
        case OneHot():
            *ids, place = term
            if len(set(ids)) < len(ids):
                kept = tuple(dict.fromkeys(ids))
                return [(OneHot(einsum([node.ids], [ids], kept), node.size), (*kept, place))]
            if not others[place] and place not in ids:
                return _ones(node, term, range(len(ids)))
        case Window():
            place, *indices = term
            if len(set(indices)) < len(indices):
                added = _steps_added(node, term)
                return None if _promises(added[0], node) else [added]
            if place in indices:
                return None
            if (node.steps, node.offset) == ((1,), 0) and node.size == node.sizes[0]:
                return [(Delta(node.size), term)]
            if not others[place] and stays_inside(node):
                return _ones(node, term, range(1, len(term)))
            if flattens(node) and not any(others[label] for label in indices):
                return _ones(node, term, [0])
    return None


def _steps_added(node: Window, term: Labels) -> Factor:
    """w[p,i,i] as a window of one index: the steps add up."""
    steps: dict[int, tuple[int | str, int | str]] = {}
    for label, size, step in zip(term[1:], node.sizes, node.steps, strict=True):
        steps[label] = (size, plus(step, steps[label][1])) if label in steps else (size, step)
    sizes = tuple(size for size, _ in steps.values())
    return Window(node.size, sizes, tuple(step for _, step in steps.values()), node.offset), (term[0], *steps)


def _promises(new: Node, old: Window) -> bool:
    """Whether a window says that it stays inside by its signs, which the window that it is made of did not."""
    return isinstance(new, Window) and stays_inside(new) and not stays_inside(old)


def _pair(one: Factor, other: Factor, places: Counter[int]) -> list[Factor] | None:
    """What two relations are together; `places` counts their labels in all factors."""
    (a, term), (b, own) = one, other
    if a is b:
        differing = [axis for axis in range(len(term)) if term[axis] != own[axis]]
        if not differing:
            return [one]
        free = len(term) - 1 if isinstance(a, OneHot) else differing[0]
        if differing == [free] and not (isinstance(a, Window) and free and a.steps[free - 1] == 0):
            return [one, (Delta(a.shape[free]), (term[free], own[free]))]
    if isinstance(a, Window) and isinstance(b, Window):
        apart = plus(a.offset, negative(b.offset))
        if term == own and a.steps == b.steps and isinstance(apart, int) and apart:
            return [one, (const(0), ())]
        if term[0] == own[0] and places[term[0]] == 2 and a is b and flattens(a):
            return [
                (Delta(size), pair) for size, pair in zip(a.sizes, zip(term[1:], own[1:], strict=True), strict=True)
            ]
        return _composed(one, other, places) or _composed(other, one, places)
    return None


def _composed(outer: Factor, inner: Factor, places: Counter[int]) -> list[Factor] | None:
    """sum[q] w[p,q,u] v[q,j] -> w'[p,j,u], where the inner windows stay inside and nothing else reads q."""
    (w, term), (v, own) = outer, inner
    assert isinstance(w, Window)
    assert isinstance(v, Window)
    q = own[0]
    if term.count(q) != 1 or own.count(q) != 1 or term[0] == q or places[q] != 2 or not stays_inside(v):
        return None
    at = term.index(q) - 1
    step = w.steps[at]
    sizes = (*w.sizes[:at], *v.sizes, *w.sizes[at + 1 :])
    steps = (*w.steps[:at], *(product(step, inner_step) for inner_step in v.steps), *w.steps[at + 1 :])
    labels = (*term[: at + 1], *own[1:], *term[at + 2 :])
    composed = Window(w.size, sizes, steps, plus(w.offset, product(step, v.offset)))
    return None if _promises(composed, w) else [(composed, labels)]
