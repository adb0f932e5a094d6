"""The section "Values" of the awkward inputs, a test a clause; docs/numerics.md says what each convention is.

Oracles are Python loops over every index, exact fractions, and decimals with enough digits.
"""

import itertools
import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

import einback as eb
from tests.oracles import loops

INF, NAN = np.inf, np.nan
x, y, s = eb.tensors("x[n] y[n] s")
X = eb.tensor("X[n,d]")


def three(f: eb.Tensor, at: np.ndarray) -> list[np.ndarray]:
    """An elementwise function of x, its derivative, and its second derivative."""
    slope = eb.grad(eb.sum(f), x)
    found: list[np.ndarray] = eb.evaluate([f, slope, eb.grad(eb.sum(slope), x)], x=at)
    return found


# NaN and infinity propagate as a loop over indices would

SPECS = [
    "ij,jk->ik",
    "ij,ij->i",
    "i,i->",
    "i,j->ij",
    "bij,bjk->bik",
    "ii->i",
    "ij->j",
    "ij,jk,kl->il",
    ",ij->ji",
    "iij->j",
]


@pytest.mark.parametrize("spec", SPECS)
def test_nan_reaches_what_a_loop_lets_it_reach(spec: str) -> None:
    rng = np.random.default_rng(0)
    terms = spec.partition("->")[0].split(",")
    for k, place in itertools.product(range(len(terms)), range(3)):
        arrays = [rng.integers(-2, 3, [3] * len(term)).astype(float) for term in terms]
        arrays[k].flat[place % arrays[k].size] = NAN
        tensors = [eb.tensor(f"x{m}[{','.join('3' * len(term))}]" if term else f"x{m}") for m, term in enumerate(terms)]
        found = eb.evaluate(eb.einsum(spec, *tensors), **{f"x{m}": array for m, array in enumerate(arrays)})
        np.testing.assert_array_equal(found, loops.einsum(spec, *arrays).astype(float))


@pytest.mark.parametrize("spec", ["ij,jk->ik", "i,i->", "i,j->ij", "bij,bjk->bik"])
def test_infinities_in_a_product_of_two_tensors(spec: str) -> None:
    rng = np.random.default_rng(1)
    terms = spec.partition("->")[0].split(",")
    for _ in range(20):
        arrays = [rng.choice([0.0, 1.0, -2.0, INF, -INF], [3] * len(term)) for term in terms]
        tensors = [eb.tensor(f"x{m}[{','.join('3' * len(term))}]") for m, term in enumerate(terms)]
        found = eb.evaluate(eb.einsum(spec, *tensors), **{f"x{m}": array for m, array in enumerate(arrays)})
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(found, loops.einsum(spec, *arrays).astype(float))


@pytest.mark.parametrize("entry", [NAN, INF, -INF])
def test_reductions_meet_nan_and_infinities(entry: float) -> None:
    row = np.array([1.0, entry, -2.0])
    found = eb.evaluate([eb.sum(x), eb.max(x), eb.min(x), eb.prod(x), eb.mean(x), eb.logsumexp(x)], x=row)
    with np.errstate(invalid="ignore"):
        wanted = [row.sum(), row.max(), row.min(), row.prod(), row.mean(), np.logaddexp.reduce(row)]
    np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_functions_meet_nan_and_infinities() -> None:
    points = np.array([NAN, INF, -INF])
    found = eb.evaluate(
        [eb.tanh(x), eb.relu(x), abs(x), x * x, eb.exp(x), 1 / x, eb.sigmoid(x), eb.softplus(x)], x=points
    )
    wanted = [[NAN, 1, -1], [NAN, INF, 0], [NAN, INF, INF], [NAN, INF, INF], [NAN, INF, 0], [NAN, 0, 0]]
    np.testing.assert_array_equal(found, [*wanted, [NAN, 1, 0], [NAN, INF, 0]])


def test_infinity_minus_infinity_and_zero_times_infinity_are_nan() -> None:
    found = eb.evaluate([x - y, x * y], x=np.array([INF, 0.0]), y=np.array([INF, INF]))
    np.testing.assert_array_equal(found, [[NAN, -INF], [INF, NAN]])


@pytest.mark.parametrize(
    ("f", "bad"),
    [
        (eb.exp(eb.log(x)), -1.0),
        (eb.sqrt(x) ** 2, -1.0),
        (eb.sqrt(x) * eb.sqrt(x), -1.0),
        (eb.expm1(eb.log1p(x)), -2.0),
        (eb.log(x) - eb.log(2 * x), -1.0),
    ],
)
def test_rewriting_does_not_hide_nan(f: eb.Tensor, bad: float) -> None:
    assert np.isnan(eb.evaluate(f, x=np.array([bad]))).all()


def test_rewriting_adds_no_nan() -> None:
    assert eb.evaluate(eb.log(eb.exp(x)), x=np.array([1e4]))[0] == 1e4
    np.testing.assert_array_equal(eb.evaluate(x**2 / x, x=np.array([0.0, 3.0])), [0, 3])


def test_what_cancels_is_not_read() -> None:
    """x / x is x to the power 0, which is 1 for every x, NaN included; x - x and 0 x are 0."""
    np.testing.assert_array_equal(eb.evaluate([x / x, x**0, x - x, 0 * x], x=np.array([NAN])), [[1], [1], [0], [0]])


def test_rows_sum_to_one_unread() -> None:
    """The sum of a softmax is 1 as x / x is: in a row of NaN, of -inf alone, or of no entries too."""
    s = eb.sum(eb.softmax(X, axis=1), axis=1)
    np.testing.assert_array_equal(eb.evaluate(s, X=np.array([[NAN, 1], [-INF, -INF], [2, 3]])), [1, 1, 1])
    np.testing.assert_array_equal(eb.evaluate(s, X=np.zeros((2, 0))), [1, 1])
    np.testing.assert_array_equal(eb.evaluate(eb.grad(eb.sum(s), X), X=np.full((1, 2), -INF)), [[0, 0]])


def test_a_mean_of_nothing_is_nan() -> None:
    assert np.isnan(eb.evaluate(eb.mean(x), x=np.zeros(0)))
    assert np.isnan(eb.evaluate(eb.sum(x) / x.size("n"), x=np.zeros(0)))
    np.testing.assert_array_equal(eb.evaluate(eb.mean(X, axis=0), X=np.zeros((0, 2))), [NAN, NAN])
    assert eb.evaluate(eb.mean(X, axis=1), X=np.zeros((0, 2))).shape == (0,)
    assert eb.evaluate(eb.grad(eb.mean(X), X), X=np.zeros((0, 2))).shape == (0, 2)
    assert eb.evaluate(eb.sum(x), x=np.zeros(0)) == 0


# no NaN from a branch that a mask or `where` left out

LEFT_OUT = np.array([-1.0, 0.0, 4.0])
# name: a function of x that is defined at 4 alone, and its first three derivatives there
BRANCHES: dict[str, tuple[eb.Tensor, list[float]]] = {
    "where log": (eb.where(x > 0, eb.log(x), 0), [math.log(4), 1 / 4, -1 / 16, 1 / 32]),
    "where sqrt": (eb.where(x > 0, eb.sqrt(x), 0), [2, 1 / 4, -1 / 32, 3 / 256]),
    "where quotient": (eb.where(x > 0, 1 / x, 0), [1 / 4, -1 / 16, 1 / 32, -3 / 128]),
    "where on the other side": (eb.where(x <= 0, 0, x * eb.log(x)), [4 * math.log(4), 1 + math.log(4), 1 / 4, -1 / 16]),
    "bracket log": ((x > 0) * eb.log(x), [math.log(4), 1 / 4, -1 / 16, 1 / 32]),
    "bracket quotient": (2 * (x > 0) / x, [1 / 2, -1 / 8, 1 / 16, -3 / 64]),
    "root of relu": (eb.sqrt(eb.relu(x)), [2, 1 / 4, -1 / 32, 3 / 256]),
    "root of maximum": (eb.sqrt(eb.maximum(x, 0)), [2, 1 / 4, -1 / 32, 3 / 256]),
    "root of clip": (eb.sqrt(eb.clip(x, 0, 9)), [2, 1 / 4, -1 / 32, 3 / 256]),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_nothing_comes_from_a_branch_that_is_left_out(name: str) -> None:
    f, wanted = BRANCHES[name]
    tie = 1 if name in ("root of maximum", "root of clip") else 2  # at 0 these two tie, and the root is steep
    for order, value in enumerate(wanted):
        found = eb.evaluate(f, x=LEFT_OUT)
        np.testing.assert_allclose(found[[0, 2]], [0, value], rtol=1e-14, err_msg=f"order {order}")
        assert tie == 1 or found[1] == 0
        f = eb.grad(eb.sum(f), x)


@pytest.mark.parametrize("name", BRANCHES)
def test_hessians_have_nothing_from_a_branch_that_is_left_out(name: str) -> None:
    f, wanted = BRANCHES[name]
    at = LEFT_OUT[[0, 2]]
    np.testing.assert_allclose(eb.evaluate(eb.hessian(eb.sum(f), x), x=at), np.diag([0, wanted[2]]), rtol=1e-14)
    square = eb.evaluate(eb.hessian(eb.sum(f) ** 2, x), x=at)
    np.testing.assert_allclose(
        square, np.diag([0, 2 * (wanted[1] ** 2 + wanted[0] * wanted[2])]), rtol=1e-14, atol=1e-16
    )


def test_a_largest_entry_of_zero_under_a_root() -> None:
    """Entries that are not the largest get nothing of the infinite slope."""
    slope = eb.grad(eb.sum(eb.sqrt(eb.max(X, axis=1))), X)
    np.testing.assert_array_equal(eb.evaluate(slope, X=np.array([[-1.0, 0.0], [1.0, 4.0]])), [[0, INF], [0, 0.25]])


def test_masked_attention_to_second_order() -> None:
    p = eb.program("a[q,k] = softmax[k](where(m[q,k] > 0, S[q,k], -inf))")
    f = eb.sum(p["a"] ** 2)
    S, mask = np.random.default_rng(2).normal(size=(3, 3)), np.tril(np.ones((3, 3)))
    value, slope, curvature = eb.evaluate([f, eb.grad(f, p["S"]), eb.hessian(f, p["S"])], S=S, m=mask)
    assert all(np.isfinite(each).all() for each in (value, slope, curvature))
    assert not any(each[mask == 0].any() for each in (slope, curvature))
    e = np.where(mask > 0, np.exp(S), 0)
    P = e / e.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(slope, 2 * P * (P - (P * P).sum(axis=1, keepdims=True)), rtol=1e-13, atol=1e-15)


# softmax and logsumexp at +-1e4 and on a row of -inf

FAR = [shift + np.array([0.0, 1.0, -2.5, 0.1]) for shift in (1e4, -1e4, 0.0)]


def exact_softmax(row: np.ndarray) -> tuple[list[Decimal], Decimal]:
    exponentials = [Decimal(float(entry)).exp() for entry in row]
    total = sum(exponentials, Decimal(0))
    return [e / total for e in exponentials], total.ln()


@pytest.mark.parametrize("row", FAR)
def test_softmax_and_logsumexp_far_out_to_full_accuracy(row: np.ndarray) -> None:
    lse = eb.logsumexp(x)
    outputs = [
        lse,
        eb.softmax(x),
        eb.grad(lse, x),
        eb.log_softmax(x),
        eb.hessian(lse, x),
        eb.jacobian(eb.softmax(x), x),
    ]
    found = eb.evaluate(outputs, x=row)
    with localcontext() as context:
        context.prec = 60
        p, level = exact_softmax(row)
        logs = [float(v.ln()) for v in p]
        curvature = [[float(a * ((i == j) - b)) for j, b in enumerate(p)] for i, a in enumerate(p)]
    np.testing.assert_allclose(found[0], float(level), rtol=2e-16)
    np.testing.assert_allclose(found[1], [float(v) for v in p], rtol=1e-15)
    np.testing.assert_allclose(found[2], [float(v) for v in p], rtol=1e-15)
    np.testing.assert_allclose(found[3], logs, rtol=1e-15)
    np.testing.assert_allclose(found[4], curvature, rtol=3e-15)
    np.testing.assert_allclose(found[5], curvature, rtol=3e-15)


def test_cross_entropy_far_out_to_full_accuracy() -> None:
    """One-hot rows, and a scaled argument, whose logsumexp stands apart from what it is subtracted from."""
    loss = -eb.sum(y * eb.log_softmax(2 * x))
    row, wanted = np.array([5000.0, 4990.0]), math.log1p(math.exp(-20))
    found = eb.evaluate([loss, eb.logsumexp(2 * x) - 2 * eb.sum(x * y)], x=row, y=np.array([1.0, 0.0]))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-16)


@pytest.mark.parametrize("row", FAR)
def test_single_precision_far_out(row: np.ndarray) -> None:
    single = row.astype(np.float32)
    found = eb.evaluate(eb.softmax(x), x=single)
    with localcontext() as context:
        context.prec = 60
        np.testing.assert_allclose(found, [float(v) for v in exact_softmax(single)[0]], rtol=5e-7)


def test_logaddexp_far_out_to_full_accuracy() -> None:
    f = eb.logaddexp(x, y)
    found = eb.evaluate([f, *eb.grad(eb.sum(f), [x, y])], x=np.array([1e4]), y=np.array([1e4 + 1]))
    np.testing.assert_allclose(np.ravel(found[1:]), [1 / (1 + math.e), 1 / (1 + math.exp(-1))], rtol=1e-15)


def test_a_row_of_minus_infinity() -> None:
    """exp(-inf) sums to 0, whose logarithm is -inf; the softmax is 0 / 0, in that row alone."""
    rows = np.array([[-INF, -INF], [0.0, 0.0]])
    lse = eb.logsumexp(X, axis=1)
    found = eb.evaluate([lse, eb.softmax(X, axis=1), eb.grad(eb.sum(lse), X)], X=rows)
    np.testing.assert_allclose(found[0], [-INF, math.log(2)])
    np.testing.assert_array_equal(found[1], [[NAN, NAN], [0.5, 0.5]])
    np.testing.assert_array_equal(found[2], [[NAN, NAN], [0.5, 0.5]])
    assert eb.evaluate(lse, X=rows[:1]) == -INF  # alone, without a softmax beside it


def test_minus_infinity_among_other_entries() -> None:
    lse = eb.logsumexp(x)
    found = eb.evaluate([lse, eb.softmax(x), eb.log_softmax(x), eb.hessian(lse, x)], x=np.array([-INF, 3.0, 3.0]))
    np.testing.assert_allclose(found[0], 3 + math.log(2))
    np.testing.assert_allclose(found[1], [0, 0.5, 0.5])
    np.testing.assert_allclose(found[2], [-INF, -math.log(2), -math.log(2)])
    np.testing.assert_allclose(found[3], [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]])


# log1p, expm1, sigmoid, softplus at 1e-20 and 1e3 to full accuracy, with gradients

_E = Decimal.exp
STABLE: dict[str, tuple[eb.Tensor, Callable[[Decimal], Decimal], Callable[[Decimal], Decimal], list[float]]] = {
    "log1p": (eb.log(1 + x), lambda v: (1 + v).ln(), lambda v: 1 / (1 + v), [1e-20, -1e-20, 1e3]),
    "expm1": (eb.exp(x) - 1, lambda v: _E(v) - 1, _E, [1e-20, -1e-20, -1e3, 700.0]),
    "sigmoid": (
        1 / (1 + eb.exp(-x)),
        lambda v: 1 / (1 + _E(-v)),
        lambda v: _E(-abs(v)) / (1 + _E(-abs(v))) ** 2,
        [1e-20, -1e-20, 1e3, -1e3],
    ),
    "softplus": (
        eb.log(1 + eb.exp(x)),
        lambda v: (1 + _E(v)).ln(),
        lambda v: 1 / (1 + _E(-v)),
        [1e-20, -1e-20, 1e3, -1e3],
    ),
}


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("name", STABLE)
def test_tiny_and_large_arguments_to_full_accuracy(name: str, by_hand: bool) -> None:
    """The functions, and their formulas as people write them."""
    written, value, slope, points = STABLE[name]
    f = written if by_hand else getattr(eb, name)(x)
    found = three(f, np.array(points))
    with localcontext() as context:
        context.prec = 500
        exact = [[float(g(Decimal(v))) for v in points] for g in (value, slope)]
    np.testing.assert_allclose(found[0], exact[0], rtol=4e-16, atol=5e-324)
    np.testing.assert_allclose(found[1], exact[1], rtol=4e-16, atol=5e-324)


# sqrt, norm, |x|, x**0, 0**x at 0


def test_sqrt_at_zero() -> None:
    value, slope, curvature = three(eb.sqrt(x), np.array([0.0, -1.0]))
    np.testing.assert_array_equal([value, slope, curvature], [[0, NAN], [INF, NAN], [-INF, NAN]])


@pytest.mark.parametrize(
    "norm", [eb.sqrt(eb.sum(x**2)), eb.sqrt(x @ x), eb.sum(x * x) ** 0.5, eb.sqrt(4 * eb.sum(x**2)) / 2]
)
def test_norm_at_zero(norm: eb.Tensor) -> None:
    """The slope is the shortest subgradient, the curvature that of a kink; 1 / |x| stays infinite."""
    outputs = [norm, eb.grad(norm, x), eb.hessian(norm, x), x / norm, 1 / norm]
    found = eb.evaluate(outputs, x=np.zeros(2))
    np.testing.assert_array_equal(found[0], 0)
    np.testing.assert_array_equal(found[1], [0, 0])
    np.testing.assert_array_equal(found[2], [[INF, 0], [0, INF]])
    np.testing.assert_array_equal(found[3], [0, 0])
    np.testing.assert_array_equal(found[4], INF)
    found = eb.evaluate(outputs, x=np.array([3.0, 4.0]))
    np.testing.assert_allclose(found[1], [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(found[2], [[16 / 125, -12 / 125], [-12 / 125, 9 / 125]], rtol=1e-14)


def test_distances_of_a_point_to_itself() -> None:
    p = eb.program("t = sum[n,m](sqrt(sum[d]((X[n,d] - X[m,d])^2)))")
    found = eb.evaluate(eb.grad(p["t"], p["X"]), X=np.array([[0.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(found, [[-1.2, -1.6], [1.2, 1.6]], rtol=1e-15)


def test_hypot_at_zero() -> None:
    found = eb.evaluate(eb.grad(eb.sum(eb.hypot(x, y)), [x, y]), x=np.array([0.0, 3.0]), y=np.array([0.0, 4.0]))
    np.testing.assert_allclose(found, [[0, 0.6], [0, 0.8]], rtol=1e-15)


def test_norms_of_complex_numbers_are_left_as_they_are() -> None:
    """The squares of 1 and i sum to zero, and neither is zero."""
    z = eb.tensor("z[n]", complex=True)
    found = eb.evaluate(z / eb.sqrt(eb.sum(z**2)), z=np.array([1, 1j]))
    assert not np.isfinite(found).any()


def test_modulus_at_zero() -> None:
    np.testing.assert_array_equal(three(abs(x), np.array([0.0, 2, -2])), [[0, 2, 2], [0, 1, -1], [0, 0, 0]])
    np.testing.assert_array_equal(three(abs(x) ** 3, np.array([0.0, 2, -2])), [[0, 8, 8], [0, 12, -12], [0, 12, 12]])


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4])
def test_whole_powers_at_zero(exponent: int) -> None:
    wanted = [
        [math.perm(exponent, k) * float(v) ** (exponent - k) if k <= exponent else 0 for v in (0, 2)] for k in range(3)
    ]
    np.testing.assert_array_equal(three(x**exponent, np.array([0.0, 2.0])), wanted)


def test_other_powers_at_zero() -> None:
    np.testing.assert_array_equal(np.array(three(x**1.5, np.zeros(1))).ravel(), [0, 0, INF])
    np.testing.assert_array_equal(np.array(three(x**-1, np.zeros(1))).ravel(), [INF, -INF, INF])


def test_powers_with_exponents_in_an_array_at_zero() -> None:
    power = x**y
    first = eb.grad(eb.sum(power), [x, y])
    second = [eb.grad(eb.sum(slope), [x, y]) for slope in first]
    bases, exponents = np.array([0.0, 0, 0, 0, 2]), np.array([0.0, 1, 2, 3, 0])
    value, slopes, curvatures = eb.evaluate([power, first, second], x=bases, y=exponents)
    np.testing.assert_array_equal(value, [1, 0, 0, 0, 1])
    np.testing.assert_array_equal(slopes[0], [0, 1, 0, 0, 0])
    np.testing.assert_allclose(slopes[1], [0, 0, 0, 0, math.log(2)])
    np.testing.assert_array_equal(curvatures[0][0], [0, 0, 2, 0, 0])
    np.testing.assert_allclose([curvatures[0][1][4], curvatures[1][0][4]], 0.5)
    np.testing.assert_allclose(curvatures[1][1], [0, 0, 0, 0, math.log(2) ** 2])


def test_zero_to_the_power_of_x() -> None:
    np.testing.assert_array_equal(three(0**x, np.array([0.0, 0.5, 2.0])), [[1, 0, 0], [0, 0, 0], [0, 0, 0]])


# ties in max


@pytest.mark.parametrize("fn", [eb.max, eb.min])
def test_ties_share_evenly(fn: Callable[..., eb.Tensor]) -> None:
    sign = 1 if fn is eb.max else -1
    found = eb.evaluate([fn(x), eb.grad(fn(x), x), eb.hessian(fn(x), x)], x=sign * np.array([1.0, 3, 3, 3]))
    assert found[0] == sign * 3
    np.testing.assert_allclose(found[1], [0, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_array_equal(found[2], np.zeros((4, 4)))


def test_ties_of_maximum_and_of_relu() -> None:
    at = {"x": np.array([2.0, 0.0]), "y": np.array([2.0, 1.0])}
    np.testing.assert_array_equal(eb.evaluate(eb.grad(eb.sum(eb.maximum(x, y)), [x, y]), **at), [[0.5, 0], [0.5, 1]])
    np.testing.assert_array_equal(eb.evaluate(eb.grad(eb.sum(eb.relu(x)), x), x=np.zeros(2)), [0, 0])


# prod with no, one, two zeros to second order


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_products_with_zeros_to_third_order(zeros: int) -> None:
    entries = [Fraction(k) for k in (2, 3, 5, 7)]
    entries[:zeros] = [Fraction(0)] * zeros
    product = eb.prod(x)
    slope, curvature = eb.grad(product, x), eb.hessian(product, x)
    found = eb.evaluate([product, slope, curvature, eb.jacobian(curvature, x)], x=np.array(entries, float))
    for order, value in enumerate(found):
        for place in itertools.product(range(4), repeat=order):
            left = [entry for k, entry in enumerate(entries) if k not in place]
            wanted = math.prod(left) if len(set(place)) == order else 0
            assert np.asarray(value)[place] == wanted, (order, place)


def test_products_with_zeros_in_each_row() -> None:
    rows = np.array([[2.0, 3, 4], [0, 3, 4], [0, 0, 4]])
    found = eb.evaluate(eb.grad(eb.sum(eb.prod(X, axis=1)), X), X=rows)
    np.testing.assert_array_equal(found, [[12, 8, 6], [12, 0, 0], [0, 0, 0]])
