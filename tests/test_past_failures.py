"""The table of past failures: each was wrong once, and is pinned by the smallest program that showed it."""

import pickle

import numpy as np
import pytest

import einback as eb
from einback.formula.index import Names, texts
from einback.ir.build import einsum
from einback.ir.nodes import Window
from einback.rules.simplify import normalise
from tests.interpreter import evaluate

x, y, s = eb.tensors("x[n] y[n] s")


def summed(count):
    total = x
    for _ in range(count):
        total = total + 0.5
    return total


def test_long_sums_are_flattened_in_one_walk():
    np.testing.assert_array_equal(eb.evaluate(summed(5000), x=np.ones(2)), [2501, 2501])
    many = eb.tensors(" ".join(f"x{k}[n]" for k in range(1500)))
    total = many[0]
    for one in many[1:]:
        total = total + eb.sin(one)
    assert str(eb.grad(eb.sum(total), many[1])) == "dx1[n] = cos(x1[n])"


def test_nan_weights_end():
    assert np.isnan(eb.evaluate(x * float("nan"), x=np.ones(2))).all()
    assert np.isnan(eb.evaluate(x + float("nan"), x=np.ones(2))).all()


def test_products_of_many_sums_with_diagonals_stay_small():
    factors = [eb.eye("n") + w for w in eb.tensors(" ".join(f"W{k}[n,n]" for k in range(16)))]
    letters = "abcdefghijklmnopq"
    spec = ",".join(letters[k : k + 2] for k in range(16)) + "->aq"
    assert len(eb.einsum(spec, *factors).text()) < 2000


def test_numbers_beyond_the_floats_are_infinite():
    np.testing.assert_array_equal(eb.evaluate(x * 10**400, x=np.ones(2)), [np.inf, np.inf])
    assert (x * -(10**400)).text() == "y[n] = -inf x[n]"


def test_shares_of_a_maximum_in_latex_keep_their_arguments_apart():
    shown = eb.grad(eb.sum(eb.maximum(x, 1 - y)), x).latex()
    assert shown == r"\mathrm{dx}_{n} = \operatorname{above}\left(x_{n}, 1 - y_{n}\right)"


def test_a_comparison_of_a_comparison_is_in_parentheses():
    shown = ((x > y) > 0).text(name="z")
    assert shown == "z[n] = (x[n] > y[n]) > 0"
    assert eb.program(shown, x=x, y=y)["z"].node is ((x > y) > 0).node


def test_a_fraction_under_a_power_is_in_parentheses_in_latex():
    assert (0.5**x).latex(name="z") == r"z_{n} = \left(\frac{1}{2}\right)^{x_{n}}"


def test_an_intermediate_that_simplification_would_lose_is_no_silent_zero():
    z = eb.sin(x)
    with pytest.raises(eb.DerivativeError, match="no part of the tensor"):
        eb.grad(eb.sum(x), z)
    with pytest.raises(eb.DerivativeError, match="do not vary independently"):
        eb.hessian(eb.sum(z * x), x, z)


def test_stable_forms_are_what_is_differentiated():
    loss = eb.sum(eb.log(1 + eb.exp(x)))
    np.testing.assert_allclose(eb.evaluate(eb.grad(loss, x), x=np.array([800.0, -800.0])), [1, 0], atol=1e-300)
    p = eb.sigmoid(x)
    entropy = -eb.sum(y * eb.log(p) + (1 - y) * eb.log(1 - p))
    got = eb.evaluate([entropy, eb.grad(entropy, x)], x=np.array([900.0, -900.0]), y=np.array([1.0, 0.0]))
    np.testing.assert_allclose(got[0], 0, atol=1e-300)
    np.testing.assert_allclose(got[1], [0, 0], atol=1e-300)


def test_a_choice_keeps_infinities_out_of_its_gradient():
    slope = eb.grad(eb.sum(eb.where(x > 0, eb.log(x), 0)), x)
    np.testing.assert_array_equal(eb.evaluate(slope, x=np.array([-1.0, 0, 2])), [0, 0, 0.5])


@pytest.mark.parametrize("name", ["a b", "a;b", "<img onerror=1>", "}\\input{x}", "x\ny", "a'"])
def test_names_of_layers_are_names(name):
    with pytest.raises(eb.NotationError, match="a layer cannot be named"):
        eb.layer("h[n,k] = x[n,d] W[d,k]")(eb.tensor("X[n,d]"), name=name)


def test_second_derivatives_by_integers_are_errors():
    with pytest.raises(eb.ArrayError, match="integers have no gradient"):
        eb.evaluate(eb.hessian(eb.sum(x**3), x), x=np.array([1, 2]))
    with pytest.raises(eb.ArrayError, match="x is not declared complex"):
        eb.evaluate(eb.grad(eb.sum(x**3), x), x=np.array([1j, 2]))


def test_programs_pickle_and_list_each_input_once():
    p = eb.program("y = x[i] z[i]")
    assert pickle.loads(pickle.dumps(p))["y"].node is p["y"].node
    assert [t.name for t in eb.program("y = x\nz = x y").inputs] == ["x"]


def test_an_input_prints_as_a_program():
    assert x.text() == "y[n] = x[n]"
    assert eb.program(x.text(), x=x)["y"].node is x.node


def test_keys_of_results_are_strings_or_numbers():
    with pytest.raises(eb.EinbackError, match="the keys of what is compiled are strings or whole numbers, not nan"):
        eb.compile({float("nan"): x})


def test_what_a_program_does_not_know_is_refused_every_time():
    fn = eb.compile(eb.ones("[3]"))
    fn()
    with pytest.raises(eb.ArrayError, match="unknown array bogus"):
        fn(bogus=3)


def test_a_deep_chain_in_every_stage():
    deep = x
    for _ in range(3000):
        deep = eb.sin(deep)
    slope = eb.grad(eb.sum(deep), x)
    assert np.isfinite(eb.evaluate(slope, x=np.ones(2))).all()
    assert slope.text().count("cos") >= 1


def test_the_exchange_of_two_axes_leaves_a_diagonal_beside_them_where_it_is():
    S = eb.tensor("S[n,n]", symmetric=True)
    s = np.array([[1.0, 2.0], [2.0, 3.0]])
    embedded = eb.einsum("ijkl->ijlk", eb.einsum("ij->ijij", S))
    np.testing.assert_array_equal(eb.evaluate(embedded, S=s), np.einsum("ij,ik,jl->ijlk", s, np.eye(2), np.eye(2)))
    curved = eb.evaluate(eb.hessian(eb.sum(S**2), S, entries="independent"), n=2)
    np.testing.assert_array_equal(curved[0, 1], [[0, 4], [4, 0]])
    np.testing.assert_array_equal(curved[0, 0], [[2, 0], [0, 0]])


def test_a_complex_power_of_a_negative_number_is_not_real_on_the_real_axis():
    z = eb.tensor("z[n]", complex=True)
    values = {"x": np.array([-1.3, 0.7]), "z": np.array([0.3 - 0.8j, 1.2 + 0.4j])}
    base = values["x"] + 0j
    np.testing.assert_allclose(eb.evaluate(x ** eb.conj(z), **values), base ** values["z"].conj(), rtol=1e-14)
    slope = eb.evaluate(eb.grad(eb.sum((x**z).real), z, convention="conjugate"), **values)
    np.testing.assert_allclose(slope, base ** values["z"] * np.log(base), rtol=1e-14)


def test_comparisons_of_numbers_are_numbers():
    assert str(eb.grad(eb.sum(2**x), x)) == "dx[n] = log(2) * 2^x[n]"


def test_a_mask_that_is_scaled_by_a_negative_quotient():
    product = -(s < 1) * (x > 0) / (s + 1)
    np.testing.assert_array_equal(eb.evaluate(product, s=0.0, x=np.array([1.0, -1])), [-1, 0])
    np.testing.assert_array_equal(eb.evaluate(-(x > 0) / y, x=np.array([1.0, -1]), y=np.array([2.0, 2])), [-0.5, 0])


def test_complex_numbers_and_identity_matrices_do_not_widen():
    A = eb.tensor("A[n,n]")
    single, double = np.ones((2, 2), np.float32), np.ones(2)
    found = eb.compile([A + eb.eye("n"), 1j * A, A * eb.log(2 * eb.ones("[n]")), x])(A=single, x=double)
    assert [one.dtype for one in found] == [np.float32, np.complex64, np.float32, np.float64]
    found = eb.compile([x * (1 / 3 + 1j), y])(x=np.ones(2, np.int8), y=np.ones(2, np.float32))
    assert found[0].dtype == np.complex128
    np.testing.assert_array_equal(found[0], 1 / 3 + 1j)


def test_quotients_by_norms_that_are_written_with_sums_and_means_are_zero_at_zero():
    z = eb.tensor("z[n]", complex=True)
    deviation = eb.sqrt(eb.mean((x - eb.mean(x)) ** 2))
    np.testing.assert_array_equal(eb.evaluate(eb.grad(deviation, x), x=np.ones(3)), [0, 0, 0])
    lengths = eb.grad(eb.sum(eb.sqrt(x**2 + y**2)), x)
    np.testing.assert_allclose(eb.evaluate(lengths, x=np.array([0.0, 3]), y=np.array([0.0, 4])), [0, 0.6], rtol=1e-15)
    np.testing.assert_array_equal(eb.evaluate(eb.grad(eb.linalg.norm(z), z), z=np.zeros(2) * 1j), [0, 0])
    S = eb.tensor("S[n,n]", symmetric=True)
    np.testing.assert_array_equal(
        eb.evaluate(eb.grad(eb.linalg.norm(S @ x), S), S=np.zeros((2, 2)), x=np.ones(2)), np.zeros((2, 2))
    )


@pytest.mark.parametrize(
    "y", [eb.log(eb.exp(x)), eb.log(eb.softmax(x)), eb.log1p(eb.expm1(x)), eb.linalg.norm(x), eb.where(x > 0, 1, x)]
)
def test_complex_arrays_are_no_real_numbers_to_rules_about_these(y):
    with pytest.raises(eb.ArrayError, match="x is not declared complex, and the array holds complex128"):
        eb.evaluate(y, x=np.array([5j, 1]))


def test_a_complex_condition_is_named():
    with pytest.raises(eb.EinbackError, match="the condition of where is complex"):
        eb.where(eb.tensor("z[n]", complex=True), x, y)


def test_a_comparison_moves_with_nothing():
    z = eb.tensor("z[n]", complex=True)
    found = eb.evaluate(eb.jacobian(z**2 * eb.where(z.real > 0, 1, 3), z), z=np.array([1j + 1, 1j - 1]))
    np.testing.assert_array_equal(found, np.diag([2 + 2j, 6j - 6]))


def test_half_precision_is_no_excuse_for_a_matrix_without_symmetry():
    S = eb.tensor("S[n,n]", symmetric=True)
    with pytest.raises(eb.ArrayError, match="S is declared symmetric"):
        eb.evaluate(S @ x, S=np.array([[1, 0.3], [0, 1]], np.float16), x=np.ones(2, np.float16))


def test_entries_are_not_added_into_what_repeats():
    ids = eb.tensor("ids[m]", integer=True)
    for text, added in (("y[s] = x[ids[s]]", [2, 0]), ("y[i] = x[i+1]", [0, 1])):
        given = {"ids": ids} if "ids" in text else {}
        f = eb.sum(eb.program(text, x=x, **given)["y"]) + eb.cos(eb.sum(x))
        arrays = {"ids": np.array([0, 0])} if given else {}
        slope = eb.evaluate(eb.grad(f, x), x=np.array([1.0, 2]), **arrays)
        np.testing.assert_allclose(slope, np.array(added) - np.sin(3))


def test_a_window_without_indices_prints():
    assert texts([Window("n", (), (), 0)], ["y"], [Names()]) == "y[n] = δ[n,0]"


@pytest.mark.parametrize(
    "text",
    [
        "y[o,i] = tanh(sum[c,u](x[c,i+u] K[o,c,u]))",
        "y[(i j)] = A[i,c] B[c,j] + B[i,c] A[c,j]",
    ],
)
def test_sums_beside_relations_are_contracted_first(text):
    p = eb.program(text, **({"u": 3} if "u" in text else {}))
    shapes = {"x": (20, 22), "K": (20, 20, 3), "A": (20, 20), "B": (20, 20)}
    plan = eb.compile(p["y"]).plan(**{one.name: shapes[one.name] for one in p.inputs})
    assert plan.peak_bytes < 8 * 20**3


def test_an_inverse_is_not_symmetric_in_a_batch_axis_and_one_of_its_own():
    values = np.array([0.3, 1.1, -0.7])
    kernels = eb.exp(eb.einsum("i,j,k->ijk", x, x, x))
    turned = eb.einsum("bij->ibj", eb.linalg.inv(kernels))
    expected = np.linalg.inv(np.exp(np.einsum("i,j,k->ijk", values, values, values))).transpose(1, 0, 2)
    np.testing.assert_allclose(eb.evaluate(turned, x=values), expected, rtol=1e-9)


@pytest.mark.parametrize(("ids", "expected"), [("i+1", [20, 0]), ("2-i", [0, 20]), ("3*i-1", [0, 0])])
def test_what_is_gathered_by_may_be_a_slice(ids, expected):
    t = eb.tensor("t[3]", integer=True)
    gathered = eb.program(f"h[i:2] = v[t[{ids}]]", t=t, v=eb.tensor("v[3]"))["h"]
    found = eb.evaluate(gathered, t=np.array([1, 2, 0]), v=np.array([0.0, 10, 20]))
    np.testing.assert_array_equal(found, expected)


def test_comments_define_what_only_a_name_can_stand_for():
    t, V, X = eb.tensor("t[5,4]", integer=True), eb.tensor("V[5,5]"), eb.tensor("X[b,n,n]")
    gathered = eb.program("h[i,i] = V[i,i] V[i,t[i,i-1]]", t=t, V=V)["h"]
    assert "V[i,G[i]] where G[i] = δ[i,p+1] t[i,p]" in eb.compile(gathered).source()
    inverse = eb.compile(eb.linalg.inv(eb.unflatten(x, 0, (2, -1)))).source(n=4)
    assert "inv(G)[i,j] where G[i,j] = x[(i j)]" in inverse
    assert "det(G)[i] where G[i,b,j] = X[j,i,b]" in eb.compile(eb.linalg.det(eb.einsum("bij->ijb", X))).source(b=2, n=2)


def test_a_scatter_of_a_sum_over_nothing():
    a, z, t = eb.tensor("a[3,3]"), eb.tensor("z[0,5]"), eb.tensor("t[2]", integer=True)
    p = eb.program("h[i:0] = sum[j:2,k:3](a[t[j],k] δ[j,2*k+i] z[i,k-j])", a=a, z=z, t=t)
    slope = eb.grad(eb.sum(p["h"]), z)
    assert eb.evaluate(slope, a=np.ones((3, 3)), t=np.zeros(2, int)).shape == (0, 5)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("h = v[2*i-3]", "h = sum[i:2](v[2*i-3])"),
        ("h[j] = v[j] + v[2*i-3] w[j]", None),
        ("h = v[t[]]", "h = v[t[]]"),
        ("h[(i j:2)] = v[i] ones[j]", "h[(i j:2)] = ones[j] v[i]"),
        ("h[j:2] = softmax[j](v[j+1])", "h[j:2] = softmax[j](v[j+1])"),
        ("h[i:2,j:2] = v[i+j]", "h[i:2,j:2] = v[i+j]"),
        ("h[i,j:3] = v[i] (i >= j)", None),
    ],
)
def test_formulas_say_the_sizes_that_nothing_else_tells(text, shown):
    v, w, t = eb.tensor("v[4]"), eb.tensor("w[4]"), eb.tensor("t", integer=True)
    arrays = {"v": np.array([1.0, 2, 4, 8]), "w": np.array([1.0, 0, 2, 1]), "t": np.array(2)}
    given = {name: one for name, one in (("v", v), ("w", w), ("t", t)) if f"{name}[" in text}
    h = eb.program(text, **given, **({"i": 2} if "-3" in text else {}))["h"]
    printed = h.text(name="h")
    assert shown is None or printed == shown
    again = eb.program(printed, **given)["h"]
    used = {name: arrays[name] for name in given}
    np.testing.assert_array_equal(eb.evaluate(again, **used), eb.evaluate(h, **used))


def test_a_size_is_said_of_an_index_that_is_called_like_it():
    w, v, K = eb.tensors("w[n] v[h] K[u]")
    conv = eb.program("y[n] = v[n+u-1] K[u] + w[n]", w=w, v=v, K=K)["y"]
    shown = eb.jacobian(conv, K).text()
    assert shown == "J[n:n,u:u] = v[n+u-1]"
    assert eb.program(shown, v=v)["J"].shape == ("n", "u")


def test_a_view_with_its_axes_in_another_order_is_gathered_from():
    X, t = eb.tensor("X[6,3]"), eb.tensor("t[2]", integer=True)
    text = "y[i:2,j:2] = sum[k:3,l:4](X[i+j+2,k] δ[k,3*i-l+3])\nh[i,q] = y[i,t[q]]"
    moved = eb.jvp(eb.program(text, X=X, t=t)["h"], {X: eb.tensor("V[6,3]")})
    arrays = {"t": np.array([1, 1]), "V": np.arange(18.0).reshape(6, 3)}
    np.testing.assert_array_equal(eb.evaluate(moved, **arrays), [[30, 30], [0, 0]])
    again = eb.program(moved.text(name="h"), V=eb.tensor("V[6,3]"), t=t)["h"]
    np.testing.assert_array_equal(eb.evaluate(again, **arrays), [[30, 30], [0, 0]])


def test_a_group_with_an_index_twice_is_printed_as_one():
    v = eb.tensor("v[n]")
    y = eb.program("y[(i i)] = v[i]", v=v)["y"]
    assert y.text(name="y") == "y[p] = δ[p,(i i)] v[i]"
    again = eb.program(y.text(name="y"), v=v)["y"]
    np.testing.assert_array_equal(eb.evaluate(again, v=np.array([3, 5])), [3, 0, 0, 5])


def test_windows_of_one_index_at_two_offsets_never_meet():
    z = eb.tensor("z[n]")
    y = eb.program("y = sum[i]((z[i+1] - z[i+0])^4)", z=z)["y"]
    laplacian = eb.einsum("aa->", eb.hessian(y, z))
    found = eb.evaluate(laplacian, z=np.array([1.0, 2, 4]))
    assert found == 24 * (1 + 4)


def test_a_gradient_says_the_size_of_an_axis_that_is_read_at_computed_positions_alone():
    z, k = eb.tensors("z[n] k[u]")
    slope = eb.grad(eb.program("y = sum[i](abs(z[i+u-1] k[u]))", z=z, k=k)["y"], z)
    assert slope.text().startswith("dz[n:n] = ")
    again = eb.program(slope.text(name="g"), z=z, k=k)["g"]
    np.testing.assert_array_equal(eb.evaluate(again, z=np.ones(5), k=np.ones(3)), [2, 3, 3, 3, 2])


def test_equal_windows_on_axes_whose_sizes_became_one_are_no_contradiction():
    one, other = (Window(size, ("i",), (2,), 0) for size in ("n", "m"))
    (node,) = normalise([einsum([one, other], ["pi", "pi"], "pi")])
    (found,) = evaluate([node], {}, {"n": 4, "m": 4, "i": 2}, [("n", "m")])
    np.testing.assert_array_equal(found, [[1, 0], [0, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("weight", "dtype"), [(1 / 3, "f2"), (70_000.0, "f2"), (1e-9, "f2"), (1e39, "f4"), (1e-50, "f4")]
)
def test_a_multiple_of_a_product_is_not_rounded_in_the_dtype_of_a_factor(weight: float, dtype: str) -> None:
    rng = np.random.default_rng(0)
    A, B, C = eb.tensors("A[n,k] B[k,m] C[n,m]")
    arrays = {
        "A": rng.normal(size=(400, 3)),
        "B": rng.normal(size=(3, 20)).astype(dtype),
        "C": rng.normal(size=(400, 20)),
    }
    product = weight * (arrays["A"] @ arrays["B"].astype(float))
    np.testing.assert_allclose(eb.compile(weight * (A @ B))({"A": arrays["A"], "B": arrays["B"]}), product, rtol=1e-9)
    np.testing.assert_allclose(eb.compile(weight * (A @ B) + C)(arrays), product + arrays["C"], rtol=1e-9)


def test_multiples_of_products_of_half_floats_stay_in_range() -> None:
    A, B, C = eb.tensors("A[n,k] B[k,m] C[n,m]")
    fn = eb.compile(1e6 * (A @ B) + C)
    arrays = {"A": np.ones((4000, 3), "f2"), "B": np.full((3, 400), 1e-4, "f2"), "C": np.zeros((4000, 400), "f2")}
    np.testing.assert_allclose(fn(arrays), 300, rtol=2e-3)


def test_diagonals_and_scatters_are_added_to_bools_as_numbers() -> None:
    A, v = eb.tensors("A[n,n] v[n]")
    ones = np.ones((2, 2), bool)
    both = {"A": ones, "v": np.ones(2, bool)}
    diagonal = eb.einsum("i->ii", v)
    for y, arrays, expected in (
        (A + diagonal, both, [[2, 1], [1, 2]]),
        (A + 2 * diagonal, both, [[3, 1], [1, 3]]),
        (A - eb.eye("n"), {"A": ones}, [[0, 1], [1, 0]]),
        ((A > 0) + eb.eye("n"), {"A": ones}, [[2, 1], [1, 2]]),
        ((A > 0) + eb.eye("n"), {"A": ones.astype(np.int8)}, [[2, 1], [1, 2]]),
    ):
        np.testing.assert_array_equal(eb.compile(y)(arrays), expected)
    p = eb.program("y[n] = x[n] + u[m] δ[n,ids[m]]", ids=eb.tensor("ids[m]", integer=True))
    arrays = {"x": np.ones(3, bool), "u": np.ones(4, bool), "ids": np.array([0, 0, 1, 2])}
    np.testing.assert_array_equal(eb.compile(p["y"])(arrays), [3, 2, 2])


def test_a_product_joins_a_transposed_result() -> None:
    A, B, D = eb.tensors("A[n,n] B[n,m] D[m,n]")
    rng = np.random.default_rng(0)
    a = {"A": rng.normal(size=(6, 6)), "B": rng.normal(size=(6, 3)), "D": rng.normal(size=(3, 6))}
    np.testing.assert_allclose(eb.compile(B @ D + A.T)(a), a["B"] @ a["D"] + a["A"].T, rtol=1e-12)
    np.testing.assert_allclose(
        eb.compile(eb.tanh(B @ D + 3 * A.T))(a), np.tanh(a["B"] @ a["D"] + 3 * a["A"].T), rtol=1e-12
    )
    some = {key: a[key] for key in "AB"}
    np.testing.assert_allclose(eb.compile(B @ B.T + A.T)(some), a["B"] @ a["B"].T + a["A"].T, rtol=1e-12)


def test_arrays_that_numpy_makes_and_steps_take_over_are_freed_under_their_names() -> None:
    p = eb.program("m[b] = logsumexp[c](where(c <= 1, z[b,c], -inf))\n y = m[b]^2")
    z = np.random.default_rng(0).normal(size=(4000, 50))
    expected = (np.log(np.exp(z[:, :2]).sum(axis=1)) ** 2).sum()
    np.testing.assert_allclose(eb.compile(p["y"])(z=z), expected, rtol=1e-12)


def test_constants_that_are_made_beforehand_are_not_freed() -> None:
    p = eb.program("a[i] = where(i >= 2, x[i], 0)\n b[i] = where(i <= 5, y[i], 0)\n s = sum[i](x[i])")
    fn = eb.compile([p["s"], p["a"], p["b"], eb.tanh(p["a"])])
    ones = np.ones(200_000)
    for _ in range(2):
        total, a, b, t = fn(x=ones, y=ones)
        assert total == 200_000
        assert (a.sum(), b.sum()) == (199_998, 6)
        np.testing.assert_array_equal(t, np.tanh(a))


def test_a_call_that_fails_leaves_no_slice_running() -> None:
    t = eb.tensor("t[b]", integer=True)
    text = """
        z[b,c] = tanh(exp(x[t[b],c]) + x[t[b],c])
        y[b,c] = sin(exp(-z[b,c]^2) + tanh(z[b,c] + exp(z[b,c]))) + cos(w[b,c])
    """
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.normal(size=(500, 64)),
        "t": rng.integers(0, 500, 20_000),
        "w": rng.normal(size=(20_000, 64)),
    }
    fn = eb.compile(eb.program(text, t=t)["y"], threads=2)
    expected = fn(arrays)
    for place in (0, 17_000):
        wrong = {**arrays, "t": arrays["t"].copy(), "w": rng.normal(size=(20_000, 64))}
        wrong["t"][place] = 1000
        with pytest.raises(
            eb.ArrayError, match=rf"^t\[{place}\] is 1000, and the axis that it points into has 500 entr"
        ):
            fn(wrong)
        np.testing.assert_array_equal(fn(arrays), expected)


def test_functions_of_numbers_run_under_a_limit() -> None:
    x = eb.tensor("x[n]")
    y = eb.erf(eb.sum(eb.ones("[n]")) * 0.1) * eb.sum(x)
    assert eb.compile(y, memory_limit=10**6)(x=np.ones(5)) == eb.compile(y)(x=np.ones(5))


def test_functions_of_a_tensor_and_a_number_have_derivatives() -> None:
    x = eb.tensor("x[n]")
    for y in (eb.arctan2(x, 2), eb.arctan2(2, x), eb.hypot(x, 2), eb.logaddexp(x, 2)):
        assert eb.check(eb.sum(y), x, x=np.linspace(0.3, 1.2, 4))
