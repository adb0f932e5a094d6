"""Plans shift what goes into exponentials, and let x / |x| be 0 at 0; the values are those of the program."""

import numpy as np
import pytest

from einback.ir.build import add, broadcast, einsum, multiply, power, scale, total
from einback.ir.nodes import Input, Map, Node, Reduce
from einback.ir.verify import verify
from einback.ir.walk import postorder
from einback.plan.shifts import shifted
from einback.plan.units import zero_at_zero
from tests.interpreter import evaluate

X, b = Input("X", ("n", "d"), ()), Input("b", ("n",), ())
LEVEL = Reduce("logsumexp", X, (1,))
DOUBLED = Reduce("logsumexp", scale(X, 2), (1,))


def laid(node: Node) -> Node:
    return broadcast(node, ("n", "d"), [0])


PROGRAMS = {
    "log softmax": add([X, laid(LEVEL)], [1, -1]),
    "softmax": Map("exp", (add([X, laid(LEVEL)], [1, -1]),)),
    "of a multiple": add([X, laid(DOUBLED)], [2, -1]),
    "times a number": add([X, laid(LEVEL)], [-3, 3]),
    "beside other terms": add([X, laid(LEVEL), laid(b)], [1, -1, 2]),
    "apart from its argument": add([LEVEL, b], [1, -1]),
    "two levels": add([LEVEL, DOUBLED, b], [2, -1, 1]),
    "over both axes": add([X, broadcast(Reduce("logsumexp", X, (0, 1)), ("n", "d"), [])], [1, -1]),
    "a power of a softmax": Map("exp", (add([X, laid(LEVEL)], [2, -2]),)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_sums_with_a_logsumexp_are_shifted(name: str) -> None:
    root = PROGRAMS[name]
    new = shifted([root, LEVEL])
    verify([new[root]])
    assert not any(isinstance(node, Reduce) and node.fn == "logsumexp" for node in postorder([new[root]]))
    arrays = {"X": np.random.default_rng(0).normal(size=(3, 4)), "b": np.arange(3.0)}
    before, after = evaluate([root, new[root]], arrays)
    np.testing.assert_allclose(after, before, rtol=1e-13)


def test_a_logsumexp_that_stands_alone_stays() -> None:
    for root in (LEVEL, scale(LEVEL, 3), Map("tanh", (LEVEL,)), total(LEVEL, [0])):
        assert shifted([root])[root] is root


def test_a_softmax_is_a_quotient_that_shares_its_exponentials() -> None:
    both = [PROGRAMS["softmax"], PROGRAMS["log softmax"]]
    new = shifted(both)
    exponentials = {n for n in postorder([new[root] for root in both]) if isinstance(n, Map) and n.fn == "exp"}
    assert len(exponentials) == 1


SQUARES = total(power(X, 2), [1])


def is_guarded(root: Node) -> bool:
    return any(isinstance(node, Map) and node.fn == "where" for node in postorder([zero_at_zero([root])[root]]))


def test_only_quotients_by_the_norm_of_a_factor_are_guarded() -> None:
    unit = multiply(X, laid(power(SQUARES, -0.5)))
    assert not is_guarded(unit)  # the power is not a factor of its own yet: normal forms have it so
    unit = einsum([X, power(SQUARES, -0.5)], ["nd", "n"], "nd")
    assert is_guarded(unit)
    assert is_guarded(einsum([power(X, 2), power(scale(SQUARES, 4), -1.5)], ["nd", "n"], "nd"))
    assert not is_guarded(power(SQUARES, -0.5))
    assert not is_guarded(einsum([X, power(SQUARES, 0.5)], ["nd", "n"], "nd"))
    assert not is_guarded(einsum([b, power(SQUARES, -0.5)], ["n", "n"], "n"))
    assert not is_guarded(einsum([X, power(add([SQUARES, b]), -0.5)], ["nd", "n"], "nd"))
