"""How wide formulas are where they are seen."""

from __future__ import annotations

import pytest
from hypothesis import given

from einback.formula.index import Names, latex
from einback.formula.measure import SIGN, cells, tokens, width
from einback.ir.nodes import Node
from einback.rules.simplify import normalise
from tests.formula.programs import STRUCTURED, programs

WIDTHS = [
    ("", 0),
    ("x", 1),
    (r"\lambda", 1),
    ("x y", 2),
    (r"\mathrm{loss}", 4),
    (r"\mathbf{1}", 1),
    (r"\operatorname{softmax}", 7),
    (r"\operatorname{leaky\_relu}", 10),
    (r"\log", 3),
    (r"\text{through z}", 9),
    (r"\text{重み}", 4),
    (r"\left(x\right)", 3),
    (r"\bigl[x\bigr]", 3),
    (r"\left.x\right|", 2),
    (r"\left\langle x\right\rangle", 3),
    ("a + b", 2 + SIGN),
    (r"a \odot b", 2 + SIGN),
    (r"\quad {} + b", 2 + SIGN + 1),
    (r"\frac{1}{a b c d}", 4),
    (r"\frac{a b c d}{1}", 4),
    ("x_{ij}", 2.4),
    ("x^{(1)}_{i}", 3.1),
    ("x_i", 1.7),
    (r"x^\top", 1.7),
    ("n'", 1.3),
    (r"\sum_{i}", 2.5),
    (r"\sum_{ijklm}", 3.5),
    (r"\sqrt{x}", 2.5),
    (r"\sqrt[3]{x}", 2.5),
    (r"\begin{bmatrix} a & b \\ c d & e \end{bmatrix}", 7),
]


@pytest.mark.parametrize(("latex", "wide"), WIDTHS)
def test_width(latex: str, wide: float) -> None:
    assert width(latex) == pytest.approx(wide)


def test_rows_and_cells_of_a_block() -> None:
    assert cells(r"a &= b \\ &\quad c") == [["a ", "= b "], [" ", r"\quad c"]]
    assert cells(r"\& & {a & b}") == [[r"\& ", " {a & b}"]]


@given(programs(kinds=STRUCTURED))
def test_every_formula_has_a_width_and_is_its_tokens(root: Node) -> None:
    (root,) = normalise([root])
    shown = latex(root, "y", Names())
    assert "".join(tokens(shown)) == shown
    assert 0 < width(shown) <= len(shown) * SIGN
