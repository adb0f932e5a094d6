"""What matrix notation prints, read back by a reader of its own and evaluated, is what the program computes."""

from __future__ import annotations

from collections import Counter
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

COUNTS: Counter[str] = Counter()

# What has no matrix form; any other refusal is a fault.
HONEST = ("share with different others", "of ones and numbers alone does not say of how many")


def sides(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else SIZES[size] for size in shape)


def refused(what: str, error: NotationError, reasons: tuple[str, ...] = HONEST) -> str:
    """The message of a refusal, which has to be for one of the reasons."""
    COUNTS[f"{what} refused"] += 1
    assert any(reason in str(error) for reason in reasons), error
    return str(error)


def agree(tensor: Any, text: str, env: dict[str, Any], notation: str = "matrix") -> None:
    """Whether a text says what a tensor is."""
    page = read_page(subject(tensor))
    shapes = {name: sides(node.shape) for name, node in page.nodes.items()}
    shape = sides(tensor.shape)
    needed = {one.name: env[one.name] for one in tensor.inputs}
    found = read(text, needed, SIZES, (*shape, 1, 1)[:2], shapes).reshape(shape)
    wanted = eb.evaluate(tensor, **needed)
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(wanted).max()))), text


def check(tensor: Any, what: str, seed: int = 0) -> str:
    try:
        text = tensor.text(notation="matrix")
    except NotationError as error:
        return refused(what, error)
    COUNTS[f"{what} printed"] += 1
    agree(tensor, text, arrays(seed))
    return text


@given(programs())
def test_programs(made: Made) -> None:
    check(made.value, "program")


@given(programs(), st.data())
def test_gradients(made: Made, data: st.DataObject) -> None:
    value = eb.sum(made.value)
    known = [one for one in value.inputs if one.name in INPUTS]
    if known:
        by = data.draw(st.sampled_from(sorted(known, key=lambda one: one.name)))
        check(eb.grad(value, by), "gradient")


@given(programs(4), st.data())
def test_hessians(made: Made, data: st.DataObject) -> None:
    value = eb.sum(made.value)
    known = [one for one in value.inputs if one.ndim < 2]
    if known:
        by = data.draw(st.sampled_from(sorted(known, key=lambda one: one.name)))
        check(eb.hessian(value, by), "hessian")
