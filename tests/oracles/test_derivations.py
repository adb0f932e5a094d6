"""Derivations of random whole programs: every step by numbers, and the last one the gradient as it is printed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import einback as eb
from einback.api.tensor import declared
from einback.ir.nodes import Input
from tests.oracles import structured
from tests.oracles.libraries import EINBACK
from tests.oracles.programs import CLASSICAL, follow, follow_all, random_arrays, random_ids, recipes
from tests.oracles.slow import SLOW

KINDS = {"classical": CLASSICAL, "structured": structured.KINDS}


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
@SLOW
@given(data=st.data())
def test_every_step_by_numbers(data: st.DataObject, kinds: Any):
    recipe, seed = data.draw(recipes(kinds, most_ops=5)), data.draw(st.integers(0, 99))
    tensors = [eb.tensor(f"x{k}[{','.join(shape)}]") for k, shape in enumerate(recipe.inputs)]
    ids = [
        declared(Input(f"ids{k}", one.shape, ("integer",)), ("",) * len(one.shape)) for k, one in enumerate(recipe.ids)
    ]
    loss = follow(recipe, EINBACK, tensors, ids)
    values = follow_all(recipe, EINBACK, tensors, ids)
    y = data.draw(st.sampled_from([loss, *[value for value in values if 0 < value.ndim < 3]]))
    read = {one.name for one in y.inputs}
    x = data.draw(st.sampled_from([one for one in tensors if one.name in read]))
    assume(y.ndim + x.ndim < 5)
    arrays = {one.name: array for one, array in zip(tensors, random_arrays(recipe, seed), strict=True)}
    arrays |= {one.name: array for one, array in zip(ids, random_ids(recipe, seed), strict=True)}
    derivation = eb.derivation(y, x, style=data.draw(st.sampled_from(["differentials", "entries"])))
    report = derivation.verify({name: array for name, array in arrays.items() if name in read})
    assert report.passed, f"{derivation}\n{report}"
    shown = str(eb.jacobian(y, x) if y.ndim else eb.grad(y, x))
    last = derivation.steps[-1].text.partition("\n")[2]
    assert last == shown
    assert all(step.latex for step in derivation.steps)
    notation = data.draw(st.sampled_from(["matrix", "vec", "sum", "ricci"]))
    assert derivation.text(notation).count("\n") >= len(derivation.steps) <= derivation.latex(notation).count("\n")
