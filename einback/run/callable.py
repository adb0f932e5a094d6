"""The compiled program: a callable that specialises itself to the shapes and dtypes it meets.

The first call with new shapes binds the sizes, plans, lowers, and compiles the generated source; later calls look
the function up. Results are fresh arrays in C order that share memory with nothing; a result without axes is
a NumPy scalar (a Python integer where arrays are of objects). Calls from many threads are safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from einback.errors import ArrayError, CompileError
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Equality
from einback.ir.walk import inputs_of
from einback.plan.binding import Sizes, bind, equalities_of, resolve, symbols_of
from einback.plan.dtypes import DType
from einback.plan.plan import Plan, make_plan, spec
from einback.run.guards import Array, checked_arrays, refuse_missing, refuse_unknown
from einback.run.lower import lower
from einback.run.names import identifier
from einback.run.source import Describe, Result, Structure, Text, leaves, write
from einback.run.steps import Routine

__all__ = ["Compiled", "einsum_describe"]

_KEPT = 64  # specialisations


def einsum_describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
    """A step in words of its own: Z = einsum('ij,jk->ik', X, W)."""
    return f"{name} = {spec(node, lambda operand: given.get(operand, '…'))}"
