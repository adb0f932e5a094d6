"""A reader of printed matrix formulas: a grammar of its own, evaluated with NumPy.

    sum    = ["−"] ratio {("+" | "−") ratio}
    ratio  = odot {(" / " | "⊘") odot}
    odot   = kron {"⊙" kron}
    kron   = chain {"⊗" chain}
    chain  = unit {["·"] unit}                   a product
    unit   = atom {"ᵀ" | "⁻¹" | "⁻ᵀ" | "²" | "^⊙2" | "^(" sum ")"}
    atom   = number | fraction | name | function "(" sum {"," sum} ")" | "(" sum [comparison sum] ")" | grid
    grid   = "[" sum {"," sum} {";" sum {"," sum}} "]"

Everything has rows and columns; a scalar is 1 by 1. A `1` among the factors of a product, or under a ᵀ, is a column of
ones, and `I` an identity: their sizes are what the formula around them needs. Elsewhere numbers stand in every entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import erf
from typing import Any

import numpy as np

Array = Any

_WORD = r"[^\W\dᵀ⁰¹²³⁴⁵⁶⁷⁸⁹](?:[^\Wᵀ⁰¹²³⁴⁵⁶⁷⁸⁹]|')*"
_TOKEN = re.compile(
    r"\s*(?P<fraction>\d[\d.e]*/(?:\d+(?![\w.])|[^\W\dᵀ]\w*|\([\w ]+\)))"
    r"|\s*(?P<number>\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf)(?![^\Wᵀ⁰¹²³⁴⁵⁶⁷⁸⁹])"
    rf"|(?P<over>\s/\s)|\s*(?P<name>{_WORD})"
    r"|\s*(?P<power>\^⊙\d+|\^⊙(?=\()|\^(?=\()|⁻¹|⁻ᵀ|ᵀ|[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|\s*(?P<sign>[-+−⊙⊗⊘·(),;\[\]]|≥|≤|≠|>|<|=)"
)
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _softmax(z: Array, axis: int | None) -> Array:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _logsumexp(z: Array, axis: int | None) -> Array:
    top = z.max(axis=axis, keepdims=True)
    return top + np.log(np.exp(z - top).sum(axis=axis, keepdims=True))


ENTRYWISE: Mapping[str, Callable[..., Array]] = {
    **{name: getattr(np, name) for name in ("exp", "log", "log1p", "sin", "cos", "tan", "tanh", "cosh", "sinh")},
    **{name: getattr(np, name) for name in ("sqrt", "abs", "sign", "where", "arctan", "expm1")},
    "maximum": np.maximum,
    "minimum": np.minimum,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "relu": lambda z: np.maximum(z, 0),
    "erf": np.vectorize(erf),
    "above": lambda a, b: np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0)),
}
_AXES = {"rows": 1, "columns": 0, "all": None, "": None}
_WHOLE: Mapping[str, Callable[[Array, int | None], Array]] = {
    "softmax": _softmax,
    "log_softmax": lambda z, axis: z - _logsumexp(z, axis),
    "logsumexp": _logsumexp,
    "max": lambda z, axis: z.max(axis=axis, keepdims=True),
    "min": lambda z, axis: z.min(axis=axis, keepdims=True),
    "prod": lambda z, axis: z.prod(axis=axis, keepdims=True),
}
MATRIX: Mapping[str, Callable[[Array], Array]] = {
    "tr": lambda a: np.array([[np.trace(a)]]),
    "det": lambda a: np.array([[np.linalg.det(a)]]),
    "logdet": lambda a: np.array([[np.linalg.slogdet(a)[1]]]),
    "diag": lambda a: np.diag(a[:, 0]),
    "diagonal": lambda a: np.diag(a)[:, None],
    "eigvecs": lambda a: np.linalg.eigh((a + a.T) / 2)[1],
    "eigvalsh": lambda a: np.linalg.eigvalsh((a + a.T) / 2)[:, None],
    "cholesky": lambda a: np.linalg.cholesky((a + a.T) / 2),
    "vec": lambda a: a.T.reshape(-1, 1),
    "vec_r": lambda a: a.reshape(-1, 1),
}
SQUARE = ("tr", "det", "logdet", "diagonal", "eigvecs", "eigvalsh", "cholesky")


@dataclass(eq=False)
class Node:
    """What is read; `rows` and `columns` are 0 until they are known."""

    kind: str
    parts: list[Node] = field(default_factory=list)
    word: str = ""
    value: Any = None
    rows: int = 0
    columns: int = 0

    @property
    def number(self) -> bool:
        """Whether it stands in every entry."""
        return self.kind == "number" or (self.kind in ("minus", "group", "ratio", "chain", "power", "sum") and all(
            part.number for part in self.parts))  # fmt: skip


class Reader:
    def __init__(self, text: str, env: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        self.text, self.env, self.sizes = text, env, sizes
        self.tokens = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            assert found, f"cannot read {text[at:]!r} of {text!r}"
            self.tokens.append((found.lastgroup, found[0].strip(), found.end(), found[0][:1].isspace()))
            at = found.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at][:2] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def accept(self, *words: str) -> str:
        return self.take() if self.peek()[1] in words and self.peek()[0] != "end" else ""

    def expect(self, word: str) -> None:
        assert self.accept(word), f"{word!r} is missing in {self.text!r} at {self.tokens[self.at :]}"

    def whole(self) -> Node:
        result = self.sum()
        assert self.peek()[0] == "end", f"{self.text!r} goes on with {self.tokens[self.at :]}"
        return result

    def sum(self) -> Node:
        sign = self.accept("−")
        first = self.ratio()
        terms = [Node("minus", [first]) if sign else first]
        while sign := self.accept("+", "−"):
            term = self.ratio()
            terms.append(Node("minus", [term]) if sign == "−" else term)
        return terms[0] if len(terms) == 1 else Node("sum", terms)

    def ratio(self) -> Node:
        result = self.odot()
        while self.peek()[0] == "over" or self.peek()[1] == "⊘":
            self.take()
            result = Node("ratio", [result, self.odot()])
        return result

    def odot(self) -> Node:
        parts = [self.kron()]
        while self.accept("⊙"):
            parts.append(self.kron())
        return parts[0] if len(parts) == 1 else Node("odot", parts)

    def kron(self) -> Node:
        result = self.chain()
        while self.accept("⊗"):
            result = Node("kron", [self.ones(result), self.ones(self.chain())])
        return result

    def chain(self) -> Node:
        parts = [self.unit()]
        while self.accept("·") or self.peek()[0] in ("name", "number", "fraction") or self.peek()[1] in ("(", "["):
            parts.append(self.unit())
        if len(parts) == 1:
            return parts[0]
        return Node("chain", [self.ones(part) for part in parts])

    def ones(self, part: Node) -> Node:
        return Node("ones", columns=1) if part.kind == "number" and part.word == "1" else part

    def unit(self) -> Node:
        result = self.atom()
        while self.peek()[0] == "power":
            power = self.take()
            match power:
                case "ᵀ":
                    result = Node("transpose", [self.ones(result)])
                case "⁻¹" | "⁻ᵀ":
                    result = Node("inverse", [result])
                    result = Node("transpose", [result]) if power == "⁻ᵀ" else result
                case "^" | "^⊙":
                    self.expect("(")
                    result = Node("power", [result, self.sum()], "^⊙" if power == "^⊙" else "")
                    self.expect(")")
                case _:
                    exponent = int(power.removeprefix("^⊙").translate(_LOWERED))
                    word = "^⊙" if power.startswith("^") else ""
                    result = Node("power", [result, Node("number", value=exponent)], word)
        return result

    def atom(self) -> Node:
        kind, word = self.peek()
        self.at += 1
        if kind == "number":
            return Node("number", word=word, value=float(word))
        if kind == "fraction":
            top, bottom = word.split("/", 1)
            below = [float(self.sizes.get(one, 0) or one) for one in bottom.strip("()").split()]
            return Node("number", word=word, value=float(top) / float(np.prod(below)))
        if word == "(":
            result = self.argument()
            self.expect(")")
            return Node("group", [result]) if result.kind in ("number", "minus") else result
        if word == "[":
            return self.grid()
        assert kind == "name", f"{self.text!r} has {word!r} where a tensor should stand"
        attached = self.at < len(self.tokens) and self.tokens[self.at][1] == "(" and not self.tokens[self.at][3]
        if attached:
            self.expect("(")
            args = [self.argument()]
            while self.accept(","):
                args.append(self.argument())
            self.expect(")")
            return Node("call", args, word)
        return self.named(word)

    def grid(self) -> Node:
        rows = [[self.sum()]]
        while sign := self.accept(",", ";"):
            rows += [[]] if sign == ";" else []
            rows[-1].append(self.sum())
        self.expect("]")
        cells = [Node("zeros") if cell.kind == "number" and cell.value == 0 else cell for row in rows for cell in row]
        return Node("grid", cells, value=len(rows[0]))

    def argument(self) -> Node:
        result = self.sum()
        if sign := self.accept(">", "<", "≥", "≤", "=", "≠"):
            result = Node("compare", [result, self.sum()], sign)
        return result

    def named(self, word: str) -> Node:
        if word in self.env:
            array = self.env[word]
            array = array.reshape(array.shape + (1,) * (2 - array.ndim))
            return Node("array", word=word, value=array, rows=array.shape[0], columns=array.shape[1])
        if word in self.sizes:
            return Node("number", word=word, value=float(self.sizes[word]))
        if word in ("I", "Id"):
            return Node("identity")
        if word.startswith("I_"):
            size = self.sizes.get(word[2:]) or int(word[2:])
            return Node("array", value=np.eye(size), rows=size, columns=size)
        assert word[:2] in ("K_", "C_", "T_"), f"{word} in {self.text!r} is no tensor"
        m, n = [self.sizes.get(one) or int(one) for one in word[2:]]
        value = np.zeros((m * n, m * n))
        for i in range(m):
            for j in range(n):
                value[i * n + j, j * m + i] = 1  # vec(Aᵀ)[i n + j] = vec(A)[j m + i], A is m by n
        return Node("array", value=value, rows=m * n, columns=m * n)


def sized(node: Node, loose: bool) -> bool:
    """Whether it is known to be no scalar, or if `loose` something is known of it, and of scalars all is."""
    if node.rows and node.columns:
        return True
    inner = node
    while inner.kind == "transpose":
        (inner,) = inner.parts
    if inner.kind == "grid" or (inner.kind == "call" and inner.word == "diag") or (loose and inner.kind == "kron"):
        return True
    if inner.kind in ("sum", "odot", "minus") and any(sized(part, False) for part in inner.parts if not part.number):
        return True
    return inner.kind in ("ones", "identity") or (loose and bool(node.rows or node.columns))


def links(node: Node, loose: bool) -> list[tuple[Node, str, Node, str]]:
    """Which rows and columns of a node and its parts are equal."""
    found: list[tuple[Node, str, Node, str]] = []

    def same(a: Node, b: Node) -> None:
        found.extend([(a, "rows", b, "rows"), (a, "columns", b, "columns")])

    match node.kind:
        case "minus" | "group" | "sum" | "odot" | "compare" | "ratio" | "power":
            parts = [part for part in node.parts if not part.number]
            large = [part for part in parts if (part.rows, part.columns) != (1, 1)]
            for part in large if large and node.kind in ("ratio", "power") else parts:
                same(node, part)
        case "transpose":
            (part,) = node.parts
            found += [(node, "rows", part, "columns"), (node, "columns", part, "rows")]
        case "inverse":
            (part,) = node.parts
            same(node, part)
            found.append((part, "rows", part, "columns"))
        case "identity":
            found.append((node, "rows", node, "columns"))
        case "chain":
            parts = [part for part in node.parts if not part.number and (part.rows, part.columns) != (1, 1)]
            found += [(a, "columns", b, "rows") for a, b in pairwise(parts) if sized(a, loose) and sized(b, loose)]
            if not parts and not node.number:
                same(node, next(part for part in node.parts if not part.number))
            if parts and sized(parts[0], loose) and sized(parts[-1], loose):
                found += [(node, "rows", parts[0], "rows"), (node, "columns", parts[-1], "columns")]
        case "grid":
            for k, part in enumerate(node.parts):
                found.append((part, "rows", node.parts[k - k % node.value], "rows"))
                found.append((part, "columns", node.parts[k % node.value], "columns"))
        case "call":
            first = node.parts[0]
            base, _, how = node.word.rpartition("_")
            if node.word in ENTRYWISE:
                for part in node.parts:
                    if not part.number:
                        same(node, part)
            elif node.word in ("softmax", "log_softmax") or base in ("softmax", "log_softmax"):
                same(node, first)
            elif node.word in SQUARE:
                found.append((first, "rows", first, "columns"))
                if node.word in ("eigvecs", "cholesky"):
                    same(node, first)
                elif node.word in ("diagonal", "eigvalsh"):
                    found.append((node, "rows", first, "rows"))
            elif node.word == "diag":
                found += [(node, "rows", first, "rows"), (node, "columns", first, "rows")]
            elif how == "rows" and base in _WHOLE:
                found.append((node, "rows", first, "rows"))
            elif how == "columns" and base in _WHOLE:
                found.append((node, "rows", first, "columns"))
    return found


def settle(root: Node) -> None:
    """Find the sizes that are not said."""
    nodes = [root]
    for node in nodes:
        nodes.extend(node.parts)
        if node.kind == "number":
            node.rows = node.columns = 1
        if node.kind == "call":
            if node.word in ("tr", "det", "logdet", "max", "min", "logsumexp", "prod"):
                node.rows = node.columns = 1
            if node.word in ("diagonal", "eigvalsh", "vec", "vec_r") or (node.word.endswith(("_rows", "_columns"))
                    and not node.word.startswith(("softmax", "log_softmax"))):  # fmt: skip
                node.columns = 1
    products = [node for node in nodes if node.kind == "kron"]
    loose, changed = False, True
    while changed or not loose:
        loose, changed = loose or not changed, False
        for node in nodes:
            inner = node.parts[0] if node.parts else node
            if node.word.startswith("vec") and inner.rows and inner.columns and not node.rows:
                node.rows, changed = inner.rows * inner.columns, True
        for node in products:
            for side in ("rows", "columns"):
                whole, *parts = (getattr(one, side) for one in (node, *node.parts))
                if not whole and all(parts):
                    setattr(node, side, parts[0] * parts[1])
                    changed = True
                for k, other in enumerate(parts):
                    if whole and other and not parts[1 - k]:
                        setattr(node.parts[1 - k], side, whole // other)
                        changed = True
        for node in (node for node in nodes if node.kind == "grid"):
            for side, cells in (("rows", node.parts[:: node.value]), ("columns", node.parts[: node.value])):
                sizes = [getattr(one, side) for one in cells]
                if all(sizes) and not getattr(node, side):
                    setattr(node, side, sum(sizes))
                    changed = True
                if getattr(node, side) and sizes.count(0) == 1:
                    setattr(cells[sizes.index(0)], side, getattr(node, side) - sum(sizes))
                    changed = True
        for node in nodes:
            for a, one, b, other in links(node, loose):
                for x, p, y, q in ((a, one, b, other), (b, other, a, one)):
                    if getattr(x, p) and not getattr(y, q):
                        setattr(y, q, getattr(x, p))
                        changed = True
        if loose and not changed:  # vec(I + 1) says of the identity only how many entries it has
            for node in nodes:
                if node.word.startswith("vec") and node.rows and not node.parts[0].rows:
                    node.parts[0].rows = node.parts[0].columns = round(node.rows**0.5)
                    changed = True


def evaluate(node: Node) -> Array:
    parts = [evaluate(part) for part in node.parts]
    match node.kind:
        case "number":
            return np.array([[float(node.value)]])
        case "array":
            return node.value
        case "ones":
            assert node.rows, "ones of no known size"
            return np.ones((node.rows, 1))
        case "zeros":
            assert node.rows * node.columns, "zeros of no known size"
            return np.zeros((node.rows, node.columns))
        case "identity":
            assert node.rows or node.columns, "an identity of no known size"
            return np.eye(node.rows or node.columns)
        case "minus":
            return -parts[0]
        case "group":
            return parts[0]
        case "sum":
            return _together(node, parts, np.add)
        case "odot":
            return _together(node, parts, np.multiply)
        case "ratio":
            assert parts[1].shape == (1, 1) or node.parts[0].number or parts[0].shape == parts[1].shape
            return parts[0] / parts[1]
        case "power":
            square = min(parts[0].shape) > 1 and not node.word
            assert not square, "a power of a matrix is a product"
            return parts[0] ** parts[1]
        case "compare":
            ops = {">": np.greater, "<": np.less, "≥": np.greater_equal, "≤": np.less_equal, "=": np.equal}
            return _together(node, parts, {**ops, "≠": np.not_equal}[node.word]).astype(float)
        case "transpose":
            return parts[0].T
        case "inverse":
            return np.linalg.inv(parts[0])
        case "kron":
            return np.kron(*parts)
        case "grid":
            return np.block([parts[k : k + node.value] for k in range(0, len(parts), node.value)])
        case "chain":
            scalar, product = 1.0, None
            for part, value in zip(node.parts, parts, strict=True):
                if part.number or value.shape == (1, 1):
                    scalar = scalar * value[0, 0]
                else:
                    if product is not None:
                        assert product.shape[1] == value.shape[0], "the sizes of neighbours differ"
                    product = value if product is None else product @ value
            return np.array([[scalar]]) if product is None else scalar * product
        case "call":
            return _call(node, parts)
    raise TypeError(node.kind)


def _together(node: Node, parts: list[Array], combine: Callable[[Array, Array], Array]) -> Array:
    """Entry by entry: shapes are equal but for numbers."""
    shapes = {value.shape for part, value in zip(node.parts, parts, strict=True) if not part.number}
    assert len(shapes) <= 1, f"{shapes} stand side by side"
    result = parts[0]
    for value in parts[1:]:
        result = combine(result, value)
    return result


def _call(node: Node, parts: list[Array]) -> Array:
    if node.word in ENTRYWISE:
        shapes = {value.shape for part, value in zip(node.parts, parts, strict=True) if not part.number}
        assert len(shapes) <= 1
        return ENTRYWISE[node.word](*parts)
    (arg,) = parts
    if node.word in MATRIX:
        if node.word == "diag":
            assert arg.shape[1] == 1, "diag takes a column"
        if node.word in SQUARE:
            assert arg.shape[0] == arg.shape[1]
        return MATRIX[node.word](arg)
    base, how = node.word, ""
    if base not in _WHOLE:
        base, _, how = node.word.rpartition("_")
    found = _WHOLE[base](arg, _AXES[how])
    return found.reshape(-1, 1) if base not in ("softmax", "log_softmax") else found


def value_of(text: str, env: Mapping[str, Array], sizes: Mapping[str, int], shape: tuple[int, int]) -> Array:
    """What a right-hand side says, for a left side of a shape."""
    root = Reader(text, env, sizes).whole()
    root.rows, root.columns = root.rows or shape[0], root.columns or shape[1]
    settle(root)
    return np.broadcast_to(evaluate(root), shape)


def joined(text: str) -> str:
    """A text with a line for every equation: one goes on below with a sign, or behind a comma."""
    return re.sub(r"(?<=,)\n +|\n +(?=[+−·⊙⊗⊘/=] )", " ", text)


def read(text: str, env: Mapping[str, Array], sizes: Mapping[str, int], shape: tuple[int, int],
         shapes: Mapping[str, tuple[int, ...]]) -> Array:  # fmt: skip
    """The value of a printed result with its `where` lines; `shapes` are those of what these define."""
    first, *more = joined(text).splitlines()
    known = dict(env)
    waiting = [line.strip().removeprefix("where ").partition(" = ")[::2] for line in more]
    while waiting:
        name, body = waiting.pop()
        if any(re.search(rf"(?<!\w){re.escape(other)}(?!\w)", body) for other, _ in waiting):
            waiting.insert(0, (name, body))  # it reads what comes later
            continue
        whole = (*shapes[name], 1, 1)[:2]
        known[name] = value_of(body, known, sizes, whole).reshape(shapes[name])
    return value_of(first.split(" = ", 1)[1], known, sizes, shape)
