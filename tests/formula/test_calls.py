"""The np.einsum notation: what it writes, and that it runs as it stands and is right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given

import einback as eb
from einback.errors import NotationError
from einback.formula.names import Names
from einback.formula.notations import NOTATIONS
from einback.formula.subject import Subject
from einback.ir.nodes import Node
from einback.ir.walk import inputs_of
from einback.rules.simplify import normalise
from tests.formula.notation_cases import CASES, arrays_for, close, node_arrays, value_of
from tests.formula.programs import POOL, STRUCTURED, programs


def run(lines: str, arrays: Mapping[str, Any]) -> Any:
    """What the last line, or the last name, of some lines of NumPy is worth."""
    space = {"np": np, **arrays}
    with np.errstate(all="ignore"):
        exec(lines, space)
        names = re.findall(r"^(\w+) = ", lines, re.MULTILINE)
        return space[names[-1] if names else lines]


@given(programs(kinds=STRUCTURED))
def test_random_programs_run_as_they_stand(root: Node) -> None:
    (root,) = normalise([root])
    try:
        lines = NOTATIONS["einsum"].text(Subject(root, "result", Names(pool=POOL), inputs=tuple(inputs_of([root]))))
    except NotationError as error:
        event(f"refused: {error.fact}")
        return
    arrays = node_arrays([root])
    assert close(run(lines, arrays), value_of(root, arrays)), lines


@pytest.mark.parametrize("name", CASES)
def test_derivatives_run_as_they_stand(name: str) -> None:
    tensor = CASES[name]()
    try:
        lines = tensor.text(notation="einsum")
    except NotationError:
        pytest.skip("refused")
    arrays = arrays_for(tensor)
    assert close(run(lines, arrays), eb.evaluate(tensor, **arrays)), lines


def test_long_sums_go_on_below() -> None:
    xs = eb.tensors(" ".join(f"factor{k}[n]" for k in range(9)))
    lines = sum(eb.sin(a * b) for a, b in pairwise(xs)).text("einsum")
    assert lines.startswith("y = (\n    np.sin(factor0 * factor1)\n    + np.sin(factor1 * factor2)")
    arrays = {x.name: np.full(2, k) for k, x in enumerate(xs)}
    assert close(run(lines, arrays), np.full(2, sum(np.sin(k * (k + 1)) for k in range(8))))


def test_functions_that_numpy_lacks_are_spelled() -> None:
    x = eb.tensor("x[n]")
    for fn in (eb.erf, eb.gelu, eb.silu, eb.softplus, eb.sigmoid):
        tensor = eb.grad(eb.sum(fn(x)), x)
        arrays = {"x": np.linspace(-2, 2, 5)}
        assert close(run(tensor.text("einsum"), arrays), eb.evaluate(tensor, **arrays))


def test_lengths_are_read_from_inputs_and_flattened_axes_are_reshaped() -> None:
    p = eb.program("y[n,(c h w)] = x[n,c,h,w] / size(c)")
    assert p["y"].text("einsum") == "y = (x / x.shape[1]).reshape(len(x), -1)"
    with pytest.raises(NotationError, match="no array has an axis of length n"):
        eb.ones("[n]").text("einsum")


def test_complex_numbers() -> None:
    z, w = eb.tensor("z[n]", complex=True), eb.tensor("w[n]")
    arrays = {"z": np.array([1 + 2j, -0.5j, 3.0]), "w": np.array([1.0, 2.0, -1.0])}
    for tensor in (eb.softplus(z) * w, eb.grad(eb.sum(eb.abs(z) ** 2 * w), z), eb.conj(z) * w * (1 + 2j)):
        np.testing.assert_allclose(run(tensor.text("einsum"), arrays), eb.evaluate(tensor, **arrays))
    with pytest.raises(NotationError, match="no complex numbers"):
        eb.logsumexp(z).text("einsum")
