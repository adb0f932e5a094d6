"""Formulas written out entry by entry: every line is read and has the value of its entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import event, given

import einback as eb
from einback.errors import NotationError
from einback.formula.entrywise.entries import entries
from einback.formula.entrywise.scripts import script, tensor_text
from einback.formula.names import Names
from einback.formula.subject import Subject
from einback.ir.nodes import Node
from einback.rules.simplify import normalise
from tests.formula.entry_reader import Reader
from tests.formula.notation_cases import CASES, close, node_arrays, value_of
from tests.formula.programs import POOL, SIZES, STRUCTURED, programs


def entry_values(name: str, array: np.ndarray) -> dict[str, float]:
    places = list(np.ndindex(array.shape))
    numbers = [script([str(k + 1) for k in place]) for place in places]
    return {name + (f"_{at}" if at else ""): float(array[place]) for at, place in zip(numbers, places, strict=True)}


def read(lines: Sequence[str], number: int, arrays: Mapping[str, np.ndarray], seed: str = "") -> np.ndarray:
    """The values of the first lines; `seed` is what the lines have for a tensor G."""
    known: dict[str, float] = {}
    for name, array in arrays.items():
        known |= entry_values(tensor_text(name), array)
        if seed and name == "G":
            known |= entry_values(seed, array)
    reader = Reader(known, {})
    pairs = [line.partition(" = ") for line in lines if not line.startswith("where ")]
    reader.defined = {left: ([], right) for left, _, right in pairs[number:]}
    with np.errstate(all="ignore"):
        return np.array([reader.line([], right) for _, _, right in pairs[:number]])


@given(programs(steps=4, kinds=[kind for kind in STRUCTURED if kind != "matrix"]))
def test_random_programs(root: Node) -> None:
    (root,) = normalise([root])
    try:
        lines = entries(Subject(root, "result", Names(pool=POOL)), SIZES)
    except NotationError as error:
        event(f"refused: {error.fact}")
        return
    arrays = node_arrays([root])
    wanted = value_of(root, arrays)
    assert close(read(lines, wanted.size, arrays), wanted.ravel()), "\n".join(lines)


def test_an_affine_layer_entry_by_entry() -> None:
    p = eb.program("Y[i,j] = X[i,u] W[u,j]")
    dW = eb.vjp(p["Y"], p["W"], eb.tensor("G[i,j]"))
    assert str(eb.entries(dW, i=2, u=2, j=3)) == "\n".join(
        [
            "∂L/∂W_11 = X_11 ∂L/∂Y_11 + X_21 ∂L/∂Y_21",
            "∂L/∂W_12 = X_11 ∂L/∂Y_12 + X_21 ∂L/∂Y_22",
            "∂L/∂W_13 = X_11 ∂L/∂Y_13 + X_21 ∂L/∂Y_23",
            "∂L/∂W_21 = X_12 ∂L/∂Y_11 + X_22 ∂L/∂Y_21",
            "∂L/∂W_22 = X_12 ∂L/∂Y_12 + X_22 ∂L/∂Y_22",
            "∂L/∂W_23 = X_12 ∂L/∂Y_13 + X_22 ∂L/∂Y_23",
            "where ∂L/∂Y = G, entry by entry",
        ]
    )


def test_seeds_are_read_as_the_tensor_that_is_pulled_back() -> None:
    dW = CASES["E1 affine by W"]()
    lines = eb.entries(dW, n=2, d=2, m=3)
    rng = np.random.default_rng(0)
    arrays = {"X": rng.normal(size=(2, 2)), "G": rng.normal(size=(2, 3))}
    assert close(read(lines, 6, arrays, "∂L/∂Y"), (arrays["X"].T @ arrays["G"]).ravel())


def test_equal_terms_are_added_up_and_squares_are_squares() -> None:
    x = eb.tensor("x[2]")
    hessian = eb.hessian(eb.sum(x**2) ** 2, x)
    assert eb.entries(hessian) == (
        "∂²L/∂x_1² = 12 x_1² + 4 x_2²",
        "∂²L/∂x_1∂x_2 = 8 x_1 x_2",
        "∂²L/∂x_2∂x_1 = 8 x_2 x_1",
        "∂²L/∂x_2² = 12 x_2² + 4 x_1²",
    )


def test_a_convolution_reads_no_entry_outside() -> None:
    p = eb.program("y[i] = x[i+u-1] K[u]", x=eb.tensor("x[3]"), u=3)
    assert eb.entries(p["y"]) == (
        "y_1 = x_1 K_2 + x_2 K_3",
        "y_2 = x_1 K_1 + x_2 K_2 + x_3 K_3",
        "y_3 = x_2 K_1 + x_3 K_2",
    )


def test_a_softmax_is_written_with_exponentials() -> None:
    lines = eb.entries(eb.log_softmax(eb.tensor("x[2]")))
    assert lines[0] == "y_1 = x_1 - log(exp(x_1) + exp(x_2))"


def test_sizes_of_two_digits_are_kept_apart() -> None:
    lines = eb.entries(2 * eb.tensor("A[11,2]"))
    assert lines[-1] == "y_{11,2} = 2 A_{11,2}"
    assert lines[1] == "y_12 = 2 A_12"


@pytest.mark.parametrize(
    ("make", "sizes", "fact"),
    [
        (lambda: 2 * eb.tensor("x[n]"), {}, "n is a name"),
        (lambda: 2 * eb.tensor("x[n]"), {"n": 65}, "y has 65 entries"),
        (lambda: eb.sum(eb.tensor("x[n]")), {"n": 65}, "an entry of y has 65 terms"),
        (lambda: eb.sum(eb.tensor("x[n]")), {"n": 10**9}, "a sum has 1000000000 terms"),
        (CASES["embedding"], {"v": 2, "d": 2, "b": 2, "t": 2}, "which entry token reads"),
    ],
)
def test_what_is_refused(make, sizes, fact) -> None:
    with pytest.raises(NotationError, match=fact):
        eb.entries(make(), **sizes)
