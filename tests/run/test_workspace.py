"""The memory that a program works in: what is made beforehand, what is taken over, and what later calls find in it."""

from typing import Any

import numpy as np
import pytest

from einback.ir.nodes import Einsum, Input, Map, Node, OneHot, Window
from einback.run.callable import Compiled
from einback.run.source import Result, write
from einback.run.steps import (
    Assign,
    Block,
    Call,
    Expr,
    Fill,
    Kind,
    Literal,
    Method,
    Negative,
    Parameter,
    Ref,
    Register,
    Routine,
    Template,
    Transposed,
)
from einback.run.walking import changed, reads
from einback.run.workspace import settled

DOUBLE = np.dtype(float)


def in_planned_memory(given: np.ndarray, *lines: tuple[Expr, tuple[int, ...], int | None]) -> np.ndarray:
    """Run assignments to registers 1, 2, ...; each is an expression, its shape, and whose array it takes over."""
    x = Input("x", given.shape, ())
    nodes: list[Node] = [x]
    for _ in lines:
        nodes.append(Map("exp", (nodes[-1],)))  # what a block is for does not matter here
    blocks = [Block(nodes[k], k, (Assign(k, value, into),)) for k, (value, _, into) in enumerate(lines, 1)]
    kinds = {k: Kind(shape, DOUBLE) for k, shape in enumerate([given.shape, *(shape for _, shape, _ in lines)])}
    registers = [Register(x, None), *(Register(nodes[k], k - 1) for k in range(1, len(nodes)))]
    parameters = (Parameter(x, 0, given.shape, DOUBLE),)
    routine = Routine(parameters, tuple(blocks), (Ref(len(lines)),), tuple(registers), kinds, (), may_warn=False)
    results = [Result(lines[-1][1], DOUBLE)]
    text = write(settled(routine), 0, results, names={}, letters={}, describe=lambda *_: "")
    scope: dict[str, Any] = {}
    exec(text.source, scope)
    result: np.ndarray = scope["step"](x=given)
    return result


def test_what_takes_over_a_transposed_view_lies_as_the_view_does():
    given = np.arange(6.0).reshape(2, 3)
    result = in_planned_memory(
        given,
        (Call("np.exp", (Ref(0),)), (2, 3), None),
        (Transposed(Ref(1), (1, 0)), (3, 2), None),
        (Negative(Ref(2)), (3, 2), 2),
        (Method(Ref(3), "reshape", (Literal(6),)), (6,), None),
        (Call("np.sin", (Ref(4),)), (6,), None),
    )
    np.testing.assert_array_equal(result, np.sin(-np.exp(given).T.reshape(6)))


def test_writing_into_chosen_entries_changes_the_array_and_reads_the_indices():
    statement = Fill(Template("{0}[np.arange(2), {1}]", (Ref(5), Ref(6))), Ref(7))
    assert [*changed(statement)] == [5]
    assert {*reads(statement)} == {6, 7}


@pytest.mark.parametrize("dtype", [float, object])
def test_later_calls_find_zeros_where_nothing_is_scattered(dtype: type) -> None:
    ids, s = Input("ids", ("b",), ("integer",)), Input("s", (), ())
    program = Compiled([Einsum((s, OneHot(ids, "a")), ((), (0, 1)), (0, 1, 0))], [ids, s], structure=0)
    for chosen in ([0, 2], [1, 1], [0, 2]):
        expected = np.zeros((2, 3, 2))
        for b, a in enumerate(chosen):
            expected[b, a, b] = 2
        np.testing.assert_array_equal(program(ids=np.array(chosen), s=np.asarray(2, dtype), a=3), expected)


def test_single_entries_are_read_when_they_are_there():
    """NumPy copies a single entry, so what is made beforehand must not hold one."""
    window = Window("b", ("c", "b"), (1, 1), -1)
    program = Compiled([Einsum((window,), ((0, 1, 0),), (0,))], [], structure=0)
    for c, expected in ((1, 0), (2, 1)):
        np.testing.assert_array_equal(program(b=3, c=c), [expected] * 3)
