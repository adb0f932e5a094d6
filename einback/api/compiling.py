"""From tensors to a callable that takes arrays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, overload

from einback.api.function import Function
from einback.api.structured_function import StructuredFunction
from einback.api.tensor import Tensor
from einback.errors import CompileError, did_you_mean
from einback.run.specialising import PRECISIONS

__all__ = ["Function", "StructuredFunction", "compile", "evaluate"]


@overload
def compile(
    outputs: Any, memory_limit: int | None = ..., threads: int | None = ..., structured: Literal[False] = ..., *,
    precision: str = ..., graph: bool = ..., cutensor: bool = ...
) -> Function: ...  # fmt: skip
@overload
def compile(
    outputs: Any, memory_limit: int | None = ..., threads: int | None = ..., *, structured: Literal[True],
    precision: str = ..., graph: bool = ..., cutensor: bool = ...
) -> StructuredFunction: ...  # fmt: skip
def compile(
    outputs: Any,
    memory_limit: int | None = None,
    threads: int | None = None,
    structured: bool = False,
    *,
    precision: str = "float32",
    graph: bool = False,
    cutensor: bool = False,
) -> Function:
    """Compile tensors into a function of arrays.

    `outputs` is a tensor, or a list, tuple or dict of them, nested at will; a call takes the arrays by
    keyword, or as one dict, and gives results in the same structure. The program is planned as one whole,
    specialised per shapes and dtypes, and cached. Arrays are not changed, and results share no memory with
    them. `fn.source()` is the program as a standalone file, `fn.plan()` its cost and steps.

    With `memory_limit` a call allocates at most so many bytes beside the arrays passed, results included: programs
    that would need more run in slices of an index, and what cannot fit is a `CompileError` that says what would.
    With `threads` slices run on so many threads.

    On CuPy arrays, `precision` says how a device multiplies matrices of 32-bit floats: as "float32", or faster and
    rounded to "tf32", "bfloat16" or "float16", with sums in 32 bits. With `graph=True` it records what it launches in
    a CUDA graph, and replays that. With `cutensor=True` contractions whose operands would have to be copied for cuBLAS
    are cuTENSOR's, unless there is a `memory_limit`. None of them changes what is done with NumPy arrays.

    With `structured=True` each result is a `Structured`: its factors, from which deltas are left out.

    >>> import numpy as np
    >>> import einback as eb
    >>> A, x = eb.tensors("A[n,n] x[n]")
    >>> f = eb.einsum("i,ij,j->", x, A, x)
    >>> fn = eb.compile({"f": f, "slope": eb.grad(f, x)})
    >>> fn(A=np.eye(2), x=np.array([1.0, 2.0]))["slope"]
    array([2., 4.])
    >>> H = eb.hessian(eb.sum(x**4), x)
    >>> eb.compile(H, structured=True)(x=np.arange(5000.0))
    <Structured float64 [5000,5000]: 12 δ[n,n'] C1[n], 40,000 bytes>
    >>> slices = eb.compile(eb.sum(eb.exp(A) * x), memory_limit=100_000)
    >>> float(slices(A=np.zeros((500, 500)), x=np.ones(500))), slices.plan().phases[0].slices > 1
    (250000.0, True)
    """
    if isinstance(memory_limit, Tensor):
        raise CompileError("several tensors are compiled as one structure", hint="write compile([a, b])")
    for value, what in ((memory_limit, "memory_limit"), (threads, "threads")):
        if value is None:
            continue
        if structured:
            raise CompileError(f"{what} is not supported for structured results", hint=f"leave {what} out")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            unit = "bytes, as in 64 * 2**20" if what == "memory_limit" else "threads"
            raise CompileError(f"{what}={value!r} is no number of {unit}")
    if precision not in PRECISIONS:
        hint = did_you_mean(str(precision), PRECISIONS) or f"precisions: {', '.join(PRECISIONS)}"
        raise CompileError(f"{precision!r} is no precision of matrix products", hint=hint)
    for name, chosen in (("graph", graph), ("cutensor", cutensor)):
        if not isinstance(chosen, bool):
            raise CompileError(f"{name}={chosen!r} is neither True nor False")
    if structured and (graph or cutensor or precision != "float32"):
        what = "graph, precision and cutensor are not supported for structured results"
        raise CompileError(what, hint="leave them out")
    if structured:
        return StructuredFunction(outputs)
    return Function(
        outputs, memory_limit=memory_limit, threads=threads, precision=precision, graph=graph, cutensor=cutensor
    )


def evaluate(outputs: Any, /, **arrays: Any) -> Any:
    """Compile once, and run on arrays: the value of a tensor or of a structure of tensors.

    >>> import numpy as np
    >>> import einback as eb
    >>> eb.evaluate(eb.sum(eb.tensor("x[n]") ** 2), x=np.arange(4.0))
    np.float64(14.0)
    """
    return (_compiled(outputs) if isinstance(outputs, Tensor) else Function(outputs))(arrays)


@lru_cache(maxsize=256)
def _compiled(y: Tensor) -> Function:
    return Function(y)
