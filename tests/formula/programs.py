"""Random programs, and the check that a printed one is read back as the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from einback.errors import ShapeError
from einback.formula.index import Names, texts
from einback.ir.build import add, broadcast, const, einsum, multiply, power, reduce, scale, size_of
from einback.ir.extents import negative, plus, product, quotient, symbols_in
from einback.ir.indexing import group
from einback.ir.nodes import Const, Delta, Input, Map, Node, OneHot, Ones, Range, Window
from einback.ir.walk import inputs_of, postorder
from einback.notation.elaborate import elaborate
from einback.rules.composite import log_softmax, softmax
from einback.rules.matrix import matrix
from einback.rules.scalar import row
from einback.rules.simplify import normalise
from tests.interpreter import evaluate

SIZES = {"n": 3, "m": 2}
_LONG = 8  # entries of an axis that two others are added up on
POOL = {"n": ("i", "j"), "m": ("u",), 4: ("t",)}
OWN_POOL = {"n": ("i_n", "j_n"), "m": ("i_m",), 4: ("i_4",)}  # names that no index of another size gets


def read_back(roots: Sequence[Node], pool: Mapping[int | str, tuple[str, ...]] = POOL) -> tuple[str, tuple[Node, ...]]:
    """The text of some normal roots, and the roots that it is read back as, in normal form."""
    called = [f"result_{k}" for k in range(len(roots))]
    shown = texts(roots, called, [Names(pool=pool)] * len(roots))
    given = {node.name: node for node in inputs_of(roots)}
    seen = {name for names in elaborate(shown, given=given).size_names.values() for name in names}
    sizes = {"n": "n", "m": "m", **{name: size for size, names in pool.items() for name in names}}
    program = elaborate(shown, given=given, sizes={name: size for name, size in sizes.items() if name in seen})
    back = normalise([program.tensors[name] for name in called])
    unsaid = {s for node in postorder(back) for size in node.shape for s in symbols_in(size)} - SIZES.keys()
    if unsaid:
        raise ShapeError(f"nothing says the sizes {unsaid}")
    return shown, back


def equal_values(roots: Sequence[Node], others: Sequence[Node], seed: int = 0) -> bool:
    rng = np.random.default_rng(seed)
    arrays = {}
    for node in inputs_of([*roots, *others]):
        shape = [s if isinstance(s, int) else SIZES[s] for s in node.sizes]
        integer = node.name in POINTS_INTO
        below = SIZES.get(POINTS_INTO.get(node.name, ""), 1)
        arrays[node.name] = rng.integers(0, below, shape) if integer else rng.uniform(0.2, 1.5, shape)
    pairs = zip(evaluate(roots, arrays, SIZES), evaluate(others, arrays, SIZES), strict=True)
    return all(_close(a, b) for a, b in pairs)


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal where both are finite: which infinity a pole gives depends on the order of operations."""
    if a.shape != b.shape:
        return False
    finite = np.isfinite(a) & np.isfinite(b)
    return np.allclose(a[finite], b[finite], rtol=1e-6, atol=1e-9)


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

KINDS = ("einsum", "einsum", "add", "map", "pair", "power", "reduce", "softmax", "structure")
STRUCTURED = (*KINDS, "related", "related", "fused", "mask", "matrix")  # what text cannot say all of

IDS = (Input("ids", ("m",), ("integer",)), Input("at", ("n", "m"), ("integer",)))
POINTS_INTO = {"ids": "n", "at": "m"}

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


def related(draw: Callable, pool: list[Node]) -> Node:
    """A tensor read or added up through a window or by indices, on one of its axes."""
    node = draw(st.sampled_from([node for node in pool if node.rank]))
    axis = draw(st.integers(0, node.rank - 1))
    size, labels = node.shape[axis], list(range(node.rank))
    fitting = [ids for ids in IDS if POINTS_INTO[ids.name] == size]
    if fitting and draw(st.booleans()):
        ids = draw(st.sampled_from(fitting))
        where = [("id", k) for k in range(ids.rank)]
        own = [*labels[:axis], *where, *labels[axis + 1 :]]
        read = einsum([node, OneHot(ids, size)], [labels, [*where, axis]], own)
        return einsum([read, OneHot(ids, size)], [own, [*where, axis]], labels) if draw(st.booleans()) else read
    kernel = draw(st.sampled_from(["m", "n", 2]))
    if draw(st.booleans()):
        window = Window(_LONG, (size, kernel), (1, 1), 0)
        return einsum([node, window], [labels, ["p", axis, "u"]], [*labels[:axis], "p", *labels[axis + 1 :]])
    step, dilation, padding = (draw(st.sampled_from((1, 2))) for _ in range(3))
    reach = product(dilation, plus(kernel, -1))
    by_rule = plus(quotient(plus(size, 2 * padding - 1, negative(reach)), step), 1)
    step, count = draw(st.sampled_from([(step, by_rule), (-1, "n"), (step, 3), (step, "m")]))
    window = Window(size, (count, kernel), (step, dilation), -padding)
    own = [*labels[:axis], "i", "u", *labels[axis + 1 :]]
    return einsum([node, window], [labels, [axis, "i", "u"]], [k for k in own if k == "i" or draw(st.booleans())])


def fused(draw: Callable, pool: list[Node]) -> Node:
    """Two axes of a tensor as one."""
    node = draw(st.sampled_from([node for node in pool if node.rank > 1]))
    axes = draw(st.permutations(range(node.rank)))
    one, other, *rest = axes
    window = group((node.shape[one], node.shape[other]))
    return einsum([node, window], [range(node.rank), ["p", one, other]], ["p", *rest])


def masked(draw: Callable, node: Node) -> Node:
    """A tensor where one of its indices compares with another, or with a number; another number elsewhere."""
    places = [broadcast(Range(node.shape[axis]), node.shape, [axis]) for axis in range(node.rank)]
    other = draw(st.sampled_from([*places, const(1)]))
    mask = Map(draw(st.sampled_from(("greater_equal", "less", "equal"))), (draw(st.sampled_from(places)), other))
    if draw(st.booleans()):
        return multiply(node, mask)
    return Map("where", (mask, node, const(draw(st.sampled_from((0, -1))))))


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
def programs(draw: Callable, steps: int = 6, kinds: Sequence[str] = KINDS) -> Node:
    pool: list[Node] = list(INPUTS)
    for _ in range(draw(st.integers(1, steps))):
        pool.append(_step(draw, pool, draw(st.sampled_from(pool[-4:] if draw(st.booleans()) else pool)), kinds))
    return pool[-1]


def _step(draw: Callable, pool: list[Node], node: Node, kinds: Sequence[str]) -> Node:
    kind = draw(st.sampled_from(kinds))
    if kind == "related":
        return related(draw, pool)
    if kind == "fused":
        return fused(draw, pool)
    if kind == "mask" and node.rank:
        return masked(draw, node)
    if kind == "matrix" and node.rank == 2:
        gram = einsum([node, node], ["ik", "jk"], "ij")
        return matrix(draw(st.sampled_from(("inv", "det", "logdet"))), add([gram, Delta(gram.shape[0])], [1, 4]))
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
