"""Which sums go without saying, under the text's summation rule.

The rule (see `einback.notation.scopes`): an index that is neither on the left nor bound by a reduction is
summed over the smallest term that holds all its occurrences, a term being a whole product between + and -. So
`x[i]^2` and `(a[i] - b[i])^2` need no sign, and `(a[i] + b) c` would sum a alone. Inside a function, a power or
a denominator a sum goes without saying only if two factors contract: `exp(x[i] y[i])`, but `exp(sum[i](x[i]))`.
What the notation refuses as ambiguous (`einback.notation.ambiguity`) has its sum written out.

`settled` keeps a sum implicit where the rule puts it at its own place, or at one that gives the same value.
Every other sum becomes `sum[i](..)` around the factors that hold the index. Afterwards parallel terms share
their summed indices, `A[i,j] x[j] + A[j,i] x[j]`, which is one sum over j of the whole, with the same value;
but not inside a function, where the sum would go around it.

`linear` says of a tree that the right-hand side is linear in it, so that its sums may as well stand further out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto

from einback.formula.tree import ONE, Call, Index, Over, Power, Product, Ref, Sum, Tree, renamed_product, subtrees
from einback.ir.sizes import Size

__all__ = ["bracketed", "settled", "summed"]


def settled(tree: Tree, linear: bool = True) -> Tree:
    """The tree, standing as a term of its own, with the sums that the rule would misplace made explicit."""
    match tree:
        case Sum():
            total = Sum(tuple(_product(term, linear) for term in tree.terms), tree.bound)
            return _shared(total) if linear else total
        case Product():
            return _bare(_product(tree, linear))
        case Call():
            return Call(tree.fn, tuple(settled(arg, linear=False) for arg in tree.args))
        case Over():
            return Over(tree.fn, tree.over, settled(tree.body, linear and tree.fn == "sum"), tree.keeps)
        case Power():
            return Power(_tight(tree.base, linear=False), _tight(tree.exponent, linear=False))
        case _:
            return tree


def summed(tree: Tree) -> Iterator[Index]:
    """The indices over which sums go without saying."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Product | Sum):
            yield from part.bound
        stack.extend(subtrees(part))


def bracketed(tree: Tree) -> Tree:
    """The tree with `sum[..]` wherever a sum goes without saying."""
    match tree:
        case Sum():
            total = Sum(tuple(_bracketed_product(term) for term in tree.terms))
            return Over("sum", tree.bound, total) if tree.bound else total
        case Product():
            return _bracketed_product(tree)
        case Call():
            return Call(tree.fn, tuple(map(bracketed, tree.args)))
        case Over():
            return replace(tree, body=bracketed(tree.body))
        case Power():
            return Power(bracketed(tree.base), bracketed(tree.exponent))
        case _:
            return tree


def _bracketed_product(product: Product) -> Product:
    factors, divisors = (tuple(map(bracketed, parts)) for parts in (product.factors, product.divisors))
    product = replace(product, factors=factors, divisors=divisors)
    return _summed(product) if product.bound else product


def _bare(product: Product) -> Tree:
    """A product as a term of its own: its only factor, if nothing else is said."""
    if not product.plain:
        return product
    lone = product.factors[0]
    if isinstance(lone, Sum):
        return Sum(lone.terms, (*lone.bound, *product.bound))
    return product if product.bound else lone


def _tight(tree: Tree, linear: bool) -> Tree:
    """A tree that binds tighter than a product: a sum over a lone factor has no parentheses to live in."""
    result = settled(tree, linear)
    if isinstance(result, Product) and result.plain and result.bound:
        return Over("sum", result.bound, result.factors[0])
    return result


def _product(product: Product, linear: bool) -> Product:
    """The product with its parts settled, and `sum[..]` around what the rule would sum elsewhere or not at all."""
    above = [_tight(part, linear) for part in product.factors]
    below = [_tight(part, linear=False) for part in product.divisors]
    parts = [*((part, False) for part in above), *((part, True) for part in below)]
    holders = {index: [k for k, (part, _) in enumerate(parts) if index in part.free] for index in product.bound}
    implicit = list(product.bound)
    factors: list[Tree] = []
    divisors: list[Tree] = []
    for k, (part, divides) in enumerate(parts):
        over = tuple(
            index
            for index, held in holders.items()
            if held == [k] and (divides or not linear or not _goes_without(part, index))
        )
        implicit = [index for index in implicit if index not in over]
        if over:
            factors.append(Over("sum", over, Product(ONE, (), (part,)) if divides else part))
        else:
            (divisors if divides else factors).append(part)
    return _contracted(Product(product.coefficient, tuple(factors), tuple(divisors), tuple(implicit)), linear)


def _contracted(product: Product, linear: bool) -> Product:
    """The product, summed without a sign only if enough of its factors have the index, and none contracts inside."""
    enough = 1 if linear else 2
    if all(
        sum(index in factor.free for factor in product.factors) >= enough
        and _contraction(product, index) is not _Found.CLASHES
        for index in product.bound
    ):
        return product
    return _summed(product)


def _summed(product: Product) -> Product:
    """The product with `sum[..]` around the parts that hold what it is summed over."""

    def held(parts: tuple[Tree, ...], inside: bool) -> tuple[Tree, ...]:
        return tuple(part for part in parts if inside is not set(part.free).isdisjoint(product.bound))

    inner = Over("sum", product.bound, Product(ONE, held(product.factors, True), held(product.divisors, True)))
    return Product(product.coefficient, (*held(product.factors, False), inner), held(product.divisors, False))


def _goes_without(factor: Tree, index: Index) -> bool:
    """Whether an index that a factor of the right-hand side alone has can be summed over the product in silence."""
    return (
        _ends_outside(factor, index) and not _lacks(factor, index) and _contraction(factor, index) is not _Found.CLASHES
    )


class _Found(Enum):
    """Whether a tree has products that look like contractions over an index, which ends further out."""

    NOWHERE = auto()
    WHOLE = auto()  # the tree is linear in them: a sum there and a sum outside are the same
    CLASHES = auto()


def _contraction(tree: Tree, index: Index) -> _Found:
    found = [_contraction(part, index) for part in subtrees(tree) if index in part.free]
    if _Found.CLASHES in found:
        return _Found.CLASHES
    contracts = _Found.WHOLE in found
    match tree:
        case Product():
            multiplied = sum(index in factor.free for factor in tree.factors)
            if contracts and (len(found) > 1 or not multiplied):
                return _Found.CLASHES
            return _Found.WHOLE if contracts or multiplied > 1 else _Found.NOWHERE
        case Sum():
            return _Found.WHOLE if found and set(found) == {_Found.WHOLE} else _Found.NOWHERE
        case Over(fn="sum"):
            return found[0]
        case _:
            return _Found.CLASHES if contracts else _Found.NOWHERE


def _ends_outside(tree: Tree, index: Index) -> bool:
    """Whether no term inside a part of a product holds all that the part has of an index."""
    match tree:
        case Sum() | Product():
            return _is_spread(tree, index)
        case Call():
            holding = [arg for arg in tree.args if index in arg.free]
            return len(holding) > 1 or _is_spread(holding[0], index)
        case Over():
            return (tree.keeps and index in tree.over) or _is_spread(tree.body, index)
        case Power():
            base, exponent = index in tree.base.free, index in tree.exponent.free
            if base and exponent:
                return True
            if tree.root or (base and isinstance(tree.base, Power)):  # these stand in parentheses
                return _is_spread(tree.base, index)
            return _ends_outside(tree.base if base else tree.exponent, index)
        case _:
            return True


def _is_spread(tree: Tree, index: Index) -> bool:
    """Whether what stands in parentheses has an index in several summands."""
    return isinstance(tree, Sum) and sum(index in term.free for term in tree.terms) > 1


def _lacks(tree: Tree, index: Index) -> bool:
    """Whether a summand of a factor lacks the index, and would be counted as often as it has values."""
    match tree:
        case Sum():
            return any(index not in term.free or _lacks(term, index) for term in tree.terms)
        case Product():
            holding = [part for part in (*tree.factors, *tree.divisors) if index in part.free]
            return len(holding) == 1 and holding[0] in tree.factors and _lacks(holding[0], index)
        case Over(fn="sum"):
            return _lacks(tree.body, index)
        case _:
            return False


def _shared(total: Sum) -> Sum:
    """Parallel terms sum over the same indices, as far as every term has one of that size.

    Tensors that are summed one by one keep indices of their own: `a[i] + b[j]` has two sums, `a[i] + b[i]` one.
    """
    first, *others = total.terms
    if sum(isinstance(term.factors[0], Ref) for term in total.terms if len(term.factors) == 1) > 1:
        return total
    free: list[dict[Size, list[Index]]] = [_by_size(term) for term in total.terms]
    terms = [first]
    kept: list[Index] = []
    for size, indices in free[0].items():
        kept += indices[: min(len(own.get(size, ())) for own in free)]
    for term, own in zip(others, free[1:], strict=True):
        to: dict[Index, Index] = {}
        for size, indices in own.items():
            common = [index for index in kept if index.size == size]
            to.update(zip(indices, common, strict=False))
        terms.append(_released(term, to))
    terms[0] = _released(first, {index: index for index in kept})
    return Sum(tuple(terms), (*total.bound, *kept))


def _released(term: Product, to: dict[Index, Index]) -> Product:
    """The term without the sums over the keys of `to`, which become its free indices under other names."""
    bound = tuple(index for index in term.bound if index not in to)
    return renamed_product(replace(term, bound=bound), to)


def _by_size(term: Product) -> dict[Size, list[Index]]:
    """The implicitly summed indices of a term, in reading order."""
    found: dict[Size, list[Index]] = {}
    for index in replace(term, bound=()).free:
        if index in term.bound:
            found.setdefault(index.size, []).append(index)
    return found
