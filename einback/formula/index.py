"""Formulas in index notation: text that parses back to the same program, and LaTeX.

>>> from einback.ir.build import add, broadcast, einsum
>>> from einback.ir.nodes import Input, Map
>>> X, W, b = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ()), Input("b", ("c",), ())
>>> Z = add([einsum([X, W], ["nd", "dc"], "nc"), broadcast(b, ("n", "c"), (1,))])
>>> print(text(Map("tanh", (Z,)), "H", Names()))
H[n,c] = tanh(X[n,d] W[d,c] + b[c])
>>> print(latex(Z, "Z", Names(free=("i", "j"))))
Z_{ij} = X_{id} W_{dj} + b_{j}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from einback.formula.forms import walk
from einback.formula.latex import LatexWriter, tensor_latex
from einback.formula.layout import aligned, broken
from einback.formula.names import Names
from einback.formula.program import Program, Statement, arrange
from einback.formula.unicode import TextWriter
from einback.ir.nodes import Node
from einback.ir.walk import children

__all__ = ["Names", "expression", "latex", "line", "text", "texts"]


def text(root: Node, name: str, names: Names) -> str:
    """The whole program `name[..] = ..`, with the definitions it needs; it parses back to the same program."""
    return texts([root], [name], [names])


def texts(roots: Sequence[Node], root_names: Sequence[str], names_of_each: Sequence[Names]) -> str:
    """Several results, one after the other, and the definitions that they share."""
    program = arrange(roots, root_names, names_of_each)
    return "\n".join([*(_line(program, result) for result in program.results), *_where(program)])


def expression(root: Node, names: Names) -> str:
    """The right-hand side of a result, with `where` lines for what it defines."""
    program = arrange([root], [""], [names])
    return "\n".join([_right(program, program.results[0], 0, whole=False), *_where(program)])


def line(node: Node, name: str, given: Mapping[Node, str], names: Names) -> str:
    """One step of a program on one line, with the nodes in `given` read by name."""
    known = {part: given[part] for part in walk(children(node), given) if part in given}
    program = arrange([node], [name], [names], known, inline=True)
    steps = [_step(program, statement) for statement in (*program.results, *program.where)]
    return steps[0] + (" where " + ", ".join(steps[1:]) if program.where else "")


def _step(program: Program, statement: Statement) -> str:
    writer = TextWriter(statement.chosen, program.names, whole=False)
    return f"{statement.name}{writer.indices(statement.left)} = {writer.expression(statement.body)}"


def latex(root: Node, name: str, names: Names) -> str:
    """The program as LaTeX mathematics: one equation, or an `aligned` block where there are definitions."""
    program = arrange([root], [name], [names])
    lines = [_equation(program, statement) for statement in (*program.results, *program.where)]
    return lines[0][1] if program.results[0].trivial else aligned(lines)


def _where(program: Program) -> Iterator[str]:
    for k, statement in enumerate(program.where):
        yield _line(program, statement, "        " if k else "  where ")


def _line(program: Program, statement: Statement, lead: str = "") -> str:
    if statement.trivial:
        return _right(program, statement, 0)
    writer = TextWriter(statement.chosen, program.names, sizes=statement.sizes)
    left = lead + statement.name + writer.bound(statement.left)
    return f"{left} = {_right(program, statement, len(left) + 3)}"


def _right(program: Program, statement: Statement, column: int, whole: bool = True) -> str:
    """A right-hand side that begins at a column; a long sum goes on below, every line with its sign."""
    writer = TextWriter(statement.chosen, program.names, whole, statement.sizes)
    return broken(writer.terms(statement.body), column)


def _equation(program: Program, statement: Statement) -> tuple[str, str]:
    writer = LatexWriter(statement.chosen, program.names)
    return tensor_latex(statement.name) + writer.indices(statement.left), writer.expression(statement.body)
