"""Products whose large elementwise operand is made a few rows at a time."""

from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.run import slicing

RNG = np.random.default_rng(0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of 4 rows of 6 float64, of whatever is pending."""
    monkeypatch.setattr(slicing, "_LARGE", 1)
    monkeypatch.setattr(slicing, "_SLICE", 4 * 6 * 8)
    monkeypatch.setattr(slicing, "_FEWEST_ROWS", 2)


def run(y: eb.Tensor, **arrays: Any) -> tuple[Any, str]:
    fn = eb.compile(y)
    found = fn(**arrays)
    namespace: dict[str, Any] = {}
    source = fn.source()
    exec(source, namespace)
    np.testing.assert_array_equal(namespace["step"](**arrays), found)
    return found, source


@pytest.mark.parametrize("n", [1, 4, 11])
@pytest.mark.parametrize(("spec", "other"), [("ij,jk->ik", (6, 2)), ("ij,jk->ki", (6, 2)), ("ij,j->i", (6,)),
                                             ("ij,jkl->lik", (6, 2, 2)), ("ij,kj->ik", (2, 6))])  # fmt: skip
@pytest.mark.usefixtures("small")
def test_any_other_operand(n: int, spec: str, other: tuple[int, ...]) -> None:
    A, B, C = eb.tensors(f"A[n,m] B[n,m] C[{','.join(f's{k}' for k in other) if other != (6,) else 'm'}]")
    y = eb.einsum(spec, eb.tanh(A + B), C)
    arrays = {"A": RNG.normal(size=(n, 6)), "B": RNG.normal(size=(n, 6)), "C": RNG.normal(size=other)}
    found, source = run(y, **arrays)
    np.testing.assert_allclose(found, np.einsum(spec, np.tanh(arrays["A"] + arrays["B"]), arrays["C"]), rtol=1e-12)
    assert "range(0" in source


@pytest.mark.usefixtures("small")
def test_names_that_loops_could_take() -> None:
    k, u1, u = eb.tensors("k[n,m] u1[m,c] u")
    arrays = {"k": RNG.normal(size=(9, 6)), "u1": RNG.normal(size=(6, 2)), "u": 0.5}
    found, source = run(u * ((k**2) @ u1), **arrays)
    np.testing.assert_allclose(found, 0.5 * arrays["k"] ** 2 @ arrays["u1"], rtol=1e-12)
    assert "range(0" in source


@pytest.mark.usefixtures("small")
def test_what_others_read_is_made_as_a_whole() -> None:
    A, B = eb.tensors("A[n,m] B[m,c]")
    fn = eb.compile([A**2 @ B, A**2])
    arrays = {"A": RNG.normal(size=(9, 6)), "B": RNG.normal(size=(6, 2))}
    fn(**arrays)
    assert "range(0" not in fn.source()


@pytest.mark.usefixtures("small")
def test_a_sum_over_the_first_axis_has_no_rows() -> None:
    A, B = eb.tensors("A[n,m] B[n,c]")
    arrays = {"A": RNG.normal(size=(9, 6)), "B": RNG.normal(size=(9, 2))}
    found, source = run((A**2).T @ B, **arrays)
    np.testing.assert_allclose(found, (arrays["A"] ** 2).T @ arrays["B"], rtol=1e-12)
    assert "range(0" not in source


@pytest.mark.usefixtures("small")
def test_single_precision_and_repeated_rows() -> None:
    A, b, C = eb.tensors("A[n,m] b[m] C[m,c]")
    arrays = {"A": RNG.normal(size=(9, 6)), "b": RNG.normal(size=6), "C": RNG.normal(size=(6, 2))}
    single = {name: array.astype(np.float32) for name, array in arrays.items()}
    found, source = run(A**2 @ C, A=single["A"], C=single["C"])
    assert found.dtype == np.float32
    assert "range(0" in source
    np.testing.assert_allclose(found, arrays["A"] ** 2 @ arrays["C"], rtol=1e-4)
    repeated, _ = run(eb.tanh(A + b) @ C, **arrays)  # b has no rows to slice
    np.testing.assert_allclose(repeated, np.tanh(arrays["A"] + arrays["b"]) @ arrays["C"], rtol=1e-12)


def test_small_products_are_made_at_once() -> None:
    A, B = eb.tensors("A[n,m] B[m,c]")
    _, source = run(A**2 @ B, A=np.ones((40, 30)), B=np.ones((30, 2)))
    assert "range(0" not in source
