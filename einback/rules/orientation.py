"""Rules for transposes: which way round a sum is formed.

Products absorb transposes for nothing, while a transposed term of a sum costs a strided pass through memory.
So the axes of a sum stand in the order in which most of its terms that are no products have them, whichever
way it was written. The transpose that is left moves outward, to where a product takes it up.

    a' + b' + (x y)            = (a + b + y' x')'
    f(a')                      = f(a)'
    max over i of a'[i,j]      = max over i of a[j,i]
    inv(a')                    = inv(a)'
    det(a')                    = det(a)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from einback.ir.build import permute, reduce
from einback.ir.nodes import Add, Const, Einsum, Map, Matrix, Node, Ones, Reduce
from einback.ir.walk import rebuild
from einback.rules.engine import Surroundings

__all__ = ["straighten", "turn_map", "turn_matrix", "turn_reduction", "turn_sum"]

Axes = tuple[int, ...]


def _turn(node: Node) -> Axes | None:
    """The permutation that a node is of another, not the identity: axis k there is axis `turn[k]` here."""
    if not isinstance(node, Einsum) or len(node.operands) > 1 or isinstance(node.operands[0], Ones):
        return None
    if sorted(node.out) != list(range(node.rank)) or len(node.labels[0]) != node.rank:
        return None
    return tuple(node.out.index(label) for label in node.labels[0])


def _unscaled(node: Node) -> Node:
    return node.terms[0] if isinstance(node, Add) and len(node.terms) == 1 else node


def _turned_back(node: Node, turn: Axes) -> Node:
    """The node whose permutation by `turn` is `node`."""
    if isinstance(node, Add) and len(node.terms) == 1:
        return rebuild(node, [_turned_back(node.terms[0], turn)])
    if isinstance(node, Const):
        return node
    seen = _turn(node)
    if isinstance(node, Einsum) and seen is not None:
        return permute(node.operands[0], [turn.index(axis) for axis in seen])
    return permute(node, [turn.index(axis) for axis in range(node.rank)])


def _pairs(term: Node) -> Iterator[tuple[int, int]]:
    """The pairs of a sum's axes of which a term has the first before the second; products have no opinion."""
    turn = _turn(term)
    if not isinstance(term, Einsum | Ones):
        yield from combinations(range(term.rank), 2)
    elif isinstance(term, Einsum) and turn is not None and not isinstance(term.operands[0], Einsum):
        yield from combinations(turn, 2)


def _order(node: Add) -> Axes:
    """The axes of a sum in the order in which it is formed; axes that no term orders stay as they are."""
    lead = [0] * node.rank
    for term in node.terms:
        for before, after in _pairs(_unscaled(term)):
            lead[before] += 1
            lead[after] -= 1
    return tuple(sorted(range(node.rank), key=lambda axis: (-lead[axis], axis)))


def turn_sum(node: Node, _: Surroundings) -> Node | None:
    """a' + b' + (x y) -> (a + b + y' x')'."""
    assert isinstance(node, Add)
    if len(node.terms) == 1 or node.rank < 2:
        return None
    order = _order(node)
    if order == tuple(range(node.rank)):
        return None
    return permute(rebuild(node, [_turned_back(term, order) for term in node.terms]), order)


def turn_map(node: Node, _: Surroundings) -> Node | None:
    """f(a', b') -> f(a, b)'."""
    assert isinstance(node, Map)
    turns = {_turn(_unscaled(arg)) for arg in node.args if not isinstance(arg, Const)}
    if len(turns) != 1 or (turn := turns.pop()) is None:
        return None
    return permute(rebuild(node, [_turned_back(arg, turn) for arg in node.args]), turn)


def turn_reduction(node: Node, _: Surroundings) -> Node | None:
    """A reduction of a transpose reduces the other axes of the tensor itself."""
    assert isinstance(node, Reduce)
    turn = _turn(_unscaled(node.arg))
    if turn is None:
        return None
    inner = reduce(node.fn, _turned_back(node.arg, turn), [k for k, axis in enumerate(turn) if axis in node.axes])
    kept = [axis for axis in turn if axis not in node.axes]
    return permute(inner, [sorted(kept).index(axis) for axis in kept])


def turn_matrix(node: Node, _: Surroundings) -> Node | None:
    """inv(a') -> inv(a)', and det(a') -> det(a); the functions of symmetric matrices do not see a transpose."""
    assert isinstance(node, Matrix)
    turn, front = _turn(node.arg), node.arg.rank - 2
    if turn is None or not isinstance(node.arg, Einsum) or min(turn[-2:]) < front:
        return None
    back = turn[-2:] if node.fn == "inv" else range(front, node.rank)
    return permute(rebuild(node, node.arg.operands), (*turn[:-2], *back))


def straighten(root: Node) -> Node:
    """A result that is a transposed sum of products is the sum of the transposed products: no product takes it up."""
    turn = _turn(root)
    if turn is None or not isinstance(root, Einsum) or not isinstance(root.operands[0], Add):
        return root
    total = root.operands[0]
    if not all(isinstance(_unscaled(term), Einsum) for term in total.terms):
        return root
    back = tuple(turn.index(axis) for axis in range(root.rank))
    return rebuild(total, [_turned_back(term, back) for term in total.terms])
