"""What is printed: a node in normal form, its name, what is known of names, and what it is a derivative of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from einback.formula.names import Names
from einback.ir.nodes import Input, Node

__all__ = ["Derivative", "Kind", "Subject", "Variable", "Within"]

Kind = Literal["gradient", "jacobian", "hessian", "gauss-newton", "pullback", "pushforward", "product"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A tensor that something is differentiated by, or that is differentiated; `name` is "" where it has none."""

    name: str
    names: tuple[str, ...]  # of its axes

    @property
    def rank(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Derivative:
    """What a tensor is a derivative of, and by what: the left side of its formula in most notations.

    gradient     d of / d by, with the axes of `by`; `of` is a scalar
    jacobian     the axes of `of`, then those of `by`
    hessian      d2 of / d by[0] d by[1], the axes of both
    gauss-newton J' H J of a loss, the axes of by[0] and of by[1]
    pullback     sum over the entries of `of` of g times the derivative, with the axes of `by`; `along` is g
    pushforward  how `of` moves, with its axes, when each of `by` moves along its tangent in `along`
    product      the Hessian times a vector, with the axes of `by`
    """

    kind: Kind
    of: Variable
    by: tuple[Variable, ...]
    along: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Within:
    """What a line of a derivation says where matrices are laid in vectors.

    along    differentials, and cotangents that arrive: the line is linear in each
    outputs  of a derivative, how many of its axes are those of what is differentiated
    pair     a derivative and the differential that it is contracted with
    push     what that differential is along those before it, where it is inserted
    """

    along: tuple[str, ...] = ()
    outputs: int = 0
    pair: tuple[Input, Input] | None = None
    push: Subject | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    node: Node
    name: str
    names: Names
    derivative: Derivative | None = None
    titled: bool = False  # whether the user gave the name for this formula: then it is the left side
    inputs: tuple[Input, ...] = ()  # all that the tensor was made from, shown or not
    called: bool = True  # whether the name is the user's, and not a letter that was free
    within: Within | None = None  # for a line inside a derivation
