"""The reference's own modules are importable here, and formulas are pinned in goldens/.

EINBACK_REWRITE_GOLDENS=1 writes the goldens anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent / "goldens"

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name."""

    def check(name: str, found: str) -> None:
        path = _FOLDER / f"{name}.txt"
        if os.environ.get("EINBACK_REWRITE_GOLDENS") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(found, encoding="utf-8")
        assert path.exists(), f"no golden {path.name}: set EINBACK_REWRITE_GOLDENS=1 to write it"
        assert found == path.read_text(encoding="utf-8")

    return check
