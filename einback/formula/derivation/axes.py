"""Names for the indices of an intermediate tensor: those of the tensors that it is made from."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from einback.formula.forms import sizes_of
from einback.formula.names import IndexNames
from einback.ir.nodes import Add, Einsum, Input, Map, Matrix, Node, Reduce
from einback.ir.sizes import Size
from einback.ir.walk import postorder
from einback.notation.unify import distinct_names

__all__ = ["axis_names", "one_size_a_name"]


def axis_names(node: Node, known: Mapping[Input, tuple[str, ...]], wished: Sequence[str] = ()) -> tuple[str, ...]:
    """A name for each axis of a node, "" where none is known; wishes come first.

    >>> X, W = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ())
    >>> axis_names(Einsum((X, W), ((0, 1), (1, 2)), (2, 0)), {X: ("n", "d"), W: ("d", "c")})
    ('c', 'n')
    """
    found: dict[Node, tuple[str, ...]] = {}
    for part in postorder([node]):
        found[part] = _names(part, known, found)
    names = found[node]
    return distinct_names([wish or name for wish, name in zip(wished, names, strict=True)] if wished else names)


def one_size_a_name(
    nodes: Sequence[Node],
    axes: Mapping[Input, tuple[str, ...]],
    pool: Mapping[Size, tuple[str, ...]],
    declared: Container[Input],
) -> tuple[dict[Input, tuple[str, ...]], dict[Size, tuple[str, ...]]]:
    """The names of axes and the pool, so that no name stands for two sizes in any two of the nodes.

    Of tensors that were not declared with them, primes give way to other names of the size: K[i,j], not K[i,i'].
    """
    sizes, classes = sizes_of(postorder(nodes))
    names = IndexNames(pool, classes)
    names.reserve(sizes, [(name, size) for one, own in axes.items() for name, size in zip(own, one.sizes, strict=True)])
    kept: dict[Size, tuple[str, ...]] = {}
    for size in sizes:
        own = tuple(name for name in pool.get(size, ()) if names.claim(name, size))
        kept[size] = own or (names.pick(size, ()),)
    shown = {}
    for one, own in axes.items():
        chosen: list[str] = []
        for name, size in zip(own, one.sizes, strict=True):
            wish = name if one in declared else name.rstrip("'")
            chosen.append(names.pick(size, chosen, wish))
        shown[one] = tuple(chosen)
    return shown, kept


def _names(
    node: Node, known: Mapping[Input, tuple[str, ...]], found: Mapping[Node, tuple[str, ...]]
) -> tuple[str, ...]:
    match node:
        case Input():
            return known.get(node, ("",) * node.rank)
        case Einsum():
            label: dict[int, str] = {}
            for operand, labels in zip(node.operands, node.labels, strict=True):
                for one, name in zip(labels, found[operand], strict=True):
                    label[one] = label.get(one) or name
            return tuple(label.get(one, "") for one in node.out)
        case Add():
            return _first([found[term] for term in node.terms], node.rank)
        case Map():
            return _first([found[arg] for arg in node.args if arg.rank == node.rank], node.rank)
        case Reduce():
            return tuple(name for axis, name in enumerate(found[node.arg]) if axis not in node.axes)
        case Matrix():
            inner = found[node.arg]
            return (*inner[: node.arg.rank - 2], *inner[node.arg.rank - 2 :][: node.keeps])
        case _:
            return ("",) * node.rank


def _first(many: Sequence[tuple[str, ...]], rank: int) -> tuple[str, ...]:
    """For each axis the first name that one of several tensors gives it."""
    return tuple(next((names[axis] for names in many if names[axis]), "") for axis in range(rank))
