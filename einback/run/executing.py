"""From source text to the function that it defines: for what was just written, and for what was saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["function_in"]


def function_in(source: str, name: str) -> Callable[..., Any]:
    """The function `name` of a generated file, in a namespace of its own."""
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<einback {name}>", "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function
