"""Relations used up: random products with windows and one-hot tensors keep their values, and nothing dense is made."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from einback.ir.nodes import Einsum, Node, OneHot, Ones, Window
from einback.ir.verify import verify
from einback.ir.walk import postorder
from einback.plan.binary import binary
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
