"""The example on real data: its accuracy, its files, and what it says to bad options."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "digits.py"
NEEDED = ("sklearn", "matplotlib", "tqdm")


@pytest.fixture(autouse=True)
def _examples() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("EINBACK_REQUIRE_ORACLE") == "1":
        pytest.fail(f"EINBACK_REQUIRE_ORACLE=1, and {missing[0]} is not installed")
    if missing:
        pytest.skip(f'{missing[0]} is not installed: pip install -e ".[examples]"')


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"MPLBACKEND": "Agg"}
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_learns_and_exports(tmp_path: Path):
    run = _run("--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    found = re.search(r"test accuracy ([\d.]+)% after 100 epochs in ([\d.]+) s", run.stdout)
    assert found, run.stdout
    assert float(found[1]) >= 97
    assert "dW_1[d,k] = " in run.stdout
    assert run.stdout.count("the same bits") == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits_step.py", "misread.png", "training.png"]
    assert "einback" not in re.sub(r'""".*?"""|#.*', "", (tmp_path / "digits_step.py").read_text(), flags=re.DOTALL)


def test_options_reach_the_network(tmp_path: Path):
    run = _run("--epochs", "1", "--hidden", "3", "--output", str(tmp_path / "new" / "folder"))
    assert run.returncode == 0, run.stderr
    assert "after 1 epochs" in run.stdout
    assert (tmp_path / "new" / "folder" / "training.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--epochs", "0"), "argument --epochs: 0 is below 1"),
        (("--hidden", "many"), "argument --hidden: 'many' is not a whole number"),
        (("--backend", "torch"), "argument --backend: invalid choice: 'torch'"),
        (("--output", __file__), f"argument --output: cannot make the folder {__file__!r}: File exists"),
    ],
)
def test_a_bad_option_says_what_is_wrong(options: tuple[str, ...], message: str):
    run = _run(*options)
    assert run.returncode == 2
    assert message in run.stderr


def test_help_lists_the_options():
    run = _run("--help")
    assert run.returncode == 0
    assert all(option in run.stdout for option in ("--epochs", "--hidden", "--backend", "--output"))


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="CuPy is installed")
def test_a_missing_cupy_is_said():
    run = _run("--backend", "cupy")
    assert run.returncode == 1
    assert "--backend cupy: CuPy is not installed" in run.stderr
