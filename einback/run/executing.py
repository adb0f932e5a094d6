"""From source text to the function that it defines: for what was just written, and for what was saved."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np

from einback.run.pool import Steps

__all__ = ["steps_in"]


def steps_in(source: str, name: str) -> Steps:
    """The function `name` of a generated file, in a namespace of its own; with a workspace for each thread."""
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<einback {name}>", "exec"), namespace)
    ready = [namespace[name]] if name in namespace else []
    return Steps(namespace.get("prepare", lambda: namespace[name]), _kept(source), ready)


def _kept(source: str) -> int:
    """The bytes that a prepared function keeps between calls: its workspace, and results to be given out again."""
    space = sum(int(size) for size in re.findall(r"= workspace\((\d+)\)$", source, re.MULTILINE))
    kept: list[tuple[str, str]] = re.findall(r"= results\(\(([\d, ]+)\), np\.(\w+)\)$", source, re.MULTILINE)
    return space + sum(
        2 * prod(map(int, shape.rstrip(",").split(","))) * np.dtype(dtype).itemsize for shape, dtype in kept
    )
