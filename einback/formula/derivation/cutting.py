"""A program as the definitions that a derivation declares, each one step that a reader differentiates at a glance.

The tensors that the user named are cut out first, so that simplification does not merge them away; then what moves
with the variable is cut on, until a definition is a sum of products, or one function of a named tensor. What stands
for a named tensor inside of another definition is an input of its name.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from einback.formula.derivation.axes import axis_names, one_size_a_name
from einback.formula.derivation.letters import fresh, letter_names
from einback.formula.forms import LogSoftmax, log_softmax_items, parts, view
from einback.ir.build import add, broadcast, stand_in
from einback.ir.nodes import Add, Const, Einsum, Input, Map, Matrix, Node
from einback.ir.sizes import Size
from einback.ir.walk import count_uses, depends_on, inputs_of, postorder, transform
from einback.rules.scalar import row
from einback.rules.simplify import normalise

__all__ = ["Cut", "Definition", "End", "cut"]


_VARIABLES, _SCALARS, _VECTORS = "uvst", "yLf", "yfh"  # names where the user gave none


@dataclass(frozen=True, slots=True)
class Definition:
    """symbol[..] = node, in which other symbols stand for what is defined before."""

    symbol: Input
    node: Node


@dataclass(frozen=True, slots=True)
class Cut:
    """The definitions in an order in which each reads earlier ones, that of the result last."""

    definitions: tuple[Definition, ...]
    variable: Input
    axes: Mapping[Input, tuple[str, ...]]  # of inputs and of what is defined
    pool: Mapping[Size, tuple[str, ...]]  # the index names of each size
    taken: frozenset[str]  # names of tensors


@dataclass(frozen=True, slots=True)
class End:
    """What is differentiated, or by what."""

    node: Node
    name: str
    axes: tuple[str, ...]


def cut(y: End, x: End, users: Mapping[Node, str], inputs: Mapping[Input, tuple[str, ...]],
        pool: Mapping[Size, tuple[str, ...]]) -> Cut:  # fmt: skip
    """The definitions that lead from x to y; `users` are the named tensors, `inputs` the names of axes."""
    taken = {one.name for one in inputs}
    variable = x.node if isinstance(x.node, Input) else stand_in(x.node, fresh(_name(x, taken, _VARIABLES), taken))
    names = dict(users) | {y.node: _name(y, taken, _VECTORS if y.node.rank else _SCALARS)}
    roots = _user_cuts(y.node, x.node, variable, names, taken)
    local = _divided(roots, variable, taken)
    result = next(reversed(roots))
    axes = dict(inputs) | {variable: x.axes}
    definitions = []
    for symbol in _reachable(local, result):
        (node,) = normalise([local[symbol]])
        axes[symbol] = axis_names(node, axes, y.axes if symbol is result else ())
        definitions.append(Definition(symbol, node))
    declared = {*inputs, variable, result}
    shown, kept = one_size_a_name([one.node for one in definitions], axes, pool, declared)
    return Cut(tuple(definitions), variable, shown, kept, frozenset(taken))


def _name(end: End, taken: Container[str], letters: str) -> str:
    """Its own name, or else the first letter that is free."""
    return end.name or next((letter for letter in letters if letter not in taken), letters[0])


def _user_cuts(y: Node, x: Node, variable: Input, users: Mapping[Node, str], taken: set[str]) -> dict[Input, Node]:
    """The result and what the user named, each over the names of the others, in normal form; the result last."""
    symbols: dict[Input, Node] = {}

    def visit(old: Node, node: Node) -> Node:
        if old is x:
            return variable
        if old not in users or isinstance(old, Input):
            return node
        symbol = stand_in(node, fresh(users[old], taken))
        symbols[symbol] = node
        return symbol

    transform([y], visit)
    if y is x or isinstance(y, Input):
        symbols[stand_in(y, fresh("y", taken))] = variable
    return dict(zip(symbols, normalise(list(symbols.values())), strict=True))


def _divided(roots: Mapping[Input, Node], variable: Input, taken: set[str]) -> dict[Input, Node]:
    """The definitions of the roots, and those of the steps inside them."""
    spread = transform(list(roots.values()), lambda old, node: _regrouped(node))
    bodies = {symbol: spread[node] for symbol, node in roots.items()}
    active = _active(bodies, variable)
    named: dict[Node, Input] = {}
    for symbol, node in bodies.items():
        if not isinstance(node, Input | Const):
            named.setdefault(node, symbol)
    own = [node for node in _steps(list(bodies.values()), active) if node not in named]
    named |= {node: stand_in(node, name) for node, name in letter_names(own, active, taken).items()}
    local: dict[Input, Node] = {}

    def visit(old: Node, node: Node) -> Node:
        if old not in named:
            return node
        local[named[old]] = node
        return named[old]

    new = transform(list(bodies.values()), visit)
    return local | {symbol: new[node] for symbol, node in bodies.items() if symbol not in local}


def _regrouped(node: Node) -> Node:
    """A sum with each x - logsumexp(x) in it as a term of its own, under which x stands as a whole."""
    if not isinstance(node, Add):
        return node
    items = log_softmax_items(node)
    if not any(isinstance(item, LogSoftmax) for _, item in items):
        return node
    return add([_log_softmax(item) if isinstance(item, LogSoftmax) else item for _, item in items],
               [weight for weight, _ in items])  # fmt: skip


def _log_softmax(item: LogSoftmax) -> Node:
    kept = [axis for axis in range(item.arg.rank) if axis not in item.axes]
    return add([item.arg, broadcast(item.level, item.arg.shape, kept)], [1, -1])


def _active(bodies: Mapping[Input, Node], variable: Input) -> dict[Node, None]:
    """What moves with the variable, inside of all bodies; a body stands behind those that it reads."""
    moving: dict[Node, None] = {variable: None}
    for symbol, node in bodies.items():
        below = [*postorder([node])]
        found = depends_on([node], moving)
        moving.update(dict.fromkeys(part for part in below if part in found))
        if node in found:
            moving[symbol] = None
    return moving


def _steps(roots: Sequence[Node], active: Container[Node]) -> list[Node]:
    """The nodes below the roots that are steps of their own, what is read first standing first."""
    uses = count_uses(roots)
    chosen: dict[Node, None] = {}
    done: set[Node] = set()
    waiting = list(roots)
    while waiting:
        reader = waiting.pop()
        if reader in done:
            continue
        done.add(reader)
        for part in _below(reader, active):
            if not _stays(part, reader, uses):
                chosen[part] = None
            waiting.append(part)
    return [node for node in postorder(roots) if node in chosen]


def _below(reader: Node, active: Container[Node]) -> Iterator[Node]:
    """What a node shows and what moves, seen through transposes, broadcasts and multiples."""
    for part in parts(reader):
        inner: Node | None = part
        while inner is not None and not isinstance(reader, Matrix) and (seen := view(inner)) is not None:
            inner = seen
        if inner is not None and inner in active and not isinstance(inner, Input):
            yield inner


def _stays(part: Node, reader: Node, uses: Mapping[Node, int]) -> bool:
    """Whether a part is differentiated together with its reader: a product in a sum, a power in a product."""
    match part, reader:
        case (Map(), _) if row(part.fn).predicate:
            return True
        case (Map(fn="power", args=(_, Const())), Einsum() | Add()):
            return True
        case (Einsum(), Add()):
            return uses[part] == 1
        case _:
            return False


def _reachable(local: Mapping[Input, Node], result: Input) -> Iterator[Input]:
    """The symbols that the result needs, each behind those that it reads."""
    done: set[Input] = set()
    stack = [result]
    while stack:
        symbol = stack[-1]
        below = [one for one in inputs_of([local[symbol]]) if one in local and one not in done]
        if below and symbol not in done:
            stack.extend(reversed(below))
            continue
        stack.pop()
        if symbol not in done:
            done.add(symbol)
            yield symbol
