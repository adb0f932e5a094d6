"""Golden formulas: files under goldens/, rewritten where EINBACK_REWRITE_GOLDENS=1 is set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.goldens import compared_with


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name."""
    return compared_with(Path(__file__).parent / "goldens")
