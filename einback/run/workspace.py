"""The workspace: one block of memory for all that a program computes on the way, laid out by liveness.

A flattened routine writes into arrays. Here each of them gets a home:

    constant   computed once, when the workspace is prepared: what no array of the caller's goes into
    result     a new array at each call, handed to the caller
    slot       a place in the block; two arrays share it where the one is dead before the other is written

Views of slots and of constants are made once too, and so are the small numbers that small arrays are combined with:
a call then consists of NumPy's calls and little else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from einback.run.flatten import Flattened
from einback.run.handed import Handed
from einback.run.kinds import kind_of, ufunc
from einback.run.offsets import placed
from einback.run.steps import (
    Assign,
    Block,
    Call,
    DTypeName,
    Expr,
    Fill,
    Free,
    Infix,
    Into,
    Kind,
    Launch,
    Literal,
    Ref,
    Routine,
    Run,
    Sliced,
    Statement,
    Template,
)
from einback.run.views import base_of, is_view
from einback.run.walking import changed, mapped, reads

__all__ = ["settled"]

_SMALL = 4096  # entries of an array, up to which a Python number costs more to convert than an operation takes


def settled(routine: Routine, flat: Flattened | None = None) -> Routine:
    """The routine, its memory planned; `flat` are its statements, if they are flattened already."""
    return _Workspace(routine, flat or Flattened(routine)).routine()


@dataclass(slots=True)
class _Workspace:
    given: Routine
    flat: Flattened
    prepared: list[Statement] = field(default_factory=list)
    names: dict[int, int] = field(default_factory=dict)  # for registers that need no name of their own: another's
    bound: dict[str, int] = field(default_factory=dict)  # what is made beforehand, by its text
    pinned: set[int] = field(default_factory=set)  # registers that are there before a call

    def routine(self) -> Routine:
        flat = self.flat
        aliases = self._aliases()
        self.prepared += flat.constants
        self.pinned.update(statement.target for statement in flat.constants if isinstance(statement, Assign))
        blocks = self._without_constants()
        handed = Handed(flat, self._name, self.pinned)
        self.prepared += handed.prepared
        self.pinned |= handed.static
        space = self._slots(blocks, handed.fresh)
        settled: list[Block] = []
        created: set[int] = set()
        for block, statements in zip(self.given.blocks, blocks, strict=True):
            made: list[Statement] = []
            for statement in statements:
                made += self._aliased(statement, aliases)
                bound = list(self._bound(statement))
                for register in changed(statement):
                    if (root := flat.root(register)) in handed.fresh and root not in created:
                        created.add(root)
                        bound = handed.made(root, bound)
                made += bound
            settled.append(replace(block, statements=tuple(made)))
        empty = [one for root in handed.fresh if root not in created for one in handed.fresh[root]]
        if settled and empty:  # results without entries, into which nothing is written
            settled[-1] = replace(settled[-1], statements=(*settled[-1].statements, *empty))
        return replace(
            self.given,
            blocks=tuple(settled),
            results=tuple(self._view(result) for result in handed.results),
            registers=tuple(flat.registers),
            kinds=flat.kinds,
            helpers=(*self.given.helpers, *handed.helpers),
            prepared=tuple(self.prepared),
            space=space,
        )

    # constants

    def _without_constants(self) -> list[list[Statement]]:
        """The statements of each block, less those that read nothing of the caller's; these are prepared."""
        flat = self.flat
        writes = Counter(
            flat.root(register)
            for block in flat.blocks
            for statement in block
            for register in changed(statement)
            if not (isinstance(statement, Assign) and register in flat.views)
        )
        blocks: list[list[Statement]] = []
        for block in flat.blocks:
            kept: list[Statement] = []
            for statement in block:
                target = _target(statement)
                known = all(flat.root(register) in self.pinned for register in reads(statement))
                constant = (
                    target is not None
                    and known
                    and flat.root(target) not in flat.handed
                    and (target in flat.views or (writes[flat.root(target)] == 1 and target in flat.kinds))
                )
                if constant and target is not None:
                    self.prepared.append(_as_assignment(statement))
                    self.pinned.add(target)
                else:
                    kept.append(statement)
            blocks.append(kept)
        return blocks

    # slots

    def _slots(self, blocks: Sequence[Sequence[Statement]], fresh: Mapping[int, object]) -> int:
        """Give every other array a place in the block; how many bytes that has."""
        flat = self.flat
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        order = [statement for block in blocks for statement in block]
        for k, statement in enumerate(order):
            for register in (*reads(statement), *changed(statement)):
                root = flat.root(register)
                if root in flat.written and root not in fresh and root not in self.pinned:
                    first.setdefault(root, k)
                    last[root] = k
        last.update((root, len(order)) for root in flat.handed if root in first)
        offsets, space = placed({root: (first[root], last[root], self._nbytes(root)) for root in first})
        same: dict[tuple[int, Kind], int] = {}
        for root, offset in offsets.items():
            kind, name = flat.kinds[root], self._name(root)
            if flat.registers[name].node is None and (offset, kind) in same:
                self.names[root] = same[offset, kind]
                continue
            assert isinstance(kind.dtype, np.dtype)
            start = f"space.data + {offset}" if flat.device else f"space, {offset}"
            place = Template(f"np.ndarray({{0}}, {{1}}, {start})", (Literal(kind.shape), DTypeName(kind.dtype)))
            self.prepared.append(Assign(name, place))
            self.pinned |= {root, name}
            if flat.registers[name].node is None:
                same[offset, kind] = root
        return space

    def _nbytes(self, root: int) -> int:
        kind = self.flat.kinds[root]
        assert isinstance(kind.dtype, np.dtype)
        return prod(kind.shape) * kind.dtype.itemsize

    # views

    def _bound(self, statement: Statement) -> Iterator[Statement]:
        """The statement with views that are there beforehand; nothing, where it only makes such a view."""
        match statement:
            case Assign(target, value) if is_view(value):
                view, name = self._renamed(value), self._name(target)
                if self._is_there(view):
                    self.prepared.append(Assign(name, view))
                    self.pinned |= {target, name}
                else:
                    yield Assign(name, view)
            case Assign(target, value):
                yield Assign(self._name(target), self._view(value))
            case Into(function, args, out, keywords):
                small = self._is_small(out)
                kinds = [kind for arg in (out, *args) if (kind := kind_of(arg, self.flat.kinds)) is not None]
                placed = [self._number(arg, kinds, function) if small and isinstance(arg, Literal) else self._view(arg)
                          for arg in args]  # fmt: skip
                yield Into(function, tuple(placed), self._view(out), keywords)
            case Fill(view, value, sign):
                yield Fill(self._view(view), self._view(value), sign)
            case Run(call):
                yield Run(self._view(call))
            case Launch(args=args, outs=outs):
                yield replace(statement, args=tuple(map(self._renamed, args)), outs=tuple(map(self._renamed, outs)))
            case Free(registers):
                roots = (self.flat.root(k) for k in registers)
                left = dict.fromkeys(
                    self._name(root) for root in roots if root not in self.flat.written and root not in self.pinned
                )
                if left:
                    yield Free(tuple(left))
            case Sliced():
                yield replace(statement, right=self._view(statement.right), left=self._renamed(statement.left))

    def _is_small(self, out: Expr) -> bool:
        kind = kind_of(out, self.flat.kinds)
        return kind is not None and prod(kind.shape) <= _SMALL

    def _number(self, number: Literal, kinds: Sequence[Kind], function: str) -> Expr:
        """A number beside small arrays, converted beforehand to their dtype; that of comparisons is not a number's."""
        dtypes = {kind.dtype for kind in kinds if isinstance(kind.dtype, np.dtype)} - {np.dtype(bool)}
        usable = ufunc(function) is not None and isinstance(number.value, int | float)
        usable = usable and bool(self.flat.written.keys() - self.flat.handed)
        if not usable or len(dtypes) != 1 or (dtype := next(iter(dtypes))).char not in "fd":
            return number
        made = Call("np.array", (number, DTypeName(dtype)))
        key = repr(made)
        if key not in self.bound:
            self.bound[key] = self.flat.register(Kind((), dtype))
            self.prepared.append(Assign(self.bound[key], made))
        return Ref(self.bound[key])

    def _view(self, expr: Expr) -> Expr:
        """An expression whose views of arrays that are there beforehand have names."""
        expr = self._renamed(expr)
        if isinstance(expr, Ref | Literal | DTypeName):
            return expr
        if is_view(expr) and self._is_there(expr):
            key = repr(expr)
            if key not in self.bound:
                kind = kind_of(expr, self.flat.kinds)
                assert kind is not None
                register = self.bound[key] = self.flat.register(kind)
                self.prepared.append(Assign(register, expr))
                self.pinned.add(register)
            return Ref(self.bound[key])
        return mapped(expr, self._view)

    # names

    def _aliases(self) -> dict[int, int]:
        """The heads of steps that take over the array of another head, with the name that the array goes by."""
        flat = self.flat
        members: dict[int, list[int]] = {}
        for register in sorted({*flat.taken, *flat.written}):
            members.setdefault(flat.array(register), []).append(register)
        members = {array: sorted({array, *group}) for array, group in members.items()}
        aliases: dict[int, int] = {}
        for group in members.values():
            heads = [register for register in group if flat.registers[register].node is not None]
            name = heads[0] if heads else group[0]
            self.names.update((register, name) for register in group if register not in heads)
            aliases.update((register, name) for register in heads[1:])
        return aliases

    def _aliased(self, statement: Statement, aliases: Mapping[int, int]) -> Iterator[Statement]:
        for register in changed(statement):
            if register in aliases:
                name = self._name(aliases[register])
                if name in self.pinned:
                    self.prepared.append(Assign(register, Ref(name)))
                    self.pinned.add(register)
                else:
                    yield Assign(register, Ref(name))

    def _name(self, register: int) -> int:
        while register in self.names and self.names[register] != register:
            register = self.names[register]
        return register

    def _is_there(self, view: Expr) -> bool:
        """Whether a view is of memory that is there beforehand, and shares it: NumPy copies single entries."""
        kind = kind_of(view, self.flat.kinds)
        shared = kind is not None and bool(kind.shape) and self.flat.layout(view) is not None
        return shared and base_of(view) in self.pinned

    def _renamed(self, expr: Expr) -> Expr:
        """An expression with the names that arrays go by."""
        if isinstance(expr, Ref):
            return Ref(self._name(expr.register))
        return mapped(expr, self._renamed)


def _target(statement: Statement) -> int | None:
    """The register that a statement computes as a whole."""
    match statement:
        case Assign(target) | Into(_, _, Ref(target)):
            return target
        case _:
            return None


def _as_assignment(statement: Statement) -> Statement:
    """A statement that writes into an array as one that makes it."""
    match statement:
        case Into("dot", (left, right), Ref(target)):
            return Assign(target, Infix("@", left, right))
        case Into(function, args, Ref(target), keywords):
            extra = tuple(value for _, value in keywords)
            return Assign(target, Call(function, (*args, *((Template("None", ()), *extra) if extra else ()))))
        case _:
            return statement
