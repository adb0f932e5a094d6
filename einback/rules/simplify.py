"""Simplification: the tables of rules, by node kind, and the two normal forms.

`simplify` is applied to what derivatives make: structure is contracted away, numbers and like terms are
collected, unstable forms are replaced. Contractions that feed contractions stay separate, because other
derivatives may share them. `normalise` merges those too where nothing shares them; planning and printing
start from it.

    >>> from einback.ir.nodes import Input
    >>> from einback.ir.build import einsum
    >>> A, x = Input("A", ("n", "n"), ()), Input("x", ("n",), ())
    >>> simplify([einsum([A, x], ["ij", "j"], "i")]) == simplify([einsum([x, A], ["j", "ij"], "i")])
    True
"""

from __future__ import annotations

from collections.abc import Sequence

from einback.ir.nodes import Add, Delta, Einsum, Map, Node, Reduce
from einback.rules.algebra import (
    collect_terms,
    common_scalars,
    common_weight,
    difference_of_exponential,
    exponentials,
    flatten_sum,
    fold_numbers,
    logarithms,
    powers,
    scaled_sum,
    trivial_choice,
)
from einback.rules.engine import Rule, rewrite
from einback.rules.orientation import straighten, turn_map, turn_reduction, turn_sum
from einback.rules.products import (
    canonical_order,
    collect_powers,
    distribute_diagonals,
    masked_relu,
    masks_select,
    pull_numbers,
    softmax_of_exponentials,
    sum_of_contractions,
)
from einback.rules.relations import relate
from einback.rules.structure import (
    delta_alone,
    diagonal_inward,
    drop_deltas,
    drop_ones,
    hoist_broadcast,
    hoist_diagonal,
    merge_nested,
    peel_operands,
)

__all__ = ["LOCAL", "SHARING", "normalise", "simplify"]

LOCAL: dict[type[Node], tuple[Rule, ...]] = {
    Delta: (delta_alone,),
    Einsum: (
        drop_deltas,
        pull_numbers,
        drop_ones,
        peel_operands,
        relate,
        diagonal_inward,
        collect_powers,
        softmax_of_exponentials,
        masked_relu,
        masks_select,
        canonical_order,
    ),
    Add: (
        collect_terms,
        common_weight,
        common_scalars,
        difference_of_exponential,
        hoist_broadcast,
        hoist_diagonal,
        turn_sum,
    ),
    Map: (fold_numbers, powers, logarithms, exponentials, trivial_choice, hoist_broadcast, turn_map),
    Reduce: (turn_reduction,),
}

SHARING: dict[type[Node], tuple[Rule, ...]] = {
    Einsum: (distribute_diagonals, merge_nested, sum_of_contractions),
    Add: (flatten_sum, scaled_sum),
}


def simplify(roots: Sequence[Node]) -> tuple[Node, ...]:
    """The roots in the normal form that derivatives are kept in."""
    return tuple(map(straighten, rewrite(roots, LOCAL, SHARING, merging=False)))


def normalise(roots: Sequence[Node]) -> tuple[Node, ...]:
    """The roots in the normal form that is planned and printed: unshared contractions are one Einsum."""
    separate = rewrite(roots, LOCAL, SHARING, merging=False)
    return tuple(map(straighten, rewrite(separate, LOCAL, SHARING, merging=True)))
