"""Long formulas as text: where lines end, and that they are read back as the formula that they are broken from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import hypothesis.strategies as st
import pytest
from hypothesis import given

import einback as eb
from einback.formula import layout
from einback.formula.layout import broken
from einback.ir.nodes import Node
from tests.formula import test_entrywise, test_roundtrip
from tests.formula.matrix import test_differential, test_products
from tests.formula.matrix.programs import Made
from tests.formula.matrix.programs import programs as matrix_programs
from tests.formula.notation_cases import CASES
from tests.formula.programs import STRUCTURED, programs

NOTATIONS = ("index", "matrix", "differential", "vec", "columns", "sum", "ricci")
SIGNS = re.compile(r"(?<=[\s(])[*·] ")


@contextmanager
def narrow(columns: int) -> Iterator[None]:
    with patch.object(layout, "_WIDE", columns):
        yield


@given(programs(), st.integers(1, 40))
def test_narrow_text_is_read_back(root: Node, columns: int) -> None:
    with narrow(columns):
        test_roundtrip.check([root])


@given(programs(kinds=STRUCTURED), st.integers(1, 40), st.sampled_from(["sum", "ricci"]))
def test_narrow_sums_are_read(root: Node, columns: int, notation: str) -> None:
    with narrow(columns):
        test_entrywise.check_program(root, notation)


@given(matrix_programs(), st.integers(1, 40))
def test_narrow_matrix_products_are_read(made: Made, columns: int) -> None:
    with narrow(columns):
        test_products.check(made.value, "program")


@pytest.mark.parametrize("columns", [20, 40])
def test_narrow_differentials_are_read(columns: int) -> None:
    A, S, x = eb.tensors("A[n,m] S[n,n] x[n]")
    value = eb.sum(eb.tanh(S @ A) * eb.exp(A)) + x @ S @ A @ A.T @ x + eb.sum(S @ S @ A @ A.T)
    with narrow(columns):
        for by in (A, S):
            assert "\n" in test_differential.check_differential(eb.grad(value, by), 1, by.name).partition("where")[0]


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("name", CASES)
def test_lines_taken_together_are_the_formula(name: str, notation: str) -> None:
    tensor = CASES[name]()
    try:
        whole = tensor.text(notation)
    except eb.EinbackError:
        return
    with narrow(30):
        found = tensor.text(notation)
    assert SIGNS.sub("", " ".join(found.split())) == SIGNS.sub("", " ".join(whole.split()))


def test_a_sum_goes_on_with_its_signs() -> None:
    with narrow(20):
        assert broken(["a b", "+ c d", "- e f g h"], 4) == "a b + c d\n    - e f g h"


def test_a_long_term_goes_on_with_a_factor_or_inside_of_brackets() -> None:
    with narrow(20):
        assert broken(["A[i,j] B[j,k] C[k,l] x[l]", "+ y[i]"], 4) == "A[i,j] B[j,k]\n      * C[k,l] x[l]\n    + y[i]"
        assert broken(["2 exp(x + y + size + u)"], 4) == "2 exp(x + y\n      + size + u)"
        assert broken(["2 (abcdef + (b + c))"], 4) == "2 (abcdef\n      + (b + c))"
        assert broken(["x ⊙ (A y) ⊙ (B z)"], 4) == "x ⊙ (A y)\n      ⊙ (B z)"
        assert broken(["Σ_jklmn A_ijklmn x_j"], 4, "·") == "Σ_jklmn A_ijklmn\n      · x_j"


def test_what_has_no_sign_stays_on_its_line() -> None:
    with narrow(10):
        assert broken(["where(q >= k, x[i], y[i])"], 4) == "where(q >= k, x[i], y[i])"
        assert broken(["x[(h w), 2*i + u, j]"], 4) == "x[(h w), 2*i + u, j]"
