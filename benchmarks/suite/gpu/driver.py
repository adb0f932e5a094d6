"""The order of a run: all peers of a case are checked, make their first calls one by one, and are timed in turns.

Every peer is a process of its own for as long as its case lasts, so that what it costs to begin is paid once. While a
case is compiled, the processes of the next one import what they need; while calls are timed, all others wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from suite.gpu.case import GpuCase
from suite.gpu.process import Reply
from suite.gpu.report import Result, Row

__all__ = ["Budget", "Chosen", "Team", "run"]

LEAST = 20.0  # seconds that must be left for a case to begin
SPENT = "the budget was spent"


class Told(Protocol):
    """A process as the driver sees it."""

    def tell(self, order: Mapping[str, Any]) -> None: ...

    def reply(self, limit: float) -> Reply: ...

    def close(self) -> None: ...


Team = Mapping[str, Told | str]  # the processes of a case by peer, or why there is none


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds that a run may take."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "began", self.clock())

    @property
    def spent(self) -> float:
        return self.clock() - self.began

    @property
    def left(self) -> float:
        return self.seconds - self.spent


@dataclass(frozen=True, slots=True)
class Chosen:
    """How often and how long is timed, and seconds after which a process that does not answer is given up."""

    rounds: int
    seconds: float
    limit: float


def run(
    cases: Sequence[GpuCase],
    start: Callable[[GpuCase], Team],
    chosen: Chosen,
    budget: Budget,
    say: Callable[[str], None],
) -> tuple[list[Row], list[GpuCase]]:
    """The rows of the cases that the budget lasts for, and those that it does not."""
    rows: list[Row] = []
    skipped: list[GpuCase] = []
    teams: dict[str, Team] = {}
    try:
        for k, case in enumerate(cases):
            if budget.left < LEAST:
                say(f"{case.name}: skipped, as {max(budget.left, 0):.0f} s of {budget.seconds:.0f} s are left")
                skipped.append(case)
                continue
            if case.name not in teams:
                teams[case.name] = start(case)
            if k + 1 < len(cases) and budget.left > 2 * LEAST:
                teams[cases[k + 1].name] = start(cases[k + 1])
            row = _Run(case, teams[case.name], chosen, budget, say).row()
            rows.append(row)
            say(f"{case.name}: {row.summary()}")
            _close(teams.pop(case.name))
    finally:
        for team in teams.values():
            _close(team)
    return rows, skipped


def _close(team: Team) -> None:
    for told in team.values():
        if not isinstance(told, str):
            told.close()


class _Run:
    """One case; a peer that fails leaves it, and is closed."""

    def __init__(self, case: GpuCase, team: Team, chosen: Chosen, budget: Budget, say: Callable[[str], None]) -> None:
        self._case, self._chosen, self._budget, self._say = case, chosen, budget, say
        self._results = {peer: Result(failure=told if isinstance(told, str) else "") for peer, told in team.items()}
        self._live = {peer: told for peer, told in team.items() if not isinstance(told, str)}

    def row(self) -> Row:
        self._together(None)
        self._together({"do": "check"})
        for peer in [*self._live]:
            self._alone(peer, {"do": "first"})
        order = {"do": "time", "seconds": self._chosen.seconds}
        for k in range(self._chosen.rounds):
            peers = [*self._live]
            turn = k % max(1, len(peers))
            for peer in [*peers[turn:], *peers[:turn]]:
                if self._budget.left > 0:
                    self._alone(peer, order)
        return Row(self._case, self._results)

    def _limit(self) -> float:
        return min(self._chosen.limit, self._budget.left)

    def _together(self, order: Mapping[str, Any] | None) -> None:
        """All at once, which is not timed: with no order, the processes say that they are there."""
        for told in self._live.values():
            if order is not None:
                told.tell(order)
        until = self._budget.spent + self._limit()
        for peer, told in [*self._live.items()]:
            self._heard(peer, told.reply(until - self._budget.spent))

    def _alone(self, peer: str, order: Mapping[str, Any]) -> None:
        if self._budget.left <= 0:
            self._heard(peer, {"failure": SPENT})
            return
        self._live[peer].tell(order)
        self._heard(peer, self._live[peer].reply(self._limit()))

    def _heard(self, peer: str, reply: Reply) -> None:
        """What a reply adds to the peer's results."""
        result = self._results[peer]
        if "failure" in reply:
            result.failure = reply["failure"] if self._budget.left > 0 else SPENT
            self._say(f"  {self._case.name}, {peer}: {result.failure}")
            self._live.pop(peer).close()
            return
        result.device += [reply["device"]] if "device" in reply else []
        result.wall += [reply["wall"]] if "wall" in reply else []
        result.replay += [reply["replay"]] if "replay" in reply else []
        for name in ("double", "own", "first", "peak", "flops", "note"):
            if reply.get(name) is not None:
                setattr(result, name, reply[name])
