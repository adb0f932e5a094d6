"""What notebooks show of a tensor: its formula, drawn; folded below it the text to copy, and how it was derived."""

from __future__ import annotations

from html import escape
from importlib import import_module
from typing import TYPE_CHECKING

from einback.errors import EinbackError
from einback.formula.mathml import available, mathml
from einback.ir.walk import postorder

if TYPE_CHECKING:
    from einback.api.tensor import Tensor

__all__ = ["shown_in_html"]

_CHEAP = 60  # nodes of a program whose derivation is made only to be shown, if anybody unfolds it


def shown_in_html(tensor: Tensor) -> str | None:
    """The HTML of a tensor; None where formulas cannot be drawn, and LaTeX has to do."""
    if not available():
        return None
    inputs = ", ".join(one.name for one in tensor.inputs)
    shape = " × ".join(map(str, tensor.shape)) or "a number"
    about = escape(f"{shape}, of {inputs}" if inputs else shape)
    parts = [
        f"<p>{mathml(tensor.latex(), block=True)}</p>",
        f"<details><summary>{about}</summary><pre>{escape(tensor.text())}</pre></details>",
        *_derivation(tensor),
    ]
    return f"<div>{''.join(parts)}</div>"


def _derivation(tensor: Tensor) -> list[str]:
    """How a gradient or a Jacobian was found, folded."""
    if tensor.origin is None or sum(1 for _ in postorder([tensor.origin[0].node])) > _CHEAP:
        return []
    try:  # the module stands above this one, and is loaded when a derivation is shown
        page = import_module("einback.api.derivation").derivation(*tensor.origin)._repr_html_()
    except EinbackError:  # complex Jacobians have none
        return []
    return [f"<details><summary>derivation</summary>{page}</details>"]
