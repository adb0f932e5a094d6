"""Windows with their numbers: steps and offsets are formulas until sizes are bound.

A window without a minus sign must stay inside its axis; with one it may leave it, and reads zero there.
"""

from __future__ import annotations

from einback.errors import ArrayError
from einback.ir.nodes import Window
from einback.plan.binding import Sizes, length
from einback.plan.views import is_inside, span

__all__ = ["numeric_window"]


def numeric_window(window: Window, sizes: Sizes) -> Window:
    """The window with numbers for sizes, steps and offset.

    >>> numeric_window(Window("h", ("i", 3), (2, 1), 0), {"h": 9, "i": 4}).shape
    (9, 4, 3)
    >>> numeric_window(Window("h", ("i", 3), (2, 1), 0), {"h": 8, "i": 4})
    Traceback (most recent call last):
      ...
    einback.errors.ArrayError: the index 2*i+j reaches 8, but the axis h has 8 entries
    """
    bound = Window(
        length(window.size, sizes),
        tuple(length(size, sizes) for size in window.sizes),
        tuple(length(step, sizes) for step in window.steps),
        length(window.offset, sizes),
    )
    if not _may_leave(window) and not is_inside(bound):
        axis = f"axis {window.size}" if isinstance(window.size, str) else "axis"
        entries = "1 entry" if bound.size == 1 else f"{bound.size} entries"
        raise ArrayError(f"the index {_formula(bound)} reaches {span(bound)[1]}, but the {axis} has {entries}")
    return bound


def _may_leave(window: Window) -> bool:
    """Whether there is a minus sign in the index."""
    return any("-" in str(number) for number in (*window.steps, window.offset))


def _formula(window: Window) -> str:
    names = "ijklmnopqrstuvwxyz"
    terms = [name if step == 1 else f"{step}*{name}" for name, step in zip(names, window.steps, strict=False)]
    return "+".join([*terms, *([str(window.offset)] if window.offset or not terms else [])])
