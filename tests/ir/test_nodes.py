"""Nodes: interning, labels, sizes, walks that do not recurse, the checker, data."""

import gc
import json
from fractions import Fraction

import pytest

from einback.errors import EinbackError, ShapeError
from einback.ir import build
from einback.ir.data import from_data, to_data
from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Ones, Reduce
from einback.ir.sizes import Classes, merge_sizes
from einback.ir.verify import dump, fault, verify
from einback.ir.walk import count_uses, depends_on, inputs_of, postorder, substitute

X, W = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ())


def chain(length):
    node = Input("x", ("n",), ())
    for k in range(length):
        node = build.add([Map("sin", (node,)), node], [1, k + 1])
    return node


def test_equal_structure_is_the_same_object_whatever_the_labels_are_called():
    assert build.einsum([X, W], ["nd", "dc"], "nc") is build.einsum([X, W], ["ij", "jk"], "ik")
    assert build.einsum([X, W], ["nd", "dc"], "nc") is not build.einsum([X, W], ["nd", "dc"], "cn")
    assert Input("X", ("n", "d"), ()) is X


def test_nodes_are_released_when_nothing_reads_them():
    from einback.ir.nodes import _TABLE

    node = build.scale(Input("short lived", ("n",), ()), 7)
    size = len(_TABLE)
    del node
    gc.collect()
    assert len(_TABLE) <= size - 2


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0.5, Fraction(1, 2)), (3, Fraction(3)), (0.1, 0.1), (True, Fraction(1)), (float("inf"), float("inf"))],
)
def test_numbers_are_exact_where_that_is_short(value, kept):
    assert build.exact(value) == kept
    assert type(build.exact(value)) is type(kept)


def test_sizes_are_unified_and_contradictions_are_errors():
    assert build.einsum([X, Input("V", (3, "c"), ())], ["nd", "dc"], "nc").shape == ("n", "c")
    with pytest.raises(ShapeError, match="sizes 3 and 4 meet on one axis"):
        build.einsum([Input("a", (3,), ()), Input("b", (4,), ())], ["i", "i"], "")
    classes = Classes([("a", "b"), ("b", "c"), ("c", 5)])
    assert [classes.find(size) for size in "abcd"] == [5, 5, 5, "d"]
    with pytest.raises(ShapeError):
        classes.unite("a", 6)
    assert merge_sizes("m", "n") == "m"


def test_walks_do_not_recurse():
    root = chain(10_000)
    assert sum(1 for _ in postorder([root])) == 20_001
    assert inputs_of([root]) == [Input("x", ("n",), ())]
    assert len(depends_on([root], inputs_of([root]))) == 20_001
    assert count_uses([root])[root] == 1
    (copy,) = substitute([root], {})
    assert copy is root
    assert from_data(to_data([root]))[0] is root
    assert len(dump([root]).splitlines()) == 20_002


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Einsum((X,), ((1, 0),), (1, 0)), "label 1 is not numbered by first appearance"),
        (lambda: Einsum((X,), ((0, 1),), (2,)), None),
        (lambda: Reduce("max", X, (1, 0)), "axes (1, 0) are not sorted and distinct"),
        (lambda: Reduce("max", X, (2,)), "axis 2 of 2 axes"),
        (lambda: Const(54321), "a constant of type int"),
        (lambda: Add((X, W), (Fraction(1),)), "2 terms and 1 weights"),
    ],
)
def test_the_checker_notices_malformed_nodes(make, reason):
    if reason is None:
        with pytest.raises(KeyError):
            make()
    else:
        assert fault(make()) == reason
        with pytest.raises(AssertionError):
            verify([make()])


def test_data_is_json_and_loads_to_the_same_nodes():
    root = build.add(
        [
            build.einsum([X, W, Delta("c"), Ones("d")], ["nd", "dc", "ce", "d"], "ne"),
            build.fill(("n", "c"), 0.1),
            build.broadcast(Reduce("max", X, (1,)), ("n", "c"), (0,)),
        ],
        [Fraction(1, 3), 2, 0.7],
    )
    text = json.dumps(to_data([root, X]))
    assert from_data(json.loads(text)) == (root, X)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"einback": 2}, "not a program of version 1: its version is 2"),
        ([], "its version is None"),
        ({"einback": 1, "nodes": [["Exec", "import os"]], "roots": []}, "unknown kind 'Exec'"),
        ({"einback": 1, "nodes": [["Map", "exp", [4]]], "roots": []}, "malformed Map node"),
        ({"einback": 1, "nodes": [["Add", [], []]], "roots": []}, "malformed Add node"),
    ],
)
def test_data_that_is_no_program_is_an_error(data, message):
    with pytest.raises(EinbackError, match=message):
        from_data(data)
