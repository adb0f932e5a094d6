"""A parsed text with its names: which index stands for each axis of each tensor, and what that says of sizes.

An axis is called by the index that it is defined with, or first read under. Where every position on it is computed,
as the axes of x and E in `x[2*i+u]` and `E[token[b,t], d]`, or where a group on the left makes it, it gets an index
that is in no bracket, named after the tensor and the axis: `x_0`, `E_0`. Formulas show it as a letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count

from einback.errors import ShapeError
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Size
from einback.notation import index_messages, messages
from einback.notation.comparisons import bracketed
from einback.notation.ranges import Use
from einback.notation.resolve import Kind, Names, reads
from einback.notation.syntax import Affine, Group, Hidden, Index, Place, Read, SizeOf, Statement, own_indices
from einback.notation.unify import Indices, base
from einback.rules.matrix import function_name

__all__ = ["Source"]

_LETTERS = "pqrstvwmn"  # what unnamed axes are called in formulas


class Source:
    """`first` has the indices that stand for the axes of each tensor, inputs first."""

    def __init__(self, text: str, statements: Sequence[Statement], names: Names, given: Mapping[str, Node]) -> None:
        self.text, self.statements, self.names, self.given = text, statements, names, given
        self.reads = [read for one in statements for read in reads(one)]
        self._taken = {base(index.name) for one in statements for index in bracketed(one)}
        self._letters: dict[str, str] = {}
        self.first = self._first()

    def _first(self) -> dict[str, tuple[Index, ...]]:
        found: dict[str, list[Place | Hidden]] = {}
        for read in self.reads:
            if self.names.kind(read) is Kind.TENSOR and read.name not in self.names.defined:
                axes = found.setdefault(read.name, list(read.axes))
                for k, place in enumerate(read.axes):
                    if isinstance(place, Index) and not isinstance(axes[k], Index):
                        axes[k] = place
        defined = {name: one.indices for name, one in self.names.defined.items()}
        return {
            name: tuple(self._standing(name, k, place) for k, place in enumerate(places))
            for name, places in chain(found.items(), defined.items())
        }

    def _standing(self, tensor: str, axis: int, place: Place | Hidden) -> Index:
        """What stands for an axis: its index, or a new one."""
        if isinstance(place, Index):
            return place
        name = f"{tensor}_{axis}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        free = (letter for letter in chain(_LETTERS, (f"p_{k}" for k in count(1))) if self._is_free(letter))
        self._letters[name] = next(free)
        self._taken.add(self._letters[name])
        return Index(name, place.span)

    def _is_free(self, name: str) -> bool:
        return name not in self._taken and name not in self.names.ranks

    def shown(self, index: Index) -> str:
        """What an index is called in formulas."""
        return self._letters.get(index.name, index.name)

    def inputs(self, indices: Indices, rename: Mapping[str, str]) -> dict[str, Node]:
        """The nodes of what is read and not defined; those in index positions have whole numbers."""
        found: dict[str, Node] = {}
        for name in self.names.inputs:
            shape = tuple(indices.size(base(index.name)) for index in self.first[name])
            facts = ("integer",) if name in self.names.ids else ()
            found[name] = self.given[name] if name in self.given else Input(rename.get(name, name), shape, facts)
        return found

    def unified(self, suffix: str) -> Indices:
        """The classes and sizes of all indices, from every place where a tensor is read."""
        indices = Indices(suffix=suffix)
        for index in self.appearing():
            indices.add(base(index.name))
        for read in self.reads:
            own = read.axes
            match self.names.kind(read):
                case Kind.DELTA:
                    self.unite(indices, own[0], own[1])
                case Kind.TENSOR if read.name in self.given:
                    for standing, place, size in zip(
                        self.first[read.name], own, self.given[read.name].shape, strict=True
                    ):
                        self.meet(indices, place if isinstance(place, Index) else standing, size, f"in {read.name}")
                case Kind.TENSOR:
                    for standing, place in zip(self.first[read.name], own, strict=True):
                        self.unite(indices, standing, place)
            if read.fn:
                self.square(indices, read)
        for index in self.written():
            if isinstance(index.size, str):
                self.unite(indices, index, Index(index.size, index.span))
            elif index.size is not None:
                self.meet(indices, index, index.size, "as written")
        return indices

    def appearing(self) -> Iterator[Index]:
        """Every index of the text, those on the left of a statement before those on its right."""
        for one in self.statements:
            yield from own_indices(one.indices)
            for part in one.parts:
                if isinstance(part, Read):
                    yield from own_indices(part.indices)
                elif isinstance(part, SizeOf):
                    yield part.index
        for own in self.first.values():
            yield from (index for index in own if index.name in self._letters)

    def written(self) -> Iterator[Index]:
        """The indices whose sizes are written behind them."""
        for one in self.statements:
            yield from (index for index in bracketed(one) if index.size is not None)

    def uses(self) -> Iterator[Use]:
        """Every computed position whose reach says something of sizes."""
        for name, one in self.names.defined.items():
            for standing, made in zip(self.first[name], one.indices, strict=True):
                if not isinstance(made, Index):
                    yield Use(base(standing.name), made, name)
        for read in self.reads:
            places = read.axes
            match self.names.kind(read):
                case Kind.DELTA:
                    named, computed = places if isinstance(places[0], Index) else places[::-1]
                    if not isinstance(named, Index):
                        raise index_messages.affine_delta(self.text, read.span)
                    if isinstance(computed, Affine | Group):
                        yield Use(base(named.name), computed, read.name, demands=False)
                case Kind.TENSOR:
                    for standing, place in zip(self.first[read.name], places, strict=True):
                        if isinstance(place, Affine | Group):
                            yield Use(base(standing.name), place, read.name)

    def fixed(self, indices: Indices) -> set[str]:
        """The first index of every class whose size does not come from the range rule: it has an input's axis."""
        found = {indices.add(base(index.name)) for name in self.names.inputs for index in self.first[name]}
        for index in self.written():
            if isinstance(index.size, str) and (index.size not in self._taken or index.size == base(index.name)):
                indices.call(index.size)
        return found

    def meet(self, indices: Indices, index: Index, size: Size, place: str) -> None:
        try:
            indices.meet(base(index.name), size, place)
        except ShapeError as error:
            raise error.located(self.text, index.span) from None

    def square(self, indices: Indices, read: Read) -> None:
        """The last two axes of a tensor that a matrix function is taken of have one size."""
        rows, columns = self.first[read.name][-2:]
        sizes = indices.size(base(rows.name)), indices.size(base(columns.name))
        if all(isinstance(size, int) for size in sizes) and sizes[0] != sizes[1]:
            raise messages.not_square(read.name, function_name(read.fn), sizes, self.text, read.span)
        indices.unite(base(rows.name), base(columns.name))

    def unite(self, indices: Indices, known: Place | Hidden, index: Place | Hidden) -> None:
        """Two positions on one axis; those that are computed say nothing here."""
        if not isinstance(known, Index) or not isinstance(index, Index):
            return
        try:
            indices.unite(base(known.name), base(index.name))
        except ShapeError as error:
            raise error.located(self.text, index.span) from None

    def size_names(self, indices: Indices) -> dict[Size, tuple[str, ...]]:
        """The indices that were seen for each size, the size's own name first."""
        found: dict[Size, dict[str, None]] = {}
        for index in self.appearing():
            size = indices.size(base(index.name))
            own = size == base(index.name) and index.name not in self._letters
            names = found.setdefault(size, {base(index.name): None} if own else {})
            names[self.shown(index)] = None
        return {size: tuple(names) for size, names in found.items()}
