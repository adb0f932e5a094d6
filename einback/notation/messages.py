"""What the notation says when it cannot read a program: one function a message, each wording once.

A message states the fact, names the operand, the label and the sizes that met, points at the place, and
says what to write instead. Those of einsum strings, declarations and layers are in
`einback.notation.string_messages`, those of index brackets and their sizes in `einback.notation.index_messages`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from einback.errors import NotationError, ShapeError, Span, did_you_mean
from einback.ir.sizes import Size
from einback.notation.syntax import Apply, Comparison, Expression, Power, Sum

_QUOTED = 60  # characters of the program that a hint repeats


def fact(fact: str, hint: str = "") -> Callable[[str, Span], NotationError]:
    """A message that is the same wherever it points."""

    def error(text: str, span: Span) -> NotationError:
        return NotationError(fact, text=text, span=span, hint=hint)

    return error


def not_a_string(value: object) -> NotationError:
    return NotationError(f"a string is expected, not {type(value).__name__}")


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "axis"), count(2, "axis"), count(0, "index")
    ('1 axis', '2 axes', '0 indices')
    """
    plural = {"axis": "axes", "index": "indices", "entry": "entries"}.get(noun, noun + "s")
    return f"{number} {noun if number == 1 else plural}"


# Characters and names

_HINTS = {
    ";": "a statement ends with its line",
    ".": "names have no attributes here, and a number has one point",
    '"': "names are written without quotes",
    "'": "names are written without quotes; a prime stands right behind an index",
    "`": "names are written without quotes",
    "@": "write a matrix product with indices: A[i,k] B[k,j]",
    "\\": "names are written as they are, without a backslash",
    "{": "brackets are ( ) and [ ]",
    "}": "brackets are ( ) and [ ]",
    "!": "write != for unequal",
    ":": "an index is no slice; the size of one stands behind it on the left: y[t:5]",
    "&": "multiply conditions to join them",
    "|": "write maximum(a, b) for conditions a or b",
}


def stray_character(text: str, at: int) -> NotationError:
    return NotationError(
        f"{describe(text[at])} cannot stand here", text=text, span=(at, at + 1), hint=_HINTS.get(text[at], "")
    )


def describe(char: str) -> str:
    """A character for a message: itself where it shows, else its number."""
    if char.isprintable() and not unicodedata.combining(char):
        return f"the character {char}"
    return f"the character U+{ord(char):04X}"


def colliding_names(known: str, spelled: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{spelled} and {known} are the same name after Unicode normalisation (NFKC)",
        text=text,
        span=span,
        hint="use one spelling, or two names that differ more",
    )


def dunder_name(name: str, text: str, span: Span) -> NotationError:
    return NotationError(f"{name} is not a name for a tensor or an index", text=text, span=span)


two_numbers = fact("two numbers stand side by side", "write * between them")


def long_number(digits: int, text: str, span: Span) -> NotationError:
    return NotationError(f"a number of {digits} digits", text=text, span=span, hint="write it as 1e300, or less")


def indexed_number(number: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"the number {number} has indices", text=text, span=span, hint="write ones[..] times the number"
    )


primed_tensor = fact("a tensor's name has no primes", "primes belong to indices")


# Statements and brackets


def empty_program() -> NotationError:
    return NotationError("there is no statement in the program", hint="write for example: y[n] = A[n,m] x[m]")


missing_left_side = fact("a statement begins with the name of what it defines", "write for example: y[n] = A[n,m] x[m]")
missing_equals = fact("= is missing behind the left side", "write for example: y[n] = A[n,m] x[m]")


def assigned_in_place(operator: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{operator} is not supported: every name is defined once",
        text=text,
        span=span,
        hint="give the result a name of its own, with =",
    )


missing_right_side = fact("the right side is missing")
second_equals = fact("a second = in one statement", "write == to compare")


def unclosed(bracket: str, text: str, span: Span) -> NotationError:
    return NotationError(f"this bracket {bracket} is never closed", text=text, span=span)


missing_operand = fact("a tensor or a number is missing here")


def unexpected(text: str, span: Span) -> NotationError:
    return NotationError(f"{text[span[0] : span[1]]} cannot stand here", text=text, span=span)


chained_comparison = fact("comparisons do not chain", "write (a < b) (b < c) for a < b < c")


# Indices


expected_index = fact("the name of an index is missing here")
expected_in_indices = fact("a comma or ] is missing before this")


def unknown_index(name: str, known: Iterable[str], text: str, span: Span) -> NotationError:
    return NotationError(f"no tensor has an index {name}", text=text, span=span, hint=did_you_mean(name, known))


size_of_index = fact("size takes the name of one index", "write for example: size(n)")


def left_index_missing(name: str, tensor: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"index {name} stands on the left of {tensor}, but no term on the right has it",
        text=text,
        span=span,
        hint=f"multiply by ones[{name}] to repeat the right side along {name}",
    )


def bound_and_free(name: str, fn: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"index {name} is used up by {fn}[{name}](..) and cannot be used outside it",
        text=text,
        span=span,
        hint="give one of the two another name",
    )


def bound_twice(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"index {name} is gone over twice at once",
        text=text,
        span=span,
        hint="give one of the two another name",
    )


def reduced_index_missing(name: str, fn: str, text: str, span: Span) -> NotationError:
    return NotationError(f"{fn} goes over index {name}, but its argument does not have it", text=text, span=span)


def two_places(indices: Sequence[str], part: Expression, around: Expression, text: str) -> NotationError:
    """A sum over a part of the text that could as well stand around `around`, which holds the part."""
    over = ",".join(indices)
    match around:
        case Apply():
            what = f"{around.fn}(..)"
        case Power():
            what = "the power"
        case Comparison():
            what = "the comparison"
        case _:
            what = "the quotient"
    inner, outer = (" ".join(text[one.span[0] : one.span[1]].split()) for one in (part, around))
    if len(outer) > _QUOTED:
        inner = outer = ".."
    if not isinstance(part, Sum) or inner == "..":  # the text of a divisor in parentheses holds these
        inner = f"({inner})"
    return NotationError(
        f"the sum over {over} could stand inside or outside of {what}",
        text=text,
        span=part.span,
        hint=f"write sum[{over}]{inner} inside, or sum[{over}]({outer}) around it",
    )


def contracted_and_used(index: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"the sum over {index} could end in this product, or take in the other places of {index} too",
        text=text,
        span=span,
        hint=f"use an index of its own for each sum, or write sum[{index}](..) around what is summed",
    )


def lacking_summand(index: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"a sum over {index} would add up this term size({index}) times, for it has no {index}",
        text=text,
        span=span,
        hint=f"write sum[{index}](..) around what is summed",
    )


# Functions


def unknown_function(name: str, known: Iterable[str], text: str, span: Span) -> NotationError:
    hint = f"a product with a tensor {name} needs a blank or * behind it"
    near = did_you_mean(name, known)
    return NotationError(f"there is no function {name}", text=text, span=span, hint=f"{near}\n{hint}" if near else hint)


def no_argument(name: str, text: str, span: Span) -> NotationError:
    return NotationError(f"{name} has no argument", text=text, span=span)


def wrong_arity(name: str, takes: Sequence[int], given: int, text: str, span: Span) -> NotationError:
    wanted = " or ".join(map(str, takes))
    noun = "argument" if wanted == "1" else "arguments"
    return NotationError(f"{name} takes {wanted} {noun}, and {given} are given", text=text, span=span)


def indices_on_function(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{name} works entry by entry and takes no indices", text=text, span=span, hint=f"write {name}(..)"
    )


_ENTRYWISE = {"max": "maximum(a, b)", "min": "minimum(a, b)", "sum": "a + b", "prod": "a * b"}


def reduction_without_indices(name: str, text: str, span: Span) -> NotationError:
    entrywise = f", or {_ENTRYWISE[name]} entry by entry" if name in _ENTRYWISE else ""
    return NotationError(
        f"{name} needs the indices that it goes over", text=text, span=span, hint=f"write {name}[i](..){entrywise}"
    )


def function_without_argument(name: str, reduces: bool, text: str, span: Span) -> NotationError:
    call = f"{name}[i](..)" if reduces else f"{name}(..)"
    return NotationError(f"{name} is a function", text=text, span=span, hint=f"write {call}")


def matrix_function_of_name(name: str, text: str, span: Span) -> NotationError:
    hint = f"define the matrix in a line of its own: G[i,j] = .., {name}(G)"
    return NotationError(f"{name} takes the name of a tensor", text=text, span=span, hint=hint)


def no_matrix(name: str, fn: str, rank: int, text: str, span: Span) -> ShapeError:
    hint = f"{fn}({name}) is a matrix: write {fn}({name})[i,j]" if not rank else ""
    return ShapeError(f"{fn} is a function of square matrices, and {name} has {count(rank, 'axis')} here",
                      text=text, span=span, hint=hint)  # fmt: skip


def not_square(name: str, fn: str, sizes: tuple[Size, Size], text: str, span: Span) -> ShapeError:
    rows, columns = sizes
    return ShapeError(f"{fn} is a function of square matrices, and {name} has {rows} rows and {columns} columns",
                      text=text, span=span)  # fmt: skip


root_without_bracket = fact("√ needs a bracket behind it", "write √(..) or sqrt(..)")


# Tensors of a program


def defined_twice(name: str, line: int, text: str, span: Span) -> NotationError:
    return NotationError(f"{name} is defined twice, first on line {line}", text=text, span=span)


def defined_and_given(name: str, text: str, span: Span) -> NotationError:
    return NotationError(f"{name} is defined here, and given as well", text=text, span=span, hint="leave one out")


def cycle(names: Sequence[str], text: str, span: Span) -> NotationError:
    if len(names) == 1:
        return NotationError(f"{names[0]} is defined by itself", text=text, span=span)
    around = " -> ".join((*names, names[0]))
    return NotationError(f"the definitions go in a circle: {around}", text=text, span=span)


def unknown_tensor(name: str, near: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{name} is not defined, and looks like {near}",
        text=text,
        span=span,
        hint=f"did you mean {near}? Rename {name} if it is another tensor",
    )


def rank_of_read(known: str, read: int, text: str, span: Span) -> ShapeError:
    """`known` says what the tensor is elsewhere, as `known_rank` puts it."""
    return ShapeError(f"{known}, and is read with {count(read, 'index')} here", text=text, span=span)


def known_rank(name: str, rank: int, line: int | None) -> str:
    """How many axes a tensor has, and from where that is known; no line for a tensor that is given."""
    return f"{name} has {count(rank, 'axis')} {'as it is given' if line is None else f'on line {line}'}"


_ONE = {
    "label": "a size of 1 is repeated only under an ellipsis: write ... in place of the label",
    "index": "an axis of size 1 is not repeated; read it under an index of its own",
}


def size_clash(noun: str, name: str, first: tuple[str, str], second: tuple[str, str], one: bool) -> ShapeError:
    """`first` and `second` are a size and its place; `one` says that one of the sizes is 1."""
    (a, place), (b, other) = first, second
    met = f"sizes {a} and {b} {place}" if place == other else f"size {a} {place} and size {b} {other}"
    return ShapeError(f"{noun} {name} has {met}", hint=_ONE[noun] if one else "")


def bad_size(name: str, size: object) -> ShapeError:
    return ShapeError(f"the size {size!r} of {name} is neither a whole number nor a name")


def no_such_size(name: str, known: Iterable[str]) -> ShapeError:
    return ShapeError(f"a size is given for {name}, but there is no index {name}", hint=did_you_mean(name, known))
