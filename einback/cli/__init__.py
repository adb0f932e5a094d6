"""The command line, `einback`: it needs click, the extra `cli`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["main"]

_command: Callable[[], Any] | None = None
try:
    from einback.cli.commands import einback as _command
except ModuleNotFoundError as missing:
    if missing.name != "click":
        raise


def main() -> None:
    """Run the command that the shell gave."""
    if _command is None:
        sys.exit('the command line needs click: pip install "einback[cli]"')
    _command()
