"""Text round-trips: what is printed is read back as the same program."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from einback.derive.orders import gradient, hessian, jacobian
from einback.errors import EinbackError
from einback.formula.index import Names, texts
from einback.formula.labels import _RESERVED
from einback.ir.build import add, const, einsum, permute, scale
from einback.ir.nodes import Input, Map, Node
from einback.notation.elaborate import elaborate
from einback.notation.grammar import KNOWN
from einback.rules.simplify import normalise
from tests.formula.programs import OWN_POOL, STRUCTURED, equal_values, programs, read_back


def check(roots: Sequence[Node]) -> None:
    """The same values are read back, and nearly always the same nodes.

    Nodes may differ where a normal form is not unique (in where a transpose stands, in how a weight that is
    no fraction was rounded); then rounds must come to rest.
    """
    roots = normalise(roots)
    shown, back = read_back(roots)
    assert equal_values(roots, back), shown
    for _ in range(3):
        before, (_, back) = back, read_back(back)
        if before == back:
            return
    raise AssertionError(f"does not come to rest:\n{shown}")


@given(programs())
def test_random_programs(root: Node) -> None:
    check([root])


@given(st.lists(programs(steps=4), min_size=2, max_size=3))
def test_random_programs_that_share(roots: list[Node]) -> None:
    check(roots)


@given(programs(kinds=STRUCTURED))
def test_random_programs_of_windows_gathers_masks_and_matrices(root: Node) -> None:
    """What is read back has the same values; text that does not say all sizes is refused."""
    (root,) = normalise([root])
    try:
        shown, back = read_back([root], OWN_POOL)
    except EinbackError as error:
        event(f"refused: {type(error).__name__}")
        return
    assert equal_values([root], back), shown


PROGRAMS = {
    "softmax regression": "Z[n,c] = X[n,d] W[d,c] + b[c]\n loss = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)",
    "two layers": """
        H[n,h] = relu(X[n,d] W_1[d,h] + b_1[h])
        Z[n,c] = H[n,h] W_2[h,c] + b_2[c]
        loss   = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)
    """,
    "attention": """
        S[t,u] = Q[t,d] K[u,d] / sqrt(size(d))
        loss   = softmax[u](S[t,u]) V[u,e] R[t,e]
    """,
    "ridge": "loss = sum[n](R[n]^2) / size(n) + 1/2 lam w[d]^2\n R[n] = X[n,d] w[d] - y[n]",
    "normalised": "loss = x[i] a[i] / sqrt(sum[j](x[j]^2))",
    "extremes": "loss = max[i](x[i]) - min[j](x[j]) + prod[k](x[k])",
    "layer norm": """
        mu[b]    = H[b,k] / size(k)
        C[b,k]   = H[b,k] - mu[b]
        v[b]     = C[b,k]^2 / size(k)
        loss     = R[b,k] C[b,k] / sqrt(v[b] + 1/100) g[k]
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients(name: str) -> None:
    program = elaborate(PROGRAMS[name])
    sources = list(program.inputs)
    roots = normalise([program.tensors["loss"], *gradient(program.tensors["loss"], sources)])
    names = [Names((), program.size_names), *(Names(program.index_names[s.name], program.size_names) for s in sources)]
    called = ["loss", *(f"d{source.name}" for source in sources)]
    shown = texts(roots, called, names)
    again = elaborate(shown, given={source.name: source for source in sources})
    for root, title in zip(roots, called, strict=True):
        (back,) = normalise([again.tensors[title]])
        assert back is normalise([root])[0], shown


@pytest.mark.parametrize(
    "text", ["f = x[n] A[n,n'] x[n']", "f = logsumexp[n](x[n])", "f = exp(x[n]) y[n]", "f = sum[n](x[n]^2)^2"]
)
def test_hessians(text: str) -> None:
    program = elaborate(text)
    x = next(node for node in program.inputs if node.name == "x")
    check([hessian(program.tensors["f"], x, x)])


def test_a_jacobian_shows_its_factors() -> None:
    program = elaborate("Y[n,m] = X[n,d] W[d,m] + b[m]")
    W = next(node for node in program.inputs if node.name == "W")
    (root,) = normalise([jacobian(program.tensors["Y"], W)])
    shown = texts([root], ["J"], [Names(("n", "m", "d", "m'"), program.size_names)])
    assert shown == "J[n,m,d,m'] = δ[m,m'] X[n,d]"


A, x = Input("A", ("n", "n"), ()), Input("x", ("n",), ())
y = Input("y", ("n",), ())


def test_parallel_contractions_share_their_summed_indices() -> None:
    root = add([einsum([A, x], ["ij", "j"], "i"), einsum([A, x], ["ji", "j"], "i")])
    shown, back = read_back(normalise([root]))
    assert shown == "result_0[i] = A[i,j] x[j] + x[j] A[j,i]"
    assert equal_values([root], back)


def test_sums_beside_a_term_without_the_index_do_not_share() -> None:
    root = add([einsum([A, x], ["ij", "j"], "i"), einsum([A, x], ["ji", "j"], "i"), y])
    shown, back = read_back(normalise([root]))
    assert shown == "result_0[i] = A[i,j] x[j] + x[n] A[n,i] + y[i]"
    assert back == normalise([root])


def test_tensors_summed_one_by_one_do_not_share() -> None:
    root = add([einsum([x], ["i"], ""), einsum([y], ["i"], "")], [1, -1])
    shown, back = read_back(normalise([root]))
    assert shown == "result_0 = x[i] - y[j]"
    assert back == normalise([root])


def test_a_result_is_read_by_name_in_another() -> None:
    square = einsum([A, A], ["ij", "jk"], "ik")
    again = scale(square, 2)
    shown = texts([square, again, square], ["B", "C", "D"], [Names()] * 3)
    assert shown == "B[n,n'] = A[n,n''] A[n'',n']\nC[n,n'] = 2 B[n,n']\nD[n,n'] = B[n,n']"
    assert elaborate(shown, given={"A": A}).outputs == ("B", "C", "D")


def test_a_number_with_a_name_is_read_without_indices() -> None:
    roots = (const(3), Map("maximum", (x, const(3))))
    shown, back = read_back(roots)
    assert shown == "result_0 = 3\nresult_1[i] = maximum(x[i], result_0)"
    assert back == roots


def test_a_definition_may_be_read_transposed() -> None:
    both = einsum([A, A], ["ij", "jk"], "ik")
    root = add([both, permute(both, (1, 0))])
    shown, back = read_back(normalise([root]))
    assert shown == "result_0[i,j] = G[i,j] + G[j,i]\n  where G[i,j] = A[i,n] A[n,j]"
    assert back == normalise([root])


def test_intermediates_never_take_a_name_that_the_text_knows() -> None:
    assert KNOWN <= _RESERVED
