"""Names of indices and of intermediates."""

from __future__ import annotations

import pytest

from einback.formula.index import Names, expression, text, texts
from einback.formula.names import IndexNames
from einback.ir.build import add, broadcast, einsum, multiply, power, reduce, size_of
from einback.ir.nodes import Input, Map, Node
from einback.ir.sizes import Classes
from einback.notation.elaborate import elaborate
from einback.rules.composite import log_softmax, softmax

A, B, x = Input("A", ("n", "n"), ()), Input("B", ("n", "n"), ()), Input("x", ("n",), ())
X, W, b = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ()), Input("b", ("c",), ())
Z = add([einsum([X, W], ["nd", "dc"], "nc"), broadcast(b, ("n", "c"), (1,))])


# Indices


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (Names(), "y[n,n'] = A[n,n''] B[n'',n']"),
        (Names(free=("i", "j")), "y[i,j] = A[i,n] B[n,j]"),
        (Names(pool={"n": ("i", "j", "k")}), "y[i,j] = A[i,k] B[k,j]"),
        (Names(("q", "k"), {"n": ("n", "q", "k")}), "y[q,k] = A[q,n] B[n,k]"),
        (Names(("i", "i"), {"n": ("i", "j")}), "y[i,j] = A[i,n] B[n,j]"),
        (Names(("", "k"), {"n": ("i", "k")}), "y[i,k] = A[i,n] B[n,k]"),
        (Names(("n'", "n")), "y[n',n] = A[n',n''] B[n'',n]"),
        (Names(("not a name", "n")), "y[n,n'] = A[n,n''] B[n'',n']"),
    ],
)
def test_indices_take_the_wished_names_then_the_pool_then_the_size(names: Names, wanted: str) -> None:
    assert text(einsum([A, B], ["ij", "jk"], "ik"), "y", names) == wanted


def test_integer_sizes_without_names_take_letters() -> None:
    T, v = Input("T", (3, 4, 3), ()), Input("v", (4,), ())
    assert expression(einsum([T, v], ["abc", "b"], "ac"), Names()) == "T[i,k,j] v[k]"
    assert expression(einsum([T, v], ["abc", "b"], "ac"), Names(pool={3: ("p",)})) == "T[p,i,p'] v[i]"


def test_more_integer_axes_than_letters() -> None:
    T = Input("T", (2,) * 30, ())
    shown = expression(T, Names())
    assert shown.startswith("T[i,j,k,l,")
    assert len(set(shown[2:-1].split(","))) == 30


def test_a_name_stands_for_one_size_only() -> None:
    shown = text(einsum([X, W], ["nd", "dc"], "nc"), "y", Names(("d", "n"), {"d": ("c",), "n": ("c",)}))
    assert shown == "y[n,c] = X[n,d] W[d,c]"


def test_sizes_that_labels_made_equal_share_their_names() -> None:
    V = Input("V", ("d", 10), ())
    Y = Input("Y", ("n", "c"), ())
    root = einsum([X, V, Y], ["nd", "dc", "nc"], "")
    assert expression(root, Names()) == "X[n,d] V[d,c] Y[n,c]"
    names = IndexNames({10: ("k",)}, Classes([("c", 10)]))
    names.reserve(["c", 10])
    assert [names.pick("c", ()), names.pick(10, ["k"])] == ["k", "c"]


def test_a_scalar_and_an_index_have_different_names() -> None:
    n = Input("n", (), ())
    shown = text(multiply(x, n, size_of("n")), "y", Names())
    assert shown == "y[i] = n size(i) x[i]"
    assert elaborate(shown).inputs[0].name == "n"


def test_a_summed_index_is_the_only_one_of_its_name() -> None:
    inner = einsum([x, x], ["i", "i"], "")
    root = einsum([Map("exp", (inner,)), Map("sin", (inner,)), A, x], ["", "", "ij", "j"], "i")
    shown = expression(root, Names(pool={"n": ("i", "j", "k", "l")}))
    assert shown == "exp(z) sin(z) A[i,j] x[j]\n  where z = x[i] x[i]"


def test_reductions_side_by_side_share_a_name_and_nested_ones_do_not() -> None:
    top, bottom = reduce("max", x, (0,)), reduce("min", x, (0,))
    assert expression(add([top, bottom], [1, -1]), Names()) == "max[n](x[n]) - min[n](x[n])"
    nested = reduce("max", add([x, broadcast(reduce("min", x, (0,)), ("n",), ())]), (0,))
    assert expression(nested, Names()) == "max[n](x[n] + min[n'](x[n']))"


def test_a_reduction_and_a_sum_do_not_share_a_name() -> None:
    root = add([einsum([x, x], ["i", "i"], ""), reduce("max", x, (0,))])
    assert expression(root, Names()) == "x[n] x[n] + max[n'](x[n'])"
    root = einsum([reduce("max", x, (0,)), x], ["", "i"], "")
    assert expression(root, Names()) == "max[n](x[n]) x[n']"


# Intermediates


def shared(node: Node) -> Node:
    """Something that reads a node twice."""
    return multiply(node, Map("sin", (node,)))


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (shared(Z), "Z[n,c] sin(Z[n,c])\n  where Z[n,c] = X[n,d] W[d,c] + b[c]"),
        (shared(Map("tanh", (Z,))), "H[n,c] sin(H[n,c])\n  where H[n,c] = tanh(X[n,d] W[d,c] + b[c])"),
        (shared(Map("sigmoid", (x,))), "S[n] sin(S[n])\n  where S[n] = sigmoid(x[n])"),
        (shared(softmax(x, (0,))), "P[n] sin(P[n])\n  where P[n] = softmax[n](x[n])"),
        (multiply(Z, Z), "G[n,c] G[n,c]\n  where G[n,c] = X[n,d] W[d,c] + b[c]"),
        (shared(einsum([x, A, x], ["i", "ij", "j"], "")), "z sin(z)\n  where z = x[n] A[n,n'] x[n']"),
        # at a glance: not worth a line
        (shared(x), "x[n] sin(x[n])"),
        (shared(power(x, 3)), "x[n]³ sin(x[n]³)"),
        (shared(add([x], [-2])), "-2 x[n] sin(-2 x[n])"),
        (shared(Map("exp", (x,))), "exp(x[n]) sin(exp(x[n]))"),
        # a softmax within something larger, however often it is read
        (add([softmax(x, (0,)), x], [1, -1]), "P[n] - x[n]\n  where P[n] = softmax[n](x[n])"),
        (add([softmax(x, (0,))], [2]), "2 P[n]\n  where P[n] = softmax[n](x[n])"),
        (softmax(x, (0,)), "softmax[n](x[n])"),
        # the transpose of a shared node is read from the node
        (
            add([einsum([A, B], ["ij", "jk"], "ik"), einsum([einsum([A, B], ["ij", "jk"], "ik")], ["ij"], "ji")]),
            "G[n,n'] + G[n',n]\n  where G[n,n'] = A[n,n''] B[n'',n']",
        ),
    ],
)
def test_intermediates(node: Node, wanted: str) -> None:
    assert expression(node, Names()) == wanted


def test_the_users_names_come_first() -> None:
    shown = expression(Map("tanh", (Z,)), Names(tensors={Z: "scores"}))
    assert shown == "tanh(scores[n,c])\n  where scores[n,c] = X[n,d] W[d,c] + b[c]"


def test_names_never_collide() -> None:
    Z_1 = Input("Z", ("n",), ())
    root = multiply(shared(add([Z_1, x])), shared(add([Z_1, x], [1, -1])))
    assert expression(root, Names(tensors={add([Z_1, x]): "Z"})) == (
        "Z_1[n] Z_2[n] sin(Z_1[n]) sin(Z_2[n])\n  where Z_2[n] = Z[n] - x[n]\n        Z_1[n] = Z[n] + x[n]"
    )
    assert expression(root, Names(tensors={add([Z_1, x]): "relu"})).endswith("Z_1[n] = Z[n] + x[n]")


def test_layers_and_their_cotangents_pair_up() -> None:
    H_1 = Map("relu", (einsum([X, W], ["nd", "dc"], "nc"),))
    H_2 = Map("relu", (einsum([H_1, W], ["nc", "dc"], "nd"),))
    shown = texts([shared(H_2), shared(H_1)], ["u", "v"], [Names()] * 2)
    assert "H_1[n,c] = relu(X[n,d] W[d,c])" in shown
    assert "H_2[n,d] = relu(H_1[n,c] W[d,c])" in shown


def test_long_and_deep_expressions_are_cut() -> None:
    node: Node = x
    for _ in range(12):
        node = Map("tanh", (add([node, einsum([A, node], ["ij", "j"], "i")]),))
    lines = expression(node, Names()).splitlines()
    assert max(map(len, lines)) < 110
    assert max(line.count("(") for line in lines) <= 6


def test_what_a_long_line_names_saves_its_width() -> None:
    """One name is enough here, and it is the scores', not the log-softmax's or that of a small neighbour."""
    sources = [Input(f"a_long_name_{k}", ("n", "n"), ()) for k in range(5)]
    scores = einsum(sources, [(k, k + 1) for k in range(5)], (0, 5))
    weights = Map("exp", (add([A, B]),))
    root = multiply(log_softmax(scores, (1,)), weights)
    lines = expression(root, Names()).splitlines()
    assert lines[0] == "exp(A[n,n'] + B[n,n']) log_softmax[n'](Z[n,n'])"
    assert sum(" = " in line for line in lines[1:]) == 1


def test_a_log_softmax_is_found_only_where_all_of_it_is() -> None:
    level = broadcast(reduce("logsumexp", x, (0,)), ("n",), ())
    y = Input("y", ("n",), ())
    assert expression(add([x, level, y], [2, -2, 1]), Names()) == "y[n] + 2 log_softmax[n](x[n])"
    assert expression(add([x, level], [2, -1]), Names()) == "2 x[n] - logsumexp[n'](x[n'])"
    both = add([x, y], [1, 3])
    spread = broadcast(reduce("logsumexp", both, (0,)), ("n",), ())
    assert expression(add([x, y, spread], [1, 3, -1]), Names()) == "log_softmax[n](x[n] + 3 y[n])"
    double = broadcast(reduce("logsumexp", add([x, x]), (0,)), ("n",), ())
    assert expression(add([x, double], [1, -1]), Names()) == "x[n] - logsumexp[n'](x[n'] + x[n'])"
    assert expression(add([x, level, level], [2, -1, -1]), Names()).count("logsumexp") == 2
