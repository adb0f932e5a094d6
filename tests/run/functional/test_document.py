"""The file: pinned texts, names, shapes that do not fit, and what cannot be asked for."""

import numpy as np
import pytest

import einback as eb
from einback.api.function import Function
from einback.errors import CompileError
from einback.ir.nodes import Input
from einback.run.callable import Compiled
from tests.run.functional.targets import TARGETS, run_source
from tests.run.test_source import check_golden

each_target = pytest.mark.parametrize("target", TARGETS)


def network() -> Function:
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    loss = -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")
    return eb.compile({"loss": loss, "grads": eb.grad(loss, {"W": W, "b": b})})


def convolution() -> Function:
    p = eb.program("""
        h[b,t,c]  = E[token[b,t],c]
        y[b,i,o]  = tanh(h[b,2*i+u-1,c] K[o,c,u])
        l         = y[b,i,o] U[b,i,o]
    """)
    return eb.compile([p["l"], eb.grad(p["l"], [p["E"], p["K"]])])


SHAPES = {"E": (7, 3), "token": (2, 5), "K": (4, 3, 3), "U": (2, 3, 4)}


def test_the_file_of_a_network_for_torch():
    check_golden("network_torch.txt", network().source(n=5, d=3, c=2, target="torch", with_check=True))


def test_the_file_of_a_convolution_for_jax():
    check_golden("convolution_jax.txt", convolution().source(SHAPES, target="jax"))


def test_the_readable_file_for_numpy():
    check_golden("network_readable.txt", network().source(n=5, d=3, c=2, readable=True))


@each_target
def test_shapes_that_do_not_fit_are_refused(target: str):
    source = network().source(n=5, d=3, c=2, target=target, readable=True)
    arrays = {"X": np.ones((4, 3)), "Y": np.ones((4, 2)), "W": np.ones((2, 2)), "b": np.ones(2)}
    with pytest.raises(ValueError, match=r"step takes arrays of the shapes Y\[n,c\] X\[n,d\] W\[d,c\] b\[c\]"):
        run_source(source, target, arrays)


@each_target
def test_lengths_in_the_text_refuse_others(target: str):
    source = convolution().source(SHAPES, target=target, readable=True)
    assert "Arrays of other shapes need a file of their own." in source
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    arrays["token"] = rng.integers(0, 7, (2, 5))
    (value, gradients), (wanted, others) = run_source(source, target, arrays), convolution()(arrays)
    for one, other in zip([value, *gradients], [wanted, *others], strict=True):
        np.testing.assert_allclose(one, other, 1e-10, 1e-12)
    with pytest.raises(ValueError, match=r"K\[4,3,3\]"):
        run_source(source, target, {**arrays, "K": np.ones((4, 3, 5))})


def test_a_count_stays_a_name():
    """A mean divides by a length, in whatever form it reaches the text."""
    x, y = eb.tensors("x[n,m] y[m]")
    f = eb.mean(eb.exp(x) * y)
    source = eb.compile([f, eb.grad(f, x), eb.mean(x, axis="n")]).source(n=4, m=3, readable=True)
    arrays = {"x": np.ones((2, 5)), "y": np.arange(5.0)}
    wanted = eb.evaluate([f, eb.grad(f, x), eb.mean(x, axis="n")], **arrays)
    for one, other in zip(run_source(source, "numpy", arrays), wanted, strict=True):
        np.testing.assert_allclose(one, other)


def test_arithmetic_of_lengths():
    p = eb.program("v = (x[n] - y[n])^2 / (size(n) - 1) / sqrt(size(n))\nw[m] = z[m] (2 - 3 * size(n)) / size(m)")
    program = eb.compile([p["v"], p["w"]])
    source = program.source(n=4, m=3, readable=True)
    assert "(n - 1)" in source
    arrays = {"x": np.arange(5.0), "y": np.ones(5), "z": np.arange(7.0)}
    for one, other in zip(run_source(source, "numpy", arrays), program(n=5, m=7, **arrays), strict=True):
        np.testing.assert_allclose(one, other)


def test_lengths_that_came_to_a_number_do_not_serve_others():
    """A length that no argument has is a number in the text."""
    x = eb.tensor("x[n]")
    y = eb.sum(eb.einsum("n,m->nm", x, eb.ones("[m]")) ** 2)
    source = eb.compile(y).source(n=2, m=3, readable=True)
    assert "of their own" in source
    np.testing.assert_allclose(run_source(source, "numpy", {"x": np.ones(2)}), 6)


@each_target
def test_the_name_of_the_function(target: str):
    source = network().source(n=5, d=3, c=2, target=target, function_name="train_step")
    assert "\ndef train_step(" in source or "    def train_step(" in source
    arrays = {"X": np.ones((5, 3)), "Y": np.ones((5, 2)), "W": np.ones((3, 2)), "b": np.ones(2)}
    assert run_source(source, target, arrays, name="train_step")["loss"].shape == ()


@pytest.mark.parametrize("name", ["", "a b", "1st", "class", "W'", "len", 3])
def test_names_that_no_function_has(name: object):
    with pytest.raises(CompileError, match="is no name of a Python function"):
        network().source(n=5, d=3, c=2, function_name=name)


def test_arguments_called_as_what_is_imported():
    torch, jnp, np_, check = (eb.tensor(f"{name}[n]") for name in ("torch", "jnp", "np", "check"))
    y = eb.sum(torch * jnp * np_ * check)
    source = eb.compile(y).source(n=3, target="torch")
    for name in ("torch_2", "jnp_2", "np_", "check_2"):
        assert f"{name}: torch.Tensor" in source
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=3) for name in ("torch_2", "jnp_2", "np_", "check_2")}
    np.testing.assert_allclose(run_source(source, "torch", arrays), np.prod([*arrays.values()], axis=0).sum())


def test_tensors_called_as_a_keyword():
    target, x = eb.tensors("target[n] x[n]")
    source = eb.compile(eb.sum((target - x) ** 2)).source({"target": (4,), "x": (4,)}, target="torch")
    assert "def step(target: torch.Tensor, x: torch.Tensor) -> torch.Tensor:" in source


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"target": "tensorflow"}, "'tensorflow' is no target of source text\ntargets: numpy, cupy, torch, jax"),
        ({"target": "pytorch"}, "'pytorch' is no target of source text\ndid you mean torch?"),
        ({"target": None}, "None is no target of source text\ntargets: numpy, cupy, torch, jax"),
        ({"target": "jax", "readable": False}, "the text for JAX is readable in any case\nleave readable out"),
    ],
)
def test_what_cannot_be_asked_for(keywords: dict, message: str):
    with pytest.raises(CompileError) as error:
        network().source(n=5, d=3, c=2, **keywords)
    assert str(error.value) == message


@each_target
def test_arrays_of_python_integers_have_no_spelling(target: str):
    program = Compiled([Input("x", ("n",), ())], [Input("x", ("n",), ())])
    with pytest.raises(CompileError, match=r"x holds object, and .* has no such arrays"):
        program.source(x=np.array([2**70], object), target=target, readable=True)


def test_structured_results_are_lists_of_cores():
    x = eb.tensor("x[n]")
    program = eb.compile(eb.hessian(eb.sum(x**4), x), structured=True)
    source = program.source(n=3, target="torch")
    assert "-> list[torch.Tensor]:" in source
    with pytest.raises(CompileError, match="nothing is known of which result is the gradient of which"):
        program.source(n=3, with_check=True)
