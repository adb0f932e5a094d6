"""The Gaussian process, the convolutional network and the transformer: their figures, and that they can fail."""

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


def test_the_process_has_the_optimum_of_scikit_learn(tmp_path: Path):
    run = _run("gaussian_process.py", "--out", str(tmp_path / "new" / "process.png"))
    _passed(run, tmp_path / "new" / "process.png")
    assert "loss = 1/2 y[i] inv(K)[i,j] y[j] + 1/2 logdet(K) + 0.918" in run.stdout
    assert _figure(r"log marginal likelihood (\S+),", run) == pytest.approx(-478.433108421, rel=1e-9)
    assert _figure(r"at the same hyperparameters (\S+),", run) < 1e-12
    assert _figure(r"largest difference of a hyperparameter's logarithm (\S+),", run) < 1e-5
    assert run.stdout.count("factor(K)") == 1


def test_the_process_notices_an_early_end(tmp_path: Path):
    run = _run("gaussian_process.py", "--steps", "5", "--out", str(tmp_path / "a.png"))
    assert run.returncode == 1
    assert "the likelihood is not scikit-learn's to 1e-09" in run.stderr


def test_the_process_notices_a_second_factorisation(tmp_path: Path):
    apart = (
        "import sys, gaussian_process as example; found = example.matrix_work; "
        "example.matrix_work = lambda source: found(source + '    t9 = np.linalg.inv(K)\\n'); "
        f"sys.argv = ['', '--out', {str(tmp_path / 'a.png')!r}]; example.main()"
    )
    run = _python("-c", apart)
    assert run.returncode == 1
    assert "the compiled step factors its matrix 2 times, not once" in run.stderr


def test_the_convolutional_network_reads_digits(tmp_path: Path):
    run = _run("convnet.py", "--out", str(tmp_path / "convnet.png"))
    _passed(run, tmp_path / "convnet.png")
    assert "dK_1[o,c,u,v] = G_1[b,o,p,q] X[b,c,p+u-1,q+v-1] (H_1[b,o,p,q] > 0)" in run.stdout
    assert len(re.findall(r"^\w+: largest error .* ok$", run.stdout, flags=re.MULTILINE)) == 6
    assert _figure(r"test accuracy ([\d.]+)% after 30 epochs", run) >= 98.5


def test_the_convolutional_network_needs_training(tmp_path: Path):
    run = _run("convnet.py", "--epochs", "1", "--channels", "2", "--out", str(tmp_path / "a.png"))
    assert run.returncode == 1
    assert "fewer than 98.5% of the test digits are read rightly" in run.stderr


def test_the_transformer_learns_the_poems(tmp_path: Path):
    run = _run("char_transformer.py", "--out", str(tmp_path / "transformer.png"))
    _passed(run, tmp_path / "transformer.png")
    assert "softmax[q](where(t >= q, " in run.stdout
    assert _figure(r"loss (\S+) at first", run) == pytest.approx(4.007, abs=0.2)
    assert _figure(r"; (\S+) at last", run) < 0.5
    written = run.stdout[run.stdout.index("\nThe Walrus") + 1 : run.stdout.index("\n\n110,775 parameters")]
    assert len(written) == len("The Walrus") + 400
    poems = set((FOLDER / "data" / "carroll.txt").read_text(encoding="utf-8").split())
    assert sum(word in poems for word in written.split()) > 0.4 * len(written.split())


def test_the_transformer_needs_training(tmp_path: Path):
    run = _run("char_transformer.py", "--steps", "3", "--write", "0", "--out", str(tmp_path / "a.png"))
    assert run.returncode == 1
    assert "the loss is not below 0.5 nats a character" in run.stderr


def test_the_gradients_of_the_transformer_are_those_of_differences():
    check = """
import numpy as np
import char_transformer as example
import einback as eb

example.LENGTH, rng = 8, np.random.default_rng(0)
network = example.declare(11)
arrays = example.initialise(network.parameters, 11, rng)
arrays |= {name: rng.integers(11, size=(2, 8)) for name in ("token", "next")}
print(eb.check(network.loss, network.parameters, **arrays))
"""
    run = _python("-c", check)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(": ok\n") == 30, run.stdout


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        ("gaussian_process.py", ("--steps", "0"), "--steps is one or more"),
        ("convnet.py", ("--channels", "0"), "--epochs and --channels are one or more"),
        ("char_transformer.py", ("--write", "-1"), "--steps is one or more, --write is not negative"),
    ],
)
def test_a_bad_option_says_what_is_wrong(script: str, options: tuple[str, ...], message: str):
    run = _run(script, *options)
    assert run.returncode == 2
    assert message in run.stderr
