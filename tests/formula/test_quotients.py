"""Left sides: derivatives as quotients where they are quotients of named tensors, names elsewhere."""

from __future__ import annotations

import pytest

import einback as eb
from einback.errors import NotationError


def left(tensor: eb.Tensor, notation: str = "sum", name: str = "") -> str:
    return tensor.text(notation, name).partition(" = ")[0]


x, A = eb.tensors("x[n] A[n,n]")
p = eb.program("y[n] = A[n,n'] x[n'] \n f = y[n]^2", A=A, x=x)


def test_gradients_jacobians_and_hessians_are_quotients() -> None:
    assert left(eb.grad(p["f"], x)) == "∂f/∂x_n"
    assert left(eb.jacobian(p["y"], A)) == "∂y_n/∂A_{n',n''}"
    assert left(eb.hessian(p["f"], x)) == "∂²f/∂x_n∂x_n'"
    assert left(eb.hessian(p["f"], x, A)) == "∂²f/∂x_n∂A_{n',n''}"
    assert left(eb.hessian(p["f"], x, A), "ricci") == "∂²f/∂x^n∂A^n'_n''"


def test_a_loss_without_a_name_is_called_L_unless_a_tensor_is() -> None:
    assert left(eb.grad(eb.sum(x**2), x)) == "∂L/∂x_n"
    L, f = eb.tensors("L f")
    assert left(eb.grad(eb.sum(x**2) + L, x)) == "∂f/∂x_n"
    assert left(eb.grad(eb.sum(x**2) + L + f, x)) == "∂L_/∂x_n"
    assert left(eb.jacobian(A @ x, x)) == "∂y_n/∂x_n'"


def test_a_name_that_is_asked_for_is_the_left_side() -> None:
    assert left(eb.hessian(p["f"], x), name="H") == "H_{n,n'}"
    assert left(eb.hessian(p["f"], x), "ricci", "H") == "H^n_n'"


def test_what_is_no_quotient_keeps_its_name() -> None:
    v = eb.tensor("v[n]")
    assert left(eb.hvp(p["f"], x, v)) == "dx_n"
    assert left(eb.gauss_newton(p["f"], p["y"], x)) == "G_{n,n'}"
    assert left(eb.grad(eb.sum((2 * x) ** 2), z := 2 * x)) == left(z)


def test_complex_gradients_have_a_convention_and_are_no_quotients() -> None:
    z = eb.tensor("z[n]", complex=True)
    assert left(eb.grad(eb.sum(eb.real(z)), z)) == "dz_n"


def test_what_is_pulled_back_along_a_named_tensor_is_a_gradient_of_a_loss() -> None:
    g = eb.tensor("g[n]")
    pulled = eb.vjp(p["y"], x, g)
    assert pulled.text("sum") == "∂L/∂x_n = Σ_n' ∂L/∂y_n' A_{n',n}\n  where ∂L/∂y_n = g_n"
    assert pulled.text("ricci") == "∂L/∂x^n = ∂L/∂y^n' A^n'_n\n  where ∂L/∂y^n = g_n"
    assert left(eb.vjp(p["y"], x, 2 * g)) == "dx_n"
    assert left(eb.vjp(A @ x, x, g)) == "dx_n"


def test_what_moves_along_differentials_is_a_differential() -> None:
    dx = eb.tensor("dx[n]")
    assert eb.jvp(p["y"], {x: dx}).text("sum") == "dy_n = Σ_n' A_{n,n'} dx_n'"
    assert eb.jvp(p["y"], {x: dx}).latex("sum") == r"\mathrm{d}y_{n} = \sum_{n'} A_{nn'}\, \mathrm{d}x_{n'}"
    assert eb.sum(dx**2).latex("sum") == r"y = \sum_{n} \left(\mathrm{d}x_{n}\right)^{2}"
    assert left(eb.jvp(p["y"], {x: eb.tensor("v[n]")})) == "y_n"
    assert left(eb.jvp(eb.sum(x**2), {x: dx})) == "dL"


def test_a_second_derivative_by_one_number_is_by_its_square() -> None:
    t = eb.tensor("t")
    assert eb.hessian(t**3, t).text("sum") == "∂²L/∂t² = 6 t"
    assert eb.hessian(t**3, t).latex("ricci") == r"\frac{\partial^{2} L}{\partial t^{2}} = 6 t"


def test_a_gradient_that_is_squared_stands_in_brackets() -> None:
    g = eb.tensor("g[n]")
    X = eb.tensor("X[n]")
    q = eb.program("y[n] = X[n]^2", X=X)
    assert eb.vjp(q["y"], X, g).text("sum").startswith("∂L/∂X_n = 2 X_n ∂L/∂y_n")


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("y[i] = x[2*i+u] K[u]", "computed"),
        ("y[i] = x[ids[i]]", "computed"),
        ("y[i] = where(i >= 1, x[i], 0)", "value of an index"),
        ("y[(i j)] = A[i,j]", "computed"),
    ],
)
def test_what_has_no_heights_is_refused(text: str, fact: str) -> None:
    ids = eb.tensor("ids[i]", integer=True)
    tensor = eb.program(text, **({"ids": ids} if "ids" in text else {}))["y"]
    for write in (tensor.text, tensor.latex):
        with pytest.raises(NotationError, match=fact):
            write("ricci")


def test_names_of_several_letters_and_labels_are_kept_apart() -> None:
    W, long = eb.tensors("W_out[d,k] input_batch[batch,d]")
    tensor = eb.einsum("batch d, d k -> batch k", long, W)
    assert tensor.text("sum") == "y_{batch,k} = Σ_d input⁽ᵇᵃᵗᶜʰ⁾_{batch,d} W⁽ᵒᵘᵗ⁾_dk"
    assert tensor.text("einsum") == 'y = np.einsum("bd,dk->bk", input_batch, W_out)'


def test_names_that_python_keeps_get_a_line_below_them() -> None:
    lam, other, y = eb.tensors("lambda[n] lambda_[n] y[n]")
    assert (lam * y + other).text("einsum", "np") == "np_ = lambda__ * y + lambda_"


def test_a_chain_of_many_definitions_prints() -> None:
    value = x
    for _ in range(200):
        value = eb.sin(value * x + 1)
    for notation in ("sum", "ricci", "einsum"):
        assert value.text(notation).count("\n") > 8
