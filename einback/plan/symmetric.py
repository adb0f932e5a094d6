"""Products of a tensor with itself, IR to IR: written so that both operands are one array, NumPy needs half the work.

    X' D X          = B' B, B = sqrt(D) X               (D known not to be negative)
    sum x^2         = sum (x . x)                       (a dot product along the last axis)

Of one buffer and its transpose, NumPy's matmul computes the half above the diagonal (BLAS's syrk) and copies it. The
Hessians of generalised linear models are such products, with D = p (1 - p) or exp(z). The error stays that of the
product, some roundings an entry: none of the terms added up is negative on the diagonal, and sqrt rounds once. Where D
is zero, infinite or NaN, both sides are so in the same places.

A square that is only summed is not formed, which for a large array saves its memory and most of its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from einback.ir.build import einsum, power
from einback.ir.nodes import Const, Einsum, Map, Node, Ones
from einback.ir.walk import postorder, transform
from einback.plan.binding import Sizes, resolve
from einback.plan.dtypes import SINGLE, DType
from einback.plan.product import Labels, Term
from einback.plan.units import is_sum_of_squares
from einback.rules.relations import is_relation
from einback.rules.scalar import row
from einback.rules.signs import is_even, never_negative

__all__ = ["symmetric"]

_WORTH_HALVING = 64**3  # multiplications of a product, from which half of them are worth a root
_WORTH_ROWS = 32  # rows of the result, below which BLAS gains nothing from symmetry
_WORTH_A_DOT = 64  # entries of the last axis, below which a dot product for each row costs more than the square
_LARGE = 1 << 14  # entries of an array, from which its square is not formed for its sum


def symmetric(roots: Sequence[Node], sizes: Sizes, dtypes: Mapping[Node, DType]) -> dict[Node, Node]:
    """What each node below the roots becomes; `dtypes` are theirs, and only products of real floats are rewritten.

    Sums of squares to a negative power stay as they are: `einback.plan.units` looks for norms there.
    """
    norms = {*postorder(filter(is_sum_of_squares, map(_inverted, filter(_is_inverse, postorder(roots)))))}

    def visit(old: Node, node: Node) -> Node:
        dtype = dtypes.get(old)
        if not isinstance(node, Einsum) or dtype is None or dtype.kind != "f" or dtype.itemsize < SINGLE.itemsize:
            return node
        return (None if old in norms else _sum_of_squares(node, sizes)) or _halved(node, sizes) or node

    return transform(roots, visit)


def _is_inverse(node: Node) -> bool:
    return isinstance(node, Map) and node.fn == "power" and isinstance(node.args[1], Const) and node.args[1].value < 0


def _inverted(node: Node) -> Node:
    assert isinstance(node, Map)
    return node.args[0]


def _sum_of_squares(node: Einsum, sizes: Sizes) -> Node | None:
    """sum x^2 as dot products along the last axis, added up: no square is formed, and pairwise sums stay accurate."""
    scalars = [operand for operand in node.operands if not operand.rank]
    match [term for term in zip(node.operands, node.labels, strict=True) if term[0].rank]:
        case [(Map(fn="power", args=(x, Const(value))), labels)] if value == 2 and x.rank > 1:
            lengths = resolve(x.shape, sizes)
            if len({*labels}) < x.rank or lengths[-1] < _WORTH_A_DOT or prod(lengths) < _LARGE:
                return None
            if labels[-1] in node.out or not {*node.out} <= {*labels} or len({*node.out}) < len(node.out):
                return None
            rows = einsum([x, x], [labels, labels], labels[:-1])
            return einsum([rows, *scalars], [labels[:-1], *((),) * len(scalars)], node.out)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _Sides:
    """A product as left * between * scalars * right, where `across` takes the labels of the left to the right."""

    left: tuple[Term, ...]
    between: tuple[Term, ...]
    scalars: tuple[Node, ...]
    across: Mapping[int, int]


def _halved(node: Einsum, sizes: Sizes) -> Node | None:
    """X' D X as B' B, where a product is that, and is large."""
    sides = _sides(node)
    if sides is None or not all(never_negative(factor) for factor, _ in sides.between):
        return None
    lengths = resolve(node.sizes, sizes)
    own = {label for _, labels in sides.left for label in labels}
    rows = prod(lengths[label] for label in own if label in sides.across)
    summed = prod(lengths[label] for label in own if label not in node.out)
    batches = {frozenset(labels).intersection(node.out) - own for _, labels in sides.between} - {frozenset()}
    if len(batches) > 1:
        return None  # the root would have the batches of all
    if rows < _WORTH_ROWS or summed < rows or summed * rows**2 < _WORTH_HALVING:
        return None
    factors = [*sides.left, *_roots(sides.between, own | {*node.out})]
    present = [label for _, labels in factors for label in labels]
    batch = [label for label in node.out if label in present and label not in sides.across]
    axes = tuple(dict.fromkeys([*batch, *present]))
    if len(factors) + len(sides.scalars) == 1:
        return None  # X' X as it stands
    half = einsum([op for op, _ in factors], [labels for _, labels in factors], axes)
    gram = einsum([half, half], [axes, [sides.across.get(label, label) for label in axes]], node.out)
    return einsum([gram, *sides.scalars], [node.out, *((),) * len(sides.scalars)], node.out)


def _roots(factors: Sequence[Term], wanted: set[int]) -> Iterator[Term]:
    """Factors whose product, squared, is that of the given ones, summed over labels that are not wanted.

    Masks are their own roots, and of powers the exponent is halved: a negative power has to be seen beside what it
    divides, since x / |x| counts as 0 at 0 (`einback.plan.units`).
    """
    together: list[Term] = []
    for factor, labels in factors:
        whole = wanted.issuperset(labels)
        match factor:
            case Map(fn="power", args=(base, Const(value))) if whole and (is_even(value) or never_negative(base)):
                yield power(base, value / 2), labels
            case Map(fn=fn) if whole and row(fn).predicate:
                yield factor, labels
            case _:
                together.append((factor, labels))
    if together:
        kept = tuple(dict.fromkeys(label for _, labels in together for label in labels if label in wanted))
        middle = einsum([op for op, _ in together], [labels for _, labels in together], kept)
        yield power(middle, Fraction(1, 2)), kept


def _sides(node: Einsum) -> _Sides | None:
    """Tensors that stand in a product twice, with other labels that the result keeps, are its sides."""
    places: dict[Node, list[Labels]] = {}
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Ones) or is_relation(operand) or len(set(labels)) < len(labels):
            return None
        if operand.rank:
            places.setdefault(operand, []).append(labels)
    twice = [(operand, labels) for operand, labels in places.items() if len(labels) == 2]
    if not twice or len(set(node.out)) < len(node.out) or any(len(labels) > 2 for labels in places.values()):
        return None
    across: dict[int, int] = {}
    for _, pair in twice:
        for one, other in zip(*pair, strict=True):
            if one != other and (across.setdefault(one, other), across.setdefault(other, one)) != (other, one):
                return None
    if not across or not across.keys() <= set(node.out):
        return None
    first = {label for label in across if node.out.index(label) < node.out.index(across[label])}
    left: list[Term] = []
    for operand, pair in twice:
        chosen = [labels for labels in pair if first.issuperset(label for label in labels if label in across)]
        if len(chosen) != 1:
            return None
        left.append((operand, chosen[0]))
    if len({frozenset(label for label in labels if label not in across) for _, labels in left}) > 1:
        return None  # such as (X' X) o (Z' Z), whose sums are apart
    between = [(operand, labels[0]) for operand, labels in places.items() if len(labels) == 1]
    if any(label in across for _, labels in between for label in labels):
        return None
    scalars = [operand for operand in node.operands if not operand.rank]
    return _Sides(tuple(left), tuple(between), tuple(scalars), across)
