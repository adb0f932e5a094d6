"""What notebooks show of tensors."""

from xml.etree import ElementTree

import pytest

import einback as eb
from einback.formula import mathml


def read(tensor: eb.Tensor) -> ElementTree.Element:
    shown = tensor._repr_html_()
    assert shown is not None
    return ElementTree.fromstring(shown.replace("<meta charset", "<meta data"))


def test_a_tensor_shows_its_formula_its_shape_and_its_text():
    X, W = eb.tensors("X[n,d] W[d,c]")
    shown = read(X @ W)
    assert len(list(shown.iter("{http://www.w3.org/1998/Math/MathML}math"))) == 1
    assert [one.text for one in shown.iter("summary")] == ["n × c, of X, W"]
    assert [one.text for one in shown.iter("pre")] == ["y[n,c] = X[n,d] W[d,c]"]


def test_a_gradient_shows_how_it_was_found():
    x, A = eb.tensors("x[n] A[n,n]")
    y = x @ A @ x
    shown = eb.grad(y, x)._repr_html_()
    assert shown is not None
    assert "<summary>derivation</summary>" in shown
    assert "The gradient of y by x" in shown
    assert "derivation" not in str((2 * eb.grad(y, x))._repr_html_())


def test_signs_are_escaped():
    x = eb.tensor("x[n]")
    shown = eb.where(x < 1, x, 0)._repr_html_()
    assert shown is not None
    assert "<pre>y[n] = where(x[n] &lt; 1, x[n], 0)</pre>" in shown


def test_long_programs_are_shown_without_their_derivation():
    x = eb.tensor("x[n]")
    y = x
    for _ in range(100):
        y = eb.sin(y)
    shown = eb.grad(eb.sum(y), x)._repr_html_()
    assert shown is not None
    assert "derivation" not in shown


def test_without_the_package_there_is_latex(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mathml, "_PACKAGE", "no_such_package")
    x = eb.tensor("x[n]")
    assert x._repr_html_() is None
    assert x._repr_latex_() == "$\\displaystyle y_{n} = x_{n}$"
