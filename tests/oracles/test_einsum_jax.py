"""Every string of the corpus against JAX in float64: values, all gradients, Hessians and mixed blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb
from tests.oracles import jax_lib
from tests.oracles.compare import assert_close, declare
from tests.oracles.corpus import CASES, EMBEDDINGS, Case

pytestmark = pytest.mark.oracle

_SQUARES = [case for case in CASES if len(case.shapes) > 1 and len(set(case.shapes)) == 1]


@pytest.mark.parametrize("case", [*CASES, *EMBEDDINGS], ids=str)
def test_all_derivatives_agree(case: Case):
    _compare(case, tuple(range(len(case.shapes))))


@pytest.mark.parametrize("case", _SQUARES, ids=str)
def test_one_tensor_at_every_operand(case: Case):
    _compare(case, (0,) * len(case.shapes))


def _compare(case: Case, slots: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(case.spec))
    shapes = dict(zip(slots, case.shapes, strict=True))
    arrays = tuple(rng.normal(size=shapes[k]) for k in range(len(shapes)))
    weights = rng.normal(size=np.shape(jax_lib.einsum(case.spec, *(arrays[slot] for slot in slots))))
    wanted = jax_lib.einsum_derivatives(case.spec, slots)(weights, arrays)
    found = _derivatives(case, slots)(**{f"x{k}": array for k, array in enumerate(arrays)}, w=weights)

    assert_close(found["value"], wanted["value"], "value")
    for k in range(len(arrays)):
        assert_close(found["linear"][k], wanted["linear"][k], f"gradient for x{k}")
        assert_close(found["smooth"][k], wanted["smooth"][k], f"gradient through tanh for x{k}")
    for k, row in enumerate(found["hessian"]):
        for m, block in enumerate(row):
            assert_close(block, wanted["hessian"][k][m], f"Hessian for x{k}, x{m}")


def _derivatives(case: Case, slots: tuple[int, ...]) -> Any:
    """The same dictionary as `jax_lib.einsum_derivatives`, of the first two variables' Hessian rows."""
    tensors, y = declare(case, slots)
    w = eb.tensor("w" + str(list(y.shape)).replace("'", ""))
    smooth = eb.sum(w * eb.tanh(y))
    return eb.compile(
        {
            "value": y,
            "linear": eb.grad(eb.sum(w * y), tensors),
            "smooth": eb.grad(smooth, tensors),
            "hessian": [[eb.hessian(smooth, a, b) for b in tensors] for a in tensors[:2]],
        }
    )
