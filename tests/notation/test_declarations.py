"""Declarations: what they mean, and every message by its full text."""

import inspect

import pytest

from einback.errors import EinbackError
from einback.notation.declarations import parse_declaration, parse_declarations, parse_sizes

CASES = [
    (
        "",
        r"""
        no tensor is declared
        write for example: eb.tensors("X[n,d] W[d,c] b[c]")
        """,
    ),
    (
        "X[n,d",
        r"""
        this bracket [ is never closed
          X[n,d
           ^
        """,
    ),
    (
        "X[n d]",
        r"""
        a comma or ] is missing before this
          X[n d]
              ^
        """,
    ),
    (
        "X[n,d] X[c]",
        r"""
        X is declared twice
          X[n,d] X[c]
                 ^^^^
        """,
    ),
    (
        "X[1.5]",
        r"""
        a size is a name or a whole number
          X[1.5]
            ^^^
        """,
    ),
    (
        "X[-1]",
        r"""
        a size is a name or a whole number
          X[-1]
            ^
        """,
    ),
    (
        "[n]",
        r"""
        the name of a tensor is expected here
          [n]
          ^
        write for example: X[n,d] W[d,c] b[c]
        """,
    ),
    (
        "X[n,d]]",
        r"""
        the name of a tensor is expected here
          X[n,d]]
                ^
        write for example: X[n,d] W[d,c] b[c]
        """,
    ),
    (
        "X n,",
        r"""
        the name of a tensor is expected here
          X n,
             ^
        write for example: X[n,d] W[d,c] b[c]
        """,
    ),
    (
        "X' [n]",
        r"""
        a tensor's name has no primes
          X' [n]
          ^^
        primes belong to indices
        """,
    ),
    (
        "X[n,d]; Y",
        r"""
        the character ; cannot stand here
          X[n,d]; Y
                ^
        a statement ends with its line
        """,
    ),
    (
        "3",
        r"""
        the name of a tensor is expected here
          3
          ^
        write for example: X[n,d] W[d,c] b[c]
        """,
    ),
    (
        "X[n,,d]",
        r"""
        a size is a name or a whole number
          X[n,,d]
              ^
        """,
    ),
    (
        "X[n Y[c]",
        r"""
        a comma or ] is missing before this
          X[n Y[c]
              ^
        """,
    ),
    (
        'X["n"]',
        r"""
        the character " cannot stand here
          X["n"]
            ^
        names are written without quotes
        """,
    ),
    (
        "x.y",
        r"""
        the character . cannot stand here
          x.y
           ^
        names have no attributes here, and a number has one point
        """,
    ),
    (
        "<img onerror=1>",
        r"""
        the name of a tensor is expected here
          <img onerror=1>
          ^
        write for example: X[n,d] W[d,c] b[c]
        """,
    ),
    (
        "X[n] µ μ",
        r"""
        μ and µ are the same name after Unicode normalisation (NFKC)
          X[n] µ μ
                 ^
        use one spelling, or two names that differ more
        """,
    ),
]


@pytest.mark.parametrize(("text", "message"), CASES, ids=[repr(case[0]) for case in CASES])
def test_message(text: str, message: str) -> None:
    with pytest.raises(EinbackError) as caught:
        parse_declarations(text)
    assert str(caught.value) == inspect.cleandoc(message)


def declared(text: str) -> list[tuple[object, ...]]:
    return [(one.name, one.sizes, one.index_names) for one in parse_declarations(text)]


def test_several_tensors() -> None:
    assert declared("X[n,d] Y[n,c] W[d,c] b[c] s A[3,3] u[]") == [
        ("X", ("n", "d"), ("n", "d")),
        ("Y", ("n", "c"), ("n", "c")),
        ("W", ("d", "c"), ("d", "c")),
        ("b", ("c",), ("c",)),
        ("s", (), ()),
        ("A", (3, 3), ("", "")),
        ("u", (), ()),
    ]


def test_blanks_commas_lines_and_comments() -> None:
    assert declared("X [ n , d ],\n  b[c]  # the bias\n s") == declared("X[n,d] b[c] s")


def test_one_size_on_several_axes() -> None:
    assert declared("A[n,n,n]") == [("A", ("n", "n", "n"), ("n", "n'", "n''"))]
    assert declared("A[n',n]") == [("A", ("n", "n"), ("n'", "n"))]
    assert declared("A[n,n′]") == [("A", ("n", "n"), ("n", "n'"))]


def test_names_of_all_scripts_and_of_python() -> None:
    names = ["λ", "重み", "class", "lambda", "np", "sum", "é", "W_1", "_"]
    assert [name for name, _, _ in declared(" ".join(names))] == names


def test_names_are_kept_as_python_keeps_them() -> None:
    assert declared("µ[ϕ]") == [("μ", ("φ",), ("φ",))]
    assert declared("e\u0301") == [("é", (), ())]


def test_zero_size() -> None:
    assert declared("X[0,d]") == [("X", (0, "d"), ("", "d"))]


def test_one_declaration() -> None:
    assert parse_declaration("X[n]").name == "X"
    with pytest.raises(EinbackError) as caught:
        parse_declaration("X[n] Y[n]")
    assert str(caught.value) == "one tensor is expected\n  X[n] Y[n]\n       ^^^^\neb.tensors declares several"


def test_sizes_alone() -> None:
    assert parse_sizes("[n,3]") == (("n", 3), ("n", ""))
    assert parse_sizes("[]") == ((), ())
    with pytest.raises(EinbackError) as caught:
        parse_sizes("n")
    assert str(caught.value) == "sizes in brackets are expected here\n  n\n  ^\nwrite for example: [n,d]"
    with pytest.raises(EinbackError) as caught:
        parse_sizes("[n] x")
    assert str(caught.value) == "x cannot stand here\n  [n] x\n      ^"
