"""Derivatives as programs, against differences, identities between modes, and closed forms."""

import numpy as np
import pytest

from einback.derive import orders, reverse
from einback.derive.forward import jvp
from einback.derive.reverse import vjp
from einback.errors import DerivativeError
from einback.ir import build
from einback.ir.nodes import Input, Map, Node, Reduce
from einback.ir.verify import verify
from einback.rules.scalar import TABLE
from einback.rules.simplify import normalise
from tests.interpreter import evaluate

x, y = Input("x", ("n",), ()), Input("y", ("n",), ())
A = Input("A", ("n", "m"), ())


def numeric_gradient(node, name, arrays, step=1e-6):
    """Central differences of a scalar program."""
    base = {key: np.array(value, float) for key, value in arrays.items()}
    slope = np.zeros_like(base[name])
    for place in np.ndindex(slope.shape):
        values = []
        for sign in (1, -1):
            moved = base | {name: base[name].copy()}
            moved[name][place] += sign * step
            values.append(float(evaluate([node], moved)[0]))
        slope[place] = (values[0] - values[1]) / (2 * step)
    return slope


def weighted(node):
    """A scalar that reads every entry of a node with another weight."""
    weights = [Map("cos", (build.scale(Input(f"w{k}", (size,), ()), 1),)) for k, size in enumerate(node.shape)]
    return build.einsum([node, *weights], [range(node.rank), *((k,) for k in range(node.rank))], ())


@pytest.mark.parametrize("fn", ["max", "min", "prod", "logsumexp"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_reductions_to_second_order(fn, axes):
    rng = np.random.default_rng(3)
    arrays = {"A": rng.normal(size=(3, 2)), "w0": rng.normal(size=2 if axes == (0,) else 3)}
    loss = weighted(build.power(Reduce(fn, A, axes), 2))
    (slope,) = orders.gradient(loss, [A])
    np.testing.assert_allclose(evaluate([slope], arrays)[0], numeric_gradient(loss, "A", arrays), rtol=1e-6, atol=1e-8)
    direction = build.einsum([slope, Input("v", ("n", "m"), ())], ["nm", "nm"], "")
    product = orders.hessian_vector(loss, A, Input("v", ("n", "m"), ()))
    arrays["v"] = rng.normal(size=(3, 2))
    have = evaluate([product], arrays)[0]
    np.testing.assert_allclose(have, numeric_gradient(direction, "A", arrays), rtol=1e-5, atol=1e-7)
    full = evaluate([orders.hessian(loss, A, A)], arrays)[0]
    np.testing.assert_allclose(np.einsum("abcd,cd->ab", full, arrays["v"]), have, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(full, np.einsum("abcd->cdab", full), atol=1e-12)


@pytest.mark.parametrize("zeros", [(), (1,), (1, 3), (0, 1, 3)])
def test_products_are_right_with_zeros_to_second_order(zeros):
    value = np.array([2.0, 3.0, -1.0, 5.0])
    value[list(zeros)] = 0
    product = Reduce("prod", x, (0,))
    (slope,) = orders.gradient(product, [x])
    first, second = evaluate([slope, orders.hessian(product, x, x)], {"x": value})
    others = [[np.prod(np.delete(value, [i, j])) if i != j else 0 for j in range(4)] for i in range(4)]
    np.testing.assert_array_equal(first, [np.prod(np.delete(value, i)) for i in range(4)])
    np.testing.assert_array_equal(second, others)


def test_products_are_right_at_infinity_and_where_entries_are_huge():
    (slope,) = orders.gradient(Reduce("prod", x, (0,)), [x])
    (have,) = evaluate([slope], {"x": np.array([1e200, np.inf, 2.0])})
    np.testing.assert_array_equal(have, [np.inf, 2e200, np.inf])


@pytest.mark.parametrize("fn", ["max", "min"])
def test_ties_share_evenly(fn):
    (slope,) = orders.gradient(Reduce(fn, x, (0,)), [x])
    (have,) = evaluate([slope], {"x": np.array([2.0, 2.0, 2.0, 2.0])})
    np.testing.assert_array_equal(have, [0.25] * 4)


@pytest.mark.parametrize("fn", sorted(TABLE.keys() - {"complex"}))  # its derivatives are not real
def test_both_modes_agree_on_every_row_of_the_table(fn):
    """<v, J u> = <J' v, u>, and the Jacobian of an elementwise function is a diagonal."""
    row = TABLE[fn]
    args = tuple(Input(f"a{k}", ("n",), ()) for k in range(row.arity))
    rng = np.random.default_rng(5)
    arrays = {f"a{k}": rng.uniform(*row.domain[k], size=6) for k in range(row.arity)}
    arrays |= {"u": rng.normal(size=6), "v": rng.normal(size=6)}
    node, u, v = Map(fn, args), Input("u", ("n",), ()), Input("v", ("n",), ())
    for arg in args:
        pushed = build.einsum([v, jvp(node, {arg: u})], ["n", "n"], "")
        pulled = build.einsum([u, vjp(node, v, [arg])[0]], ["n", "n"], "")
        forms = normalise([pushed, pulled])
        verify(forms)
        have, want = evaluate(list(forms), arrays, {"n": 6})
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-14)
        jacobian, slope = evaluate(
            [orders.jacobian(node, arg), vjp(node, build.ones(("n",)), [arg])[0]], arrays, {"n": 6}
        )
        np.testing.assert_allclose(jacobian, np.diag(slope), rtol=1e-12, atol=1e-14)


def test_labels_that_only_one_operand_has_and_diagonals():
    B = Input("B", ("n", "n", "k"), ())
    loss = weighted(build.einsum([B, x], ["iik", "i"], "ii"))
    rng = np.random.default_rng(1)
    arrays = {
        "B": rng.normal(size=(3, 3, 2)),
        "x": rng.normal(size=3),
        "w0": rng.normal(size=3),
        "w1": rng.normal(size=3),
    }
    for source in (B, x):
        (slope,) = orders.gradient(loss, [source])
        have = evaluate([slope], arrays, {"k": 2})[0]
        np.testing.assert_allclose(have, numeric_gradient(loss, source.name, arrays), rtol=1e-6, atol=1e-9)


def test_a_tensor_that_is_not_read_has_a_zero_gradient():
    (slope,) = orders.gradient(build.total(x, [0]), [y])
    assert slope is build.zeros(("n",))


def test_intermediates_are_sources_too():
    z = Map("sin", (x,))
    loss = build.total(build.power(z, 3), [0])
    (slope,) = orders.gradient(loss, [z])
    value = {"x": np.array([0.3, 0.9])}
    np.testing.assert_allclose(evaluate([slope], value)[0], 3 * np.sin(value["x"]) ** 2)
    second = evaluate([orders.hessian(loss, z, z)], value)[0]
    np.testing.assert_allclose(second, np.diag(6 * np.sin(value["x"])), rtol=1e-12)


def test_third_order_by_repetition():
    third = orders.jacobian(orders.hessian(build.total(build.power(x, 4), [0]), x, x), x)
    value = np.array([0.5, 2.0])
    want = np.einsum("i,ij,jk->ijk", 24 * value, np.eye(2), np.eye(2))
    np.testing.assert_allclose(evaluate([third], {"x": value})[0], want)


def test_forward_and_reverse_give_the_same_jacobian():
    scalar = Input("s", (), ())
    curve = build.multiply(Map("exp", (build.multiply(scalar, x),)), y)
    forward = orders.jacobian(curve, scalar)
    backward = vjp(curve, orders.identity(curve), [scalar])[0]
    arrays = {"s": 0.3, "x": np.array([1.0, 2.0]), "y": np.array([3.0, -1.0])}
    have, want = evaluate([forward, backward], arrays)
    np.testing.assert_allclose(have, want)


def test_a_chain_of_10_000_nodes():
    node = Input("s", (), ())
    for _ in range(10_000):
        node = Map("sin", (node,))
    (slope,) = reverse.vjp(node, build.const(1), [Input("s", (), ())])
    value, want = 0.7, 1.0
    for _ in range(10_000):
        want, value = want * np.cos(value), np.sin(value)
    np.testing.assert_allclose(evaluate([slope], {"s": 0.7})[0], want, rtol=1e-9)


class Mystery(Node):
    """A node that nothing knows."""


def test_unknown_nodes_and_rows_are_errors_never_zeros(monkeypatch):
    with pytest.raises(DerivativeError, match="no derivative is known for the reduction median"):
        orders.gradient(Reduce("median", x, (0,)), [x])
    with pytest.raises(KeyError, match="no row 'mystery' in the scalar table"):
        orders.gradient(build.total(Map("mystery", (x,)), [0]), [x])
    mystery = Mystery()
    with pytest.raises(DerivativeError, match="no pullback is known for the node Mystery"):
        reverse.pullback(mystery, 0, build.const(1), ())


def test_reverse_mode_keeps_one_cotangent_a_node():
    """The gradient program of a chain grows with its length, not with the square of it."""
    from einback.ir.walk import postorder

    counts = []
    for length in (20, 40):
        node = x
        for _ in range(length):
            node = build.add([Map("sin", (node,)), node])
        counts.append(sum(1 for _ in postorder(orders.gradient(build.total(node, [0]), [x]))))
    assert counts[1] <= 2 * counts[0] + 2
