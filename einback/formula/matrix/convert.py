"""Formula trees to matrix expressions.

A tree of at most two free indices is a scalar, a column or a matrix. `oriented` converts it for rows and columns that
are asked for, `valued` for those that need fewer transposes. A sum over three indices inside a product is multiplied
out; any other part with three has no form, and the error names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from einback.errors import NotationError
from einback.formula.matrix.algebra import chain, diagonal
from einback.formula.matrix.contract import HINT, Piece, contract
from einback.formula.matrix.expr import (
    SCALAR,
    Along,
    Apply,
    Expr,
    Full,
    Function,
    Identity,
    Length,
    Number,
    Ones,
    Power,
    Ratio,
    Shape,
    Symbol,
    is_scalar,
)
from einback.formula.matrix.scaling import fewest, scaled, split, transpose
from einback.formula.matrix.sums import total
from einback.formula.matrix.walking import below, transposes
from einback.formula.tree import (
    ONE,
    Call,
    Eye,
    Fill,
    Index,
    Over,
    Position,
    Product,
    Ref,
    SizeOf,
    Sum,
    Tree,
)
from einback.formula.tree import Number as NumberTree
from einback.formula.tree import Power as PowerTree
from einback.ir.build import exact
from einback.rules.matrix import matrix_row

__all__ = ["Converter", "expanded", "three_axes"]

Axes = Sequence[Index]


def three_axes(name: str, rank: int) -> NotationError:
    return NotationError(f"{name} has {rank} axes, and matrix notation has no name for its entries", hint=HINT)


class Converter:
    """Converts trees; `symmetric` names the tensors that are, `spelled` symbols that stand for some tensors."""

    def __init__(self, symmetric: frozenset[str], spelled: Mapping[str, Symbol] | None = None) -> None:
        self._symmetric = symmetric
        self._spelled = spelled or {}
        self._known: dict[tuple[Tree, tuple[Index, ...]], Expr] = {}

    def oriented(self, tree: Tree, axes: Axes) -> Expr:
        """The tree over the axes: a scalar, a column, or a matrix; along axes that it lacks it is repeated."""
        key = (tree, tuple(axes))
        if key not in self._known:
            self._known[key] = self._convert(tree, axes)
        return self._known[key]

    def valued(self, tree: Tree) -> Piece:
        """The tree over its own indices, in the order that needs fewer transposes."""
        axes = self._free(tree)
        if len(axes) < 2:
            return Piece(self.oriented(tree, axes), axes)
        turned = axes[::-1]
        first, second = self.oriented(tree, axes), self.oriented(tree, turned)
        return Piece(first, axes) if transposes(first) <= transposes(second) else Piece(second, turned)

    def _free(self, tree: Tree) -> tuple[Index, ...]:
        if len(tree.free) > 2:
            match tree:
                case Ref():
                    raise three_axes(tree.name, len(tree.indices))
                case Eye():
                    raise _computed()
                case Call() | Over():
                    what = f"{tree.fn}(..)"
                case _:
                    what = "a part of the formula"
            raise NotationError(f"{what} has {len(tree.free)} indices, and a matrix has two", hint=HINT)
        return tree.free

    def _convert(self, tree: Tree, axes: Axes) -> Expr:
        match tree:
            case Sum() if len(axes) == 2:
                return fewest(self._sum(tree, axes), transpose(self._sum(tree, axes[::-1])))
            case Sum():
                return self._sum(tree, axes)
            case Product():
                return self._term(tree, axes)
            case _:
                return self._laid(self._atom(tree), axes)

    def _sum(self, tree: Sum, axes: Axes) -> Expr:
        return total([self._term(term, axes) for term in tree.terms], _shape(axes))

    def _laid(self, piece: Piece, axes: Axes) -> Expr:
        """A piece over axes, repeated along those that it lacks."""
        match piece.expr:
            case Number(value=value) if axes:
                return Full(value, _shape(axes))
        if tuple(axes) == piece.axes:
            return piece.expr
        return contract(ONE, [piece], (), axes)

    def _term(self, product: Product, axes: Axes) -> Expr:
        """A product over axes; a sum of three indices in it is multiplied out."""
        if not product.factors and not product.divisors and axes:
            return Full(product.coefficient, _shape(axes))
        parts = expanded(product)
        if len(parts) == 1:
            return contract(product.coefficient, self.pieces(product), product.bound, axes)
        return total([self._term(part, axes) for part in parts], _shape(axes))

    def pieces(self, product: Product) -> list[Piece]:
        """The factors and divisors of a product."""
        above = [piece for factor in product.factors for piece in self._factor(factor)]
        return above + [_inverted(self.valued(divisor)) for divisor in product.divisors]

    def _factor(self, tree: Tree) -> list[Piece]:
        if isinstance(tree, Fill):
            return [Piece(Ones(index.size), (index,)) for index in tree.indices]
        return [self.valued(tree)]

    def _atom(self, tree: Tree) -> Piece:
        match tree:
            case NumberTree():
                return Piece(Number(tree.value), ())
            case SizeOf():
                return Piece(Length(tree.size), ())
            case Ref():
                return self._ref(tree)
            case Eye():
                return self._eye(tree)
            case Fill():
                return self._broadcast(tree)
            case Call():
                return self._call(tree)
            case Over():
                return self._over(tree)
            case PowerTree():
                axes = self._oriented_by(tree.base, tree.exponent, tree)
                return Piece(_power(self._argument(tree.base, axes), self._argument(tree.exponent, axes)), axes)
            case Position():
                raise NotationError("the number of an index is no matrix: positions are compared", hint=HINT)
            case _:
                raise TypeError(f"unknown tree {type(tree).__name__}")

    def _broadcast(self, tree: Fill) -> Piece:
        axes = self._free(tree)
        return Piece(contract(ONE, self._factor(tree), (), axes), axes)

    def _ref(self, tree: Ref) -> Piece:
        axes = [place for place in tree.indices if isinstance(place, Index)]
        if len(axes) < len(tree.indices):
            raise NotationError(
                f"{tree.name} is read at computed positions (a convolution, a gather, or a flattening)", hint=HINT
            )
        keeps = matrix_row(tree.fn).keeps if tree.fn else len(axes)
        if len(axes) > 2 or keeps < len(axes):
            raise three_axes(tree.name, len(axes) + (2 - keeps if tree.fn else 0))
        expr: Expr = self._spelled.get(tree.name) or self._symbol(tree.name, axes, tree.fn)
        if tree.fn:
            expr = Function(tree.fn, expr, tree.name in self._symmetric and tree.fn == "inv")
        if len(axes) == 2 and axes[0] is axes[1]:
            return Piece(diagonal(expr), (axes[0],))
        return Piece(expr, tuple(axes))

    def _symbol(self, name: str, axes: Axes, fn: str) -> Symbol:
        if not fn:
            return Symbol(name, _shape(axes), name in self._symmetric)
        side = axes[0].size if axes else "n"
        return Symbol(name, (side, side), name in self._symmetric)

    def _eye(self, tree: Eye) -> Piece:
        first, second = tree.indices
        if not isinstance(first, Index) or not isinstance(second, Index):
            raise _computed()
        return Piece(Identity(first.size), (first, second))

    def _oriented_by(self, *trees: Tree) -> tuple[Index, ...]:
        """The order of the indices of the last tree in which the first one that has both reads best."""
        axes = self._free(trees[-1])
        for tree in trees[:-1]:
            if len(tree.free) == 2:
                return self.valued(tree).axes
        return axes

    def _argument(self, tree: Tree, axes: Axes) -> Expr:
        """An argument of an elementwise function: a number stands for itself."""
        if isinstance(tree, NumberTree):
            return Number(tree.value)
        return self.oriented(tree, axes)

    def _call(self, tree: Call) -> Piece:
        axes = self._oriented_by(*tree.args, tree)
        return Piece(Apply(tree.fn, tuple(self._argument(arg, axes) for arg in tree.args)), axes)

    def _over(self, tree: Over) -> Piece:
        if len(tree.body.free) > 2:
            self._free(tree.body)
        body = self.valued(tree.body)
        axes = tuple(index for index in body.axes if tree.keeps or index not in tree.over)
        whole = set(tree.over) == set(body.axes)
        how = "" if whole else "rows" if tree.over == body.axes[1:] else "columns"
        if not _says_its_size(body.expr):
            raise NotationError(f"{tree.fn} of ones and numbers alone does not say of how many", hint=HINT)
        return Piece(Along(tree.fn, how, body.expr, tree.keeps), axes)


def _shape(axes: Axes) -> Shape:
    match tuple(axes):
        case ():
            return SCALAR
        case (i,):
            return i.size, None
        case (i, j):
            return i.size, j.size
        case _:
            raise TypeError("a matrix has two axes")


def _computed() -> NotationError:
    return NotationError("a delta of computed positions is no identity matrix", hint=HINT)


def _says_its_size(expr: Expr) -> bool:
    """Whether a column or a matrix holds a tensor, and not only ones, numbers and scalars."""
    stack = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, Symbol) and not is_scalar(part):
            return True
        stack.extend(one for one in below(part) if not is_scalar(one))
    return False


def expanded(product: Product) -> list[Product]:
    """A product, multiplied out as far as it has sums of more than two indices."""
    for k, factor in enumerate(product.factors):
        if isinstance(factor, Sum) and len(factor.free) > 2:
            others = product.factors[:k] + product.factors[k + 1 :]
            return [part for term in factor.terms for part in expanded(_times(product, term, others))]
    return [product]


def _times(product: Product, term: Product, others: tuple[Tree, ...]) -> Product:
    """product with a term in place of the sum that was among its factors."""
    return Product(
        exact(product.coefficient * term.coefficient),
        (*others, *term.factors),
        (*product.divisors, *term.divisors),
        (*product.bound, *term.bound),
    )


def _inverted(piece: Piece) -> Piece:
    """1 / a piece, entry by entry; scalars in front of it go to the other side of the line."""
    number, above, below, body = split(piece.expr)
    if body is None or number == 0:
        return Piece(scaled(ONE, (), (piece.expr,)), piece.axes)
    return Piece(scaled(exact(1 / number), below, above, Ratio(Number(ONE), body)), piece.axes)


def _power(base: Expr, exponent: Expr) -> Expr:
    if is_scalar(base) and not is_scalar(exponent) and not isinstance(base, Number):
        base = chain(base, Ones(exponent.shape[0] or 1))
    return Power(base, exponent)
