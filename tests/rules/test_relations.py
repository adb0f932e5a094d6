"""Rules for windows and one-hot tensors: what each makes, and random products against the interpreter."""

import random

import numpy as np
import pytest

from einback.derive.orders import gradient, hessian, jacobian
from einback.ir.build import einsum, ones
from einback.ir.nodes import Delta, Einsum, Input, Map, Node, OneHot, Ones, Window
from einback.ir.verify import verify
from einback.ir.walk import children, postorder
from einback.rules.simplify import normalise, simplify
from tests.interpreter import evaluate

X = Input("x", ("n",), ())
IDS = Input("ids", ("b",), ("integer",))
W = Window("n", ("i", "u"), (2, 1), 0)
FLAT = Window("h*w", ("h", "w"), ("w", 1), 0)


def _simple(*args: object) -> Node:
    return simplify([einsum(*args)])[0]  # type: ignore[arg-type]


def test_a_relation_holds_or_not() -> None:
    assert _simple([W, W, X], ["piu", "piu", "p"], "iu") is _simple([W, X], ["piu", "p"], "iu")
    hot = OneHot(IDS, "n")
    assert _simple([hot, hot, X], ["bp", "bp", "p"], "b") is _simple([hot, X], ["bp", "p"], "b")


def test_all_but_one_index_fix_the_last() -> None:
    two = _simple([W, W, X], ["piu", "piv", "p"], "iuv")
    assert two is _simple([W, X, Delta("u")], ["piu", "p", "uv"], "iuv")
    hot = OneHot(IDS, "n")
    assert _simple([hot, hot], ["bp", "bq"], "bpq") is _simple([hot, Delta("n")], ["bp", "pq"], "bpq")


def test_sums_over_a_relation() -> None:
    assert _simple([W], ["piu"], "iu") is simplify([ones(("i", "u"))])[0]
    assert _simple([OneHot(IDS, "n")], ["bp"], "b") is ones(("b",))
    assert _simple([FLAT], ["fab"], "f") is ones(("h*w",))
    padded = Window("n", ("i",), (1,), -1)
    assert padded in children(_simple([padded], ["pi"], "i"))  # what lies outside counts for nothing


def test_flattening_is_undone() -> None:
    x = Input("x", ("h", "w"), ())
    flat = einsum([x, FLAT], ["ab", "fab"], "f")
    assert simplify([einsum([flat, FLAT], ["f", "fab"], "ab")])[0] is x
    y = Input("y", ("h*w",), ())
    split = einsum([y, FLAT], ["f", "fab"], "ab")
    assert simplify([einsum([split, FLAT], ["ab", "fab"], "f")])[0] is y


def test_windows_of_windows_are_windows() -> None:
    outer = Window("i", ("j", "v"), (3, 1), 1)
    both = _simple([X, W, outer], ["p", "piu", "ijv"], "jvu")
    assert both is _simple([X, Window("n", ("j", "v", "u"), (6, 2, 1), 2)], ["p", "pjvu"], "jvu")


def test_a_contraction_is_not_multiplied_out_in_windows() -> None:
    a, b, k = Input("a", ("n", "m"), ()), Input("b", ("m",), ()), Input("k", ("u",), ())
    inner = einsum([a, b], ["pm", "m"], "p")
    (node,) = normalise([einsum([inner, W, k], ["p", "piu", "u"], "i")])
    assert any(isinstance(op, Einsum) for op in node.operands)  # type: ignore[union-attr]


def _random_product(rng: random.Random) -> tuple[Node, dict[str, np.ndarray]]:
    """A product of data and relations whose windows may leave their axes, with concrete sizes."""
    sizes = {label: rng.choice((1, 2, 3, 4)) for label in "abcdef"}
    arrays: dict[str, np.ndarray] = {}
    operands: list[Node] = []
    terms: list[str] = []

    def take(count: int) -> str:
        return "".join(rng.choice("abcdef") for _ in range(count))

    for k in range(rng.randint(1, 3)):
        term = take(rng.randint(1, 2))
        name = f"x{k}"
        arrays[name] = np.array([rng.randint(-3, 3) for _ in range(int(np.prod([sizes[c] for c in term])))], dtype=int)
        arrays[name] = arrays[name].reshape([sizes[c] for c in term])
        operands.append(Input(name, tuple(sizes[c] for c in term), ()))
        terms.append(term)
    for k in range(rng.randint(1, 3)):
        term = take(rng.randint(2, 3))
        shape = tuple(sizes[c] for c in term)
        if rng.random() < 0.3:
            name = f"ids{k}"
            arrays[name] = np.array([rng.randrange(shape[-1]) for _ in range(int(np.prod(shape[:-1])))])
            arrays[name] = arrays[name].reshape(shape[:-1])
            operands.append(OneHot(Input(name, shape[:-1], ("integer",)), shape[-1]))
        else:
            steps = tuple(rng.choice((1, 1, 2, 3, -1)) for _ in shape[1:])
            reach = sum(step * (size - 1) for step, size in zip(steps, shape[1:], strict=True))
            inside = min(steps) > 0 and reach < shape[0]
            operands.append(Window(shape[0], shape[1:], steps, 0 if inside else -rng.randint(1, 2)))
        terms.append(term)
        if rng.random() < 0.3:  # the same relation again, perhaps under other labels
            operands.append(operands[-1])
            equal = [c for c in "abcdef" if sizes[c] == shape[-1]]
            terms.append(term[:-1] + rng.choice(equal))
    out = "".join(c for c in dict.fromkeys("".join(terms)) if rng.random() < 0.4)
    return einsum(operands, terms, out), arrays


@pytest.mark.parametrize("seed", range(400))
def test_random_products_keep_their_value(seed: int) -> None:
    node, arrays = _random_product(random.Random(seed))
    expected = evaluate([node], arrays)[0]
    for form in (simplify, normalise):
        (made,) = form([node])
        verify([made])
        np.testing.assert_array_equal(evaluate([made], arrays)[0], expected)


def test_hessian_of_a_convolution_and_its_trace() -> None:
    """f = sum tanh(y), y[i] = x[2i+u] k[u]: the trace of the Hessian in x is sum k^2 sum tanh''."""
    k = Input("k", (2,), ())
    w = Window(8, (4, 2), (2, 1), 0)
    x = Input("x", (8,), ())
    y = einsum([x, w, k], ["p", "piu", "u"], "i")
    f = einsum([Map("tanh", (y,))], ["i"], "")
    h = hessian(f, x, x)
    (trace,) = normalise([einsum([h], ["aa"], "")])
    assert not any(isinstance(node, Window) and node.rank == 3 and node.shape[0] == 8 and _used_dense(trace, node)
                   for node in postorder([trace]))  # fmt: skip
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=8), "k": rng.normal(size=2)}
    full, small = evaluate([h, trace], arrays)
    np.testing.assert_allclose(np.trace(full), small, rtol=1e-12)
    slope = gradient(f, [x])[0]
    np.testing.assert_allclose(evaluate([jacobian(slope, x)], arrays)[0], full, rtol=1e-12, atol=1e-15)


def _used_dense(root: Node, window: Node) -> bool:
    """Whether a product sums a window's place over relations alone."""
    for node in postorder([root]):
        if isinstance(node, Einsum) and window in node.operands:
            place = node.labels[node.operands.index(window)][0]
            data = [t for op, t in zip(node.operands, node.labels, strict=True) if not isinstance(op, Window | Ones)]
            if place not in node.out and not any(place in term for term in data):
                return True
    return False
