"""The pictures of the documentation are those that are drawn now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_pictures_of_the_page_are_up_to_date():
    root = Path(__file__).parents[3]
    command = [sys.executable, "docs/make_diagrams.py", "--check"]
    run = subprocess.run(command, cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
