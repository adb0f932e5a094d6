"""Sizes bound to numbers, and the words for those that cannot be."""

import pytest

from einback.errors import ArrayError
from einback.ir.build import add, einsum
from einback.ir.nodes import Delta, Input, Ones, Window
from einback.plan.binding import bind, equalities_of, resolve, symbols_of

X, W = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ())
V = Input("V", ("e", "c"), ())
K = Input("K", ("n", 3), ())


def test_every_symbol_gets_the_number_of_its_axis() -> None:
    assert bind([X, W], {"X": (64, 4), "W": (4, 10)}) == {"n": 64, "d": 4, "c": 10}
    assert resolve(("n", 3, "d"), {"n": 64, "d": 4}) == (64, 3, 4)


def test_a_size_may_be_given_and_one_symbol_gives_another() -> None:
    assert bind([X], {"X": (64, 4)}, given={"c": 7}, needed=["c"]) == {"n": 64, "d": 4, "c": 7}
    assert bind([X], {"X": (64, 4)}, equalities=[("d", "e")], needed=["e"])["e"] == 4
    assert bind([], {}, equalities=[("d", 5)], needed=["d"]) == {"d": 5}


@pytest.mark.parametrize(
    ("shapes", "more", "message"),
    [
        ({"X": (64, 4), "W": (5, 10)}, {}, "axis 0 of W is 5, but d is 4 by axis 1 of X"),
        (
            {"X": (64, 4), "V": (5, 10)},
            {"equalities": [("d", "e")]},
            "axis 0 of V is 5, but its size e equals d, which is 4 by axis 1 of X",
        ),
        ({"K": (2, 4)}, {}, "axis 1 of K is 4, but is declared to be 3"),
        ({"X": (64, 4)}, {"equalities": [("d", 6)]}, "axis 1 of X is 4, but its size d equals 6"),
        ({"X": (64, 4)}, {"given": {"d": 5}}, "axis 1 of X is 4, but d is 5 by the size that was passed"),
        ({}, {"given": {"d": 5}, "equalities": [("d", 6)]}, "d=5 was passed, but d is declared to be 6"),
        (
            {},
            {"given": {"d": 5, "e": 6}, "equalities": [("d", "e")]},
            "e=6 was passed, but its size e equals d, which is 5 by the size that was passed",
        ),
        (
            {"X": (64, 4, 1)},
            {},
            "X is declared with 2 axes [n,d], but the array has 3 axes: its shape is (64, 4, 1)",
        ),
        ({}, {"needed": ["c"]}, "no array fixes the size c\npass it by keyword, as in c=10"),
    ],
)
def test_contradictions_name_both_places(shapes: dict, more: dict, message: str) -> None:
    with pytest.raises(ArrayError) as error:
        bind([X, W, V, K], shapes, **more)
    assert str(error.value) == message


def test_sizes_that_meet_inside_nodes_are_found() -> None:
    x, y = Input("x", ("n",), ()), Input("y", ("m",), ())
    assert equalities_of([einsum([x, y], ["i", "i"], "")]) == [("n", "m")]
    assert equalities_of([add([x, y])]) == [("n", "m")]
    assert symbols_of([einsum([X, Delta("c"), Ones("k")], ["nd", "cc", "k"], "n")]) == ["n", "d", "c", "k"]


def test_formulas_are_computed_and_give_numbers_to_what_equals_them() -> None:
    x, k = Input("x", ("h",), ()), Input("k", ("u",), ())
    window = Window("h", ("h-u+1", "u"), (1, "s"), "o")
    y = einsum([x, window, k], ["p", "piu", "u"], "i")
    assert symbols_of([y]) == ["h", "h-u+1", "u", "s", "o"]
    bound = bind([x, k], {"x": (9,), "k": (3,)}, equalities=[("h-u+1", "n"), ("2*n+m", "w")], needed=["n", "h-u+1"])
    assert bound == {"h": 9, "u": 3, "n": 7, "h-u+1": 7}
    more = bind([x, k], {"x": (9,), "k": (3,)}, equalities=[("h-u+1", "n"), ("2*n+1", "w")], needed=["w"])
    assert more["w"] == 15
    assert resolve(("2*h+u", 3), bound) == (21, 3)


@pytest.mark.parametrize(
    ("shapes", "more", "message"),
    [
        ({"x": (9,)}, {"needed": ["h-u+1"]}, "no array fixes the size u\npass it by keyword, as in u=10"),
        (
            {"x": (9,), "k": (11,)},
            {"needed": ["h-u+1"]},
            "the size h-u+1 comes to -1, where h is 9 by axis 0 of x and u is 11 by axis 0 of k: "
            "a window is longer than its axis",
        ),
        (
            {"x": (9,), "k": (3,)},
            {"equalities": [("h-u+1", 8)]},
            "the size h-u+1 comes to 7, where h is 9 by axis 0 of x and u is 3 by axis 0 of k, but is declared to be 8",
        ),
        (
            {"x": (9,), "k": (3,), "y": (5,)},
            {"equalities": [("h-u+1", "n")]},
            "the size h-u+1 comes to 7, where h is 9 by axis 0 of x and u is 3 by axis 0 of k, "
            "but n, which it equals, is 5 by axis 0 of y",
        ),
    ],
)
def test_formulas_that_contradict(shapes: dict, more: dict, message: str) -> None:
    x, k, y = Input("x", ("h",), ()), Input("k", ("u",), ()), Input("y", ("n",), ())
    with pytest.raises(ArrayError) as error:
        bind([x, k, y], shapes, **more)
    assert str(error.value) == message
