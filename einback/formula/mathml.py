"""LaTeX formulas as MathML, which browsers draw themselves: pages with formulas then need nothing from elsewhere.

latex2mathml converts them, the extra `html`. It knows no `aligned` block, so its rows become those of a table here.

>>> "<msup><mi>x</mi><mrow><mn>2</mn></mrow></msup>" in mathml("x^{2}")
True
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from einback.errors import EinbackError
from einback.formula.measure import cells

__all__ = ["available", "mathml"]

_PACKAGE = "latex2mathml"
_ALIGNED = re.compile(r"\\begin\{aligned\}(.*)\\end\{aligned\}", re.DOTALL)
# What latex2mathml makes, and what browsers draw well: primes in their own size, a bold digit that is one, no
# backslashes in typewriter letters, brackets of a given size that know their side, and no space inside of brackets.
_DRAWN = (
    (
        re.compile(r"<msup>(<mi>\w</mi>)<mi>(&#x0203[2-4];|′+)</mi></msup>"),
        r'<mrow>\1<mo lspace="0" rspace="0">\2</mo></mrow>',
    ),
    (re.compile(r'<mn mathvariant="bold">1</mn>'), "<mn>𝟏</mn>"),
    (re.compile(r"\\(?=[_{}#$%&])"), ""),  # in \texttt
    (re.compile(r'fence="true"(?= minsize[^>]*>(?:[(\[]|\\langle))'), 'fence="true" form="prefix"'),
    (re.compile(r'fence="true"(?= minsize[^>]*>(?:[)\]]|\\rangle))'), 'fence="true" form="postfix"'),
    (re.compile(r">\\langle<"), ">⟨<"),
    (re.compile(r">\\rangle<"), ">⟩<"),
    (re.compile(r'fence="true"'), 'fence="true" lspace="0" rspace="0"'),
    (re.compile(r"<mo>([A-Za-z_]{2,})</mo>"), r'<mo lspace="0.17em" rspace="0">\1</mo>'),
)
_OPEN = '<math xmlns="http://www.w3.org/1998/Math/MathML" display="{}">'


def available() -> bool:
    """Whether the package for MathML is there."""
    return find_spec(_PACKAGE) is not None


def mathml(latex: str, *, block: bool = False) -> str:
    """A formula in MathML, in a line of text or as a block; `EinbackError` where latex2mathml is not installed."""
    if not available():
        raise EinbackError(
            "HTML needs the package latex2mathml, which is not installed", hint="pip install einback[html]"
        )
    display = "block" if block else "inline"
    aligned = _ALIGNED.fullmatch(latex.strip().removeprefix(r"\displaystyle").strip())
    if aligned is None:
        return _drawn(_converted(latex, display))
    rows = map(_row, cells(aligned[1]))
    table = f'<mtable displaystyle="true" columnalign="right left" columnspacing="0em">{"".join(rows)}</mtable>'
    return _drawn(f"{_OPEN.format(display)}{table}</math>")


def _converted(latex: str, display: str) -> str:
    made: str = import_module(f"{_PACKAGE}.converter").convert(latex, display=display)  # loaded when it is needed
    return made


def _drawn(made: str) -> str:
    for pattern, better in _DRAWN:
        made = pattern.sub(better, made)
    return made


def _row(row: Sequence[str]) -> str:
    """A row of a table: its first cell ends at a line's edge, the next begins there."""
    styles = ("text-align: -webkit-right; padding-right: 0", "text-align: -webkit-left; padding-left: 0")
    marked = [f'<mtd style="{styles[min(k, 1)]}">{_inner(cell)}</mtd>' for k, cell in enumerate(row)]
    return f"<mtr>{''.join(marked)}</mtr>"


def _inner(latex: str) -> str:
    if not latex.strip():
        return "<mrow></mrow>"
    found = re.fullmatch(r"<math[^>]*>(.*)</math>", _converted(latex, "block"), re.DOTALL)
    assert found is not None
    return found[1]
