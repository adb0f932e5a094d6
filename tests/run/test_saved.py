"""Saved programs: what comes back from a file is what was compiled, and says so where it is not."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.errors import ArrayError, CompileError
from einback.run.report import SlicedPlan

Arrays = dict[str, Any]
rng = np.random.default_rng(0)


def network() -> tuple[Any, Arrays]:
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    Z = eb.einsum("nd,dc->nc", X, W) + b
    loss = -eb.sum(Y * eb.log_softmax(Z, axis="c")) / X.size("n")
    arrays = {"X": rng.normal(size=(6, 4)), "Y": np.eye(3)[rng.integers(3, size=6)], "W": rng.normal(size=(4, 3))}
    return {"loss": loss, "grads": eb.grad(loss, [W, b]), "both": (Z, [loss])}, arrays | {"b": np.zeros(3)}


def lookup() -> tuple[Any, Arrays]:
    E, ids = eb.tensor("E[v,d]"), eb.tensor("ids[b]", integer=True)
    return eb.grad(eb.sum(eb.tanh(E[ids])), E), {"E": rng.normal(size=(5, 3)), "ids": np.array([0, 4, 4])}


def systems() -> tuple[Any, Arrays]:
    A, y = eb.tensors("A[n,n] y[n]")
    x = eb.linalg.solve(A, y)
    return [x, eb.grad(eb.sum(x * x), [A, y])], {"A": np.eye(3) + 0.1 * rng.normal(size=(3, 3)), "y": np.ones(3)}


def keyword_names() -> tuple[Any, Arrays]:
    x, y = eb.tensor("lambda[n]"), eb.tensor("np[n]")
    return eb.sum(x * y), {"lambda": np.arange(3.0), "np": np.ones(3)}


def hessian() -> tuple[Any, Arrays]:
    x = eb.tensor("x[n]")
    return eb.hessian(eb.sum(eb.exp(x) * x), x), {"x": rng.normal(size=4)}


def single_precision() -> tuple[Any, Arrays]:
    outputs, arrays = network()
    return outputs, {name: array.astype(np.float32) for name, array in arrays.items()}


def complex_numbers() -> tuple[Any, Arrays]:
    z = eb.tensor("z[n]", complex=True)
    return eb.grad(eb.sum(eb.abs(z) ** 2), z), {"z": rng.normal(size=3) + 1j}


def declared_symmetric() -> tuple[Any, Arrays]:
    S = eb.tensor("S[n,n]", symmetric=True)
    return eb.grad(eb.linalg.logdet(S), S), {"S": np.eye(3) + 0.1}


def declared_stochastic() -> tuple[Any, Arrays]:
    Y, A = eb.tensor("Y[n,c]", stochastic=True), eb.tensor("A[n,c]")
    loss = -eb.sum(Y * eb.log_softmax(A, axis="c"))
    return {"loss": loss, "grads": eb.grad(loss, {"A": A, "Y": Y})}, {"Y": np.full((2, 4), 0.25), "A": np.ones((2, 4))}


def integers() -> tuple[Any, Arrays]:
    x, y = eb.tensors("x[n] y[n]")
    return eb.sum(x * y), {"x": np.array([2**70, 1], object), "y": np.array([3, 5], object)}


def no_arrays() -> tuple[Any, Arrays]:
    return eb.eye(3), {}


PROGRAMS = [network, lookup, systems, keyword_names, hessian, single_precision, complex_numbers, declared_symmetric,
            declared_stochastic, integers, no_arrays]  # fmt: skip


def _same(a: Any, b: Any) -> bool:
    """Equal structures of equal arrays, to the last bit."""
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    a_array, b_array = np.asarray(a), np.asarray(b)
    return type(a) is type(b) and a_array.dtype == b_array.dtype and bool(np.array_equal(a_array, b_array))


def _saved(outputs: Any, arrays: Arrays, folder: Path) -> tuple[Any, Any, Path]:
    fn, path = eb.compile(outputs), folder / "program.json"
    fn(arrays)
    fn.save(path)
    return fn, eb.load(path), path


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_what_is_loaded_is_what_was_saved(program: Callable[[], tuple[Any, Arrays]], tmp_path: Path):
    outputs, arrays = program()
    fn, loaded, _ = _saved(outputs, arrays, tmp_path)
    for _ in range(2):  # the second call knows the arrays by their shapes
        assert _same(loaded(arrays), fn(arrays))
        assert _same(loaded(**arrays), fn(arrays))
    assert loaded.source() == fn.source()
    plan, saved = fn.plan(), loaded.plan()
    assert str(saved) == str(plan)
    for figure in ("flops", "forward_flops", "peak_bytes", "input_bytes"):
        assert getattr(saved, figure) == getattr(plan, figure)
    assert [step.formula for step in saved.steps] == [step.formula for step in plan.steps]
    assert _same(pickle.loads(pickle.dumps(loaded))(arrays), fn(arrays))


def test_nothing_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    outputs, arrays = network()
    fn, _, path = _saved(outputs, arrays, tmp_path)
    wanted = fn(arrays)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("this is work of the compiler's")

    for name in ("rules.simplify.rewrite", "plan.plan.binary", "run.specialising.make_plan", "run.specialising.lower"):
        monkeypatch.setattr(f"einback.{name}", refuse)
    loaded = eb.load(path)
    assert _same(loaded(arrays), wanted)
    assert loaded.source()
    assert loaded.plan().steps


def test_a_file_is_plain_data(tmp_path: Path):
    outputs, arrays = network()
    _, _, path = _saved(outputs, arrays, tmp_path)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert (data["format"], data["version"]) == ("einback program", 1)
    (one,) = data["program"]["specialisations"]
    assert one["shapes"]["X"] == [6, 4]
    assert one["dtypes"]["X"] == np.dtype(float).str
    assert "def step(" in one["source"]


def test_all_shapes_that_were_met_are_saved(tmp_path: Path):
    x = eb.tensor("x[n]")
    fn, path = eb.compile(eb.sum(x * x)), tmp_path / "squares.json"
    for n in (2, 3):
        fn(x=np.ones(n))
    fn(x=np.ones(3, np.float32))
    fn.save(path)
    loaded = eb.load(path)
    assert [float(loaded(x=np.ones(n))) for n in (2, 3)] == [2.0, 3.0]
    assert loaded(x=np.ones(3, np.float32)).dtype == np.float32
    assert repr(loaded) == "<saved program of x[n]: 3 sets of shapes>"
    assert "(2,)" in loaded.source(n=2)
    assert "(2,)" in loaded.source(x=(2,))
    assert str(loaded.plan(x=np.ones(2))) == str(fn.plan(x=np.ones(2)))


def test_what_is_given_to_save_is_saved_alone(tmp_path: Path):
    x = eb.tensor("x[n]")
    fn, path = eb.compile(eb.sum(x * x)), tmp_path / "squares.json"
    fn(x=np.ones(2))
    fn.save(path, x=(5,))
    assert eb.load(path)(x=np.ones(5)) == 5.0
    fn.save(str(path), {"x": np.ones(2)})
    loaded = eb.load(str(path))
    assert loaded(x=np.ones(2)) == 2.0
    with pytest.raises(ArrayError, match="no program was saved"):
        loaded(x=np.ones(5))
    fn.save(path, n=4)
    loaded = eb.load(path)
    assert loaded(x=np.ones(4)) == loaded(x=np.ones(4), n=4) == 4.0
    with pytest.raises(ArrayError, match="no program was saved"):
        loaded(x=np.ones(4), n=3)


def test_sizes_beside_arrays(tmp_path: Path):
    fn, path = eb.compile(eb.ones("[n,m]") * 2), tmp_path / "twos.json"
    fn(n=2, m=3)
    fn.save(path)
    loaded = eb.load(path)
    np.testing.assert_array_equal(loaded(n=2, m=3), np.full((2, 3), 2))
    for sizes in ({"n": 2}, {}):
        with pytest.raises(ArrayError, match="no program was saved for"):
            loaded(sizes)
    with pytest.raises(ArrayError) as caught:
        loaded(n=3, m=3)
    assert "no program was saved for m=3, n=3; there is one for m=3, n=2" in str(caught.value)


def test_arrays_are_converted_as_they_were(tmp_path: Path):
    x, a = eb.tensors("x[n] a")
    fn, path = eb.compile(eb.sum(a * x)), tmp_path / "scaled.json"
    fn(x=np.ones(3), a=2.0)
    fn.save(path)
    loaded = eb.load(path)
    swapped = np.arange(3.0).astype(np.dtype(float).newbyteorder())
    for _ in range(2):
        assert loaded(x=[1.0, 2.0, 3.0], a=2) == fn(x=[1.0, 2.0, 3.0], a=2)
        assert loaded(x=swapped, a=np.array(2.0)) == fn(x=swapped, a=2.0) == 6.0


def test_other_arrays_than_saved(tmp_path: Path):
    outputs, arrays = network()
    _, loaded, _ = _saved(outputs, arrays, tmp_path)
    with pytest.raises(ArrayError) as caught:
        loaded(arrays | {"b": np.zeros(3, np.float32)})
    assert str(caught.value) == (
        "no program was saved for W (4, 3) float64, X (6, 4) float64, Y (6, 3) float64, b (3,) float32; "
        "there is one for W (4, 3) float64, X (6, 4) float64, Y (6, 3) float64, b (3,) float64\n"
        "call the compiled program with such arrays, and save it again"
    )
    with pytest.raises(ArrayError, match="no program was saved for X "):
        loaded.source(X=(7, 4))
    with pytest.raises(ArrayError, match="missing array b"):
        loaded(X=arrays["X"], Y=arrays["Y"], W=arrays["W"])
    with pytest.raises(ArrayError, match="unknown array Q"):
        loaded(arrays, Q=1)


def test_faults_at_run_time_are_told_as_before(tmp_path: Path):
    outputs, arrays = systems()
    fn, loaded, _ = _saved(outputs, arrays, tmp_path)
    singular = arrays | {"A": np.zeros((3, 3))}
    with pytest.raises(ArrayError) as wanted:
        fn(singular)
    with pytest.raises(ArrayError) as caught:
        loaded(singular)
    assert str(caught.value) == str(wanted.value)
    assert "a matrix has no inverse: " in str(caught.value)
    _, loaded, _ = _saved(*lookup(), tmp_path)
    with pytest.raises(ArrayError, match="5"):
        loaded(lookup()[1] | {"ids": np.array([0, 1, 5])})
    _, loaded, _ = _saved(*declared_symmetric(), tmp_path)
    with pytest.raises(ArrayError, match="symmetric"):
        loaded(S=np.arange(9.0).reshape(3, 3))
    _, loaded, _ = _saved(*declared_stochastic(), tmp_path)
    with pytest.raises(ArrayError, match=r"Y is declared stochastic, but the entries of Y\[1\] sum to 0.875, not to 1"):
        loaded(Y=np.array([[0.25] * 4, [0.25, 0.25, 0.25, 0.125]]), A=np.ones((2, 4)))


def _with_checksum(data: dict[str, Any]) -> str:
    plain = json.dumps(data["program"], sort_keys=True, separators=(",", ":"))
    return json.dumps(data | {"sha256": hashlib.sha256(plain.encode()).hexdigest()})


def test_damaged_files(tmp_path: Path):
    _, _, path = _saved(*network(), tmp_path)
    whole = path.read_text(encoding="utf-8")
    data = json.loads(whole)
    assert eb.load(path).plan().flops
    program = data["program"]
    faults = {
        whole[: len(whole) // 2]: "holds no saved program, or is damaged",
        "no JSON": "holds no saved program, or is damaged",
        json.dumps([1]): "holds no saved program",
        json.dumps({"einback": 1}): "holds no saved program",
        json.dumps(data | {"version": 2}): "is of version 2, and this einback reads version 1",
        whole.replace("np.exp", "np.cos", 1): "is damaged: what it holds is not what was saved",
        _with_checksum(data | {"program": {"inputs": program["inputs"]}}): "is damaged: KeyError",
        _with_checksum(data | {"program": program | {"specialisations": []}}): "is damaged: it holds no program",
    }
    assert len(faults) == 8
    for text, message in faults.items():
        path.write_text(text, encoding="utf-8")
        with pytest.raises(CompileError) as caught:
            eb.load(path)
        assert message in str(caught.value)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CompileError, match="damaged"):
        eb.load(path)
    with pytest.raises(FileNotFoundError):
        eb.load(tmp_path / "nowhere.json")


def test_what_cannot_be_saved(tmp_path: Path):
    x = eb.tensor("x[n]")
    with pytest.raises(CompileError, match="the program has met no arrays yet"):
        eb.compile(x * 2).save(tmp_path / "p.json")
    structured = eb.compile(eb.hessian(eb.sum(x**3), x), structured=True)
    structured(x=np.ones(3))
    with pytest.raises(CompileError, match="a structured program is not saved"):
        structured.save(tmp_path / "p.json")
    assert not list(tmp_path.iterdir())


def test_a_saved_program_has_one_text(tmp_path: Path):
    x = eb.tensor("x[n]")
    fn = eb.compile(eb.sum(x**2))
    fn(x=np.ones(3))
    fn.save(tmp_path / "step.json")
    with pytest.raises(CompileError, match="a saved program holds one text, and target asks for another"):
        eb.load(tmp_path / "step.json").source(target="torch")


@pytest.mark.parametrize("rows", [100, 40_000])
def test_programs_for_threads_are_saved_cut_or_whole(rows: int, tmp_path: Path) -> None:
    x, g = eb.tensors("x[n,d] g[d]")
    y = eb.tanh(eb.exp(eb.sin(x)) * g) + eb.cos(x) * eb.sigmoid(x)
    arrays = {"x": rng.normal(size=(rows, 60)), "g": rng.normal(size=60)}
    fn = eb.compile({"y": y, "g": eb.grad(eb.sum(y), g)}, threads=2)
    wanted = fn(arrays)
    assert isinstance(fn.plan(), SlicedPlan) == (rows > 1000)
    fn.save(tmp_path / "step.json")
    loaded = eb.load(tmp_path / "step.json")
    assert _same(loaded(arrays), wanted)
    assert (str(loaded.plan()), loaded.plan().flops) == (str(fn.plan()), fn.plan().flops)
    assert loaded.source() == fn.source()


def test_a_cap_on_memory_is_not_saved(tmp_path: Path) -> None:
    x = eb.tensor("x[n]")
    fn = eb.compile(eb.sum(x**2), memory_limit=10**6)
    fn(x=np.ones(3))
    with pytest.raises(CompileError, match=r"a program under a memory_limit cannot be saved\nkeep fn\.source"):
        fn.save(tmp_path / "step.json")
