"""Computed positions as relations: x[2*i+u] is the sum over p of x[p] and the window of p = 2*i+u.

x[2*i+u]      x[p] Window[p, i, u]
x[(h w)]      x[p] Window[p, h, w]       with the steps len(w), 1
E[t[b], d]    E[v, d] OneHot(t)[b, v]
δ[p, 2*i+u]   the window itself; so for a group or a gather
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from einback.ir.indexing import group, is_whole
from einback.ir.nodes import Input, Node, OneHot, Window
from einback.ir.sizes import Size
from einback.notation import index_messages
from einback.notation.syntax import Affine, Group, Index, Place, Read
from einback.notation.values import Factor, Value

__all__ = ["Relations"]


class Relations:
    """Builds the relations of one text's positions; `size` gives the sizes of indices."""

    def __init__(self, text: str, size: Callable[[str], Size]) -> None:
        self._text, self._size = text, size

    def read(self, node: Node, places: Sequence[Place], ids: Mapping[Read, Value]) -> Value:
        """A tensor at some positions; `ids` are the values of those that are tensors."""
        own: list[str] = []
        computed: list[str] = []
        factors: list[Factor] = []
        for place, size in zip(places, node.shape, strict=True):
            if isinstance(place, Index):
                own.append(place.name)
                continue
            label = f"@{place.span[0]}"  # no index can have this name
            own.append(label)
            computed.append(label)
            factors.append(self.relation(label, size, place, ids))
        return Value(node, tuple(own), relations=tuple(factors), places=frozenset(computed))

    def delta(self, places: Sequence[Place], ids: Mapping[Read, Value]) -> Value:
        """A Kronecker delta of an index and a computed position, in either order."""
        index, place = places if isinstance(places[0], Index) else reversed(places)
        assert isinstance(index, Index)
        return Value(*self.relation(index.name, self._size(index.name), place, ids))

    def flattening(self, label: str, place: Group) -> Factor:
        """The relation of a group on the left side to the axis that it makes."""
        names = tuple(index.name for index in place.indices)
        return group(tuple(map(self._size, names))), (label, *names)

    def relation(self, label: str, size: Size, place: Place, ids: Mapping[Read, Value]) -> Factor:
        match place:
            case Affine():
                names = tuple(index.name for index in place.indices)
                return Window(size, tuple(map(self._size, names)), place.steps, place.offset), (label, *names)
            case Group():
                return self.flattening(label, place)
            case Read():
                value = ids[place].plain()
                self.check_whole(place, value.node)
                return OneHot(value.full(), size), (*value.indices, label)
            case _:
                raise AssertionError(f"{place} is no computed position")

    def check_whole(self, place: Read, node: Node) -> None:
        if not is_whole(node):
            what = "declared without integer=True" if isinstance(node, Input) else "not made of whole numbers alone"
            raise index_messages.gather_by(place.name, what, self._text, place.span)
