"""A picture read back, leg by leg, has the value of the formula: over random programs, and for derivatives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given

import einback as eb
from einback.api.printing import subject
from einback.formula.diagram.diagram import diagram
from einback.formula.diagram.network import Words
from einback.formula.diagram.networks import subscripted
from einback.formula.diagram.picture import pictured
from einback.formula.names import Names
from einback.formula.subject import Subject
from einback.ir.nodes import Add, Einsum, Map, Node, Ones, Reduce
from einback.ir.walk import inputs_of
from einback.rules.simplify import normalise
from tests.formula.diagram.evaluated import values
from tests.formula.notation_cases import node_arrays
from tests.formula.programs import POOL, SIZES, STRUCTURED, programs
from tests.interpreter import evaluate

LENGTHS = SIZES | {name: SIZES.get(str(size), 4) for size, names in POOL.items() for name in names}


def _same(found: np.ndarray, wanted: np.ndarray) -> bool:
    finite = np.isfinite(found) & np.isfinite(wanted)
    return found.shape == wanted.shape and np.allclose(found[finite], wanted[finite], rtol=1e-6, atol=1e-9)


def _pictured(root: Node) -> np.ndarray:
    shown = pictured([Subject(root, "result", Names(pool=POOL))], slots=False)
    named = {subscripted(name): array for name, array in node_arrays([root]).items()}
    return values(shown, named, LENGTHS)[0]


def test_reductions_of_constants_inside_numbers():
    constants = Add((Ones("n"),), (0.3,))
    total = Einsum((Reduce("logsumexp", constants, (0,)), Ones("n")), ((), (0,)), (0,))
    (root,) = normalise([Map("exp", (Add((constants, total), (Fraction(1), Fraction(-1))),))])
    (wanted,) = evaluate([root], {}, SIZES)
    assert _same(_pictured(root), wanted)


@given(programs(kinds=STRUCTURED))
def test_random_pictures_have_the_value_of_their_formula(node: Node):
    (root,) = normalise([node])
    arrays = node_arrays([root])
    try:
        found = _pictured(root)
    except NotImplementedError:
        assume(False)
    (wanted,) = evaluate([root], arrays, SIZES)
    assert _same(found, wanted)


SIZES_OF_CASES = {"n": 4, "d": 3, "c": 2, "m": 3, "k": 2}


def _cases() -> dict[str, tuple[eb.Tensor, eb.Tensor]]:
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    loss = -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")
    A, x = eb.tensors("A[n,n] x[n]")
    O, T, U, V = eb.tensors("O[m,n] T[m,n] U[m,k] V[n,k]")
    fit = eb.sum((O * (T - U @ V.T)) ** 2)
    K = eb.tensor("K[n,n]", symmetric=True)
    likelihood = x @ eb.linalg.solve(K, x) / 2 + eb.linalg.logdet(K) / 2
    soft = eb.logsumexp(x)
    return {
        "softmax regression": (loss, eb.grad(loss, W)),
        "quadratic form": (x @ A @ x, eb.grad(x @ A @ x, A)),
        "factorisation": (fit, eb.hessian(fit, U)),
        "two blocks": (fit, eb.hessian(fit, U, V)),
        "gaussian": (likelihood, eb.grad(likelihood, K)),
        "third order": (soft, eb.jacobian(eb.hessian(soft, x), x)),
        "softmax": (eb.softmax(x, axis=0), eb.jacobian(eb.softmax(x, axis=0), x)),
        "layer": (X @ W, eb.jacobian(X @ W, W)),
    }


@pytest.mark.parametrize("case", _cases())
def test_derivatives_with_slots_have_the_value_of_their_formula(case: str):
    pair = _cases()[case]
    subjects = [subject(one) for one in pair]
    subjects[1] = Subject(subjects[1].node, "derived", subjects[1].names, subjects[1].derivative)
    rng = np.random.default_rng(5)
    arrays = {}
    for node in inputs_of([one.node for one in subjects]):
        shape = [SIZES_OF_CASES[size] for size in node.sizes]
        arrays[node.name] = rng.uniform(0.3, 1.2, shape)
        if "symmetric" in node.facts:
            arrays[node.name] = arrays[node.name] @ arrays[node.name].T + np.eye(shape[0])
    shown = pictured(subjects, slots=True)
    for found, wanted in zip(
        values(shown, arrays, SIZES_OF_CASES),
        evaluate([one.node for one in subjects], arrays, SIZES_OF_CASES),
        strict=True,
    ):
        assert _same(found, wanted)


def test_the_left_side_names_every_axis():
    X, W = eb.tensors("X[n,d] W[d,c]")
    (line,) = diagram([subject(X @ W)], slots=False, sizes=False).picture.results
    left = line.blocks[0]
    assert isinstance(left, Words)
    assert left.text == "y[n,c] ="
