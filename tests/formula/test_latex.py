"""LaTeX: what it says, that it is escaped, and that a typesetter takes it."""

from __future__ import annotations

import pytest

from einback.formula.index import Names, latex
from einback.formula.latex import index_latex, tensor_latex
from einback.ir.nodes import Const, Input, Map, Node
from einback.notation.elaborate import elaborate
from einback.rules.scalar import TABLE
from einback.rules.simplify import normalise
from tests.formula.programs import POOL

FORMULAS = [
    ("Z[n,c] = X[n,d] W_1[d,c] + b_1[c]", r"Z_{nc} = X_{nd} W^{(1)}_{dc} + b^{(1)}_{c}"),
    (
        "L = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)",
        r"L = -\frac{Y_{nc} \log\,\operatorname{softmax}_{c}\left(Z_{nc}\right)}{|n|}",
    ),
    ("y[i] = 2 x[i] / 3", r"y_{i} = \frac{2}{3} x_{i}"),
    ("y[i] = x[i] / z[i]", r"y_{i} = \frac{x_{i}}{z_{i}}"),
    ("f = x / (1 + y^2)", r"f = \frac{x}{y^{2} + 1}"),
    ("y[i] = -(a[i] + b[i])^2", r"y_{i} = -\left(a_{i} + b_{i}\right)^{2}"),
    ("y[i] = W_1[i,j]^2", r"y_{i} = \left(W^{(1)}_{ij}\right)^{2}"),
    ("y[i] = sqrt(x[i]) - x[i]^1.5", r"y_{i} = \sqrt{x_{i}} - x_{i}^{3/2}"),
    ("y = sum[i](x[i])^3", r"y = \left(\sum_{i} x_{i}\right)^{3}"),
    ("y[i] = sum[j](exp(A[i,j]))", r"y_{i} = \sum_{j} \exp\left(A_{ij}\right)"),
    (
        "y[i] = max[j](A[i,j]) prod[j](A[i,j] + 1)",
        r"y_{i} = \left(\max_{j} A_{ij}\right) \prod_{j} \left(A_{ij} + 1\right)",
    ),
    ("y[i] = a x[i] / b / 3", r"y_{i} = \frac{a x_{i}}{3 b}"),
    ("y[i,j] = δ[i,j] + 2", r"y_{ij} = \delta_{ij} + 2"),
    ("y[i] = 3 ones[i]", r"y_{i} = 3"),
    ("y[i] = (x[i] > 0) - 1e-7 inf", r"y_{i} = \left[x_{i} > 0\right] - \infty"),
    ("y[i] = 1e-7 x[i] + 2.5e-9", r"y_{i} = 10^{-7} x_{i} + 2.5 \cdot 10^{-9}"),
    ("y[i] = tanh(x[i])^2", r"y_{i} = \tanh\left(x_{i}\right)^{2}"),
    (
        "s = 2 lam loss dt (x[i] y[i])^2",
        r"s = 2 \mathrm{dt}\, \lambda\, \mathrm{loss} \left(x_{i} y_{i}\right)^{2}",
    ),
    (
        "s = a sum[i](x[i]^2)^2 / sum[i](1 / x[i])",
        r"s = \frac{a \left(\sum_{i} x_{i}^{2}\right)^{2}}{\sum_{i} \frac{1}{x_{i}}}",
    ),
    ("s = 2 a sum[i](x[i] + b)", r"s = 2 a \sum_{i} \left(x_{i} + b\right)"),
    ("y[i] = w2 sigma2[i]^2 x[i]", r"y_{i} = {w_{2}} {\sigma_{2}}_{i}^{2} x_{i}"),
    ("y[i] = abs(x[i])^3", r"y_{i} = \left(\left|x_{i}\right|\right)^{3}"),
]


def written(typed: str) -> str:
    program = elaborate(typed)
    name = program.outputs[-1]
    (root,) = normalise([program.tensors[name]])
    return latex(root, name, Names(program.index_names[name], program.size_names))


@pytest.mark.parametrize(("typed", "wanted"), FORMULAS)
def test_formula(typed: str, wanted: str) -> None:
    assert written(typed) == wanted


def test_definitions_are_aligned() -> None:
    assert written("y[i] = softmax[i](A[i,j] x[j]) - z[i]") == "\n".join(
        [
            r"\begin{aligned}",
            r"y_{i} &= P_{i} - z_{i} \\",
            r"\text{where}\quad P_{i} &= \operatorname{softmax}_{i}\left(A_{ij} x_{j}\right)",
            r"\end{aligned}",
        ]
    )


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("W", "W"),
        ("W_1", "W^{(1)}"),
        ("W_hidden_2", r"W^{(\mathrm{hidden},2)}"),
        ("loss", r"\mathrm{loss}"),
        ("dW_1", r"\mathrm{dW}^{(1)}"),
        ("lambda", r"\lambda"),
        ("λ_0", r"\lambda^{(0)}"),
        ("Ω", r"\Omega"),
        ("Α", r"\mathrm{A}"),
        ("lam", r"\lambda"),
        ("lam_2", r"\lambda^{(2)}"),
        ("x2", "{x_{2}}"),
        ("sigma2", r"{\sigma_{2}}"),
        ("σ12", r"{\sigma_{12}}"),
        ("conv2", r"\mathrm{conv2}"),
        ("重み_1", r"\text{重み}^{(1)}"),
        ("é", r"\text{é}"),
        ("_x", r"\mathrm{\_x}"),
        (r"\input{x}", r"\mathrm{\_input\_x\_}"),
        ("$^&#~%", r"\mathrm{\_\_\_\_\_\_}"),
    ],
)
def test_names(name: str, wanted: str) -> None:
    assert tensor_latex(name) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("n", "n"), ("n''", "n''"), ("k_1", "k_{1}"), ("batch", r"\mathrm{batch}"), ("μ'", r"\mu'")],
)
def test_indices(name: str, wanted: str) -> None:
    assert index_latex(name) == wanted


def test_long_indices_are_told_apart() -> None:
    T = Input("T", ("batch", "n", "k_1"), ())
    assert latex(Map("exp", (T,)), "y", Names()).startswith(r"y_{\mathrm{batch}, n, k_{1}} =")


def test_mathtext_takes_every_function() -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("path")
    args: tuple[Node, ...] = (Input("x_1", ("n",), ()), Input("y", ("n",), ()), Const(0.5))
    for row in TABLE.values():
        parser.parse(f"${latex(Map(row.name, args[: row.arity]), 'y', Names(pool=POOL))}$")


@pytest.mark.parametrize("typed", [typed for typed, _ in FORMULAS])
def test_mathtext_takes_every_formula(typed: str) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext")
    mathtext.MathTextParser("path").parse(f"${written(typed)}$")
