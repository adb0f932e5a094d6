"""The identities of the matrix calculus reference in matrix notation, read back and evaluated."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.api.printing import subject
from einback.errors import NotationError
from einback.formula.matrix.statements import read_page
from tests.formula.matrix.reader import read

sys.path.insert(0, str(Path(__file__).parents[3] / "docs"))

from reference.tables import GROUPS
from reference.verify import derive, draw

REASONS = (
    "axes, and a matrix has two",
    "and matrix notation has no name for its entries",
    "positions are compared",
    "is read at computed positions",
    "a delta of computed positions",
)


def holds(row: Any) -> bool:
    """Whether a row has a matrix form; if so, it says what the row is."""
    derived = derive(row)
    tensor, arrays = derived.answer, draw(derived)
    try:
        text = tensor.text(notation="matrix")
    except NotationError as error:
        if not any(reason in str(error) for reason in REASONS):
            raise
        return False
    needed = {one.name: np.asarray(arrays[one.name]) for one in tensor.inputs}
    sizes = {
        size: length
        for one in tensor.inputs
        for size, length in zip(one.shape, needed[one.name].shape, strict=True)
        if isinstance(size, str)
    }
    nodes = read_page(subject(tensor)).nodes
    shapes = {name: tuple(sizes.get(size, size) for size in node.shape) for name, node in nodes.items()}
    wanted = eb.evaluate(tensor, **needed)
    found = read(text, needed, sizes, (*wanted.shape, 1, 1)[:2], shapes).reshape(wanted.shape)
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(wanted).max()))), text
    return True


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.title)
def test_reference(group: Any) -> None:
    for row in group.rows:
        holds(row)
