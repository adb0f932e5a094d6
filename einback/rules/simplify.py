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
from weakref import WeakKeyDictionary

from einback.ir.nodes import Add, Delta, Einsum, Map, Matrix, Node, Reduce
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
from einback.rules.common import common_factors
from einback.rules.complex import (
    conjugate_inward,
    conjugate_of_function,
    conjugate_of_reduction,
    conjugate_outward,
    conjugate_unshared,
    modulus_times_sign,
    numbers_of_power,
    product_of_numbers,
    real_parts,
    sum_with_conjugate,
)
from einback.rules.engine import Rule, Settled, rewrite
from einback.rules.facts import (
    cancel_orthogonal,
    embed_diagonal,
    logarithm_of_positive,
    matrix_of_facts,
    positive_values,
    read_diagonal,
    turn_declared,
)
from einback.rules.inverses import (
    cancel_inverses,
    function_of_broadcast,
    function_of_diagonal,
    function_of_inverse,
    function_of_multiple,
    log_of_determinant,
)
from einback.rules.masks import brackets_select
from einback.rules.opposites import complementary_choices, complementary_sigmoids
from einback.rules.orientation import straighten, turn_map, turn_matrix, turn_reduction, turn_sum
from einback.rules.products import (
    canonical_order,
    collect_powers,
    distribute_diagonals,
    masked_relu,
    masks_select,
    power_of_product,
    pull_numbers,
    softmax_of_exponentials,
    sum_of_contractions,
)
from einback.rules.relations import relate
from einback.rules.rows import rows_apart, sum_of_rows
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
from einback.rules.symmetry import drop_transpose

__all__ = ["LOCAL", "SHARING", "legible", "normalise", "simplify"]

LOCAL: dict[type[Node], tuple[Rule, ...]] = {
    Delta: (delta_alone,),
    Einsum: (
        drop_deltas,
        pull_numbers,
        drop_ones,
        peel_operands,
        relate,
        sum_of_rows,
        cancel_inverses,
        cancel_orthogonal,
        read_diagonal,
        diagonal_inward,
        product_of_numbers,
        modulus_times_sign,
        collect_powers,
        softmax_of_exponentials,
        masked_relu,
        brackets_select,
        masks_select,
        conjugate_outward,
        canonical_order,
        turn_declared,
        drop_transpose,
    ),
    Add: (
        collect_terms,
        complementary_choices,
        embed_diagonal,
        sum_with_conjugate,
        common_weight,
        common_scalars,
        conjugate_outward,
        difference_of_exponential,
        hoist_broadcast,
        hoist_diagonal,
        turn_sum,
    ),
    Map: (
        real_parts,
        positive_values,
        logarithm_of_positive,
        fold_numbers,
        numbers_of_power,
        powers,
        power_of_product,
        logarithms,
        log_of_determinant,
        exponentials,
        trivial_choice,
        hoist_broadcast,
        turn_map,
        conjugate_of_function,
        conjugate_inward,
    ),
    Reduce: (turn_reduction, conjugate_of_reduction),
    Matrix: (
        matrix_of_facts,
        function_of_inverse,
        function_of_multiple,
        function_of_diagonal,
        function_of_broadcast,
        turn_matrix,
    ),
}

SHARING: dict[type[Node], tuple[Rule, ...]] = {
    Einsum: (distribute_diagonals, rows_apart, merge_nested, sum_of_contractions),
    Add: (flatten_sum, scaled_sum, common_factors),
    Map: (conjugate_unshared,),
}

# A program is simplified many times: before and after each derivative, and when it is compiled or printed. What no
# local rule changes is the same everywhere, so that a node is looked at once as long as it lives.
_SETTLED: Settled = WeakKeyDictionary()


def simplify(roots: Sequence[Node]) -> tuple[Node, ...]:
    """The roots in the normal form that derivatives are kept in."""
    return tuple(map(straighten, rewrite(roots, LOCAL, SHARING, merging=False, settled=_SETTLED)))


def normalise(roots: Sequence[Node]) -> tuple[Node, ...]:
    """The roots in the normal form that is planned and printed: unshared contractions are one Einsum."""
    separate = rewrite(roots, LOCAL, SHARING, merging=False, settled=_SETTLED)
    return tuple(map(straighten, rewrite(separate, LOCAL, SHARING, merging=True, settled=_SETTLED)))


def legible(roots: Sequence[Node]) -> tuple[Node, ...]:
    """The normal form in which formulas are printed: what runs otherwise for the sake of accuracy is shortened."""
    normal = normalise(roots)
    shown = rewrite(normal, {Add: (complementary_sigmoids,)}, {}, merging=False)
    return normal if shown == normal else normalise(shown)
