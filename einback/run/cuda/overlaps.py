"""Windows that overlap, added up: a thread for each entry of the array, which goes through the windows that hold it."""

from __future__ import annotations

from math import prod

from einback.run.arrays import Arrays
from einback.run.cuda.cells import Access, accessed
from einback.run.cuda.kernels import THREADS, Kernel
from einback.run.cuda.text import address, computed, stored
from einback.run.steps import Call, Literal, Run, Statement

__all__ = ["overlap_kernel"]


def overlap_kernel(name: str, statement: Statement, arrays: Arrays) -> Kernel | None:
    """The kernel of out[.., p] += parts[.., u, .., i] for p = offset + steps[0] u + .. + steps[-1] i, if it is that."""
    match statement:
        case Run(Call("overlap_add", (target, parts, Literal(int() as offset), Literal(tuple() as steps)))):
            out, read = accessed(target, arrays), accessed(parts, arrays)
            if out is None or read is None or out.dtype != read.dtype or out.dtype.kind not in "fc":
                return None
            return _kernel(name, out, read, offset, steps)
        case _:
            return None


def _kernel(name: str, out: Access, read: Access, offset: int, steps: tuple[int, ...]) -> Kernel:
    shape, rank = out.layout.shape, len(out.layout.shape)
    total = prod(shape)
    kind = computed(out.dtype)
    names = [f"i{k}" for k in range(rank)]
    lines = [f"const long long t = blockIdx.x * (long long){THREADS} + threadIdx.x;", f"if (t >= {total}) return;"]
    for k, length in enumerate(shape):
        behind = prod(shape[k + 1 :])
        lines.append(f"const long long i{k} = t / {behind} % {length};")
    place = address(dict(zip(names, out.layout.strides, strict=True)), out.layout.offset)
    lines.append(f"{kind} total = a1[{place}];")
    windows = [f"u{k}" for k in range(len(steps) - 1)]
    counts = read.layout.shape[rank - 1 :]
    rest = " - ".join([f"{names[-1]} - ({offset})", *(f"u * ({step})".replace("u ", f"{u} ", 1)
                                                     for u, step in zip(windows, steps, strict=False))])  # fmt: skip
    indent = ""
    for u, count in zip(windows, counts, strict=False):
        lines.append(f"{indent}for (int {u} = 0; {u} < {count}; ++{u}) {{")
        indent += "    "
    entry = address(
        dict(zip([*names[:-1], *windows, "i"], read.layout.strides, strict=True)), read.layout.offset
    )  # fmt: skip
    lines += [
        f"{indent}const long long rest = {rest};",
        f"{indent}const long long i = rest / ({steps[-1]});",
        f"{indent}if (i * ({steps[-1]}) == rest && i >= 0 && i < {counts[-1]}) total += ({kind})a0[{entry}];",
        *(f"{'    ' * k}}}" for k in reversed(range(len(windows)))),
        f"a1[{place}] = total;",
    ]
    held = stored(out.dtype)
    body = "\n".join(f"    {line}" for line in lines)
    text = (
        f'extern "C" __global__ void __launch_bounds__({THREADS}) {name}(\n'
        f"    const {held} *__restrict__ a0, {held} *a1\n) {{\n{body}\n}}\n"
    )
    return Kernel(name, text, (read.root,), (out.root,), -(-total // THREADS), THREADS)
