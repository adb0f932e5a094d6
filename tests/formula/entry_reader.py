"""A reader of formulas entry by entry, explicit sums and Ricci notation, that knows nothing of how they are written.

    text    ::= line*                         the result, then definitions, used before they are defined
    sum     ::= "-"? term (("+" | "-") term)*
    term    ::= factor* ("/" factor)?         a sign Σ_i takes the rest of its term
    factor  ::= atom power?

An expression is read as a value with named axes. With heights, an index of a product that stands once up and once down
is summed; one that stands at both heights otherwise, or at another height than on the left, is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from einback.rules.matrix import function_name
from einback.rules.scalar import TABLE
from tests.interpreter import MATRICES, _map

UP, DOWN = "^", "_"
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_MATRIX = {function_name(fn): fn for fn in MATRICES}
_OVER = ("logsumexp", "log_softmax", "softmax", "max", "min", "prod")
_COMPARE = {">": "greater", "<": "less", "≥": "greater_equal", "≤": "less_equal", "=": "equal", "≠": "not_equal"}
_INSIDE = r"(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*"  # braces inside braces
_SCRIPTS = rf"(?:[_^](?:\{{{_INSIDE}\}}|(?:[A-Za-z]'*)+))*"
_NOTE = re.compile(r"indices count from 0|0 ≤ |in parentheses|entries outside")


@dataclass(frozen=True)
class Value:
    """An array, the index along each axis, and all the heights at which each index stands."""

    array: Any
    axes: tuple[str, ...] = ()
    heights: tuple[tuple[str, str], ...] = ()


@dataclass
class Reader:
    """Reads the right-hand sides of a text whose tensors are known."""

    tensors: Mapping[str, Any]  # by the names that the text has for them
    lengths: dict[str, int]  # of an index, by its name without primes
    ricci: bool = False
    defined: dict[str, tuple[list[tuple[str, str]], str]] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)

    def read(self, text: str) -> Any:
        """The value of the first line, its axes as on the left."""
        lines: list[str] = []
        for line in text.replace("  where ", "        ", 1).split("\n"):
            part = line.strip()
            if _NOTE.match(part):
                continue
            if lines and re.match(r"[-+*/] ", part):
                lines[-1] += " " + part
            else:
                lines.append(part)
        if len(lines) == 1 and " = " not in lines[0]:
            return self.array(self.tensors[lines[0]])
        first, *others = [line.partition(" = ") for line in lines]
        for left, _, right in others:
            name, scripts = self.left(left)
            self.defined[name] = (scripts, right)
        _, scripts = self.left(first[0])
        return self.line(scripts, first[2])

    def array(self, value: Any) -> np.ndarray:
        return np.asarray(value, dtype=float)

    def left(self, text: str) -> tuple[str, list[tuple[str, str]]]:
        """The name that a left side defines, and its indices with their heights, turned where they stand below."""
        above, bar, below = text.partition("/")
        if not bar:
            found = re.fullmatch(rf"(.*?)({_SCRIPTS})", text)
            assert found, text
            return found[1], self.scripts(found[2])
        scripts = self.scripts(_trail(above.removeprefix("∂").removeprefix("²")))
        for part in below.split("∂")[1:]:
            scripts += [(name, DOWN if height == UP else UP) for name, height in self.scripts(_trail(part))]
        seed = f"{above}/∂{below[1:].removesuffix(_trail(below[1:]))}"
        return seed, scripts

    def scripts(self, text: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for height, braced, plain in re.findall(rf"([_^])(?:\{{({_INSIDE})\}}|((?:[A-Za-z]'*)+))", text):
            names = _split(braced) if braced else re.findall(r"[A-Za-z]'*", plain)
            found += [(name, height) for name in names]
        return found

    def line(self, scripts: Sequence[tuple[str, str]], right: str) -> np.ndarray:
        value = _Parser(self, right).whole()
        names = [name for written, _ in scripts for name in written.strip("()").split()]
        if self.ricci:
            free = dict(scripts)
            for name, height in value.heights:
                assert free.get(name) == height, f"{name} stands at another height than on the left: {right}"
        array = _laid(value, names, self)
        shape = [int(np.prod([self.length(one) for one in written.strip("()").split()])) for written, _ in scripts]
        return array.reshape(shape)

    def tensor(self, name: str) -> np.ndarray:
        if name not in self.done:
            self.done[name] = self.line(*self.defined[name]) if name in self.defined else self.array(self.tensors[name])
        return self.done[name]

    def length(self, index: str) -> int:
        return self.lengths[index.rstrip("'")]

    def known(self) -> list[str]:
        return sorted({*self.tensors, *self.defined}, key=len, reverse=True)


class _Parser:
    """Recursive descent over one right-hand side."""

    def __init__(self, reader: Reader, text: str) -> None:
        self.reader, self.text, self.at = reader, text, 0

    def whole(self) -> Value:
        value = self.comparison()
        assert not self.text[self.at :].strip(), f"left over: {self.text[self.at :]!r} of {self.text!r}"
        return value

    def take(self, pattern: str) -> str:
        found = re.compile(r" *(" + pattern + ")").match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[1]

    def sees(self, pattern: str) -> bool:
        return re.compile(r" *(" + pattern + ")").match(self.text, self.at) is not None

    def comparison(self) -> Value:
        left = self.sum()
        sign = self.take("[><≥≤=≠]")
        return self.apply(_COMPARE[sign], [left, self.sum()]) if sign else left

    def sum(self) -> Value:
        total = self.term(-1 if self.take("-") else 1)
        while self.sees("[+-] "):
            sign = 1 if self.take("[+-] ") == "+ " else -1
            total = self.add(total, self.term(sign))
        return total

    def add(self, a: Value, b: Value) -> Value:
        return self.together(np.add, [a, b])

    def term(self, sign: int) -> Value:
        factors = [Value(np.asarray(float(sign)))]
        occurrences: list[tuple[str, str]] = []
        while not self.sees(r"[)\],/]|[+-] |[><≥≤=≠]|$"):
            self.take(r"\*")
            if self.take("Σ"):
                names = [name for name, _ in self.reader.scripts(self.script())]
                inner = self.term(1)
                assert set(names) <= set(inner.axes), f"{names} is not there to be summed: {self.text}"
                factors.append(self.over(np.sum, names, inner))
            else:
                factors.append(self.factor())
            occurrences += factors[-1].heights
        product = self.multiplied(factors, occurrences)
        if self.take("/ "):
            product = self.together(np.divide, [product, self.factor()])
        return product

    def multiplied(self, factors: list[Value], occurrences: list[tuple[str, str]]) -> Value:
        contracted: list[str] = []
        for name in dict.fromkeys(name for name, _ in occurrences):
            heights = [height for one, height in occurrences if one == name]
            if self.reader.ricci and len(set(heights)) == 2:
                assert len(heights) == 2, f"{name} stands at both heights {len(heights)} times: {self.text}"
                contracted.append(name)
        product = self.together(lambda *arrays: np.prod(np.broadcast_arrays(*arrays), axis=0), factors, check=False)
        kept = tuple(pair for pair in dict.fromkeys(occurrences) if pair[0] not in contracted)
        product = self.over(np.sum, contracted, product)
        return Value(product.array, product.axes, kept)

    def over(self, fn: Callable[..., Any], names: Sequence[str], value: Value) -> Value:
        axes = tuple(value.axes.index(name) for name in names)
        kept = tuple(name for name in value.axes if name not in names)
        array = fn(value.array, axis=axes) if axes else value.array
        return Value(array, kept, tuple(pair for pair in value.heights if pair[0] not in names))

    def factor(self) -> Value:
        base = self.atom()
        raised = self.take("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
        if raised:
            return self.apply("power", [base, Value(np.asarray(float(raised.translate(_RAISED))))])
        if self.take(r"\^\("):
            exponent = self.comparison()
            self.expect(r"\)")
            return self.apply("power", [base, exponent])
        return base

    def expect(self, pattern: str) -> None:
        assert self.take(pattern), f"no {pattern} at {self.text[self.at :]!r}"

    def atom(self) -> Value:
        if number := self.take(r"[0-9]+(?:/[0-9]+|(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)|inf\b"):
            return Value(np.asarray(float(Fraction(number)) if "/" in number else float(number)))
        if bracket := self.take(r"[(\[]"):
            inside = self.comparison()
            self.expect(r"\)" if bracket == "(" else r"\]")
            if self.reader.ricci:
                _uniform(inside)
            return inside
        if self.take(r"√\("):
            inside = self.comparison()
            self.expect(r"\)")
            return self.apply("power", [inside, Value(np.asarray(0.5))])
        if self.take(r"\|"):
            name = self.take("[^|]+")
            self.expect(r"\|")
            return Value(np.asarray(float(self.reader.length(name))))
        if self.take("δ"):
            return self.entry(np.eye, self.reader.scripts(self.script()))
        if self.take("𝟏"):
            pairs = self.reader.scripts(self.script())
            shape = [self.reader.length(name) for name, _ in pairs]
            return Value(np.ones(shape), tuple(name for name, _ in pairs), tuple(pairs))
        return self.named()

    def script(self) -> str:
        return self.take(_SCRIPTS)

    def named(self) -> Value:
        for name in _OVER:
            if self.take(name + r"(?=_)"):
                over = [one for one, _ in self.reader.scripts(self.script())]
                (body,) = self.arguments()
                return self.reduced(name, over, body)
        matrix = "|".join(_MATRIX)
        if fn := self.take(rf"(?:{matrix})\((?:{'|'.join(map(re.escape, self.reader.known()))})\)"):
            word, _, name = fn[:-1].partition("(")
            return self.entry(MATRICES[_MATRIX[word]](self.reader.tensor(name)), self.reader.scripts(self.script()))
        for fn in sorted(TABLE, key=len, reverse=True):
            if self.sees(rf"{fn}\("):
                self.take(fn)
                return self.apply(fn, self.arguments())
        for name in self.reader.known():
            if self.take(re.escape(name) + r"(?![^\W_⁰¹²³⁴⁵⁶⁷⁸⁹])"):
                scripts = self.reader.scripts(self.script())
                if name.startswith("∂"):
                    scripts = [(one, DOWN if height == UP else UP) for one, height in scripts]
                return self.entry(self.reader.tensor(name), scripts)
        index = self.take(r"[^\W\d]\w*'*")
        assert index, f"nothing to read at {self.text[self.at :]!r} of {self.text!r}"
        return Value(np.arange(self.reader.length(index)), (index,))

    def arguments(self) -> list[Value]:
        self.expect(r"\(")
        found = [self.comparison()]
        while self.take(","):
            found.append(self.comparison())
        self.expect(r"\)")
        return found

    def reduced(self, fn: str, names: list[str], body: Value) -> Value:
        axes = tuple(body.axes.index(name) for name in names)
        if fn in ("softmax", "log_softmax"):
            shifted = body.array - np.max(body.array, axis=axes, keepdims=True)
            array = shifted - np.log(np.sum(np.exp(shifted), axis=axes, keepdims=True))
            return Value(np.exp(array) if fn == "softmax" else array, body.axes, body.heights)
        if fn == "logsumexp":
            return self.over(lambda a, axis: np.log(np.sum(np.exp(a), axis=axis)), names, body)
        return self.over({"max": np.max, "min": np.min, "prod": np.prod}[fn], names, body)

    def apply(self, fn: str, args: list[Value]) -> Value:
        if fn in ("maximum", "minimum") and len(args) > 2:
            args = [args[0], self.apply(fn, args[1:])]
        return self.together(lambda *arrays: _map(fn, [np.asarray(one, dtype=float) for one in arrays]), args)

    def together(self, fn: Callable[..., Any], values: Sequence[Value], check: bool = True) -> Value:
        axes = tuple(dict.fromkeys(name for value in values for name in value.axes))
        found = fn(*(_laid(value, axes, None) for value in values))
        heights = tuple(dict.fromkeys(pair for value in values for pair in value.heights))
        result = Value(np.asarray(found), axes, heights)
        if check and self.reader.ricci:
            _uniform(result)
        return result

    def entry(self, array: Any, scripts: Sequence[tuple[str, str]]) -> Value:
        """A tensor read at places, zero outside."""
        places = [self.place(name) for name, _ in scripts]
        axes = tuple(dict.fromkeys(name for place in places for name in place.axes))
        if callable(array):
            array = array(max([*(self.reader.length(name) for name, _ in scripts if name in axes), 1]))
        wanted = [_laid(place, axes, None).astype(int) for place in places]
        inside = np.asarray(True)
        for where, size in zip(wanted, array.shape, strict=True):
            inside = inside & (where >= 0) & (where < size)
        clipped = tuple(np.clip(where, 0, size - 1) for where, size in zip(wanted, array.shape, strict=True))
        value = np.where(inside, array[clipped], 0)
        shape = [self.reader.length(name) for name in axes]
        return Value(np.broadcast_to(value, shape), axes, tuple(scripts) if self.reader.ricci else ())

    def place(self, text: str) -> Value:
        if text.startswith("("):
            total = Value(np.asarray(0))
            for name in text.strip("()").split():
                own = Value(np.arange(self.reader.length(name)), (name,))
                length = self.reader.length(name)
                total = self.together(lambda a, b, n=length: a * n + b, [total, own])
            return total
        if re.fullmatch(r"[^\W\d]\w*'*", text) and text not in self.reader.tensors and "_" not in text:
            return Value(np.arange(self.reader.length(text)), (text,))
        total = Value(np.asarray(0))
        for sign, part in re.findall(r"([+-]?)((?:[^+{-]|\{[^{}]*\})+)", text):
            number, name = re.fullmatch(r"(\d*|\|\w+\|)(.*)", part).groups()  # type: ignore[union-attr]
            step = self.reader.length(number.strip("|")) if "|" in number else int(number or 1)
            own = _Parser(self.reader, name).whole() if name else Value(np.asarray(1))
            weight = -step if sign == "-" else step
            total = self.together(lambda a, b, w=weight: a + w * b, [total, own])
        return total


def _uniform(value: Value) -> None:
    names = [name for name, _ in value.heights]
    assert len(set(names)) == len(names), f"an index at both heights of what is no product: {value.heights}"


def _laid(value: Value, axes: Sequence[str], reader: Reader | None) -> np.ndarray:
    """The array with its axes in this order; a reader repeats it along those that it lacks."""
    own = [name for name in axes if name in value.axes]
    assert set(own) == set(value.axes), f"{value.axes} is more than {axes}"
    array = np.transpose(value.array, [value.axes.index(name) for name in own])
    array = array.reshape([array.shape[own.index(name)] if name in own else 1 for name in axes])
    return np.broadcast_to(array, [reader.length(name) for name in axes]) if reader else array


def _trail(text: str) -> str:
    found = re.search(rf"({_SCRIPTS})$", text)
    return found[1] if found else ""


def _split(text: str) -> list[str]:
    """The parts between the commas that stand in no braces."""
    depth, parts = 0, [""]
    for char in text:
        depth += (char == "{") - (char == "}")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]
