"""Formulas as MathML: all LaTeX that is printed is understood, and what comes out is well formed."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given

import einback as eb
from einback.formula.index import Names, latex
from einback.formula.mathml import mathml
from einback.ir.nodes import Node
from einback.rules import composite
from einback.rules.simplify import normalise
from tests.formula.programs import STRUCTURED, programs

SPACE = "{http://www.w3.org/1998/Math/MathML}"


def read(text: str) -> ElementTree.Element:
    """The MathML of some LaTeX, in which no command and no sign of alignment may be left over."""
    made = ElementTree.fromstring(mathml(text))
    assert made.tag == f"{SPACE}math"
    rest = "".join(made.itertext())
    assert not re.search(r"[\\&{}]", rest.replace("{", "", text.count(r"\{")).replace("}", "", text.count(r"\}"))), rest
    return made


@given(programs())
def test_random_programs(root: Node) -> None:
    (root,) = normalise([root])
    read(latex(root, "y", Names()))


@given(programs(kinds=STRUCTURED))
def test_random_programs_of_windows_gathers_masks_and_matrices(root: Node) -> None:
    (root,) = normalise([root])
    read(latex(root, "y", Names()))


@pytest.mark.parametrize("name", composite.FUNCTIONS)
def test_every_function(name: str) -> None:
    operands = eb.tensors("x[n] y[n] z[n]")
    for count in composite.FUNCTIONS[name].arities:
        read(eb.ELEMENTWISE[name](*operands[:count]).latex())


def test_definitions_are_aligned_at_their_signs() -> None:
    X, W, b = eb.tensors("X[n,d] W[d,c] b[c]")
    made = read(eb.grad(eb.sum(eb.softmax(X @ W + b, axis="c") ** 2), W).latex())
    rows = made.findall(f"{SPACE}mtable/{SPACE}mtr")
    assert len(rows) > 1
    assert all(len(row) == 2 for row in rows)
    assert "".join(rows[1][0].itertext()).startswith("where")


def test_the_style_that_notebooks_ask_for_is_that_of_tables() -> None:
    aligned = "\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}"
    assert mathml(rf"\displaystyle {aligned}") == mathml(aligned)


def test_primes_keep_their_size() -> None:
    made = mathml(eb.eye("n").latex())
    assert "<mrow><mi>n</mi><mo " in made
    assert "<msup>" not in made


def test_a_line_or_a_block() -> None:
    assert 'display="inline"' in mathml("x")
    assert 'display="block"' in mathml("x", block=True)


def test_a_matrix_in_a_block_keeps_its_cells() -> None:
    made = read(r"\begin{aligned} A &= \begin{bmatrix} a & b \\ c & d \end{bmatrix} \\ &\quad {} + B \end{aligned}")
    rows = made.findall(f"{SPACE}mtable/{SPACE}mtr")
    assert ["".join(row.itertext()).strip() for row in rows] == ["A=[abcd]", "+B"]


def test_brackets_of_a_given_size_know_their_side() -> None:
    made = read(r"\begin{aligned} a &= \Bigl(b \\ &\quad {} + \bigl\langle c \bigr\rangle \Bigr)^{2} \end{aligned}")
    signs = {one.text: one.get("form") for one in made.iter(f"{SPACE}mo") if one.get("fence")}
    assert signs == {"(": "prefix", "⟨": "prefix", "⟩": "postfix", ")": "postfix"}
