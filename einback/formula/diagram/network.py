"""What a picture shows, before anything has a place: networks of parts that legs join, and what stands around them.

    block   ::= Words                          a number in front, a sign, the left side of an equation
              | Network(parts, legs, open)     tensors, joined by their indices
              | Row(blocks)                    blocks side by side: terms and signs, scalars and a network

    part    ::= a tensor, a matrix function of one, an identity, a place where an axis is read, a slot, ..
              | a frame, with a block in it: a function of what it holds

A leg is an index, or a piece of one. An index with two ends is one leg; with three or more it is a dot, and a leg to
each of its ends; with one end it is summed, and its leg ends in a part that says so. The open ends of a network are its
free indices, in the order of the axes of what it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from einback.ir.sizes import Size

__all__ = ["Block", "End", "Frame", "Kind", "Leg", "Network", "Part", "Row", "Words"]


class Kind(Enum):
    """What a part is; the values are the names of classes in the SVG and of styles in TikZ."""

    INPUT = "input"  # a tensor of the user's
    NAMED = "named"  # a tensor that has a line of its own
    MATRIX = "matrix"  # a matrix function of a tensor
    FRAME = "frame"  # a function of what stands in it
    DOT = "dot"  # an index with three or more ends
    DELTA = "delta"  # an identity: two indices that are equal
    SUM = "sum"  # where an index ends that is summed with nothing else
    ONES = "ones"  # an axis along which nothing changes
    RANGE = "range"  # the numbers of an index
    PLACE = "place"  # where an axis is read: 2*i+u, (h w)
    SLOT = "slot"  # where a tensor was taken out
    OPEN = "open"  # the open end of a free index
    BOUND = "bound"  # the end of an index that the frame around takes away


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    text: str
    latex: str
    left: bool = False  # the left side of an equation


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What a function is applied to. An index of `over` ends in it; `through` says that all other legs go through."""

    block: Block
    through: bool


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`mark` says that its axes are numbered, since legs of one size could be mistaken for each other."""

    kind: Kind
    text: str = ""
    latex: str = ""
    tensor: str = ""  # the tensor whose colour it has
    frame: Frame | None = None
    mark: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """Where a leg is fixed: the position of a part in its network, and one of the axes of the part."""

    part: int
    axis: int


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """A leg between two ends. `named` is false where another leg of the same index bears the name."""

    start: End
    stop: End
    name: str
    latex: str
    size: Size
    named: bool = True
    arrow: bool = False  # the stop is read at the place that the start says


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """`open` are the positions of parts that are open ends, from the first axis to the last."""

    parts: tuple[Part, ...]
    legs: tuple[Leg, ...]
    open: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    blocks: tuple[Block, ...]


Block: TypeAlias = Words | Network | Row
