"""The normal form: what each rule does, that equal programs meet, that rewriting ends and stays linear."""

import random

import numpy as np
import pytest

import einback as eb
from einback.derive.orders import gradient, hessian
from einback.ir import build
from einback.ir.nodes import Delta, Einsum, Input, Map, Node, Ones, Reduce
from einback.ir.verify import verify
from einback.ir.walk import inputs_of, postorder
from einback.rules import engine
from einback.rules.simplify import LOCAL, SHARING, normalise, simplify
from tests.interpreter import evaluate

A, B = Input("A", ("n", "n"), ()), Input("B", ("n", "n"), ())
x, y, s = Input("x", ("n",), ()), Input("y", ("n",), ()), Input("s", (), ())
X = Input("X", ("n", "d"), ())
ARRAYS = {
    "A": np.arange(9.0).reshape(3, 3) / 7 - 0.4,
    "B": np.cos(np.arange(9.0)).reshape(3, 3),
    "x": np.array([0.3, 1.2, 0.8]),
    "y": np.array([0.9, 0.4, 2.0]),
    "s": np.array(1.7),
    "X": np.sin(np.arange(6.0)).reshape(3, 2),
}

SIZES = {"n": 3, "d": 2}


def exp(node):
    return Map("exp", (node,))


def log(node):
    return Map("log", (node,))


def over_row_sums(node):
    """node / its sum over the last axis."""
    totals = build.power(build.total(node, [1]), -1)
    return build.multiply(node, build.broadcast(totals, node.shape, [0]))


def log_softmax(node):
    level = build.broadcast(Reduce("logsumexp", node, (1,)), node.shape, [0])
    return build.add([node, level], [1, -1])


ONE = build.ones(("n",))
DIAGONAL = build.einsum([Delta("n"), x], ["ij", "i"], "ij")
CASES = {
    "slot exchange": (build.einsum([A, Delta("n"), x], ["ij", "jk", "k"], "i"), build.einsum([A, x], ["ij", "j"], "i")),
    "delta alone": (Delta("n"), build.einsum([Ones("n")], ["i"], "ii")),
    "trace of the identity": (build.einsum([Delta("n")], ["ii"], ""), build.size_of("n")),
    "delta against delta": (build.einsum([Delta("n"), Delta("n")], ["ij", "jk"], "ik"), Delta("n")),
    "ones beside a tensor": (build.einsum([x, Ones("n")], ["i", "i"], "i"), x),
    "broadcast operand": (
        build.einsum([build.broadcast(x, ("n", "n"), [0]), y], ["ij", "j"], "i"),
        build.multiply(x, build.total(y, [0])),
    ),
    "map of a broadcast": (exp(build.broadcast(x, ("n", "d"), [0])), build.broadcast(exp(x), ("n", "d"), [0])),
    "diagonal of a map": (build.einsum([exp(A)], ["ii"], "i"), exp(build.einsum([A], ["ii"], "i"))),
    "diagonal plus full": (
        build.einsum([build.add([DIAGONAL, A]), y], ["ij", "j"], "i"),
        build.add([build.multiply(x, y), build.einsum([A, y], ["ij", "j"], "i")]),
    ),
    "sum of diagonals": (
        build.add([DIAGONAL, build.einsum([y], ["i"], "ii")]),
        build.einsum([build.add([x, y])], ["i"], "ii"),
    ),
    "weights leave products": (
        build.multiply(build.scale(x, 2), build.scale(y, 3)),
        build.scale(build.multiply(x, y), 6),
    ),
    "zero": (build.multiply(build.zeros(("n",)), y), build.zeros(("n",))),
    "like terms": (build.add([x, build.scale(x, 2), build.scale(y, 0)]), build.scale(x, 3)),
    "cancelling": (build.add([x, build.scale(x, -1)]), build.zeros(("n",))),
    "powers": (build.multiply(x, build.power(x, 2), build.power(x, -1)), build.power(x, 2)),
    "size over size": (build.multiply(build.size_of("n"), build.power(build.size_of("n"), -1)), build.const(1)),
    "power of a power": (build.power(build.power(x, 2), 3), build.power(x, 6)),
    "power of a multiple": (build.power(build.scale(x, 2), 3), build.scale(build.power(x, 3), 8)),
    "root of a square stays": (build.power(build.power(x, 2), 0.5), build.power(build.power(x, 2), 0.5)),
    "common scalar": (
        build.add([build.multiply(s, x), build.multiply(s, y)]),
        build.multiply(s, build.add([x, y])),
    ),
    "exp of log": (exp(log(Map("softplus", (x,)))), Map("softplus", (x,))),
    "exp of the log of what may be negative stays": (exp(log(x)), exp(log(x))),
    "root squared": (build.power(build.power(exp(x), 0.5), 2), exp(x)),
    "root of what may be negative, squared, stays": (build.power(build.power(x, 0.5), 2),) * 2,
    "root times root of what may be negative": (build.multiply(*(build.power(x, 0.5),) * 2),) * 2,
    "bracket": (
        build.multiply(log(x), Map("greater", (x, build.const(0)))),
        Map("where", (Map("greater", (x, build.const(0))), log(x), build.const(0))),
    ),
    "log of exp": (log(exp(x)), x),
    "softplus": (log(build.add([ONE, exp(x)])), Map("softplus", (x,))),
    "log1p": (log(build.add([ONE, x])), Map("log1p", (x,))),
    "expm1": (build.add([exp(x), ONE], [2, -2]), build.scale(Map("expm1", (x,)), 2)),
    "logaddexp": (log(build.add([exp(x), exp(y)])), Map("logaddexp", (x, y))),
    "logsumexp": (log(build.total(exp(X), [1])), Reduce("logsumexp", X, (1,))),
    "sigmoid": (build.power(build.add([ONE, exp(build.scale(x, -1))]), -1), Map("sigmoid", (x,))),
    "log of sigmoid": (log(Map("sigmoid", (x,))), build.scale(Map("softplus", (build.scale(x, -1),)), -1)),
    "log of one minus sigmoid": (
        log(build.add([ONE, Map("sigmoid", (x,))], [1, -1])),
        build.scale(Map("softplus", (x,)), -1),
    ),
    "softmax": (over_row_sums(exp(X)), exp(log_softmax(X))),
    "log of softmax": (log(over_row_sums(exp(X))), log_softmax(X)),
    "log softmax by hand": (
        build.add([X, build.broadcast(log(build.total(exp(X), [1])), ("n", "d"), [0])], [1, -1]),
        log_softmax(X),
    ),
    "function of a number": (Map("exp", (build.zeros(("n",)),)), ONE),
    "choice between equals": (Map("where", (x, y, y)), y),
}


@pytest.mark.parametrize("case", CASES)
def test_rule(case):
    before, after = CASES[case]
    assert normalise([before]) == normalise([after])
    have, want = evaluate([simplify([before])[0], before], ARRAYS, SIZES)
    np.testing.assert_allclose(have, want, rtol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_normal_forms_are_well_formed_and_stay(case):
    for form in (simplify, normalise):
        once = form([CASES[case][0]])
        verify(once)
        assert form(once) == once
        assert not any(isinstance(node, Delta) for node in postorder(once))


def test_the_hessian_of_a_quadratic_form_reads_only_the_matrix():
    form = build.einsum([x, A, x], ["i", "ij", "j"], "")
    second = hessian(form, x, x)
    assert second is simplify([build.add([A, build.einsum([A], ["ij"], "ji")])])[0]
    assert inputs_of([second]) == [A]


def test_masks_select():
    (slope,) = gradient(
        build.total(Map("where", (Map("greater", (x, build.const(0))), log(x), build.const(0))), [0]), [x]
    )
    (value,) = evaluate([slope], {"x": np.array([-1.0, 0.0, 2.0])})
    np.testing.assert_array_equal(value, [0, 0, 0.5])


def shuffled(node: Node, rng: random.Random) -> Node:
    """The same program with terms and factors in another order."""

    def visit(_old: Node, new: Node) -> Node:
        if isinstance(new, Einsum):
            order = rng.sample(range(len(new.operands)), len(new.operands))
            return build.einsum([new.operands[k] for k in order], [new.labels[k] for k in order], new.out)
        if hasattr(new, "terms") and len(new.terms) > 1:
            order = rng.sample(range(len(new.terms)), len(new.terms))
            return build.add([new.terms[k] for k in order], [new.weights[k] for k in order])
        return new

    from einback.ir.walk import transform

    return transform([node], visit)[node]


REPEATED = [
    build.einsum([A, A, A, x, x], ["ij", "jk", "kl", "i", "l"], ""),
    build.einsum([A, A, A, A], ["ij", "kj", "kl", "il"], ""),
    build.einsum([A, A, B, x, y, x], ["ij", "ik", "jk", "j", "k", "i"], ""),
    build.einsum([A, A, A, A, A, A], ["ij", "jk", "ki", "lm", "mn", "nl"], ""),
    build.einsum([Ones("n"), Ones("n"), A, A], ["i", "j", "kl", "lk"], "ij"),
]


@pytest.mark.parametrize("k", range(len(REPEATED)))
def test_equal_operands_are_ordered_by_their_wiring(k):
    forms = {simplify([shuffled(REPEATED[k], random.Random(seed))]) for seed in range(30)}
    assert len(forms) == 1


def test_gradients_of_a_shuffled_network_are_the_same_nodes():
    V, c = Input("V", ("d", "c"), ()), Input("c", ("c",), ())
    Z = build.add([build.einsum([X, V], ["nd", "dc"], "nc"), build.broadcast(c, ("n", "c"), [1])])
    loss = build.einsum(
        [exp(log_softmax(Z)), Map("tanh", (Z,)), build.power(build.size_of("n"), -1)], ["nc", "nc", ""], ""
    )
    forms = {gradient(shuffled(loss, random.Random(seed)), [V, c]) for seed in range(20)}
    assert len(forms) == 1


def deep_network(layers):
    h = Input("X", ("n", "k0"), ())
    weights = []
    for k in range(layers):
        W, b = Input(f"W{k}", (f"k{k}", f"k{k + 1}"), ()), Input(f"b{k}", (f"k{k + 1}",), ())
        weights += [W, b]
        affine = build.add([build.einsum([h, W], ["nd", "dk"], "nk"), build.broadcast(b, ("n", f"k{k + 1}"), [1])])
        h = Map("relu", (affine,))
    return build.einsum([h, h], ["nk", "nk"], ""), weights


def work(layers, monkeypatch):
    """The number of nodes that all passes visit while a network's gradients are derived and normalised."""
    visited = 0
    original = engine._Pass.visit

    def counting(self, old, node):
        nonlocal visited
        visited += 1
        return original(self, old, node)

    monkeypatch.setattr(engine._Pass, "visit", counting)
    loss, weights = deep_network(layers)
    normalise(gradient(loss, weights))
    monkeypatch.undo()
    return visited


def test_simplification_is_linear_in_the_depth(monkeypatch):
    short, long = work(20, monkeypatch), work(160, monkeypatch)
    assert long < 9 * short


def test_local_rules_look_at_a_node_alone():
    """What they leave unchanged is settled for all programs, so nothing around a node may decide."""
    loss, weights = deep_network(3)
    programs = [[CASES[case][0]] for case in CASES] + [[loss, *gradient(loss, weights)]]
    for roots in programs:
        for node in postorder([*roots, *normalise(roots)]):
            for rule in LOCAL.get(type(node), ()):
                rule(node, None)


def test_a_settled_node_is_not_looked_at_again(monkeypatch):
    loss, weights = deep_network(3)
    form = normalise([loss, *gradient(loss, weights)])
    looked = []
    original = engine._Pass._first
    monkeypatch.setattr(
        engine._Pass, "_first", lambda self, rules, node: looked.append(rules) or original(self, rules, node)
    )
    assert normalise(form) == form
    assert not {id(rules) for rules in looked} & {id(rules) for rules in LOCAL.values()}


def test_other_rules_look_at_every_node_again(monkeypatch):
    product = simplify([build.multiply(x, y)])
    monkeypatch.setitem(LOCAL, Einsum, (lambda node, around: x,))
    assert simplify(product) == (x,)
    monkeypatch.undo()
    assert simplify(product) == product


def test_a_rule_that_never_ends_is_noticed(monkeypatch):
    monkeypatch.setitem(LOCAL, Map, (lambda node, around: Map("sin" if node.fn == "cos" else "cos", node.args),))
    with pytest.raises(AssertionError, match="does not end"):
        simplify([Map("sin", (x,))])


def test_a_broken_rule_is_noticed_by_the_numbers(monkeypatch):
    """Sabotage: drop the second term of every sum; the comparison with the interpreter must fail."""
    monkeypatch.setitem(SHARING, type(build.add([x, y])), (lambda node, around: node.terms[0],))
    before = build.add([build.multiply(x, y), exp(x)])
    have, want = evaluate([simplify([before])[0], before], ARRAYS)
    assert not np.allclose(have, want)


def test_relu_masks_that_say_nothing_new_go():
    W = eb.tensor("W[n]")
    assert str(eb.grad(eb.sum(eb.relu(W) ** 2), W)) == "dW[n] = 2 relu(W[n])"


def test_sigmoids_of_opposite_arguments() -> None:
    z, t, w = (eb.tensor(f"{name}[n]") for name in "ztw")
    entropy = -eb.sum(t * eb.log(eb.sigmoid(z)) + (1 - t) * eb.log(1 - eb.sigmoid(z)))
    assert str(eb.grad(entropy, z)) == "dz[n] = sigmoid(z[n]) - t[n]"
    sums = {
        (1 + w) * eb.sigmoid(z) + w * eb.sigmoid(-z): "y[n] = w[n] + sigmoid(z[n])",
        w * eb.sigmoid(-z) - w * eb.sigmoid(z): None,
        2 * w * eb.sigmoid(z) - 2 * (3 - w) * eb.sigmoid(-z): "y[n] = 2 w[n] + 6 sigmoid(z[n]) - 6",
        t * eb.sigmoid(z) + w * eb.sigmoid(-z): None,
        w * eb.sigmoid(z) + w * eb.sigmoid(-z): "y[n] = w[n]",
    }
    for value, shown in sums.items():
        assert shown in (None, str(value))
        arrays = {"z": np.array([-3.0, 0.0, 2.0]), "t": np.array([0.0, 1.0, 0.3]), "w": np.array([2.0, -1.0, 0.5])}
        arrays = {name: array for name, array in arrays.items() if name in {one.name for one in value.inputs}}
        wanted = evaluate([value.node], arrays, {"n": 3})[0]
        np.testing.assert_allclose(eb.evaluate(value, **arrays), wanted, rtol=1e-14, atol=1e-15)
        read = eb.program(str(value))["y"]
        arrays = {one.name: arrays[one.name] for one in read.inputs}
        np.testing.assert_allclose(eb.evaluate(read, **arrays), wanted, rtol=1e-14, atol=1e-15)
    run = eb.evaluate(eb.grad(entropy, z), z=np.float16([9, -9]), t=np.float16([1, 0]))
    np.testing.assert_allclose(run, [-1.234e-4, 1.234e-4], rtol=1e-3)  # in the tails too: what runs is not shortened


def test_choices_that_are_zero_on_opposite_sides_are_one_choice() -> None:
    c, a, b = (Input(name, ("n",), ()) for name in "cab")
    zero = build.const(0)
    one, other = Map("where", (c, a, zero)), Map("where", (c, zero, b))
    joined = Map("where", (c, build.scale(a, 2), build.scale(b, -3)))
    assert normalise([build.add([one, other], [2, -3])]) == normalise([joined])
    assert normalise([build.add([other, one], [-3, 2])]) == normalise([joined])
    numbers = build.add([Map("where", (c, build.const(3), zero)), other], [2, 1])
    assert normalise([numbers]) == (Map("where", (c, build.const(6), b)),)
    twice = build.add([one, Map("where", (c, b, zero))])  # both on one side
    assert normalise([twice]) == (twice,)
