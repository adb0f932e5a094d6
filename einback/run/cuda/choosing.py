"""How a program runs on a device: replayed as a graph, launched at each call, or in slices, as memory allows."""

from __future__ import annotations

from math import inf

from einback.plan.plan import Plan
from einback.run.cuda.making import Lying, device_made, unlimited
from einback.run.cuda.running import DeviceMade
from einback.run.cuda.slices import in_slices
from einback.run.made import Case
from einback.run.specialising import Program

__all__ = ["chosen"]


def chosen(program: Program, case: Case, plan: Plan, lying: Lying) -> tuple[DeviceMade, bool]:
    """What runs for arrays that lie in memory as said, and whether it is to be replayed.

    A graph has arrays of its own for inputs and results, where the limit has room for them. Raises `CompileError` for
    a limit that is too small.
    """
    limit = inf if program.memory_limit is None else program.memory_limit
    if program.graph:
        made = device_made(program, case, plan, Lying.in_order(list(case.shapes)), replays=True)
        if limit == inf or (made.plan.peak_bytes <= limit and made.exact):
            return made, True
    made = device_made(program, case, plan, lying)
    if limit < inf and not made.exact:
        raise unlimited()
    if made.plan.peak_bytes <= limit:
        return made, False
    return in_slices(program, case, lying, int(limit)), False
