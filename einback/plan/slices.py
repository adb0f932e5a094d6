"""Slicing: which nodes of a program can be computed a slice of one index at a time, IR to value.

A program is cut over an index by choosing one place where it is read, the seed, and following it to all readers:

    inside   carries the index on one axis: a slice of it needs only slices of what it reads
    summed   has lost the index in a sum, a maximum or another reduction: the slices' results are combined in order
    after    needs the whole: a function of what is summed, a second occurrence of the index (x[n] x[n']), the axis of a
             matrix function
    (none)   does not depend on the seed: computed before, whole; or within the slices, where only slices are read

What a node that is inside reads beside the seed is restricted to the slice where it carries the index. An identity
matrix, a window and the axis that one-hot indices point into have no slices without an offset, and are not cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from einback.ir.nodes import Const, Delta, Einsum, Input, Matrix, Node, OneHot, Ones, Range, Reduce, Window
from einback.ir.walk import children, postorder

__all__ = ["AFTER", "Needs", "Role", "Seeds", "arrayless", "classify", "joined", "needs", "reads", "restricts", "seeds"]

Labels = tuple[int, ...]
Axes = tuple[int, ...]  # those of an array that are sliced; none of one that is read whole

_NONE = -1  # the label of an axis that no slice of what is read gives a slice of


@dataclass(frozen=True, slots=True)
class Role:
    """How a node is cut: `how` is "inside" (`axis` carries the index), "after", or what combines slices."""

    how: str
    label: int = _NONE  # of the index in the node, see `reads`
    axis: int = _NONE

    @property
    def inside(self) -> bool:
        return self.how == "inside"

    @property
    def summed(self) -> bool:
        return self.how not in ("inside", "after")


AFTER = Role("after")

Seeds = Mapping[Node, int]  # nodes, and the label over which each is cut


def reads(node: Node, k: int) -> Labels:
    """The labels of the axes of the node's child k: an Einsum's own, elsewhere positions of axes."""
    if isinstance(node, Einsum):
        return node.labels[k]
    return tuple(range(children(node)[k].rank))


def _keeps(node: Node) -> Labels:
    """The labels of the node's own axes."""
    match node:
        case Einsum():
            return node.out
        case Reduce():
            return tuple(axis for axis in range(node.arg.rank) if axis not in node.axes)
        case Matrix():
            return (*range(node.arg.rank - 2), *(_NONE,) * node.keeps)
        case OneHot():
            return (*range(node.ids.rank), _NONE)
        case Input() | Delta() | Range() | Window():
            return (_NONE,) * node.rank
        case _:
            return tuple(range(node.rank))


def _role(node: Node, label: int, *, real: bool) -> Role:
    """The role of a node that is cut over a label."""
    if label == _NONE or (isinstance(node, Matrix) and label >= node.arg.rank - 2):
        return AFTER
    if isinstance(node, Einsum):
        for operand, labels in zip(node.operands, node.labels, strict=True):
            pointed = labels[-1:] if isinstance(operand, OneHot) else ()
            fixed = labels if isinstance(operand, Delta | Window) else pointed
            if label in fixed:
                return AFTER
    kept = _keeps(node)
    if label in kept:
        return Role("inside", label, kept.index(label)) if kept.count(label) == 1 else AFTER
    if not isinstance(node, Reduce):
        return Role("add", label)
    complex_shift = node.fn in ("peak", "logsumexp") and (node.is_complex or node.arg.is_complex or not real)
    return AFTER if complex_shift else Role(node.fn, label)


def classify(roots: Sequence[Node], start: Seeds, *, real: bool = True) -> dict[Node, Role]:
    """The roles of all nodes that depend on the seeds; `real` says that no array holds complex numbers."""
    found: dict[Node, Role] = {}
    for node in postorder(roots):
        known = [(k, found[child]) for k, child in enumerate(children(node)) if child in found]
        if not known:
            if node in start:
                found[node] = _role(node, start[node], real=real)
        elif not all(role.inside for _, role in known):
            found[node] = AFTER
        else:
            labels = {reads(node, k)[role.axis] for k, role in known}
            once = len(labels) == 1 and all(reads(node, k).count(min(labels)) == 1 for k, _ in known)
            found[node] = _role(node, labels.pop(), real=real) if once else AFTER
    return found


@dataclass(frozen=True, slots=True)
class Needs:
    """What the slices read beside what is inside: `whole` arrays, and the axes on which others are sliced.

    A node in `views` is read sliced, but computed whole; one in `sliced` and not in `views` is computed in slices.
    """

    whole: Mapping[Node, None]
    sliced: Mapping[tuple[Node, Axes], None]
    views: Mapping[Node, None]


def restricts(node: Node, axes: Axes, *, real: bool) -> Role | None:
    """How a slice of a node over some axes is computed from slices of what it reads; None where it is not."""
    if len(axes) != 1:
        return None
    role = _role(node, _keeps(node)[axes[0]], real=real)
    return role if role.inside else None


def needs(roles: Mapping[Node, Role], *, real: bool = True) -> Needs:
    """What the slices of a program read that does not depend on the seeds."""
    whole: dict[Node, None] = {}
    sliced: dict[tuple[Node, Axes], None] = {}
    views: dict[Node, None] = {}
    waiting = [(node, role) for node, role in roles.items() if role.how != "after"]
    while waiting:
        node, role = waiting.pop()
        for k, child in enumerate(children(node)):
            if child in roles or isinstance(child, Const):
                continue
            axes = tuple(axis for axis, label in enumerate(reads(node, k)) if label == role.label)
            if not axes:
                _read_whole(child, whole)
            elif (child, axes) not in sliced:
                sliced[child, axes] = None
                inner = restricts(child, axes, real=real)
                if inner is not None:
                    waiting.append((child, inner))
                elif not isinstance(child, Ones):
                    views[child] = None
    return Needs(whole, sliced, views)


def _read_whole(node: Node, whole: dict[Node, None]) -> None:
    """Relations are no arrays: of indices that point into an axis, it is these that are read."""
    while isinstance(node, OneHot):
        node = node.ids
    if not isinstance(node, Delta | Ones | Window | Const):
        whole[node] = None


def joined(roots: Sequence[Node], start: Seeds, *, real: bool = True) -> dict[Node, Role]:
    """The roles, with all other readers of what is sliced anyway as further seeds.

    So two sums over one array are taken in one pass over it. What the slices need whole stays outside.
    """
    free = arrayless(roots)
    for _ in range(_ROUNDS):
        roles = classify(roots, start, real=real)
        wanted = needs(roles, real=real)
        below = set(postorder([*wanted.whole, *wanted.views]))
        cut: dict[Node, list[int]] = {}
        for node, axes in wanted.sliced:
            if len(axes) == 1:
                cut.setdefault(node, []).append(axes[0])
        more = dict(start)
        for node in postorder(roots):
            if node in roles or node in below or node in cut or node in free or isinstance(node, OneHot):
                continue
            labels = {reads(node, k)[axis] for k, child in enumerate(children(node)) for axis in cut.get(child, ())}
            if len(labels) == 1 and _role(node, min(labels), real=real).how != "after":
                more[node] = labels.pop()
        if len(more) == len(start):
            return roles
        start = more
    return roles


_ROUNDS = 8


def seeds(node: Node) -> Iterator[int]:
    """The labels over which a node might be cut."""
    for k in range(len(children(node))):
        yield from (label for label in dict.fromkeys(reads(node, k)) if _role(node, label, real=True).how != "after")


def arrayless(roots: Sequence[Node]) -> set[Node]:
    """The nodes that read no array: identities, masks, sizes. They are computed where they are read."""
    found: set[Node] = set()
    for node in postorder(roots):
        if not isinstance(node, Input) and all(child in found for child in children(node)):
            found.add(node)
    return found
