"""Every message of einsum strings, by its full text."""

import inspect

import pytest

from einback.errors import EinbackError
from einback.ir.nodes import Input
from einback.notation.einsum_string import einsum_node

SHAPES = {"A": (2, 3), "B": (4, 5), "u": (1,), "v": (3,)}

CASES = [
    (
        "ij,jk->ik->il",
        "A B",
        r"""
        two arrows in one string
          ij,jk->ik->il
                   ^^
        an einsum string has one output
        """,
    ),
    (
        "ij,jk-ik",
        "A B",
        r"""
        half an arrow
          ij,jk-ik
               ^
        write -> between the operands and the output
        """,
    ),
    (
        "ij,jk>ik",
        "A B",
        r"""
        half an arrow
          ij,jk>ik
               ^
        write -> between the operands and the output
        """,
    ),
    (
        "i%j",
        "A",
        r"""
        the character % cannot be a label
          i%j
           ^
        """,
    ),
    (
        "i..j",
        "A",
        r"""
        a dot that is no part of an ellipsis
          i..j
           ^
        an ellipsis is ...
        """,
    ),
    (
        "i....j",
        "A",
        r"""
        a dot that is no part of an ellipsis
          i....j
              ^
        an ellipsis is ...
        """,
    ),
    (
        "...i...",
        "A",
        r"""
        two ellipses in one term
          ...i...
              ^^^
        """,
    ),
    (
        "i->ij",
        "v",
        r"""
        output label j is in no operand
          i->ij
              ^
        a new axis needs a size: add an operand of ones
        """,
    ),
    (
        "ij,jk",
        "A",
        r"""
        the string has 2 terms for 1 operand (A)
          ij,jk
          ^^^^^
        write one term for each operand, with commas between
        """,
    ),
    (
        "ij",
        "A B",
        r"""
        the string has 1 term for 2 operands (A, B)
          ij
          ^^
        write one term for each operand, with commas between
        """,
    ),
    (
        "ijk",
        "A",
        r"""
        operand 1 (A) has 2 axes, but 3 labels in the string
          ijk
          ^^^
        write one label for each axis
        """,
    ),
    (
        "i",
        "A",
        r"""
        operand 1 (A) has 2 axes, but 1 label in the string
          i
          ^
        write one label for each axis, or ... for the further axes
        """,
    ),
    (
        "ijk...",
        "A",
        r"""
        operand 1 (A) has 2 axes, but 3 labels in the string
          ijk...
          ^^^^^^
        write one label for each axis
        """,
    ),
    (
        "ij,jk->ik",
        "A B",
        r"""
        label j has size 3 in operand 1 (A) and size 4 in operand 2 (B)
          ij,jk->ik
             ^
        """,
    ),
    (
        "i,i",
        "u v",
        r"""
        label i has size 1 in operand 1 (u) and size 3 in operand 2 (v)
          i,i
            ^
        a size of 1 is repeated only under an ellipsis: write ... in place of the label
        """,
    ),
    (
        "ii",
        "A",
        r"""
        label i has sizes 2 and 3 in operand 1 (A)
          ii
           ^
        """,
    ),
    (
        "...i,...i",
        "A B",
        r"""
        shapes [2] and [4] do not broadcast: sizes 2 and 4 meet on axis -1
          ...i,...i
          ^^^
        axes are aligned from the right; only a size of 1 meets another size
        """,
    ),
    (
        "...i->i",
        "A",
        r"""
        the output has no place for the 1 axis of the ellipsis
          ...i->i
                ^
        write ... in the output as well
        """,
    ),
    (
        "ij->i,j",
        "A",
        r"""
        a comma in the output
          ij->i,j
               ^
        an einsum string has one output
        """,
    ),
    (
        "i1",
        "A",
        r"""
        the character 1 cannot be a label
          i1
           ^
        """,
    ),
    (
        "batch head, head k -> batch k",
        "A B",
        r"""
        label head has size 3 in operand 1 (A) and size 4 in operand 2 (B)
          batch head, head k -> batch k
                      ^^^^
        """,
    ),
    (
        "i,\nj%",
        "u v",
        r"""
        the character % cannot be a label
          line 2: j%
                   ^
        """,
    ),
    (
        "ﬁ,ﬁ b,fi",
        "A A v",
        r"""
        fi and ﬁ are the same name after Unicode normalisation (NFKC)
          ﬁ,ﬁ b,fi
                ^^
        use one spelling, or two names that differ more
        """,
    ),
]


@pytest.mark.parametrize(("spec", "operands", "message"), CASES, ids=[repr(case[0]) for case in CASES])
def test_message(spec: str, operands: str, message: str) -> None:
    names = operands.split()
    with pytest.raises(EinbackError) as caught:
        einsum_node(spec, [Input(name, SHAPES[name], ()) for name in names], names)
    assert str(caught.value) == inspect.cleandoc(message)


def test_without_names() -> None:
    with pytest.raises(EinbackError) as caught:
        einsum_node("ij,jk", [Input("A", (2, 3), ())])
    assert caught.value.fact == "the string has 2 terms for 1 operand"
    with pytest.raises(EinbackError) as caught:
        einsum_node("i", [Input("A", (2, 3), ())])
    assert caught.value.fact == "operand 1 has 2 axes, but 1 label in the string"


def test_not_a_string() -> None:
    with pytest.raises(EinbackError) as caught:
        einsum_node(3, [])  # type: ignore[arg-type]
    assert str(caught.value) == "a string is expected, not int"


def test_sizes_that_clash_through_a_symbol() -> None:
    operands = [Input("A", ("n", "n"), ()), Input("B", (3, 4), ())]
    with pytest.raises(EinbackError) as caught:
        einsum_node("ij,ij", operands, ["A", "B"])
    assert caught.value.fact == "label j has size n = 3 in operand 1 (A) and size 4 in operand 2 (B)"
