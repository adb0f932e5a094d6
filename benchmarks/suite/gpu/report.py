"""The tables of a GPU run, the same as data, and what they are compared with."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from suite.gpu.case import GpuCase
from suite.gpu.peers import BY_HAND, EAGER, GRAPH, LIBRARIES, OURS
from suite.report import geometric_mean, line

__all__ = ["Result", "Row", "as_data", "relative", "table"]

GEMM_TARGET: Final = 0.9  # of the rate of a large product, where products bound a step
REPLAY_TARGET: Final = 1.2  # times a replay of the same kernels as one graph, where launches bound a step


@dataclass(slots=True)
class Result:
    """What a peer gave for a case: seconds of a call a round by two clocks, and why it stopped, if it did."""

    device: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    replay: list[float] = field(default_factory=list)
    first: float = math.nan
    peak: int = 0
    double: float = math.nan
    own: float = math.nan
    flops: float = math.nan
    failure: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A case with the results of its peers. What launches bound is compared by the host's clock, the rest by events."""

    case: GpuCase
    results: Mapping[str, Result]

    def rounds(self, peer: str) -> Sequence[float]:
        result = self.results.get(peer, Result())
        return result.wall if self.case.launch_bound else result.device

    def call(self, peer: str) -> float:
        """Seconds, the median of rounds; NaN where there are none."""
        return _median(self.rounds(peer))

    @property
    def ours(self) -> str:
        return self._fastest(OURS)

    @property
    def best(self) -> str:
        """The fastest of the libraries."""
        return self._fastest(LIBRARIES)

    def _fastest(self, peers: Iterable[str]) -> str:
        return min((peer for peer in peers if not math.isnan(self.call(peer))), key=self.call, default="")

    def speed(self, peer: str) -> float:
        """How many times the peer's time ours is fewer: the median over rounds."""
        return _median([b / a for a, b in zip(self.rounds(self.ours), self.rounds(peer), strict=False)])

    def rate(self) -> float:
        """Operations a second of ours, as its plan counts them."""
        counts = [self.results[peer].flops for peer in OURS if peer in self.results]
        known = [count for count in counts if not math.isnan(count)]
        return known[0] / self.call(self.ours) if known and self.ours else math.nan

    def over_replay(self, peer: str) -> float:
        replays = self.results.get(EAGER, Result()).replay
        return _median([a / b for a, b in zip(self.rounds(peer), replays, strict=False)])

    def summary(self) -> str:
        known = [f"{peer} {_number(self.call(peer) * 1e3)}" for peer in self.results if self.rounds(peer)]
        return f"{', '.join(known)} ms" if known else "no peer was timed"


def table(
    rows: Sequence[Row],
    peers: Sequence[str],
    limits: Mapping[str, Any],
    skipped: Sequence[GpuCase],
) -> str:
    """Markdown: milliseconds, then ours against targets, then launches, first calls, errors, and what is missing."""
    parts = [
        _limits(limits),
        "Milliseconds a call, the median over rounds: CUDA events around a queue of calls (JAX has none: the host's "
        "clock around the same queue). Where launches bound a case, it is the host's clock for all.",
        _by_peer(rows, peers, lambda row, peer: _number(row.call(peer) * 1e3)),
        "The faster of einback's two against the best library, CuPy by hand, and cuBLAS. Operations are those that "
        f"the plan counts; the share of a large product is to reach {GEMM_TARGET:.0%} where products bound a case.",
        _against(rows, limits),
    ]
    bound = [row for row in rows if row.case.launch_bound]
    if bound:
        parts += [
            "Where launches bound a case: microseconds a call by the host's clock, and einback over a replay of its "
            "eager kernels as one CUDA graph.",
            _launches(bound, peers),
        ]
    parts += [
        "Seconds to the first result (imports not counted; caches of compiled kernels are empty when a run begins), "
        "and megabytes of the device beyond the arrays.",
        _by_peer(rows, peers, _first),
        "Errors at small sizes against NumPy in double precision, relative to the largest entry of a result: computed "
        "in double precision, and as it is timed (torch.compile takes seconds to compile: in double precision alone).",
        _by_peer(rows, peers, _errors),
    ]
    said = [f"- {row.case.name}, {peer}: {text}" for row in rows for peer, one in row.results.items()
            for text in (one.failure, one.note) if text]  # fmt: skip
    said += [f"- {case.name}: skipped, the budget was spent" for case in skipped]
    said += [f"- {note}" for note in limits.get("notes", ())]
    return "\n\n".join([*parts, "\n".join(said)]).rstrip() + "\n"


def _by_peer(rows: Sequence[Row], peers: Sequence[str], cell: Any) -> str:
    lines = [["case", *peers], ["---"] * (len(peers) + 1)]
    lines += [[f"{row.case.name}: {row.case.text()}", *(cell(row, peer) for peer in peers)] for row in rows]
    return "\n".join(map(line, lines))


def _against(rows: Sequence[Row], limits: Mapping[str, Any]) -> str:
    head = ["case", "ours", "best library", "speed over it", "target", "over CuPy by hand", "target",
            "Tflop/s", "of a large product", "target"]  # fmt: skip
    lines = [head, ["---"] * len(head)]
    for row in rows:
        rate = row.rate()
        share = rate / limits.get("rates", {}).get(row.case.precision, math.nan)
        goal = GEMM_TARGET if row.case.gemm_bound else math.nan
        lines.append([row.case.name, row.ours, row.best, _judged(row.speed(row.best), row.case.target),
                      f"{row.case.target:g}", _judged(row.speed(BY_HAND), 1.0), "1", _number(rate / 1e12),
                      _judged(share, goal, percent=True), "" if math.isnan(goal) else f"{goal:.0%}"])  # fmt: skip
    mean = geometric_mean([row.speed(row.best) for row in rows if row.best])
    return "\n".join(map(line, lines)) + f"\n\nGeometric mean over the best library: {_number(mean) or 'none'}."


def _launches(rows: Sequence[Row], peers: Sequence[str]) -> str:
    head = ["case", *peers, "replay", "eager over replay", "graph over replay", "target"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        over = row.over_replay(GRAPH)
        missed = " missed" if over > REPLAY_TARGET else ""
        lines.append([row.case.name, *(_number(row.call(peer) * 1e6) for peer in peers),
                      _number(_median(row.results.get(EAGER, Result()).replay) * 1e6),
                      _number(row.over_replay(EAGER)), _number(over) + missed, f"{REPLAY_TARGET:g}"])  # fmt: skip
    return "\n".join(map(line, lines))


def _limits(limits: Mapping[str, Any]) -> str:
    rates = ", ".join(f"{name} {_number(rate / 1e12)}" for name, rate in limits.get("rates", {}).items())
    if not rates:
        return "The rates of the device were not measured."
    return (f"At most, in this run: products of two large matrices by cuBLAS in Tflop/s, {rates}; "
            f"copies {_number(limits['bytes'] / 1e12)} TB/s, read and written.")  # fmt: skip


def _first(row: Row, peer: str) -> str:
    result = row.results.get(peer, Result())
    return "" if math.isnan(result.first) else f"{_number(result.first)} s, {result.peak / 1e6:.0f} MB"


def _errors(row: Row, peer: str) -> str:
    result = row.results.get(peer, Result())
    return ", ".join("" if math.isnan(error) else f"{error:.0e}" for error in (result.double, result.own)).strip(", ")


def _judged(value: float, target: float, percent: bool = False) -> str:
    """A number, and whether it missed its target; nothing where there is no number, no verdict without a target."""
    if math.isnan(value):
        return ""
    return (f"{value:.0%}" if percent else f"{value:.2f}") + (" missed" if value < target else "")


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    if math.isnan(value) or not value:
        return ""
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def relative(rows: Sequence[Row], peers: Sequence[str]) -> dict[str, dict[str, float]]:
    """Every peer's time in units of the faster of ours, by case; cases that ours has no time for are left out."""
    return {row.case.text(): {peer: row.call(peer) / row.call(row.ours) for peer in peers} for row in rows if row.ours}


def as_data(
    rows: Sequence[Row], described: str, limits: Mapping[str, Any], skipped: Sequence[GpuCase]
) -> dict[str, Any]:
    """Everything that was measured, for `json.dumps`; what is not known is None."""
    cases = [{"case": row.case.name, "sizes": dict(row.case.sizes), "precision": row.case.precision,
              "target": row.case.target, "ours": row.ours, "best": row.best, "speed": row.speed(row.best),
              "peers": {peer: asdict(result) for peer, result in row.results.items()}} for row in rows]  # fmt: skip
    found = {"described": described, "limits": dict(limits), "cases": cases, "skipped": [one.name for one in skipped]}
    cleaned: dict[str, Any] = _known(found)
    return cleaned


def _known(value: Any) -> Any:
    """The same with None for NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _known(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
