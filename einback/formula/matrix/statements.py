"""A program as statements in matrix notation: the result, and what it reads by name.

Which nodes have names is decided as for index notation, with two exceptions: a tensor of three axes and more is not
named, as no matrix could stand for it, and a product of two tensors is written where it is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

from einback.errors import NotationError
from einback.formula.forms import walk
from einback.formula.labels import tensor_names
from einback.formula.latex import index_latex, tensor_latex
from einback.formula.layout import aligned, broken, with_definitions
from einback.formula.matrix.convert import Converter
from einback.formula.matrix.expr import Expr, Full, Symbol
from einback.formula.matrix.latex import LatexWriter
from einback.formula.matrix.scaling import ones_of, scaled
from einback.formula.matrix.walking import below
from einback.formula.matrix.writing import TextWriter
from einback.formula.outline import definitions
from einback.formula.reading import Reader
from einback.formula.subject import Subject
from einback.formula.tree import Index, Tree
from einback.ir.extents import is_formula
from einback.ir.nodes import Einsum, Input, Matrix, Node
from einback.ir.sizes import Size

__all__ = ["Page", "Statement", "latex_lines", "read_page", "read_symbols", "text_lines"]

_WORDS = frozenset({"tr", "diag", "diagonal", "vec", "vec_r", "det", "inv"})


@dataclass(frozen=True, slots=True)
class Statement:
    name: str
    body: Expr


@dataclass(frozen=True, slots=True)
class Page:
    """A result as a tree over new indices, and how the rest of its program is read."""

    left: tuple[Index, ...]
    tree: Tree
    converter: Converter
    nodes: dict[str, Node]  # what has a name of its own
    reader: Reader
    taken: frozenset[str]

    def result(self) -> Expr:
        """The result over its axes; where one number stands in every entry, that times ones."""
        body = self.converter.oriented(self.tree, self.left)
        return scaled(body.value, (), (), ones_of(body)) if isinstance(body, Full) and body.value == 1 else body

    def where(self, *bodies: Expr) -> list[Statement]:
        """The definitions that some expressions need, what is read first standing first."""
        found: dict[str, Statement] = {}
        queue = deque(_symbols(bodies))
        while queue:
            name = queue.popleft()
            if name in self.nodes and name not in found:
                node = self.nodes[name]
                axes = tuple(map(Index, node.shape))
                body = self.converter.oriented(self.reader.definition(node, axes), axes)
                found[name] = Statement(name, body)
                queue += _symbols([body])
        return [found[name] for name in reversed(self.nodes) if name in found]

    def text_writer(self) -> TextWriter:
        return TextWriter(self._length(str, lambda size: f"size({size})"), **self._letters())

    def latex_writer(self) -> LatexWriter:
        return LatexWriter(self._length(index_latex, lambda size: rf"\left|{size}\right|"), **self._letters())

    def _letters(self) -> dict[str, str]:
        """The identity and the commutation matrix are called as no tensor is."""
        return {
            "identity": next(name for name in chain(["I", "Id"], (f"I{k}" for k in count(1))) if self._free(name)),
            "commutation": next(name for name in chain("KCT", (f"K{k}" for k in count(1))) if self._free(name)),
        }

    def _free(self, letter: str) -> bool:
        """Whether no tensor is called so, with a label or without."""
        return all(name != letter and not name.startswith(f"{letter}_") for name in self.taken)

    def _length(self, plain: Callable[[str], str], bare: Callable[[str], str]) -> Callable[[Size], str]:
        """How a size is spelled: by its name, unless a tensor has that."""

        def spelled(size: Size) -> str:
            if isinstance(size, int):
                return str(size)
            if is_formula(size):
                return f"({size})"
            return bare(plain(size)) if size in self.taken else plain(size)

        return spelled


def read_page(
    subject: Subject, spelled: Mapping[str, Symbol] | None = None, marked: Container[str] = ()
) -> Page:  # fmt: skip
    """The subject's program, its result as a tree; the inputs in `marked` are differentials."""
    root = subject.node
    users = {node: name for node, name in subject.names.tensors.items() if node.rank <= 2}
    shown = list(walk([root]))
    inputs = [node for node in shown if isinstance(node, Input)]
    for node in inputs:
        if node.name in _WORDS:
            raise NotationError(
                f"a tensor named {node.name} reads as a function in matrix notation", hint="give it another name"
            )
    defined = _kept(definitions([root], users), users, shown)
    lengths = {size for node in shown for size in node.shape if isinstance(size, str)}
    taken = [subject.name, *(node.name for node in inputs), *sorted(lengths)]
    named = _lowered(tensor_names(defined, users, taken, shown), users, taken)
    reader = Reader(named)
    left = tuple(map(Index, root.shape))
    symmetric = frozenset(node.name for node in inputs if {"symmetric", "diagonal"} & set(node.facts))
    symbols = dict(spelled or {})
    for node in inputs:
        if node.name in marked and node.rank <= 2:
            rows, columns = (*node.shape, None, None)[:2]
            symbols[node.name] = Symbol(node.name, (rows, columns), marks="d")
    how = subject.derivative
    beside = [one.name for one in (how.of, *how.by) if one.name] if how else []  # what the left side names
    every = frozenset([*(node.name for node in inputs), *named.values(), *beside])
    return Page(
        left,
        reader.definition(root, left),
        Converter(symmetric, symbols),
        {named[node]: node for node in defined},
        reader,
        every,
    )


def _kept(defined: Sequence[Node], users: Container[Node], shown: Iterable[Node]) -> list[Node]:
    """The nodes that have names: no tensors of three axes, and no short products."""
    inverted = {node.arg for node in shown if isinstance(node, Matrix)}
    kept: dict[Node, None] = {}
    for node in defined:
        short = isinstance(node, Einsum) and len(node.operands) <= 2 and all(
            isinstance(op, Input) or op in kept for op in node.operands
        )  # fmt: skip
        if node in inverted or node in users or (node.rank <= 2 and not short):
            kept[node] = None
    return list(kept)


def _lowered(named: Mapping[Node, str], users: Mapping[Node, str], taken: Sequence[str]) -> dict[Node, str]:
    """The names, small letters for columns that the user gave none."""
    used = {*taken, *named.values()}
    found = dict(named)
    for node, name in named.items():
        small = name.lower()
        if node.rank == 1 and users.get(node) != name and small not in used:
            found[node] = small
            used.add(small)
    return found


def _symbols(exprs: Iterable[Expr]) -> list[str]:
    found: dict[str, None] = {}
    stack = list(exprs)
    while stack:
        part = stack.pop()
        if isinstance(part, Symbol):
            found.setdefault(part.name)
        stack.extend(below(part))
    return list(found)


def read_symbols(exprs: Iterable[Expr]) -> set[str]:
    """The names of what expressions read."""
    return set(_symbols(exprs))


def text_lines(page: Page, left: str, terms: Sequence[str], where: Sequence[Statement]) -> str:
    """A result, its terms with their signs, and the definitions below it."""
    writer = page.text_writer()
    right = broken(terms, len(left) + 3, "·")
    return with_definitions([f"{left} = {right}"], [(one.name, writer.terms(one.body)) for one in where], (), "·")


def latex_lines(page: Page, left: str, right: str, where: Sequence[Statement]) -> str:
    """An equation, as an `aligned` block where there are definitions or it is long."""
    writer = page.latex_writer()
    return aligned([(left, right), *((tensor_latex(one.name), writer.expression(one.body)) for one in where)])
