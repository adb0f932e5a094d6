"""Random whole programs: Jacobians and blocks of Hessians as factors are the dense ones, in all that they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import einback as eb
from tests.oracles.compare import assert_close
from tests.oracles.libraries import EINBACK
from tests.oracles.programs import follow, follow_all
from tests.oracles.slow import SLOW
from tests.oracles.test_programs import draw_case, each_kind


def _close(found: Any, dense: Any, what: str) -> None:
    scale = max(1.0, np.abs(dense).max(initial=0))
    assert_close(np.asarray(found) / scale, np.asarray(dense) / scale, what, 1e-10)


def _agrees(found: eb.Structured, dense: Any, rows: int) -> None:
    """Whether a structured result is the dense one, as an array, as a matrix and as a sparse matrix."""
    dense = np.asarray(dense)
    assert (found.shape, found.dtype) == (dense.shape, dense.dtype)
    _close(found.dense(), dense, "dense")
    left, right = dense.shape[:rows], dense.shape[rows:]
    rng = np.random.default_rng(0)
    v, u = rng.normal(size=right), rng.normal(size=left)
    _close(found.matvec(v, rows), np.tensordot(dense, v, len(right)), "matrix times vector")
    _close(found.rmatvec(u, rows), np.tensordot(u, dense, len(left)), "vector times matrix")
    pytest.importorskip("scipy")
    _close(found.to_scipy(rows).toarray(), dense.reshape(int(np.prod(left)), int(np.prod(right))), "sparse")


@each_kind
@SLOW
@given(data=st.data())
def test_hessian_blocks(kinds: Any, data: st.DataObject):
    case = draw_case(data, kinds)
    loss = follow(case.recipe, EINBACK, case.tensors, case.ids_tensors)
    named = case.named(loss)
    used = [x for x in case.tensors if x.name in named][:2]
    blocks = eb.hessian(loss, used)
    results = eb.compile(blocks, structured=True)(**named)
    for x, row, wanted in zip(used, results, eb.evaluate(blocks, **named), strict=True):
        for found, dense in zip(row, wanted, strict=True):
            _agrees(found, dense, x.ndim)


@each_kind
@SLOW
@given(data=st.data())
def test_jacobians(kinds: Any, data: st.DataObject):
    case = draw_case(data, kinds)
    y = follow_all(case.recipe, EINBACK, case.tensors, case.ids_tensors)[-1]
    named = case.named(y)
    for x in case.tensors:
        if x.name in named:
            J = eb.jacobian(y, x)
            _agrees(eb.compile(J, structured=True)(**named), eb.evaluate(J, **named), y.ndim)
