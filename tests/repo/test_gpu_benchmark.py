"""The GPU benchmark as far as it goes without a GPU: the values of its cases, the way over a device, its processes."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
sys.path.insert(0, str(SCRIPT.parent))
gpu, peers, process, session, with_cupy = map(
    import_module,
    ("gpu", *(f"suite.gpu.{name}" for name in ("peers", "process", "session", "with_cupy"))),
)
sys.path.remove(str(SCRIPT.parent))

CASES = {case.name: case for case in gpu.CASES}
FAMILIES = [name for name in CASES if name not in ("mlp-tf32", "mlp-bfloat16", "cp-large")]  # those are the same again


def in_float32(name: str) -> Any:
    """A case in a precision that every peer has on the host."""
    case = CASES[name]
    return case if case.precision == "float64" else replace(case, precision="float32")


@pytest.mark.parametrize("name", FAMILIES)
def test_einback_agrees_with_the_steps_by_hand(name: str):
    found = session.Session(in_float32(name), with_cupy.Einback("cpu", graph=False)).check()
    assert found["double"] < 1e-13
    assert found.get("own", 0) < 2e-6


@pytest.mark.oracle
@pytest.mark.parametrize("name", FAMILIES)
def test_jax_agrees(name: str, jax_settings: None):
    jax = import_module("suite.gpu.with_jax").Jax("cpu")
    assert session.Session(in_float32(name), jax, compiles=True).check()["double"] < 1e-13


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_pytorch_agrees(name: str):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    torch = import_module("suite.gpu.with_torch").Torch("cpu")
    assert session.Session(in_float32(name), torch).check()["double"] < 1e-13
    formula = import_module("suite.gpu.with_torch").Torch("cpu", peer="torch.compile")  # what is compiled, run as it is
    assert session.Session(in_float32(name), formula).check()["double"] < 1e-13


@pytest.fixture
def jax_settings() -> Iterator[None]:
    """What the benchmark sets for its own process is undone."""
    config: Any = import_module("jax").config
    before = config.jax_enable_x64, config.jax_default_matmul_precision
    yield
    config.update("jax_enable_x64", before[0])
    config.update("jax_default_matmul_precision", before[1])


def test_results_that_are_off_are_refused():
    tiny = CASES["tiny"]

    def wrong(key: str, change: Callable[[Any], Any]) -> Any:
        class Wrong(with_cupy.ByHand):
            def step(self, *given: Any) -> Any:
                call = super().step(*given)
                return lambda: {name: change(one) if name == key else one for name, one in call().items()}

        return session.Session(tiny, Wrong("cpu"))

    assert wrong("W0", lambda one: one).check()["double"] == 0
    with pytest.raises(ValueError, match=r"results at small sizes in float64 are off by 1\.0e-06"):
        wrong("W0", lambda one: one * (1 + 1e-6)).check()
    with pytest.raises(ValueError, match="are off by nan"):
        wrong("b1", lambda one: np.where(one == one.max(), np.nan, one)).check()
    with pytest.raises(ValueError, match=r"b0 has the shape \(1, 16\), not \(16,\)"):
        wrong("b0", lambda one: one[None]).check()
    with pytest.raises(ValueError, match=r"results \['x'\], not \['y'\]"):
        session.error_of({"x": np.ones(1)}, {"y": np.ones(1)})


class Face(types.ModuleType):
    """CuPy's face over NumPy with a device that notes what it is told."""

    def __init__(self) -> None:
        super().__init__("cupy")
        self.told: list[str] = []
        self.free = [900, 700, 400]
        note = self.told.append
        runtime = SimpleNamespace(
            deviceSynchronize=lambda: note("wait"), memGetInfo=lambda: (self.free.pop(0), 1000)
        )  # fmt: skip
        event = SimpleNamespace(record=lambda: note("event"))
        self.cuda = SimpleNamespace(
            Event=lambda: event, get_elapsed_time=lambda a, b: 6.0, runtime=runtime, get_cublas_handle=lambda: 5,
            Stream=lambda non_blocking: Stream(note),
        )  # fmt: skip

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(free_all_blocks=lambda: self.told.append("free"))

    def asnumpy(self, array: Any) -> Any:
        return np.asarray(array)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


class Stream(contextlib.nullcontext[None]):
    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self.synchronize = lambda: note("wait")
        self.begin_capture = lambda: note("capture")
        self.end_capture = lambda: SimpleNamespace(launch=lambda: note("launch"))


def test_the_way_over_a_device(monkeypatch: pytest.MonkeyPatch):
    face = Face()
    modules = {
        "cupy": face,
        "cupy._core._routines_linalg": SimpleNamespace(
            COMPUTE_TYPE_TF32=7,
            COMPUTE_TYPE_DEFAULT=1,
            set_compute_type=lambda dtype, kind: face.told.append(f"type {kind}"),
        ),
        "cupy_backends.cuda.libs": SimpleNamespace(
            cublas=SimpleNamespace(CUBLAS_DEFAULT_MATH=0, setMathMode=lambda h, mode: face.told.append(f"math {mode}"))
        ),
    }
    monkeypatch.setattr(with_cupy, "import_module", modules.__getitem__)
    by_hand = with_cupy.ByHand("cuda")
    assert session.Session(replace(CASES["tiny"], precision="tf32"), by_hand).check()["double"] == 0
    assert [one for one in face.told if one != "wait"] == ["type 1", "math 0", "type 7", "math 3"]
    face.told.clear()
    assert by_hand.elapsed(lambda: face.told.append("call"), 2)[0] == 6e-3
    assert face.told == ["event", "call", "call", "event", "wait"]
    by_hand.forget()
    assert by_hand.peak() == 200
    eager = with_cupy.Einback("cuda", graph=False)
    face.told.clear()
    replay = eager.replay(lambda: face.told.append("call"))
    assert face.told == ["call", "wait", "capture", "call", "wait"]
    replay()
    assert face.told[-1] == "launch"
    assert with_cupy.Einback("cuda", graph=True).replay(lambda: None) is None


def test_what_the_compiler_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, Any]] = []

    def compiled(outputs: Any, **settings: Any) -> Any:
        asked.append(settings)
        return SimpleNamespace(inputs=())

    monkeypatch.setattr(with_cupy.eb, "compile", compiled)
    for precision in ("float64", "float32", "tf32", "bfloat16"):
        for graph in (False, True):
            with_cupy.Einback("cpu", graph=graph).step(CASES["tiny"], {}, precision)
    assert asked == [
        {}, {"graph": True}, {}, {"graph": True}, {"precision": "tf32"}, {"graph": True, "precision": "tf32"},
        {"precision": "bfloat16"}, {"graph": True, "precision": "bfloat16"},
    ]  # fmt: skip


def test_large_arrays_repeat_no_row():
    case = replace(CASES["logistic"], sizes={"n": 1200})  # 2.9 million numbers
    X = case.drawn("float32", small=False)["X"]
    assert X.dtype == np.float32
    assert X.shape == (2400, 1200)
    assert len(np.unique(X[:, :3], axis=0)) == 2400
    assert all(CASES[name].drawn("float32", small=True) for name in CASES)


def test_without_a_device_it_ends_with_status_2():
    command = [sys.executable, str(SCRIPT), "--only", "tiny"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "benchmarks/gpu.py needs an NVIDIA GPU: CuPy " in done.stderr


def test_a_missing_cupy_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert gpu.main([]) == 2
    assert 'CuPy is not installed: pip install "einback[cuda13]", or cuda12' in capsys.readouterr().err
    assert peers.missing("JAX", "cuda") == "jax is not installed"
    assert peers.missing("einback", "cpu") == ""


def test_a_bad_option_is_said_before_anything_is_measured(capsys: pytest.CaptureFixture[str]):
    for option, message in (
        (("--output", __file__), f"argument --output: cannot make the folder {__file__!r}: File exists"),
        (("--only", "none"), "argument --only: invalid choice: 'none'"),
    ):
        with pytest.raises(SystemExit, match="2"):
            gpu.main(option)
        assert message in capsys.readouterr().err


def test_graphs_of_torch_are_for_what_launches_bound():
    extra = {peer for peer in peers.PEERS if peer in peers.of_case(CASES["tiny"], tuple(peers.PEERS))}
    assert extra - {*peers.of_case(CASES["logistic"], tuple(peers.PEERS))} == {"torch.compile graphs"}


def test_a_run_on_the_host(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """The processes, the checks, the rounds, the table and the data, over NumPy at small sizes."""
    options = ["--device", "cpu", "--small", "--only", "tiny", "factorisation", "--peers", "einback", "CuPy",
               "--rounds", "2", "--seconds", "0.01", "--output", str(tmp_path)]  # fmt: skip
    assert gpu.main(options) == 0
    said = capfd.readouterr()
    assert "tiny: einback 0.0" in said.err
    assert said.out == (tmp_path / "gpu.md").read_text()
    data = json.loads((tmp_path / "gpu.json").read_text())
    assert [one["case"] for one in data["cases"]] == ["tiny", "factorisation"]
    assert {*data["limits"]["rates"]} == {"float64", "float32", "tf32", "bfloat16"}
    for case in data["cases"]:
        for peer in ("einback", "CuPy"):
            result = case["peers"][peer]
            assert result["failure"] == ""
            assert len(result["wall"]) == 2
            assert result["first"] > 0
            assert result["double"] < 1e-13
        assert case["peers"]["einback"]["flops"] > 0
    assert (tmp_path / "gpu.png").exists() == (importlib.util.find_spec("matplotlib") is not None)


ECHO = """
import sys
sys.path.insert(0, {path!r})
from suite.gpu.process import serve
class Told:
    def add(self, a, b): print("noise"); return {{"sum": a + b}}
    def fail(self): raise MemoryError("out of memory\\nat a place")
    def die(self): print("the last words", file=sys.stderr); sys.stderr.flush(); import os; os._exit(7)
    def sleep(self): import time; time.sleep(60)
serve(Told)
"""


def test_a_process_answers_fails_dies_and_is_given_up():
    def started(source: str) -> Any:
        return process.Worker([sys.executable, "-c", source], os.environ)

    told = started(ECHO.format(path=str(SCRIPT.parent)))
    assert told.reply(20) == {}
    for order, reply in (
        ({"do": "add", "a": 1, "b": 2}, {"sum": 3}),
        ({"do": "fail"}, {"failure": "MemoryError: out of memory"}),
        ({"do": "add", "a": 2, "b": 2}, {"sum": 4}),
    ):
        told.tell(order)
        assert told.reply(20) == reply
    told.tell({"do": "sleep"})
    assert told.reply(0.05) == {"failure": "no answer within 0 s"}
    told.close()
    told.close()
    told = started(ECHO.format(path=str(SCRIPT.parent)))
    told.tell({"do": "die"})
    assert told.reply(20) == {}
    assert told.reply(20) == {"failure": "it ended with status 7: the last words"}
    told.tell({"do": "die"})
    assert told.reply(20)["failure"].startswith("it ended with status 7")
    told.close()
