"""What is known of entries before any array is."""

import pytest

import einback as eb
from einback.ir.nodes import Map
from einback.rules.signs import elementwise_leaves, may_fail, never_negative

x, y = eb.tensors("x[n] y[n]")
p = eb.tensor("p[n]", positive=True)

NEVER = [x**2, x**-4, abs(x), eb.exp(x), p, p * abs(y), eb.sum(x**2), 2 * p + 1, eb.relu(x) ** 0.5, x > y]
NEVER += [1 - eb.sigmoid(x), 2 - eb.tanh(x) ** 2, 1 - eb.sigmoid(x) ** 0.5 * (x > 0), x**2 + (1 - eb.sign(x))]
NEVER += [eb.maximum(x, 0), eb.minimum(p, abs(x)), eb.where(x > 0, p, 0), eb.prod(p), eb.expm1(p), eb.max(x**2)]
PERHAPS = [
    x,
    1 - 2 * eb.sigmoid(x),
    2 - eb.sigmoid(x) - eb.sigmoid(y),
    1 - eb.exp(x),
    1 - eb.tanh(x) * eb.tanh(y),
    x + 1 - eb.tanh(x),
    x**3,
    eb.sqrt(x),
    x - p,
    -p,
    x * p,
    eb.log(p),
    eb.sin(p),
    eb.logsumexp(p),
    eb.minimum(p, x),
    eb.where(p > 0, x, p),
]


@pytest.mark.parametrize("tensor", NEVER, ids=str)
def test_never_negative(tensor: eb.Tensor) -> None:
    assert never_negative(tensor.node)


@pytest.mark.parametrize("tensor", PERHAPS, ids=str)
def test_perhaps_negative(tensor: eb.Tensor) -> None:
    assert not never_negative(tensor.node)


def test_failing_factors_are_those_of_the_leaves_asked_for() -> None:
    assert may_fail(eb.log(x * y).node, {x.node})
    assert may_fail((2 + eb.tanh(1 / x)).node, {x.node})
    assert not may_fail(eb.log(x).node, {y.node})
    assert not may_fail((x**3 * eb.tanh(x)).node, {x.node})
    assert not may_fail((x * eb.log(y)).node, {x.node})


def test_leaves_are_what_is_not_entry_by_entry() -> None:
    inner = eb.sum(x * y)
    found = elementwise_leaves((eb.exp(x) + y * inner).node)
    assert found >= {x.node, y.node}
    assert not any(isinstance(leaf, Map) for leaf in found)
