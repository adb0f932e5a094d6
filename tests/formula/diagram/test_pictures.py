"""Whole pictures, pinned, and what the face of them does."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import einback as eb
from einback.formula.diagram import diagram as module
from einback.formula.diagram.network import Kind


def quadratic() -> tuple[eb.Tensor, eb.Tensor]:
    A, x = eb.tensors("A[n,n] x[n]")
    y = x @ A @ x
    return y, eb.grad(y, x)


def regression() -> tuple[eb.Tensor, eb.Tensor]:
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    loss = -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")
    return loss, eb.grad(loss, W)


def convolution() -> tuple[eb.Tensor]:
    return (eb.program("y[b,o,i] = relu(x[b,c,2*i+u] K[o,c,u])")["y"],)


def third_order() -> tuple[eb.Tensor, eb.Tensor]:
    """Seed result D5: a Hessian, and the derivative of a Hessian, which has no matrix form."""
    A, x = eb.tensors("A[m,n] x[n]")
    hessian = eb.hessian(eb.sum(eb.exp(A @ x)), x)
    return hessian, eb.jacobian(hessian, x)


PICTURES = {"quadratic": quadratic, "regression": regression, "convolution": convolution, "third_order": third_order}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str, golden: Callable[[str, str], None]):
    golden(f"diagram_{name}", eb.diagram(*PICTURES[name]()).svg)


def test_tikz(golden: Callable[[str, str], None]):
    golden("diagram_tikz", eb.diagram(*quadratic()).tikz())


_PROGRAM = """
import einback as eb
X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
loss = -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")
picture = eb.diagram(loss, eb.grad(loss, W), eb.hessian(loss, b))
print(picture.svg, picture.tikz(), list(picture.graph().edges(data=True)), list(eb.graph(loss).nodes(data=True)))
"""


def test_pictures_do_not_depend_on_the_hash_seed():
    root = Path(__file__).parents[3]
    outputs = set()
    for seed in "012":
        command = [sys.executable, "-W", "error", "-c", _PROGRAM]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        run = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        outputs.add(run.stdout)
    assert len(outputs) == 1


def test_a_gradient_is_the_network_with_one_tensor_taken_out():
    A, B, C = eb.tensors("A[i,j] B[j,k] C[k,i]")
    y = eb.einsum("ij,jk,ki->", A, B, C)
    forward, backward = y.diagram(beside=eb.grad(y, B)).picture.results
    assert [part.text for part in forward.blocks[1].parts] == ["A", "B", "C"]
    parts = {part.text: part.kind for part in backward.blocks[1].parts}
    assert parts == {"A": Kind.INPUT, "C": Kind.INPUT, "B": Kind.SLOT}
    assert len(forward.blocks[1].legs) == len(backward.blocks[1].legs) == 3


def test_a_picture_alone_has_open_ends_and_one_beside_another_has_slots():
    y, g = quadratic()
    assert not any(box.kind is Kind.SLOT for box in g.diagram().scene.boxes)
    assert sum(box.kind is Kind.SLOT for box in eb.diagram(y, g).scene.boxes) == 2


def test_deltas_of_several_indices_are_one_dot():
    D = eb.tensor("D[b,n]")
    (line,) = eb.einsum("bi->bii", D).diagram().picture.results
    assert [part.kind for part in line.blocks[1].parts].count(Kind.DOT) == 1
    assert [part.kind for part in eb.eye("n").diagram().picture.results[0].blocks[1].parts].count(Kind.DELTA) == 1


def test_axes_of_one_size_are_numbered_unless_the_tensor_is_symmetric():
    A, K = eb.tensor("A[n,n]"), eb.tensor("K[n,n]", symmetric=True)
    x, B = eb.tensors("x[n] B[n,m]")
    lower, inverse = eb.linalg.cholesky(K), eb.linalg.inv(K)
    for tensor, numbers in ((A, 2), (K, 0), (B, 0), (lower, 2), (inverse, 0)):
        scene = (x @ tensor).diagram().scene
        assert sum(text.role == "axis" for text in scene.texts) == numbers


def test_a_tensor_has_one_colour():
    picture = eb.diagram(*regression())
    root = ET.fromstring(picture.svg)
    drawn = list(root.iter())
    named = {
        (text.text, shape.get("fill")) for shape, text in pairwise(drawn) if shape.get("class", "").startswith("t")
    }
    assert len({name for name, _ in named}) == len(named)


def test_sizes_stand_beside_names():
    x = eb.tensor("x[3,n]")
    texts = [text.text for text in (x * 2).diagram(sizes=True).scene.texts]
    assert "i:3" in texts
    assert "n" in texts


def test_names_are_escaped_and_numbers_stand_below():
    y = eb.tensor("W_12[n]") + eb.tensor("x_y[n]")
    svg = eb.where(y > 0, y, 0).diagram().svg
    ET.fromstring(svg)
    assert ">W₁₂<" in svg
    assert ">x_y<" in svg
    assert "&gt;" in svg


def test_it_says_what_it_shows():
    picture = eb.diagram(*quadratic())
    root = ET.fromstring(picture.svg)
    title, description = (root.find(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc"))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert description.text == picture.text
    assert picture._repr_svg_() == picture.svg


def test_results_of_one_name_are_numbered():
    A, x = eb.tensors("A[n,n] x[n]")
    assert eb.diagram(A @ x, x @ A).text.splitlines() == ["y_1[n] = A[n,n'] x[n']", "y_2[n'] = x[n] A[n,n']"]
    y, y_1 = eb.tensors("y y_1")
    assert eb.diagram(y * y_1, y + y_1).text.splitlines() == ["z_1 = y y_1", "z_2 = y + y_1"]


def test_the_graph_of_networks():
    X, W = eb.tensors("X[n,d] W[d,c]")
    graph = eb.relu(X @ W).diagram().graph()
    assert [data["label"] for _, data in graph.nodes(data=True) if data["inside"] is not None] == ["X", "W", "n", "c"]
    (frame,) = (node for node, data in graph.nodes(data=True) if data["kind"] == "frame")
    assert graph.nodes[frame]["label"] == "relu"
    assert sorted(index for _, _, index in graph.edges(data="index")) == ["c", "c", "d", "n", "n"]


def test_the_graph_of_a_program():
    X, W = eb.tensors("X[n,d] W[d,c]")
    loss = eb.sum((X @ W) ** 2)
    graph = eb.graph({"loss": loss, "grads": {"W": eb.grad(loss, W)}, "more": [X]})
    wanted = [name for _, data in graph.nodes(data=True) for name in data["outputs"]]
    assert sorted(wanted) == ["grads.W", "loss", "more.0"]
    assert all(a < b for a, b in graph.edges)


def test_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    picture = eb.diagram(*quadratic())
    picture.save(tmp_path / "x.svg")
    picture.save(str(tmp_path / "x.tex"))
    assert (tmp_path / "x.svg").read_text(encoding="utf-8") == picture.svg
    assert (tmp_path / "x.tex").read_text(encoding="utf-8") == picture.tikz()
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(eb.EinbackError, match="by the package cairosvg, which is not installed\npip install cairosvg"):
        picture.save(tmp_path / "x.png")
    with pytest.raises(eb.EinbackError, match=r"cannot be saved as \.jpg\nthe endings are \.svg, \.tex and \.png"):
        picture.save(tmp_path / "x.jpg")


def test_a_picture_as_png(tmp_path: Path):
    pytest.importorskip("cairosvg")
    eb.diagram(*regression()).save(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_tensor_is_not_drawn():
    with pytest.raises(eb.EinbackError, match="tensors are drawn, and this is of type int"):
        eb.diagram(3)
    with pytest.raises(eb.EinbackError, match="a picture shows one tensor at least"):
        eb.diagram()
