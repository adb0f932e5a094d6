"""Long formulas in LaTeX: where lines end, and that nothing is lost by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from unittest.mock import patch
from xml.etree import ElementTree

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import einback as eb
from einback.errors import NotationError
from einback.formula import layout
from einback.formula.breaking import NEXT, joined, lines
from einback.formula.layout import aligned, rebroken
from einback.formula.mathml import mathml
from einback.formula.measure import SIGN, cells, width
from einback.formula.names import Names
from einback.formula.notations import notation_named
from einback.formula.subject import Subject
from einback.ir.build import add, einsum, multiply, power
from einback.ir.nodes import Input, Map, Node
from einback.rules.simplify import normalise
from tests.formula.notation_cases import CASES
from tests.formula.programs import POOL, STRUCTURED, programs


def _terms() -> eb.Tensor:
    A, B, x, c = eb.tensors("A[n,n] B[n,n] x[n] c[n]")
    terms = (x @ A @ x) ** 2 + eb.exp(c @ x) * eb.sum(B @ x) + eb.sum(eb.log(1 + eb.exp(A @ x)))
    return eb.grad(terms + eb.logsumexp(B @ x) * (c @ x) + eb.sum(eb.tanh(A @ B @ x)), x)


def _covariance() -> eb.Tensor:
    S, X, mu = eb.tensor("Sigma[d,d]", symmetric=True), *eb.tensors("X[n,d] mu[d]")
    E = X - mu
    return eb.hessian(-X.size("n") / 2 * eb.linalg.logdet(S) - eb.sum(E * eb.linalg.solve(S, E.T).T) / 2, S)


def _chain() -> eb.Tensor:
    return eb.program("y[a] = " + " ".join(f"Factor_{k}[{one}]" for k, one in enumerate(CHAIN)) + " x[n]")["y"]


CHAIN = ("a,b", "b,c", "c,d", "d,e", "e,f", "f,g", "g,h", "h,i", "i,j", "j,k", "k,l", "l,m", "m,n")
LONG: dict[str, tuple[Callable[[], eb.Tensor], tuple[str, ...]]] = {
    "sum": (_terms, ("index", "matrix", "differential", "sum", "ricci")),
    "bracket": (_covariance, ("index", "vec")),
    "product": (_chain, ("index", "matrix", "sum")),
}
NOTATIONS = ("index", "matrix", "differential", "vec", "columns", "sum", "ricci")

LINES = [
    ("a + b - c", 8, ["a + b - c"]),
    ("a + b - c", 7, ["a + b", r"&\quad {} - c"]),
    ("a + b - c", 3, ["a", r"&\quad {} + b", r"&\quad {} - c"]),
    ("a b c d", 3, ["a b c", r"&\quad {} \times d"]),
    ("-a b + c d e f g h", 9, ["-a b", r"&\quad {} + c d e f", r"&\quad\quad {} \times g h"]),
    (r"a \odot b \odot c", 6, [r"a \odot b", r"&\quad {} \odot c"]),
    (r"x \left(a + b + c\right)", 9, [r"x \bigl(a + b", r"&\quad\quad {} + c\bigr)"]),
    (r"x \left(a + b + c\right)^{2} y", 9, [r"x \bigl(a + b", r"&\quad\quad {} + c\bigr)^{2}", r"&\quad {} \times y"]),
    (r"\exp\left(\frac{a}{b} + c\right)", 8, [r"\exp\biggl(\frac{a}{b}", r"&\quad {} + c\biggr)"]),
    (r"\exp\left(\left(a b\right) + c\right)", 9, [r"\exp\Bigl(\left(a b\right)", r"&\quad {} + c\Bigr)"]),
    (r"\sum_{i} a_{i} x y z w", 8, [r"\sum_{i} a_{i} x y z", r"&\quad {} \times w"]),
    (r"a b c d \left(e + f\right)", 7, ["a b c d", r"&\quad {} \times \bigl(e", r"&\quad\quad {} + f\bigr)"]),
    (r"\left\langle a, b \right\rangle = c + d", 9, [r"\left\langle a, b \right\rangle", "&= c + d"]),
    (r"\left[a b,\; \dots,\; c d\right]", 9, [r"\bigl[a b,\; \dots,\;", r"&\quad c d\bigr]"]),
    (r"\mathrm{loss}\, x + y", 6, [r"\mathrm{loss}\, x", r"&\quad {} + y"]),
    (r"A \, \mathrm{d}X B", 3.5, [r"A \, \mathrm{d}X", r"&\quad {} \times B"]),
    (r"\frac{a b c d + e}{f}", 3, [r"\frac{a b c d + e}{f}"]),
    (r"\sqrt{a + b} x^{a + b}", 3, [r"\sqrt{a + b}", r"&\quad {} \times x^{a + b}"]),
    (r"\left.a + b\right|_{x}", 3, [r"\left.a + b\right|_{x}"]),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wide", "wanted"), LINES)
def test_lines(right: str, wide: float, wanted: Sequence[str]) -> None:
    assert lines(right, wide) == wanted


def test_one_equation_becomes_a_block_where_it_is_long() -> None:
    terms = [f"{letter * 20}" for letter in "abcdef"]
    right = " + ".join(" ".join(term) for term in terms)
    block = aligned([("y", right)])
    assert block.startswith("\\begin{aligned}\ny &= a a")
    assert block.count("\\\\\n&\\quad {} + ") == 1
    assert joined(block) == f"y = {right}"
    assert rebroken(block) == block
    assert aligned([("y", "a + b")]) == rebroken("y = a + b") == "y = a + b"


def test_a_block_with_definitions_and_notes_is_broken_anew() -> None:
    long = " + ".join(["a b c d e f g h"] * 12)
    block = aligned([("y", long), ("x", "a"), ("z", long)], notes=["0 \\leq i < n"])
    assert rebroken(block) == block
    assert joined(block).count("\n") == 5
    assert rebroken(block.replace("a b c d e f g h", "a")) == aligned(
        [("y", " + ".join("a" * 12)), ("x", "a"), ("z", " + ".join("a" * 12))], notes=["0 \\leq i < n"]
    )


def test_a_wide_left_side_leaves_less_room() -> None:
    right = " + ".join("abcdefghijklmnop")
    assert NEXT not in aligned([("y", right)])
    assert NEXT in aligned([(rf"\mathrm{{{'y' * 40}}}", right)])


def shown(subject: Subject, notation: str, wide: float) -> str:
    with patch.object(layout, "_SEEN", wide):
        return notation_named(notation).latex(subject)


def check(subject: Subject, notation: str, wide: float) -> None:
    """Nothing is lost, lines are as wide as they may be, and the block can be drawn."""
    try:
        whole = shown(subject, notation, 1e9)
    except NotationError as error:
        event(f"refused: {error.fact}")
        return
    found = shown(subject, notation, wide)
    assert joined(found) == whole
    event("broken" if found != whole else "whole")
    made = ElementTree.fromstring(mathml(found))
    assert not re.search(r"[\\&{}]", "".join(made.itertext()))
    if not found.startswith("\\begin{aligned}"):
        return
    rows = cells(found.removeprefix("\\begin{aligned}").removesuffix("\\end{aligned}"))
    assert all(row.count(r"\left") == row.count(r"\right") for _, row in rows)
    room = max(wide - SIGN - max(width(left) for left, _ in rows), wide / 2)
    for _, row in rows:
        assert width(row.removeprefix("=")) <= room + 0.01 or not breakable(row), found


def breakable(row: str) -> bool:
    """Whether a line has a + or a - that stands in no fraction, root or index."""
    flat = re.sub(r"^(=|(\\quad)+)( \{\})? ([-+] )?", "", row)
    while (inner := re.sub(r"\{[^{}]*\}", "", flat)) != flat:
        flat = inner
    return re.search(r" [-+] ", flat) is not None


@given(programs(kinds=STRUCTURED), st.sampled_from(NOTATIONS), st.integers(5, 40))
def test_random_programs(root: Node, notation: str, wide: int) -> None:
    (root,) = normalise([root])
    check(Subject(root, "y", Names(pool=POOL)), notation, wide)


@st.composite
def long_programs(draw: Callable, depth: int = 3) -> Node:
    """Sums of products of sums, with functions around them."""
    if not depth:
        x = Input(draw(st.sampled_from(["x", "y", "lam", "beta_2"])), ("n",), ())
        A = Input(draw(st.sampled_from("ABC")), ("n", "n"), ())
        return draw(st.sampled_from([x, einsum([A, x], ["ij", "j"], "i"), einsum([A, x], ["ji", "j"], "i")]))
    parts = draw(st.lists(long_programs(depth - 1), min_size=2, max_size=4))
    match draw(st.sampled_from(["sum", "product", "function", "power"])):
        case "sum":
            return add(parts, [draw(st.sampled_from([1, -1, 2, Fraction(-3, 4)])) for _ in parts])
        case "product":
            product = parts[0]
            for part in parts[1:]:
                product = multiply(product, part)
            return product
        case "function":
            return Map(draw(st.sampled_from(["exp", "tanh", "softplus"])), (add(parts),))
        case _:
            return power(add(parts), draw(st.sampled_from([2, -1, Fraction(1, 2)])))


@given(long_programs(), st.sampled_from(NOTATIONS), st.integers(20, 90))
def test_long_programs(root: Node, notation: str, wide: int) -> None:
    (root,) = normalise([root])
    check(Subject(root, "y", Names(pool=POOL)), notation, wide)


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("name", CASES)
def test_derivatives(name: str, notation: str) -> None:
    tensor = CASES[name]()
    try:
        whole = tensor.latex(notation)
    except eb.EinbackError:
        return
    with patch.object(layout, "_SEEN", 30):
        found = tensor.latex(notation)
    assert joined(found) == joined(whole)
    ElementTree.fromstring(mathml(found))


@pytest.mark.parametrize("case", LONG)
def test_goldens(case: str, golden: Callable[[str, str], None]) -> None:
    make, notations = LONG[case]
    tensor = make()
    golden(f"long_{case}", "\n\n".join(show(one) for one in notations for show in (tensor.text, tensor.latex)) + "\n")


def test_a_derivation_is_broken_where_derivatives_are_quotients() -> None:
    p = eb.program("y[n] = tanh(A[n,m] x[m]) + sin(B[n,k] x[k]) + exp(C[n,l] x[l])\nf = y[n] c[n]")
    derivation = eb.derivation(p["f"], p["x"])
    whole = derivation.latex()
    with patch.object(layout, "_SEEN", 30):
        narrow = derivation.latex()
        page = derivation.html()
    assert narrow.count("\\quad {} + ") > whole.count("\\quad {} + ")
    assert "\N{MATHEMATICAL DOUBLE-STRUCK SMALL D}" not in narrow
    assert "&quad" not in page
    for table in re.findall(r"<math.*?</math>", page, re.DOTALL):
        ElementTree.fromstring(table)
