r"""The np.einsum notation: a formula as the lines of NumPy that a person would write, which run as they stand.

Definitions come before they are used; inputs are arrays under their names (a Python keyword gets a line below it, as in
lambda_), and np is NumPy. Lengths of axes are read from inputs. What NumPy has no short form for is refused with a
`NotationError`: windows, flattened axes that are read, and lengths that no input has.

>>> from einback.formula.names import Names
>>> from einback.formula.subject import Subject
>>> from einback.ir.build import add, broadcast, einsum
>>> from einback.ir.nodes import Input
>>> X, W, b = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ()), Input("b", ("c",), ())
>>> Z = add([einsum([X, W], ["nd", "dc"], "nc"), broadcast(b, ("n", "c"), (1,))])
>>> print(text(Subject(Z, "Z", Names())))
Z = np.einsum("nd,dc->nc", X, W) + b
>>> print(latex(Subject(Z, "Z", Names())))
\texttt{Z = np.einsum("nd,dc->nc", X, W) + b}
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from einback.formula.forms import sizes_of, walk
from einback.formula.numpy_calls.arrays import Arrays, Code, refused
from einback.formula.program import Program, Statement, arrange
from einback.formula.quotients import differential
from einback.formula.subject import Subject
from einback.formula.tree import Group, Index, Number, Product, carried, references
from einback.ir.extents import spelled
from einback.ir.nodes import Input
from einback.ir.sizes import Size

__all__ = ["latex", "text"]

_WIDE = 100  # columns
_ESCAPED = str.maketrans({char: "\\" + char for char in "_{}#$%&"})


def text(subject: Subject) -> str:
    """The formula as assignments in NumPy, the result last."""
    return "\n".join(_lines(subject))


def latex(subject: Subject) -> str:
    r"""The same lines in \texttt, each on a row of its own."""
    rows = [_row(line) for line in _lines(subject)]
    return rows[0] if len(rows) == 1 else "\\begin{aligned}\n& " + " \\\\\n& ".join(rows) + "\n\\end{aligned}"


def _row(line: str) -> str:
    """A line of a program; LaTeX would drop the blanks at its beginning."""
    words = line.lstrip()
    return r"\quad " * (len(line) > len(words)) + rf"\texttt{{{words.translate(_ESCAPED)}}}"


def _lines(subject: Subject) -> list[str]:
    program = arrange([subject.node], [subject.name], [subject.names], settle=False)
    result = replace(program.results[0], name=differential(subject, program))
    program = replace(program, results=(result,))
    python = _python_names(_names(program) | {one.name for one in subject.inputs})
    if result.trivial:
        return [python[result.name]]
    spare = _spare_names(program)
    complexes = any(node.is_complex for node in (subject.node, *subject.inputs))
    length = _lengths(subject, python)
    lines: list[str] = []
    for statement in (*reversed(program.where), result):
        arrays = Arrays(statement.chosen, python, length, spare, complexes)
        line = f"{python[statement.name]} = {_assigned(statement, arrays)}"
        lines += [*arrays.lines, line]
    imports = ["from math import erf"] if any("(erf)" in line for line in lines) else []
    return [*imports, *(part for line in lines for part in _broken(line))]


def _broken(line: str) -> list[str]:
    """An assignment whose sum is too long for a line goes on below, every line with its sign."""
    if len(line) <= _WIDE:
        return [line]
    name, _, body = line.partition(" = ")
    parts = [""]
    depth = 0
    for word in re.split(r"( [+-] )", body):
        if word in (" + ", " - ") and not depth:
            parts.append(word.lstrip())
        else:
            parts[-1] += word
            depth += word.count("(") + word.count("[") - word.count(")") - word.count("]")
    return [f"{name} = (", *(f"    {part}" for part in parts), ")"] if len(parts) > 1 else [line]


def _assigned(statement: Statement, arrays: Arrays) -> str:
    """The right-hand side with the axes of the left."""
    out = tuple(index for place in statement.left for index in carried(place))
    body = statement.body
    code = arrays.value(body, out).floats
    if out and isinstance(body, Number | Product) and not code.axes:
        sizes = ", ".join(arrays.length(index.size) for index in out)
        code = Code(f"np.full({sizes if len(out) == 1 else f'({sizes})'}, {code.text}, dtype=float)", out)
    code = arrays.laid(code, out)
    assert code.axes == out, "a formula carries all indices of its left side"
    groups = [place for place in statement.left if isinstance(place, Group)]
    if not groups:
        return code.text
    if len(groups) > 1:
        raise refused("two flattened axes")
    shape = [arrays.length(place.size) if isinstance(place, Index) else "-1" for place in statement.left]
    return f"{code.within(3)}.reshape({', '.join(shape)})"


def _lengths(subject: Subject, python: Mapping[str, str]) -> Callable[[Size], str]:
    """How the length of an axis is read from the inputs, from those that the formula shows if it can be."""
    shown = [*walk([subject.node]), *subject.inputs]
    _, classes = sizes_of(shown)
    inputs = dict.fromkeys(node for node in shown if isinstance(node, Input))
    axes = [(size, python[node.name], k) for node in inputs for k, size in enumerate(node.sizes)]

    def length(size: Size) -> str:
        found = classes.find(size)
        if isinstance(found, int):
            return str(found)
        for own, name, k in axes:
            if classes.find(own) == found:
                return f"{name}.shape[{k}]" if k else f"len({name})"
        if found.isidentifier():
            raise refused(f"no array has an axis of length {found}")
        return "(" + spelled(found, length) + ")"

    return length


def _spare_names(program: Program) -> Iterator[str]:
    taken = _names(program)
    return (name for k in count(1) if (name := f"t{k}") not in taken)


def _names(program: Program) -> set[str]:
    lines = (*program.results, *program.where)
    return {line.name for line in lines} | {ref.name for line in lines for ref in references(line.body)}


def _python_names(taken: set[str]) -> dict[str, str]:
    """The names in Python, where those that mean something else get a line below them."""
    found: dict[str, str] = {}
    for name in sorted(taken):
        new = name
        while keyword.iskeyword(new) or new in ("np", "erf", "len") or (new != name and new in taken):
            new += "_"
        taken.add(new)
        found[name] = new
    return found
