"""Newton's method, the CP decomposition and the ground state: their figures, their pictures, and that they can fail."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
NEEDED = ("sklearn", "scipy", "matplotlib", "tqdm")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _examples() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("EINBACK_REQUIRE_ORACLE") == "1":
        pytest.fail(f"EINBACK_REQUIRE_ORACLE=1, and {missing[0]} is not installed")
    if missing:
        pytest.skip(f'{missing[0]} is not installed: pip install -e ".[examples]"')


def _python(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONUTF8": "1", "PYTHONPATH": str(FOLDER)}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, encoding="utf-8", check=False
    )


def _run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return _python(str(FOLDER / script), *options)


def _figure(pattern: str, run: subprocess.CompletedProcess[str]) -> float:
    found = re.search(pattern, run.stdout)
    assert found, run.stdout
    return float(found[1])


def _passed(run: subprocess.CompletedProcess[str], picture: Path) -> None:
    assert run.returncode == 0, run.stderr
    assert picture.read_bytes().startswith(PNG)


def test_newton_finds_the_optimum_of_scikit_learn(tmp_path: Path):
    picture = tmp_path / "new" / "newton.png"
    run = _run("newton_logistic.py", "--out", str(picture))
    _passed(run, picture)
    assert "dw[d] = r[d] w[d] + (sigmoid(z[n]) - y[n]) X[n,d]" in run.stdout
    assert "δ[d,d'] r[d], 7,936 bytes" in run.stdout  # 31 * 31 + 31 numbers, the diagonal by itself
    assert _figure(r"coefficients and intercept: (\S+);", run) < 1e-8
    assert len(re.findall(r"^ +\d+ +[\d.]+  +\S+e[-+]\d+$", run.stdout, flags=re.MULTILINE)) <= 12
    assert _figure(r"gradient descent is (\S+) above", run) > 1e-3


def test_newton_notices_another_optimum(tmp_path: Path):
    other = (
        "import sys, newton_logistic as example; found = example.reference; "
        "example.reference = lambda arrays, C: found(arrays, C * 1.0001); "
        f"sys.argv = ['', '--steps', '1', '--out', {str(tmp_path / 'a.png')!r}]; example.main()"
    )
    run = _python("-c", other)
    assert run.returncode == 1
    assert "the optimum is not scikit-learn's to 1e-06" in run.stderr


def test_the_decomposition_stays_under_least_squares(tmp_path: Path):
    run = _run("cp_decomposition.py", "--out", str(tmp_path / "cp.png"))
    _passed(run, tmp_path / "cp.png")
    assert "dA[n,r] = 2 mu A[n,r] - 2 (T[n,i,j] - M[n,i,j]) C[j,r] B[i,r]" in run.stdout
    assert 0.72 < _figure(r"fit ([\d.]+);", run) < _figure(r"reach ([\d.]+)", run)
    assert abs(_figure(r"lower the loss by (\S+) of it", run)) < 1e-9


def test_the_decomposition_notices_an_early_end(tmp_path: Path):
    run = _run("cp_decomposition.py", "--rank", "3", "--steps", "5", "--out", str(tmp_path / "cp.png"))
    assert run.returncode == 1
    assert "L-BFGS has not reached a minimum: least squares still lower the loss" in run.stderr


def test_the_ground_state_has_the_exact_energy(tmp_path: Path):
    run = _run("ground_state.py", "--out", str(tmp_path / "chain.png"))
    _passed(run, tmp_path / "chain.png")
    assert 0 < _figure(r"relative error (\S+) after", run) < 5e-7
    assert _figure(r"smallest eigenvalue +(\S+)", run) == pytest.approx(-12.381489999655, abs=1e-10)


def test_the_ground_state_needs_bonds(tmp_path: Path):
    run = _run("ground_state.py", "--sites", "4", "--bond", "1", "--steps", "50", "--out", str(tmp_path / "chain.png"))
    assert run.returncode == 1
    assert "the energy is not within 1e-06 of the exact one, from above" in run.stderr


@pytest.mark.parametrize(
    ("script", "option", "value", "message"),
    [
        ("newton_logistic.py", "--C", "0", "--C is above zero"),
        ("cp_decomposition.py", "--mu", "0", "--mu is above zero"),
        ("ground_state.py", "--sites", "1", "--sites is two or more"),
    ],
)
def test_a_bad_option_says_what_is_wrong(script: str, option: str, value: str, message: str):
    run = _run(script, option, value)
    assert run.returncode == 2
    assert message in run.stderr
