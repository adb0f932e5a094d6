"""`eb.derivation`: what its steps hold, what verification finds, and what its pages are made of."""

from __future__ import annotations

import re
import sys
import types
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import einback as eb
from einback.api import verifying
from einback.formula import mathml
from einback.formula.notations import NOTATIONS, Notation
from einback.formula.subject import Subject
from einback.ir.build import scale
from einback.ir.nodes import Node
from einback.rules.simplify import normalise

SOFTMAX = "Z[n,c] = X[n,d] W[d,c] + b[c]\nloss = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)"


@pytest.fixture
def softmax() -> eb.Derivation:
    program = eb.program(SOFTMAX)
    return eb.derivation(program["loss"], program["W"])


def test_steps_hold_their_rule_their_text_and_an_equation(softmax: eb.Derivation):
    assert [step.number for step in softmax.steps] == list(range(1, 13))
    assert [step.equation[0] for step in softmax.steps] == [
        "Z", "L", "P", "loss", "dZ", "dL", "dloss", "G_L", "G_Z", "G_W", "G_W", "dW"]  # fmt: skip
    assert {step.section for step in softmax.steps} == {"definitions", "differentials", "cotangents", "result"}
    step = softmax.steps[8]
    assert (step.rule, step.uses) == ("log-softmax rule", (6, 8))
    assert step.text.endswith("G_Z[n,c] = G_L[n,c] - G_L[n,c'] P[n,c]")
    assert r"G^{(Z)}_{nc} &= G^{(L)}_{nc} - G^{(L)}_{nc'} P_{nc}" in step.latex
    assert str(step) == step.text


def test_an_equation_is_a_tensor_that_reads_the_others_by_name(softmax: eb.Derivation):
    name, tensor = softmax.steps[8].equation
    assert name == "G_Z"
    rng = np.random.default_rng(0)
    G, P = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    np.testing.assert_allclose(eb.evaluate(tensor, G_L=G, P=P), G - G.sum(1, keepdims=True) * P)
    _, differential = softmax.steps[4].equation
    assert [one.name for one in differential.inputs] == ["X", "dW"]


def test_equations_entry_by_entry():
    program = eb.program(SOFTMAX)
    found = eb.derivation(program["loss"], program["W"], style="entries")
    name, tensor = found.steps[4].equation
    assert (name, tensor.ndim) == ("dZ_dW", 4)
    assert [one.name for one in found.steps[8].equation[1].inputs] == ["X", "dloss_dZ"]
    assert "∂loss/∂W[d,c] = ∂loss/∂Z[n,c'] ∂Z[n,c']/∂W[d,c]" in found.steps[8].text


def test_what_moves_the_result_directly_is_not_taken_for_its_derivative():
    program = eb.program("u = x^2\ny = x u")
    shown = str(eb.derivation(program["y"], program["x"], style="entries"))
    assert "(∂y/∂x directly) = u" in shown
    assert "  ∂y/∂x = u\n" not in shown


def test_the_last_step_is_the_gradient(softmax: eb.Derivation):
    gradient = eb.grad(softmax.of, softmax.by)
    assert softmax.steps[-1].equation[1].node is gradient.node
    assert softmax.steps[-1].text.endswith(str(gradient))
    assert str(softmax.result) == str(gradient)


def test_all_steps_are_verified(softmax: eb.Derivation):
    report = softmax.verify()
    assert report
    assert {check.number for check in report.checks} == set(range(4, 13))
    assert str(report).splitlines()[-1].startswith("(12) dW: error ")
    assert str(report).count(": ok") == len(report.checks)


def test_steep_functions_are_compared_with_short_steps():
    x = eb.tensor("x[n,a,n]")
    y = eb.sin(eb.einsum("n->", eb.log_softmax(eb.einsum("nan->n", x) ** 2) ** 3))
    rng = np.random.default_rng(6)
    report = eb.derivation(y, x).verify(x=rng.normal(size=(2, 3, 2)))
    assert report.passed, report


def test_verification_takes_arrays(softmax: eb.Derivation):
    X = np.random.default_rng(1).normal(size=(7, 2))
    assert softmax.verify(X=X).passed
    with pytest.raises(eb.ArrayError, match="the program reads no tensor named Q"):
        softmax.verify(Q=X)


@pytest.mark.parametrize("number", [5, 6, 7, 8, 9, 10, 11, 12])
def test_a_wrong_step_is_found(softmax: eb.Derivation, number: int):
    """An equation with another factor, every other step as it is."""
    entries = list(softmax._page.entries)
    entry = entries[number - 1]
    equation = replace(entry.part.equation, node=_scaled(entry.part.equation.node))
    edge = entry.part.edge and replace(entry.part.edge, pull=_scaled(entry.part.edge.pull))
    entries[number - 1] = replace(entry, part=replace(entry.part, equation=equation, edge=edge))
    page = replace(softmax._page, entries=tuple(entries))
    report = verifying.verified(page, softmax._found, softmax.of, softmax.by, {}, 0)
    assert not report
    assert number in {check.number for check in report.checks if not check.passed}


def test_a_part_that_is_taken_for_the_whole_is_found():
    x = eb.tensor("x[n]")
    found = eb.derivation(eb.sum(x * eb.sin(x)), x)
    entries = list(found._page.entries)
    for k, entry in enumerate(entries):
        if entry.part.edge is not None:
            assert not entry.part.edge.alone
            edge = replace(entry.part.edge, alone=True)
            changed = [*entries[:k], replace(entry, part=replace(entry.part, edge=edge)), *entries[k + 1 :]]
            page = replace(found._page, entries=tuple(changed))
            report = verifying.verified(page, found._found, found.of, found.by, {}, 0)
            assert [check.number for check in report.checks if not check.passed] == [entry.number]


def test_arrays_that_have_no_value_are_replaced():
    x = eb.tensor("x[n]")
    assert eb.derivation(eb.sum(eb.arccosh(x)), x).verify().passed
    assert eb.derivation(eb.sum(eb.log(x) * eb.sqrt(x)), x).verify().passed


@pytest.mark.parametrize("facts", ["symmetric", "diagonal", "lower", "orthogonal", "stochastic", "positive"])
def test_facts_of_the_variable(facts: str):
    A, x = eb.tensor("A[n,n]", **{facts: True}), eb.tensor("x[n]")
    found = eb.derivation(eb.sum(eb.sin(A @ x) * x) + x @ A @ A @ x, A)
    assert found.verify().passed
    assert found.steps[-1].text.endswith(str(eb.grad(found.of, A)))


@pytest.mark.parametrize("fn", ["inv", "det", "logdet", "cholesky", "eigvalsh"])
def test_matrix_functions(fn: str):
    A = eb.tensor("A[n,n]")
    C = A @ A.T + eb.eye("n")
    y = getattr(eb.linalg, fn)(C)
    found = eb.derivation(eb.sum(y**2), A)
    assert found.verify().passed
    assert found.steps[-1].text.endswith(str(eb.grad(found.of, A)))


def test_an_intermediate_variable_and_trivial_ones():
    x = eb.tensor("x[n]")
    inner = eb.exp(x)
    found = eb.derivation(eb.sum(inner**2 * eb.sin(inner)), inner)
    assert found.verify().passed
    assert "exp" not in "".join(step.text for step in found.steps[:-1])
    assert eb.derivation(x, x).verify().passed
    nothing = eb.derivation(eb.sum(x > 0), x)
    assert nothing.steps[-1].text == "no path: nothing that moves with x reaches y\ndx[n] = 0"
    assert nothing.verify().passed


def test_errors():
    x, z, k = eb.tensor("x[n]"), eb.tensor("z[n]", complex=True), eb.tensor("k[n]", integer=True)
    with pytest.raises(eb.DerivativeError, match="there is no derivation of the Jacobian of complex tensors"):
        eb.derivation(eb.exp(z), z)
    with pytest.raises(eb.DerivativeError, match="the tensor does not depend on x"):
        eb.derivation(eb.sum(eb.tensor("w[n]")), x)
    with pytest.raises(eb.DerivativeError, match="k holds integers"):
        eb.derivation(eb.sum(k * x), k)
    with pytest.raises(eb.DerivativeError, match="a derivation is of a tensor by a tensor, not of list"):
        eb.derivation(eb.sum(x), [x])  # type: ignore[arg-type]
    with pytest.raises(eb.DerivativeError, match="no style of derivations is named 'entry'"):
        eb.derivation(eb.sum(x), x, style="entry")
    with pytest.raises(eb.DerivativeError, match="complex tensors have no derivatives entry by entry"):
        eb.derivation(eb.sum(abs(z)), z, style="entries")
    with pytest.raises(eb.NotationError, match="no notation is named 'indx'"):
        eb.derivation(eb.sum(x**2), x).text(notation="indx")


def test_a_notation_without_a_form_leaves_the_step_in_index_notation(
    softmax: eb.Derivation, monkeypatch: pytest.MonkeyPatch
):
    def short(subject: Subject) -> str:
        if subject.node.rank > 1 and subject.derivative is None:
            raise eb.NotationError("too many axes")
        return f"{subject.name} is short"

    module = types.ModuleType("einback.formula.short")
    monkeypatch.setattr(module, "text", short, raising=False)
    monkeypatch.setattr(module, "latex", short, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(NOTATIONS, "short", Notation("short", "for this test"))  # type: ignore[index]
    shown = softmax.text(notation="short")
    assert "(4) loss is short" in shown
    assert "(1) Z[n,c] = X[n,d] W[d,c] + b[c]" in shown
    assert shown.endswith("dW is short")
    for whole in (softmax.markdown("short"), softmax.latex("short"), softmax.html("short")):
        assert "short" in whole


def test_a_derivation_is_there_in_every_notation():
    p = eb.program("y[i] = x[i+u] K[u]" + chr(10) + "L = y[i]^2")
    found = eb.derivation(p["L"], p["K"])
    for notation in NOTATIONS:
        assert "x[i+u]" in found.text(notation) or notation == "sum"


def test_html_stands_alone(softmax: eb.Derivation):
    page = softmax.html()
    assert page.startswith("<!DOCTYPE html>")
    assert not re.search(r"<(script|link|img|iframe)|src=|@import|url\(", page)
    assert page.count("<details open>") == len(softmax.steps)
    assert "prefers-color-scheme: dark" in page
    for formula in re.findall(r"<math.*?</math>", page, re.S):
        ET.fromstring(formula)
        assert "&amp;" not in formula
        assert "\\" not in formula
    assert "G_Z[n,c] = G_L[n,c] - G_L[n,c'] P[n,c]" in page
    assert _Balanced.of(page)


def test_html_is_escaped():
    program = eb.program("Z_a[n] = X[n,d] w[d]\nf = sum[n](where(Z_a[n] < 1, Z_a[n], 0))")
    page = eb.derivation(program["f"], program["w"]).html()
    assert "where(Z_a[n] &lt; 1, Z_a[n], 0)" in page
    assert _Balanced.of(page)


def test_notebooks_get_html_or_markdown(softmax: eb.Derivation, monkeypatch: pytest.MonkeyPatch):
    shown = softmax._repr_html_()
    assert shown is not None
    assert "<html" not in shown
    assert softmax._repr_markdown_() == softmax.markdown()
    monkeypatch.setattr(mathml, "_PACKAGE", "no_such_package")
    assert softmax._repr_html_() is None
    with pytest.raises(eb.EinbackError, match=re.escape("HTML needs the package latex2mathml, which is not installed")):
        softmax.html()


def test_a_deep_network_in_linear_time():
    dense = eb.layer("h[n,k] = tanh(x[n,d] W[d,k] + b[k])")
    h = eb.tensor("X[n,2]")
    for layer in range(30):
        h = dense(h, name=str(layer), k=2)
    y = eb.sum(h**2)
    found = eb.derivation(y, y.parameters[0])
    assert len(found.steps) == 6 * 30 + 5
    assert str(found).count("\n") > 500


def _scaled(node: Node) -> Node:
    return normalise([scale(node, 1.001)])[0]


class _Balanced(HTMLParser):
    """Whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    @classmethod
    def of(cls, page: str) -> bool:
        parser = cls()
        parser.feed(page)
        return not parser.open and not parser.faults


def test_definitions_inside_a_step_have_names_that_no_input_has():
    text = "S[q,k] = Q[q,d] K[k,d]\nO[q,v] = softmax[k](S[q,k]) V[k,v]\nL = O[q,v] G[q,v]"
    p = eb.program(text)
    found = eb.derivation(p["L"], p["K"])
    assert "G_S[q,k] = G_1[q,k] - G_1[q,k'] P[q,k]\n         where G_1[q,k] = G_P[q,k] P[q,k]" in str(found)
    assert found.verify().passed


@pytest.mark.parametrize("scale_of_x", [1.0, 1e3, 1e4])
def test_a_wrong_step_is_found_at_large_values_too(softmax: eb.Derivation, scale_of_x: float):
    program = eb.program("u[n] = x[n]^2\nv[n] = u[n] w[n]\nf = sum[n](v[n])")
    found = eb.derivation(program["f"], program["x"])
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=3) * scale_of_x, "w": rng.normal(size=3)}
    assert found.verify(arrays).passed
    entries = found._page.entries
    k = next(k for k, one in enumerate(entries) if one.part.section == "differentials" and one.part.symbol.name == "v")
    equation = entries[k].part.equation
    wrong = replace(entries[k], part=replace(entries[k].part, equation=replace(equation, node=scale(equation.node, 2))))
    page = replace(found._page, entries=(*entries[:k], wrong, *entries[k + 1 :]))
    assert not replace(found, _page=page).verify(arrays).passed
