"""The table and the plot of a run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.measuring import Measurement
from suite.workload import Case, Workload

__all__ = ["Row", "geometric_mean", "line", "plot", "relative", "table"]

BY_HAND, OURS = "NumPy", "einback"


@dataclass(frozen=True, slots=True)
class Row:
    """A case with its measurements: for every peer one a round; `errors` are relative to the reference."""

    workload: Workload
    case: Case
    rounds: Mapping[str, Sequence[Measurement]]
    errors: Mapping[str, float]

    def call(self, peer: str) -> float:
        """Seconds, the median of rounds; NaN where the peer failed or is not there."""
        times = [one.call for one in self.rounds.get(peer, ()) if not one.failure]
        return statistics.median(times) if times else math.nan

    def first(self, peer: str) -> float:
        return statistics.median(one.first for one in self.rounds[peer])

    def peak(self, peer: str) -> float:
        return statistics.median(one.peak for one in self.rounds[peer])

    def ratio(self, peer: str) -> float:
        """How many times the peer's time ours is fewer: the median over rounds."""
        pairs = zip(self.rounds.get(peer, ()), self.rounds.get(OURS, ()), strict=False)
        ratios = [b.call / a.call for b, a in pairs if not b.failure and not a.failure and a.call]
        return statistics.median(ratios) if ratios else math.nan

    @property
    def best(self) -> str:
        """The fastest of the libraries."""
        others = [peer for peer in self.rounds if peer not in (OURS, BY_HAND) and not math.isnan(self.call(peer))]
        return min(others, key=self.call, default="")


def table(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """Markdown: milliseconds, then the ratios, then first calls and memory, then what failed."""
    lines = ["Milliseconds a call.", "", line(["", "case", *peers]), line(["---"] * (len(peers) + 2))]
    for row in rows:
        lines.append(line([f"({row.workload.letter}) {row.workload.title}", row.case.title,
                           *(_milliseconds(row.call(peer)) for peer in peers)]))  # fmt: skip
    lines += ["", "einback's speed over the best library and over NumPy by hand, and its largest error.", ""]
    lines += [line(["", "case", "best library", "speed over it", "target", "over NumPy", "error"]), line(["---"] * 7)]
    for row in rows:
        speed = row.ratio(row.best) if row.best else math.nan
        mark = "" if math.isnan(speed) or speed >= row.case.target else " missed"
        lines.append(line([f"({row.workload.letter})", row.case.title, row.best, f"{speed:.2f}{mark}",
                           f"{row.case.target:g}", f"{row.ratio(BY_HAND):.2f}",
                           f"{row.errors.get(OURS, math.nan):.0e}"]))  # fmt: skip
    mean = geometric_mean([row.ratio(row.best) for row in rows if row.best])
    lines += ["", f"Geometric mean over the best library: {mean:.2f}.", ""]
    lines += ["Seconds to the first result (imports not counted), and megabytes beyond imports and arrays.", ""]
    lines += [line(["", "case", *peers]), line(["---"] * (len(peers) + 2))]
    for row in rows:
        lines.append(line([f"({row.workload.letter})", row.case.title, *(_first(row, peer) for peer in peers)]))
    failures = {(row.workload.letter, peer, one.failure)
                for row in rows for peer, ones in row.rounds.items() for one in ones if one.failure}  # fmt: skip
    failures |= {(row.workload.letter, peer, why) for row in rows for peer, why in row.workload.left_out.items()}
    lines += ["", *(f"- ({letter}) {peer}: {why}" for letter, peer, why in sorted(failures))]
    return "\n".join(lines) + "\n"


def geometric_mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.exp(statistics.fmean(map(math.log, known))) if known else math.nan


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _milliseconds(seconds: float) -> str:
    return "" if math.isnan(seconds) else f"{seconds * 1e3:.3g}"


def _first(row: Row, peer: str) -> str:
    if math.isnan(row.call(peer)):
        return ""
    return f"{row.first(peer):.2g} s, {row.peak(peer) / 1e6:.0f} MB"


def relative(rows: Sequence[Row], peers: Sequence[str]) -> dict[str, dict[str, float]]:
    """Every peer's time in units of einback's, by case."""
    return {f"({row.workload.letter}) {row.workload.title}, {row.case.title}":
            {peer: row.call(peer) / row.call(OURS) for peer in peers} for row in rows}  # fmt: skip


def plot(times: Mapping[str, Mapping[str, float]], peers: Sequence[str], path: Path, unit: str = OURS) -> None:
    """Every peer's time in units of another, a line a case, on a logarithmic axis; NaN is left out."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.42 * len(times) + 1.6), layout="constrained")
    styles = dict(zip(peers, ["o", "s", "^", "D", "v", "P", "X"], strict=False))
    for place in range(len(times)):
        axes.axhline(place, color="0.92", zorder=0)
    for peer in peers:
        found = [(one.get(peer, math.nan), place) for place, one in enumerate(times.values())]
        found = [pair for pair in found if not math.isnan(pair[0])]
        if found:
            axes.scatter(
                *zip(*found, strict=True), marker=styles[peer], label=peer, s=34, zorder=3 if peer == OURS else 2
            )
    axes.axvline(1, color="0.5", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(times)), list(times), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"time of a call, {unit} = 1 (further right is slower)", loc="right")
    figure.legend(loc="outside lower center", ncols=len(peers), frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)
