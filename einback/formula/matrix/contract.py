"""Sums of products over indices as products of matrices.

Every factor has one or two indices: the factors are the points and lines of a graph whose corners are indices. An
index that is summed and that at most two others neighbour goes, by one of three steps:

    no neighbour     Σ_k u[k] v[k]           uᵀ v, a scalar
    one              Σ_k A[i,k] v[k]         A v, a column at i; 1 where there is no v
    two              Σ_k A[i,k] v[k] B[k,j]  A diag(v) B, a matrix between i and j

Matrices between the same two indices multiply entry by entry, or make a trace or a diagonal. What these steps do not
take apart has no form in products of matrices, and the error says which index and which factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from einback.errors import NotationError
from einback.formula.matrix.algebra import chain, diagonal, dot, hadamard, trace
from einback.formula.matrix.expr import Expr, Full, Identity, Number, Ones, Power, Symbol, Transpose
from einback.formula.matrix.scaling import diag, fewest, is_differential, scaled, transpose
from einback.formula.matrix.walking import below, transposes
from einback.formula.tree import ONE, Index
from einback.ir.nodes import Number as Value

__all__ = ["HINT", "Network", "Piece", "contract"]

HINT = 'notation="index" has a form for every result'


@dataclass(frozen=True, slots=True)
class Piece:
    """An expression whose rows and columns run over indices: none, one or two of them."""

    expr: Expr
    axes: tuple[Index, ...]


def contract(weight: Value, pieces: Sequence[Piece], bound: Sequence[Index], out: Sequence[Index]) -> Expr:
    """weight * the product of the pieces, summed over `bound`: a scalar, a column, or a matrix."""
    network = Network(pieces, bound)
    if len(out) == 2 and network.joined(*out):
        return diag(contract(weight, network.along(out[1], out[0]), (), out[:1]))
    if not out:
        return scaled(weight, network.scalars, ())
    body = network.column(out[0]) if len(out) == 1 else network.matrix(*out)
    return scaled(
        weight, network.scalars, (), Full(ONE, body.shape) if isinstance(body, Ones) and weight == 0 else body
    )


@dataclass(slots=True)
class Network:
    """The factors by their indices, after the sums over `bound`."""

    pieces: Sequence[Piece]
    bound: Sequence[Index]
    scalars: list[Expr] = field(default_factory=list)
    columns: dict[Index, list[Expr]] = field(default_factory=dict)
    matrices: dict[tuple[Index, Index], list[Expr]] = field(default_factory=dict)
    near: dict[Index, dict[Index, None]] = field(default_factory=dict)  # which indices have matrices between them

    def __post_init__(self) -> None:
        for piece in _joined(self.pieces, self.bound):
            self.add(piece)
        left = [index for index in self.bound if self.columns.get(index) or self.neighbours(index)]
        while left:
            best = min(left, key=lambda index: len(self.neighbours(index)))
            self.eliminate(best)
            left.remove(best)

    def add(self, piece: Piece) -> None:
        match piece.axes:
            case ():
                self.scalars.append(piece.expr)
            case (i,):
                self.columns.setdefault(i, []).append(piece.expr)
            case (i, j) if i is j:
                self.columns.setdefault(i, []).append(diagonal(piece.expr))
            case (i, j) if (j, i) in self.matrices:
                self.matrices[j, i].append(transpose(piece.expr))
            case (i, j):
                self.matrices.setdefault((i, j), []).append(piece.expr)
                self.near.setdefault(i, {})[j] = None
                self.near.setdefault(j, {})[i] = None
            case _:
                raise TypeError("a piece has at most two indices")

    def neighbours(self, index: Index) -> list[Index]:
        return list(self.near.get(index, ()))

    def between(self, i: Index, j: Index) -> list[Expr]:
        """The matrices of rows i and columns j, taken out."""
        for one, other in ((i, j), (j, i)):
            self.near.get(one, {}).pop(other, None)
        if (i, j) in self.matrices:
            return self.matrices.pop((i, j))
        return [transpose(one) for one in self.matrices.pop((j, i), [])]

    def column(self, index: Index) -> Expr:
        """The column at an index that is not summed."""
        found = self.columns.get(index, [])
        return hadamard(*found) if found else Ones(index.size)

    def crosses(self, rows: Sequence[Index], columns: Sequence[Index]) -> set[tuple[Index, Index]]:
        """Between which of the rows and which of the columns there are matrices."""
        pairs = [pair for i, j in self.matrices for pair in ((i, j), (j, i))]
        return {(i, j) for i, j in pairs if i in rows and j in columns}

    def matrix(self, i: Index, j: Index) -> Expr:
        """The matrix between two indices that are not summed."""
        left, right = self.columns.get(i, []), self.columns.get(j, [])
        inner = self.between(i, j)
        if not inner:
            return chain(self.column(i), transpose(self.column(j)))
        front = [diag(hadamard(*left))] if left else []
        back = [diag(hadamard(*right))] if right else []
        return chain(*front, _meet(inner), *back)

    def joined(self, i: Index, j: Index) -> bool:
        """Whether an identity stands between two indices."""
        return any(isinstance(one, Identity) for key in ((i, j), (j, i)) for one in self.matrices.get(key, ()))

    def along(self, gone: Index, kept: Index) -> list[Piece]:
        """What stands between two indices that are one, as columns."""
        columns = [*self.columns.get(kept, []), *self.columns.get(gone, [])]
        inner = [diagonal(one) for one in self.between(kept, gone) if not isinstance(one, Identity)]
        return [Piece(one, (kept,)) for one in (*columns, *inner)] + [Piece(one, ()) for one in self.scalars]

    def eliminate(self, k: Index) -> None:
        """Sum over an index."""
        near = self.neighbours(k)
        own = self.columns.pop(k, [])
        if not near and not own:
            return  # it went into a trace with its neighbour
        if not near:
            self.scalars.append(dot(own))
        elif len(near) == 1:
            self.leaf(near[0], k, own)
        elif len(near) == 2:
            i, j = near
            first, second = _meet(self.between(i, k)), _meet(self.between(k, j))
            self.add(Piece(chain(first, *([diag(hadamard(*own))] if own else []), second), (i, j)))
        else:
            raise NotationError(
                f"no product of matrices sums over an index of size {k.size} that {len(near)} matrices share with "
                f"different others, made of {', '.join(self.names(k))}",
                hint=HINT,
            )

    def names(self, k: Index) -> list[str]:
        """The tensors in the matrices at an index."""
        stack = [one for pair, found in self.matrices.items() if k in pair for one in found]
        names: dict[str, None] = {}
        while stack:
            part = stack.pop(0)
            if isinstance(part, Symbol):
                names.setdefault(part.name)
            stack[:0] = below(part)
        return list(names)

    def leaf(self, i: Index, k: Index, own: Sequence[Expr]) -> None:
        """Sum over k, which one other index neighbours."""
        between = self.between(i, k)
        alone = i in self.bound and not self.neighbours(i) and not self.columns.get(i)
        if alone and not own and len(between) == 1:
            between = _squared(between[0])
        if alone and not own and len(between) > 2 and any(map(is_differential, between)):
            last = next(filter(is_differential, between))
            between = [_meet([one for one in between if one is not last]), last]
        if len(between) == 2 and not own:
            first, second = between
            product = fewest(*(chain(a, transpose(b)) for a, b in ((first, second), (second, first))))
            if alone:
                self.columns.pop(i, None)
                turned = fewest(*(chain(transpose(a), b) for a, b in ((first, second), (second, first))))
                ways = (turned, product) if first == second else (product, turned)
                self.scalars.append(fewest(*map(trace, ways)))
                return
            if transposes(product) < transposes(_meet(between)):
                self.add(Piece(diagonal(product), (i,)))
                return
        column = hadamard(*own) if own else Ones(k.size)
        self.add(Piece(chain(_meet(between), column), (i,)))


def _squared(matrix: Expr) -> list[Expr]:
    """The factors of a square entry by entry, or the matrix."""
    match matrix.arg if isinstance(matrix, Transpose) else matrix:
        case Power(base=base, exponent=Number(value=2)):
            return [base, base]
        case _:
            return [matrix]


def _meet(matrices: Sequence[Expr]) -> Expr:
    """The product of matrices entry by entry, transposed as a whole where that is shorter."""
    return fewest(hadamard(*matrices), transpose(hadamard(*map(transpose, matrices))))


def _joined(pieces: Sequence[Piece], bound: Sequence[Index]) -> list[Piece]:
    """The pieces, without identities over an index that is summed: the two are one."""
    left = list(pieces)
    for piece in pieces:
        if isinstance(piece.expr, Identity) and len(set(piece.axes)) == 2:
            for gone, kept in (piece.axes, piece.axes[::-1]):
                if gone in bound:
                    left.remove(piece)
                    left = [_renamed(one, {gone: kept}) for one in left]
                    return _joined(left, bound)
    return left


def _renamed(piece: Piece, to: Mapping[Index, Index]) -> Piece:
    return replace(piece, axes=tuple(to.get(index, index) for index in piece.axes))
