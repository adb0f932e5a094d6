"""What a picture says, in numbers: its networks are contracted as they are wired, frames by the titles that they bear.

Nothing but the picture is read, so that a leg at the wrong axis, a lost factor or a sum in the wrong place shows. What
is in a frame is known by the names of its legs, as a reader knows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

import numpy as np

from einback.formula.diagram.network import Block, End, Frame, Kind, Leg, Network, Part, Row, Words
from einback.formula.diagram.picture import Picture
from einback.ir.extents import evaluate as evaluate_size
from einback.ir.extents import is_formula
from einback.rules.scalar import TABLE
from tests.interpreter import MATRICES

Value = tuple[np.ndarray, tuple[str, ...]]  # with the name of each axis

_SMALL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_COMPARED = {">": np.greater, "≥": np.greater_equal, "<": np.less, "≤": np.less_equal, "=": np.equal, "≠": np.not_equal}
_REDUCED = {"max": np.max, "min": np.min, "prod": np.prod, "sum": np.sum}
_DOTS = (Kind.DOT, Kind.DELTA)


def values(picture: Picture, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> list[np.ndarray]:
    """The value of every result of a picture; tensors are known by the names that they show."""
    reader = _Reader(dict(arrays), dict(sizes))
    for line in (*picture.results, *picture.where):
        reader.learn(line)
    with np.errstate(all="ignore"):
        waiting = [*picture.where[::-1], *picture.results]
        while waiting:  # a result may read others, and what stands below
            line = next(one for one in waiting if reader.reads(one) <= reader.arrays.keys())
            name, array = reader.line(line)
            reader.arrays.setdefault(name, array)
            waiting.remove(line)
        return [reader.line(line)[1] for line in picture.results]


class _Reader:
    def __init__(self, arrays: dict[str, np.ndarray], sizes: dict[str, int]) -> None:
        self.arrays, self.sizes = arrays, sizes

    def learn(self, block: Block) -> None:
        """The length of every index, by its name without primes."""
        for network in _networks(block):
            for leg in network.legs:
                if leg.name:
                    self.sizes[leg.name.rstrip("'")] = self.length(leg.size)

    def length(self, size: int | str) -> int:
        if isinstance(size, str) and is_formula(size):
            return int(evaluate_size(size, self.sizes))
        return self.sizes[size] if isinstance(size, str) else size

    def reads(self, block: Block) -> set[str]:
        parts = [part for network in _networks(block) for part in network.parts]
        return {part.text for part in parts if part.kind in (Kind.INPUT, Kind.NAMED)}

    def line(self, block: Block) -> tuple[str, np.ndarray]:
        """A line's name, and its value with the axes in the order of its left side."""
        blocks = list(block.blocks) if isinstance(block, Row) else [block]
        left = blocks.pop(0) if isinstance(blocks[0], Words) and blocks[0].left else None
        array, names = self.sum(blocks)
        if left is None:
            return "", array
        found = re.fullmatch(r"([^\[]+)(?:\[(.*)\])? =", left.text)
        assert found
        order = re.findall(r"\([^)]*\)|[^,]+", found[2] or "")
        assert sorted(order) == sorted(names), (order, names)
        return found[1], array.transpose([names.index(name) for name in order])

    def sum(self, blocks: Sequence[Block]) -> Value:
        """Terms, each with the sign in front of it."""
        terms: list[tuple[int, list[Block]]] = [(1, [])]
        for k, block in enumerate(blocks):
            if isinstance(block, Words) and block.text in ("+", "−"):
                sign = 1 if block.text == "+" else -1
                terms = [(sign, [])] if not k else [*terms, (sign, [])]
            else:
                terms[-1][1].append(block)
        found = [(sign, *self.product(term)) for sign, term in terms]
        names = found[0][2]
        return sum(sign * array.transpose([own.index(name) for name in names]) for sign, array, own in found), names

    def product(self, blocks: Sequence[Block]) -> Value:
        assert blocks, "a sign without a term"
        number, array, names = 1.0, np.array(1.0), ()
        for block in blocks:
            match block:
                case Words():
                    number *= self.number(block.text)
                case Network():
                    other, own = self.network(block)
                    array, names = np.multiply.outer(array, other), (*names, *own)
                case _:
                    raise AssertionError("a row in a row")
        return number * array, names

    def number(self, text: str) -> float:
        text = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "**" + m[1].translate(_SMALL), text).replace("^", "**")
        text = re.sub(r"size\((\w+)\)", lambda m: str(self.sizes[m[1]]), text)
        text = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", text)
        functions = {name: lambda *args, name=name: _applied(name, [np.asarray(arg) for arg in args]) for name in TABLE}
        indices = list(dict.fromkeys(name for names in re.findall(r"\[([^\]]*)\]", text) for name in names.split(",")))

        def over(title: str, names: str) -> object:
            """What stands in front of brackets in a number: ones, or a reduction, its axes kept."""
            axes = tuple(indices.index(name) for name in names.split(","))
            if title == "ones":
                return np.ones([self.sizes[name.rstrip("'")] if k in axes else 1 for k, name in enumerate(indices)])
            if title == "logsumexp":
                return lambda array: np.log(np.sum(np.exp(array), axis=axes, keepdims=True))
            return lambda array: _REDUCED[title](array, axis=axes, keepdims=True)

        text = re.sub(r"(\w+)\[([^\]]*)\]", r'over("\1", "\2")', text)
        return float(np.squeeze(eval(text, functions | {"sqrt": np.sqrt, "inf": math.inf, "over": over})))

    def network(self, network: Network) -> Value:
        """The contraction of a network: every class of ends that legs and dots join is one label."""
        letter = _labels(network)
        operands: list[object] = []
        lengths: dict[int, int] = {}
        arrays = {k: self.part(network, k, part) for k, part in enumerate(network.parts)}
        for k, array in arrays.items():
            if array is not None:
                own = [letter[k, axis] for axis in range(array.ndim)]
                operands += [array, own]
                lengths |= dict(zip(own, array.shape, strict=True))
        names, out = [], []
        fresh = count(max(letter.values(), default=0) + 1)
        for end, name in self.ends(network):
            label = next(fresh)
            if letter[end.part, end.axis] not in lengths:
                lengths[letter[end.part, end.axis]] = self.sizes[name.rstrip("'")]
            operands += [np.eye(lengths[letter[end.part, end.axis]]), [letter[end.part, end.axis], label]]
            names.append(name)
            out.append(label)
        used = {label: k for k, label in enumerate(dict.fromkeys(x for own in operands[1::2] for x in own))}
        packed = [[used[x] for x in own] if k % 2 else own for k, own in enumerate(operands)]
        array = np.einsum(*packed, [used[label] for label in out], optimize=True) if packed else np.array(1.0)
        return array, tuple(names)

    def ends(self, network: Network) -> Iterator[tuple[End, str]]:
        """The ends that stay open: free indices, those that a frame takes away, and the axes of slots."""
        for k, part in enumerate(network.parts):
            if part.kind in (Kind.OPEN, Kind.BOUND):
                yield End(k, 0), part.text
            elif part.kind is Kind.SLOT:
                yield from sorted(((end, leg.name) for leg, end in _at(network, k)), key=lambda pair: pair[0].axis)

    def part(self, network: Network, k: int, part: Part) -> np.ndarray | None:
        match part.kind:
            case Kind.INPUT | Kind.NAMED:
                array = self.arrays[part.text]
                gathers = [leg for leg, end in _at(network, k) if leg.arrow and end == leg.start]
                return self.one_hot(array, network, gathers[0]) if gathers else array
            case Kind.MATRIX:
                found = re.fullmatch(r"(\w+)\((.+)\)", part.text)
                assert found
                return MATRICES[{"signdet": "sign"}.get(found[1], found[1])](self.arrays[found[2]])
            case Kind.SUM | Kind.ONES:
                return np.ones(self.along(network, k, 0))
            case Kind.RANGE:
                return np.arange(self.along(network, k, 0))
            case Kind.PLACE:
                return self.place(network, k, part.text)
            case Kind.FRAME:
                assert part.frame
                return self.frame(network, k, part, part.frame)
            case _:
                return None

    def along(self, network: Network, k: int, axis: int) -> int:
        """The length of an axis of a part that has none of its own."""
        leg, end = next((leg, end) for leg, end in _at(network, k) if end.axis == axis)
        if leg.name:
            return self.length(leg.size)
        other = leg.stop if end == leg.start else leg.start
        part = network.parts[other.part]
        if part.kind in (Kind.INPUT, Kind.NAMED):
            return self.arrays[part.text].shape[other.axis]
        raise NotImplementedError("a place in a place")

    def one_hot(self, array: np.ndarray, network: Network, leg: Leg) -> np.ndarray:
        part = network.parts[leg.stop.part]
        if part.kind in _DOTS:
            others = [self.length(one.size) for one, _ in _at(network, leg.stop.part) if one.name]
            size = others[0]
        elif part.kind in (Kind.INPUT, Kind.NAMED):
            size = self.arrays[part.text].shape[leg.stop.axis]
        else:
            raise NotImplementedError("a gather in a place")
        return (array[..., None] == np.arange(size)).astype(float)

    def place(self, network: Network, k: int, text: str) -> np.ndarray:
        inner = sorted(((end.axis, leg) for leg, end in _at(network, k) if end.axis), key=lambda pair: pair[0])
        lengths = [self.length(leg.size) for _, leg in inner if leg.name]
        if len(lengths) < len(inner):
            raise NotImplementedError("a gather in a place")
        grid = dict(zip((leg.name for _, leg in inner), np.indices(lengths), strict=True))
        if text.startswith("("):
            value = np.arange(math.prod(lengths)).reshape(lengths)
            assert text == f"({' '.join(leg.name for _, leg in inner)})"
        else:
            safe = {name: f"v{number}" for number, name in enumerate(grid)}
            text = re.sub(r"size\((\w+)\)", lambda m: str(self.sizes[m[1]]), text)
            text = re.sub(r"[^\W\d][\w']*", lambda m: safe[m[0]], text)
            text = re.sub(r"(\d|\))(?=v)", r"\1*", re.sub(r"(?<=v)(\d+)", r"\1", text))
            value = eval(text, {safe[name]: values for name, values in grid.items()}) + np.zeros(lengths, dtype=int)
        opened = [leg for leg, end in _at(network, k) if not end.axis and not leg.name
                  and Kind.OPEN in (network.parts[leg.start.part].kind, network.parts[leg.stop.part].kind)]  # fmt: skip
        size = math.prod(lengths) if opened else self.along(network, k, 0)
        return (np.arange(size).reshape(-1, *(1 for _ in lengths)) == value).astype(float)

    def frame(self, network: Network, k: int, part: Part, frame: Frame) -> np.ndarray:
        blocks = list(frame.block.blocks) if isinstance(frame.block, Row) else [frame.block]
        array, names = self.function(part.text, blocks)
        wanted = [leg.name for leg, _ in sorted(_at(network, k), key=lambda pair: pair[1].axis)]
        assert sorted(wanted) == sorted(names), (wanted, names)
        return array.transpose([names.index(name) for name in wanted])

    def function(self, title: str, blocks: Sequence[Block]) -> Value:
        signs = [block.text for block in blocks if isinstance(block, Words)]
        sign = next((sign for sign in signs if sign in (*_COMPARED, "^", ",")), None)
        if sign is not None:
            args = [self.sum(arg) for arg in _split(blocks, sign)]
            names = tuple(dict.fromkeys(name for _, own in args for name in own))
            spread = [_spread(arg, names) for arg in args]
            if sign in _COMPARED:
                return _COMPARED[sign](*spread).astype(float), names
            if sign == "^":
                return np.power(*spread), names
            return np.asarray(_applied(title, spread)), names
        array, names = self.sum(blocks)
        if power := re.fullmatch(r"\( \)(?:\^(.+)|([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))", title):
            return array ** (self.number(power[1]) if power[1] else float(power[2].translate(_SMALL))), names
        if title == "√":
            return np.sqrt(array), names
        if over := re.fullmatch(r"(\w+)\[(.*)\]", title):
            return _over(over[1], over[2].split(","), array, names)
        return (array, names) if not title else (np.asarray(_applied(title, [array])), names)


def _applied(fn: str, args: Sequence[np.ndarray]) -> object:
    spelled = TABLE[fn].numpy.format(*(f"a{k}" for k in range(len(args))))
    names = {"np": np, "math": math, **{f"a{k}": arg for k, arg in enumerate(args)}}
    own = {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "softplus": lambda x: np.logaddexp(x, 0.0),
        "relu": lambda x: np.maximum(x, 0.0),
    }
    return own[fn](*args) if fn in own else eval(spelled, names)


def _over(fn: str, over: Sequence[str], array: np.ndarray, names: tuple[str, ...]) -> Value:
    axes = tuple(names.index(name) for name in over)
    rest = tuple(name for name in names if name not in over)
    if fn in _REDUCED:
        return _REDUCED[fn](array, axis=axes), rest
    top = np.max(array, axis=axes, keepdims=True)
    total = top + np.log(np.sum(np.exp(array - top), axis=axes, keepdims=True))
    if fn == "logsumexp":
        return np.squeeze(total, axis=axes), rest
    return (np.exp(array - total) if fn == "softmax" else array - total), names


def _spread(value: Value, names: Sequence[str]) -> np.ndarray:
    array, own = value
    array = array.transpose([own.index(name) for name in names if name in own])
    return array[tuple(slice(None) if name in own else None for name in names)]


def _split(blocks: Sequence[Block], sign: str) -> list[list[Block]]:
    found: list[list[Block]] = [[]]
    for block in blocks:
        if isinstance(block, Words) and block.text == sign:
            found.append([])
        else:
            found[-1].append(block)
    return found


def _at(network: Network, k: int) -> list[tuple[Leg, End]]:
    return [(leg, end) for leg in network.legs for end in (leg.start, leg.stop) if end.part == k]


def _networks(block: Block) -> Iterator[Network]:
    stack = [block]
    while stack:
        match stack.pop():
            case Row(blocks=blocks):
                stack += blocks
            case Network() as network:
                yield network
                stack += [part.frame.block for part in network.parts if part.frame]


def _labels(network: Network) -> dict[tuple[int, int], int]:
    """One number for all ends that legs and dots join."""
    root: dict[tuple[int, int], tuple[int, int]] = {}

    def find(end: tuple[int, int]) -> tuple[int, int]:
        while root.setdefault(end, end) != end:
            end = root[end]
        return end

    for leg in network.legs:
        joined = [
            (end.part, -1 if network.parts[end.part].kind in _DOTS else end.axis) for end in (leg.start, leg.stop)
        ]
        root[find(joined[0])] = find(joined[1])
    numbers: dict[tuple[int, int], int] = {}
    return {end: numbers.setdefault(find(end), len(numbers)) for end in list(root)}
