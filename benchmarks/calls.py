"""What calls cost: a compiled program beyond its NumPy calls, and NumPy's own calls on small arrays.

    python benchmarks/calls.py [--seconds 1.0]

The overhead is the time of `fn(arrays)` less that of the statements of its generated program, run in a loop with
nothing around them: finding the specialisation, checking what was passed, `np.errstate`. Times are medians of blocks,
in microseconds.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import textwrap
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import einback as eb
from workloads import WORKLOADS

BLOCKS = 15


def microseconds(call: Callable[[int], object], seconds: float) -> float:
    """The time of one turn of a function that loops as often as it is told."""
    began = time.perf_counter()
    call(100)
    turns = max(100, int(100 * seconds / BLOCKS / (time.perf_counter() - began)))
    blocks = []
    for _ in range(BLOCKS):
        began = time.perf_counter()
        call(turns)
        blocks.append((time.perf_counter() - began) / turns)
    return statistics.median(blocks) * 1e6


def looped(statement: str, names: Mapping[str, Any], before: str = "") -> Callable[[int], object]:
    """A function that runs statements again and again."""
    body = textwrap.indent(statement, " " * 8)
    scope = {"np": np, **names}
    exec(f"def loop(turns):\n{textwrap.indent(before, '    ')}\n    for _ in range(turns):\n{body}\n", scope)
    found: Callable[[int], object] = scope["loop"]
    return found


def statements(source: str) -> tuple[str, str]:
    """What a generated program prepares, and what its step does, less the check of shapes."""
    top = ast.parse(source).body
    functions = {node.name: node for node in top if isinstance(node, ast.FunctionDef)}
    prepare = functions.get("prepare")
    inside = prepare.body[1:] if prepare is not None else top
    step = next(node for node in inside if isinstance(node, ast.FunctionDef) and node.name == "step")
    before = [node for node in inside if not isinstance(node, ast.FunctionDef | ast.Return)] if prepare else []
    helpers = [node for name, node in functions.items() if name not in ("prepare", "step")]
    body = [ast.Expr(node.value) if isinstance(node, ast.Return) and node.value else node
            for node in step.body if not _checks(node)]  # fmt: skip
    return "\n".join(map(ast.unparse, [*helpers, *before])), "\n".join(map(ast.unparse, body))


def _checks(node: ast.stmt) -> bool:
    """Whether a statement is of the check that only a standalone file makes."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id in ("shapes", "expected")
    return isinstance(node, ast.If)


def overheads(seconds: float) -> None:
    print("| program | call | its NumPy calls | beyond them |\n| --- | --- | --- | --- |")
    x, y, A = eb.tensors("x[n] y[n] A[n,n]")
    rng = np.random.default_rng(0)
    tiny = next(one for one in WORKLOADS if one.letter == "d")
    programs: list[tuple[str, Any, Mapping[str, Any]]] = [
        ("x + y, 10 entries", eb.compile(x + y), {"x": rng.normal(size=10), "y": rng.normal(size=10)}),
        ("exp(A x), 10 by 10", eb.compile(eb.exp(A @ x)), {"x": rng.normal(size=10), "A": rng.normal(size=(10, 10))}),
        (tiny.title, tiny.peers["einback"](**tiny.cases[0].sizes), tiny.drawn(tiny.cases[0])),
    ]
    for title, fn, arrays in programs:
        fn(arrays)
        before, body = statements(fn.source())
        setting = looped(body, arrays, before)
        with np.errstate(all="ignore"):
            alone = microseconds(setting, seconds)
        whole = microseconds(looped("fn(arrays)", {"fn": fn, "arrays": arrays}), seconds)
        print(f"| {title} | {whole:.2f} | {alone:.2f} | {whole - alone:.2f} |")


SMALL = (
    ("A @ B", "A @ B"),
    ("A.dot(B, out)", "A.dot(B, out)"),
    ("np.add(A, B, out)", "np.add(A, B, out)"),
    ("np.add(A, row, out), broadcast", "np.add(A, row, out)"),
    ("A.sum(axis=1)", "A.sum(axis=1)"),
    ("A.dot(ones, sums)", "A.dot(ones, sums)"),
    ("np.multiply(column, row, out), an outer product", "np.multiply(column, row, out)"),
    ("column.dot(row2, out), the same", "column.dot(row2, out)"),
    ("np.multiply(A, 2.0, out)", "np.multiply(A, 2.0, out)"),
    ("np.multiply(A, two, out), converted beforehand", "np.multiply(A, two, out)"),
)


def small_calls(seconds: float) -> None:
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, 16, 16))
    row = rng.normal(size=16)
    names = {"A": A, "B": B, "out": np.empty((16, 16)), "row": row, "row2": row[None, :], "column": row[:, None],
             "ones": np.ones(16), "sums": np.empty(16), "two": np.array(2.0)}  # fmt: skip
    print("\n| call, 16 by 16 | microseconds |\n| --- | --- |")
    for title, statement in SMALL:
        print(f"| `{title}` | {microseconds(looped(statement, names), seconds):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="about how long each measurement takes")
    chosen = parser.parse_args()
    overheads(chosen.seconds)
    small_calls(chosen.seconds)


if __name__ == "__main__":
    main()
