"""The syntax tree of index programs.

    statement   ::= name [indices] "=" expression
    expression  ::= sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)?
    sum         ::= term (("+" | "-") term)*
    term        ::= "-"? factor (("*" | "/" | nothing) factor)*        from left to right: a / b c is (a / b) c
    factor      ::= atom superscript* ("^" "-"? factor)?               from right to left: a^b^c is a^(b^c)
    atom        ::= number | name [indices] | "(" expression ")" | function "(" expression, .. ")"
                  | reduction [indices] "(" expression ")" | "size" "(" index ")"
                  | matrix function "(" name ")" [indices]             inv(A)[i,j], det(A)
    indices     ::= "[" (position ("," position)*)? "]"
    position    ::= index | affine | group | name indices              i, 2*i+u-1, (h w), token[b,t]
    affine      ::= "-"? step (("+" | "-") step)*
    step        ::= number | index | number "*"? index | index "*" number
    group       ::= "(" index index+ ")"
    index       ::= name (":" (number | name))?

A name before a parenthesis is a call if it is a known function's, and a factor otherwise: `exp (x)`,
`lam (a + b)`. Without a blank between them, a name that is no function's must be a tensor that is defined or
read elsewhere: `rellu(x)` is a slip. A superscript binds first, then `^`, products, sums, comparisons; a minus
before a term applies to the whole of it. `√(x)` is sqrt(x), `1[i]` the tensor of ones.

A tensor in an index position is a gather. The left side of a statement takes indices and groups, a reduction
indices alone; the size behind `:` stands on the left, in reductions and in groups. Within a comparison the name of
an index is an atom: its position, as in `where(q >= k, ..)`; `einback.notation.comparisons` finds these. Trees
compare by identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from einback.errors import Span
from einback.ir.nodes import Number

__all__ = [
    "Affine",
    "Apply",
    "Comparison",
    "Expression",
    "Group",
    "Hidden",
    "Index",
    "Literal",
    "Negative",
    "Place",
    "Position",
    "Power",
    "Read",
    "SizeOf",
    "Statement",
    "Sum",
    "Term",
    "own_indices",
    "parts",
    "rebuilt",
    "walk",
]


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index by name, its primes included, and the size that is written behind it."""

    name: str
    span: Span
    size: int | str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """offset + the sum of step * index; every index stands once, and its step is not zero."""

    indices: tuple[Index, ...]
    steps: tuple[int, ...]
    offset: int
    span: Span

    @property
    def padded(self) -> bool:
        """Whether it may leave the axis, and reads zero there: it is written with a minus sign."""
        return self.offset < 0 or min(self.steps) < 0


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Several indices as one, the last running fastest."""

    indices: tuple[Index, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """An axis of a matrix of which a function leaves nothing, as both in det(A)."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A number."""

    value: Number
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A tensor under its indices. `indices` is None where no bracket was written; `called` says that an
    opening parenthesis follows without a blank. A read in an index position is a gather.

    With `fn`, a row of the matrix table, it is the function of the tensor that is read, and the last two axes of the
    tensor are square matrices, `hidden` of which are in no bracket.
    """

    name: str
    indices: tuple[Place, ...] | None
    span: Span
    called: bool = False
    fn: str = ""
    hidden: int = 0

    @property
    def axes(self) -> tuple[Place | Hidden, ...]:
        """What stands on each axis of the tensor."""
        return (*(self.indices or ()), *[Hidden(self.span)] * self.hidden)


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
class Position:
    """An index as a number, in a comparison."""

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


Place = Index | Affine | Group | Read
Expression = Literal | Read | Apply | SizeOf | Position | Power | Negative | Term | Sum | Comparison


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """name[indices] = value; `span` is the left side's, `parts` are those of the value as `walk` gives them."""

    name: str
    indices: tuple[Index | Group, ...]
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
        case Read():
            return tuple(place for place in expression.indices or () if isinstance(place, Read))
        case Literal() | SizeOf() | Position():
            return ()


def rebuilt(expression: Expression, new: Mapping[Any, Any]) -> Expression:
    """The expression with some of its parts replaced; gathers are left as they are."""
    if not any(part in new for part in parts(expression)):
        return expression
    match expression:
        case Sum():
            return replace(expression, terms=tuple(new.get(one, one) for one in expression.terms))
        case Term():
            return replace(expression, factors=tuple(new.get(one, one) for one in expression.factors))
        case Power(base=base, exponent=exponent):
            return replace(expression, base=new.get(base, base), exponent=new.get(exponent, exponent))
        case Negative(arg=arg):
            return replace(expression, arg=new.get(arg, arg))
        case Apply():
            return replace(expression, args=tuple(new.get(one, one) for one in expression.args))
        case Comparison(left=left, right=right):
            return replace(expression, left=new.get(left, left), right=new.get(right, right))
        case _:
            return expression


def own_indices(places: Iterable[Place] | None) -> Iterator[Index]:
    """The indices of a bracket, those of gathers left out: they are read by a part of their own."""
    for place in places or ():
        match place:
            case Index():
                yield place
            case Affine() | Group():
                yield from place.indices


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
