"""`eb.blocks`: derivatives by several tensors as one matrix."""

from __future__ import annotations

import pytest

import einback as eb
from einback.errors import EinbackError, NotationError

W, x, b = eb.tensors("W[m,n] x[n] b[m]")
y = W @ x + b


def test_a_row_of_jacobians():
    found = eb.blocks([[eb.jacobian(y, one) for one in (W, x, b)]])
    assert str(found) == found.text() == "J = [xᵀ ⊗ I_m, W, I]"
    assert found.text(vec="row", layout="denominator") == "J = [I_m ⊗ x; Wᵀ; I]"
    assert found._repr_latex_() == f"$\\displaystyle {found.latex()}$"


def test_rows_of_one_length():
    J = eb.jacobian(y, x)
    for rows in ([], [[]], [[J], [J, eb.jacobian(y, b)]], [J, J], J):
        with pytest.raises(EinbackError, match="blocks are rows of one length"):
            eb.blocks(rows)


def test_names_of_several_programs():
    s, U, K, A, J = eb.tensors("s[m] U[m,n] K[m,n] A[m,n] J[m,n]")
    I = eb.tensor("I[m,m]")
    with pytest.raises(NotationError, match="different tensors named s"):
        str(eb.blocks([[eb.jacobian(eb.sigmoid(y), x)], [eb.jacobian(s * (U @ x), x)]]))
    turned = eb.blocks([[eb.jacobian(A.T, A)], [eb.jacobian(eb.einsum("mn,kn,kp->pm", K, K, A), A)]])
    assert str(turned) == "J = [C_mn; ((K Kᵀ) ⊗ I_n) C_mn]"
    assert str(eb.blocks([[eb.jacobian(y, W), eb.jacobian(I @ b, b)]])) == "J = [xᵀ ⊗ Id_m, I]"
    assert str(eb.blocks([[eb.jacobian(J @ x + b, x)]])) == "D = J"
    with pytest.raises(NotationError, match="a tensor is called W\ngive the blocks another name="):
        str(eb.blocks([[eb.jacobian(y, x)]], name="W"))


def test_blocks_that_do_not_fit():
    V, z = eb.tensors("V[k,n] z[k]")
    with pytest.raises(NotationError, match="block 2 of row 1 has not as many rows as those beside it"):
        str(eb.blocks([[eb.jacobian(y, W), eb.jacobian(V @ x + z, z)]]))
    with pytest.raises(NotationError, match="block 1 of row 2 has not as many columns as those above it"):
        str(eb.blocks([[eb.jacobian(y, x)], [eb.jacobian(y, b)]]))
    with pytest.raises(NotationError, match="layout='up' is no choice"):
        eb.blocks([[eb.jacobian(y, x)]]).text(layout="up")


def test_what_is_no_matrix():
    T = eb.tensor("T[n,n,n]")
    with pytest.raises(NotationError, match="has 3 axes"):
        str(eb.blocks([[eb.jacobian(T * 2, T)]]))
