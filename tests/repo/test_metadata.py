"""What the repository says of itself agrees: versions, the README's commands, the changelog, the type marker."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import einback

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()


def test_one_version():
    entries = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert einback.__version__ == PROJECT["version"] == entries[0]


def test_the_readme_has_the_two_commands():
    assert 'pip install -e ".[examples]" && python examples/digits.py' in README
    assert 'pip install -e ".[test]" && python -m pytest' in README


def test_the_readme_has_the_exercise_with_its_numbers():
    """X = [[0,1],[2,3]], W = ones, y = X W, L = sum y^2: the loss and both gradients, worked by hand."""
    assert re.search(r">>> .*\bX *= *np\.array\(\[\[0.*, *1.*\], *\[2.*, *3", README)
    for number in ("52.0", "[[ 4.,  4.],", "[20., 20.]", "[[20., 20.],", "[32., 32.]"):
        assert number in README


def test_licence_and_type_marker_are_there():
    assert PROJECT["license"] == "MIT"
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "einback" / "py.typed").exists()


def test_all_names_exist_and_are_sorted():
    assert list(einback.__all__) == sorted(einback.__all__)
    assert all(hasattr(einback, name) for name in einback.__all__)
