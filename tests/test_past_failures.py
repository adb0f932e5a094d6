"""The table of past failures: each was wrong once, and is pinned by the smallest program that showed it."""

import pickle

import numpy as np
import pytest

import einback as eb

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
