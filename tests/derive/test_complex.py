"""Complex tensors: gradients in both conventions against three oracles, and what has no answer.

The oracles are JAX (dL/dx - i dL/dy), PyTorch where it is installed (dL/dx + i dL/dy), and, always, central
differences of the same program in NumPy along the real and the imaginary part of every entry.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.ir.data import from_data, to_data
from tests.oracles.compare import assert_close

Array = np.ndarray

z, w = eb.tensor("z[n]", complex=True), eb.tensor("w[n]", complex=True)
A = eb.tensor("A[n,n]", complex=True)
x = eb.tensor("x[n]")
TENSORS = {"z": z, "w": w, "A": A, "x": x}


def complex_array(seed: int, *shape: int) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


VALUES = {
    "z": complex_array(1, 3),
    "w": complex_array(2, 3),
    "A": complex_array(3, 3, 3),
    "x": complex_array(4, 3).real,
}


def losses(m: Any, z: Any, w: Any, A: Any, x: Any) -> dict[str, Callable[[], Any]]:
    """Real scalars, written once for einback, NumPy, JAX and PyTorch."""
    es, conj, real, imag, size = m.einsum, m.conj, m.real, m.imag, m.abs
    return {
        "hermitian form": lambda: real(es("i,ij,j->", conj(z), A, z)),
        "least squares": lambda: es("i->", size(es("ij,j->i", A, z) - w) ** 2),
        "real parameter": lambda: es("i->", size(es("ij,j->i", A, x) * z - w) ** 2),
        "z and conj z": lambda: real(es("i,i,i->", z * z, conj(z), z + w)) + es("i->", imag(conj(z) * w)),
        "operands": lambda: real(es("ij,jk,k,l,li->", A, conj(A), z, conj(w), A)),
        "matrix product": lambda: es("ij->", size(es("ij,jk->ik", A, es("ij->ji", conj(A)))) ** 2),
        "division": lambda: imag(es("i->", w / (z + 3) + conj(z) / (w * w))),
        "powers": lambda: real(es("i->", z**3 + (w + 4) ** -1.5 + (w + 4) ** 0.5)),
        "functions": lambda: es("i->", size(m.exp(z * 1j) * m.sin(w) + m.log(z + 5) * m.tanh(w * 0.3))),
        "sum of conjugates": lambda: es("i,i->", real(z + conj(z)), imag(w - conj(w) * z)),
        "moduli": lambda: es("i->", size(z) * size(conj(w)) + size(z * x) ** 3 / size(w)),
        "modulus of a sum": lambda: size(es("i,ij,j->", z, A, w)) ** 0.5,
        "parts": lambda: es("i,i->", real(es("ij,j->i", A, x * (2 - 1j))), imag(m.exp(1j * x)) * x),
        "shared": lambda: _shared(m, z, w, A),
    }


def _shared(m: Any, z: Any, w: Any, A: Any) -> Any:
    y = m.einsum("ij,j->i", A, z)
    return m.real(m.einsum("i,i->", m.conj(y), y * y)) + m.imag(m.einsum("i,i->", m.exp(m.conj(y) * 0.1), w))


NAMES = sorted(losses(eb, **TENSORS))


def program(name: str) -> tuple[eb.Tensor, dict[str, eb.Tensor], dict[str, Array]]:
    """The loss, the tensors that it reads, and arrays for these."""
    loss = losses(eb, **TENSORS)[name]()
    read = [one.name for one in loss.inputs]
    return loss, {key: TENSORS[key] for key in read}, {key: VALUES[key] for key in read}


def differences(f: Callable[..., Any], values: dict[str, Array], name: str) -> Array:
    """df/d(real part) + i df/d(imaginary part) of every entry of one array, of fourth order."""
    result = np.zeros(values[name].shape, complex)

    def at(place: tuple[int, ...], by: complex) -> Any:
        moved = values[name].astype(complex)
        moved[place] += by
        moved = moved if values[name].dtype.kind == "c" else moved.real
        return f(**(values | {name: moved}))

    for place in np.ndindex(values[name].shape):
        for unit in (1, 1j) if values[name].dtype.kind == "c" else (1,):
            h = 1e-3 * unit
            slope = (8 * (at(place, h) - at(place, -h)) - (at(place, 2 * h) - at(place, -2 * h))) / (12 * 1e-3)
            result[place] += unit * slope
    return result


@pytest.mark.parametrize("name", NAMES)
def test_gradients_against_differences_in_both_conventions(name: str) -> None:
    loss, wrt, values = program(name)
    ascent, conjugate = (eb.compile(eb.grad(loss, wrt, convention=how)) for how in ("ascent", "conjugate"))

    def value(**arrays: Array) -> Any:
        return losses(np, **(VALUES | arrays))[name]()

    np.testing.assert_allclose(eb.evaluate(loss, **values), value(), rtol=1e-13)
    found, turned = ascent(values), conjugate(values)
    for key, tensor in wrt.items():
        want = differences(value, values, key)
        assert found[key].dtype == values[key].dtype, tensor
        np.testing.assert_allclose(found[key], want, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(turned[key], np.conj(found[key]), rtol=1e-14, atol=1e-14)


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES)
def test_gradients_and_their_products_against_jax(name: str) -> None:
    from tests.oracles.jax_lib import jax, jnp

    loss, wrt, values = program(name)

    def value(arrays: dict[str, Any]) -> Any:
        return losses(jnp, **(VALUES | arrays))[name]()

    found = eb.evaluate(eb.grad(loss, wrt, convention="conjugate"), **values)
    want = jax.grad(value)(values)
    for key, tensor in wrt.items():
        assert_close(found[key], want[key], key)
        v = eb.tensor(f"v[{','.join(map(str, tensor.shape))}]", complex=tensor.node.is_complex)
        along = complex_array(7, *values[key].shape)
        along = along if tensor.node.is_complex else along.real
        bent = eb.evaluate(eb.hvp(loss, tensor, v, convention="conjugate"), **values, v=along)
        slope = lambda a, key=key: jax.grad(lambda b: value({**values, key: b}))(a)  # noqa: E731
        assert_close(bent, jax.jvp(slope, (values[key],), (along,))[1], f"Hessian of {key} times v")


@pytest.mark.parametrize("name", NAMES)
def test_gradients_against_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    loss, wrt, values = program(name)
    held = {key: torch.tensor(value, requires_grad=key in values) for key, value in VALUES.items()}
    losses(_Promoting(torch), **held)[name]().backward()
    found = eb.evaluate(eb.grad(loss, wrt), **values)
    for key in wrt:
        np.testing.assert_allclose(found[key], held[key].grad.resolve_conj().numpy(), rtol=1e-10, atol=1e-12)


class _Promoting:
    """PyTorch, whose einsum takes operands of one dtype only, with NumPy's promotion."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.torch, name)

    def einsum(self, spec: str, *operands: Any) -> Any:
        mixed = any(operand.is_complex() for operand in operands)
        return self.torch.einsum(spec, *(one.to(self.torch.complex128) if mixed else one for one in operands))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_by_real_parts(name: str) -> None:
    """With z = complex(a, b) of real tensors, dL/da + i dL/db is the gradient at z."""
    loss, wrt, values = program(name)
    a, b = eb.tensors("a[n] b[n]")
    split = losses(eb, **(TENSORS | {"w": eb.complex(a, b)}))[name]()
    if "w" not in wrt:
        return
    parts = eb.evaluate(eb.grad(split, [a, b]), **{k: v for k, v in values.items() if k != "w"},
                        a=values["w"].real, b=values["w"].imag)  # fmt: skip
    assert parts[0].dtype == np.float64
    found = eb.evaluate(eb.grad(loss, w), **values)
    np.testing.assert_allclose(found, parts[0] + 1j * parts[1], rtol=1e-11, atol=1e-12)


def random_loss(seed: int) -> tuple[Callable[[Any, Any, Any, Any], Any], str]:
    """A real scalar of z, w and x, and how it was made; `m` is the library that builds it."""
    rng = np.random.default_rng(seed)
    steps = [(str(rng.choice(_STEPS)), int(rng.integers(99)), int(rng.integers(99))) for _ in range(9)]

    def build(m: Any, z: Any, w: Any, x: Any) -> Any:
        made = [z, w, x, z * x]
        for step, first, second in steps:
            a, b = made[first % len(made)], made[second % len(made)]
            made.append(_take(m, step, a, b))
        return m.einsum("i->", m.abs(made[-1]) + m.real(made[-2] * made[-3]))

    return build, " ".join(step for step, _, _ in steps)


_STEPS = (
    "conj",
    "conj",
    "conj",
    "real",
    "imag",
    "abs2",
    "exp",
    "sin",
    "times",
    "times",
    "plus",
    "minus",
    "dot",
    "unit",
)


def _take(m: Any, step: str, a: Any, b: Any) -> Any:
    match step:
        case "conj" | "real" | "imag":
            return getattr(m, step)(a)
        case "abs2":
            return m.abs(a + 2) ** 2 * 0.1
        case "exp":
            return m.exp(a * 0.1)
        case "sin":
            return m.sin(a * 0.1)
        case "times":
            return a * b * 0.3
        case "plus":
            return a + b
        case "minus":
            return a - m.conj(b)
        case "dot":
            return m.einsum("i,i,j->j", a, m.conj(b), b) * 0.1
        case _:
            return a * 1j + (0.5 - 2j) * b
    raise AssertionError(step)


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int) -> None:
    build, how = random_loss(seed)
    loss = build(eb, z, w, x)
    values = {one.name: VALUES[one.name] for one in loss.inputs}
    wrt = {key: TENSORS[key] for key in values}

    def value(**arrays: Array) -> Any:
        given = VALUES | arrays
        return build(np, given["z"], given["w"], given["x"])

    found = eb.compile({"loss": loss, "grads": eb.grad(loss, wrt)})(values)
    np.testing.assert_allclose(found["loss"], value(), rtol=1e-12, err_msg=how)
    for key in wrt:
        want = differences(value, values, key)
        np.testing.assert_allclose(found["grads"][key], want, rtol=1e-6, atol=1e-7 * np.abs(want).max(), err_msg=how)


def test_pull_and_push_are_adjoint_and_linear_over_the_reals() -> None:
    y = eb.exp(z * 0.3) * eb.conj(w) + eb.abs(z) * x * eb.imag(z)
    g, t = eb.tensor("g[n]", complex=True), eb.tensor("t[n]", complex=True)
    arrays = {"z": VALUES["z"], "w": VALUES["w"], "x": VALUES["x"]}
    cotangent, tangent = complex_array(5, 3), complex_array(6, 3)
    moved = eb.evaluate(eb.jvp(y, {z: t}), **arrays, t=tangent)

    def value(v: Array) -> Array:
        return np.exp(v * 0.3) * np.conj(arrays["w"]) + np.abs(v) * arrays["x"] * v.imag

    h = 1e-6
    want = (value(arrays["z"] + h * tangent) - value(arrays["z"] - h * tangent)) / (2 * h)
    np.testing.assert_allclose(moved, want, rtol=1e-8)
    pulled = eb.evaluate(eb.vjp(y, z, g), **arrays, g=cotangent)
    np.testing.assert_allclose(np.vdot(cotangent, moved).real, np.vdot(pulled, tangent).real, rtol=1e-12)
    plain = eb.evaluate(eb.vjp(y, z, g, convention="conjugate"), **arrays, g=cotangent)
    np.testing.assert_allclose((cotangent @ moved).real, (plain @ tangent).real, rtol=1e-12)
    np.testing.assert_allclose(eb.evaluate(eb.jvp(y, {z: t}), **arrays, t=2 * tangent), 2 * moved, rtol=1e-12)


def test_matrix_functions_of_complex_matrices() -> None:
    """log|det A| is real: it moves with the real part of tr(inv(A) dA)."""
    y, dA = eb.linalg.logdet(A), eb.tensor("dA[n,n]", complex=True)
    inverse, along = np.linalg.inv(VALUES["A"]), complex_array(8, 3, 3)
    moved = eb.evaluate(eb.jvp(y, {A: dA}), A=VALUES["A"], dA=along)
    np.testing.assert_allclose(moved, np.trace(inverse @ along).real, rtol=1e-12)
    np.testing.assert_allclose(eb.evaluate(eb.grad(y, A), A=VALUES["A"]), inverse.conj().T, rtol=1e-12)
    for loss in (eb.sum(abs(eb.linalg.solve(A, z)) ** 2), abs(eb.linalg.det(A)), eb.linalg.trace(A @ A.conj()).real):
        wrt = [one for one in (A, z) if one.name in {t.name for t in loss.inputs}]
        assert eb.check(loss, wrt, **{one.name: VALUES[one.name] for one in wrt})


def test_structured_results_are_complex_too() -> None:
    found = eb.compile(eb.jacobian(eb.exp(1j * x) * w, x), structured=True)(x=VALUES["x"], w=VALUES["w"])
    want = np.diag(1j * np.exp(1j * VALUES["x"]) * VALUES["w"])
    np.testing.assert_allclose(found.dense(), want, rtol=1e-13)
    np.testing.assert_allclose(found.matvec(VALUES["z"]), want @ VALUES["z"], rtol=1e-13)


def test_jacobians_of_what_has_a_complex_derivative() -> None:
    y = eb.sin(A @ z) * w
    found = eb.evaluate(eb.jacobian(y, z), **{key: VALUES[key] for key in "Azw"})
    want = (np.cos(VALUES["A"] @ VALUES["z"]) * VALUES["w"])[:, None] * VALUES["A"]
    np.testing.assert_allclose(found, want, rtol=1e-12)
    assert str(eb.jacobian(A @ z, A)) == "J[n,n',n''] = δ[n,n'] z[n'']"


def test_complex_results_move_with_real_tensors() -> None:
    """No imaginary part is lost on the way to a real x, whichever mode has fewer axes."""
    y = eb.conj(A @ x) * z
    for result, axes in ((y, "ij"), (eb.sum(y), "j")):
        found = eb.evaluate(eb.jacobian(result, x), **{key: VALUES[key] for key in "Axz"})
        full = np.conj(VALUES["A"]) * VALUES["z"][:, None]
        np.testing.assert_allclose(found, np.einsum(f"ij->{axes}", full), rtol=1e-12)


def test_hessians_by_real_tensors_through_complex_ones() -> None:
    loss = eb.sum(eb.abs(eb.exp(1j * x) + z * x) ** 2)
    found = eb.evaluate(eb.hessian(loss, x), x=VALUES["x"], z=VALUES["z"])
    assert found.dtype == np.float64

    def gradient(v: Array) -> Array:
        e, own = np.exp(1j * v), VALUES["z"]
        return 2 * np.real(np.conj(e + own * v) * (1j * e + own))

    h = 1e-6
    want = np.stack([(gradient(VALUES["x"] + h * e) - gradient(VALUES["x"] - h * e)) / (2 * h) for e in np.eye(3)])
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-6)


def test_at_zero_nothing_moves_a_modulus() -> None:
    loss = eb.sum(eb.abs(z))
    at = np.array([0, 3 + 4j, 0])
    np.testing.assert_allclose(eb.evaluate(eb.grad(loss, z), z=at), [0, 0.6 + 0.8j, 0])
    v = eb.tensor("v[n]", complex=True)
    found = eb.evaluate(eb.hvp(loss, z, v), z=at, v=np.ones(3))
    np.testing.assert_allclose(found, [0, 0.2 * 0.8 * (0.8 - 0.6j), 0], atol=1e-15)
    found = eb.evaluate(eb.grad(eb.sum(eb.abs(z) ** 2), z), z=at)
    np.testing.assert_array_equal(found, 2 * at)


ERRORS: dict[str, Callable[[], Any]] = {
    "the gradient is that of a real scalar, and this one is complex": lambda: eb.grad(eb.sum(z), z),
    "the tensor is made with conj of z: it has no complex derivative": lambda: eb.jacobian(eb.conj(z) * w, z),
    "the tensor is made with real of z": lambda: eb.jacobian(eb.real(z), z),
    "the tensor is made with abs of z": lambda: eb.jacobian(eb.sum(eb.abs(z)), z),
    "z is complex: the second derivatives of a real scalar": lambda: eb.hessian(eb.sum(eb.abs(z)), z),
    "the tensor is made with logdet of A": lambda: eb.jacobian(eb.linalg.logdet(A), A),
    "x is real, and its tangent is complex": lambda: eb.jvp(x * z, {x: w}),
    "no convention is named 'conjugated'": lambda: eb.grad(eb.sum(eb.abs(z)), z, convention="conjugated"),
    "erf is not defined for complex tensors": lambda: eb.erf(z),
    "maximum is not defined for complex tensors": lambda: eb.maximum(z, 0),
    "max is not defined for complex tensors": lambda: eb.max(z),
    "greater is not defined for complex tensors": lambda: z > 0,
    "relu is not defined for complex tensors": lambda: eb.program("y[n] = relu(z[n])", z=z),
    "min is not defined for complex tensors": lambda: eb.program("y = min[n](z[n])", z=z),
    "the condition of where is complex": lambda: eb.where(z, z, w),
    "hypot is not defined for complex tensors": lambda: eb.hypot(z, w),
    "one of them is complex": lambda: eb.complex(x, z),
    "z cannot be complex and integer": lambda: eb.tensor("z[n]", complex=True, integer=True),
}


@pytest.mark.parametrize("message", ERRORS)
def test_what_has_no_answer_is_an_error(message: str) -> None:
    with pytest.raises(eb.EinbackError) as error:
        ERRORS[message]()
    assert message in str(error.value)


def test_numpy_asks_the_tensor() -> None:
    assert np.conj(z).node is z.conj().node is eb.conj(z).node is eb.conjugate(z).node
    assert np.real(z).node is z.real.node is eb.real(z).node
    assert np.imag(z).node is z.imag.node is eb.imag(z).node
    assert abs(z).node is np.abs(z).node is eb.abs(z).node
    assert str(z * (1 + 2j)) == str(np.complex64(1 + 2j) * z) == "y[n] = complex(1, 2) z[n]"


@pytest.mark.parametrize(("real", "wide"), [(np.float32, np.complex64), (np.float64, np.complex128)])
def test_dtypes(real: type, wide: type) -> None:
    a, b = eb.tensors("a[n] b[n]")
    arrays = {"a": np.ones(2, real), "b": np.ones(2, real)}
    assert eb.evaluate(eb.complex(a, b), **arrays).dtype == wide
    assert eb.evaluate(a * 1j, a=arrays["a"]).dtype == wide
    loss = eb.sum(eb.abs(z * a) ** 2)
    held = {"z": np.ones(2, wide), "a": arrays["a"]}
    found = eb.compile({"loss": loss, "grads": eb.grad(loss, [z, a])})(held)
    assert [found["loss"].dtype, *(g.dtype for g in found["grads"])] == [real, wide, real]
    assert (
        eb.evaluate(eb.grad(loss, z), z=arrays["a"], a=arrays["b"]).dtype == wide
    )  # real numbers for z become complex
    for part in (eb.real(z), eb.imag(z), eb.abs(z)):
        assert eb.evaluate(part, z=held["z"]).dtype == real


def test_parts_are_copies_and_keep_infinities() -> None:
    array = np.array([1 + 2j, 3 - 4j])
    for part in (eb.real(z), eb.imag(z), eb.conj(z), eb.real(z) + 1):
        found = eb.evaluate(part, z=array)
        assert not np.shares_memory(found, array)
    np.testing.assert_array_equal(array, [1 + 2j, 3 - 4j])
    a, b = eb.tensors("a[n] b[n]")
    found = eb.evaluate(eb.complex(a, b), a=np.array([1.0, np.inf]), b=np.array([np.inf, np.nan]))
    np.testing.assert_array_equal(found.real, [1, np.inf])
    np.testing.assert_array_equal(found.imag, [np.inf, np.nan])


def test_a_complex_array_for_a_real_tensor() -> None:
    array = complex_array(1, 3)
    np.testing.assert_array_equal(eb.evaluate(eb.sum(x * x), x=array), np.sum(array * array))  # it means the same
    refused = "x is not declared complex, and the array holds complex128"
    for y in (eb.grad(eb.sum(x**2), x), eb.sum(eb.grad(eb.sum(x**2), x)), eb.real(x), eb.sum(z * x)):
        with pytest.raises(eb.ArrayError, match=refused):
            eb.evaluate(y, **{one.name: array for one in y.inputs})
    with pytest.raises(eb.ArrayError, match="complex=True"):
        eb.evaluate(eb.conj(x), x=array)


def test_logarithms_forget_turns() -> None:
    """log(exp z) is z for real z only."""
    array = np.array([1 + 4j])
    np.testing.assert_allclose(eb.evaluate(eb.log(eb.exp(z)), z=array), np.log(np.exp(array)))
    np.testing.assert_allclose(eb.evaluate(eb.log1p(eb.expm1(z)), z=array), np.log(np.exp(array)))
    np.testing.assert_allclose(eb.evaluate(eb.exp(eb.log(z)), z=array), array)


FORMULAS = {
    "gradient": (lambda: eb.grad(eb.sum(eb.abs(z) ** 2), z), "dz[n] = 2 z[n]"),
    "other convention": (
        lambda: eb.grad(eb.sum(eb.abs(z) ** 2), z, convention="conjugate"),
        "dz[n] = 2 conj(z[n])",
    ),
    "normal equations": (
        lambda: eb.grad(eb.sum(eb.abs(A @ z - w) ** 2), z),
        "dz[n] = 2 (A[n',n''] z[n''] - w[n']) conj(A[n',n])",
    ),
    "twice": (lambda: eb.conj(eb.conj(z) * w) + z - z, "y[n] = z[n] conj(w[n])"),
    "real part": (lambda: z + eb.conj(z), "y[n] = 2 real(z[n])"),
    "unit": (lambda: (1j * z) * 1j, "y[n] = -z[n]"),
    "real of a real": (lambda: eb.real(x) + eb.imag(x) + eb.conj(x), "y[n] = 2 x[n]"),
    "parts of a sum": (lambda: eb.imag(x + 2j * x), "y[n] = 2 x[n]"),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(name: str) -> None:
    build, text = FORMULAS[name]
    assert str(build()) == text


def test_latex() -> None:
    assert eb.conj(z).latex() == r"y_{n} = \overline{z_{n}}"
    assert (1j * eb.real(z)).latex() == r"y_{n} = \mathrm{i}\, \operatorname{Re}\left(z_{n}\right)"
    assert eb.imag(z).latex() == r"y_{n} = \operatorname{Im}\left(z_{n}\right)"


def test_text_reads_back() -> None:
    for y in (eb.grad(eb.sum(eb.abs(A @ z - w) ** 2), z), eb.exp(1j * z) * eb.conj(w)):
        again = eb.program(y.text(name="y"), z=z, **({"A": A} if "A" in y.text() else {}), w=w)["y"]
        values = {one.name: VALUES[one.name] for one in y.inputs}
        np.testing.assert_allclose(eb.evaluate(again, **values), eb.evaluate(y, **values), rtol=1e-13)


def test_a_conjugate_costs_no_second_product() -> None:
    """|X W|^2 forms X W once, forward and backward: the conjugate is taken of what is there."""
    X, W = eb.tensor("X[n,d]"), eb.tensor("W[d,c]", complex=True)
    Y = X @ W
    loss = eb.real(eb.einsum("nc,nc->", eb.conj(Y), Y))
    plan = eb.compile({"loss": loss, "dW": eb.grad(loss, W)}).plan(X=(40, 30), W=(30, 20))
    products = 2 * (2 * 40 * 30 * 20)
    assert plan.flops < 1.3 * products


def test_exported_source_runs_alone() -> None:
    loss = eb.sum(eb.abs(eb.exp(1j * x) * z) ** 2) + eb.sum(eb.real(eb.complex(x, x) * z))
    fn = eb.compile([loss, *eb.grad(loss, [z, x])])
    values = {"z": VALUES["z"], "x": VALUES["x"]}
    want = fn(values)
    script = fn.source() + (
        f"\nz = np.array({values['z'].tolist()})\nx = np.array({values['x'].tolist()})\n"
        "print([np.asarray(one).tolist() for one in step(x=x, z=z)])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    for have, one in zip(eval(done.stdout), want, strict=True):
        np.testing.assert_allclose(have, one, rtol=1e-13)


def test_programs_are_data() -> None:
    slope = eb.grad(eb.sum(eb.abs(1j * z - w) ** 2), z)
    assert pickle.loads(pickle.dumps(slope)).node is slope.node
    assert from_data(json.loads(json.dumps(to_data([slope.node]))))[0] is slope.node
    again = pickle.loads(pickle.dumps(eb.grad(eb.sum(x**2), x) + 1))
    with pytest.raises(eb.ArrayError, match="x is not declared complex"):  # what was derived stays derived
        eb.evaluate(again, x=complex_array(1, 3))


def checks() -> Iterator[tuple[eb.Tensor, list[eb.Tensor]]]:
    yield eb.sum(eb.abs(eb.exp(z) * w.conj() * x) ** 1.5), [z, w, x]
    yield eb.exp(z) * w.conj() * x, [z, w, x]


def test_check_moves_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for y, wrt in checks():
        report = eb.check(y, wrt, **{one.name: VALUES[one.name] for one in wrt})
        assert report.passed, str(report)
    monkeypatch.setattr("einback.api.checking.grad", lambda y, wrt: eb.grad(y, wrt, convention="conjugate"))
    y, wrt = next(checks())
    assert not eb.check(y, wrt, **{one.name: VALUES[one.name] for one in wrt})
