"""Golden texts: files under a folder, rewritten where EINBACK_REWRITE_GOLDENS=1 is set."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["compared_with"]


def compared_with(folder: Path) -> Callable[[str, str], None]:
    """A function that compares a text with the golden file of a name."""

    def check(name: str, found: str) -> None:
        path = folder / f"{name}.txt"
        if os.environ.get("EINBACK_REWRITE_GOLDENS") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(found, encoding="utf-8")
        assert path.exists(), f"no golden {path.name}: set EINBACK_REWRITE_GOLDENS=1 to write it"
        assert found == path.read_text(encoding="utf-8")

    return check
