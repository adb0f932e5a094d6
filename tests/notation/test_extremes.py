"""Hostile texts: an answer or an error of the family, soon, and never anything else."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from einback.errors import EinbackError
from einback.ir.nodes import Input
from einback.ir.verify import verify
from einback.notation.declarations import parse_declarations
from einback.notation.einsum_string import einsum_node
from einback.notation.elaborate import elaborate
from einback.notation.layer_text import parse_layer
from tests.calls import counted


def only_our_errors(read: Callable[..., object], *args: object) -> str:
    """The message of the error, or nothing; any other exception fails the test."""
    try:
        read(*args)
    except EinbackError as error:
        return str(error)
    return ""


N = 10_000
LONG = [
    "y = " + "(" * N + "x" + ")" * N,
    "y = " + "(" * N,
    "y = " + ")" * N,
    "y = " + "[" * N,
    "y = " + "x[" * N,
    "y = " + "f(" * N,
    "y[i] = " + "exp(" * N + "x[i]" + ")" * N,
    "y[i] = " + "(" * 5_000 + "x[i]" + "+ a)" * 5_000,
    "y = " + "-" * 100_000 + "x",
    "y = " + "x^" * N + "x",
    "y = " + "9^" * N + "9",
    "y = x" + "²⁻¹" * N,
    "y[i] = " + " + ".join(["x[i]"] * N),
    "y = " + " ".join(["x[i]"] * N),
    "y = " + " + ".join(f"x[i{k}]" for k in range(5_000)),
    "y = " + " + ".join(["sum[i](x[i])"] * 5_000),
    "y = " + "".join(f"sum[i{k}](x[i{k}] + " for k in range(3_000)) + "1" + ")" * 3_000,
    "y = " + "1e308*" * N + "1",
    "y = " + "9" * 100_000,
    "x" * 100_000,
    "y[i] = x[" + "+".join(["i"] * 50_000) + "]",
    "y[i] = x[" + "+".join(f"i{k}" for k in range(10_000)) + "]",
    "y[i] = x[" + "+".join(f"i{k}" for k in range(3_000)) + "] " + " ".join(f"w[i{k}]" for k in range(1, 3_000)),
    "y[i] = x[" + "2*" * 50_000 + "i]",
    "y[i] = x[" + "-" * 100_000 + "i]",
    "y[i] = x[" + "t[" * N + "i" + "]" * N + "]",
    "y[i] = x[" + "(" * N,
    "y[i] = x[(" + " ".join(f"i{k}:2" for k in range(10_000)) + ")]",
    "y = x[(" + " ".join(f"i{k}:999999999999999999" for k in range(64)) + ")]",
    "y[(" + " ".join(f"i{k}" for k in range(60)) + ")] = " + " ".join(f"x[i{k}]" for k in range(60)),
    "y = " + " ".join(f"x[(i{k} j{k}:2)]" for k in range(2_000)),
    "y = " + " + ".join(f"x[{k}*i+{k}]" for k in range(1, 5_000)),
    "y = " + " ".join(f"x[t[i{k}]]" for k in range(3_000)),
    "y[i] = " + "(" * N + "i > 0" + ")" * N + " x[i]",
    "y[i] = x[i] " + " ".join(["(i > 0)"] * N),
    "x" + ":" * 100_000,
    "#" * 100_000,
    "\n" * 100_000,
    "y = 1" + ";" * 100_000,
]


@pytest.mark.parametrize("text", LONG, ids=[text[:12] + ".." for text in LONG])
def test_long_texts_take_no_time(text: str) -> None:
    message, calls = counted(lambda: only_our_errors(lambda: verify(elaborate(text).tensors.values())))
    assert len(message) < 1_000
    assert calls < 250 * len(text)  # up to 160 where that is linear; thousands where it is quadratic


def test_many_convolutions() -> None:
    lines = [f"h{k + 1}[i] = h{k}[2*i+u-1] W{k}[u]" for k in range(200)]
    program = elaborate("\n".join(reversed(lines)).replace("[i]", "[i:8]"))
    assert program.tensors["h200"].shape == (8,)


def test_many_statements() -> None:
    lines = [f"h{k + 1}[i] = tanh(W{k}[i,j] h{k}[j])" for k in range(2_000)]
    program = elaborate("\n".join(reversed(lines)))
    assert len(program.inputs) == 2_001
    assert len(program.size_names) == 1


PIECES = st.sampled_from(
    ["x[2*i+u]", "(i j)", ":2", ":n", "t[i]", "i > j", "2*i-1", "δ[i,j+2*u]", "E[t[j]]"]
    + ["x", "W", "exp", "sum", "softmax", "where", "size", "max", "ones", "δ", "pi", "inf", "i", "j", "[i]", "[i,j]"]
    + ["[", "]", "(", ")", ",", "+", "-", "*", "/", "^", "**", "=", "==", "<", ">=", "²", "⁻¹", "√", "'", "′", "1"]
    + [
        "0",
        "2.5",
        "1e9",
        ".",
        "\n",
        " ",
        "  ",
        "#",
        ";",
        '"',
        "\\",
        "é",
        "ﬁ",
        "\u200b",
        "\x00",
        "__class__",
        "->",
        "...",
    ]
)
TEXTS = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=25).map("".join))


@given(TEXTS)
@settings(max_examples=300)
@example("\ud800")
@example("s = x[i]^x[i]^")
@example("s = 0^-1 + 1/0 - inf inf")
def test_any_program(text: str) -> None:
    only_our_errors(elaborate, text)
    only_our_errors(elaborate, f"y[i] = {text}")
    only_our_errors(elaborate, f"s = {text}", {"x": Input("x", (3,), ()), "W": Input("W", ("n", 1), ())})


@given(TEXTS)
def test_any_declaration(text: str) -> None:
    only_our_errors(parse_declarations, text)


LETTERS = st.lists(st.sampled_from(list("iijk,,...->  .%'αβ1_\n") + ["...", "->", "word "]), max_size=14).map("".join)
OPERANDS = st.lists(
    st.lists(st.sampled_from([1, 2, 3, "n", "m"]), max_size=4).map(lambda sizes: Input("x", tuple(sizes), ())),
    max_size=3,
)


@given(st.one_of(LETTERS, TEXTS), OPERANDS)
@settings(max_examples=500)
def test_any_einsum_string(spec: str, operands: list[Input]) -> None:
    only_our_errors(lambda: verify([einsum_node(spec, operands).node]))


@given(st.one_of(LETTERS, TEXTS))
def test_any_layer(text: str) -> None:
    def read() -> None:
        layer = parse_layer(text)
        layer.build(layer.bind([Input("X", ("n", 3), ())][: len(layer.slots)], {}), "1")

    only_our_errors(read)
