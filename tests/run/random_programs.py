"""Random programs over every node kind, with arrays for them, drawn by Hypothesis.

Programs are raw: structural operands stand anywhere, nodes are shared, labels repeat on both sides. Windows stride,
dilate, run backwards and leave their axis; some fuse two axes, or overlap on a longer one. Indices of gathers repeat.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from einback.ir.build import add, broadcast, const, einsum, fill
from einback.ir.extents import plus
from einback.ir.indexing import group
from einback.ir.nodes import Add, Const, Delta, Input, Map, Node, OneHot, Ones, Range, Reduce, Window
from einback.rules.matrix import matrix

SIZES = ("a", "b", "c")

UNARY = ["exp", "tanh", "sin", "relu", "abs", "sigmoid", "softplus", "erf", "sign", "arctan", "gelu", "silu"]
BINARY = ["maximum", "minimum", "hypot", "greater", "less_equal", "equal", "above", "leaky_relu", "arctan2"]
EXPONENTS = [Fraction(2), Fraction(3), Fraction(-1), Fraction(1, 2), Fraction(-1, 2), Fraction(-2), Fraction(0), 1.3]
WEIGHTS = [*map(Fraction, (1, -1, 2)), Fraction(1, 3), Fraction(-1, 64), Fraction(2, 3), Fraction(1, 2), 0.1]
EXACT = [Fraction(1), Fraction(-1), Fraction(2), Fraction(-3)]
COMPARISONS = ["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"]
MATRIX = ["inv", "det", "logdet", "sign", "cholesky", "eigvalsh"]

# What points into an axis: the name of the tensor, its sizes, the size of the axis.
INDICES = {"along": ("b", "a"), "across": ("ab", "c")}


class Draw:
    """Grows a pool of nodes. With `exact`, only what maps integers to integers without rounding."""

    def __init__(self, draw: Any, *, exact: bool = False) -> None:
        self.draw, self.exact = draw, exact
        self.inputs = [
            Input(name, tuple(sizes), ())
            for name, sizes in [("x", "a"), ("y", "b"), ("A", "ab"), ("B", "bc"), ("S", "aa"), ("T", "abc"), ("s", "")]
        ]
        self.pool: list[Node] = list(self.inputs)
        self.ids = [Input(name, tuple(sizes), ("integer",)) for name, (sizes, _) in INDICES.items()]

    def pick(self, options: Any) -> Any:
        return self.draw(st.sampled_from(list(options)))

    def grow(self) -> None:
        kinds = [self.product, self.product, self.product, self.sum, self.function, self.reduction, self.masked]
        kinds += [] if self.exact else [self.of_matrix]
        node = self.pick(kinds)()
        if node.rank <= 5:
            self.pool.append(node)

    def operand(self) -> Node:
        kind = self.draw(st.integers(0, 11))
        if kind == 0:
            return self.pick([Delta(self.pick(SIZES)), Ones(self.pick(SIZES)), const(2), const(Fraction(-3))])
        if kind == 1:
            return self.window()
        if kind == 2:
            ids = self.pick(self.ids)
            return OneHot(ids, INDICES[ids.name][1])
        return self.pick(self.pool[-6:] + self.inputs)

    def window(self) -> Node:
        """One that fuses two axes, one that overlaps on an axis as long as both, or one that may leave any axis."""
        one, other = self.pick(SIZES), self.pick(SIZES)
        kind = self.draw(st.integers(0, 3))
        if kind == 0:
            return group((one, other))
        if kind == 1:
            return Window(plus(one, other), (one, other), (1, 1), 0)
        steps = [self.pick((1, 2, -1)) for _ in range(kind - 1)]
        offset = self.draw(st.integers(-2, 1))
        if min(*steps, offset) >= 0:
            offset = -1
        return Window(self.pick(SIZES), (one, other)[: len(steps)], tuple(steps), offset)

    def product(self) -> Node:
        """Operands whose axes of one size share labels or not, as it falls; any labels kept, some twice."""
        operands = [self.operand() for _ in range(self.draw(st.integers(1, 4)))]
        labels = []
        for operand in operands:
            labels.append([f"{size}{self.draw(st.integers(0, 1))}" for size in operand.shape])
        seen = list(dict.fromkeys(label for term in labels for label in term))
        out = [label for label in seen if self.draw(st.booleans())]
        if self.draw(st.booleans()):
            out.reverse()
        if out and self.draw(st.integers(0, 5)) == 0:
            out.append(self.pick(out))
        return einsum(operands, labels, out[:5])

    def like(self, node: Node) -> Node:
        """Another tensor of a node's shape: one of the pool, a broadcast, or a number everywhere."""
        same = [other for other in self.pool if other.shape == node.shape]
        axes = [k for k in range(node.rank) if self.draw(st.booleans())]
        shape = tuple(node.shape[k] for k in axes)
        narrow = [other for other in self.pool if other.shape == shape]
        if narrow and self.draw(st.booleans()):
            return broadcast(self.pick(narrow), node.shape, axes)
        if self.draw(st.integers(0, 4)) == 0:
            return fill(node.shape, self.pick(EXACT))
        return self.pick(same)

    def sum(self) -> Node:
        first = self.pick(self.pool)
        terms = [first, *(self.like(first) for _ in range(self.draw(st.integers(0, 3))))]
        return Add(tuple(terms), tuple(self.pick(EXACT if self.exact else WEIGHTS) for _ in terms))

    def function(self) -> Node:
        x = self.pick(self.pool)
        if self.exact:
            return self.pick([Map("relu", (x,)), Map("abs", (x,)), Map("maximum", (x, self.like(x)))])
        kind = self.draw(st.integers(0, 3))
        if kind == 0:
            return Map(self.pick(UNARY), (x,))
        if kind == 1:
            return Map("power", (x, Const(self.pick(EXPONENTS))))
        y = self.pick([self.like(x), const(0), const(Fraction(1, 4))])
        if kind == 2:
            return Map(self.pick(BINARY), (x, y))
        mask = Map("greater", (self.like(x), x))
        return Map("where", (mask, y, self.pick([self.like(x), const(0)])))

    def masked(self) -> Node:
        """A tensor where indices compare so or so, and another one, or zero, elsewhere."""
        x = self.pick(self.pool)
        if not x.rank:
            return x
        places = [broadcast(Range(x.shape[axis]), x.shape, [axis]) for axis in range(x.rank)]
        other = self.pick([*places, const(1)])
        mask = Map(self.pick(COMPARISONS), (self.pick(places), other))
        return Map("where", (mask, x, self.pick([self.like(x), const(0)])))

    def of_matrix(self) -> Node:
        """A function of tanh(X) tanh(X)' + 2, which is positive definite, symmetric as it is written."""
        x = self.pick([node for node in self.pool if node.rank >= 2])
        batch, y = range(x.rank - 2), Map("tanh", (x,))
        gram = einsum([y, y], [(*batch, "i", "k"), (*batch, "j", "k")], (*batch, "i", "j"))
        rank = gram.rank
        identity = broadcast(Delta(gram.shape[-1]), gram.shape, (rank - 2, rank - 1))
        return matrix(self.pick(MATRIX), add([gram, identity], [1, 2]))

    def reduction(self) -> Node:
        x = self.pick(self.pool)
        if not x.rank:
            return x
        axes = tuple(k for k in range(x.rank) if self.draw(st.booleans())) or (0,)
        fns = ["max", "min", "prod"] if self.exact else ["max", "min", "prod", "logsumexp"]
        return Reduce(self.pick(fns), x, axes)


@st.composite
def programs(draw: Any, *, exact: bool = False) -> tuple[tuple[Node, ...], list[Input]]:
    grower = Draw(draw, exact=exact)
    for _ in range(draw(st.integers(1, 8))):
        grower.grow()
    grown = grower.pool[len(grower.inputs) :] or grower.pool
    roots = tuple(draw(st.lists(st.sampled_from(grown), min_size=1, max_size=3)))
    return roots, [*grower.inputs, *grower.ids]


def arrays_for(
    inputs: list[Input], seed: int, *, zero: bool = False, exact: bool = False
) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Lengths for all sizes, and an array for each input, in layouts of all kinds."""
    rng = np.random.default_rng(seed)
    sizes = {size: int(rng.integers(0 if zero else 1, 4)) for size in SIZES}
    if not all(sizes[below] for _, below in INDICES.values()):
        sizes["b"] = 0  # what points into an axis without entries has none
    arrays = {}
    for tensor in inputs:
        shape = tuple(sizes[str(size)] for size in tensor.sizes)
        if tensor.name in INDICES:
            arrays[tensor.name] = rng.integers(0, max(1, sizes[INDICES[tensor.name][1]]), shape)
            continue
        values = rng.integers(-4, 5, shape) if exact else rng.normal(size=shape)
        arrays[tensor.name] = strided(np.asarray(values), int(rng.integers(0, 5)))
    return sizes, arrays


def strided(array: np.ndarray, kind: int) -> np.ndarray:
    """The same entries in another layout: C, Fortran, reversed, every second item, read-only."""
    if not array.ndim:
        return array
    if kind == 1:
        return np.asfortranarray(array)
    if kind == 2:
        return np.ascontiguousarray(array[(slice(None, None, -1),) * array.ndim])[(slice(None, None, -1),) * array.ndim]
    if kind == 3:
        wide = np.repeat(array, 2, axis=-1)
        return wide[..., ::2]
    if kind == 4:
        array = array.copy()
        array.flags.writeable = False
    return array
