"""Programs cut into pairs: same values, one of a few kinds of Einsum, and shared where it can be."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einback.ir.build import add, broadcast, einsum, power, size_of
from einback.ir.nodes import Delta, Einsum, Input, Map, Node, Ones
from einback.ir.verify import verify
from einback.ir.walk import postorder
from einback.plan.binary import binary
from einback.plan.plan import make_plan
from einback.plan.views import is_view, relation_at
from einback.rules.relations import is_relation
from tests.interpreter import evaluate
from tests.run.random_programs import arrays_for, programs

A, B, C = (Input(name, ("n", "n"), ()) for name in "ABC")
x, y = Input("x", ("n",), ()), Input("y", ("n",), ())
FLOAT = np.dtype(np.float64)


def kind(node: Einsum) -> str:
    arrays = [labels for op, labels in zip(node.operands, node.labels, strict=True) if not isinstance(op, Ones)]
    distinct = all(len(set(labels)) == len(labels) for labels in arrays)
    if is_view(node):
        return "view"
    if relation_at(node) is not None:  # one relation, beside one tensor or none
        return "related" if len(arrays) <= 2 and sum(map(is_relation, node.operands)) == 1 else "?"
    if len(set(node.out)) < len(node.out):
        return "embedding" if len(arrays) <= 1 and distinct and set(node.out) == set(range(len(node.sizes))) else "?"
    if len(arrays) == 1:
        return "sum" if distinct and len(node.operands) == 1 else "?"
    if len(arrays) == 2 and distinct and len(node.operands) == 2:
        alone = set(arrays[0]) ^ set(arrays[1])
        return "pair" if alone <= set(node.out) else "?"
    return "fill" if not arrays else "?"


@given(st.data())
def test_random_programs_keep_their_values(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 2**32)))
    image = binary(roots, sizes)
    new = [image[root] for root in roots]
    verify(new)
    for node in postorder(new):
        assert not isinstance(node, Einsum) or kind(node) != "?", node
    for before, after in zip(evaluate(roots, arrays, sizes), evaluate(new, arrays, sizes), strict=True):
        finite = np.isfinite(before) & (np.abs(before) < 1e12)
        np.testing.assert_allclose(np.where(finite, after, 0), np.where(finite, before, 0), rtol=1e-7, atol=1e-7)


def cut(*roots: Node, n: int = 5) -> tuple[Node, ...]:
    image = binary(roots, {"n": n, "m": 3})
    return tuple(image[root] for root in roots)


def test_structure_is_used_up() -> None:
    (node,) = cut(einsum([A, Delta("n"), x], ["ij", "jk", "k"], "i"))
    assert node is cut(einsum([A, x], ["ij", "j"], "i"))[0]
    (trace,) = cut(einsum([A, Delta("n")], ["ij", "ij"], ""))
    assert trace is cut(einsum([A], ["ii"], ""))[0]


def test_numbers_become_weights() -> None:
    (node,) = cut(einsum([x, power(size_of("n"), -1)], ["i", ""], "i"), n=8)
    assert node is add([x], [0.125])


def test_a_function_of_what_repeats_is_computed_once() -> None:
    (node,) = cut(Map("exp", (broadcast(x, ("n", "m"), [0]),)))
    assert node is broadcast(Map("exp", (x,)), ("n", "m"), [0])


def test_equal_pairs_become_one_node_however_they_are_written() -> None:
    one, two = cut(einsum([A, B, C], ["ij", "jk", "kl"], "il"), einsum([C, B, x], ["kl", "jk", "j"], "l"))
    ways = cut(einsum([A, B], ["ij", "jk"], "ik"), einsum([B, A], ["jk", "ij"], "ki"))
    assert is_view(ways[1])
    assert ways[1].operands[0] is ways[0]
    assert one is not two


def chain(count: int) -> tuple[list[Input], Node, list[Node], list[Input]]:
    """A product of matrices with a vector, its gradients against a cotangent, and all inputs."""
    sizes = [f"k{k}" for k in range(count + 1)]
    factors = [Input(f"A{k}", (sizes[k], sizes[k + 1]), ()) for k in range(count)] + [Input("v", (sizes[-1],), ())]
    labels: list[Sequence[int]] = [*((k, k + 1) for k in range(count)), (count,)]
    g = Input("g", (sizes[0],), ())
    gradients = [
        einsum([g, *factors[:k], *factors[k + 1 :]], [(0,), *labels[:k], *labels[k + 1 :]], labels[k])
        for k in range(count + 1)
    ]
    return factors, einsum(factors, labels, (0,)), gradients, [*factors, g]


@pytest.mark.parametrize("count", [3, 10, 100])
def test_all_gradients_of_a_product_cost_at_most_two_more_products(count: int) -> None:
    _, forward, gradients, inputs = chain(count)
    sizes = {size: 4 + k % 3 for k, size in enumerate(f"k{k}" for k in range(count + 1))}
    arrays = {tensor.name: FLOAT for tensor in inputs}
    alone = make_plan([forward], sizes=sizes, arrays=arrays)
    together = make_plan([forward, *gradients], sizes=sizes, arrays=arrays, forward=[forward])
    assert together.forward_flops == alone.flops
    assert together.flops <= 3 * alone.flops


def test_trees_are_shared_in_networks_that_are_no_chains() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        count, bonds = int(rng.integers(4, 9)), 10
        ends = [sorted({int(a), int(b)}) for a, b in rng.integers(0, count, (bonds, 2))]
        labels = [[k for k, pair in enumerate(ends) if t in pair] for t in range(count)]
        tensors = [Input(f"T{t}", tuple(f"s{k}" for k in own), ()) for t, own in enumerate(labels)]
        held = [t for t in range(count) if labels[t]]
        forward = einsum([tensors[t] for t in held], [labels[t] for t in held], ())
        gradients = []
        for t in held:
            rest = [s for s in held if s != t]
            seen = {k for s in rest for k in labels[s]}
            ones = [k for k in labels[t] if k not in seen]
            gradients.append(
                einsum(
                    [*(tensors[s] for s in rest), *(Ones(f"s{k}") for k in ones)],
                    [*(labels[s] for s in rest), *([k] for k in ones)],
                    labels[t],
                )
            )
        sizes = {f"s{k}": int(rng.integers(2, 6)) for k in range(bonds)}
        arrays = {tensor.name: FLOAT for tensor in tensors}
        alone = make_plan([forward], sizes=sizes, arrays=arrays)
        together = make_plan([forward, *gradients], sizes=sizes, arrays=arrays)
        outers = sum(int(np.prod([sizes[f"s{k}"] for k in labels[t]])) for t in held)  # results are written, too
        assert together.flops <= 3 * alone.flops + 2 * outers
