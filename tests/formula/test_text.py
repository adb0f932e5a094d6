"""How single formulas read. Every one is also read back as the same program."""

from __future__ import annotations

import pytest

import einback as eb
from einback.formula.index import Names, expression, latex, text
from einback.ir.build import add, broadcast, const, einsum, ones, power, size_of, total, zeros
from einback.ir.nodes import Const, Delta, Input, Map, Node, Ones
from einback.ir.walk import inputs_of
from einback.notation.elaborate import elaborate
from einback.rules.simplify import normalise

# What is typed, and what is printed; one entry where they are the same.
FORMULAS = [
    # matrix chains, whatever order they come in
    "Z[n,c] = X[n,d] W[d,c] + b[c]",
    ("Z[n,c] = b[c] + W[d,c] X[n,d]", "Z[n,c] = X[n,d] W[d,c] + b[c]"),
    ("D[d,c] = G[n,c] X[n,d]", "D[d,c] = X[n,d] G[n,c]"),
    ("D[n,d] = W[d,c] G[n,c]", "D[n,d] = G[n,c] W[d,c]"),
    ("s = A[i,j] x[j] x[i]", "s = x[i] A[i,j] x[j]"),
    ("s = x[j] x[i] A[i,j]", "s = x[j] A[j,i] x[i]"),
    ("t = C[k,i] B[j,k] A[i,j]", "t = A[i,j] B[j,k] C[k,i]"),
    ("y[i,l] = C[k,l] B[j,k] A[i,j]", "y[i,l] = A[i,j] B[j,k] C[k,l]"),
    ("y[j] = A[i,j] x[i]", "y[j] = x[i] A[i,j]"),
    "y[i,j] = v[i] A[i,j]",
    ("y[i,j] = w[j] A[i,j] v[i]", "y[i,j] = v[i] A[i,j] w[j]"),
    ("D[n,k] = (H[n,k] > 0) W[k,c] G[n,c]", "D[n,k] = G[n,c] W[k,c] (H[n,k] > 0)"),
    "t = A[i,i]",
    "y[i] = A[i,i] x[i]",
    # numbers, quotients, powers
    ("y[i] = x[i] * 2", "y[i] = 2 x[i]"),
    ("y[i] = x[i] / 2", "y[i] = 1/2 x[i]"),
    ("y[i] = -x[i] a / size(i)", "y[i] = -a x[i] / size(i)"),
    ("y[i] = 1 / x[i]^2", "y[i] = 1 / x[i]²"),
    "y[i] = 1 / (2 sqrt(x[i]))",
    ("s = sum[i](1 / (2 x[i]))", "s = 1/2 sum[i](1 / x[i])"),
    "s = x[i] / y[i]",
    ("y[i] = x[i]^(-1/2)", "y[i] = 1 / sqrt(x[i])"),
    ("y[i] = x[i]**1.5", "y[i] = x[i]^(3/2)"),
    "y[i] = x[i]^0.3",
    "y[i] = x[i]^z[i] / 2^a",
    "y[i] = (x[i]^z[i])^u[i]",
    "y[i] = u[i] (-2)^x[i] * 3^z[i]",
    "y[i] = 1e-07 x[i]",
    "y[i] = inf x[i]",
    ("y[i] = 3 - x[i]", "y[i] = 3 - x[i]"),
    ("y[i] = 3 + x[i]", "y[i] = x[i] + 3"),
    ("y[i] = -Y[i] + P[i]", "y[i] = P[i] - Y[i]"),
    "y[i] = -P[i] - Y[i]",
    "y[i] = -2 (a[i] + b[i])²",
    "y[i] = c (a[i] - b[i])",
    # sums that go without saying, and sums that do not
    "s = x[i]²",
    "s = (x[i] y[i])²",
    "s = sum[i](x[i])²",
    "s = sum[i](exp(x[i]))",
    "s = sum[i](sqrt(x[i]))",
    ("s = sum[i]((a[i] + b[i])²)", "s = (a[i] + b[i])²"),
    "s = (a[i] - b[i] - c)²",
    "s = (sum[i](a[i]) - sum[i](b[i]))²",
    "s = sum[i]((a[i] - b)²)",
    "s = sum[i](x[i]²)²",
    "s = sum[i](x[i])² y[j]",
    "s = exp(sum[i](x[i]))",
    "s = exp(x[i] y[i])",
    "s = exp(sum[i](x[i] / y[i]))",
    "s = exp(2 a sum[i,j](x[i] A[i,j] / z[i,j]))",
    "s = exp(x[i] A[i,j] w[j] / y[i])",
    "s = exp(x[i] + y[i])",
    "s = exp(sum[i](x[i]) + sum[i](y[i]))",
    "s = exp(w[i] A[i,j] v[j] + x[k] y[k])",
    "y[n] = exp(A[n,m] x[m] + x[k] A[k,n])",
    "s = tanh(sum[i](A[i,j]) v[j])",
    "s = 1 / (w[d] x[d])",
    "s = 1 / sum[d](w[d])",
    "s = sum[d](1 / (w[d] + x[d]))",
    "s = sum[i](w[i] exp(-a[i] x[i]))",
    ("s = w[i] exp(-a[i] (x[j] y[j]))", "s = w[i] exp(-x[j] y[j] a[i])"),
    "s = (a[i] b[i] + c[i])²",
    "s = sum[i]((a[i] b[i] + c[i] x[i])²)",
    "s = sum[i](x[i] (2 a[i] b[i] + c))",
    "r[j] = A[j,i] (x[i] y[i] - c[i])",
    "s = x[i] (2 a[i] + c)",
    "s = y[i] exp(sum[j](x[i,j]))",
    "s = max[i](sum[j](A[i,j]))",
    "s = max[i](A[i,j] v[j])",
    "s = max[i](A[i,j] + B[i,j])",
    "s = lam (U[u,k]² + V[i,k]²)",
    "s = c + U[u,k]² + V[i,l]²",
    "s = y[i] sum[j](exp(x[i,j]))",
    "s = sum[i,j](exp(x[i,j]))",
    "s = maximum(x[i], y[i])",
    "s = a[i] + b",
    "s = sum[i](a[i] + b)",
    "s = a[i] + b[i]",
    "s = c sum[i](a[i] + b)",
    "s = c (a[i] + b[i])",
    "s = sum[i](x[i] > 0)",
    "s = x[i] > y[i]",
    "s = sum[i](1 / (x[i] + 1))",
    "s = sum[i](log_softmax[c](x[i,c]))",
    "y[i] = log_softmax[c](x[i,c])",
    "s = size(i) x[i]",
    "s = exp(x[j] y[j]) + 1 / sum[k](exp(x[k]))",
    # reductions
    "y = max[i](x[i]) - min[i](x[i])",
    "y[n] = prod[c](x[n,c] + 1)",
    "y[n] = x[n,c] + logsumexp[e](x[n,e] + 3)",
    ("y[i] = mean[j](A[i,j])", "y[i] = A[i,j] / size(j)"),
    # broadcasts and deltas
    "y[n,c] = ones[n] b[c]",
    ("y[n,c] = ones[n,c]", "y[n,c] = 1"),
    ("y[n] = 0 x[n]", "y[n] = 0"),
    ("y[n] = 3 ones[n]", "y[n] = 3"),
    "y[n] = size(n) ones[n]",
    "y[n,c] = ones[n] (a[c] + b[c])",
    "y[i,j] = δ[i,j]",
    ("D[i,i] = v[i]", "D[i,i'] = δ[i,i'] v[i]"),
    "J[n,c,m,d] = δ[n,m] W[d,c]",
    ("H[i,j] = 2 δ[i,j] + A[i,j] - δ[i,j] v[i] + A[j,i]", "H[i,j] = A[i,j] + A[j,i] + 2 δ[i,j] - δ[i,j] v[i]"),
    # functions and choices
    "y[i] = where(x[i] > 0, x[i], 0.1 x[i])",
    "y[i] = z[i] (x[i] > y_1[i]) - (x[i] <= 2)",
    "y[i] = maximum(x[i], 0) + 1",
    "y[i] = arctan2(x[i], -1)",
]


def printed(typed: str) -> tuple[str, Node, Node]:
    """A program of one statement as it is printed, its node, and what the print is read back as."""
    program = elaborate(typed)
    name = program.outputs[-1]
    (root,) = normalise([program.tensors[name]])
    names = Names(program.index_names[name], program.size_names)
    shown = text(root, name, names)
    again = elaborate(shown, given={node.name: node for node in inputs_of([root])})
    (back,) = normalise([again.tensors[name]])
    return shown, root, back


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula if isinstance(formula, str) else formula[0])
def test_formula(formula: str | tuple[str, str]) -> None:
    typed, wanted = (formula, formula) if isinstance(formula, str) else formula
    shown, root, back = printed(typed)
    assert shown == wanted
    assert back is root


X, W, b = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ()), Input("b", ("c",), ())
x, A = Input("x", ("n",), ()), Input("A", ("n", "n"), ())


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        # nodes that are no normal form read right as well
        (einsum([Delta("n"), x], ["ij", "j"], "i"), "δ[n,n'] x[n']"),
        (einsum([const(3), x], ["", "i"], "i"), "3 x[n]"),
        (einsum([Ones("n"), x], ["i", "j"], "j"), "size(n) x[n]"),
        (einsum([Delta("n")], ["ii"], ""), "size(n)"),
        (einsum([x, x], ["i", "i"], "i"), "x[n] x[n]"),
        (add([add([x, x], [2, 3]), x], [-1, 1]), "x[n] - 2 x[n] - 3 x[n]"),
        (zeros(("n",)), "0"),
        (add([x], [0]), "0 x[n]"),
        (const(-2), "-2"),
        (size_of("n"), "size(n)"),
        (power(size_of("n"), -2), "1 / size(n)²"),
        (size_of(5), "5"),
        (total(ones(("n", "d")), (0,)), "size(n) ones[d]"),
        (Map("maximum", (x, Const(float("-inf")))), "maximum(x[n], -inf)"),
        (add([x, ones(("n",))], [1, float("nan")]), "x[n] + (inf - inf)"),
        (X, "X[n,d]"),
        (einsum([A], ["ij"], "ji"), "A[n',n]"),
        (einsum([x, x, x], ["i", "j", "k"], "ijkik"), "δ[n,i] δ[n'',j] x[n] x[n'] x[n'']"),
    ],
)
def test_expression(node: Node, wanted: str) -> None:
    assert expression(node, Names()) == wanted


def test_a_size_that_shows_nowhere_is_counted() -> None:
    shown = text(size_of("n"), "s", Names())
    assert shown == "s = sum[n](ones[n])"
    assert elaborate(shown).tensors["s"] is size_of("n")


def test_an_input_is_itself() -> None:
    assert text(A, "A", Names()) == "A[n,n']"
    assert latex(A, "A", Names()) == "A_{nn'}"
    assert text(A, "B", Names()) == "B[n,n'] = A[n,n']"


def test_a_long_sum_goes_on_below() -> None:
    root = add([Input(f"term_{k}", ("n",), ()) for k in range(30)], [-1 if k % 3 else 1 for k in range(30)])
    shown = text(root, "y", Names())
    lines = shown.splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 100
    assert all(line.lstrip()[0] in "+-" for line in lines[1:])
    (back,) = normalise([elaborate(shown, given={node.name: node for node in inputs_of([root])}).tensors["y"]])
    assert back is normalise([root])[0]


def test_the_order_of_operands_does_not_show() -> None:
    one = add([einsum([X, W], ["nd", "dc"], "nc"), broadcast(b, ("n", "c"), (1,))])
    other = add([broadcast(b, ("n", "c"), (1,)), einsum([W, X], ["dc", "nd"], "nc")])
    assert one is not other
    assert expression(one, Names()) == expression(other, Names()) == "X[n,d] W[d,c] + b[c]"


def test_a_size_that_nothing_shows_has_its_own_name() -> None:
    P = eb.softmax(eb.tensor("z[n,c]"), axis=1)
    total = eb.einsum("ab->", P)
    assert str(total) == "y = sum[n](ones[n])"
    assert total.latex() == "y = |n|"
