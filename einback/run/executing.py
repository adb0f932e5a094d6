"""From source text to the function that it defines: for what was just written, and for what was saved."""

from __future__ import annotations

import re
from typing import Any

from einback.run.pool import Steps

__all__ = ["steps_in"]


def steps_in(source: str, name: str) -> Steps:
    """The function `name` of a generated file, in a namespace of its own; with a workspace for each thread."""
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<einback {name}>", "exec"), namespace)
    ready = [namespace[name]] if name in namespace else []
    space = re.search(r"= workspace\((\d+)\)$", source, re.MULTILINE)
    return Steps(namespace.get("prepare", lambda: namespace[name]), int(space[1]) if space else 0, ready)
