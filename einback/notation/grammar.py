"""Index programs to syntax trees (see `einback.notation.syntax` for the grammar).

The parser keeps a stack of open brackets instead of calling itself, so that neither deep nesting nor long
lines meet a limit. It has two states: `operand` reads up to a complete atom and opens brackets on the way,
`operator` reads what follows an atom and closes them.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final

from einback.errors import EinbackError, Span
from einback.ir.build import exact
from einback.ir.nodes import Number
from einback.notation import index_messages, messages
from einback.notation.index_grammar import IndexReader
from einback.notation.reading import Bracket, Reading
from einback.notation.syntax import Apply, Expression, Group, Index, Literal, Place, Power, Read, SizeOf, Statement
from einback.notation.tokens import Token
from einback.rules.composite import AXIS_FUNCTIONS, FUNCTIONS, REDUCTIONS
from einback.rules.matrix import matrix_row
from einback.rules.matrix_functions import MATRIX_FUNCTIONS

__all__ = ["KNOWN", "parse"]

KNOWN: Final = frozenset({*FUNCTIONS, *REDUCTIONS, *AXIS_FUNCTIONS, *MATRIX_FUNCTIONS})

_COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")
_LONGEST: Final = 300  # digits of an integer: a float's range


def parse(text: str) -> tuple[Statement, ...]:
    """The statements of a text, in its order.

    >>> [statement.name for statement in parse("Z[n,c] = X[n,d] W[d,c] + b[c]")]
    ['Z']
    """
    return _Parser(text).statements()


class _Parser(IndexReader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.stack: list[Bracket] = []

    def place(self, token: Token) -> Span:
        """Where to point for a token; the end of a line is pointed at behind its last character."""
        return (self.end, self.end + 1) if token.kind in ("newline", "end") else token.span

    # Statements

    def statements(self) -> tuple[Statement, ...]:
        found = []
        while self.token.kind != "end":
            if self.token.kind == "newline":
                self.take()
            else:
                found.append(self.statement())
        if not found:
            raise messages.empty_program()
        return tuple(found)

    def statement(self) -> Statement:
        if self.token.text == "where" and self.tokens[self.at + 1].kind == "name":
            self.take()
        name = self.token
        if name.kind != "name":
            raise messages.missing_left_side(self.text, name.span)
        self.take()
        self.no_primes(name)
        indices = self.left_indices() if self.token.is_op("[") else ()
        span = (name.span[0], self.end)
        if self.token.is_op("+", "-", "*", "/", "^") and self.tokens[self.at + 1].is_op("="):
            operator, equals = self.take(), self.take()
            raise messages.assigned_in_place(f"{operator.text}=", self.text, (operator.span[0], equals.span[1]))
        if not self.token.is_op("="):
            raise messages.missing_equals(self.text, self.place(self.token))
        equals = self.take()
        if self.token.kind in ("newline", "end"):
            raise messages.missing_right_side(self.text, equals.span)
        return Statement(name.text, indices, self.expression(), span)

    def left_indices(self) -> tuple[Index | Group, ...]:
        found: list[Index | Group] = []
        for place in self.places():
            if not isinstance(place, Index | Group):
                raise index_messages.affine_left(isinstance(place, Read), self.text, place.span)
            found.append(place)
        return tuple(found)

    # Expressions

    def expression(self) -> Expression:
        """A right-hand side, and the newline behind it."""
        self.stack = [Bracket(self.token.span, Reading(self.token.span[0]))]
        done = None
        while done is None:
            done = self.operator(self.operand())
        return done

    def operand(self) -> Expression:
        """The next atom, with every bracket before it opened."""
        while True:
            token, reading = self.token, self.stack[-1].reading
            if token.kind == "number":
                return self.number(self.take())
            if token.kind == "name":
                if (atom := self.named(self.take())) is not None:
                    return atom
            elif token.is_op("("):
                self.open(self.take(), before=reading.factors[-1] if reading.factors else None)
            elif token.is_op("√"):
                self.root(self.take())
            elif token.is_op("+", "-"):
                if self.take().text == "-":
                    reading.sign()
            else:
                raise self.no_operand(token)

    def operator(self, atom: Expression) -> Expression | None:
        """What follows an atom, up to the next operand; the whole expression where it ends."""
        while True:
            reading = self.stack[-1].reading
            while self.token.kind == "superscript":
                token = self.take()
                atom = Power(atom, Literal(self.integer(token), token.span), (atom.span[0], token.span[1]))
            if self.token.is_op("^"):
                self.take()
                reading.towers.append((atom, False))
                return None
            reading.add_factor(atom)
            token = self.token
            if token.kind in ("name", "number") or token.is_op("(", "√"):
                return None
            if token.is_op("*", "/"):
                reading.divide = self.take().text == "/"
                return None
            reading.end_term(self.end)
            if token.is_op("+", "-"):
                reading.negative = self.take().text == "-"
                return None
            if token.is_op(*_COMPARISONS):
                self.compare()
                return None
            if token.is_op(","):
                self.next_argument()
                return None
            if token.is_op(")") and len(self.stack) > 1:
                atom = self.close()
                continue
            if token.kind in ("newline", "end") and len(self.stack) == 1:
                done = reading.end(self.end)
                self.take()
                return done
            raise self.no_operator(token)

    def open(self, token: Token, call: Apply | None = None, before: Expression | None = None) -> None:
        named = before if isinstance(before, Read) and before.called else None
        self.stack.append(Bracket(token.span, Reading(token.span[1]), call, named))

    def close(self) -> Expression:
        bracket = self.stack.pop()
        inner = bracket.reading.end(self.end)
        closing = self.take()
        if bracket.call is None:
            return replace(inner, span=(bracket.opening[0], closing.span[1]))
        call = bracket.call
        span = (call.span[0], closing.span[1])
        return Apply(call.fn, call.indices, (*bracket.args, inner), span)

    def compare(self) -> None:
        reading = self.stack[-1].reading
        if reading.compared is not None:
            raise messages.chained_comparison(self.text, self.token.span)
        left = reading.end_sum(self.end)
        reading.compared = (self.take().text, left)
        reading.start = self.end

    def next_argument(self) -> None:
        bracket = self.stack[-1]
        if bracket.call is None:
            if bracket.before is not None:
                raise messages.unknown_function(bracket.before.name, KNOWN, self.text, bracket.before.span)
            raise messages.unexpected(self.text, self.token.span)
        bracket.args.append(bracket.reading.end(self.end))
        token = self.take()
        bracket.reading = Reading(token.span[1])

    # Atoms

    def number(self, token: Token) -> Expression:
        if not self.token.is_op("["):
            return Literal(self.integer(token) if token.text.isdigit() else exact(float(token.text)), token.span)
        if token.text != "1":
            raise messages.indexed_number(token.text, self.text, token.span)
        indices = self.places()
        self.check_sizes(indices)
        return Read("1", indices, (token.span[0], self.end))

    def integer(self, token: Token) -> Number:
        if len(token.text) > _LONGEST:
            raise messages.long_number(len(token.text), self.text, token.span)
        return Fraction(int(token.text))

    def named(self, token: Token) -> Expression | None:
        """A tensor, a size, or None where a function's bracket was opened."""
        bracket = self.token.is_op("[")
        if bracket or self.token.is_op("("):
            self.no_primes(token)
        if token.text == "size" and self.token.is_op("("):
            return self.size_of(token)
        if token.text in MATRIX_FUNCTIONS and self.token.is_op("("):
            return self.matrix_function(token)
        indices = self.places() if bracket else None
        span = (token.span[0], self.end)
        if self.token.is_op("(") and token.text in KNOWN:
            self.open(self.take(), call=Apply(token.text, self.bound(indices, token), (), span))
            return None
        self.check_sizes(indices or ())
        name = token.text + "'" * token.primes  # an index in a comparison may have primes
        return Read(name, indices, span, called=self.token.is_op("(") and self.token.glued)

    def bound(self, places: tuple[Place, ...] | None, function: Token) -> tuple[Index, ...] | None:
        """The indices that a function goes over; those of a reduction may say their sizes."""
        if places is None:
            return None
        found = []
        for place in places:
            if not isinstance(place, Index):
                if function.text in FUNCTIONS:
                    span = (function.span[0], self.end)
                    raise messages.indices_on_function(function.text, self.text, span)
                raise index_messages.affine_in_function(function.text, self.text, place.span)
            if place.size is not None and function.text not in REDUCTIONS:
                raise index_messages.misplaced_size(self.text, place.span)
            found.append(place)
        return tuple(found)

    def root(self, token: Token) -> None:
        if not self.token.is_op("("):
            raise messages.root_without_bracket(self.text, token.span)
        self.open(self.take(), call=Apply("sqrt", None, (), token.span))

    def size_of(self, token: Token) -> Expression:
        opening = self.take()
        name = self.take()
        if name.kind != "name":
            raise messages.size_of_index(self.text, self.place(name))
        closing = self.take()
        if not closing.is_op(")"):
            if closing.kind in ("newline", "end"):
                raise messages.unclosed("(", self.text, opening.span)
            raise messages.size_of_index(self.text, closing.span)
        return SizeOf(Index(name.text + "'" * name.primes, name.span), (token.span[0], closing.span[1]))

    def matrix_function(self, token: Token) -> Expression:
        opening, name = self.take(), self.take()
        if name.kind in ("newline", "end"):
            raise messages.unclosed("(", self.text, opening.span)
        if name.is_op(")"):
            raise messages.no_argument(token.text, self.text, (token.span[0], self.end))
        if name.kind != "name" or not self.token.is_op(")"):
            raise messages.matrix_function_of_name(token.text, self.text, self.place(name))
        self.no_primes(name)
        self.take()
        indices = self.places() if self.token.is_op("[") else None
        self.check_sizes(indices or ())
        fn = MATRIX_FUNCTIONS[token.text]
        return Read(name.text, indices, (token.span[0], self.end), fn=fn, hidden=2 - matrix_row(fn).keeps)

    # Faults

    def no_operand(self, token: Token) -> EinbackError:
        bracket = self.stack[-1]
        if token.is_op(":"):
            return messages.stray_character(self.text, token.span[0])
        if token.is_op(")") and bracket.call is not None and not bracket.args:
            return messages.no_argument(bracket.call.fn, self.text, bracket.call.span)
        if token.kind in ("newline", "end") and len(self.stack) > 1:
            return messages.unclosed("(", self.text, bracket.opening)
        return messages.missing_operand(self.text, self.place(token))

    def no_operator(self, token: Token) -> EinbackError:
        opening = self.stack[-1].opening
        if token.is_op(":"):
            return messages.stray_character(self.text, token.span[0])
        deep = len(self.stack) > 1
        if token.is_op("=") and not (deep and "\n" in self.text[opening[0] : token.span[0]]):
            return messages.second_equals(self.text, token.span)
        if deep and (token.is_op("=") or token.kind in ("newline", "end")):
            return messages.unclosed("(", self.text, opening)
        return messages.unexpected(self.text, token.span)
