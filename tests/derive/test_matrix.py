"""Derivatives of matrix functions: exact cofactors, JAX in float64, differences, and identities between the modes."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from einback.derive import orders
from einback.derive.forward import jvp
from einback.derive.reverse import vjp
from einback.errors import DerivativeError
from einback.ir import build
from einback.ir.nodes import Input, Map, Matrix
from einback.ir.verify import verify
from einback.rules.matrix import MATRIX_TABLE, matrix
from einback.rules.simplify import normalise, simplify
from tests.interpreter import evaluate
from tests.oracles.jax_lib import jax, jnp

A = Input("A", ("n", "n"), ())
T = Input("T", ("b", "n", "n"), ())
SIZES = {"n": 3, "b": 2}
DIFFERENTIABLE = [fn for fn, row in MATRIX_TABLE.items() if row.partial is not None]


def symmetric_part(node):
    batch = tuple(range(node.rank - 2))
    turned = build.einsum([node], [(*batch, "i", "j")], (*batch, "j", "i"))
    return build.add((node, turned), (Fraction(1, 2), Fraction(1, 2)))


def function(fn, node):
    return matrix(fn, symmetric_part(node) if MATRIX_TABLE[fn].symmetric else node)


def draw(fn, shape, seed=0):
    """A matrix in the domain of a function, not symmetric, with eigenvalues apart."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape) / 4 + np.diag(np.arange(1.0, shape[-1] + 1))
    return a + 2 * np.eye(shape[-1]) if MATRIX_TABLE[fn].domain == "positive" else a


def value(node, **arrays):
    """The value of a node; a matrix fixes n, and other sizes are as in SIZES."""
    n = arrays["A"].shape[-1] if "A" in arrays else SIZES["n"]
    return evaluate([node], arrays, SIZES | {"n": n})[0]


def differences(node, name, **arrays):
    """All derivatives of a node by central differences, extrapolated once."""
    base = {key: np.array(array, float) for key, array in arrays.items()}

    def slope(place, step):
        values = []
        for sign in (1, -1):
            moved = base | {name: base[name].copy()}
            moved[name][place] += sign * step
            values.append(value(node, **moved))
        return (values[0] - values[1]) / (2 * step)

    places = list(np.ndindex(base[name].shape))
    columns = [(4 * slope(place, 5e-4) - slope(place, 1e-3)) / 3 for place in places]
    return np.stack(columns, axis=-1).reshape(*np.shape(columns[0]), *base[name].shape)


# Exact: cofactors of integer matrices, by Leibniz' formula over all permutations


def parity(order):
    return (-1) ** sum(order[i] > order[j] for i in range(len(order)) for j in range(i + 1, len(order)))


def exact_det(a):
    total = Fraction(0)
    for order in permutations(range(len(a))):
        term = Fraction(parity(order))
        for row, column in enumerate(order):
            term *= a[row][column]
        total += term
    return total


def cofactor(a, i, j):
    minor = [[x for q, x in enumerate(row) if q != j] for p, row in enumerate(a) if p != i]
    return (-1) ** (i + j) * exact_det(minor)


def exact_inverse(a):
    det = exact_det(a)
    return [[cofactor(a, j, i) / det for j in range(len(a))] for i in range(len(a))]


INTEGERS = [[2, 1, 0, 3], [1, -1, 2, 0], [4, 0, 1, 1], [0, 2, -3, 1]]


def test_the_gradient_of_the_determinant_is_the_matrix_of_cofactors():
    slope = orders.jacobian(matrix("det", A), A)
    want = [[float(cofactor(INTEGERS, i, j)) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(evaluate([slope], {"A": np.array(INTEGERS, float)})[0], want, rtol=1e-13)


def test_second_derivatives_of_the_determinant_are_signed_minors():
    second = orders.hessian(matrix("det", A), A, A)
    (found,) = evaluate([second], {"A": np.array(INTEGERS, float)})
    for i, j, k, m in np.ndindex(4, 4, 4, 4):
        want = 0.0
        if i != k and j != m:
            left = [
                [x for q, x in enumerate(row) if q not in (j, m)] for p, row in enumerate(INTEGERS) if p not in (i, k)
            ]
            want = (-1) ** (i + j + k + m) * (-1) ** ((i > k) + (j > m)) * float(exact_det(left))
        assert abs(found[i, j, k, m] - want) < 1e-12


def test_the_jacobian_of_the_inverse_is_exact():
    inverse = exact_inverse(INTEGERS)
    (found,) = evaluate([orders.jacobian(matrix("inv", A), A)], {"A": np.array(INTEGERS, float)})
    for i, j, k, m in np.ndindex(4, 4, 4, 4):
        assert abs(found[i, j, k, m] + float(inverse[i][k] * inverse[m][j])) < 1e-13


def test_the_gradient_of_logdet_is_the_inverse_transposed():
    inverse = exact_inverse(INTEGERS)
    (found,) = evaluate([orders.jacobian(matrix("logdet", A), A)], {"A": np.array(INTEGERS, float)})
    np.testing.assert_allclose(found, np.array(inverse, float).T, rtol=1e-13)


# All rows, against differences and JAX


@pytest.mark.parametrize("fn", MATRIX_TABLE)
@pytest.mark.parametrize("x", [A, T], ids=["matrix", "batch"])
def test_jacobians_are_those_of_differences(fn, x):
    y = function(fn, x)
    a = draw(fn, tuple(SIZES[size] for size in x.sizes))
    slope = orders.jacobian(y, x)
    verify([slope])
    np.testing.assert_allclose(value(slope, **{x.name: a}), differences(y, x.name, **{x.name: a}), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("fn", DIFFERENTIABLE)
def test_second_and_third_derivatives_are_those_of_differences(fn):
    first = orders.jacobian(function(fn, A), A)
    second = orders.jacobian(first, A)
    a = draw(fn, (2, 2))
    for order, lower in ((second, first), (orders.jacobian(second, A), second)):
        np.testing.assert_allclose(
            evaluate([order], {"A": a})[0],
            differences(lower, "A", A=a),
            rtol=1e-7,
            atol=1e-7,
        )


JAX_FUNCTIONS = {
    "inv": lambda a: jnp.linalg.solve(a, jnp.eye(3)),
    "det": lambda a: jnp.linalg.det(a.T),
    "logdet": lambda a: jnp.linalg.slogdet(a)[1],
    "cholesky": lambda a: jnp.linalg.cholesky(a, symmetrize_input=True),
    "eigvalsh": lambda a: jnp.linalg.eigvalsh(a, symmetrize_input=True),
}


@pytest.mark.oracle
@pytest.mark.parametrize("fn", JAX_FUNCTIONS)
def test_jacobians_and_hessians_are_those_of_jax(fn):
    a = draw(fn, (3, 3), seed=1)
    weights = np.cos(np.arange(27.0)).reshape(3, 3, 3)[tuple([0] * (3 - MATRIX_TABLE[fn].keeps))]
    w = Input("w", ("n",) * MATRIX_TABLE[fn].keeps, ())
    y = function(fn, A)
    np.testing.assert_allclose(
        evaluate([orders.jacobian(y, A)], {"A": a})[0], jax.jacrev(JAX_FUNCTIONS[fn])(a), rtol=1e-11, atol=1e-12
    )
    scalar = build.einsum([y, w], [range(y.rank)] * 2, ())
    want = jax.hessian(lambda a: jnp.sum(weights * JAX_FUNCTIONS[fn](a)))(a)
    found = evaluate([orders.hessian(scalar, A, A)], {"A": a, "w": weights})[0]
    np.testing.assert_allclose(found, want, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("fn", DIFFERENTIABLE)
@pytest.mark.parametrize("x", [A, T], ids=["matrix", "batch"])
def test_pushing_forward_and_pulling_back_agree(fn, x):
    """<g, push t> = <pull g, t>."""
    y = function(fn, x)
    g, t = Input("g", y.shape, ()), Input("t", x.shape, ())
    pulled = build.einsum([*vjp(y, g, [x]), t], [range(x.rank)] * 2, ())
    pushed = build.einsum([jvp(y, {x: t}), g], [range(y.rank)] * 2, ())
    rng = np.random.default_rng(3)
    shape = tuple(SIZES[size] for size in x.sizes)
    arrays = {
        x.name: draw(fn, shape),
        "t": rng.normal(size=shape),
        "g": rng.normal(size=tuple(SIZES[size] for size in y.shape)),
    }
    one, other = evaluate(simplify([pulled, pushed]), arrays, SIZES)
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_leading_axes_are_carried_through():
    y = matrix("inv", A)
    g, t = Input("g", ("m", "n", "n"), ()), Input("t", ("m", "n", "n"), ())
    (pulled,), pushed = vjp(y, g, [A]), jvp(y, {A: t}, ("m",))
    rng = np.random.default_rng(4)
    a, many = draw("inv", (3, 3)), rng.normal(size=(4, 3, 3))
    inverse = np.linalg.inv(a)
    back, ahead = evaluate([pulled, pushed], {"A": a, "g": many, "t": many})
    np.testing.assert_allclose(back, -inverse.T @ many @ inverse.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ahead, -inverse @ many @ inverse, rtol=1e-12, atol=1e-13)


# Conventions


def test_gradients_of_functions_of_symmetric_matrices_are_symmetric():
    for fn in ("cholesky", "eigvalsh"):
        y = function(fn, A)
        weighted = build.einsum([y, *(Map("cos", (Input(f"w{k}", ("n",), ()),)) for k in range(y.rank))],
                                [range(y.rank), *((k,) for k in range(y.rank))], ())  # fmt: skip
        (slope,) = orders.gradient(weighted, [A])
        found = value(slope, A=draw(fn, (3, 3)), w0=np.arange(3.0), w1=np.arange(3.0) + 1)
        np.testing.assert_allclose(found, found.T, rtol=1e-12, atol=1e-13)


def test_the_row_itself_gives_the_symmetric_gradient():
    """Of Cholesky of an argument that is taken as it is: dL[0,0] / dA = 1 / (2 L[0,0]) at the corner, nothing else."""
    node = matrix("cholesky", A)
    corner = Input("e", ("n",), ())
    (slope,) = orders.gradient(build.einsum([node, corner, corner], ["ij", "i", "j"], ""), [A])
    found = value(slope, A=np.diag([4.0, 9.0, 16.0]), e=np.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, [[1 / 4, 1 / 4, 0], [1 / 4, 1 / 6, 0], [0, 0, 0]], atol=1e-15)


def test_the_derivative_of_the_sign_is_zero():
    (slope,) = orders.gradient(matrix("sign", A), [A])
    np.testing.assert_array_equal(evaluate([slope], {}, SIZES)[0], np.zeros((3, 3)))


def test_a_function_of_all_eigenvalues_has_no_nan_at_a_diagonal_matrix():
    total = build.total(Map("exp", (function("eigvalsh", A),)), [0])
    second = orders.hessian(total, A, A)
    assert np.isfinite(value(second, A=np.diag([1.0, 2.0, 4.0]))).all()


def test_equal_eigenvalues_give_no_wrong_number():
    """The second derivative of sum lambda^2 at the identity is 1 + transpose; what cannot be known is NaN, not 0."""
    total = build.total(Map("power", (function("eigvalsh", A), build.const(2))), [0])
    found = value(orders.hessian(total, A, A), A=np.eye(3))
    eye = np.eye(3)
    want = np.einsum("ik,jl->ijkl", eye, eye) + np.einsum("il,jk->ijkl", eye, eye)
    wrong = np.isfinite(found) & ~np.isclose(found, want)
    assert not wrong.any()


# Complex matrices: the holomorphic ones, and log|det|, which is a real part


@pytest.mark.parametrize("fn", ["sign", "cholesky", "eigvalsh", "eigvecs"])
def test_functions_without_a_complex_derivative_say_so(fn):
    Z = Input("Z", ("n", "n"), ("complex",))
    y = matrix(fn, Z)
    with pytest.raises(DerivativeError, match=f"{fn} has no derivative at complex matrices"):
        vjp(y, Input("g", y.shape, ()), [Z])


def test_log_determinants_of_complex_matrices_are_real():
    Z, t = Input("Z", ("n", "n"), ("complex",)), Input("t", ("n", "n"), ("complex",))
    y = matrix("logdet", Z)
    assert not y.is_complex
    rng = np.random.default_rng(5)
    z, direction = (rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)) for _ in range(2))
    (pushed,) = evaluate([jvp(y, {Z: t})], {"Z": z, "t": direction})
    step = 1e-6
    ahead, behind = (np.linalg.slogdet(z + sign * step * direction)[1] for sign in (1, -1))
    assert abs(pushed - (ahead - behind) / (2 * step)) < 1e-8
    (pulled,) = vjp(y, build.const(1), [Z])
    (found,) = evaluate([pulled], {"Z": z})
    assert abs(np.real(np.sum(found * direction)) - pushed) < 1e-12


# Programs


def test_deep_chains_of_inverses_are_differentiated():
    y = A
    for _ in range(2000):
        y = Matrix("inv", build.add((y, A)), 2)
    (slope,) = vjp(build.einsum([y], ["ij"], ""), build.const(1), [A])
    verify([slope])


def test_normal_forms_of_derivatives_keep_values():
    y = build.einsum([matrix("inv", A), matrix("inv", A), A], ["ij", "jk", "kl"], "il")
    slope = orders.jacobian(y, A)
    before, after = evaluate([slope, *normalise([slope])], {"A": draw("inv", (3, 3))})
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(after, evaluate([orders.jacobian(matrix("inv", A), A)], {"A": draw("inv", (3, 3))})[0])
