"""Jacobians as one matrix: the axes of each side are laid in one by vec.

With vec by columns the entry of row (l, i) and column (k, j) of P ⊗ Q is P[l,k] Q[i,j], where Y[i,l] and X[j,k] have
their rows, i and j, run fast; with vec by rows the others do. A product of factors over these four indices is

    diag(vec M) (P ⊗ Q) K diag(vec N)

where M lies between both indices of Y, N between both of X, P and Q between one of Y and one of X each, and K, the
commutation matrix, is there if they cross. More than two such factors, as in the row-wise product of two matrices, have
no such form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from einback.errors import NotationError
from einback.formula.matrix.algebra import chain, hadamard, kron
from einback.formula.matrix.contract import HINT, Network, Piece
from einback.formula.matrix.convert import Converter, expanded
from einback.formula.matrix.expr import Commutation, Expr, Identity, Number, Ones, Shape, Vec, times
from einback.formula.matrix.scaling import diag, scaled, transpose
from einback.formula.matrix.sums import total
from einback.formula.tree import ONE, Index, Product, Sum, Tree

__all__ = ["Sides", "jacobian"]


@dataclass(frozen=True, slots=True)
class Sides:
    """The indices of both sides, none, one or two each, and whether vec goes by columns or by rows."""

    rows: tuple[Index, ...]
    columns: tuple[Index, ...]
    how: str = "column"

    @property
    def shape(self) -> Shape:
        rows, columns = (times(*(index.size for index in side)) for side in (self.rows, self.columns))
        return rows, columns

    def slow_and_fast(self, side: tuple[Index, ...]) -> tuple[Index, Index]:
        first, second = side
        return (second, first) if self.how == "column" else (first, second)


def jacobian(tree: Tree, sides: Sides, converter: Converter) -> Expr:
    """The matrix of a tree over both sides."""
    match tree:
        case Sum():
            return total([_product(term, sides, converter) for term in tree.terms], sides.shape)
        case Product():
            return _product(tree, sides, converter)
        case _:
            return _product(Product(ONE, (tree,)), sides, converter)


def _product(product: Product, sides: Sides, converter: Converter) -> Expr:
    parts = expanded(product)
    if len(parts) > 1:
        return total([_product(part, sides, converter) for part in parts], sides.shape)
    pieces = _settled(converter.pieces(product), sides)
    network = Network(pieces, product.bound)
    return scaled(product.coefficient, network.scalars, (), _matrix(network, sides))


def _settled(pieces: list[Piece], sides: Sides) -> list[Piece]:
    """The pieces, where an identity says that two indices are one: each with both of its indices on one side."""
    found = list(pieces)
    for k in range(len(found)):
        if not isinstance(found[k].expr, Identity):
            continue
        for row, column in (found[k].axes, found[k].axes[::-1]):
            if row in sides.rows and column in sides.columns:
                found = [one if m == k else _moved(one, row, column, sides) for m, one in enumerate(found)]
                break
    return found


def _moved(piece: Piece, row: Index, column: Index, sides: Sides) -> Piece:
    """A piece with the row's index in place of the column's, or the other way where it has another column."""
    others = {index for index in piece.axes if index in sides.columns and index is not column}
    old, new = (row, column) if others else (column, row)
    return replace(piece, axes=tuple(new if index is old else index for index in piece.axes))


def _matrix(network: Network, sides: Sides) -> Expr:
    """What stands between the sides, without the scalars."""
    crosses = network.crosses(sides.rows, sides.columns)
    if not crosses:
        left, right = _side(network, sides.rows, sides), _side(network, sides.columns, sides)
        if left is None or right is None:
            return left or (Number(ONE) if right is None else transpose(right))
        return chain(left, transpose(right))
    front = _weights(network, sides.rows, sides)
    back = _weights(network, sides.columns, sides)
    return chain(*front, *_crossed(network, sides, crosses), *back)


def _side(network: Network, side: tuple[Index, ...], sides: Sides) -> Expr | None:
    """All of one side as a column: vec(M), or the product of two columns."""
    if len(side) < 2:
        return network.column(side[0]) if side else None
    i, j = side
    if network.crosses((i,), (j,)):
        return Vec(network.matrix(i, j), sides.how)
    slow, fast = (network.column(index) for index in sides.slow_and_fast(side))
    if isinstance(fast, Ones) or isinstance(slow, Ones):
        return kron(slow, fast)
    assert fast.shape[0] is not None
    return chain(kron(slow, Identity(fast.shape[0])), fast)


def _weights(network: Network, side: tuple[Index, ...], sides: Sides) -> list[Expr]:
    """The diagonal matrix of what multiplies entry by entry along a side."""
    match side:
        case (i,):
            own = network.columns.pop(i, [])
            return [diag(hadamard(*own))] if own else []
        case (i, j) if network.crosses((i,), (j,)):
            inner = network.between(i, j)
            return [diag(Vec(hadamard(*inner), sides.how))]
        case _:
            return []


def _crossed(network: Network, sides: Sides, crosses: set[tuple[Index, Index]]) -> list[Expr]:
    """P ⊗ Q, and the commutation matrix where they cross."""
    match sides.rows, sides.columns:
        case (i,), (j,):
            return [network.matrix(i, j)]
        case (i,), (_, _):
            slow, fast = sides.slow_and_fast(sides.columns)
            _refuse(len(crosses) > 1)
            if (i, fast) in crosses:
                return [kron(transpose(network.column(slow)), network.matrix(i, fast))]
            return [kron(network.matrix(i, slow), transpose(network.column(fast)))]
        case (_, _), (j,):
            slow, fast = sides.slow_and_fast(sides.rows)
            _refuse(len(crosses) > 1)
            if (fast, j) in crosses:
                return [kron(network.column(slow), network.matrix(fast, j))]
            return [kron(network.matrix(slow, j), network.column(fast))]
        case (_, _), (_, _):
            (slow, fast), (late, soon) = map(sides.slow_and_fast, (sides.rows, sides.columns))
            if crosses <= {(slow, late), (fast, soon)}:
                return [kron(network.matrix(slow, late), network.matrix(fast, soon))]
            _refuse(not crosses <= {(slow, soon), (fast, late)})
            swap = Commutation(soon.size, late.size)
            return [kron(network.matrix(slow, soon), network.matrix(fast, late)), swap]
        case _:
            raise TypeError("both sides have indices where they meet")


def _refuse(refused: bool) -> None:
    if refused:
        raise NotationError(
            "an index of one side meets two of the other: no Kronecker product of two matrices has such entries",
            hint=HINT,
        )
