"""Index programs to nodes: `elaborate` reads a text into a `Program`.

    Z[n,c] = X[n,d] W[d,c] + b[c]
    loss   = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)

The grammar is in `einback.notation.syntax`, the rule of summation in `einback.notation.scopes`, what an affine index
may reach in `einback.notation.ranges`. Statements may be in any order; a line may begin with the word `where`. An
index names the size of its axis: an input's axes have the sizes that its indices name, and reading a tensor under
other indices makes their sizes equal. An axis that is read at computed positions only has a size of its own: axis 2
of x is of the size `x_2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from einback.ir.nodes import Input, Node
from einback.ir.sizes import Equality, Size
from einback.notation import messages
from einback.notation.comparisons import with_positions
from einback.notation.grammar import parse
from einback.notation.lower import lower
from einback.notation.ranges import settle
from einback.notation.resolve import Names
from einback.notation.source import Source
from einback.notation.unify import distinct_names

__all__ = ["Program", "elaborate"]


@dataclass(frozen=True, slots=True)
class Program:
    """A text, read.

    `tensors` are by their names in the text: those that are read and not defined (given ones too) in order of
    appearance, then the definitions. `inputs` are the inputs that were made. `index_names` calls the axes of
    each tensor; `size_names` lists the indices that were seen for each size, the size's own name first.
    `equalities` are sizes of given tensors that became equal. `outputs` are the left-hand sides. `sized` are the
    names that sizes can be given for.
    """

    tensors: dict[str, Node]
    inputs: tuple[Input, ...]
    index_names: dict[str, tuple[str, ...]]
    size_names: dict[Size, tuple[str, ...]]
    equalities: frozenset[Equality]
    outputs: tuple[str, ...]
    sized: tuple[str, ...] = ()


def elaborate(
    text: str,
    given: Mapping[str, Node] | None = None,
    sizes: Mapping[str, Size] | None = None,
    rename: Mapping[str, str] | None = None,
    *,
    suffix: str = "",
    strict: bool = True,
) -> Program:
    """Read a program.

    `given` binds names to nodes, whose sizes then go with the indices they are read under; `sizes` presets
    the sizes of indices; `rename` says what inputs are called that are called otherwise in the text; `suffix`
    is put behind the names of sizes that nothing fixes. Where affine indices leave a size open, that is an error,
    or, if not `strict`, the size is a symbol as well.

    >>> program = elaborate("s = x[i] A[i,j] x[j]")
    >>> program.inputs[0].sizes, program.inputs[1].sizes
    (('i',), ('i', 'i'))
    """
    given = given or {}
    statements = parse(text)
    defined = {one.name for one in statements}
    statements = with_positions(statements, text, defined | given.keys())
    names = Names(text, statements, given)
    source = Source(text, statements, names, given)
    indices = source.unified(suffix)
    for index, size in (sizes or {}).items():
        if index not in indices:
            raise messages.no_such_size(index, indices.names())
        indices.preset(index, size)
    settle(list(source.uses()), indices, source.fixed(indices), text, strict=strict)
    tensors = source.inputs(indices, rename or {})
    built = dict(tensors)
    for name in names.order:
        built[name] = lower(names.defined[name], text, names, indices, built)
    return Program(
        tensors | {name: built[name] for name in names.defined},
        tuple(node for name, node in tensors.items() if name not in given and isinstance(node, Input)),
        {name: distinct_names(map(source.shown, own)) for name, own in source.first.items()},
        source.size_names(indices),
        indices.equalities(),
        tuple(names.defined),
        indices.names(),
    )
