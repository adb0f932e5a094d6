"""Tensors known to be symmetric: products read them one way round, however deep the program, and no others."""

from __future__ import annotations

import numpy as np
import pytest

import einback as eb
from einback.rules.symmetry import is_symmetric


def environments(sites: int) -> tuple[list[eb.Tensor], eb.Tensor]:
    """<psi|psi> of a matrix product state, each environment from the last."""
    cores = [eb.tensor(f"A{k}[l,p,l]") for k in range(sites)]
    left = eb.einsum("asb,asc->bc", cores[0], cores[0])
    for core in cores[1:]:
        left = eb.einsum("ab,asc,bsd->cd", left, core, core)
    return cores, left


def test_an_environment_is_symmetric_and_its_gradient_is_one_product():
    cores, left = environments(4)
    gradient = eb.grad(eb.einsum("aa->", left), cores[1])
    assert str(gradient) == (
        "dA1[l,p,l'] = 2 A0[a,s,l] A0[a,s,b] A1[b,p,c] A2[c,s',d] A3[d,s'',a'] A3[a'',s'',a'] A2[l',s',a'']"
    )


@pytest.mark.parametrize("sites", [10, 20, 40])
def test_the_plan_of_all_gradients_has_three_products_a_site_beyond_the_value(sites: int):
    cores, left = environments(sites)
    rng = np.random.default_rng(0)
    arrays = {f"A{k}": rng.normal(size=(4, 2, 4)) / 3 for k in range(sites)}
    value = eb.einsum("aa->", left)
    fn = eb.compile([value, *eb.grad(value, cores)])
    found = fn(arrays)
    product = 2 * 4 * 4 * 2 * 4  # flops
    assert fn.plan().flops < 5.05 * sites * product
    left_of, right_of = np.einsum("asb,asc->bc", arrays["A0"], arrays["A0"]), np.eye(4)
    for k in range(sites - 1, 1, -1):
        right_of = np.einsum("asc,bsd,cd->ab", arrays[f"A{k}"], arrays[f"A{k}"], right_of)
    np.testing.assert_allclose(found[2], 2 * np.einsum("ab,bsc,cd->asd", left_of, arrays["A1"], right_of), rtol=1e-12)


def test_how_deep_a_program_is_does_not_matter():
    _, left = environments(60)
    gradient = eb.grad(eb.einsum("ab,ab->", left, left), left.inputs[30])
    assert " + " not in str(gradient)


@pytest.mark.parametrize(
    "text",
    [
        "y[i,j] = A[i,k] B[j,k]",
        "y[i,j] = A[k,i] S[k,l] B[l,j]",
        "y[i,j] = A[i,k] T[k,l] A[j,l]",  # T is not symmetric
        "y[b,i,j] = C[b,i,k] D[b,j,k]",
        "y[i,j] = A[i,j] + B[j,i]",
        "y[i,j] = x[i] exp(x[j])",
        "y[i,j] = where(i >= j, x[i] x[j], 0)",
        "y[i,j] = x[i] - x[j]",
    ],
)
def test_what_is_not_symmetric_is_not_taken_for_it(text: str):
    tensors = {"S": eb.tensor("S[k,k]", symmetric=True)} if " S[" in text else {}
    y = eb.program(text, **tensors)["y"]
    assert not is_symmetric(y.node)
