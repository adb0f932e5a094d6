"""The public face: what it builds, what it refuses and in which words."""

import copy
import pickle
import threading

import numpy as np
import pytest

import einback as eb
from einback.formula.notations import NOTATIONS

X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
RNG = np.random.default_rng(0)


def arrays(n=5, d=3, c=4):
    return {
        "X": RNG.normal(size=(n, d)),
        "Y": RNG.normal(size=(n, c)),
        "W": RNG.normal(size=(d, c)),
        "b": RNG.normal(size=c),
    }


def softmax_loss():
    return -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")


# Tensors


def test_shapes_and_names():
    A, t, s = eb.tensors("A[n,n'] t[3] s")
    assert (A.shape, A.names) == (("n", "n"), ("n", "n'"))
    assert (t.shape, t.names, s.shape, s.ndim) == ((3,), ("",), (), 0)
    assert (A.T.shape, A.T.names) == (("n", "n"), ("n'", "n"))
    assert repr(X) == "<Tensor X[n,d]>"
    assert eb.einsum("ij,jk->ik", X, W).names == ("i", "k")


@pytest.mark.parametrize(
    ("left", "right", "shape", "names"),
    [
        ("a[n]", "b[n]", (), ()),
        ("a[n]", "b[n,m]", ("m",), ("m",)),
        ("a[k,n]", "b[n]", ("k",), ("k",)),
        ("a[k,n]", "b[n,m]", ("k", "m"), ("k", "m")),
        ("a[s,k,n]", "b[n,m]", ("s", "k", "m"), ("s", "k", "m")),
        ("a[k,n]", "b[s,n,m]", ("s", "k", "m"), ("s", "k", "m")),
        ("a[s,k,n]", "b[1,n,m]", ("s", "k", "m"), ("s", "k", "m")),
        ("a[n]", "b[s,n,m]", ("s", "m"), ("s", "m")),
        ("a[s,k,n]", "b[n]", ("s", "k"), ("s", "k")),
    ],
)
def test_matmul_is_numpys(left, right, shape, names):
    p, q = eb.tensor(left), eb.tensor(right)
    product = p @ q
    assert (product.shape, product.names) == (shape, names)
    sizes = {"n": 3, "m": 2, "k": 4, "s": 5, 1: 1}
    values = {t.name: RNG.normal(size=[sizes[s] for s in t.shape]) for t in (p, q)}
    np.testing.assert_allclose(eb.evaluate(product, **values), values["a"] @ values["b"])
    slope = eb.evaluate(eb.grad(eb.sum(product**2), q), **values)
    assert slope.shape == values["b"].shape


def test_arithmetic_with_numbers_and_broadcasting():
    x, s = eb.tensors("x[n] s")
    y = 2 ** (1 - x / 2) + 3 / (1 + x**2) - s * abs(-x) + np.float64(0.5) * +x
    value = {"x": np.array([0.3, -1.2]), "s": 0.7}
    v = value["x"]
    want = 2 ** (1 - v / 2) + 3 / (1 + v**2) - 0.7 * abs(v) + 0.5 * v
    np.testing.assert_allclose(eb.evaluate(y, **value), want, rtol=1e-14)


def test_reductions_name_their_axes():
    a = RNG.normal(size=(3, 4))
    x = eb.tensor("x[n,d]")
    for name in ("sum", "mean", "max", "min", "prod"):
        f = getattr(eb, name)
        np.testing.assert_allclose(eb.evaluate(f(x, axis="d"), x=a), getattr(np, name)(a, axis=1), rtol=1e-14)
        np.testing.assert_allclose(
            eb.evaluate(f(x, axis=-2, keepdims=True), x=a), getattr(np, name)(a, 0, keepdims=True)
        )
        np.testing.assert_allclose(eb.evaluate(f(x, axis=("n", 1)), x=a), getattr(np, name)(a), rtol=1e-13)
    assert eb.sum(x, axis="d", keepdims=True).shape == ("n", 1)
    assert eb.sum(eb.sum(x)) is not None


def test_size_by_name_position_and_symbol():
    h = eb.einsum("ij,jk->ik", X, W)
    assert eb.evaluate(h.size("i"), n=7) == 7
    assert h.size("n").node is h.size("i").node is h.size(0).node


def test_tensors_copy_and_pickle():
    loss = softmax_loss()
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert twin.node is loss.node
        assert twin.text() == loss.text()
    slope = pickle.loads(pickle.dumps(eb.grad(loss, W)))
    assert slope.like is W.node
    deep = X
    for _ in range(3000):
        deep = eb.sin(deep)
    assert pickle.loads(pickle.dumps(deep)).node is deep.node


def test_structural_tensors():
    x = eb.tensor("x[n]")
    np.testing.assert_array_equal(eb.evaluate(eb.eye("n") @ x, x=np.arange(3.0)), np.arange(3.0))
    np.testing.assert_array_equal(
        eb.evaluate(eb.eye("n") * 2 + eb.ones("[n,n]") + 0 * x, x=np.arange(2.0)), [[3, 1], [1, 3]]
    )
    np.testing.assert_array_equal(eb.evaluate(eb.eye(2)), np.eye(2))


# Derivatives


def test_gradients_keep_the_structure_of_wrt():
    loss = softmax_loss()
    single = eb.grad(loss, W)
    assert isinstance(single, eb.Tensor)
    assert isinstance(eb.grad(loss, [W, b]), list)
    assert isinstance(eb.grad(loss, (W,)), tuple)
    nested = eb.grad(loss, {"weights": [W], "bias": b})
    assert list(nested) == ["weights", "bias"]
    assert nested["weights"][0].node is single.node
    assert (single.shape, single.names, single.name) == (("d", "c"), ("d", "c"), "dW")


def test_all_modes_agree():
    values = arrays()
    loss = softmax_loss()
    v = eb.tensor("v[d,c]")
    values["v"] = RNG.normal(size=(3, 4))
    got = eb.evaluate(
        {
            "grad": eb.grad(loss, W),
            "jacobian": eb.jacobian(loss, W),
            "vjp": eb.vjp(loss, W, eb.ones("[]")),
            "jvp": eb.jvp(loss, {W: v}),
            "hvp": eb.hvp(loss, W, v),
            "hessian": eb.hessian(loss, W),
            "mixed": eb.hessian(loss, b, W),
        },
        **values,
    )
    for key in ("jacobian", "vjp"):
        np.testing.assert_allclose(got[key], got["grad"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(got["jvp"], np.sum(got["grad"] * values["v"]), rtol=1e-12)
    np.testing.assert_allclose(
        np.einsum("abcd,cd->ab", got["hessian"], values["v"]), got["hvp"], rtol=1e-10, atol=1e-14
    )
    np.testing.assert_allclose(got["hessian"], got["hessian"].transpose(2, 3, 0, 1), rtol=1e-10, atol=1e-14)
    assert got["mixed"].shape == (4, 3, 4)


def test_exercise_e4_with_intermediates():
    p = eb.program("Y[i,k] = X[i,j] W[j,k]\nf[i,k] = Y[i,k]^2\nL = f[i,k]")
    values = {"X": np.array([[0.0, 1], [2, 3]]), "W": np.ones((2, 2))}
    got = eb.evaluate([p["L"], *eb.grad(p["L"], [p["f"], p["Y"], p["X"], p["W"]])], **values)
    assert got[0] == 52
    want = [np.ones((2, 2)), [[2, 2], [10, 10]], [[4, 4], [20, 20]], [[20, 20], [32, 32]]]
    for have, expected in zip(got[1:], want, strict=True):
        np.testing.assert_array_equal(have, expected)


def test_the_trace_of_a_hessian_forms_no_matrix():
    A, x = eb.tensors("A[n,n] x[n]")
    hessian = eb.hessian(eb.einsum("i,ij,j->", x, A, x), x)
    laplacian = eb.compile(eb.einsum("ii->", hessian))
    assert laplacian(A=np.arange(9.0).reshape(3, 3)) == 24.0
    assert laplacian.plan().flops <= 3 * 3


def test_a_gradient_has_its_operands_dtype():
    values = arrays() | {"W": RNG.normal(size=(3, 4)).astype(np.float32)}
    dW, db, dX = eb.evaluate(eb.grad(softmax_loss(), [W, b, X]), **values)
    assert (dW.dtype, db.dtype, dX.dtype) == (np.float32, np.float64, np.float64)


# Layers and programs


def test_layers_make_parameters_of_their_own():
    dense = eb.layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])")
    H = dense(dense(X, name="1", k=8), name="2")
    assert [(p.name, p.shape) for p in H.parameters] == [
        ("W_1", ("d", 8)),
        ("b_1", (8,)),
        ("W_2", (8, "k_2")),
        ("b_2", ("k_2",)),
    ]
    assert [g.shape for g in eb.grad(eb.sum(H))] == [("d", 8), (8,), (8, "k_2"), ("k_2",)]
    tied = dense(X, name="3", W=W, k="c")
    assert [p.name for p in tied.parameters] == ["b_3"]


def test_einsum_layers():
    H = eb.layer("nd,dk->nk")(X, name="1", k=2)
    assert ([p.name for p in H.parameters], H.shape) == (["W_1"], ("n", 2))


def test_programs_are_mappings():
    p = eb.program("Z[n,c] = X[n,d] W[d,c] + b[c]\nloss = Z[n,c]^2 / size(n)")
    assert list(p) == ["X", "W", "b", "Z", "loss"]
    assert [t.name for t in p.inputs] == ["X", "W", "b"]
    assert p.outputs == ("Z", "loss")
    assert str(p) == "Z[n,c] = X[n,d] W[d,c] + b[c]\nloss = Z[n,c]² / size(n)"
    q = eb.program("s = V[n,c]^2", V=p["Z"])
    assert q["s"].node is eb.program("s = Z[n,c]^2", Z=p["Z"])["s"].node


def test_what_is_printed_parses_to_the_same_program():
    from einback.rules.simplify import normalise

    loss = softmax_loss()
    given = {t.name: t for t in (X, Y, W, b)}
    for tensor in (loss, *eb.grad(loss, [W, b, X]), eb.hessian(loss, W), eb.hvp(loss, X, eb.tensor("V[n,d]"))):
        inputs = given | {t.name: t for t in tensor.inputs}
        again = eb.program(tensor.text(), **inputs)
        assert normalise([again[again.outputs[0]].node]) == normalise([tensor.node]), tensor.text()


# Running


def test_results_are_fresh_and_inputs_are_untouched():
    values = arrays()
    before = {name: value.copy() for name, value in values.items()}
    values = {name: values[name] for name in ("X", "W")}
    fn = eb.compile([X, X.T, eb.sum(X, axis=0), X @ W])
    first, second = fn(values), fn(values)
    for one in first:
        assert one.flags.writeable
        one[...] = 7
    for name in values:
        np.testing.assert_array_equal(values[name], before[name])
    np.testing.assert_array_equal(second[1], before["X"].T)


def test_one_function_from_many_threads():
    fn = eb.compile(eb.grad(softmax_loss(), [W, b]))
    jobs = [arrays(n=2 + k % 3) for k in range(24)]
    alone = [eb.compile(eb.grad(softmax_loss(), [W, b]))(job) for job in jobs]
    got = [None] * len(jobs)

    def run(k):
        got[k] = fn(jobs[k])

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for have, want in zip(got, alone, strict=True):
        for one, other in zip(have, want, strict=True):
            np.testing.assert_array_equal(one, other)


def test_compiled_functions_pickle():
    fn = eb.compile({"loss": softmax_loss()})
    values = arrays()
    assert pickle.loads(pickle.dumps(fn))(values)["loss"] == fn(values)["loss"]
    assert eb.compile({"loss": softmax_loss()}).source(n=5, d=3, c=4) == fn.source(n=5, d=3, c=4)


# Checking


def test_check_says_which_method_it_used():
    report = eb.check(softmax_loss(), [W, b], **arrays())
    assert report
    assert [c.method for c in report.comparisons] == ["complex step"] * 2
    report = eb.check(eb.sum(eb.relu(X @ W)), W, **{k: v for k, v in arrays().items() if k in "XW"})
    assert report
    assert report.comparisons[0].method == "central differences"


def test_check_notices_a_wrong_derivative(monkeypatch):
    """Sabotage: the derivative of sin is said to be sin."""
    import dataclasses

    from einback.rules import scalar
    from einback.rules.expr import apply

    broken = dataclasses.replace(scalar.TABLE["sin"], derivatives=(lambda x, y: apply("sin", x),))
    monkeypatch.setitem(scalar.TABLE, "sin", broken)
    x = eb.tensor("x[n]")
    report = eb.check(eb.sum(eb.sin(x)), x, x=np.array([0.2, 0.5]))
    assert not report
    assert str(report).endswith("WRONG")


def test_check_takes_tensors_and_large_arrays():
    x = eb.tensor("x[n]")
    report = eb.check(eb.exp(x) * x, x, x=RNG.normal(size=1000))
    assert report
    assert (report.comparisons[0].compared, report.comparisons[0].entries) == (256, 1000)


# Errors


def caught(make):
    with pytest.raises(eb.EinbackError) as caught_error:
        make()
    return str(caught_error.value)


DOUBLE = 2 * X

ERRORS = {
    "no axis of that name": (
        lambda: eb.sum(X, axis="dd"),
        "no axis is named 'dd': the axes are [n,d]\ndid you mean d?",
    ),
    "no such axis": (lambda: eb.sum(X, axis=2), "axis 2 does not exist: the tensor has 2 axes, [n,d]"),
    "an axis twice": (lambda: eb.sum(X, axis=(0, "n")), "an axis is given twice in (0, 'n')"),
    "not a scalar": (
        lambda: eb.grad(X, X),
        "the gradient is that of a scalar, and this tensor has the shape [n,d]\nsum it first, or ask for the jacobian",
    ),
    "not a part": (
        lambda: eb.grad(eb.sum(X), W),
        "the tensor does not depend on W\nit is made from X",
    ),
    "an intermediate of another program": (
        lambda: eb.grad(eb.sum(X), eb.sin(W)),
        "an intermediate tensor is no part of the tensor that is differentiated\n"
        "a derivative is simplified and need not hold the intermediate tensors that led to it",
    ),
    "dependent variables": (
        lambda: eb.hessian(eb.sum(eb.sin(DOUBLE) + X), X, DOUBLE),
        "one of the two tensors is computed from the other: they do not vary independently\n"
        "take the Hessian by tensors of which neither is part of the other",
    ),
    "integers": (
        lambda: eb.grad(eb.sum(eb.tensor("t[n]", integer=True)), eb.tensor("t[n]", integer=True)),
        "t holds integers: there is no derivative by it",
    ),
    "integers at call time": (
        lambda: eb.evaluate(eb.grad(eb.sum(X * X), X), X=[[1, 2]]),
        "a result is the derivative by X, and the array for it holds int64\n"
        "pass floats for X: integers have no gradient",
    ),
    "NumPy's functions": (
        lambda: np.mean(X),
        "np.mean works on arrays, and a tensor has no numbers yet\nwrite einback.mean(y)",
    ),
    "an array of a tensor": (
        lambda: np.asarray(X),
        "a tensor cannot become an array: it has no numbers yet\nevaluate it with arrays: einback.evaluate(y, X=..)",
    ),
    "arrays on the left of @": (
        lambda: np.ones((2, 2)) @ X,
        "a tensor cannot be combined with ndarray\n"
        "declare a tensor for it, and pass the array when the program is evaluated",
    ),
    "indexing": (
        lambda: X[0],
        "a tensor is not indexed by position\n"
        "read entries by labels: einsum('ii->i', A) is a diagonal, einsum('ij,j->i', A, v) picks with v",
    ),
    "no parameters to check": (
        lambda: eb.check(eb.sum(X), X=np.ones((2, 2))),
        "the tensor has no parameters to differentiate by\nname the tensors: grad(y, [W, b])",
    ),
    "the gradient of a number": (lambda: eb.grad(3.0, X), "derivatives are taken of tensors, not of float"),
    "two outputs": (
        lambda: eb.compile(X, W),
        "several tensors are compiled as one structure\nwrite compile([a, b])",
    ),
    "a binding that is not read": (
        lambda: eb.program("L = x[n] w[n]", X=X),
        None,
    ),
    "no parameters": (
        lambda: eb.grad(eb.sum(X)),
        "the tensor has no parameters to differentiate by\nname the tensors: grad(y, [W, b])",
    ),
    "truth": (
        lambda: bool(X > 0),
        "a tensor has no truth value: it has no numbers yet\n"
        "choose between entries with einback.where(condition, a, b)",
    ),
    "arrays in arithmetic": (
        lambda: X + np.ones(3),
        "a tensor cannot be combined with ndarray\n"
        "declare a tensor for it, and pass the array when the program is evaluated",
    ),
    "two of one name": (
        lambda: eb.compile(eb.sum(X) + eb.sum(eb.tensor("X[k]"))),
        "two tensors are named X: one of shape [n,d], one of shape [k]\n"
        "give them different names (a layer takes name=..), or declare the tensor once",
    ),
    "columns and rows": (
        lambda: eb.tensor("A[n,3]") @ eb.tensor("B[4,m]"),
        "the operands of @ do not fit: 3 columns on the left, 4 rows on the right",
    ),
    "matmul of a scalar": (
        lambda: X @ eb.tensor("s"),
        "the right operand of @ is a scalar\nmultiply by a scalar with *",
    ),
    "sizes by way of symbols": (
        lambda: (eb.tensor("a[3]") + eb.tensor("u[n]")) * (eb.tensor("v[n]") + eb.tensor("e[4]")),
        None,
    ),
    "shape of a cotangent": (
        lambda: eb.vjp(X, X, W.T @ W),
        None,
    ),
    "rank of a tangent": (lambda: eb.jvp(eb.sum(X), {X: b}), "the tangent has the shape [c], and X has [n,d]"),
    "operand count": (lambda: eb.relu(X, X), "relu takes 1 operand, 2 were given"),
    "not supported yet": (
        lambda: eb.compile(X, memory_limit=1, structured=True),
        "memory_limit is not supported for structured results\nleave memory_limit out",
    ),
    "not a tensor": (
        lambda: eb.compile([X, 3]),
        "what is compiled must be a tensor, or a list, tuple or dict of tensors, not int",
    ),
    "notation": (
        lambda: X.text(notation="cyrillic"),
        f"no notation is named 'cyrillic'\nthe notations are: {', '.join(NOTATIONS)}",
    ),
    "name of a program": (
        lambda: eb.program("loss = X[n]^2")["los"],
        "the program has no tensor 'los'\ndid you mean loss?",
    ),
}


@pytest.mark.parametrize("case", [case for case, (_, message) in ERRORS.items() if message])
def test_errors_by_their_text(case):
    make, message = ERRORS[case]
    assert caught(make) == message


def test_contradicting_sizes_are_found_through_symbols():
    message = caught(ERRORS["sizes by way of symbols"][0])
    assert "3" in message
    assert "4" in message


def test_a_binding_that_the_text_does_not_read_is_an_error():
    assert caught(ERRORS["a binding that is not read"][0]).startswith("X is given, but the text does not read it")


def test_numpys_elementwise_functions_build_programs():
    assert np.exp(X).node is eb.exp(X).node
    assert np.maximum(X, 0).node is eb.maximum(X, 0).node
    assert (np.float32(2) * X).node is (2 * X).node
    assert np.matmul(X, W).node is (X @ W).node


def test_unknown_attributes_have_a_near_name():
    with pytest.raises(AttributeError, match="did you mean relu"):
        eb.relo  # noqa: B018
    assert "relu" in dir(eb)
