"""The page: a table a group, each row as declared, in matrix notation, in index notation and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .row import Group
from .sources import SOURCES
from .verify import Derived

__all__ = ["page"]

HEAD = """\
# Matrix calculus reference

{count} identities in {groups} groups. Nobody typed the right-hand column: einback derived and printed it. Before this
page is written, `docs/make_reference.py` verifies every row: the derivative must agree with a closed form in NumPy
and, order by order, with central differences, and the printed formula, read back as a program, must give the same
numbers; only formulas with matrix functions, such as `inv(X)[i,j]`, are not read back. A row that fails stops the
build.

How to read it:

- The left column is the identity in matrix notation, and below it the line from which einback derives it. `∂(f)/∂x`
  of a scalar has the shape of x. The Jacobian of a tensor has the axes of the output, then those of the variable;
  Hessians and third derivatives have the axes of their variables in order.
- The right column is einback's answer, in LaTeX and as text that `eb.program` reads. An index that is not on the left
  is summed. `dx` is the gradient by x, `J` a Jacobian, `H` a Hessian, `T` a third derivative.
- ⊙ multiplies and /, exp, log act entry by entry, ⊗ is the Kronecker product, δ the identity matrix, σ the sigmoid.
- PP numbers are equations of Petersen & Pedersen 2012. [Sources](#sources) stand at the end.

To get any of them yourself:

```python
>>> import einback as eb
>>> p = eb.program("f = x[i] A[i,j] x[j]")
>>> print(eb.grad(p["f"], p["x"]))
dx[i] = A[i,j] x[j] + x[j] A[j,i]

```
"""


def page(groups: Sequence[tuple[Group, Sequence[Derived]]]) -> str:
    """The whole page in Markdown."""
    count = sum(len(derived) for _, derived in groups)
    parts = [HEAD.format(count=count, groups=len(groups))]
    for number, (group, derived) in enumerate(groups, 1):
        parts.append(f"## {number}. {group.title}\n\n{group.about}\n\nSources: {group.sources}\n")
        lines = ["| | identity and declaration | derived, printed and verified |", "|---|---|---|"]
        lines += [_line(f"{number}.{place}", one) for place, one in enumerate(derived, 1)]
        parts.append("\n".join(lines) + "\n")
    parts.append("## Sources\n\n" + "\n".join(f"- {source}" for source in SOURCES) + "\n")
    return "\n".join(parts)


def _line(number: str, derived: Derived) -> str:
    row = derived.row
    declared = [f"{row.given}: {row.declared}"] if row.given else row.declared.split("; ")
    left = [_escaped(row.identity), *map(_code, declared), *([row.see] if row.see else [])]
    right = [_formula(derived.latex), *map(_code, _lines(derived.text))]
    return f"| {number} | {'<br>'.join(left)} | {'<br>'.join(right)} |"


def _lines(text: str) -> Iterable[str]:
    """The lines of a formula without their margins, wrapped lines joined again."""
    found: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith(("+ ", "- ")):
            found[-1] += " " + line
        else:
            found.append(line)
    return found


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def _escaped(text: str) -> str:
    return re.sub(r"([|*_\[\]<>])", r"\\\1", text)


def _formula(latex: str) -> str:
    r"""LaTeX in a cell of a table, where a bar would end the cell: \vert stands for it."""
    return f"$`{' '.join(latex.replace('|', chr(92) + 'vert ').split())}`$"
