"""The order of factors: symmetric matrices stand the way round that reads best."""

import pytest

import einback as eb

SYMMETRIC = eb.tensor("S[n,n]", symmetric=True)
B, x = eb.tensors("B[n,m] x[n]")


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (SYMMETRIC @ B, "y[n,m] = S[n,n'] B[n',m]"),
        (B.T @ SYMMETRIC, "y[m,n'] = B[n,m] S[n,n']"),
        (eb.grad(x @ SYMMETRIC @ x, x), "dx[n] = 2 S[n,n'] x[n']"),
        (eb.grad(eb.sum((SYMMETRIC @ B) ** 2), B), "dB[n,m] = 2 S[n,n'] S[n',n''] B[n'',m]"),
        (SYMMETRIC.T, "y[n',n] = S[n',n]"),
    ],
)
def test_symmetric_matrices_stand_the_way_round_that_reads_best(y: eb.Tensor, text: str):
    assert str(y) == text
