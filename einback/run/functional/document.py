"""The file around a function for people: what it imports, what it takes and returns, and the check of shapes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np

from einback.ir.sizes import Classes, Size
from einback.plan.binding import Sizes
from einback.run.functional.dialects import Target
from einback.run.functional.program import Asked, Body, body_of
from einback.run.functional.writer import tupled
from einback.run.source import Structure, rendered

__all__ = ["file_of"]


def file_of(asked: Asked, target: Target, sizes: Sizes, check: str = "") -> str:
    """The whole file; `check` stands behind the function."""
    body = body_of(asked, target, sizes)
    inner = [*_unpacked(asked, body, sizes), *body.lines]
    if not inner or inner[-1] != "":
        inner.append("")
    inner.append(f"return {rendered(asked.structure, body.results.__getitem__)}")
    parameters = ", ".join(f"{name}: {target.array}" for name in body.arguments.values())
    head = f"def {asked.function}({parameters}) -> {_annotation(asked.structure, target.array)}:"
    if len(head) > 110:
        own = "".join(f"    {name}: {target.array},\n" for name in body.arguments.values())
        head = f"def {asked.function}(\n{own}) -> {_annotation(asked.structure, target.array)}:"
    decorator = [target.decorator] if target.decorator else []
    code = "\n".join([*decorator, head, textwrap.indent("\n".join(inner), "    ")])
    helpers = [text.strip("\n") for text in body.helpers.values()]
    used = "\n".join([*helpers, code, check])
    imports = [f"import {module}" for module in ("math", "cupyx.scipy.special") if f"{module}." in used]
    imports += [target.imports]
    if check and "numpy" not in target.imports.split():
        imports.append("import numpy as np")
    docstring = f'"""{_summary(asked, target, body, sizes)}"""'
    parts = [f"{docstring}\n\n" + "\n".join(sorted(imports)), *helpers, code, *([check] if check else [])]
    return "\n\n\n".join(parts) + "\n"


def _unpacked(asked: Asked, body: Body, sizes: Sizes) -> list[str]:
    """Lines that read the sizes off the arguments, and refuse shapes that do not fit."""
    classes = Classes(asked.equalities)
    known: set[str] = set()
    reads: list[tuple[str, list[str]]] = []
    checks: list[tuple[str, str]] = []
    for tensor, name in body.arguments.items():
        own = [_length(size, classes, body, sizes) for size in tensor.sizes]
        if any(text in known or text.isdigit() for text in own) or len(set(own)) < len(own):
            checks.append((f"{name}.shape", tupled(own)))
        fresh = [text for text in own if not text.isdigit() and text not in known]
        if fresh:
            new = [text if text in fresh and own.index(text) == k else "_" for k, text in enumerate(own)]
            reads.append((name, new))
        known.update(fresh)
    words = set(
        re.findall(
            r"\w+",
            "\n".join(
                [
                    *(line for line in body.lines if not line.startswith("#")),
                    *body.results,
                    *(text for _, text in checks),
                ]
            ),
        )
    )
    lines = []
    for name, new in reads:
        kept = [text if text in words else "_" for text in new]
        if set(kept) != {"_"}:
            lines.append(f"{', '.join(kept) if len(kept) > 1 else f'({kept[0]},)'} = {name}.shape")
    if checks:
        found, expected = (pair[0] if len(pair) == 1 else f"({', '.join(pair)})" for pair in zip(*checks, strict=True))
        declared = " ".join(f"{name}[{','.join(_length(size, classes, body, sizes) for size in tensor.sizes)}]"
                            for tensor, name in body.arguments.items())  # fmt: skip
        lines += _wrapped_check(found, expected)
        lines.append(f'    raise ValueError("{asked.function} takes arrays of the shapes {declared}")')
    return [*lines, ""] if lines else []


def _wrapped_check(found: str, expected: str) -> list[str]:
    line = f"if {found} != {expected}:"
    return [line] if len(line) <= 106 else [f"shapes = {found}", f"if shapes != {expected}:"]


def _length(size: Size, classes: Classes, body: Body, sizes: Sizes) -> str:
    root = classes.find(size)
    if isinstance(root, int):
        return str(root)
    if body.general and root in body.size_names:
        return body.size_names[root]
    return str(sizes[size] if isinstance(size, str) else size)


def _annotation(structure: Structure, array: str) -> str:
    """The type of what the function returns."""
    match structure:
        case int():
            return array
        case dict():
            kinds = " | ".join(dict.fromkeys(type(key).__name__ for key in structure)) or "str"
            return f"dict[{kinds}, {_joined(structure.values(), array) or array}]"
        case list():
            return f"list[{_joined(structure, array) or array}]"
        case _:
            return f"tuple[{', '.join(_annotation(part, array) for part in structure) or '()'}]"


def _joined(parts: Iterable[Any], array: str) -> str:
    return " | ".join(dict.fromkeys(_annotation(part, array) for part in parts))


def _summary(asked: Asked, target: Target, body: Body, sizes: Sizes) -> str:
    """The module's docstring: what goes in and what comes out."""
    classes = Classes(asked.equalities)
    title = asked.title or f"{asked.function}, a program generated by einback for {target.title}."
    rows = [(name, [_length(size, classes, body, sizes) for size in tensor.sizes], asked.arrays[tensor.name])
            for tensor, name in body.arguments.items()]  # fmt: skip
    width = max((len(name) for name, _, _ in rows), default=0)
    lines = [title, "", "Arguments" if rows else "Arguments: none"]
    for name, own, dtype in rows:
        lines.append(f"    {name:<{width}}  {' × '.join(own) or 'scalar'}, {np.dtype(dtype)}")
    lines.append("")
    if body.general:
        lines.append(f"It needs {target.title} only, and takes arrays of all lengths that agree.")
    else:
        lines.append(f"It needs {target.title} only. Arrays of other shapes need a file of their own.")
    if not target.checks and any("int" in str(dtype) for _, _, dtype in rows):
        lines.append("Indices are not checked: they must lie inside of the axes that they point into.")
    return "\n".join([*lines, ""]).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
