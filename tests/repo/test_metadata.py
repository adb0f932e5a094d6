"""What the repository says of itself agrees: versions, the README's commands, the changelog, the type marker."""

from __future__ import annotations

import os
import re
import textwrap
import tomllib
from pathlib import Path

import einback as eb

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()


def test_one_version():
    entries = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert eb.__version__ == PROJECT["version"] == entries[0]


def test_the_readme_has_the_two_commands():
    assert 'pip install -e ".[examples]" && python examples/digits.py' in README
    assert 'pip install -e ".[test]" && python -m pytest' in README


def test_the_readme_has_the_exercise_with_its_numbers():
    """X = [[0,1],[2,3]], W = ones, y = X W, L = sum y^2, worked by hand; pytest runs the README as a doctest."""
    for line in (
        "L 52.0",
        "dL/dy [[2.0, 2.0], [10.0, 10.0]]",
        "dL/dX [[4.0, 4.0], [20.0, 20.0]]",
        "dL/dW [[20.0, 20.0], [32.0, 32.0]]",
    ):
        assert line in README.splitlines()


def test_the_readme_shows_the_source_that_is_generated():
    """EINBACK_REWRITE_GOLDENS=1 writes it there."""
    X, W, b = eb.tensors("X[n,d] W[d,c] b[c]")
    Y = eb.tensor("Y[n,c]", stochastic=True)
    loss = -eb.sum(Y * eb.log_softmax(eb.einsum("nd,dc->nc", X, W) + b, axis="c")) / X.size("n")
    step = eb.compile({"loss": loss, "dW": eb.grad(loss, W), "db": eb.grad(loss, b)})
    source = step.source(n=5, d=3, c=2).split('got {shapes}")\n')[1].split("\n    return step")[0]
    body = textwrap.dedent(source).strip("\n") + "\n"
    shown = re.search(r"(?<=^```py\n).*?(?=^```$)", README, re.MULTILINE | re.DOTALL)
    if os.environ.get("EINBACK_REWRITE_GOLDENS") == "1":
        (ROOT / "README.md").write_text(README[: shown.start()] + body + README[shown.end() :])
    else:
        assert shown[0] == body


def test_licence_and_type_marker_are_there():
    assert PROJECT["license"] == "MIT"
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "einback" / "py.typed").exists()


def test_all_names_exist():
    assert all(hasattr(eb, name) for name in eb.__all__)
