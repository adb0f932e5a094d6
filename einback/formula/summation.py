"""Which sums go without saying, under the text's summation rule.

The rule (see `einback.notation`): an index that is neither on the left nor bound by a reduction is summed
over the smallest term that holds all its occurrences. Terms are the summands of a sum, and whole sums: a
right-hand side, an argument, a pair of parentheses. So `x[i]^2` needs no sign, `exp(x[i])` would sum inside
the exponential, and `(a[i] + b) c` would sum a alone.

`settled` keeps a sum implicit where the rule puts it at its own place, or at one that gives the same value
(a factor in parentheses that holds every occurrence: multiplication is linear). Every other sum becomes
`sum[i](..)` around the one factor that holds the index. Afterwards parallel terms share their summed
indices, `A[i,j] x[j] + A[j,i] x[j]`, which is one sum over j of the whole, with the same value.
"""

from __future__ import annotations

from dataclasses import replace

from einback.formula.tree import ONE, Call, Index, Over, Power, Product, Sum, Tree, renamed_product
from einback.ir.sizes import Size
from einback.rules.scalar import row

__all__ = ["settled"]


def settled(tree: Tree) -> Tree:
    """The tree, standing as a term of its own, with the sums that the rule would misplace made explicit."""
    match tree:
        case Sum():
            return _shared(Sum(tuple(_product(term) for term in tree.terms), tree.bound))
        case Product():
            return _bare(_product(tree))
        case Call():
            return Call(tree.fn, tuple(settled(arg) for arg in tree.args))
        case Over():
            return Over(tree.fn, tree.over, settled(tree.body), tree.keeps)
        case Power():
            return Power(_tight(tree.base), _tight(tree.exponent))
        case _:
            return tree


def _bare(product: Product) -> Tree:
    """A product as a term of its own: its only factor, if nothing else is said."""
    if not product.plain:
        return product
    lone = product.factors[0]
    if isinstance(lone, Sum):
        return Sum(lone.terms, (*lone.bound, *product.bound))
    return product if product.bound else lone


def _tight(tree: Tree) -> Tree:
    """A tree that binds tighter than a product: a sum over a lone factor has no parentheses to live in."""
    result = settled(tree)
    if isinstance(result, Product) and result.plain and result.bound:
        return Over("sum", result.bound, result.factors[0])
    return result


def _product(product: Product) -> Product:
    """The product with its parts settled, and `sum[..]` around a part that alone holds an index it would keep."""
    implicit = list(product.bound)
    parts = [_tight(part) for part in (*product.factors, *product.divisors)]
    above: list[Tree] = []
    below: list[Tree] = []
    for k, part in enumerate(parts):
        factor = k < len(product.factors)
        over = tuple(
            index
            for index in product.bound
            if index in part.free
            and not any(index in other.free for other in parts if other is not part)
            and not _stays(part, index, factor)
        )
        implicit = [index for index in implicit if index not in over]
        if over:
            above.append(Over("sum", over, part if factor else Product(ONE, (), (part,))))
        else:
            (above if factor else below).append(part)
    return Product(product.coefficient, tuple(above), tuple(below), tuple(implicit))


def _stays(tree: Tree, index: Index, factor: bool) -> bool:
    """Whether the sum over an index that stands in this part of a product alone has the value of the product's.

    `factor` says that the part is a factor, in which the product is linear.
    """
    match tree:
        case Sum() if factor:
            return sum(index in term.free for term in tree.terms) > 1
        case Power():
            base, exponent = index in tree.base.free, index in tree.exponent.free
            if base and exponent:
                return True
            if tree.root:
                return False
            return _stays(tree.base if base else tree.exponent, index, factor=False)
        case Call():
            # A comparison is a term of its own, as if in parentheses.
            return (factor or not row(tree.fn).predicate) and sum(index in arg.free for arg in tree.args) > 1
        case Over():
            return tree.keeps and index in tree.over
        case Sum() | Product():
            return False
        case _:
            return True


def _shared(total: Sum) -> Sum:
    """Parallel terms sum over the same indices, as far as every term has one of that size.

    Tensors that are summed one by one keep indices of their own: `a[i] + b[j]` has two sums, `a[i] + b[i]` one.
    """
    first, *others = total.terms
    if sum(len(term.factors) + len(term.divisors) < 2 for term in total.terms) > 1:
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
