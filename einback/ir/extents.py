"""Arithmetic on sizes: the length of an axis as a formula of other lengths, written as a string.

A convolution of an axis of size h with a kernel of size u leaves `h-u+1` entries, flattening axes h and w gives
`h*w`, a stride of two divides and rounds down, `(h-u)//2+1`. Such a size is a symbol like any other, whose
name says what it is; it is kept in one normal form, a polynomial in sizes and quotients, so that equal formulas
are equal strings.

    >>> conv = plus("h", negative("u"), 1)
    >>> conv, plus(conv, "u", -1), plus(quotient(plus("h", -3), 2), 1)
    ('h-u+1', 'h', '(h-1)//2')
    >>> evaluate("(h-u)//2+1", {"h": 28, "u": 3})
    13
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Generic, TypeVar

from einback.ir.sizes import Size

__all__ = [
    "evaluate",
    "is_formula",
    "negative",
    "plus",
    "product",
    "quotient",
    "replace_sizes",
    "spelled",
    "symbols_in",
]

T = TypeVar("T")
Monomial = tuple[str, ...]  # its atoms, sorted: names, and quotients as their text
Polynomial = dict[Monomial, int]

_NAME = re.compile(r"[^\W\d]\w*")
_TOKEN = re.compile(rf"//|[-+*()]|\d+|{_NAME.pattern}")


def is_formula(size: Size) -> bool:
    """Whether a size is a formula of others, no plain number or name."""
    return isinstance(size, str) and not size.isidentifier()


def plus(*sizes: Size) -> Size:
    """The sum."""
    total: Polynomial = {}
    for size in sizes:
        for monomial, count in _polynomial(size).items():
            total[monomial] = total.get(monomial, 0) + count
    return _text(total)


def negative(size: Size) -> Size:
    return _text({monomial: -count for monomial, count in _polynomial(size).items()})


def product(*sizes: Size) -> Size:
    """The product; of no sizes, 1."""
    result: Polynomial = {(): 1}
    for size in sizes:
        result = _times(result, _polynomial(size))
    return _text(result)


def quotient(size: Size, divisor: int) -> Size:
    """The quotient rounded down, by a positive number; multiples of it leave the quotient.

    >>> quotient("2*n+3", 2), quotient(7, 2)
    ('n+1', 3)
    """
    polynomial = _polynomial(size)
    whole = {monomial: count // divisor for monomial, count in polynomial.items() if count % divisor == 0}
    rest = {monomial: count for monomial, count in polynomial.items() if count % divisor}
    if set(rest) <= {()}:
        return _text(whole | {(): polynomial.get((), 0) // divisor})
    if () in rest:  # the number that stays is negative and small: h-u+1 by two is (h-u-1)//2+1
        whole[()] = -(-rest[()] // divisor)
        rest[()] -= whole[()] * divisor
    atom = _atom(_text(rest), divisor)
    whole[(atom,)] = whole.get((atom,), 0) + 1
    return _text(whole)


def _atom(size: Size, divisor: int) -> str:
    name = isinstance(size, str) and size.isidentifier()
    return f"{size}//{divisor}" if name else f"({size})//{divisor}"


def symbols_in(size: Size) -> tuple[str, ...]:
    """The names of which a size is made, in order of appearance.

    >>> symbols_in("(h-u)//2+1"), symbols_in("n"), symbols_in(3)
    (('h', 'u'), ('n',), ())
    """
    if isinstance(size, int):
        return ()
    return tuple(dict.fromkeys(token for token in _TOKEN.findall(size) if token.isidentifier()))


def evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """The number that a size is, given those of its names. Raises `KeyError` for a name without one."""
    if isinstance(size, int):
        return size
    return _Reader[int](size, lambda name: sizes[name], int, lambda a, b: a + b, lambda a, b: a * b,
                        lambda a, k: a // k).read()  # fmt: skip


def replace_sizes(size: Size, new: Mapping[str, Size]) -> Size:
    """The size with some of its names replaced.

    >>> replace_sizes("h-u+1", {"u": 3}), replace_sizes("h-u+1", {"h": 8, "u": 3})
    ('h-2', 6)
    """
    if isinstance(size, int) or not any(name in new for name in symbols_in(size)):
        return size
    return _Reader[Size](size, lambda name: new.get(name, name), lambda k: k, plus, product, quotient).read()


def spelled(size: Size, name: Callable[[str], str]) -> str:
    """The size as text, each of its names as a function spells it.

    >>> spelled("(h-u)//2+1", "size({})".format)
    '(size(h)-size(u))//2+1'
    """
    return _NAME.sub(lambda found: name(found[0]), str(size))


class _Reader(Generic[T]):
    """Recursive descent over a formula, computing with whatever the functions compute with."""

    def __init__(
        self,
        text: str,
        name: Callable[[str], T],
        number: Callable[[int], T],
        add: Callable[[T, T], T],
        times: Callable[[T, T], T],
        divide: Callable[[T, int], T],
    ) -> None:
        self._tokens = _TOKEN.findall(text)[::-1]
        self._name, self._number, self._add, self._times, self._divide = name, number, add, times, divide

    def read(self) -> T:
        found = self._sum()
        if self._tokens:
            raise ValueError(f"a size has {self._tokens[-1]!r} where its end is expected")
        return found

    def _next(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def _sum(self) -> T:
        negated = self._next() == "-"
        if negated:
            self._tokens.pop()
        value = self._term(negated)
        while self._next() in ("+", "-"):
            value = self._add(value, self._term(self._tokens.pop() == "-"))
        return value

    def _term(self, negated: bool) -> T:
        value = self._factor()
        while self._next() == "*":
            self._tokens.pop()
            value = self._times(value, self._factor())
        return self._times(self._number(-1), value) if negated else value

    def _factor(self) -> T:
        token = self._tokens.pop()
        if token == "(":
            value = self._sum()
            if not self._tokens or self._tokens.pop() != ")":
                raise ValueError("a size has a parenthesis that is not closed")
        else:
            value = self._number(int(token)) if token.isdigit() else self._name(token)
        while self._next() == "//":
            self._tokens.pop()
            value = self._divide(value, int(self._tokens.pop()))
        return value


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    result: Polynomial = {}
    for one, m in a.items():
        for other, n in b.items():
            monomial = tuple(sorted((*one, *other)))
            result[monomial] = result.get(monomial, 0) + m * n
    return result


def _polynomial(size: Size) -> Polynomial:
    if isinstance(size, int):
        return {(): size} if size else {}
    return {(size,): 1} if size.isidentifier() else dict(_parsed(size))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Polynomial:
    return _Reader[Polynomial](
        text, lambda name: {(name,): 1}, lambda k: {(): k} if k else {}, _plus, _times, _divided
    ).read()


def _plus(a: Polynomial, b: Polynomial) -> Polynomial:
    result = dict(a)
    for monomial, count in b.items():
        result[monomial] = result.get(monomial, 0) + count
    return {monomial: count for monomial, count in result.items() if count}


def _divided(value: Polynomial, divisor: int) -> Polynomial:
    return {(_atom(_text(value), divisor),): 1}


def _text(polynomial: Mapping[Monomial, int]) -> Size:
    """The normal form: long monomials first, then by name; the number last."""
    terms = {monomial: count for monomial, count in polynomial.items() if count}
    if set(terms) <= {()}:
        return terms.get((), 0)
    if len(terms) == 1 and list(terms.values()) == [1] and len(next(iter(terms))) == 1:
        return next(iter(terms))[0]
    # A positive term first, so that the text does not begin with a minus where it need not.
    order = sorted(terms, key=lambda monomial: (-len(monomial), terms[monomial] < 0 and bool(monomial), monomial))
    if terms[order[0]] < 0:
        order.sort(key=lambda monomial: terms[monomial] < 0)
    return _joined((terms[monomial], monomial) for monomial in order)


def _joined(terms: Iterable[tuple[int, Monomial]]) -> str:
    parts = []
    for count, monomial in terms:
        factors = [*([str(abs(count))] if abs(count) != 1 or not monomial else []), *monomial]
        if len(factors) > 1 or count < 0:
            factors = [f"({factor})" if "//" in factor else factor for factor in factors]
        parts.append(("-" if count < 0 else "+") + "*".join(factors))
    return "".join(parts).removeprefix("+")
