"""Contraction orders: valid, cheap, narrow enough for NumPy, exact in their costs."""

import numpy as np
import pytest

from einback.errors import CompileError
from einback.ir.build import einsum
from einback.ir.nodes import Input
from einback.plan.cost import flops
from einback.plan.paths import contraction_path, intermediates


def test_a_path_uses_each_tensor_once() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        count = int(rng.integers(2, 20))
        terms = tuple(tuple(sorted({int(x) for x in rng.integers(0, 12, 3)})) for _ in range(count))
        path = contraction_path(terms, (0,), (2,) * 12)
        used = [k for pair in path for k in pair]
        assert sorted(used) == list(range(2 * count - 2))


def test_the_vector_goes_first() -> None:
    assert contraction_path(((0, 1), (1, 2), (2,)), (0,), (9, 9, 9)) == ((1, 2), (0, 3))


def test_a_label_is_kept_while_another_tensor_or_the_result_needs_it() -> None:
    steps = list(intermediates([(0, 1), (1, 2), (1, 3)], (0, 3), ((0, 1), (2, 3))))
    assert steps == [(0, 1, frozenset({0, 1})), (2, 3, frozenset({0, 3}))]


def test_axes_of_length_one_do_not_pile_up() -> None:
    """Of these, the first two have no label in common: their product would have 80 axes."""
    a, b = tuple(range(40)), tuple(range(40, 80))
    path = contraction_path((a, b, a, b), (), (1,) * 80)
    assert max(len(kept) for _, _, kept in intermediates([a, b, a, b], (), path)) <= 64


def test_what_no_order_can_avoid_is_an_error() -> None:
    a, b, c = tuple(range(40)), tuple(range(40, 80)), ()
    with pytest.raises(CompileError) as error:
        contraction_path((a, b, c), (*a, *b), (1,) * 80)
    assert str(error.value) == (
        "every contraction order tried for 3 operands makes an array of 80 axes; NumPy allows 64"
    )


def test_costs_are_exact() -> None:
    big = Input("T", (10**6,) * 8, ())
    node = einsum([big, big], ["abcdefgh", "abcdefgh"], "")
    assert flops(node, {}) == 2 * 10**48


def test_hundreds_of_operands() -> None:
    terms = tuple((k, k + 1) for k in range(400))
    assert len(contraction_path(terms, (0, 400), (3,) * 401)) == 399
