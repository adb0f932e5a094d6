"""Pictures as drawings, measured: nothing lies on anything else, everything of the formula is there."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import einback as eb
from einback.formula.diagram.diagram import diagram
from einback.formula.diagram.network import Kind
from einback.formula.diagram.networks import subscripted
from einback.formula.names import Names
from einback.formula.program import arrange
from einback.formula.subject import Subject
from einback.formula.tree import carried
from einback.ir.nodes import Node
from einback.ir.walk import inputs_of
from einback.rules.simplify import normalise
from tests.formula.diagram.geometry import faults
from tests.formula.programs import POOL, STRUCTURED, programs

_SPACE = "{http://www.w3.org/2000/svg}"


def _texts(svg: str) -> list[str]:
    return [unescape(one.text or "") for one in ET.fromstring(svg).iter(f"{_SPACE}text")]


@given(programs(kinds=STRUCTURED), st.booleans())
def test_random_pictures_are_whole_and_nothing_lies_on_anything_else(node: Node, sizes: bool):
    (root,) = normalise([node])
    names = Names(pool=POOL)
    found = diagram([Subject(root, "result", names)], slots=False, sizes=sizes)
    assert faults(found.scene) == []
    shown = _texts(found.svg)
    assert {subscripted(one.name) for one in inputs_of([root])} <= {text.split("(")[-1].rstrip(")") for text in shown}
    (result,) = arrange([root], ["result"], [names]).results
    free = [result.chosen[index] for place in result.left for index in carried(place)]
    assert all(any(name in text for text in shown) for name in free)
    assert found.tikz().count(r"\begin{") == found.tikz().count(r"\end{") == 2


def network(seed: int) -> eb.Tensor:
    """A contraction of up to 30 tensors, with loops, parallel legs, indices of many ends, and free ones."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 31))
    axes: list[list[int]] = [[] for _ in range(n)]
    pairs = [(k, int(rng.integers(0, k))) for k in range(1, n) if rng.random() < 0.95]
    pairs += [(int(a), int(b)) for a, b in rng.integers(0, n, (int(rng.integers(0, 12)), 2))]
    groups = [*pairs, *(tuple(rng.choice(n, 3, replace=False)) for _ in range(int(rng.integers(0, 3))))]
    groups += [(int(rng.integers(0, n)),) for _ in range(int(rng.integers(0, 5)))]
    for index, group in enumerate(groups):
        for k in group:
            axes[k].append(index)
    free = [index for index, group in enumerate(groups) if len(group) == 1]
    tensors = [eb.tensor(f"T_{k}[{','.join(f's{e}' for e in own)}]" if own else f"T_{k}") for k, own in enumerate(axes)]
    terms = [" ".join(f"e{e}" for e in own) + " " for own in axes]
    return eb.einsum(",".join(terms) + "->" + " ".join(f"e{e}" for e in free) + " ", *tensors)


@pytest.mark.parametrize("seed", range(8))
def test_networks_of_30_tensors_are_drawn_without_overlaps(seed: int):
    scene = network(seed).diagram().scene
    assert faults(scene) == []
    assert sum(box.kind is Kind.INPUT for box in scene.boxes) >= 20


def test_the_measure_finds_what_lies_on_something():
    x, A = eb.tensors("x[n] A[n,n]")
    scene = (x @ A @ x).diagram().scene
    assert not faults(scene)
    first, *others = scene.boxes
    assert faults(replace(scene, boxes=(replace(first, x=others[0].x - 10), *others)))
    assert faults(replace(scene, boxes=(*scene.boxes, replace(first, owner=(9,)))))
    assert faults(replace(scene, texts=(*scene.texts, replace(scene.texts[-1], x=scene.texts[-1].x + 2))))
    assert faults(replace(scene, lines=(scene.lines[0], replace(scene.lines[1], start=scene.lines[0].start))))


def test_a_ladder_is_straight():
    left, right = eb.tensors("a_1[p,i] a_2[i,p,j] a_3[j,p]"), eb.tensors("b_1[p,i] b_2[i,p,j] b_3[j,p]")
    scene = eb.einsum("pi,iqj,jr,pa,aqb,br->", *left, *right).diagram().scene
    rows = {round(box.y + box.height / 2) for box in scene.boxes}
    columns = {round(box.x + box.width / 2) for box in scene.boxes}
    assert (len(rows), len(columns)) == (2, 3)


def test_inputs_stand_on_the_left_and_open_ends_on_the_right():
    X, W = eb.tensors("X[n,d] W[d,c]")
    scene = (X @ W).diagram().scene
    ends = [line.steps[-1][-1][0] for line in scene.lines if line.name in ("n", "c")]
    assert len(set(ends)) == 1
    assert all(box.x + box.width < ends[0] for box in scene.boxes)


def test_a_deep_program_is_drawn():
    x = eb.tensor("x[n]")
    y = x
    for k in range(300):
        y = eb.sin(y) + x * k
    assert y.diagram().svg.count("<rect") > 300


def test_a_long_chain_is_drawn():
    tensors = eb.tensors(" ".join(f"M_{k}[a,a]" for k in range(70)))
    y = eb.einsum(",".join(f"i{k} i{k + 1}" for k in range(70)) + "-> i0 i70", *tensors)
    assert faults(y.diagram().scene) == []
