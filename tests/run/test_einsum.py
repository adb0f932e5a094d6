"""Every shape of contraction: right values, and the spelling that is meant to be fast."""

import itertools

import numpy as np
import pytest

from einback.ir.build import einsum
from einback.ir.nodes import Input, Map
from einback.run.callable import Compiled
from tests.run.models import statements

SIZES = dict(zip("abcdefgh", (2, 3, 4, 5, 2, 3, 6, 2), strict=True))

TABLE = """
a->a a-> ab->ba ab->a ab->b ab-> aa->a aa-> aab->b aab->ab aba->ab abab->ab abc->cab aabb->ab aabbc->c
a,a-> a,b->ab a,b->ba a,a->a ab,b->a ab,a->b ba,b->a ab,bc->ac ab,bc->ca ab,cb->ac ba,bc->ac ba,cb->ca
ab,ab-> ab,ba-> ab,ab->a ab,ab->b ab,ba->b abc,abc->ab abc,cb->a abc,bc->a abc,cd->abd abc,cd->dab
abc,bd->acd abc,db->acd abc,acd->abd abc,adc->abd abc,dac->bad cab,acd->abd acb,adc->dab abcd,abde->abce
abcd,bade->abce abcd,abed->abce abc,bc->ab abc,ab->ac abc,a->bc abc,b->ac abc,abd->cd abc,dbc->ad abc,dcb->ad
abcd,cdef->abef abcd,dcef->feab abcd,cbef->adef abcd,bc->ad abcd,eb->acde abcd,bd->abc bcad,da->bcad
a,ab,b-> ab,bc,cd->ad ab,bc,cd,de->ae ab,ab,ab->ab a,a,a->a a,b,c->abc ab,bc,ca-> abc,abd,abe->ace
aab,bc->ac aa,ab->b ,ab->ab ,-> ,a-> a,,b->ab ab,cd->abcd ab,cd->acbd ab,c->abc
"""
SPECS = TABLE.split()


def arrays(spec: str, dtype: str = "f8") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(len(spec))
    terms = spec.split("->", maxsplit=1)[0].split(",")
    values = {f"T{k}": rng.normal(size=[SIZES[c] for c in term]) for k, term in enumerate(terms)}
    return {name: (value + 1j * rng.normal(size=value.shape)).astype(dtype) if dtype[0] == "c" else value.astype(dtype)
            for name, value in values.items()}  # fmt: skip


def compiled(spec: str) -> Compiled:
    left, out = spec.split("->")
    terms = left.split(",")
    tensors = [Input(f"T{k}", tuple(term), ()) for k, term in enumerate(terms)]
    return Compiled([einsum(tensors, terms, out)], tensors)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_values(spec: str, dtype: str) -> None:
    given = arrays(spec, dtype)
    result = compiled(spec)(given)
    np.testing.assert_allclose(result, np.einsum(spec, *given.values()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("out", [p for n in range(4) for p in itertools.permutations("abc", n)])
def test_all_orders_of_two_matrices(out: tuple[str, ...]) -> None:
    for one, two in itertools.product(itertools.permutations("ab"), itertools.permutations("bc")):
        spec = f"{''.join(one)},{''.join(two)}->{''.join(out)}"
        given = arrays(spec)
        np.testing.assert_allclose(compiled(spec)(given), np.einsum(spec, *given.values()), rtol=1e-12)


@pytest.mark.parametrize(("spec", "pattern"), [("a->aa", "aa->a"), ("ab->aab", "aab->ab"), ("ab->abba", "abba->ab")])
def test_diagonals_are_written(spec: str, pattern: str) -> None:
    given = arrays(spec)
    result = compiled(spec)(given)
    want = np.zeros_like(result)
    np.einsum(pattern, want)[...] = given["T0"]
    np.testing.assert_array_equal(result, want)


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("ab,bc->ac", ["t1 = T0.dot(T1)"]),
        ("ab,bc->ca", ["t1 = T1.T.dot(T0.T)"]),
        ("ba,bc->ac", ["t1 = T0.T.dot(T1)"]),
        ("ab,b->a", ["t1 = T0.dot(T1)"]),
        ("ba,b->a", ["t1 = T1.dot(T0)"]),
        ("a,a->", ["t1 = T0 @ T1"]),
        ("ab,ab->", ["t1 = np.vdot(T0, T1)"]),
        ("ab,ab->a", ["t1 = np.empty((2,), np.float64)", "np.vecdot(T0, T1, t1)"]),
        ("a,b->ab", ["t1 = T0[:, None].dot(T1[None, :])"]),
        ("ab,b->ab", ["t1 = T0 * T1"]),
        ("ab,a->ab", ["t1 = T0 * T1[:, None]"]),
        ("abc,cd->abd", ["t1 = np.empty((2, 3, 5), np.float64)", "T0.reshape(6, 4).dot(T1, t1.reshape(6, 5))"]),
        ("abc,acd->abd", ["t1 = np.empty((2, 3, 5), np.float64)", "np.matmul(T0, T1, t1)"]),
        ("abc,adc->abd", ["t1 = np.empty((2, 3, 5), np.float64)", "np.matmul(T0, T1.transpose(0, 2, 1), t1)"]),
        ("abc,ac->ab", ["t1 = np.empty((2, 3), np.float64)", "np.matmul(T0, T1[..., None], t1[..., None])"]),
        (
            "abcd,cdef->abef",
            ["t1 = np.empty((2, 3, 2, 3), np.float64)", "T0.reshape(6, 20).dot(T1.reshape(20, 6), t1.reshape(6, 6))"],
        ),
        ("bca,cad->bd", ["t1 = T0.reshape(3, 8).dot(T1.reshape(8, 5))"]),
        ("abcd,bd->abc", ["t1 = np.empty((2, 3, 4), np.float64)", "np.matmul(T0, T1[..., None], t1[..., None])"]),
        ("aa->", ["t1 = T0.diagonal().sum()"]),
        ("ab->", ["t1 = T0.sum()"]),
        ("ab->b", ["t1 = ones_1.dot(T0)"]),
        ("bca,dca->bcd", ["np.matmul(T0.transpose(1, 0, 2), T1.transpose(1, 2, 0), u1)"]),
        (
            "abh,bch->ach",
            ["u1[...] = T0.transpose(2, 0, 1)", "u2[...] = T1.transpose(2, 0, 1)", "np.matmul(u1, u2, u3)"],
        ),
    ],
)
def test_spelling(spec: str, code: list[str]) -> None:
    assert statements(compiled(spec).source(arrays(spec))) == code


def test_a_diagonal_of_a_product_whose_axes_were_turned() -> None:
    S, T = Input("S", ("n", "n", "a"), ()), Input("T", ("d", "n", "a"), ())
    product = einsum([S, T], ["bca", "dca"], "bcd")
    program = Compiled([Map("abs", (einsum([product], ["iid"], "id"),))], [S, T])
    rng = np.random.default_rng(0)
    given = {"S": rng.normal(size=(3, 3, 2)), "T": rng.normal(size=(4, 3, 2))}
    np.testing.assert_allclose(program(given), np.abs(np.einsum("iia,dia->id", *given.values())), rtol=1e-12)


def test_an_axis_of_length_one_is_no_contraction() -> None:
    tensors = [Input("x", ("n", 1), ()), Input("y", (1, "m"), ())]
    program = Compiled([einsum(tensors, ["nk", "km"], "nm")], tensors)
    assert "    t1 = x[:, 0, None].dot(y[0][None, :])\n" in program.source(n=3, m=4)
    given = np.ones((3, 1)), np.arange(4.0)[None]
    np.testing.assert_array_equal(program(x=given[0], y=given[1]), given[0] @ given[1])


def test_an_empty_sum_is_zero_whatever_it_would_be_multiplied_with() -> None:
    x, s = Input("x", ("n",), ()), Input("s", (), ())
    assert Compiled([einsum([x, s], ["n", ""], "")], [x, s])(x=np.ones(0), s=np.inf) == 0


def test_half_precision_sums_accumulate_in_single() -> None:
    ones = np.ones((5000, 3), np.float16)
    x = Input("x", ("n", "m"), ())
    sums = Compiled([einsum([x], ["nm"], "m"), einsum([x, x], ["nm", "nk"], "mk")], [x], structure=(0, 1))(x=ones)
    assert sums[0].dtype == np.float16
    np.testing.assert_array_equal(sums[0], 5000)
    np.testing.assert_array_equal(sums[1], 5000)


def test_exact_integers_beyond_64_bits() -> None:
    x = Input("x", ("n", "n"), ())
    program = Compiled([einsum([x, x, x], ["ij", "jk", "kl"], "il")], [x])
    big = np.array([[10**20, 1], [2, 10**19]], dtype=object)
    np.testing.assert_array_equal(program(x=big), big @ big @ big)
    assert program(x=big).dtype == object


def test_bytes_do_not_wrap() -> None:
    x = Input("x", ("n",), ())
    program = Compiled([einsum([x], ["i"], ""), einsum([x, x], ["i", "i"], "")], [x], structure=(0, 1))
    assert program(x=np.full(1000, 255, np.uint8)) == (255000, 65025000)
