"""Windows, gathers, masks and groups in print: as the text notation writes them."""

import pytest

from einback.derive.orders import gradient, hessian
from einback.formula.index import Names, latex, text
from einback.ir.build import broadcast, const, einsum
from einback.ir.extents import negative, plus, product, quotient
from einback.ir.nodes import Input, Map, Node, OneHot, Range, Window
from einback.rules.simplify import normalise

X, K = Input("x", ("b", "c", "h"), ()), Input("K", ("o", "c", "u"), ())
STRIDED = Window("h", (plus(quotient(plus("h", negative("u")), 2), 1), "u"), (2, 1), 0)
CONV = einsum([X, STRIDED, K], ["bcp", "piu", "ocu"], "boi")
E, TOKEN = Input("E", ("v", "d"), ()), Input("token", ("b", "t"), ("integer",))
LOOKUP = einsum([E, OneHot(TOKEN, "v")], ["vd", "btv"], "btd")
CAUSAL = Map(
    "where",
    (
        Map(
            "greater_equal",
            (broadcast(Range("q"), ("q", "k"), (0,)), broadcast(Range("k"), ("q", "k"), (1,))),
        ),
        Input("S", ("q", "k"), ()),
        const(float("-inf")),
    ),
)
FLAT = Window(product("c", "h"), ("c", "h"), ("h", 1), 0)


def _total(node: Node) -> Node:
    return einsum([Map("exp", (node,))], [range(node.rank)], ())


@pytest.mark.parametrize(
    ("node", "shown"),
    [
        (CONV, "R[b,o,i] = K[o,c,u] x[b,c,2*i+u]"),
        (gradient(_total(CONV), [X])[0], "R[b,c,h:h] = δ[h,2*i+u] exp(K[o,c',u'] x[b,c',2*i+u']) K[o,c,u]"),
        (gradient(_total(CONV), [K])[0], "R[o,c,u] = exp(K[o,c',u'] x[b,c',2*i+u']) x[b,c,2*i+u]"),
        (LOOKUP, "R[b,t,d] = E[token[b,t],d]"),
        (gradient(_total(LOOKUP), [E])[0], "R[v,d] = δ[v,token[b,t]] exp(E[token[b,t],d])"),
        (
            hessian(_total(LOOKUP), E, E),
            "R[v,d,v',d'] = δ[v,v'] δ[v,token[b,t]] δ[d,d'] exp(E[token[b,t],d])",
        ),
        (CAUSAL, "R[q,k] = where(q >= k, S[q,k], -inf)"),
        (einsum([X, FLAT], ["nab", "fab"], "nf"), "R[b,(c h)] = x[b,c,h]"),
        (einsum([Input("V", ("n", "c*h"), ()), FLAT], ["nf", "fab"], "nab"), "R[n,c:c,h:h] = V[n,(c h)]"),
        (einsum([X, Window("h", ("i",), (-3,), 5)], ["bcp", "pi"], "bci"), "R[b,c,i:i] = x[b,c,-3*i+5]"),
        (OneHot(TOKEN, "v"), "R[b,t,v] = δ[v,token[b,t]]"),
    ],
)
def test_text(node: Node, shown: str) -> None:
    assert text(normalise([node])[0], "R", Names()) == shown


def test_what_is_read_at_an_affine_index_has_a_name() -> None:
    padded = Window("h", ("h", "u"), (1, 1), -1)
    node = einsum([Map("exp", (X,)), padded, K], ["bcp", "piu", "ocu"], "boi")
    shown = text(normalise([node])[0], "R", Names())
    assert shown == "R[b,o,h] = E[b,c,h+u-1] K[o,c,u]\n  where E[b,c,h] = exp(x[b,c,h])"


def test_latex() -> None:
    assert latex(normalise([CONV])[0], "y", Names()) == "y_{boi} = K_{ocu} x_{b, c, 2 i+u}"
    assert latex(normalise([LOOKUP])[0], "h", Names()) == r"h_{btd} = E_{\mathrm{token}_{bt}, d}"
