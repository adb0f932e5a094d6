"""The matrix calculus reference: its page is what its tables give, every row holds, and a wrong one stops the build."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import make_reference
import pytest
from reference.row import Group, Row
from reference.tables import GROUPS
from reference.verify import Derived, RowError, derive, verify

BUILD = make_reference.build

QUADRATIC = Row("xᵀAx", "f = x[i] A[i,j] x[j]", "x", "(A + Aᵀ)x", lambda x, A: (A + A.T) @ x)
WRONG = replace(QUADRATIC, shown="2Ax", closed=lambda x, A: 2 * A @ x)


def test_the_page_is_what_the_tables_give():
    text, faults = make_reference.build(report=False)
    assert not faults
    assert make_reference.PAGE.read_text(encoding="utf-8") == text


def test_there_are_many_identities_each_once():
    rows = Counter((row.declared, row.by) for group in GROUPS for row in group.rows)
    assert sum(rows.values()) >= 120
    titles = [group.title for group in GROUPS]
    assert len(set(titles)) == len(titles)


def test_a_right_row_holds():
    verify(derive(QUADRATIC))


@pytest.mark.parametrize(
    ("closed", "fault"),
    [
        (lambda x, A: 2 * A @ x, "off by .* from the closed form"),
        (lambda x, A: ((A + A.T) @ x)[None], r"the shape is \(3,\), and that of the closed form \(1, 3\)"),
        (lambda x, A: (A + A.T) @ x * float("nan"), "off by nan from the closed form"),
    ],
    ids=["values", "shape", "nan"],
)
def test_a_wrong_closed_form_is_found(closed, fault: str):
    with pytest.raises(RowError, match=fault):
        verify(derive(replace(QUADRATIC, closed=closed)))


def test_a_wrong_derivative_is_found_even_where_the_closed_form_agrees_with_it():
    derived = derive(WRONG)
    x = derived.variables[0]
    A = derived.ladder[0].inputs[1]
    tampered = replace(derived, ladder=(derived.ladder[0], 2 * A @ x))
    with pytest.raises(RowError, match="from differences of order 1"):
        verify(tampered)


def test_a_wrong_print_is_found(monkeypatch: pytest.MonkeyPatch):
    derived = derive(QUADRATIC)
    monkeypatch.setattr(Derived, "text", "dx[i] = 2 A[i,j] x[j]")
    with pytest.raises(RowError, match="from what the printed formula says"):
        verify(derived)


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["write", "check"])
def test_a_wrong_row_stops_the_build(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    page = tmp_path / "page.md"
    page.write_text("as it was", encoding="utf-8")
    monkeypatch.setattr(make_reference, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["make_reference.py", *options])
    monkeypatch.setattr(make_reference, "build", lambda: BUILD((Group("Wrong", "", "", (QUADRATIC, WRONG)),)))
    with pytest.raises(SystemExit, match=r"Wrong: ∂\(xᵀAx\)/∂x = 2Ax: RowError: off by"):
        make_reference.main()
    assert page.read_text(encoding="utf-8") == "as it was"
    assert "2 rows" in capsys.readouterr().out


def test_an_older_page_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(make_reference, "PAGE", page)
    monkeypatch.setattr(make_reference, "build", lambda: BUILD((Group("Right", "", "", (QUADRATIC,)),)))
    monkeypatch.setattr(sys, "argv", ["make_reference.py"])
    make_reference.main()
    monkeypatch.setattr(sys, "argv", ["make_reference.py", "--check"])
    make_reference.main()
    page.write_text(page.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="is not what the tables give"):
        make_reference.main()
