"""How derivations are written: worked ones as whole texts in goldens/, and the parts that write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import einback as eb
from einback.formula.derivation.cutting import End, cut
from einback.formula.derivation.letters import DIFFERENTIAL, fresh, letter_names
from einback.formula.derivation.marks import differentials_latex
from einback.formula.derivation.plain import chained, escaped, rows
from einback.formula.derivation.tex import worded
from einback.ir.nodes import Input, Map
from einback.ir.walk import inputs_of

# Programs by name: the text, what is differentiated, and by what.
WORKED = {
    "affine_layer_batch": ("Y[n,m] = X[n,d] W[d,m] + b[m]\nL = Y[n,m] R[n,m]", "L", "W"),
    "affine_layer_jacobian": ("Y[n,m] = X[n,d] W[d,m] + b[m]", "Y", "W"),
    "matrix_times_vector": ("y[m] = W[m,n] x[n]", "y", "W"),
    "dense_layer": ("y[m] = sigmoid(W[m,n] x[n] + b[m])", "y", "W"),
    "squared_norm": ("y[m] = W[m,n] x[n]\nf = y[m] y[m]", "f", "W"),
    "rectified_neuron": (
        "z[n] = X[n,d] w[d] + b\nh[n] = maximum(z[n], 0)\ne[n] = y[n] - h[n]\nL = sum[n](e[n]^2) / size(n)", "L", "w"),
    "softmax_regression": (
        "Z[n,c] = X[n,d] W[d,c] + b[c]\nloss = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)", "loss", "W"),
    "attention": (
        "S[t,u] = Q[t,d] K[u,d] / sqrt(size(d))\nP[t,u] = softmax[u](S[t,u])\nO[t,e] = P[t,u] V[u,e]\n"
        "loss = O[t,e] R[t,e]", "loss", "K"),
    "two_layers": (
        "H[n,h] = tanh(X[n,d] W_1[d,h] + b_1[h])\nZ[n,c] = H[n,h] W_2[h,c] + b_2[c]\n"
        "loss = sum[n,c]((Z[n,c] - Y[n,c])^2)", "loss", "W_1"),
    "log_determinant": ("C[n,n'] = A[n,k] A[n',k] + s δ[n,n']\nf = logdet(C)", "f", "A"),
    "two_paths": ("u = x^2\ny = x u + sin(u)", "y", "x"),
    "gather": ("h[b,t,d] = E[token[b,t],d]\nL = sum[b,t,d](tanh(h[b,t,d]))", "L", "E"),
    "convolution": ("y[b,o,i] = x[b,c,2*i+u] K[o,c,u]\nL = sum[b,o,i](relu(y[b,o,i])^2)", "L", "x"),
    "mask": ("s[q,k] = where(q >= k, Q[q,d] R[k,d], -inf)\nl[q] = logsumexp[k](s[q,k])\nL = sum[q](l[q])", "L", "Q"),
    "unit_vector": ("n = x[i] x[i]\ny[i] = x[i] / sqrt(n)", "y", "x"),
}  # fmt: skip


def worked(case: str) -> eb.Derivation:
    text, y, x = WORKED[case]
    program = eb.program(text)
    return eb.derivation(program[y], program[x])


@pytest.mark.parametrize("case", WORKED)
def test_worked_derivations(case: str, golden: Callable[[str, str], None]):
    found = worked(case)
    golden(f"derivation_{case}", f"{found}\n\n{found.latex()}\n")
    report = found.verify()
    assert report.passed, str(report)


@pytest.mark.parametrize(
    "case", ["affine_layer_batch", "unit_vector", "softmax_regression", "two_layers", "convolution"]
)
def test_entry_by_entry(case: str, golden: Callable[[str, str], None]):
    text, y, x = WORKED[case]
    program = eb.program(text)
    found = eb.derivation(program[y], program[x], style="entries")
    golden(f"derivation_entries_{case}", f"{found}\n\n{found.latex()}\n")
    report = found.verify()
    assert report.passed, str(report)


@pytest.mark.parametrize(
    ("case", "notation"),
    [
        ("matrix_times_vector", "vec"),
        ("dense_layer", "vec"),
        ("squared_norm", "matrix"),
        ("rectified_neuron", "matrix"),
    ],
)
def test_in_matrices(case: str, notation: str, golden: Callable[[str, str], None]):
    found = worked(case)
    golden(f"derivation_{notation}_{case}", f"{found.text(notation)}\n\n{found.latex(notation)}\n")


def test_a_symmetric_variable_and_shared_matrices(golden: Callable[[str, str], None]):
    K, t = eb.tensor("K[n,n]", symmetric=True), eb.tensor("t[n]")
    found = eb.derivation(t @ eb.linalg.solve(K, t) / 2 + eb.linalg.logdet(K) / 2, K)
    golden("derivation_likelihood", f"{found}\n")
    assert found.verify().passed


def test_targets_whose_rows_sum_to_one(golden: Callable[[str, str], None]):
    Y = eb.tensor("Y[n,c]", stochastic=True)
    program = eb.program(WORKED["softmax_regression"][0], Y=Y)
    by_weights, by_targets = (eb.derivation(program["loss"], program[name]) for name in ("W", "Y"))
    golden("derivation_stochastic_targets", f"{by_weights}\n\n{by_weights.text('matrix')}\n")
    golden("derivation_stochastic_variable", f"{by_targets}\n\n{by_targets.latex()}\n")
    assert by_weights.verify().passed
    assert by_targets.verify().passed


def test_a_complex_variable(golden: Callable[[str, str], None]):
    z, w = eb.tensor("z[n]", complex=True), eb.tensor("w[n]", complex=True)
    found = eb.derivation(eb.sum(abs(z * w - 1) ** 2), z)
    golden("derivation_complex", f"{found}\n")
    assert found.verify().passed


def test_markdown(golden: Callable[[str, str], None]):
    golden("derivation_markdown", worked("squared_norm").markdown())


def test_user_names_cut_and_no_definition_reads_a_later_one():
    program = eb.program("A[i] = x[i] + 1\nB[i] = A[i] w[i]\nf = B[i] A[i]")
    f, x = program["f"], program["x"]
    known = f.known()
    found = cut(End(f.node, "f", ()), End(x.node, "x", x.names), known.tensors, known.inputs, known.size_names)
    assert [one.symbol.name for one in found.definitions] == ["A", "B", "f"]
    seen = {one.name for one in known.inputs}
    for one in found.definitions:
        assert {read.name for read in inputs_of([one.node])} <= seen
        seen.add(one.symbol.name)


def test_names_do_not_collide():
    program = eb.program("G_Z[n] = X[n,d] w[d]\nZ[n] = tanh(G_Z[n])\nf = Z[n] dZ[n]")
    found = eb.derivation(program["f"], program["w"])
    names = [step.equation[0] for step in found.steps if step.section != "result"]
    assert len(names) == len(set(names))
    assert found.verify().passed
    assert "dZ_[n] =" in str(found)
    assert "G_Z_[n] =" in str(found)


def test_one_index_name_stands_for_one_size():
    dense = eb.layer("h[n,k] = tanh(x[n,d] W[d,k] + b[k])")
    X = eb.tensor("X[n,d]")
    y = eb.sum(dense(dense(X, name="1"), name="2"))
    shown = str(eb.derivation(y, y.parameters[0]))
    assert "Z_2[n,k_2] = H_1[n,k] W_2[k,k_2] + b_2[k_2]" in shown


def test_names_of_intermediates():
    x = Input("x", ("n",), ())
    own = [Map("tanh", (x,)), Map("exp", (x,)), Map("cos", (x,)), Map("sin", (x,))]
    assert list(letter_names(own, own, {"H", "x"}).values()) == ["H_1", "E", "F_1", "F_2"]
    assert fresh("Z", {"Z", "Z_"}) == "Z__"


def test_marks():
    marked = rf"\text{{{DIFFERENTIAL}W}}^{{(1)}}_{{dc}} + \text{{{DIFFERENTIAL}loss\_a}} - \text{{öl}}"
    assert differentials_latex(marked) == r"\mathrm{d}W^{(1)}_{dc} + \mathrm{d}\,\mathrm{loss}^{(a)} - \text{öl}"


def test_rows_and_chains():
    assert list(rows(["a = b", "a = c"])) == ["a &= b", "&= c"]
    block = "\\begin{aligned}\na &= b \\\\\n\\text{where}\\quad b &= c\n\\end{aligned}"
    assert list(rows([block])) == ["a &= b", r"\text{where}\quad b &= c"]
    long = "\\begin{aligned}\ny &= a \\\\\n&\\quad {} + b\n\\end{aligned}"
    assert list(rows([long, "y = c"])) == ["y &= a", r"&\quad {} + b", "&= c"]
    assert list(chained(["dy = a", "dy = b", "G = c"])) == ["dy = a", "   = b", "G = c"]


def test_words_are_escaped():
    assert escaped("*a* [b] <c>") == "\\*a\\* \\[b\\] \\<c\\>"
    assert worded("a_1 & 50% {x} \\ #") == r"a\_1 \& 50\% \{x\} \textbackslash  \#"


def test_a_note_says_where_once():
    x = eb.tensor("x[n]")
    program = eb.program("u[a] = 3\nf = sum[a](x[a] + u[a])", x=x)
    shown = eb.derivation(program["f"], program["x"]).latex("sum")
    assert r"&& \text{where}\quad & 0 \leq a < n" in shown
    assert shown.count(r"\text{where}") == 1
