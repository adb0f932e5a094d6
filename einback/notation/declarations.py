"""Declarations of tensors: `"X[n,d] W[d,c] b[c] A[3,3] s"`.

What stands in brackets are sizes: names, or whole numbers. Equal names are equal sizes, and primes are
decoration: `A[n,n']` is n by n, with axes that are called n and n'.
"""

from __future__ import annotations

from dataclasses import dataclass

from einback.errors import Span
from einback.ir.sizes import Size
from einback.notation import messages, string_messages
from einback.notation.tokens import Token, tokenize
from einback.notation.unify import base, distinct_names

__all__ = ["Declared", "parse_declaration", "parse_declarations", "parse_sizes"]


@dataclass(frozen=True, slots=True)
class Declared:
    """A tensor's name, its sizes, and what its axes are called ("" where the size is a number)."""

    name: str
    sizes: tuple[Size, ...]
    index_names: tuple[str, ...]
    span: Span


def parse_declarations(text: str) -> list[Declared]:
    """The tensors that a text declares; blanks or commas stand between them.

    >>> [(one.name, one.sizes) for one in parse_declarations("X[n,d] A[3,n'] s u[]")]
    [('X', ('n', 'd')), ('A', (3, 'n')), ('s', ()), ('u', ())]
    """
    reader = _Reader(text)
    found: dict[str, Declared] = {}
    while reader.token.kind != "end":
        one = reader.tensor()
        if one.name in found:
            raise string_messages.declared_twice(one.name, text, one.span)
        found[one.name] = one
        reader.skip_comma()
    if not found:
        raise string_messages.no_declaration()
    return list(found.values())


def parse_declaration(text: str) -> Declared:
    """The one tensor that a text declares."""
    found = parse_declarations(text)
    if len(found) > 1:
        raise string_messages.one_declaration(text, found[1].span)
    return found[0]


def parse_sizes(text: str) -> tuple[tuple[Size, ...], tuple[str, ...]]:
    """Sizes without a name, and the names of their axes.

    >>> parse_sizes("[n,n,3]")
    (('n', 'n', 3), ('n', "n'", ''))
    """
    reader = _Reader(text)
    if not reader.token.is_op("["):
        raise string_messages.expected_sizes(text, reader.token.span)
    sizes = reader.sizes()
    if reader.token.kind != "end":
        raise messages.unexpected(text, reader.token.span)
    return sizes


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [token for token in tokenize(text) if token.kind != "newline"]
        self.at = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.token
        self.at += token.kind != "end"
        return token

    def skip_comma(self) -> None:
        if self.token.is_op(","):
            comma = self.take()
            if self.token.kind == "end":
                raise string_messages.expected_tensor(self.text, comma.span)

    def tensor(self) -> Declared:
        name = self.take()
        if name.kind != "name":
            raise string_messages.expected_tensor(self.text, name.span)
        if name.primes:
            raise messages.primed_tensor(self.text, name.span)
        sizes, names = self.sizes() if self.token.is_op("[") else ((), ())
        return Declared(name.text, sizes, names, (name.span[0], self.tokens[self.at - 1].span[1]))

    def sizes(self) -> tuple[tuple[Size, ...], tuple[str, ...]]:
        opening = self.take()
        found: list[tuple[Size, str]] = []
        if self.token.is_op("]"):
            self.take()
            return (), ()
        while True:
            found.append(self.size(opening))
            token = self.take()
            if token.is_op("]"):
                sizes = tuple(size for size, _ in found)
                return sizes, distinct_names(name for _, name in found)
            if token.kind == "end" or token.is_op("["):
                raise messages.unclosed("[", self.text, opening.span)
            if not token.is_op(","):
                raise messages.expected_in_indices(self.text, token.span)

    def size(self, opening: Token) -> tuple[Size, str]:
        """A size, and what its axis is called."""
        token = self.take()
        if token.kind == "name":
            name = token.text + "'" * token.primes
            return base(name), name
        if token.kind == "number" and token.text.isdigit() and len(token.text) <= 18:
            return int(token.text), ""
        if token.kind == "end":
            raise messages.unclosed("[", self.text, opening.span)
        raise string_messages.expected_size(self.text, token.span)
