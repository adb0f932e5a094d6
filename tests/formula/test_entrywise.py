"""Explicit sums and Ricci notation: texts are read by a reader of their own, and have the values of the program."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import event, given

import einback as eb
from einback.derive.orders import gradient
from einback.errors import NotationError
from einback.formula.entrywise.scripts import tensor_text
from einback.formula.names import Names
from einback.formula.notations import NOTATIONS
from einback.formula.program import arrange
from einback.formula.subject import Derivative, Subject, Variable
from einback.ir.build import einsum
from einback.ir.extents import evaluate as evaluate_size
from einback.ir.nodes import Input, Node
from einback.ir.walk import inputs_of
from einback.rules.simplify import normalise
from tests.formula.entry_reader import Reader
from tests.formula.notation_cases import CASES, LENGTHS, arrays_for, close, node_arrays, value_of
from tests.formula.programs import POOL, SIZES, STRUCTURED, programs


def read(text: str, arrays: Mapping[str, np.ndarray], lengths: Mapping[str, int], ricci: bool) -> np.ndarray:
    tensors = {tensor_text(name): array for name, array in arrays.items()}
    with np.errstate(all="ignore"):
        return Reader(tensors, dict(lengths), ricci).read(text)


def lengths_of(root: Node, names: Names) -> dict[str, int]:
    """The length of every index that is printed, by its name without primes."""
    program = arrange([root], ["result"], [names], settle=False)
    chosen = [pair for line in (*program.results, *program.where) for pair in line.chosen.items()]
    lengths = {
        name.rstrip("'"): i.size if isinstance(i.size, int) else evaluate_size(i.size, SIZES) for i, name in chosen
    }
    return SIZES | lengths


def check_program(root: Node, notation: str) -> None:
    (root,) = normalise([root])
    names = Names(pool=POOL)
    try:
        text = NOTATIONS[notation].text(Subject(root, "result", names, inputs=tuple(inputs_of([root]))))
    except NotationError as error:
        event(f"refused: {error.fact}")
        return
    arrays = node_arrays([root])
    assert close(read(text, arrays, lengths_of(root, names), notation == "ricci"), value_of(root, arrays)), text


@given(programs())
def test_random_programs_in_explicit_sums(root: Node) -> None:
    check_program(root, "sum")


@given(programs(kinds=STRUCTURED))
def test_random_programs_of_windows_and_gathers_in_explicit_sums(root: Node) -> None:
    check_program(root, "sum")


@given(programs())
def test_random_programs_in_ricci_notation(root: Node) -> None:
    check_program(root, "ricci")


@given(programs(steps=4))
def test_gradients_of_random_programs(root: Node) -> None:
    """The left side is a quotient, and in Ricci notation has its indices turned over."""
    weights = Input("w", root.shape, ())
    loss = einsum([root, weights], [range(root.rank)] * 2, [])
    sources = [node for node in inputs_of([root]) if node.rank]
    for source, node in zip(sources, gradient(loss, sources), strict=True):
        (found,) = normalise([node])
        names = Names(pool=POOL)
        how = Derivative("gradient", Variable("L", ()), (Variable(source.name, ("",) * source.rank),))
        for notation in ("sum", "ricci"):
            text = NOTATIONS[notation].text(Subject(found, "d", names, how))
            arrays = node_arrays([found])
            value = read(text, arrays, lengths_of(found, names), notation == "ricci")
            assert close(value, value_of(found, arrays)), text


@pytest.mark.parametrize("notation", ["sum", "ricci"])
@pytest.mark.parametrize("name", CASES)
def test_derivatives(name: str, notation: str) -> None:
    tensor = CASES[name]()
    try:
        text = tensor.text(notation=notation)
    except NotationError:
        assert notation == "ricci"
        assert name in ("convolution by K", "convolution by x", "embedding")
        return
    arrays = arrays_for(tensor)
    lengths = dict(LENGTHS)
    for one in tensor.inputs:
        lengths.update(zip(one.names, arrays[one.name].shape, strict=True))
    assert close(read(text, arrays, lengths, notation == "ricci"), eb.evaluate(tensor, **arrays)), text


def test_a_sum_over_a_sum_stands_in_brackets() -> None:
    x, y = eb.tensors("x[n] y[n]")
    share = eb.program("s = sum[n](x[n]) / sum[n](y[n]) / 2", x=x, y=y)["s"]
    assert share.text("sum") == "s = 1/2 (Σ_n x_n) / (Σ_n y_n)"
    assert share.latex("sum") == r"s = \frac{\sum_{n} x_{n}}{2 \left(\sum_{n} y_{n}\right)}"
    mean = eb.program("s = sum[n](x[n]) / size(n)", x=x)["s"]
    assert mean.text("sum") == "s = Σ_n x_n / |n|"
    assert mean.latex("sum") == r"s = \frac{1}{|n|} \sum_{n} x_{n}"


def test_ricci_notation_transposes_before_it_lowers() -> None:
    p = eb.program("y[i] = A[j,i] x[j]\n B[i,k] = A[j,i] A[j,k]\n t = A[i,i]\n c[i] = A[i,j] x[j] w[j]")
    assert p["y"].text("ricci") == "y^i = x^j A_j^i"
    assert p["B"].text("ricci") == "B^i_k = A_j^i A^j_k"
    assert p["t"].text("ricci") == "t = A^i_i"
    assert p["c"].text("ricci") == "c^i = Σ_j A^i_j w_j x_j"
    assert p["B"].latex("ricci") == r"B^{i}{}_{k} = A_{j}{}^{i} A^{j}{}_{k}"
