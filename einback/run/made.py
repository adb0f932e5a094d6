"""What compiling makes for one set of shapes and dtypes, at once or in slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from einback.ir.nodes import Input, Node
from einback.plan.dtypes import DType
from einback.plan.plan import Plan
from einback.run.pool import Steps
from einback.run.source import Describe, Text

if TYPE_CHECKING:
    from einback.run.report import SlicedPlan

__all__ = ["Case", "Compared", "Made", "Wording"]

Compared = tuple[int, int, Input]  # a result, another that is its gradient, and the tensor by which


@dataclass(frozen=True, slots=True)
class Wording:
    """How the source of a program is worded: see `Program`."""

    names: Mapping[Node, str]
    letters: Mapping[Node, str]
    describe: Describe
    title: str = ""
    function: str = "step"


@dataclass(frozen=True, slots=True)
class Case:
    """The shapes, dtypes and strides that a program is made for; `sizes` are all sizes, `given` those passed."""

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, DType]
    given: Mapping[str, int]
    strides: Mapping[str, tuple[int, ...]]
    sizes: Mapping[str, int]


@dataclass(slots=True)
class Made:
    """The program for one set of shapes and dtypes.

    `written` gives its file: as it runs, or with a check of shapes as people call it.
    """

    plan: Plan | SlicedPlan
    reads: tuple[str, ...]
    steps: Steps
    written: Callable[[bool], Text] = field(repr=False)
    case: Case = Case({}, {}, {}, {}, {})
    passed: tuple[tuple[str, tuple[int, ...], DType], ...] = ()  # arrays, exactly as a caller passed them

    def remembering(self, values: Mapping[str, Any]) -> Made:
        return replace(self, passed=tuple((name, array.shape, array.dtype) for name, array in values.items()))

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Whether the arrays are like those that were passed before, in the shortest time that this takes to see."""
        if len(values) != len(self.passed):
            return False
        for name, shape, dtype in self.passed:
            array = values.get(name)
            if type(array) is not np.ndarray or array.shape != shape or array.dtype is not dtype:
                return False
        return True

    @property
    def text(self) -> Text:
        """The file as it runs, with the formulas, which are written when they are first asked for."""
        return self.written(False)

    def standalone(self) -> str:
        """The file that people call: it checks shapes."""
        return self.written(True).source
