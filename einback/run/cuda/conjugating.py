"""Conjugates that are not made: cuBLAS takes the conjugate of an operand that it reads transposed.

u = conj(A), v = u.T @ B                 one call, which reads A as its adjoint
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from einback.run.cuda.flattened import DeviceFlattened
from einback.run.steps import Expr, Into, Ref, Statement, Transposed
from einback.run.walking import changed, reads, refs

__all__ = ["conjugates", "unread_conjugates"]

_CONJUGATES = ("scalar.conj", "np.conj", "np.conjugate")


def conjugates(
    statements: Sequence[Statement], flat: DeviceFlattened, inlined: Callable[[Expr], Expr]
) -> dict[int, Expr]:
    """The arrays that hold the conjugates of others from when they are made, and of which view each is that."""
    later = Counter(root for statement in statements for root in _written(statement, flat))
    found: dict[int, Expr] = {}
    for statement in statements:
        later.subtract(_written(statement, flat))
        match statement:
            case Into(function, (operand,), out) if function in _CONJUGATES:
                target, view = _turned(out, inlined(operand))
            case _:
                continue
        whole, sources = inlined(target), [flat.root(register) for register in refs(view)]
        if isinstance(whole, Ref) and not any(later[root] for root in (flat.root(whole.register), *sources)):
            found[whole.register] = view
    return found


def _turned(out: Expr, view: Expr) -> tuple[Expr, Expr]:
    """What is written into, and the view that is read in that order of axes."""
    if isinstance(out, Transposed):
        inverse = tuple(sorted(range(len(out.axes)), key=out.axes.__getitem__))
        return _turned(out.operand, Transposed(view, inverse))
    return out, view


def unread_conjugates(statements: Sequence[Statement], found: Mapping[int, Expr], flat: DeviceFlattened) -> set[int]:
    """The places of statements whose conjugates are never read, for what they are of is read instead."""
    read = {flat.root(register) for statement in statements for register in reads(statement)} | flat.handed
    unread = {flat.root(register) for register in found} - read
    return {place for place, statement in enumerate(statements)
            if (written := _written(statement, flat)) and written <= unread}  # fmt: skip


def _written(statement: Statement, flat: DeviceFlattened) -> set[int]:
    return {flat.root(register) for register in changed(statement)}
