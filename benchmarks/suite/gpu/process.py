"""A peer's process: orders go in and replies come out as lines of JSON.

Libraries print as they like: the worker keeps its standard output for replies, and what is printed goes to a log, of
which the last line is quoted where a process dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from suite.gpu.session import said

__all__ = ["Reply", "Worker", "serve"]

Reply = dict[str, Any]  # what was found, or "failure" and why


def serve(make: Callable[[], object]) -> None:
    """The worker's side: make what is told, say that it is there, and do what it is told until no order comes."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(found: Reply) -> None:
        print(json.dumps(found), file=replies, flush=True)

    try:
        told = make()
    except Exception as error:
        reply({"failure": said(error)})
        return
    reply({})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            reply(getattr(told, order.pop("do"))(**order))
        except Exception as error:
            reply({"failure": said(error)})


class Worker:
    """The other side: a process in a group of its own, which is ended as a whole."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, encoding="utf-8",
            env=dict(environment), start_new_session=True,
        )  # fmt: skip
        self._replies: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._replies.put(line)
        self._replies.put("")

    def tell(self, order: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # that it is gone, its reply says
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()

    def reply(self, limit: float) -> Reply:
        """The next reply, which may take some seconds."""
        try:
            line = self._replies.get(timeout=max(limit, 1e-3))
        except queue.Empty:
            return {"failure": f"no answer within {max(limit, 0):.0f} s"}
        if not line:
            self._replies.put("")
            return {"failure": self._last_words()}
        try:
            found: Reply = json.loads(line)
        except ValueError:
            return {"failure": f"it answered {line[:80]!r}"}
        return found

    def _last_words(self) -> str:
        status = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"it ended with status {status}{f': {lines[-1].strip()[:120]}' if lines else ''}"

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
