"""Computed positions and compared indices, against loops in plain Python: values, pullbacks, pushforwards."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from einback.derive.orders import hessian, pull, push
from einback.errors import EinbackError
from einback.ir.nodes import Einsum, Input, Node, OneHot, Range, Window
from einback.ir.verify import verify
from einback.ir.walk import inputs_of
from einback.notation.elaborate import Program, elaborate
from tests.interpreter import evaluate

RNG = np.random.default_rng(5)


def run(program: Program, node: Node, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """A node's value; sizes are known from all inputs, for a derivative may not read them all."""
    verify([node])
    sizes = {
        size: length
        for one in program.inputs
        for size, length in zip(one.sizes, np.shape(arrays[one.name]), strict=True)
        if isinstance(size, str)
    }
    used = {one.name: arrays[one.name] for one in inputs_of([node])}
    return evaluate([node], used, sizes, program.equalities)[0]


def value(text: str, arrays: dict[str, np.ndarray], sizes: dict[str, int | str] | None = None) -> np.ndarray:
    """The last definition of a text."""
    program = elaborate(text, sizes=sizes)
    return run(program, program.tensors[program.outputs[-1]], arrays)


# Products of two tensors: every factor of the sum as (entry of the result, of the first, of the second tensor).

Triples = Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


def check_bilinear(
    text: str, arrays: dict[str, np.ndarray], triples: Callable[[], Triples], shape: tuple[int, ...]
) -> None:
    """y = the sum of a[..] b[..] over the triples, and its derivatives, where `arrays` are a and b (and what is
    gathered by); the result has the given shape.
    """
    program = elaborate(text)
    y = program.tensors[program.outputs[-1]]
    a, b = (one for one in program.inputs if "integer" not in one.facts)
    A, B = arrays[a.name], arrays[b.name]
    found = run(program, y, arrays)
    assert found.shape == shape

    def summed(
        of: Callable[[tuple[int, ...], tuple[int, ...], tuple[int, ...]], float], place: int, like: Sequence[int]
    ):
        total = np.zeros(like)
        for triple in triples():
            total[triple[place]] += of(*triple)
        return total

    np.testing.assert_allclose(found, summed(lambda o, i, k: A[i] * B[k], 0, shape), rtol=1e-12)
    g, t = Input("g", y.shape, ()), Input("t", a.sizes, ())
    arrays = arrays | {"g": RNG.standard_normal(shape), "t": RNG.standard_normal(A.shape)}
    G, T = arrays["g"], arrays["t"]
    to_a, to_b = pull(y, [a, b], g)
    np.testing.assert_allclose(run(program, to_a, arrays), summed(lambda o, i, k: G[o] * B[k], 1, A.shape), atol=1e-12)
    np.testing.assert_allclose(run(program, to_b, arrays), summed(lambda o, i, k: G[o] * A[i], 2, B.shape), atol=1e-12)
    pushed = run(program, push(y, {a: t}), arrays)
    np.testing.assert_allclose(pushed, summed(lambda o, i, k: T[i] * B[k], 0, shape), atol=1e-12)
    (twice,) = pull(to_b, [a], Input("s", b.sizes, ()))
    back = run(program, twice, arrays | {"s": B})
    np.testing.assert_allclose(back, summed(lambda o, i, k: G[o] * B[k], 1, A.shape), atol=1e-12)


# Convolutions: stride, dilation and offset for each dimension

CONVOLUTIONS = [
    [(1, 1, 0)],
    [(2, 1, 0)],
    [(1, 2, 0)],
    [(3, 2, 1)],
    [(1, 1, -1)],
    [(2, 3, -3)],
    [(1, 1, -4)],
    [(2, 1, 0), (1, 2, -1)],
    [(1, 1, -1), (1, 1, -1)],
    [(1, 1, 0), (2, 1, -1), (1, 2, 2)],
]


def affine(stride: int, dilation: int, offset: int, i: str, u: str) -> str:
    step = i if stride == 1 else f"{stride}*{i}"
    other = u if dilation == 1 else f"{dilation}*{u}"
    return f"{step}+{other}" + (f"{offset:+d}" if offset else "")


@pytest.mark.parametrize("dimensions", CONVOLUTIONS)
def test_convolution(dimensions: list[tuple[int, int, int]]) -> None:
    rank = len(dimensions)
    places, kernels = "ijk"[:rank], "uvw"[:rank]
    x = RNG.standard_normal((2, *(9, 8, 7)[:rank]))
    K = RNG.standard_normal((3, 2, *(3, 2, 2)[:rank]))
    positions = [affine(*one, i, u) for one, i, u in zip(dimensions, places, kernels, strict=True)]
    text = f"y[o,{','.join(places)}] = x[c,{','.join(positions)}] K[o,c,{','.join(kernels)}]"

    def fits(axis: int, i: int) -> bool:
        stride, dilation, offset = dimensions[axis]
        last, pad = x.shape[1 + axis] - 1, max(-offset, 0)
        reached = [stride * i + dilation * u + offset for u in range(K.shape[2 + axis])]
        return -pad <= min(reached) and max(reached) <= last + pad

    counts = [sum(fits(axis, i) for i in range(20)) for axis in range(rank)]

    def triples() -> Triples:
        for o, c in itertools.product(range(3), range(2)):
            for at in itertools.product(*map(range, counts)):
                for u in itertools.product(*map(range, K.shape[2:])):
                    p = tuple(s * i + d * k + t for (s, d, t), i, k in zip(dimensions, at, u, strict=True))
                    if all(0 <= q < size for q, size in zip(p, x.shape[1:], strict=True)):
                        yield (o, *at), (c, *p), (o, c, *u)

    check_bilinear(text, {"x": x, "K": K}, triples, (3, *counts))


def test_a_causal_convolution() -> None:
    def triples() -> Triples:
        yield from (((t,), (t + u - 2,), (u,)) for t in range(7) for u in range(3) if t + u >= 2)

    arrays = {"x": RNG.standard_normal(7), "K": RNG.standard_normal(3)}
    check_bilinear("y[t:7] = x[t+u-2] K[u]", arrays, triples, (7,))


def test_a_full_convolution() -> None:
    def triples() -> Triples:
        yield from (((p,), (p - i,), (i,)) for p in range(9) for i in range(3) if 0 <= p - i < 7)

    arrays = {"x": RNG.standard_normal(7), "K": RNG.standard_normal(3)}
    check_bilinear("y[p:9] = x[p-i] K[i]", arrays, triples, (9,))


def test_a_transposed_convolution() -> None:
    def triples() -> Triples:
        yield from (((2 * i + u,), (i,), (u,)) for i in range(4) for u in range(3))

    arrays = {"x": RNG.standard_normal(4), "K": RNG.standard_normal(3)}
    check_bilinear("y[p:9] = x[i] K[u] δ[p, 2*i+u]", arrays, triples, (9,))
    check_bilinear("y[p:9] = x[i] K[u] delta[u + 2 i, p]", arrays, triples, (9,))


def test_a_reversed_kernel() -> None:
    def triples() -> Triples:
        yield from (((i,), (i + u,), (2 - u,)) for i in range(5) for u in range(3))

    arrays = {"x": RNG.standard_normal(7), "K": RNG.standard_normal(3)}
    check_bilinear("y[i] = sum[u:3](x[i+u] K[2-u])", arrays, triples, (5,))


def test_a_convolution_of_a_convolution() -> None:
    x, K, L = RNG.standard_normal(9), RNG.standard_normal(3), RNG.standard_normal(2)
    z = np.array([sum(x[i + u - 1] * K[u] for u in range(3) if 0 <= i + u - 1 < 9) for i in range(9)])
    expected = [sum(z[2 * j + v] * L[v] for v in range(2)) for j in range(4)]
    text = "y[j] = z[2*j+v] L[v]\nz[i] = x[i+u-1] K[u]"
    program = elaborate(text)
    found = run(program, program.tensors["y"], {"x": x, "K": K, "L": L})
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("text", ["y[i] = max[u:2](x[3*i+u])", "y[i] = max[u](x[3*i+u])"])
def test_pooling(text: str) -> None:
    x = RNG.standard_normal(9)
    expected = [max(x[3 * i + u] for u in range(2)) for i in range(3)]
    np.testing.assert_array_equal(value(text, {"x": x}, {"u": 2}), expected)


def test_mean_pooling_and_differences() -> None:
    x = RNG.standard_normal((8, 8))
    expected = [[x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(value("y[i,j] = mean[u:2,v:2](x[2*i+u,2*j+v])", {"x": x}), expected)
    np.testing.assert_allclose(value("d[i,j] = x[i+1,j] - x[i+0,j]", {"x": x}), np.diff(x, axis=0))
    np.testing.assert_allclose(value("d[i,j] = x[i+2,j] - 2 x[i+1,j] + x[i+0,j]", {"x": x}), np.diff(x, 2, axis=0))
    np.testing.assert_allclose(value("s = (x[i+1,j] - x[i+0,j])^2", {"x": x}), (np.diff(x, axis=0) ** 2).sum())


def test_a_hessian_through_a_window() -> None:
    x, K = RNG.standard_normal(5), RNG.standard_normal(2)
    program = elaborate("s = (x[i+u] K[u] ones[i])^2\ne = y[i]^3 / 3\ny[i] = x[i+u] K[u]")
    (node,) = (one for one in program.inputs if one.name == "x")
    found = run(program, hessian(program.tensors["e"], node, node), {"x": x, "K": K})
    jacobian = np.zeros((4, 5))
    for i, u in itertools.product(range(4), range(2)):
        jacobian[i, i + u] += K[u]
    np.testing.assert_allclose(found, jacobian.T @ np.diag(2 * jacobian @ x) @ jacobian)


def test_a_strided_diagonal_and_several_primes() -> None:
    x, A = RNG.standard_normal(9), RNG.standard_normal((9, 4))
    np.testing.assert_allclose(value("y[i] = A[2*i+1,i]", {"A": A}), [A[2 * i + 1, i] for i in range(4)])
    expected = [[x[i + 2 * k] for k in range(3)] for i in range(3)]
    np.testing.assert_allclose(value("y[i,i'] = x[i+2*i']", {"x": x}, {"i": 3}), expected)
    np.testing.assert_allclose(value("y[i] = x[i+i]", {"x": x}), x[::2])
    np.testing.assert_allclose(value("y[i] = x[2 i]^2", {"x": x}), x[::2] ** 2)
    np.testing.assert_allclose(value("y[i] = 1 / x[i*2+1]", {"x": x}), 1 / x[1::2])


# Gathers


def test_a_gather() -> None:
    def triples() -> Triples:
        for b, t, d in itertools.product(range(2), range(4), range(3)):
            yield (b, t, d), (ids[b, t], d), (b, t)

    ids = np.array([[0, 2, 2, 4], [4, 0, 1, 2]])
    arrays = {"token": ids, "E": RNG.standard_normal((5, 3)), "w": RNG.standard_normal((2, 4))}
    check_bilinear("h[b,t,d] = E[token[b,t], d] w[b,t]", arrays, triples, (2, 4, 3))
    check_bilinear("h[b,t,d] = δ[v, token[b,t]] E[v,d] w[b,t]", arrays, triples, (2, 4, 3))


def test_what_is_gathered_by() -> None:
    program = elaborate("s = E[token[b], b] v[token[b]]")
    assert [(one.name, one.sizes, one.facts) for one in program.inputs] == [
        ("E", ("E_0", "b"), ()),
        ("token", ("b",), ("integer",)),
        ("v", ("v_0",), ()),
    ]
    ids, E, v = np.array([2, 0, 2]), RNG.standard_normal((4, 3)), RNG.standard_normal(5)
    found = run(program, program.tensors["s"], {"token": ids, "E": E, "v": v})
    np.testing.assert_allclose(found, sum(E[ids[b], b] * v[ids[b]] for b in range(3)))


def test_gathers_in_gathers_and_at_windows() -> None:
    ids, parent, E = np.array([2, 0, 1, 1]), np.array([3, 1, 0]), RNG.standard_normal((5, 2))
    arrays = {"t": ids, "parent": parent, "E": E}
    np.testing.assert_allclose(value("y[i,d] = E[parent[t[i]], d]", arrays), E[parent[ids]])
    np.testing.assert_allclose(value("y[i,d] = E[t[2*i+1], d]", arrays), E[ids[1::2]])
    moved = "y[i,d] = E[next[i], d]\nnext[i] = 4 - t[i]"
    program = elaborate(moved, {"t": Input("t", ("i",), ("integer",))})
    np.testing.assert_allclose(run(program, program.tensors["y"], arrays), E[4 - ids])


# Groups


def test_flatten() -> None:
    x = RNG.standard_normal((2, 3, 4, 5))
    np.testing.assert_array_equal(value("y[n,(c h w)] = x[n,c,h,w]", {"x": x}), x.reshape(2, -1))
    np.testing.assert_array_equal(value("y[(n c),(h w)] = x[n,c,h,w]", {"x": x}), x.reshape(6, 20))
    np.testing.assert_array_equal(value("y[n,p] = x[n,c,h,w] δ[(c h w), p]", {"x": x}), x.reshape(2, -1))
    np.testing.assert_array_equal(value("y[(w h),n] = x[n,c,h,w]", {"x": x}), x.sum(1).T.reshape(20, 2))


def test_unflatten() -> None:
    x = RNG.standard_normal((2, 60))
    cube = x.reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(value("y[n,c,h,w] = x[n,(c h:4 w:5)]", {"x": x}), cube)
    np.testing.assert_array_equal(value("y[n,c,h,w] = x[n,(c h w)]", {"x": x}, {"c": 3, "w": 5}), cube)
    A, B, C = (RNG.standard_normal(size) for size in (3, 4, 5))
    expected = np.einsum("nchw,c,h,w->n", cube, A, B, C)
    found = value("y[n] = x[n,(c h w)] A[c] B[h] C[w]", {"x": x, "A": A, "B": B, "C": C})
    np.testing.assert_allclose(found, expected)
    program = elaborate("y[n,c,h] = x[n,(c h:4)]")
    assert program.equalities == {("x_1", "4*(x_1//4)")}


def test_kron_and_vec() -> None:
    A, B = RNG.standard_normal((2, 3)), RNG.standard_normal((4, 2))
    np.testing.assert_allclose(value("K[(i k),(j l)] = A[i,j] B[k,l]", {"A": A, "B": B}), np.kron(A, B))
    np.testing.assert_array_equal(value("v[(j i)] = A[i,j]", {"A": A}), A.ravel(order="F"))
    text = "K[(i k),(j l)] = A[i,j] B[k,l]\ns = K[p,q] K[p,q]"
    np.testing.assert_allclose(value(text, {"A": A, "B": B}), (A**2).sum() * (B**2).sum())
    np.testing.assert_array_equal(value("D[(i i)] = v[i]", {"v": A[0]}), np.diag(A[0]).ravel())
    np.testing.assert_array_equal(value("d[(i j)] = 3", {}, {"i": 2, "j": 4}), np.full(8, 3))


# Comparisons

SCORES = RNG.standard_normal((4, 5))
Q, K2 = RNG.standard_normal((4, 3)), RNG.standard_normal((5, 3))
ROW, COLUMN = np.indices((4, 5))
LENGTH = np.array([1, 5, 0, 2])
COMPARISONS: list[tuple[str, object]] = [
    ("s[q,k] = where(q >= k, A[q,k], -inf)", np.where(ROW >= COLUMN, SCORES, -np.inf)),
    ("s[q,k] = where(q >= k, Q[q,d] K[k,d], -inf)", np.where(ROW >= COLUMN, Q @ K2.T, -np.inf)),
    ("s[q,k] = A[q,k] (q == k)", SCORES * (ROW == COLUMN)),
    ("s[i,j] = A[i,j] (2*i >= j - 1)", SCORES * (2 * ROW >= COLUMN - 1)),
    ("s[i,j] = A[i,j] (i + 1 < j)", SCORES * (ROW + 1 < COLUMN)),
    ("s[i,j] = A[i,j] (i > 0)", SCORES * (ROW > 0)),
    ("s[i,j] = A[i,j] (j == size(j) - 1)", SCORES * (COLUMN == 4)),
    ("s[i,j] = A[i,j] (abs(i - j) <= 1)", SCORES * (abs(ROW - COLUMN) <= 1)),
    ("s[i,j] = A[i,j] (j < length[i])", SCORES * (LENGTH[:, None] > COLUMN)),
    ("s = where(i >= j, A[i,j], 0)", np.tril(SCORES).sum()),
    ("s[j] = A[i,j] (i != j)", (SCORES * (ROW != COLUMN)).sum(0)),
    ("s[i] = sum[j](A[i,j] (i <= j))", np.triu(SCORES).sum(1)),
    ("s[j] = sum[i](A[i,j] (i == 2))", SCORES[2]),
    ("m[i,j] = i > j\ns = m[i,j] A[i,j]", (SCORES * (ROW > COLUMN)).sum()),
    ("s[i,i'] = where(i > i', S[i,i'], 0)", np.tril(SCORES[:, :4], -1)),
]


@pytest.mark.parametrize(("text", "expected"), COMPARISONS, ids=[text for text, _ in COMPARISONS])
def test_comparison(text: str, expected: object) -> None:
    arrays = {"A": SCORES, "Q": Q, "K": K2, "length": LENGTH, "S": SCORES[:, :4]}
    np.testing.assert_allclose(value(text, arrays), np.asarray(expected), rtol=1e-12)


def test_a_scalar_in_a_comparison_is_no_index() -> None:
    program = elaborate("s[i] = x[i] (i < limit)")
    assert [one.name for one in program.inputs] == ["x", "limit"]
    found = run(program, program.tensors["s"], {"x": np.ones(4), "limit": np.array(2)})
    np.testing.assert_array_equal(found, [1, 1, 0, 0])


# Nodes and sizes


def test_a_product_stays_one_einsum() -> None:
    node = elaborate("y[i] = 2 x[2*i+u] K[u] E[t[i]]").tensors["y"].terms[0]  # type: ignore[attr-defined]
    assert isinstance(node, Einsum)
    assert sorted(type(one).__name__ for one in node.operands) == ["Input"] * 3 + ["OneHot", "Window"]


def test_the_nodes_of_positions() -> None:
    window = elaborate("w[p,i,u] = δ[p, 2*i+u-1]").tensors["w"]
    assert window is Window("p", ("i", "u"), (2, 1), -1)
    assert elaborate("m[i] = 1 * (i > 2)").tensors["m"].args[0] is Range("i")  # type: ignore[attr-defined]
    assert elaborate("h[t,v] = δ[v, k[t]]").tensors["h"] is OneHot(Input("k", ("t",), ("integer",)), "v")


SIZES: list[tuple[str, str, object]] = [
    ("y[i] = x[i+1]", "y", ("x_0-1",)),
    ("y[i] = x[2*i]", "y", ("(x_0-1)//2+1",)),
    ("y[i] = x[2*i+u] K[u]", "y", ("(x_0-u)//2+1",)),
    ("y[i] = x[i+u-1] K[u]", "y", ("x_0-u+3",)),
    ("y[i] = sum[u:3](x[i+u-1])", "y", ("x_0",)),
    ("y[i] = sum[u:3](x[i+2*u-2])", "y", ("x_0",)),
    ("y[i] = sum[u:3](x[2*i+u-1])", "y", ("(x_0-1)//2+1",)),
    ("y[t:T] = x[t+u-2] K[u]", "y", ("T",)),
    ("y[t:T] = x[t+u-2] K[u]\nz[T] = w[T]", "y", ("t",)),
    ("y[t:9] = x[t-u] K[u]", "y", (9,)),
    ("y[p] = g[i] δ[p, 2*i+u] K[u]\ng[i] = x[3*i+u] K[u]", "g", ("(x_0-u)//3+1",)),
    ("J[i,p] = K[u] δ[p, 2*i+u]", "J", ("(p-u)//2+1", "p")),
    ("J[i,p:7] = sum[u:3](δ[p, i+u])", "J", (5, 7)),
    ("w[p,i,u] = δ[p, 2*i+u]", "w", ("p", "i", "u")),
    ("y[i] = x[i+1] + w[i]", "y", ("i",)),
    ("y[i] = x[i] x[i-1]", "y", ("i",)),
    ("d[i] = x[i+3] - x[i+0] + x[i+1]", "d", ("x_0-3",)),
    ("y[n,(c h w)] = x[n,c,h,w]", "y", ("n", "c*h*w")),
    ("y[n,c,h] = x[n,(c h:4)]", "y", ("n", "x_1//4", 4)),
    ("y[j] = z[2*j+v] L[v]\nz[i] = x[i+u-1] K[u]", "y", ("(x_0-u-v-1)//2+3",)),
    ("y[j] = sum[v:2](z[2*j+v])\nz[(a b)] = x[a,b]", "y", ("(a*b)//2",)),
]


@pytest.mark.parametrize(("text", "name", "shape"), SIZES, ids=[text for text, _, _ in SIZES])
def test_sizes(text: str, name: str, shape: object) -> None:
    assert elaborate(text).tensors[name].shape == shape


def test_sizes_of_given_tensors() -> None:
    x = Input("X", ("n", 28), ())
    program = elaborate("y[n,i] = x[n,2*i+u] K[u]", {"x": x}, {"u": 3})
    assert program.tensors["y"].shape == ("n", 13)
    conv = elaborate("y[n,i] = x[n,i+u] K[u]", {"x": Input("X", ("n", "h-u+1"), ())})
    assert conv.inputs == (Input("K", ("u_",), ()),)  # the u in the size of X is another one
    assert conv.tensors["y"].shape == ("n", "h-u-u_+2")


def test_the_axis_of_an_input_that_groups_read() -> None:
    product = elaborate("y[n] = x[n,(c h w)] A[c] B[h] C[w]")
    assert product.inputs[0].sizes == ("n", "c*h*w")
    assert elaborate("y[n,c,h] = x[n,(c:2 h:3)]").inputs[0].sizes == ("n", 6)
    assert elaborate("y[c,h] = x[(c h)] A[c] B[h] + sum[u:2](x[c+u])").inputs[0].sizes == ("c*h",)
    assert product.equalities == frozenset()
    both = elaborate("y[c,h] = x[(c h:4)] + sum[u:2](x[c+u]) + w[h]")
    assert (both.inputs[0].sizes, both.tensors["y"].shape) == (("x_0",), ("x_0//4", 4))
    assert both.equalities == {("x_0", "4*(x_0//4)")}


def test_a_written_size_of_a_given_tensor() -> None:
    x = Input("X", ("n",), ())
    assert elaborate("y[t:n] = x[t+u-2] K[u]", {"x": x}).tensors["y"].shape == ("n",)
    assert elaborate("y[t:n] = x[t+u-2] K[u]", {"x": x}, suffix="_1").tensors["y"].shape == ("n",)
    assert elaborate("y[t:m] = x[t+u-2] K[u]", {"x": x}, suffix="_1").tensors["y"].shape == ("m_1",)


def test_names_of_axes_without_an_index() -> None:
    program = elaborate("y[b,(o i)] = x[b,c,2*i+u] K[o,c,u]\ns = p q x_2")
    assert program.inputs[0].sizes == ("b", "c", "x_2")
    assert program.index_names["x"] == ("b", "c", "r")
    assert program.index_names["y"] == ("b", "t")
    assert program.size_names["x_2"] == ("r",)
    assert elaborate("y[x_0] = x[2*i+u] K[u] z[x_0]").inputs[0].sizes == ("x_0_",)


def test_sizes_by_keyword() -> None:
    assert elaborate("y[i] = x[2*i+u]", sizes={"u": 2}).tensors["y"].shape == ("x_0//2",)
    assert elaborate("h[b] = E[t[b]]", sizes={"E_0": 65}).inputs[0].sizes == (65,)
    assert elaborate("y[t:T] = x[t-u] K[u]", sizes={"T": 5}).tensors["y"].shape == (5,)


def test_a_group_with_the_size_of_an_index() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate("y[n] = x[n,(c h)] A[c] B[h]", {"x": Input("x", (2, 7), ())}, {"c": 2, "h": 3})
    assert caught.value.fact == "the group (c h) has 6 entries, and this axis of x has 7"
