"""Matrices of blocks, read back and evaluated: they are the Jacobians side by side, in both layouts and both vecs."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

import einback as eb
from einback.api.printing import subject
from einback.errors import NotationError
from einback.formula.matrix.statements import read_page
from tests.formula.matrix.programs import INPUTS, SIZES, Made, arrays, programs
from tests.formula.matrix.reader import read
from tests.formula.matrix.test_products import refused, sides
from tests.formula.matrix.test_vec import ENTRIES, LAYOUTS, VECS, flat

REASONS = (*ENTRIES, "different tensors named", "a tensor is called", "has not as many")


def check_blocks(values: list[Any], by: list[Any], layout: str, vec: str) -> str:
    """The text, if what it says is the matrix of all Jacobians; the reason, where it is refused."""
    rows = [[eb.jacobian(value, one) for one in by] for value in values]
    try:
        text = eb.blocks(rows).text(layout=layout, vec=vec)
    except NotationError as error:
        return refused("blocks", error, REASONS)
    eb.blocks(rows).latex(layout=layout, vec=vec)
    env = arrays(0)
    wanted = np.block(
        [
            [flat(eb.evaluate(one, **{k.name: env[k.name] for k in one.inputs}), value.ndim, vec) for one in row]
            for value, row in zip(values, rows, strict=True)
        ]
    )
    wanted = wanted if layout == "numerator" else wanted.T
    pages = [read_page(subject(one)) for row in rows for one in row]
    shapes = {name: sides(node.shape) for page in pages for name, node in page.nodes.items()}
    needed = {one.name: env[one.name] for value in values for one in value.inputs}
    try:
        found = read(text, needed, SIZES, wanted.shape, shapes)
    except AssertionError as error:  # of several blocks that are 0 the sizes may be unsaid
        if "zeros of no known size" not in str(error):
            raise
        return text
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(wanted).max()))), text
    return text


@given(programs(3), st.data(), LAYOUTS, VECS)
def test_random_rows(made: Made, data: st.DataObject, layout: str, vec: str) -> None:
    read_by = sorted((one for one in made.value.inputs if one.name in INPUTS and one.ndim), key=lambda one: one.name)
    if not read_by or not made.value.ndim:
        return
    by = data.draw(st.lists(st.sampled_from(read_by), min_size=1, max_size=3, unique_by=lambda one: one.name))
    check_blocks([made.value], by, layout, vec)


A, S, u, x, y = (INPUTS[name] for name in "ASuxy")


def test_declared_blocks() -> None:
    layer = eb.tanh(A @ y + x)
    for layout in ("numerator", "denominator"):
        for vec in ("column", "row"):
            check_blocks([layer], [A, x, y], layout, vec)
            check_blocks([S @ u, x * u], [u], layout, vec)
            check_blocks([S @ u + x, x * u], [u, x], layout, vec)
    assert check_blocks([S @ u + x], [S, x], "numerator", "column") == "J = [uᵀ, 1] ⊗ I_n"
