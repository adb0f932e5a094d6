"""Which indices need their sizes written, `max[u:2](x[2*i+u])`, for the text to be read back as it was.

An index that some axis is read under has the axis's size, and one that is called as its size is that. One that only
computed positions read has as many values as fit (the range rule, `einback.notation.ranges`); where it has fewer, or
none of this says how many, its size stands behind it, on the left or in the bracket of its reduction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from einback.formula.tree import Affine, Eye, Group, Index, Place, Ref, Tree, carried, subtrees
from einback.ir.extents import is_formula, negative, plus, product, quotient
from einback.ir.sizes import Size

__all__ = ["written_sizes"]


def written_sizes(body: Tree, chosen: Mapping[Index, str]) -> dict[Index, Size]:
    """The indices of a statement whose sizes the text has to say. Of a formula nothing can be said: it is a rule's."""
    places = list(_places(body))
    plain = {place for _, around in places for place in around if isinstance(place, Index)}
    read = {place for one, around in places if isinstance(one, Ref) for place in around if isinstance(place, Index)}
    computed = [(one, place) for one, around in places for place in around if isinstance(place, Affine | Group)]
    concerned = dict.fromkeys(index for _, place in computed for index in carried(place))
    deltas_of = [around for one, around in places if isinstance(one, Eye) and not plain.issuperset(around)]
    concerned |= dict.fromkeys(index for around in deltas_of for index in around if isinstance(index, Index))
    told = [place for one, place in computed if isinstance(one, Ref) and isinstance(place, Affine)]
    deltas = [place for one, place in computed if isinstance(one, Eye) and isinstance(place, Affine)]
    found: dict[Index, Size] = {}
    for index in concerned:
        known = index in read or chosen[index].rstrip("'") == index.size or is_formula(index.size)
        if not known and _bound(index, told or deltas) != index.size:
            found[index] = index.size
    return found


def _places(tree: Tree) -> Iterator[tuple[Tree, tuple[Place, ...]]]:
    """Every tensor and delta with the places it is read at."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Ref | Eye):
            yield part, part.indices
        stack.extend(subtrees(part))


def _bound(index: Index, places: list[Affine]) -> Size | None:
    """How many values of an index fit into the positions that it stands in; None where that does not say."""
    bounds: list[Size] = []
    for place in places:
        steps = dict(zip(place.places, place.steps, strict=True))
        numbers = [step for step in steps.values() if isinstance(step, int) and step > 0]
        if index not in steps or len(numbers) < len(steps) or not isinstance(place.offset, int):
            continue
        others = [product(step, plus(inner.size, -1)) for inner, step in steps.items()
                  if inner is not index and isinstance(inner, Index)]  # fmt: skip
        offset = place.offset
        room = plus(place.size, -1, 2 * max(-offset, 0), -max(offset, 0), *map(negative, others))
        step = steps[index]
        assert isinstance(step, int)
        bounds.append(plus(quotient(room, step), 1))
    least: Size | None = None
    for bound in bounds:
        difference = 0 if least is None else plus(bound, negative(least))
        if not isinstance(difference, int):
            return None
        least = bound if least is None or difference < 0 else least
    return least
