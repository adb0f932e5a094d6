"""Random index text through `eb.program`: values, derivatives to second order, and the text that is printed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from hypothesis import assume, event, given
from hypothesis import strategies as st

import einback as eb
from tests.interpreter import TooLargeError, evaluate
from tests.oracles.compare import assert_close
from tests.oracles.complex_step import ComplexNumpy, gradients, slope
from tests.oracles.index_programs import programs
from tests.oracles.index_text import Program
from tests.oracles.slow import SLOW

_H = 1e-5


def _read(program: Program) -> Any:
    return eb.program(program.text(), **program.sizes)


def _loss(values: dict[str, Any], functions: Any) -> Any:
    """A scalar in which every line takes part, not linearly."""
    total: Any = None
    for value in values.values():
        term = functions["sum"](functions["sin"](value), (None, False))
        total = term if total is None else functions["add"](total, term)
    return total


_EINBACK = {"sin": eb.sin, "sum": lambda x, how: eb.sum(x), "add": lambda x, y: x + y}


@SLOW
@given(program=programs(), seed=st.integers(0, 99))
def test_values_and_derivatives(program: Program, seed: int):
    arrays = program.arrays(seed)
    floats = {name: array for name, array in arrays.items() if name not in program.below}
    library = ComplexNumpy()
    wanted = program.values(np, library, arrays | {name: a.astype(complex) for name, a in floats.items()})
    assume(library.nearest > 1e-3 and library.largest < 30)
    p = _read(program)
    assert {one.name for one in p.inputs} == set(arrays)
    for name, value in eb.evaluate({line.name: p[line.name] for line in program.lines}, **arrays).items():
        assert_close(value, wanted[name].real, name)

    def f(values: list[np.ndarray]) -> Any:
        known = arrays | dict(zip(floats, values, strict=True))
        return _loss(program.values(np, ComplexNumpy(), known), ComplexNumpy())

    loss = _loss({line.name: p[line.name] for line in program.lines}, _EINBACK)
    xs, first = [p[name] for name in floats], next(iter(floats))
    u = np.random.default_rng(seed).normal(size=floats[first].shape)
    along = eb.tensor(f"u[{','.join(map(str, u.shape))}]")
    results = [loss, *eb.grad(loss, xs), eb.hvp(loss, p[first], along), eb.jvp(loss, {p[first]: along})]
    found = eb.evaluate(results, **arrays, u=u)
    point, direction = list(floats.values()), [u, *(np.zeros_like(a) for a in list(floats.values())[1:])]
    grads = gradients(f, point)
    scale = max(1.0, *(np.abs(g).max(initial=0) for g in grads))
    assume(scale < 30)
    for name, gradient, other in zip(floats, found[1:-2], grads, strict=True):
        assert_close(gradient / scale, other / scale, f"gradient for {name}", 1e-9)
    assert_close(found[-1] / scale, slope(f, point, direction) / scale, "push forward", 1e-9)

    def moved(step: float) -> np.ndarray:
        return gradients(f, [a + step * d for a, d in zip(point, direction, strict=True)])[0]

    assert_close(found[-2] / scale, (moved(_H) - moved(-_H)) / (2 * _H * scale), "Hessian-vector product", 1e-5)
    try:
        dense = evaluate([y.node for y in results], arrays | {"u": u}, program.sizes, loss.scope.equalities)
    except TooLargeError:
        return
    for one, other in zip(found, dense, strict=True):
        assert_close(one / scale, other / scale, "the interpreter", 1e-9)


@SLOW
@given(program=programs(), seed=st.integers(0, 99))
def test_printed_text_means_the_same(program: Program, seed: int):
    """What is printed of a program, and of its gradients, is read back as the same values, or is refused."""
    arrays = program.arrays(seed)
    p = _read(program)
    for line in program.lines:
        _check_text(p[line.name], arrays)
    loss = _loss({line.name: p[line.name] for line in program.lines}, _EINBACK)
    for x in loss.inputs:
        if x.name not in program.below:
            _check_text(eb.grad(loss, x), arrays)


def _check_text(y: Any, arrays: dict[str, np.ndarray]) -> None:
    text = y.text(name="result")
    words = set(re.findall(r"\w+", text))
    try:
        back = eb.program(text, **{one.name: one for one in y.inputs if one.name in words})["result"]
        one, other = eb.evaluate([y, back], **{one.name: arrays[one.name] for one in y.inputs})
    except eb.EinbackError as error:
        event(f"refused: {type(error).__name__}")  # text says few sizes
        return
    finite = np.isfinite(one) & np.isfinite(other)
    assert_close(np.where(finite, other, 0), np.where(finite, one, 0), text, 1e-9)
