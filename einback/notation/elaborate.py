"""Index programs to nodes: `elaborate` reads a text into a `Program`.

    Z[n,c] = X[n,d] W[d,c] + b[c]
    loss   = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)

The grammar is in `einback.notation.syntax`, the rule of summation in `einback.notation.scopes`. Statements may
be in any order; a line may begin with the word `where`. An index names the size of its axis: an input's axes
have the sizes that its indices name, and reading a tensor under other indices makes their sizes equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from einback.errors import ShapeError
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Equality, Size
from einback.notation import messages
from einback.notation.grammar import parse
from einback.notation.lower import lower
from einback.notation.resolve import Kind, Names, reads
from einback.notation.syntax import Index, Read, SizeOf, Statement
from einback.notation.unify import Indices, base, distinct_names

__all__ = ["Program", "elaborate"]


@dataclass(frozen=True, slots=True)
class Program:
    """A text, read.

    `tensors` are by their names in the text: those that are read and not defined (given ones too) in order of
    appearance, then the definitions. `inputs` are the inputs that were made. `index_names` calls the axes of
    each tensor; `size_names` lists the indices that were seen for each size, the size's own name first.
    `equalities` are sizes of given tensors that became equal. `outputs` are the left-hand sides.
    """

    tensors: dict[str, Node]
    inputs: tuple[Input, ...]
    index_names: dict[str, tuple[str, ...]]
    size_names: dict[Size, tuple[str, ...]]
    equalities: frozenset[Equality]
    outputs: tuple[str, ...]


def elaborate(
    text: str,
    given: Mapping[str, Node] | None = None,
    sizes: Mapping[str, Size] | None = None,
    rename: Mapping[str, str] | None = None,
    *,
    suffix: str = "",
) -> Program:
    """Read a program.

    `given` binds names to nodes, whose sizes then go with the indices they are read under; `sizes` presets
    the sizes of indices; `rename` says what inputs are called that are called otherwise in the text; `suffix`
    is put behind the names of sizes that nothing fixes.

    >>> program = elaborate("s = x[i] A[i,j] x[j]")
    >>> program.inputs[0].sizes, program.inputs[1].sizes
    (('i',), ('i', 'i'))
    """
    given = given or {}
    statements = parse(text)
    names = Names(text, statements, given)
    source = _Source(text, statements, names, _first_indices(statements, names))
    indices = source.unified(given, suffix)
    for index, size in (sizes or {}).items():
        if index not in indices:
            raise messages.no_such_size(index, indices.names())
        indices.preset(index, size)
    tensors = source.inputs(given, indices, rename or {})
    built = dict(tensors)
    for name in names.order:
        built[name] = lower(names.defined[name], text, names, indices, built)
    return Program(
        tensors | {name: built[name] for name in names.defined},
        tuple(node for name, node in tensors.items() if name not in given and isinstance(node, Input)),
        {name: distinct_names(index.name for index in own) for name, own in source.first.items()},
        source.size_names(indices),
        indices.equalities(),
        tuple(names.defined),
    )


def _first_indices(statements: Sequence[Statement], names: Names) -> dict[str, tuple[Index, ...]]:
    """The indices that each tensor is defined with, or first read under; inputs come first."""
    found: dict[str, tuple[Index, ...]] = {}
    for one in statements:
        for read in reads(one):
            if names.kind(read) is Kind.TENSOR and read.name not in names.defined:
                found.setdefault(read.name, read.indices or ())
    return found | {name: one.indices for name, one in names.defined.items()}


@dataclass(frozen=True, slots=True)
class _Source:
    """A parsed text, its names, and the indices of each tensor."""

    text: str
    statements: Sequence[Statement]
    names: Names
    first: Mapping[str, tuple[Index, ...]]

    def inputs(self, given: Mapping[str, Node], indices: Indices, rename: Mapping[str, str]) -> dict[str, Node]:
        """The nodes of what is read and not defined."""
        found: dict[str, Node] = {}
        for name in self.names.inputs:
            shape = tuple(indices.size(base(index.name)) for index in self.first[name])
            found[name] = given[name] if name in given else Input(rename.get(name, name), shape, ())
        return found

    def unified(self, given: Mapping[str, Node], suffix: str) -> Indices:
        """The classes and sizes of all indices, from every place where a tensor is read."""
        indices = Indices(suffix=suffix)
        for index in self.appearing():
            indices.add(base(index.name))
        for read in (read for one in self.statements for read in reads(one)):
            own = read.indices or ()
            match self.names.kind(read):
                case Kind.DELTA:
                    self.unite(indices, own[0], own[1])
                case Kind.TENSOR if read.name in given:
                    for index, size in zip(own, given[read.name].shape, strict=True):
                        self.meet(indices, index, size, read)
                case Kind.TENSOR:
                    for index, other in zip(own, self.first[read.name], strict=True):
                        self.unite(indices, other, index)
        return indices

    def appearing(self) -> Iterator[Index]:
        """Every index of the text, those on the left of a statement before those on its right."""
        for one in self.statements:
            yield from one.indices
            for part in one.parts:
                if isinstance(part, Read):
                    yield from part.indices or ()
                elif isinstance(part, SizeOf):
                    yield part.index

    def meet(self, indices: Indices, index: Index, size: Size, read: Read) -> None:
        try:
            indices.meet(base(index.name), size, f"in {read.name}")
        except ShapeError as error:
            raise error.located(self.text, index.span) from None

    def unite(self, indices: Indices, known: Index, index: Index) -> None:
        try:
            indices.unite(base(known.name), base(index.name))
        except ShapeError as error:
            raise error.located(self.text, index.span) from None

    def size_names(self, indices: Indices) -> dict[Size, tuple[str, ...]]:
        """The indices that were seen for each size, the size's own name first."""
        found: dict[Size, dict[str, None]] = {}
        for index in self.appearing():
            size = indices.size(base(index.name))
            names = found.setdefault(size, {size: None} if size == base(index.name) else {})
            names[index.name] = None
        return {size: tuple(names) for size, names in found.items()}
