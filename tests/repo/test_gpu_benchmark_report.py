"""The GPU benchmark's order of work, its budget, and what it makes of measurements: tables, data, a plot."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, BENCHMARKS)
gpu, driver, report = map(import_module, ("gpu", "suite.gpu.driver", "suite.gpu.report"))
sys.path.remove(BENCHMARKS)

CASES = {case.name: case for case in gpu.CASES}


class Clock:
    """Time that passes when it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """A process whose answers take their time on the clock."""

    def __init__(self, clock: Clock, log: list[str], name: str, costs: dict[str, float], fails: str = "") -> None:
        self.clock, self.log, self.name, self.costs, self.fails = clock, log, name, costs, fails
        self.orders: list[str] = ["begin"]
        self.closed = 0

    def tell(self, order: dict[str, Any]) -> None:
        self.orders.append(order["do"])

    def reply(self, limit: float) -> dict[str, Any]:
        order = self.orders.pop(0)
        self.log.append(f"{self.name} {order}")
        self.clock.now += min(limit, self.costs.get(order, 0.0))
        if order == self.fails or self.costs.get(order, 0.0) > limit:
            return {"failure": "too late" if order != self.fails else "OutOfMemoryError: no room"}
        answers = {
            "check": {"double": 1e-15},
            "first": {"first": 1.0, "peak": 5},
            "time": {"device": 1e-3, "wall": 2e-3},
        }
        return answers.get(order, {})

    def close(self) -> None:
        self.closed += 1


def scripted(costs: dict[str, float], budget: float, fails: str = "", **chosen: Any) -> tuple[Any, ...]:
    clock, log, teams, said = Clock(), list[str](), list[dict[str, Any]](), list[str]()

    def start(case: Any) -> dict[str, Any]:
        log.append(f"start {case.name}")
        teams.append({"einback": Scripted(clock, log, "einback", costs), "JAX": "jax is not installed",
                      "PyTorch": Scripted(clock, log, "PyTorch", costs, fails)})  # fmt: skip
        return teams[-1]

    how = driver.Chosen(**{"rounds": 2, "seconds": 0.1, "limit": 50.0, **chosen})
    cases = [CASES[name] for name in ("tiny", "logistic", "cp")]
    rows, skipped = driver.run(cases, start, how, driver.Budget(budget, clock), said.append)
    closed = [told.closed for team in teams for told in team.values() if not isinstance(told, str)]
    assert all(closed)
    return rows, skipped, log, said, clock.now - 100.0


def test_the_order_of_a_run():
    rows, skipped, log, said, _ = scripted({"first": 1.0}, 450)
    assert [row.case.name for row in rows] == ["tiny", "logistic", "cp"]
    assert skipped == []
    assert log[:13] == [
        "start tiny", "start logistic", "einback begin", "PyTorch begin", "einback check", "PyTorch check",
        "einback first", "PyTorch first", "einback time", "PyTorch time", "PyTorch time", "einback time", "start cp",
    ]  # fmt: skip
    assert rows[0].results["einback"].wall == [2e-3, 2e-3]
    assert rows[0].results["JAX"].failure == "jax is not installed"
    assert said[0] == "tiny: einback 2.00, PyTorch 2.00 ms"  # what launches bound, by the host's clock
    assert said[1] == "logistic: einback 1.00, PyTorch 1.00 ms"


def test_the_budget_skips_what_it_does_not_reach():
    rows, skipped, _, said, took = scripted({"first": 20.0}, 70)
    assert [row.case.name for row in rows] == ["tiny", "logistic"]
    assert [case.name for case in skipped] == ["cp"]
    assert "cp: skipped, as 0 s of 70 s are left" in said
    assert took <= 70
    assert rows[1].results["PyTorch"].failure == "the budget was spent"
    assert rows[1].results["PyTorch"].device == []
    text = report.table(rows, ["einback", "PyTorch"], {}, skipped)
    assert "- cp: skipped, the budget was spent" in text
    assert "- logistic, PyTorch: the budget was spent" in text


def test_a_peer_that_fails_or_hangs_does_not_stop_the_others():
    for fails in ("begin", "check", "first", "time"):
        rows, _, _, said, _ = scripted({}, 450, fails)
        assert rows[0].results["PyTorch"].failure == "OutOfMemoryError: no room"
        assert rows[0].results["einback"].wall == [2e-3, 2e-3]
        assert "  tiny, PyTorch: OutOfMemoryError: no room" in said
    rows, _, _, _, took = scripted({"check": 30.0}, 450, limit=10.0)
    assert {row.results["einback"].failure for row in rows} == {"too late"}
    assert took == pytest.approx(30)


def made_up() -> tuple[list[Any], dict[str, Any]]:
    """Rows as a device might give them."""
    result = report.Result
    tiny = {
        "einback": result(device=[40e-6, 42e-6], wall=[50e-6, 52e-6], replay=[9e-6, 10e-6], first=0.5, peak=2_000_000,
                          double=2e-16, own=3e-7, flops=2e4),
        "einback graph": result(device=[9e-6, 9e-6], wall=[10e-6, 13e-6], first=0.7, flops=2e4),
        "PyTorch": result(device=[100e-6, 100e-6], wall=[110e-6, 120e-6], first=0.01),
        "JAX": result(device=[30e-6, 30e-6], wall=[30e-6, 26e-6], first=1.2),
        "CuPy": result(device=[60e-6, 60e-6], wall=[60e-6, 65e-6], note="a remark"),
    }  # fmt: skip
    logistic = {
        "einback": result(device=[5.0e-3] * 3, wall=[5.1e-3] * 3, flops=2.75e11),
        "einback graph": result(failure="OutOfMemoryError: no room"),
        "JAX": result(device=[10.0e-3] * 3, wall=[10.0e-3] * 3),
        "CuPy": result(device=[5.5e-3] * 3, wall=[5.5e-3] * 3),
        "PyTorch": result(failure="torch is not installed"),
    }
    rows = [report.Row(CASES["tiny"], tiny), report.Row(CASES["logistic"], logistic)]
    limits = {"rates": {"float32": 60e12, "tf32": 400e12}, "bytes": 4.3e12, "notes": ["no peak of float64: why"]}
    return rows, limits


PEERS = ["einback", "einback graph", "PyTorch", "JAX", "CuPy"]


def test_the_tables():
    rows, limits = made_up()
    text = report.table(rows, PEERS, limits, [CASES["cp"]])
    for line in (
        "in Tflop/s, float32 60.0, tf32 400; copies 4.30 TB/s",
        "| tiny: value and gradients of a tiny classifier, 8; 16-16-4, float32 | 0.0510 | 0.0115 | 0.115 | 0.0280 |",
        "| logistic: Hessian of logistic regression, n = 4096, float32 | 5.00 |  |  | 10.0 | 5.50 |",
        "| tiny | einback graph | JAX | 2.50 | 1 | 5.50 | 1 | 0.00174 | 0% |  |",
        "| logistic | einback | JAX | 2.00 missed | 3 | 1.10 | 1 | 55.0 | 92% | 90% |",
        "Geometric mean over the best library: 2.24.",
        "| tiny | 51.0 | 11.5 | 115 | 28.0 | 62.5 | 9.50 | 5.38 | 1.21 missed | 1.2 |",
        "| 0.500 s, 2 MB | 0.700 s, 0 MB | 0.0100 s, 0 MB | 1.20 s, 0 MB |  |",
        "| 2e-16, 3e-07 |  |  |  |  |",
        "- tiny, CuPy: a remark",
        "- logistic, einback graph: OutOfMemoryError: no room",
        "- logistic, PyTorch: torch is not installed",
        "- cp: skipped, the budget was spent",
        "- no peak of float64: why",
    ):
        assert line in text
    widths = [row.count("|") for row in text.splitlines() if row.startswith("| tiny:")]
    assert set(widths) == {len(PEERS) + 2}


def test_tables_of_next_to_nothing():
    failed = {peer: report.Result(failure="no room") for peer in PEERS}
    text = report.table([report.Row(CASES["mps"], failed)], PEERS, {"notes": ["no limits"]}, [])
    assert "The rates of the device were not measured." in text
    assert "Geometric mean over the best library: none." in text
    assert "nan" not in text
    assert "- mps, JAX: no room" in text
    assert report.table([], PEERS, {}, gpu.CASES).count("skipped") == len(gpu.CASES)


def test_the_data_is_json():
    rows, limits = made_up()
    data = json.loads(json.dumps(report.as_data(rows, "a device", limits, [CASES["cp"]]), allow_nan=False))
    assert data["skipped"] == ["cp"]
    assert data["cases"][0]["speed"] == pytest.approx(2.5)
    assert data["cases"][1]["peers"]["einback"]["first"] is None
    assert data["cases"][0]["peers"]["einback"]["replay"] == [9e-6, 10e-6]


def test_the_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows, limits = made_up()
    data = report.as_data(rows, "a device", limits, [])
    times = report.relative(rows, PEERS)
    assert times[CASES["tiny"].text()]["einback graph"] == 1
    assert math.isnan(times[CASES["logistic"].text()]["einback graph"])
    for folder in "abc":
        (tmp_path / folder).mkdir()
    assert gpu.kept(tmp_path / "a", "text", data, [], PEERS) == "no plot: einback has no times"
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    assert gpu.kept(tmp_path / "b", "text", data, rows, PEERS) == "no plot: matplotlib is not installed"
    monkeypatch.undo()
    pytest.importorskip("matplotlib", reason="matplotlib is not installed").use("Agg")
    assert gpu.kept(tmp_path / "c", "text", data, rows, PEERS) == ""
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["gpu.json", "gpu.md", "gpu.png"]
