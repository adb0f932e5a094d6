"""flatten, unflatten, one-hot tensors and rows looked up, and layers with computed positions."""

import numpy as np
import pytest

import einback as eb
from einback.errors import EinbackError
from tests.interpreter import evaluate

RNG = np.random.default_rng(11)
X = RNG.standard_normal((2, 3, 4))
x = eb.tensor("x[n,h,w]")
IDS = np.array([[2, 0], [1, 2]])
ids = eb.tensor("ids[b,t]", integer=True)
E = eb.tensor("E[v,d]")


def value(tensor: eb.Tensor, **arrays: np.ndarray) -> np.ndarray:
    declared = [one.node for one in tensor.inputs]
    sizes = {
        size: length
        for one in declared
        for size, length in zip(one.sizes, arrays[one.name].shape, strict=True)
        if isinstance(size, str)
    }
    return evaluate([tensor.node], arrays, sizes, tensor.known().equalities)[0]


FLATTENED = [
    (None, X.reshape(-1), ("",), "h*n*w"),
    (("h", "w"), X.reshape(2, 12), ("n", ""), "h*w"),
    ((0, 1), X.reshape(6, 4), ("", "w"), "h*n"),
    ((2, 1), X.transpose(0, 2, 1).reshape(2, 12), ("n", ""), "h*w"),
    ((0, 2), X.transpose(0, 2, 1).reshape(8, 3), ("", "h"), "n*w"),
]


@pytest.mark.parametrize(("axes", "expected", "names", "size"), FLATTENED)
def test_flatten(axes: tuple[int | str, ...], expected: np.ndarray, names: tuple[str, ...], size: str) -> None:
    y = eb.flatten(x, axes)
    np.testing.assert_array_equal(value(y, x=X), expected)
    assert y.names == names
    assert size in y.shape
    g = eb.grad(eb.sum(y * y), x)
    np.testing.assert_allclose(value(g, x=X), 2 * X)


def test_flatten_of_one_axis_is_nothing() -> None:
    assert eb.flatten(x, "h") is x


def test_unflatten() -> None:
    y = eb.flatten(x, ("h", "w"))
    np.testing.assert_array_equal(value(eb.unflatten(y, 1, ("h", "w")), x=X), X)
    np.testing.assert_array_equal(value(eb.unflatten(y, -1, (-1, 2)), x=X), X.reshape(2, 6, 2))
    z = eb.unflatten(x, "w", (2, -1))
    assert z.shape == ("n", "h", 2, "w//2")
    np.testing.assert_array_equal(value(z, x=X), X.reshape(2, 3, 2, 2))
    assert z.known().equalities == {("w", "2*(w//2)")}
    assert eb.unflatten(x, "w", ("a", "b")).names == ("n", "h", "a", "b")
    assert eb.unflatten(x, "w", ("a", "a")).names == ("n", "h", "a", "")


def test_rows_and_one_hot_tensors() -> None:
    table = RNG.standard_normal((3, 5))
    np.testing.assert_array_equal(value(E[ids], ids=IDS, E=table), table[IDS])
    assert (E[ids].names, E[ids].shape) == (("b", "t", "d"), ("b", "t", "d"))
    assert E[eb.tensor("k[d]", integer=True)].names == ("d", "")
    hot = eb.one_hot(ids, "v")
    np.testing.assert_array_equal(value(eb.einsum("btv,vd->btd", hot, E), ids=IDS, E=table), table[IDS])
    assert eb.program("h[b,t,d] = E[ids[b,t], d]", E=E, ids=ids)["h"].node is E[ids].node
    weights = eb.tensor("g[b,t,d]")
    G = RNG.standard_normal((2, 2, 5))
    expected = np.zeros((3, 5))
    np.add.at(expected, IDS, G)
    np.testing.assert_allclose(value(eb.vjp(E[ids], E, weights), ids=IDS, E=table, g=G), expected)


def test_a_convolution_layer() -> None:
    conv = eb.layer("y[b,o,i,j] = x[b,c,i+u-1,j+v-1] K[o,c,u,v]")
    pool = eb.layer("y[b,c,i,j] = max[u,v](x[b,c,2*i+u,2*j+v])")
    flat = eb.layer("f[b,(c i j)] = x[b,c,i,j]")
    image = eb.tensor("X[b,c,h,w]")
    H = conv(image, name="1", o=16, u=3, v=3)
    assert [(one.name, one.shape) for one in H.parameters] == [("K_1", (16, "c", 3, 3))]
    assert H.shape == ("b", 16, "h", "w")
    P = pool(H, u=2, v=2)
    assert P.shape == ("b", 16, "h//2", "w//2")
    assert flat(P).shape == ("b", "16*(h//2)*(w//2)")
    kernel, array = RNG.standard_normal((16, 2, 3, 3)), RNG.standard_normal((1, 2, 5, 4))
    padded = np.pad(array, ((0, 0), (0, 0), (1, 1), (1, 1)))
    full = np.array(
        [[(padded[0, :, i : i + 3, j : j + 3] * k).sum() for j in range(4)] for k in kernel for i in range(5)]
    ).reshape(16, 5, 4)
    pooled = full[:, :4].reshape(16, 2, 2, 2, 2).max((2, 4))
    np.testing.assert_allclose(value(flat(P), X=array, K_1=kernel)[0], pooled.ravel())


def test_an_embedding_layer() -> None:
    embed = eb.layer("h[b,t,d] = E[token[b,t], d]")
    assert [(one.name, one.shape) for one in embed(token=ids, name="e", E_0=65, d=8).parameters] == [("E_e", (65, 8))]
    assert [(one.name, one.shape) for one in embed(token=ids, name="e").parameters] == [("E_e", ("E_0_e", "d_e"))]
    assert embed(E, ids).node is E[ids].node
    with pytest.raises(EinbackError) as caught:
        embed(E)
    assert str(caught.value).splitlines() == [
        "token says which entries are looked up: it is no parameter of the layer",
        "  h[b,t,d] = E[token[b,t], d]",
        "               ^^^^^",
        "pass a tensor of whole numbers, token=..",
    ]


def test_sizes_of_programs() -> None:
    assert eb.program("y[i] = max[u](x[2*i+u])", u=2)["y"].shape == ("x_0//2",)
    assert eb.program("y[i] = w[i]", i="m")["w"].shape == ("m",)


ERRORS = [
    (lambda: eb.program("y[i] = w[i]", w=np.ones(3)), "w is bound to a tensor or to a size, not to ndarray"),
    (lambda: eb.program("y[i] = w[i]", k=3), "a size is given for k, but there is no index k"),
    (lambda: eb.layer("y[i] = x[2*i+u]")(eb.tensor("x[n]")), "the sizes of i and u are not known here"),
    (lambda: eb.flatten(x, ()), "no axes are given to make one of"),
    (lambda: eb.unflatten(x, "w", ()), "an axis does not part into []"),
    (lambda: eb.unflatten(x, "w", (-1, -1)), "an axis does not part into [-1,-1]"),
    (lambda: eb.unflatten(x, "w", ("a", -1)), "-1 in [a,-1] cannot be known"),
    (lambda: eb.unflatten(x, "w", (2.5,)), "the size 2.5 is neither a whole number nor a name"),
    (lambda: eb.unflatten(eb.tensor("q[6]"), 0, (4, 2)), "an axis of size 6 does not part into [4,2]"),
    (lambda: eb.unflatten(eb.tensor("q[6]"), 0, (4, -1)), "an axis of size 6 does not part into [4,-1]"),
    (lambda: eb.one_hot(np.ones(3), 4), "one_hot takes a tensor of whole numbers, not ndarray"),
    (lambda: eb.one_hot(ids, "2v"), "the size '2v' is neither a whole number nor a name"),
    (lambda: eb.one_hot(x, 4), "x has to be of whole numbers to look entries up with"),
    (lambda: E[x + 1], "an index tensor has to be of whole numbers to look entries up with"),
    (lambda: eb.tensor("s")[ids], "a scalar has no rows to look up"),
]


@pytest.mark.parametrize(("make", "fact"), ERRORS, ids=[fact for _, fact in ERRORS])
def test_errors_by_their_text(make: object, fact: str) -> None:
    with pytest.raises(EinbackError) as caught:
        make()  # type: ignore[operator]
    assert caught.value.fact == fact
