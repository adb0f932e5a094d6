"""Random programs, and the check that a printed one is read back as the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from einback.formula.index import Names, texts
from einback.ir.build import add, broadcast, const, einsum, multiply, power, reduce, scale, size_of
from einback.ir.nodes import Const, Delta, Input, Map, Node, Ones
from einback.ir.walk import inputs_of
from einback.notation.elaborate import elaborate
from einback.rules.composite import log_softmax, softmax
from einback.rules.scalar import row
from einback.rules.simplify import normalise
from tests.interpreter import evaluate

SIZES = {"n": 3, "m": 2}
POOL = {"n": ("i", "j"), "m": ("u",), 4: ("t",)}
INDEX_SIZES = {"n": "n", "m": "m", **{name: size for size, names in POOL.items() for name in names}}


def read_back(roots: Sequence[Node], names: Sequence[Names] | None = None) -> tuple[str, tuple[Node, ...]]:
    """The text of some normal roots, and the roots that it is read back as, in normal form."""
    called = [f"result_{k}" for k in range(len(roots))]
    shown = texts(roots, called, names or [Names(pool=POOL)] * len(roots))
    given = {node.name: node for node in inputs_of(roots)}
    seen = {name for names in elaborate(shown, given=given).size_names.values() for name in names}
    program = elaborate(shown, given=given, sizes={name: size for name, size in INDEX_SIZES.items() if name in seen})
    return shown, normalise([program.tensors[name] for name in called])


def equal_values(roots: Sequence[Node], others: Sequence[Node], seed: int = 0) -> bool:
    rng = np.random.default_rng(seed)
    arrays = {
        node.name: rng.uniform(0.2, 1.5, [s if isinstance(s, int) else SIZES[s] for s in node.sizes])
        for node in inputs_of([*roots, *others])
    }
    pairs = zip(evaluate(roots, arrays, SIZES), evaluate(others, arrays, SIZES), strict=True)
    return all(_close(a, b) for a, b in pairs)


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal where both are finite: which infinity a pole gives depends on the order of operations."""
    finite = np.isfinite(a) & np.isfinite(b)
    return a.shape == b.shape and np.allclose(a[finite], b[finite], rtol=1e-6, atol=1e-9)


# Random nodes

INPUTS: tuple[Input, ...] = tuple(
    Input(name, sizes, ())
    for name, sizes in [
        ("x", ("n",)),
        ("y", ("n",)),
        ("s", ()),
        ("A", ("n", "n")),
        ("B", ("n", "m")),
        ("W_1", ("m", 4)),
        ("v", (4,)),
        ("T", ("n", "m", "n")),
    ]
)

UNARY = ("exp", "sin", "relu", "sigmoid", "tanh", "abs", "softplus")
BINARY = ("maximum", "greater", "less_equal", "arctan2")
WEIGHTS = (1, -1, 2, -3, Fraction(1, 2), Fraction(-3, 4), 0.1, 1e-7)
EXPONENTS = (2, 3, -1, -2, Fraction(1, 2), Fraction(-1, 2), Fraction(3, 2), 0.3, -0.7)


def contraction(draw: Callable, pool: list[Node]) -> Node:
    operands = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
    labels: list[tuple[str, ...]] = []
    for operand in operands:
        labels.append(tuple(draw(st.sampled_from([f"{size}{k}" for k in range(3)])) for size in operand.shape))
    seen = sorted({label for term in labels for label in term})
    out = draw(st.lists(st.sampled_from(seen), max_size=3, unique=not draw(st.booleans()))) if seen else []
    return einsum(operands, labels, out)


def laid_over(draw: Callable, node: Node, other: Node) -> Node:
    """`node` on the axes of `other`, on its own if their sizes do not fit."""
    left = list(range(other.rank))
    axes = []
    for size in node.shape:
        fitting = [k for k in left if other.shape[k] == size]
        if not fitting:
            return other
        axes.append(draw(st.sampled_from(fitting)))
        left.remove(axes[-1])
    return broadcast(node, other.shape, axes) if other.rank else node


@st.composite
def programs(draw: Callable, steps: int = 6) -> Node:
    pool: list[Node] = list(INPUTS)
    for _ in range(draw(st.integers(1, steps))):
        pool.append(_step(draw, pool, draw(st.sampled_from(pool[-4:] if draw(st.booleans()) else pool))))
    return pool[-1]


def _step(draw: Callable, pool: list[Node], node: Node) -> Node:
    kind = draw(st.sampled_from(["einsum", "einsum", "add", "map", "pair", "power", "reduce", "softmax", "structure"]))
    if kind == "einsum":
        return contraction(draw, pool)
    if kind == "add":
        others = draw(st.lists(st.sampled_from(pool), min_size=0, max_size=2))
        terms = [node, *(laid_over(draw, other, node) for other in others)]
        return add(terms, [draw(st.sampled_from(WEIGHTS)) for _ in terms])
    if kind == "map":
        return Map(draw(st.sampled_from(UNARY)), (node,))
    if kind == "pair":
        fn = draw(st.sampled_from(BINARY))
        other = const(draw(st.sampled_from((0, 1, -2, 0.5))))
        if draw(st.booleans()):
            other = laid_over(draw, draw(st.sampled_from(pool)), node)
        if draw(st.booleans()) and not isinstance(node, Const):
            return Map("where", (Map("greater", (node, const(0))), other, node))
        result = Map(fn, (node, other))
        return multiply(node, result) if row(fn).predicate else result
    if kind == "power":
        return power(node, draw(st.sampled_from(EXPONENTS)))
    if kind in ("reduce", "softmax") and node.rank:
        axes = sorted(draw(st.lists(st.sampled_from(range(node.rank)), min_size=1, unique=True)))
        if kind == "softmax":
            return draw(st.sampled_from([softmax, log_softmax]))(node, axes)
        return reduce(draw(st.sampled_from(["max", "min", "prod", "logsumexp"])), node, axes)
    size = draw(st.sampled_from(["n", "m", 4]))
    return scale(draw(st.sampled_from([Delta(size), Ones(size), size_of(size), const(2)])), 0.3)
