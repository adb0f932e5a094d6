"""What commands print: results as text, LaTeX, Markdown, HTML or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from einback.api.derivation import Derivation, derivation
from einback.api.tensor import Tensor
from einback.errors import EinbackError
from einback.formula.mathml import mathml

__all__ = ["DERIVATIONS", "FORMULAS", "Format", "Printed"]


@dataclass(frozen=True, slots=True)
class Printed:
    """A derivative, with what it is one of, and what was chosen in its notation."""

    of: Tensor
    by: tuple[Tensor, ...]
    result: Tensor
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        if len(self.by) > 1:
            return f"H_{'_'.join(one.name for one in self.by)}"
        return self.result.name or f"d{self.of.name}_d{self.by[0].name}"

    def text(self, notation: str) -> str:
        """The formula; notations beside index text have left sides of their own for derivatives."""
        return self.result.text(notation, self.name if notation == "index" else "", **self.options)

    def latex(self, notation: str) -> str:
        return self.result.latex(notation, self.name if notation == "index" else "", **self.options)


@dataclass(frozen=True, slots=True)
class Format:
    """How one result is written in a notation, and how what was written of several stands together."""

    one: Callable[[Printed, str], Any]
    joined: Callable[[Sequence[Any]], str]


def _derived(one: Printed) -> Derivation:
    return derivation(one.of, one.by[0])


def _row(one: Printed, notation: str) -> tuple[str, str]:
    formula = mathml(one.latex(notation), block=True)
    return one.name, f"<p>{formula}</p>\n<pre>{escape(one.text(notation))}</pre>"


def _page(rows: Sequence[tuple[str, str]]) -> str:
    title = escape(", ".join(name for name, _ in rows))
    body = "\n".join(row for _, row in rows)
    return f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n{body}\n</html>'


def _only(pages: Sequence[str]) -> str:
    if len(pages) > 1:
        raise EinbackError("a page of HTML holds one derivation", hint="name one input: --wrt W")
    return pages[0]


def _fields(one: Printed, notation: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "of": one.of.name,
        "by": [x.name for x in one.by],
        "shape": list(one.result.shape),
        "notation": notation,
        "text": one.text(notation),
        "latex": one.latex(notation),
    }


def _steps(one: Printed, notation: str) -> dict[str, Any]:
    found = _derived(one)
    fields = ("number", "section", "rule", "about", "uses", "text", "latex")
    steps = [{name: getattr(step, name) for name in fields} for step in found.steps]
    return {"of": found.of.name, "by": found.by.name, "steps": steps}


def _json(found: Sequence[dict[str, Any]]) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False)


FORMULAS: Mapping[str, Format] = {
    "text": Format(Printed.text, "\n".join),
    "latex": Format(lambda one, notation: f"\\[\n{one.latex(notation)}\n\\]", "\n\n".join),
    "markdown": Format(lambda one, notation: f"$$\n{one.latex(notation)}\n$$", "\n\n".join),
    "html": Format(_row, _page),
    "json": Format(_fields, _json),
}

DERIVATIONS: Mapping[str, Format] = {
    "text": Format(lambda one, notation: _derived(one).text(notation), "\n\n".join),
    "latex": Format(lambda one, notation: f"\\[\n{_derived(one).latex(notation)}\n\\]", "\n\n".join),
    "markdown": Format(lambda one, notation: _derived(one).markdown(notation), "\n\n".join),
    "html": Format(lambda one, notation: _derived(one).html(notation), _only),
    "json": Format(_steps, _json),
}
