"""A row of the reference is one line: what is differentiated, how it is declared, and the closed form to meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Group", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One identity.

    `what` is the expression in matrix notation, `declared` the same for einback: an index program whose last
    line is the expression, or, where `given` declares tensors, a Python expression of them. `by` lists the
    variables of the derivative: `"x"` is first order, `"x x"` a Hessian, `"x x x"` third order, `"dX"` the
    differential along dX, and `""` no derivative at all. `shown` is the answer in matrix notation and `closed`
    the same in NumPy, as a function of arrays with the tensors' names.

    `draw` says how arrays are drawn that are not normal, `"x positive, A definite"`; `sizes` fixes sizes;
    `see` is the place in the literature, PP for Petersen & Pedersen's equations.
    """

    what: str
    declared: str
    by: str
    shown: str
    closed: Callable[..., Any]
    given: str = ""
    draw: str = ""
    see: str = ""
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The row in matrix notation, `∂(aᵀx)/∂x = a`."""
        variables = self.by.split()
        if not variables:
            return f"{self.what} = {self.shown}"
        if self.along:
            return f"d({self.what}) = {self.shown}"
        order = {1: "", 2: "²", 3: "³"}[len(variables)]
        below = " ".join(f"∂{name}" for name in variables)
        below = f"({below})" if len(variables) > 1 else below
        return f"∂{order}({self.what})/{below} = {self.shown}"

    @property
    def along(self) -> dict[str, str]:
        """The tangents of a differential, `{"X": "dX"}`."""
        return {name[1:]: name for name in self.by.split() if name[0] == "d" and len(name) > 1}


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together, under a heading; `sources` are where the closed forms are found."""

    title: str
    about: str
    sources: str
    rows: tuple[Row, ...]
