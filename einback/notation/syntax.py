"""The syntax tree of index programs.

    statement   ::= name [indices] "=" expression
    expression  ::= sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)?
    sum         ::= term (("+" | "-") term)*
    term        ::= "-"? factor (("*" | "/" | nothing) factor)*        from left to right: a / b c is (a / b) c
    factor      ::= atom superscript* ("^" "-"? factor)?               from right to left: a^b^c is a^(b^c)
    atom        ::= number | name [indices] | "(" expression ")" | function "(" expression, .. ")"
                  | reduction [indices] "(" expression ")" | "size" "(" index ")"
    indices     ::= "[" (index ("," index)*)? "]"

A name before a parenthesis is a call if it is a known function's, and a factor otherwise: `exp (x)`,
`lam (a + b)`. Without a blank between them, a name that is no function's must be a tensor that is defined or
read elsewhere: `rellu(x)` is a slip. A superscript binds first, then `^`, products, sums, comparisons; a minus
before a term applies to the whole of it. `√(x)` is sqrt(x), `1[i]` the tensor of ones.

An index is a name; affine indices (`2*i+u`) and gathers (`E[token[b,t],d]`) will be further kinds of it,
and index comparisons (`q >= k`) a further kind of atom. Trees compare by identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from einback.errors import Span
from einback.ir.nodes import Number

__all__ = [
    "Apply",
    "Comparison",
    "Expression",
    "Index",
    "Literal",
    "Negative",
    "Power",
    "Read",
    "SizeOf",
    "Statement",
    "Sum",
    "Term",
    "parts",
    "walk",
]


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index by name, its primes included."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A number."""

    value: Number
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A tensor under its indices. `indices` is None where no bracket was written; `called` says that an
    opening parenthesis follows without a blank.
    """

    name: str
    indices: tuple[Index, ...] | None
    span: Span
    called: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Apply:
    """A known function of entries, or, with indices, a reduction or an axis function; `span` is the name's and
    the bracket's.
    """

    fn: str
    indices: tuple[Index, ...] | None
    args: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class SizeOf:
    """The length of an index."""

    index: Index
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    base: Expression
    exponent: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Negative:
    """The exponent of a^-b."""

    arg: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A product of factors; those at `inverted` positions divide."""

    factors: tuple[Expression, ...]
    inverted: tuple[bool, ...]
    negative: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A whole argument or right-hand side, or what stands in parentheses; `span` holds these too."""

    terms: tuple[Term, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    sign: str
    left: Sum
    right: Sum
    span: Span


Expression = Literal | Read | Apply | SizeOf | Power | Negative | Term | Sum | Comparison


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """name[indices] = value; `span` is the left side's, `parts` are those of the value as `walk` gives them."""

    name: str
    indices: tuple[Index, ...]
    value: Expression
    span: Span
    parts: tuple[Expression, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(walk(self.value)))


def parts(expression: Expression) -> tuple[Expression, ...]:
    """What an expression is made of, in the order of the text."""
    match expression:
        case Sum():
            return expression.terms
        case Term():
            return expression.factors
        case Power():
            return (expression.base, expression.exponent)
        case Negative():
            return (expression.arg,)
        case Apply():
            return expression.args
        case Comparison():
            return (expression.left, expression.right)
        case Literal() | Read() | SizeOf():
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """Every part once, the inner ones first, from left to right; without recursion, brackets nest deep."""
    stack = [(expression, False)]
    while stack:
        part, opened = stack.pop()
        inner = () if opened else parts(part)
        if not inner:
            yield part
            continue
        stack.append((part, True))
        stack.extend((one, False) for one in reversed(inner))
