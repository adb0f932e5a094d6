r"""How differentials and derivatives are set in LaTeX: an upright d, and the derivative itself as a quotient.

>>> print(differentials_latex(r"\text{𝑑W}^{(1)}_{dc} + \text{𝑑loss}"))
\mathrm{d}W^{(1)}_{dc} + \mathrm{d}\,\mathrm{loss}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from einback.formula.derivation.letters import DIFFERENTIAL
from einback.formula.latex import tensor_latex
from einback.formula.subject import Subject
from einback.ir.nodes import Input

__all__ = [
    "differentials_latex",
    "plain_quotients",
    "quotient",
    "quotient_latex",
    "quotients_latex",
    "quotients_text",
]

_QUOTIENT, _UNDERSCORE = "\N{MATHEMATICAL DOUBLE-STRUCK SMALL D}", "\N{MATHEMATICAL DOUBLE-STRUCK SMALL U}"
_QUOTIENT_TEXT = re.compile(rf"{_QUOTIENT}(\w+)")
_QUOTIENT_LATEX = re.compile(rf"\\text\{{{_QUOTIENT}(\w+)\}}")
_BEGIN = "\\begin{aligned}\n"
_MARKED = re.compile(rf"\\text\{{{DIFFERENTIAL}((?:[^{{}}\\]|\\_)*)\}}")


def quotient(top: Input, bottom: Input, via: str = "", whole: bool = True) -> str:
    """The marked name of the derivative of one tensor by another, its axes those of both.

    `via` tells shares apart: what comes through another tensor, or, under the top's own name, directly. Those of the
    `whole` result stand before others in a product.
    """
    parts = ("a" if whole else "b", top.name, str(top.rank), bottom.name, str(bottom.rank), via)
    return _QUOTIENT + _QUOTIENT.join(part.replace("_", _UNDERSCORE) for part in parts)


def quotients_text(text: str) -> str:
    """Text in which marked names are derivatives: ∂Y[n,m]/∂W[d,m'].

    >>> Y, W = Input("Y_1", ("n", "m"), ()), Input("W", ("d", "m"), ())
    >>> quotients_text(f"2 {quotient(Y, W)}[n,m,d,t[m,d]] - {quotient(Y, W, 'Z')}[n,m,d,m']")
    "2 ∂Y_1[n,m]/∂W[d,t[m,d]] - (∂Y_1[n,m]/∂W[d,m'] through Z)"
    """
    return _replaced(text, _QUOTIENT_TEXT, "[", "]", ",", _quotient_text)


def quotients_latex(latex: str) -> str:
    r"""LaTeX in which marked names are derivatives, as fractions.

    >>> Y, W = Input("Y_1", ("n", "m"), ()), Input("W", ("d", "m"), ())
    >>> print(quotients_latex(rf"\text{{{quotient(Y, W)}}}_{{nmdm'}}"))
    \frac{\partial Y^{(1)}_{nm}}{\partial W_{dm'}}
    """
    return _replaced(latex, _QUOTIENT_LATEX, "_{", "}", ", ", _quotient_latex)


def plain_quotients(name: str) -> str:
    """A marked name as that of a tensor.

    >>> plain_quotients(quotient(Input("Y", ("n",), ()), Input("W_1", ("d",), ()))), plain_quotients("Z")
    ('dY_dW_1', 'Z')
    """
    if not name.startswith(_QUOTIENT):
        return name
    _, top, _, bottom, _, via = name.replace(_UNDERSCORE, "_").split(_QUOTIENT)[1:]
    return f"d{top}_d{bottom}" + (f"_{via}" if via else "")


Written = Callable[[Sequence[str], Sequence[str], Sequence[str]], str]


def _replaced(text: str, marked: re.Pattern[str], opening: str, closing: str, between: str, write: Written) -> str:
    """The text with marked names, and the indices that stand behind them, written otherwise."""
    done, start = [], 0
    while found := marked.search(text, start):
        done.append(text[start : found.start()])
        start = found.end()
        inner = ""
        if text.startswith(opening, start):
            depth, first = 1, start + len(opening)
            start = first
            while depth:
                depth += {opening[-1]: 1, closing: -1}.get(text[start], 0)
                start += 1
            inner = text[first : start - 1]
        parts = found[1].replace(_UNDERSCORE, "_").split(_QUOTIENT)[1:]
        above = int(parts[1])
        indices = _separated(inner, between, above + int(parts[3]))
        done.append(write(parts, indices[:above], indices[above:]))
    return "".join([*done, text[start:]])


def _separated(inner: str, between: str, number: int) -> list[str]:
    """The indices of a bracket, as many as there are axes."""
    if number == 1:
        return [inner]
    if between not in inner:
        return _INDEX.findall(inner)
    parts, depth = [""], 0
    for k, char in enumerate(inner):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(char, 0)
        if char == "," and not depth and inner.startswith(between, k):
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def _quotient_text(parts: Sequence[str], above: Sequence[str], below: Sequence[str]) -> str:
    top, bottom = (f"∂{name}" + (f"[{','.join(part)}]" if part else "") for name, part in
                   ((parts[0], above), (parts[2], below)))  # fmt: skip
    how = "directly" if parts[4] == parts[0] else f"through {parts[4]}"
    return f"({top}/{bottom} {how})" if parts[4] else f"{top}/{bottom}"


def _quotient_latex(parts: Sequence[str], above: Sequence[str], below: Sequence[str]) -> str:
    listed = any(len(index.rstrip("'")) > 1 and not index.startswith("\\") for index in (*above, *below))
    whole = rf"\frac{{\partial {_at(parts[0], above, listed)}}}{{\partial {_at(parts[2], below, listed)}}}"
    how = r"\text{directly}" if parts[4] == parts[0] else rf"\text{{through }}{tensor_latex(parts[4])}"
    return rf"\left.{whole}\right|_{{{how}}}" if parts[4] else whole


def differentials_latex(latex: str) -> str:
    """LaTeX in which marked names are those of differentials."""
    return _MARKED.sub(lambda found: _written(found[1].replace(r"\_", "_")), latex)


def _written(name: str) -> str:
    shown = tensor_latex(name)
    return (r"\mathrm{d}\," if shown.startswith((r"\mathrm", r"\text")) else r"\mathrm{d}") + shown


_INDEX = re.compile(r"(?:\\[A-Za-z]+|[^\W_])(?:_\{[^{}]*\})?'*")


def quotient_latex(latex: str, subject: Subject) -> str:
    r"""The formula of a gradient or a Jacobian in index notation, with a quotient of differentials on its left.

    >>> from fractions import Fraction
    >>> from einback.formula.names import Names
    >>> from einback.formula.subject import Derivative, Variable
    >>> from einback.ir.nodes import Const
    >>> y, W = Variable("Y", ("n", "m")), Variable("W", ("d", "m"))
    >>> jacobian = Subject(Const(Fraction(0)), "y", Names(), Derivative("jacobian", y, (W,)))
    >>> quotient_latex(r"y_{nmdm'} = \delta_{mm'} X_{nd}", jacobian)
    "\\frac{\\partial Y_{nm}}{\\partial W_{dm'}} = \\delta_{mm'} X_{nd}"
    """
    how = subject.derivative
    left, sign, right = latex.partition(" &= " if latex.startswith(_BEGIN) else " = ")
    own = re.fullmatch(rf"({re.escape(_BEGIN)})?{re.escape(tensor_latex(subject.name))}(?:_\{{(.*)\}})?", left)
    if how is None or own is None or not sign or not how.of.name or not how.by[0].name:
        return latex
    listed = ", " in (own[2] or "")
    indices = (own[2] or "").split(", ") if listed else _INDEX.findall(own[2] or "")
    above = how.of.rank if how.kind == "jacobian" else 0
    if how.kind not in ("gradient", "jacobian") or len(indices) != above + how.by[0].rank:
        return latex
    top, bottom = (_at(name, part, listed) for name, part in
                   ((how.of.name, indices[:above]), (how.by[0].name, indices[above:])))  # fmt: skip
    return rf"{own[1] or ''}\frac{{\partial {top}}}{{\partial {bottom}}}{sign}{right}"


def _at(name: str, indices: Sequence[str], listed: bool) -> str:
    shown = (", " if listed else "").join(indices)
    return tensor_latex(name) + (f"_{{{shown}}}" if shown else "")
