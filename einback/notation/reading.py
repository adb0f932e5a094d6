"""What the parser has on its stack: open brackets, and the expressions that are being read in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from einback.errors import Span
from einback.notation.syntax import Apply, Comparison, Expression, Negative, Power, Read, Sum, Term

__all__ = ["Bracket", "Reading"]


@dataclass(slots=True)
class Reading:
    """An expression that is being read: its finished terms, and the factors of the term at hand."""

    start: int
    compared: tuple[str, Sum] | None = None
    terms: list[Term] = field(default_factory=list)
    factors: list[Expression] = field(default_factory=list)
    inverted: list[bool] = field(default_factory=list)
    term_start: int = 0
    negative: bool = False
    divide: bool = False
    towers: list[tuple[Expression, bool]] = field(default_factory=list)  # bases, and whether the exponent is negative

    def sign(self) -> None:
        """A minus where an operand is expected: it belongs to the exponent at hand, or else to the term."""
        if self.towers:
            base, negative = self.towers[-1]
            self.towers[-1] = (base, not negative)
        else:
            self.negative = not self.negative

    def add_factor(self, atom: Expression) -> None:
        """Fold a^b^atom from the right, and put it into the product."""
        while self.towers:
            base, negative = self.towers.pop()
            exponent = Negative(atom, atom.span) if negative else atom
            atom = Power(base, exponent, (base.span[0], atom.span[1]))
        if not self.factors:
            self.term_start = atom.span[0]
        self.factors.append(atom)
        self.inverted.append(self.divide)
        self.divide = False

    def end_term(self, end: int) -> None:
        span = (self.term_start, end)
        self.terms.append(Term(tuple(self.factors), tuple(self.inverted), self.negative, span))
        self.factors, self.inverted, self.negative = [], [], False

    def end_sum(self, end: int) -> Sum:
        done = Sum(tuple(self.terms), (self.start, end))
        self.terms = []
        return done

    def end(self, end: int) -> Sum | Comparison:
        right = self.end_sum(end)
        if self.compared is None:
            return right
        sign, left = self.compared
        return Comparison(sign, left, right, (left.span[0], end))


@dataclass(slots=True)
class Bracket:
    """An open bracket, or the statement itself: what is read in it, and the function it belongs to."""

    opening: Span
    reading: Reading
    call: Apply | None = None  # with no arguments yet
    before: Read | None = None  # a name that stands before the bracket and is no function's
    args: list[Expression] = field(default_factory=list)
