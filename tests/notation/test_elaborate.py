"""What index programs mean, against hand-written NumPy."""

import numpy as np
import pytest

from einback.errors import EinbackError
from einback.ir.nodes import Einsum, Input, Map
from einback.ir.verify import verify
from einback.notation.elaborate import elaborate
from tests.interpreter import evaluate

RNG = np.random.default_rng(2)
ARRAYS = {
    "A": RNG.uniform(0.5, 2.0, (3, 4)),
    "B": RNG.uniform(0.5, 2.0, (4, 3)),
    "S": RNG.uniform(0.5, 2.0, (3, 3)),
    "T": RNG.uniform(0.5, 2.0, (3, 4, 3)),
    "x": RNG.uniform(0.5, 2.0, 3),
    "y": RNG.uniform(0.5, 2.0, 3),
    "z": RNG.uniform(0.5, 2.0, 4),
    "a": np.float64(1.5),
    "b": np.float64(-0.7),
}
A, B, S, T, x, y, z, a, b = ARRAYS.values()


def run(text: str) -> np.ndarray:
    """The last definition of a text, its inputs taken from ARRAYS by name."""
    program = elaborate(text)
    verify(program.tensors.values())
    return evaluate([program.tensors[program.outputs[-1]]], {one.name: ARRAYS[one.name] for one in program.inputs})[0]


def log_softmax(array: np.ndarray, axis: int) -> np.ndarray:
    return array - np.log(np.sum(np.exp(array), axis=axis, keepdims=True))


MEANINGS: list[tuple[str, object]] = [
    # the rule of summation
    ("s = x[i]^2", (x**2).sum()),
    ("L = (x[i] - y[i])^2", ((x - y) ** 2).sum()),
    ("L = (S[n,c] - T[n,d,c] z[d])^2 / size(n)", ((S - np.einsum("ndc,d->nc", T, z)) ** 2).sum() / 3),
    ("s = (x[i] + a y[i] + b)^2", ((x + a * y + b) ** 2).sum()),
    ("s = (x[i] y[i] - x[i])^2", ((x * y - x) ** 2).sum()),
    ("r[j] = A[i,j] (x[i] y[i] - 2 x[i])", (x * y - 2 * x) @ A),
    ("s = a (x[i] y[i] + x[i] x[i])", a * (x * y + x * x).sum()),
    ("s = sum[i](x[i])^2", x.sum() ** 2),
    ("s = (x[i] y[i])^2", (x @ y) ** 2),
    ("s = x[i] y[i]", x @ y),
    ("s = x[i] y[j]", x.sum() * y.sum()),
    ("s = (x[i]) (y[i])", x @ y),
    ("s = x[i] / y[i]", (x / y).sum()),
    ("s = x[i] / (x[i] + y[i])", (x / (x + y)).sum()),
    ("s = 1 / (x[i] y[i])", 1 / (x @ y)),
    ("s = sum[i](1 / x[i])", (1 / x).sum()),
    ("s = x[i] y[i] / x[i]^2", (y / x).sum()),
    ("s = x[i] / sum[j](y[j])", x.sum() / y.sum()),
    ("s = x[i]^y[i]", (x**y).sum()),
    ("s = 2^x[i]", (2**x).sum()),
    ("s = 2^(x[i] y[i])", 2 ** (x @ y)),
    ("s = 2^(x[i] - y[i])", (2 ** (x - y)).sum()),
    ("s = (x[i]^2 y[i])^(1/2)", (x**2 @ y) ** 0.5),
    ("s = 2^-x[i]", (2**-x).sum()),
    ("s = x[i] + a", x.sum() + a),
    ("s = x[i] + y[i]", (x + y).sum()),
    ("s = sum[i](x[i] + y[i] + a)", (x + y + a).sum()),
    ("s = a (x[i] + y[i])", a * (x + y).sum()),
    ("s = (x[i] - a) (y[i] - b)", (x - a) @ (y - b)),
    ("s = (x[i] + a) y[i]", (x + a) @ y),
    ("s = (x[i] + y[i] + a) y[i]", (x + y + a) @ y),
    ("s = (x[i] + a y[i]) + 2 (x[i] - y[i])", (3 * x + (a - 2) * y).sum()),
    ("s = x[i] - 2 y[j]", x.sum() - 2 * y.sum()),
    ("s = exp(sum[i](x[i]))", np.exp(x.sum())),
    ("s = exp(x[i] y[i])", np.exp(x @ y)),
    ("s = exp(x[i] + y[i])", np.exp(x + y).sum()),
    ("s = exp(x[i] y[i] + a)", np.exp(x @ y + a)),
    ("s = exp(x[i]) y[i]", np.exp(x) @ y),
    ("r[i] = exp(A[i,j] z[j]) y[i]", np.exp(A @ z) * y),
    ("s = maximum(x[i], y[i])", np.maximum(x, y).sum()),
    ("s = abs(x[i] - y[i])", np.abs(x - y).sum()),
    ("s = where(x[i] > y[i], x[i], a)", np.where(x > y, x, a).sum()),
    ("s = x[i] > y[i]", (x > y).sum()),
    ("s = sum[i](x[i] > a)", (x > a).sum()),
    ("s = x[i] (x[i] > a)", x @ (x > a)),
    ("r[i] = A[i,j]", A.sum(axis=1)),
    ("r[j] = x[i] A[i,j]", x @ A),
    ("s = x[i] S[i,j] x[j]", x @ S @ x),
    ("s = a (x[i] + b)", a * (x.sum() + b)),
    ("r[i] = x[i] (y[j] + b)", x * (y.sum() + b)),
    # diagonals, ones, the Kronecker delta
    ("s = S[i,i]", np.trace(S)),
    ("r[i] = S[i,i]", np.diag(S)),
    ("r[i] = 1 / S[i,i]", 1 / np.diag(S)),
    ("r[i] = exp(S[i,i]) + x[i]", np.exp(np.diag(S)) + x),
    ("r[j] = T[i,j,i]", np.einsum("iji->j", T)),
    ("D[i,i] = x[i]", np.diag(x)),
    ("D[i,i] = S[i,i] x[i]", np.diag(np.diag(S) * x)),
    ("r[i] = δ[i,j] x[j]", x),
    ("D[i,j] = delta[i,j] x[j] + S[i,j]", np.diag(x) + S),
    ("s = δ[i,j] S[i,j]", np.trace(S)),
    ("r[i,j] = x[i] 1[j] + S[i,j]", x[:, None] + S),
    ("r[i,j] = x[i] ones[j] + S[j,i]", x[:, None] + S.T),
    ("s = ones[i] x[i] + ones[i]", x.sum() + 3),
    ("s = x[i] y[i] + ones[i,j] S[j,i]", (x * y + S.sum(axis=0)).sum()),
    # broadcasting and the order of axes
    ("r[i,j] = x[i] + z[j] + A[i,j]", x[:, None] + z + A),
    ("r[j,i] = x[i] + A[i,j]", (x[:, None] + A).T),
    ("r[j,i] = A[i,j]", A.T),
    ("r[i,j] = maximum(x[i], z[j])", np.maximum(x[:, None], z)),
    ("r[i,j] = where(x[i] > a, z[j], A[i,j])", np.where(x[:, None] > a, z, A)),
    ("r[i] = x[i] + 1", x + 1),
    ("r[i] = 0\ns[j] = 2 r[i] A[i,j] - 3/2", np.full(4, -1.5)),
    ("D[i,i] = 2\ns[j,k] = D[j,k] + S[j,k]", 2 * np.eye(3) + S),
    ("r[i] = where(x[i] > 1, x[i]², -inf)", np.where(x > 1, x**2, -np.inf)),
    ("r[i,j] = x[i]^z[j]", x[:, None] ** z),
    # reductions and axis functions
    ("s = sum[i](exp(x[i]))", np.exp(x).sum()),
    ("r[i] = max[j](A[i,j])", A.max(axis=1)),
    ("r[j] = min[i](A[i,j])", A.min(axis=0)),
    ("s = prod[i,j](A[i,j])", A.prod()),
    ("s = mean[i](x[i]^2)", (x**2).mean()),
    ("r[i] = mean[j](A[i,j])", A.mean(axis=1)),
    ("r[i] = logsumexp[j](A[i,j])", np.log(np.exp(A).sum(axis=1))),
    ("s = max[i](A[i,j] z[j])", (A @ z).max()),
    ("s = max[i](S[i,j] + S[j,i])", (S + S.T).max(axis=1).sum()),
    ("s = mean[i](A[i,j])", A.sum() / 3),
    ("s = sum[i](x[i]) + sum[i](y[i]^2)", x.sum() + (y**2).sum()),
    ("s = sum[i](x[i]) sum[j](y[j])", x.sum() * y.sum()),
    ("r[i,j] = softmax[j](A[i,j])", np.exp(log_softmax(A, 1))),
    ("r[i,j] = softmax[i,j](A[i,j])", np.exp(A) / np.exp(A).sum()),
    ("r[i,j] = log_softmax[i](A[i,j])", log_softmax(A, 0)),
    ("s = A[i,j] log(softmax[j](A[i,j]))", (A * log_softmax(A, 1)).sum()),
    ("s = softmax[i](x[i])", 1.0),
    ("s = sum[i](softmax[i](x[i]) y[i])", np.exp(log_softmax(x, 0)) @ y),
    ("s = -x[i] log_softmax[i](A[i,j] z[j]) / size(i)", -(x @ log_softmax(A @ z, 0)) / 3),
    # numbers, powers, signs
    ("s = 1/2 a", a / 2),
    ("s = a / 2 b", a / 2 * b),
    ("s = a / (2 b)", a / (2 * b)),
    ("s = -a^2", -(a**2)),
    ("s = a * -b", -a * b),
    ("s = -a * -b", a * b),
    ("s = a - -b", a + b),
    ("s = +a", a),
    ("s = 2^3^2", 512),
    ("s = a^-1", 1 / a),
    ("s = a^(1/2)", a**0.5),
    ("s = a**2 b", a**2 * b),
    ("s = a^2^-1", a**0.5),
    ("s = a² b⁻¹", a**2 / b),
    ("s = 2a", 2 * a),
    ("s = 2(a + b)", 2 * (a + b)),
    ("s = a(b + 1)\nt = a + s", a + a * (b + 1)),
    ("s = x[i](y[i] + 1) + x[i]", (x * (y + 1) + x).sum()),
    ("s = x[i] (y[i] + 1)", x @ (y + 1)),
    ("s = a[] (b + 1)", a * (b + 1)),
    ("s = 1e-3 a + .5", 1e-3 * a + 0.5),
    ("s = pi a", np.pi * a),
    ("s = π a + 0 inf", np.nan),
    ("s = ∞", np.inf),
    ("s = 1/0", np.inf),
    ("s = 3 - 1/4", 2.75),
    ("s = size(i) + 0 x[i]", 3 + 0 * x.sum()),
    ("s = a · b × 2 − 1", a * b * 2 - 1),
    ("s = √(a) + sqrt(a)", 2 * a**0.5),
    ("r[i] = square(x[i]) reciprocal(y[i])", x**2 / y),
    (
        "r[i] = leaky_relu(x[i] - 1) + leaky_relu(x[i] - 1, 1/4)",
        sum(np.where(x > 1, x - 1, k * (x - 1)) for k in (0.01, 0.25)),
    ),
    ("r[i] = clip(x[i], 1, 3/2)", np.clip(x, 1, 1.5)),
    ("r[i] = (x[i] ≥ 1) (x[i] != y[i])", (x >= 1) * (x != y)),
    ("s = 2 > 1", 1),
    ("s = exp(0)", 1),
    # lines, comments, order
    ("s = a # + b\n", a),
    ("s = a\n  + b\n  * 2", a + b * 2),
    ("s = a +\n b", a + b),
    ("s = (a\n + \n b)", a + b),
    ("s = maximum(a,\n b)", max(a, b)),
    ("t = 2 a\n\n\nu = t^2\nwhere = 3 u", 3 * (2 * a) ** 2),
    ("r[i] = Z[i,j] z[j]\n  where Z[i,j] = A[i,j]\ns = r[i]", A.sum(axis=0) @ z),
    ("s = W[j] z[j]\nW[k] = x[i] A[i,k]\nt = s", x @ A @ z),
    # tensors that are called as functions and constants are
    ("max[i] = x[i]\ns = max[i] max[i]", x @ x),
    ("pi = a\ns = pi^2", a**2),
]


@pytest.mark.parametrize(("text", "expected"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_meaning(text: str, expected: object) -> None:
    found, wanted = run(text), np.asarray(expected, dtype=float)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


LOSS = """
    Z[n,c] = X[n,d] W[d,c] + b[c]
    loss   = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)
"""


def test_a_program() -> None:
    program = elaborate(LOSS)
    assert [(one.name, one.sizes) for one in program.inputs] == [
        ("X", ("n", "d")),
        ("W", ("d", "c")),
        ("b", ("c",)),
        ("Y", ("n", "c")),
    ]
    assert list(program.tensors) == ["X", "W", "b", "Y", "Z", "loss"]
    assert program.outputs == ("Z", "loss")
    assert program.index_names["Z"] == ("n", "c")
    assert program.size_names == {"n": ("n",), "c": ("c",), "d": ("d",)}
    assert program.equalities == frozenset()


def test_the_program_in_any_order() -> None:
    lines = [line for line in LOSS.splitlines() if line.strip()]
    assert elaborate("\n".join(reversed(lines))).tensors["loss"] is elaborate(LOSS).tensors["loss"]


def test_a_product_is_one_einsum() -> None:
    node = elaborate("r[i,k] = 2 A[i,j] B[j,k] / x[i]").tensors["r"]
    (product,) = node.terms  # type: ignore[attr-defined]
    assert isinstance(product, Einsum)
    assert [type(operand) for operand in product.operands] == [Input, Input, Map]


def test_a_product_has_the_axes_of_the_left_side() -> None:
    node = elaborate("r[k,i] = A[i,j] B[j,k]").tensors["r"]
    assert isinstance(node, Einsum)
    assert node.out == (2, 0)


def test_a_diagonal_is_read_before_it_is_inverted() -> None:
    (inverse,) = elaborate("s = sum[i](1 / S[i,i])").tensors["s"].operands  # type: ignore[attr-defined]
    assert inverse.shape == ("i",)


def test_long_numbers_become_floats() -> None:
    program = elaborate("s = ((9^60)^60)^60\nt = 1e300 * 1e300 x[i]\nu = 9^60 * 9^60 * 9^60 * 9^60 * 9^60 * 9^60")
    verify(program.tensors.values())
    assert program.tensors["t"].weights == (float("inf"),)  # type: ignore[attr-defined]
    assert program.tensors["u"].value == float("inf")  # type: ignore[attr-defined]


def test_indices_that_meet_are_one_size() -> None:
    program = elaborate("Z[n,c] = X[n,d] W[d,c]\ns = Z[i,j] Z[j,i]\nA[p] = V[p,p'] v[p']")
    assert [one.sizes for one in program.inputs] == [("n", "d"), ("d", "n"), ("p", "p"), ("p",)]
    assert program.size_names["n"] == ("n", "c", "i", "j")
    assert program.size_names["p"] == ("p", "p'")
    assert program.index_names["V"] == ("p", "p'")


def test_delta_makes_its_indices_one_size() -> None:
    assert elaborate("r[i] = δ[i,j] x[j]").inputs[0].sizes == ("i",)


def test_given_tensors() -> None:
    X, W = Input("X", ("m", 5), ()), Input("V", ("e", "c"), ())
    program = elaborate("Z[n,k] = X[n,d] W[d,k] + b[k] + u[q]", {"X": X, "W": W, "other": X})
    assert program.inputs == (Input("b", ("c",), ()), Input("u", ("q",), ()))
    assert list(program.tensors) == ["X", "W", "b", "u", "Z"]
    assert program.tensors["W"] is W
    assert program.tensors["Z"].shape == ("m", "c")
    assert program.equalities == {(5, "e")}
    assert program.size_names["m"] == ("n",)


def test_a_new_size_is_not_taken_for_a_given_one() -> None:
    X = Input("X", ("i",), ())
    program = elaborate("s[n] = X[n] + W[i] v[i]", {"X": X})
    assert program.inputs[0].sizes == ("i_",)


def test_a_given_size_reaches_indices_that_came_before() -> None:
    program = elaborate("s = x[i] δ[i,j] V[j]", {"V": Input("V", (7,), ())})
    assert program.inputs == (Input("x", (7,), ()),)


def test_presets_and_renaming() -> None:
    program = elaborate("h[n,k] = x[n,d] W[d,k]", {}, {"k": 128, "d": "width"}, {"W": "W_1"}, suffix="_1")
    assert program.inputs == (Input("x", ("n_1", "width"), ()), Input("W_1", ("width", 128), ()))
    with pytest.raises(EinbackError) as caught:
        elaborate("s = x[item]", sizes={"items": 3})
    assert str(caught.value) == "a size is given for items, but there is no index items\ndid you mean item?"


def test_messages_on_given_tensors() -> None:
    given = {"x": Input("x", (1,), ()), "W": Input("W", (3,), ())}
    with pytest.raises(EinbackError) as caught:
        elaborate("Z[n] = x[n] W[n]", given)
    assert str(caught.value) == (
        "index n has size 1 in x and size 3 in W\n"
        "  Z[n] = x[n] W[n]\n"
        "                ^\n"
        "an axis of size 1 is not repeated; read it under an index of its own"
    )
    with pytest.raises(EinbackError) as caught:
        elaborate("W[n] = x[n]", given)
    assert str(caught.value) == "W is defined here, and given as well\n  W[n] = x[n]\n  ^^^^\nleave one out"
    with pytest.raises(EinbackError) as caught:
        elaborate("Z[n] = x[n,m]", given)
    assert caught.value.fact == "x has 1 axis as it is given, and is read with 2 indices here"


def test_sizes_that_clash_through_a_delta() -> None:
    given = {"x": Input("x", (2,), ()), "W": Input("W", (3,), ())}
    with pytest.raises(EinbackError) as caught:
        elaborate("s = x[i] W[j] δ[i,j]", given)
    assert caught.value.fact == "index j has size 2 in x and size 3 in W"


def test_names_in_normal_form() -> None:
    assert elaborate("s = µ[ϕ]").inputs == (Input("μ", ("φ",), ()),)
    assert [one.name for one in elaborate("s = λ[i] class[i] np 重み").inputs] == ["λ", "class", "np", "重み"]


def test_primes_of_all_kinds() -> None:
    assert elaborate("s = A[n,n′] B[n',n″]").tensors["s"] is elaborate("s = A[n,n'] B[n',n'']").tensors["s"]
