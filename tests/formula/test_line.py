"""Formulas of single steps, and formulas of large programs."""

from __future__ import annotations

from einback.formula.index import Names, expression, line, text, texts
from einback.ir.build import add, broadcast, einsum, multiply
from einback.ir.nodes import Input, Map, Node
from einback.ir.walk import postorder
from einback.notation.elaborate import elaborate
from einback.rules.composite import log_softmax
from einback.rules.simplify import normalise
from tests.calls import counted

X, W, b = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ()), Input("b", ("c",), ())
XW = einsum([X, W], ["nd", "dc"], "nc")
Z = add([XW, broadcast(b, ("n", "c"), (1,))])


def test_a_step_names_its_sources() -> None:
    assert line(Z, "Z", {}, Names()) == "Z[n,c] = X[n,d] W[d,c] + b[c]"
    assert line(Z, "Z", {XW: "t1", b: "bias"}, Names()) == "Z[n,c] = t1[n,c] + bias[c]"
    assert line(Z, "Z", {Z: "Z", W: "W_"}, Names(("i", "j"))) == "Z[i,j] = X[i,d] W_[d,j] + b[j]"


def test_steps_within_a_softmax_are_shown_where_they_are_named() -> None:
    node = log_softmax(Z, (1,))
    assert line(node, "L", {Z: "Z"}, Names()) == "L[n,c] = log_softmax[c](Z[n,c])"
    level = next(part for part in postorder([node]) if type(part).__name__ == "Reduce")
    assert line(node, "L", {Z: "Z", level: "top"}, Names()) == "L[n,c] = Z[n,c] - top[n]"


def test_a_step_is_one_line_however_much_it_holds() -> None:
    node: Node = X
    for _ in range(40):
        node = multiply(Map("tanh", (node,)), node)
    assert "\n" not in line(node, "y", {}, Names())


def layers(depth: int) -> Node:
    node: Node = Input("X", ("n", "d0"), ())
    for k in range(depth):
        weight = Input(f"W_{k}", (f"d{k}", f"d{k + 1}"), ())
        node = Map("relu", (einsum([node, weight], ["nd", "dc"], "nc"),))
        node = multiply(node, node)
    return node


def test_a_deep_program_prints_in_linear_time() -> None:
    half, root = layers(500), layers(1000)
    (_, fewer), (shown, calls) = (counted(lambda one=one: text(one, "y", Names())) for one in (half, root))
    assert calls < 2.3 * fewer
    assert len(shown.splitlines()) == 1001
    assert normalise([elaborate(shown).tensors["y"]]) == normalise([root])


def test_ten_thousand_nested_functions() -> None:
    node: Node = Input("x", ("n",), ())
    for _ in range(10_000):
        node = Map("tanh", (node,))
    lines = text(node, "y", Names()).splitlines()
    assert max(map(len, lines)) < 100


def test_a_product_of_many_factors_is_a_chain() -> None:
    matrices = [Input(f"A_{k}", (f"n{k}", f"n{k + 1}"), ()) for k in range(60)]
    shuffled = [(17 * k) % 60 for k in range(60)]
    root = einsum([matrices[k] for k in shuffled], [(k, k + 1) for k in shuffled], (0, 60))
    wanted = " ".join(f"A_{k}[n{k},n{k + 1}]" for k in range(60))
    first, *more = expression(root, Names()).splitlines()
    assert max(map(len, (first, *more))) <= 100
    assert " ".join([first, *(line.strip().removeprefix("* ") for line in more)]) == wanted


def test_many_results_share_their_definitions() -> None:
    hidden = einsum([X, W], ["nd", "dc"], "nc")
    gate = Map("sigmoid", (hidden,))
    shown = texts([multiply(gate, hidden), gate], ["u", "v"], [Names()] * 2)
    assert shown == "u[n,c] = Z[n,c] v[n,c]\nv[n,c] = sigmoid(Z[n,c])\n  where Z[n,c] = X[n,d] W[d,c]"
