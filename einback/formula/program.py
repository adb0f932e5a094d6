"""A program as statements: every root and every defined node as a left side and a named tree.

Both writers, text and LaTeX, print what is decided here: which nodes have lines, in which order (users
before what they use), under which names, with which indices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from einback.formula.forms import sizes_of, walk
from einback.formula.labels import tensor_names
from einback.formula.lengths import written_sizes
from einback.formula.names import IndexNames, Names
from einback.formula.naming import name_indices
from einback.formula.outline import definitions
from einback.formula.reading import Reader
from einback.formula.summation import bracketed, settled, summed
from einback.formula.tree import Index, Place, Ref, Tree, carried, references
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Size

__all__ = ["Program", "Statement", "arrange"]


@dataclass(frozen=True, slots=True)
class Statement:
    """name[left] = body, with the names of all its indices."""

    name: str
    left: tuple[Place, ...]
    body: Tree
    chosen: Mapping[Index, str]
    sizes: Mapping[Index, Size] = field(default_factory=dict)  # of indices that computed positions alone do not tell

    @property
    def trivial(self) -> bool:
        """Whether it says that a tensor is itself: an input under its own name has no other formula."""
        return isinstance(self.body, Ref) and self.body.name == self.name and not self.body.fn


@dataclass(frozen=True, slots=True)
class Program:
    """The roots' statements, the definitions that they share, and the index names of both."""

    results: tuple[Statement, ...]
    where: tuple[Statement, ...]
    names: IndexNames


def arrange(
    roots: Sequence[Node],
    root_names: Sequence[str],
    rims: Sequence[Names],
    given: Mapping[Node, str] | None = None,
    inline: bool = False,
    settle: bool = True,
) -> Program:
    """Statements for some results; nodes in `given` are written by their names and not looked into.

    A softmax stands in the formula around it if `inline`, on a line of its own otherwise; sizes go without saying.
    Sums stand where the text's rule puts them if `settle`; otherwise every product keeps what it is summed over.
    """
    given = given or {}
    pool: dict[Size, tuple[str, ...]] = {}
    users: dict[Node, str] = {}
    for rim in rims:
        users.update({node: name for node, name in rim.tensors.items() if node not in users})
        for size, names in rim.pool.items():
            pool[size] = tuple(dict.fromkeys((*pool.get(size, ()), *names)))
    shown = list(walk(roots, given))
    defined = definitions(roots, users, given, inline)
    taken = [*root_names, *given.values(), *(node.name for node in shown if isinstance(node, Input))]
    taken += [name for rim in rims for name in rim.taken]
    named = dict(given) | tensor_names(defined, users, taken, shown)
    named |= dict(zip(reversed(roots), reversed(root_names), strict=True))  # a root that stands twice: its first name

    sizes, classes = sizes_of(shown)
    index_names = IndexNames(pool, classes)
    index_names.block(node.name for node in shown if isinstance(node, Input) and not node.rank)
    wishes = [wish for root, rim in zip(roots, rims, strict=True) for wish in zip(rim.free, root.shape, strict=False)]
    index_names.reserve(sizes, wishes)

    writer = _Arranger(Reader(named), index_names, {named[node]: node for node in (*defined, *roots)}, settle)
    results: list[Statement] = []
    for root, name, rim in zip(roots, root_names, rims, strict=True):
        again = any(done.name == named[root] for done in results)
        results.append(writer.statement(root, name, rim.free, again))
    where = [writer.statement(node, named[node], writer.met.get(node, ())) for node in reversed(defined)]
    if not inline:
        said = written_sizes([*results, *where])
        results, where = ([_sized(one, said, settle) for one in statements] for statements in (results, where))
    return Program(tuple(results), tuple(where), index_names)


def _sized(statement: Statement, sizes: Mapping[Index, Size], settle: bool) -> Statement:
    """A statement with the sizes that it has to say; those of sums stand in brackets, and then all sums have theirs."""
    said = settle and not sizes.keys().isdisjoint(summed(statement.body))
    return replace(statement, body=bracketed(statement.body) if said else statement.body, sizes=sizes)


@dataclass(slots=True)
class _Arranger:
    reader: Reader
    names: IndexNames
    nodes: dict[str, Node]
    settle: bool
    # The index names under which a defined node is read first, plain ones first.
    met: dict[Node, tuple[str, ...]] = field(default_factory=dict)

    def statement(self, node: Node, name: str, preferred: Sequence[str], again: bool = False) -> Statement:
        """The statement that defines a node; one that is defined `again` is read by its other name."""
        left: tuple[Place, ...] = tuple(map(Index, node.shape)) if again else self.reader.left(node)
        chosen: dict[Index, str] = {}
        for axis, place in enumerate(left):
            wish = preferred[axis] if axis < len(preferred) and isinstance(place, Index) else ""
            for index in carried(place):
                chosen[index] = self.names.pick(index.size, chosen.values(), wish)
        body = self.reader.read(node, left) if again else self.reader.definition(node, left)
        body = settled(body) if self.settle else body
        chosen = name_indices(body if self.settle else bracketed(body), chosen, self.names)
        for ref in references(body):
            if (target := self.nodes.get(ref.name)) is not None:
                read = tuple(chosen[place] if isinstance(place, Index) else "" for place in ref.indices)
                if target not in self.met or _primes(read) < _primes(self.met[target]):
                    self.met[target] = read
        return Statement(name, left, body, chosen)


def _primes(names: tuple[str, ...]) -> int:
    return sum(name.count("'") for name in names)
