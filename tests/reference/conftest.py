"""The reference's own modules are importable here, and formulas are pinned in goldens/.

EINBACK_REWRITE_GOLDENS=1 writes the goldens anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.goldens import compared_with

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name."""
    return compared_with(Path(__file__).parent / "goldens")
