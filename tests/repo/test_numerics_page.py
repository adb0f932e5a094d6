"""docs/numerics.md names a test for each convention: every one exists, and none of the two files' is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = {"": ROOT / "tests/run/test_values.py", " *d*": ROOT / "tests/run/test_dtypes.py"}


def test_every_convention_is_held_by_a_test():
    page = (ROOT / "docs/numerics.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`( \*d\*)?", page))
    defined = {
        (name, mark) for mark, path in FILES.items() for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    assert named == defined


def test_every_row_has_a_test():
    page = (ROOT / "docs/numerics.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| convention")]
    assert rows
    assert all("`test_" in row.rsplit("|", 2)[1] for row in rows)
