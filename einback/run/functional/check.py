"""The check that a file runs on itself: its gradients against central differences of its values, at random arrays.

Differences are taken along random directions, so that a check takes a few calls however large arrays are. With L the
value and G its gradient, (L(x + h d) - L(x - h d)) / 2h must be the sum of G d.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from einback.errors import CompileError
from einback.ir.nodes import Input, Matrix, OneHot
from einback.ir.walk import postorder
from einback.plan.binding import length, resolve
from einback.run.functional.dialects import Target
from einback.run.functional.program import Asked
from einback.run.made import Case, Compared
from einback.run.names import Namer
from einback.run.source import paths

__all__ = ["behind", "check_text"]


_DRAWN: Final = {  # of a tensor with several facts, the first counts
    "": "draw({shape})",
    "stochastic": "stochastic(draw({shape}))",
    "positive": "rng.uniform(0.5, 1.5, {shape})",
    "positive_definite": "definite(draw({shape}))",
    "symmetric": "symmetric(draw({shape}))",
    "lower": "lower(draw({shape}))",
    "diagonal": "diagonal(draw({shape}))",
    "regular": "draw({shape}) / 4 + 2 * np.eye({shape}[-1])",
    "orthogonal": "np.linalg.qr(draw({shape}))[0]",
}
_DIRECTIONS: Final = {"symmetric": "symmetric", "positive_definite": "symmetric", "lower": "lower",
                      "diagonal": "diagonal", "stochastic": "centred"}  # fmt: skip
_HELPERS: Final = {
    "symmetric": """
def symmetric(a):
    return (a + np.swapaxes(a, -1, -2)) / 2
""",
    "definite": """
def definite(a):
    return a @ np.swapaxes(a, -1, -2) + a.shape[-1] * np.eye(a.shape[-1])
""",
    "lower": """
def lower(a):
    return np.tril(a) + 2 * np.eye(a.shape[-1])
""",
    "diagonal": """
def diagonal(a):
    return a * np.eye(a.shape[-1])
""",
    "stochastic": """
def stochastic(a):
    a = np.exp(a)
    return a / np.sum(a, -1, keepdims=True)
""",
    "centred": """
def centred(a):
    return a - np.mean(a, -1, keepdims=True)
""",
}

_FILE = '''
def check():
    """The largest error of a gradient, against central differences along random directions."""
    rng = np.random.default_rng(0)

    def run(arrays):
        found = {function}(**{{name: {device} for name, array in arrays.items()}})
        return {{
{results}
        }}

    for draw in (lambda shape: rng.normal(size=shape), lambda shape: rng.uniform(0.5, 1.5, shape)):
        arrays = {{
{arrays}
        }}
        found = run(arrays)
        if all(np.isfinite(array).all() for array in found.values()):
            break
    worst = 0.0
    for value, gradient, name, along in (
{rows}
    ):
        errors = []
        for _ in range(4):
            direction = along(rng.normal(size=np.shape(arrays[name])))
            ahead = run({{**arrays, name: arrays[name] + 1e-5 * direction}})[value]
            behind = run({{**arrays, name: arrays[name] - 1e-5 * direction}})[value]
            slope, wanted = np.sum(found[gradient] * direction), (ahead - behind) / 2e-5
            scale = max(abs(slope), abs(wanted), 1e-4 * abs(found[value]), 1e-30)
            errors.append(abs(slope - wanted) / scale)
        print(f"{{gradient}}, the gradient of {{value}} by {{name}}: error {{np.max(errors):.1e}}")
        worst = np.maximum(worst, np.max(errors))
    return worst


if __name__ == "__main__":
{prelude}    worst = check()
    print(f"largest error: {{worst:.1e}}")
    raise SystemExit(not worst < 1e-5)
'''


def check_text(asked: Asked, target: Target, case: Case, compared: Sequence[Compared]) -> str:
    """The functions behind the program that check it, and run that where the file is a script.

    Raises `CompileError` where no result is the gradient of another, or differences cannot tell.
    """
    if not compared:
        raise CompileError(
            "there is nothing to check: no result is the gradient of another",
            hint='compile a value together with its gradient, as in compile({"loss": loss, "dW": grad(loss, W)})',
        )
    for tensor in asked.read:
        if "complex" in tensor.facts or case.dtypes[tensor.name].kind == "c":
            raise CompileError(f"{tensor.name} is complex, and differences check gradients of real numbers",
                               hint="eb.check compares complex gradients too")  # fmt: skip
        if case.dtypes[tensor.name].kind == "f" and case.dtypes[tensor.name] != np.float64:
            raise CompileError(f"{tensor.name} is {case.dtypes[tensor.name]}, too short for differences",
                               hint="ask with shapes, or with arrays of float64")  # fmt: skip
    for _, _, tensor in compared:
        if "orthogonal" in tensor.facts:
            raise CompileError(f"{tensor.name} is orthogonal, and no difference of it would be",
                               hint="eb.check compares such gradients")  # fmt: skip
    names = _argument_names(asked)
    results = list(paths(asked.structure))
    label = {k: path or "result" for path, k in results}
    reached = {k: _reached(path) for path, k in results}
    used = dict.fromkeys(k for pair in compared for k in pair[:2])
    shown = "\n".join(f"            {_quoted(label[k])}: {target.host.format(reached[k])}," for k in used)
    rows = [
        f"        ({_quoted(label[value])}, {_quoted(label[gradient])}, {_quoted(names[tensor])}, {_along(tensor)}),"
        for value, gradient, tensor in compared
    ]
    text = _FILE.format(
        function=asked.function,
        device=target.device.format("array"),
        results=shown,
        arrays="\n".join(f'            "{names[tensor]}": {_drawn(asked, tensor, case)},' for tensor in asked.read),
        rows="\n".join(rows),
        prelude=f"    {target.prelude}\n" if target.prelude else "",
    )
    helpers = [helper for name, helper in _HELPERS.items() if f"{name}(" in text or f", {name})" in text]
    return "\n\n\n".join(part.strip("\n") for part in [*helpers, text])


def behind(text: str, check: str) -> str:
    """A file with a check behind it."""
    return f"{text.rstrip()}\n\n\n{check}\n"


def _argument_names(asked: Asked) -> Mapping[Input, str]:
    namer = Namer()
    return {tensor: namer.name(tensor.name) for tensor in asked.read}


def _reached(path: str) -> str:
    """A result as an expression of what the function returns."""
    if not path or path.startswith("["):
        return f"found{path}"
    own, bracket, rest = path.partition("[")
    return f'found["{own}"]{bracket}{rest}'


def _quoted(text: str) -> str:
    return repr(text) if '"' in text else f'"{text}"'


def _drawn(asked: Asked, tensor: Input, case: Case) -> str:
    shape = resolve(tensor.sizes, case.sizes)
    whole = "integer" in tensor.facts or case.dtypes[tensor.name].kind in "iub"
    if "stochastic" in tensor.facts and whole:
        return f"np.eye({shape[-1]}, dtype=int)[rng.integers(0, {shape[-1]}, {shape[:-1]})]"
    if whole:
        ends = [length(node.size, case.sizes) for node in postorder(asked.roots)
                if isinstance(node, OneHot) and node.ids is tensor]  # fmt: skip
        return f"rng.integers(0, {min(ends, default=3)}, {shape})"
    kind = next((fact for fact in _DRAWN if fact in tensor.facts), "")
    if (
        not kind
        and len(shape) > 1
        and shape[-1] == shape[-2]
        and any(isinstance(n, Matrix) for n in postorder(asked.roots))
    ):
        kind = "regular"  # matrix functions want inverses and factors
    return _DRAWN[kind].format(shape=shape)


def _along(tensor: Input) -> str:
    kind = next((turn for fact, turn in _DIRECTIONS.items() if fact in tensor.facts), "")
    return {"": "np.asarray", "lower": "np.tril"}.get(kind, kind)
