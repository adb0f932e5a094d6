"""Einsum strings against NumPy, and what goes beyond NumPy against loops."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from einback.errors import EinbackError
from einback.ir.nodes import Einsum, Input, Node
from einback.ir.sizes import Size
from einback.ir.verify import verify
from einback.notation.einsum_string import einsum_node, parse_spec
from tests.interpreter import evaluate

RNG = np.random.default_rng(0)


def node_of(name: str, array: np.ndarray, fixed: bool = True) -> Node:
    """An input for an array; its sizes are the integers, or symbols that say the integer."""
    return Input(name, tuple(n if fixed or n == 1 else f"n{n}" for n in array.shape), ())


def run(spec: str, arrays: Sequence[np.ndarray], fixed: bool = True) -> np.ndarray:
    names = [f"x{k}" for k in range(len(arrays))]
    nodes = [node_of(name, array, fixed) for name, array in zip(names, arrays, strict=True)]
    result = einsum_node(spec, nodes, names)
    verify([result.node])
    assert len(result.out_names) == result.node.rank
    return evaluate([result.node], dict(zip(names, arrays, strict=True)), equalities=result.equalities)[0]


AS_NUMPY = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ba", [(2, 3)]),
    ("Ab,bC", [(2, 3), (3, 4)]),
    (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("ij,\n\tjk->\nik", [(2, 3), (3, 4)]),
    ("->", [()]),
    ("", [()]),
    (",", [(), ()]),
    (",->", [(), ()]),
    (",ab->ab", [(), (2, 3)]),
    ("i->", [(3,)]),
    ("i,i->", [(3,), (3,)]),
    ("i,j->ij", [(2,), (3,)]),
    ("ii", [(3, 3)]),
    ("ii->", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->j", [(2, 2, 3)]),
    ("ijji,kji,jj->kj", [(2, 3, 3, 2), (4, 3, 2), (3, 3)]),
    ("k,nk->", [(3,), (2, 3)]),
    ("ij,j", [(2, 3), (3,)]),
    ("...", [(2, 3)]),
    ("...->...", [()]),
    ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]),
    ("...ij,jk", [(5, 2, 3), (3, 4)]),
    ("i...->...", [(2, 3)]),
    ("...i->i...", [(2, 3, 4)]),
    ("i...j,j...->i...", [(2, 5, 3), (3, 5)]),
    ("...,...", [(1, 3), (2, 1)]),
    ("...,...", [(3,), (2, 1, 1)]),
    ("...,...->...", [(1, 1), (1, 1)]),
    ("...i,...i->...", [(1, 3), (4, 3)]),
    ("...i,i", [(1, 3), (3,)]),
    ("a...a", [(2, 3, 2)]),
    ("ij->...ij", [(2, 3)]),
    ("ij,jk->...", [(2, 3), (3, 4)]),
    ("i,i", [(1,), (1,)]),
    ("i,ij->j", [(0,), (0, 3)]),
    ("bi,ij->bj", [(0, 2), (2, 3)]),
]


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize(("spec", "shapes"), AS_NUMPY)
def test_as_numpy(spec: str, shapes: list[tuple[int, ...]], fixed: bool) -> None:
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    expected = np.einsum(spec.replace("\n", "").replace("\t", ""), *arrays)
    found = run(spec, arrays, fixed)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_repeated_output_labels_embed() -> None:
    v, A = RNG.standard_normal(3), RNG.standard_normal((2, 3))
    np.testing.assert_array_equal(run("i->ii", [v]), np.diag(v))
    expected = np.zeros((3, 2, 3))
    for i in range(2):
        for j in range(3):
            expected[j, i, j] = A[i, j]
    np.testing.assert_array_equal(run("ij->jij", [A]), expected)


def test_words() -> None:
    A, B = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 4))
    np.testing.assert_allclose(run("batch head, head k -> batch k", [A, B]), A @ B)
    np.testing.assert_allclose(run("batch head,head k_1", [A, B]), A @ B)
    np.testing.assert_allclose(run("n n', n' m2 -> m2 n", [A, B]), (A @ B).T)
    np.testing.assert_allclose(run("... head, head k -> ... k", [A, B]), A @ B)


def test_words_are_sorted_without_an_arrow() -> None:
    result = einsum_node("zeta alpha", [Input("A", (2, 3), ())])
    assert result.out_names == ("alpha", "zeta")
    assert result.node.shape == (3, 2)


def test_letters_of_all_scripts() -> None:
    A, B = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 4))
    np.testing.assert_allclose(run("αβ,βγ->αγ", [A, B]), A @ B)
    np.testing.assert_allclose(run("行列,列高->行高", [A, B]), A @ B)


def test_sixty_labels() -> None:
    letters = [chr(192 + k) for k in range(60) if chr(192 + k).isidentifier()][:58] + ["a", "b"]
    nodes = [Input(f"x{k}", (2, 2), ()) for k in range(59)]
    spec = ",".join(a + b for a, b in pairwise(letters)) + f"->{letters[0]}{letters[-1]}"
    node = einsum_node(spec, nodes).node
    assert isinstance(node, Einsum)
    assert len(node.sizes) == 60


def test_an_ellipsis_broadcasts_one_and_only_there() -> None:
    result = einsum_node("...d,...d->...", [Input("A", (1, "d"), ()), Input("B", ("n", 3), ())])
    assert result.node.shape == ("n",)
    assert result.equalities == {("d", 3)}
    with pytest.raises(EinbackError):
        einsum_node("nd,nd->n", [Input("A", (1, 3), ()), Input("B", (4, 3), ())])


def test_names_sizes_and_equalities() -> None:
    X, W = Input("X", ("n", "d"), ()), Input("W", ("e", 3), ())
    result = einsum_node("ij,jk->kii", [X, W], ["X", "W"])
    assert result.out_names == ("k", "i", "i'")
    assert result.label_sizes == {"i": "n", "j": "d", "k": 3}
    assert result.equalities == {("d", "e")}


def test_the_ellipsis_is_named_by_its_sizes() -> None:
    T = Input("T", ("b", "t", "i", 3), ())
    assert einsum_node("...i->...i", [T]).out_names == ("b", "t", "", "i")


def test_a_size_lets_the_output_repeat() -> None:
    v = RNG.standard_normal(3)
    result = einsum_node("i->ij", [node_of("v", v)], sizes={"j": 2})
    np.testing.assert_array_equal(evaluate([result.node], {"v": v})[0], np.stack([v, v], axis=1))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"k": 2}, "a size is given for k, but there is no index k"),
        ({"i": 4}, "label i has size 3 in operand 1 and size 4 as given"),
        ({"i": -1}, "the size -1 of i is neither a whole number nor a name"),
        ({"i": True}, "the size True of i is neither a whole number nor a name"),
        ({"i": "a b"}, "the size 'a b' of i is neither a whole number nor a name"),
    ],
)
def test_sizes_that_cannot_be(sizes: dict[str, Size], message: str) -> None:
    with pytest.raises(EinbackError) as caught:
        einsum_node("i->i", [Input("v", (3,), ())], sizes=sizes)
    assert caught.value.fact == message


def test_long_strings_take_no_time() -> None:
    x = Input("x", ("n",), ())
    assert einsum_node(",".join(["i"] * 50_000), [x] * 50_000).node.rank == 0
    assert len(parse_spec("i" * 100_000).terms[0].labels) == 100_000
