"""Formulas in the notations of entries, pinned in goldens/: as text, as LaTeX, and that LaTeX is well formed."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec

import pytest
from hypothesis import given

from einback.errors import NotationError
from einback.formula.mathml import mathml
from einback.formula.names import Names
from einback.formula.notations import NOTATIONS
from einback.formula.subject import Subject
from einback.ir.nodes import Node
from einback.ir.walk import inputs_of
from einback.rules.simplify import normalise
from tests.formula.notation_cases import CASES
from tests.formula.programs import POOL, STRUCTURED, programs

_CONVERTS = find_spec("latex2mathml") is not None

ENTRYWISE = ("sum", "ricci", "einsum")


def well_formed(latex: str) -> None:
    """Braces and brackets come in pairs, nothing has two superscripts, and a converter to MathML takes it."""
    bare = re.sub(r"\\[{}_^]", "", latex)
    depth = 0
    for char in bare:
        depth += (char == "{") - (char == "}")
        assert depth >= 0, latex
    assert depth == 0, latex
    assert bare.count(r"\left") == bare.count(r"\right"), latex
    if r"\texttt" not in latex:
        assert not re.search(r"(\^\{[^{}]*\}\^|_\{[^{}]*\}_)", bare), latex
    if _CONVERTS:
        assert "<merror" not in mathml(latex, block=True), latex


def page(name: str, notation: str) -> str:
    tensor = CASES[name]()
    try:
        text, latex = tensor.text(notation), tensor.latex(notation)
    except NotationError as error:
        return f"{name}\n\n{error.fact}\n"
    well_formed(latex)
    return f"{name}\n\n{text}\n\n{latex}\n"


@pytest.mark.parametrize("notation", ENTRYWISE)
def test_goldens(notation: str, golden: Callable[[str, str], None]) -> None:
    golden(f"notation_{notation}", "\n\n".join(page(name, notation) for name in CASES))


@given(programs(kinds=STRUCTURED))
def test_latex_of_random_programs_is_well_formed(root: Node) -> None:
    (root,) = normalise([root])
    subject = Subject(root, "result", Names(pool=POOL), inputs=tuple(inputs_of([root])))
    for notation in ENTRYWISE:
        try:
            latex = NOTATIONS[notation].latex(subject)
        except NotationError:
            continue
        well_formed(latex)
