"""The arrays of a routine: what its registers hold, which of them share memory, and how views lie in it."""

from __future__ import annotations

from collections.abc import Mapping

from einback.run.kinds import kind_of
from einback.run.layout import Layout, row_major
from einback.run.steps import (
    Call,
    Expr,
    Index,
    Kind,
    Literal,
    Method,
    Ref,
    Register,
    Routine,
    Transposed,
)

__all__ = ["Arrays"]


class Arrays:
    """What is known of registers.

    `kinds` are their shapes and dtypes; `taken` says of which register a register took over the array or is a view,
    `views` what the latter are; `given` are the caller's arrays, which lie in C order unless `layouts` says how, by
    name; `written` are those that statements write into.
    """

    device = False  # where arrays without axes are arrays too; NumPy copies a single entry
    static = False  # whether the arrays of results are there before a call, and are given out at each

    def __init__(self, routine: Routine, layouts: Mapping[str, Layout] | None = None) -> None:
        self.registers: list[Register] = list(routine.registers)
        self.kinds: dict[int, Kind] = dict(routine.kinds)
        self.taken: dict[int, int] = {}
        self.views: dict[int, Expr] = {}
        self.written: dict[int, None] = {}
        self.given = {parameter.register for parameter in routine.parameters}
        named = {parameter.tensor.name: parameter.register for parameter in routine.parameters}
        self.given_layouts = {named[name]: layout for name, layout in (layouts or {}).items() if name in named}

    def register(self, kind: Kind) -> int:
        """A new register, for an array of a kind."""
        self.registers.append(Register(None, None))
        self.kinds[len(self.registers) - 1] = kind
        return len(self.registers) - 1

    def holds(self, kind: Kind | None) -> bool:
        """Whether a kind is that of arrays whose memory is planned."""
        return kind is not None and kind.is_array

    def root(self, register: int) -> int:
        """The register that stands for the memory: that of what a view is of."""
        while register in self.taken:
            register = self.taken[register]
        return register

    def array(self, register: int) -> int:
        """The register that stands for the array, perhaps a view."""
        while register in self.taken and register not in self.views:
            register = self.taken[register]
        return register

    def layout(self, expr: Expr) -> Layout | None:
        """How a view lies in memory; what comes from a call is not known to lie in any order."""
        match expr:
            case Ref(register) if (array := self.array(register)) in self.views:  # also what took such an array over
                return self.layout(self.views[array])
            case Ref(register):
                kind = self.kinds.get(register)
                root = self.root(register)
                if kind is None or not self.holds(kind):
                    return None
                if root in self.given:
                    return self.given_layouts.get(root) or row_major(kind.shape)
                return row_major(kind.shape) if root in self.written else None
            case Transposed(operand, axes):
                inner = self.layout(operand)
                return inner.transposed(axes) if inner else None
            case Index(operand, items):
                inner = self.layout(operand)
                taken = inner.indexed(items) if inner else None
                return taken if taken is not None and (taken.shape or self.device) else None
            case Call("np.broadcast_to", (operand, Literal(tuple() as shape))):
                inner = self.layout(operand)
                return inner.repeated(shape) if inner else None
            case Call("windows", (operand, Literal(int() as axis), Literal(int() as start), Literal(tuple() as sizes),
                                  Literal(tuple() as steps))):  # fmt: skip
                inner = self.layout(operand)
                return inner.windowed(axis, start, sizes, steps) if inner else None
            case Method(operand, "reshape"):
                inner, kind = self.layout(operand), kind_of(expr, self.kinds)
                return inner.reshaped(kind.shape) if inner and kind else None
            case Call("np.einsum", (Literal(str() as pattern), operand)):
                inner = self.layout(operand)
                return inner.along(pattern) if inner else None
            case Method(operand, "diagonal", (), keywords):
                inner = self.layout(operand)
                p, q = (dict(keywords).get(key, Literal(k)) for key, k in (("axis1", 0), ("axis2", 1)))
                if inner and isinstance(p, Literal) and isinstance(q, Literal):
                    return inner.diagonal(int(p.value), int(q.value))  # type: ignore[arg-type]
        return None
