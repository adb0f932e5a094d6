"""Relations used up: random products with windows and one-hot tensors keep their values, and nothing dense is made."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from einback.ir.build import einsum
from einback.ir.nodes import Add, Einsum, Input, Map, Node, OneHot, Ones, Window
from einback.ir.verify import verify
from einback.ir.walk import postorder
from einback.plan.binary import binary
from einback.plan.plan import make_plan
from einback.plan.views import is_scatter, is_view, relation_at
from tests.interpreter import evaluate
from tests.run.random_relations import arrays_for, products


def kind(node: Einsum) -> str:
    """What a node with a relation is, or a question mark for what must not be left."""
    relations = [op for op in node.operands if isinstance(op, Window | OneHot)]
    if not relations:
        return "plain"
    if is_view(node):
        return "view"
    k = relation_at(node)
    assert k is not None
    data = [op for op in node.operands if not isinstance(op, Ones)]
    if len(relations) > 1 or len(data) > 2 or len(set(node.out)) < len(node.out):
        return "?"
    if is_scatter(node):
        return "scatter"
    gathers = isinstance(node.operands[k], OneHot) and set(range(len(node.sizes))) - set(node.out) == {
        node.labels[k][-1]
    }
    return "gather" if gathers else "?"


def kinds(roots: list[Node]) -> list[str]:
    return [kind(node) for node in postorder(roots) if isinstance(node, Einsum)]


@given(st.data())
def test_random_products_keep_their_values(data: st.DataObject) -> None:
    node, inputs, sizes = data.draw(products())
    arrays = arrays_for(inputs, sizes, data.draw(st.integers(0, 2**32)))
    (want,) = evaluate([node], arrays, sizes)
    new = binary([node], sizes)[node]
    verify([new])
    assert "?" not in kinds([new])
    (got,) = evaluate([new], arrays, sizes)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


x, k, g = Input("x", ("h",), ()), Input("k", ("u",), ()), Input("g", ("n",), ())
inside, padded = (Window("h", ("n", "u"), (1, 1), offset) for offset in (0, -1))
SIZES = {"h": 9, "u": 3, "n": 7, "m": 7}


def cut(node: Node, sizes: dict[str, int] = SIZES) -> list[str]:
    return [one for one in kinds([binary([node], sizes)[node]]) if one != "plain"]


def test_reading_is_a_view_and_padding_one_copy_that_is_shared() -> None:
    assert cut(einsum([x, inside, k], ["p", "piu", "u"], "i")) == ["view"]
    roots = [einsum([x, padded, k], ["p", "piu", "u"], "i"), einsum([x, padded, g], ["p", "piu", "i"], "u")]
    image = binary(roots, SIZES | {"n": 9, "u": 3})
    copies = [node for node in postorder(image[root] for root in roots) if is_scatter(node)]
    assert [node.shape for node in copies] == [(11,)]


def test_adding_up_is_one_scatter_of_a_contraction() -> None:
    assert cut(einsum([g, inside, k], ["i", "piu", "u"], "p")) == ["scatter"]
    assert cut(einsum([g, inside], ["i", "piu"], "p")) == ["scatter"]


def test_windows_back_to_back_add_up_and_are_read() -> None:
    other = Window("h", ("m", "u"), (1, 1), 0)
    assert cut(einsum([g, inside, k, other], ["i", "piu", "u", "pjv"], "jv")) == ["scatter", "view"]


def test_a_toeplitz_matrix_is_a_view_of_a_vector() -> None:
    node = einsum([inside, k], ["piu", "u"], "pi")
    plan = make_plan([node], sizes=SIZES, arrays={"k": np.dtype(float)})
    assert cut(node) == ["scatter", "view"]
    assert [step.nbytes for step in plan.steps] == [15 * 8]  # 9 + 7 - 1 entries


def test_a_window_as_a_result_is_a_view_of_a_unit_vector() -> None:
    node = einsum([inside], ["piu"], "uip")
    plan = make_plan([node], sizes=SIZES, arrays={})
    assert plan.peak_bytes == (9 + 7 + 3 - 2) * 8


def test_flattening_moves_entries_and_adds_none() -> None:
    flat = Window("m*n", ("n", "m"), ("m", 1), 0)
    node = einsum([Input("a", ("n", "m"), ()), flat], ["ij", "pij"], "p")
    plan = make_plan([node], sizes=SIZES, arrays={"a": np.dtype(np.int8)})
    assert (plan.flops, plan.steps[0].dtype, plan.steps[0].shape) == (49, np.dtype(np.int8), (49,))


def test_a_sum_takes_up_its_scatters() -> None:
    ids = Input("ids", ("b",), ("integer",))
    p = Map("exp", (Input("z", ("b", "c"), ()),))
    node = Add((p, OneHot(ids, "c")), (1, -1))
    plan = make_plan([node], sizes={"b": 100, "c": 1000}, arrays={"z": np.dtype("f4"), "ids": np.dtype("i8")})
    assert plan.peak_bytes == 100 * 1000 * 4
    both = make_plan(
        [node, OneHot(ids, "c")], sizes={"b": 100, "c": 1000}, arrays={"z": np.dtype("f4"), "ids": np.dtype("i8")}
    )
    assert both.peak_bytes >= 2 * 100 * 1000 * 4  # wanted by itself too
