"""Whole formulas of derived programs, pinned in goldens/. EINBACK_REWRITE_GOLDENS=1 writes them anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from einback.derive.orders import gradient, hessian, jacobian
from einback.formula.index import Names, latex, texts
from einback.ir.nodes import Node
from einback.notation.elaborate import Program, elaborate
from einback.rules.simplify import normalise

GRADIENTS = {
    "softmax_regression": """
        Z[n,c] = X[n,d] W[d,c] + b[c]
        loss   = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)
    """,
    "relu_network": """
        H[n,h] = relu(X[n,d] W_1[d,h] + b_1[h])
        Z[n,c] = H[n,h] W_2[h,c] + b_2[c]
        loss   = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)
    """,
    "ridge_regression": """
        E[n] = X[n,d] w[d] + b - y[n]
        loss = sum[n](E[n]^2) / size(n) + 1/2 lam w[d]^2
    """,
    "logistic_loss": "loss = sum[n](log(1 + exp(y[n] (X[n,d] w[d] + b)))) / size(n)",
    "rectified_neuron": "loss = sum[n]((y[n] - maximum(X[n,d] w[d] + b, 0))^2) / size(n)",
    "attention": """
        S[t,u] = Q[t,d] K[u,d] / sqrt(size(d))
        O[t,e] = softmax[u](S[t,u]) V[u,e]
        loss   = O[t,e] R[t,e]
    """,
    "sigmoid_layer": "loss = sigmoid(X[n,d] W[d,m]) R[n,m]",
    "two_variables": "loss = 3 x^2 y + sin(x + x^2)",
    "squared_norm": "loss = (W[m,n] x[n]) (W[m,p] x[p])",
    "extremes": "loss = max[i](x[i]) a - logsumexp[j](x[j]) + prod[k](x[k])",
}

HESSIANS = {
    "quadratic_form": "f = x[i] A[i,j] x[j]",
    "logsumexp": "f = logsumexp[i](x[i])",
    "log_barrier": "f = sum[i](log(x[i]))",
    "quartic": "f = sum[i](x[i]^2)^2",
}

JACOBIANS = {
    "affine_layer": ("Y[n,m] = X[n,d] W[d,m] + b[m]", "Y", "W"),
    "activated_layer": ("y[m] = sigmoid(W[m,n] x[n] + b[m])", "y", "W"),
    "softmax": ("y[i] = softmax[i](x[i])", "y", "x"),
    "norm": ("y[i] = x[i] / sqrt(sum[j](x[j]^2))", "y", "x"),
}


def page(roots: list[Node], called: list[str], names: list[Names]) -> str:
    """The text of some results together, and the LaTeX of each."""
    roots = list(normalise(roots))
    shown = [latex(root, name, own) for root, name, own in zip(roots, called, names, strict=True)]
    return "\n\n".join([texts(roots, called, names), *shown]) + "\n"


def names_of(program: Program, *tensors: str) -> Names:
    return Names(tuple(name for one in tensors for name in program.index_names[one]), program.size_names)


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients(case: str, golden: Callable[[str, str], None]) -> None:
    program = elaborate(GRADIENTS[case])
    roots = list(gradient(program.tensors["loss"], program.inputs))
    called = [f"d{source.name}" for source in program.inputs]
    golden(f"gradient_{case}", page(roots, called, [names_of(program, source.name) for source in program.inputs]))


@pytest.mark.parametrize("case", HESSIANS)
def test_hessians(case: str, golden: Callable[[str, str], None]) -> None:
    program = elaborate(HESSIANS[case])
    x = next(source for source in program.inputs if source.name == "x")
    root = hessian(program.tensors["f"], x, x)
    golden(f"hessian_{case}", page([root], ["H"], [Names(("i", "j"), program.size_names)]))


@pytest.mark.parametrize("case", JACOBIANS)
def test_jacobians(case: str, golden: Callable[[str, str], None]) -> None:
    text, output, source = JACOBIANS[case]
    program = elaborate(text)
    root = jacobian(program.tensors[output], next(one for one in program.inputs if one.name == source))
    golden(f"jacobian_{case}", page([root], ["J"], [names_of(program, output, source)]))
