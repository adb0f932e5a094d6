"""What tensors print: formulas as text and LaTeX, in the notation that is asked for, and pictures."""

from __future__ import annotations

from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING

from einback.api.notebook import shown_in_html
from einback.api.scope import Scope, gather, names_in_normal_form
from einback.formula.names import Names
from einback.formula.notations import chosen_options, notation_named
from einback.formula.subject import Derivative, Subject
from einback.ir.nodes import Input, Node
from einback.rules.simplify import legible

if TYPE_CHECKING:
    from einback.formula.diagram.diagram import Diagram

__all__ = ["Printed", "subject"]


class Printed:
    """The printing half of a tensor."""

    __slots__ = ()

    node: Node
    names: tuple[str, ...]
    scope: Scope
    name: str
    derivative: Derivative | None

    def text(self, notation: str = "index", name: str = "", **options: str) -> str:
        """The formula as an index program, which `program` reads back: `y[n,c] = ...` and its `where` lines.

        `name` stands on the left; left out, it is the tensor's own name, or y. Other notations are `sum` (explicit
        sums), `ricci` (upper and lower indices), `einsum` (lines of NumPy), `matrix`, `differential`, `vec` (Kronecker
        products) and `columns`; what one of them has no form for is a `NotationError`. What may be chosen in one goes
        by keyword: `layout="denominator"`, `vec="row"` and `factor="W"` for `vec`, `form="trace"` for `differential`.

        >>> import einback as eb
        >>> A, x = eb.tensors("A[n,n] x[n]")
        >>> print(eb.hessian(x @ A @ x, x).text(name="H"))
        H[n,n'] = A[n,n'] + A[n',n]
        >>> print(eb.grad(x @ A @ x, x).text("sum"))
        ∂L/∂x_n = Σ_n' A_{n,n'} x_n' + Σ_n' x_n' A_{n',n}
        """
        return notation_named(notation).text(subject(self, name), **chosen_options(notation, options))

    def latex(self, notation: str = "index", name: str = "", **options: str) -> str:
        """The formula in LaTeX mathematics, in the notation of that name; |n| is the length of index n.

        One equation, or an `aligned` block where intermediates are named: it belongs between $$ signs.
        """
        return notation_named(notation).latex(subject(self, name), **chosen_options(notation, options))

    def diagram(self, *, beside: Printed | None = None, sizes: bool = False) -> Diagram:
        """The tensor network of the formula: a picture of what `text()` prints, a network for every line.

        Round boxes are inputs, boxes with corners what has a line of its own. A leg is an index: summed where it joins
        two tensors, an axis of the result where it is open, on the right. `beside` draws another tensor on the right in
        the same colours; each term of a gradient ends in the dashed slot of the tensor that was taken out. `sizes`
        writes the sizes of legs beside their names. A notebook shows the picture; `save` writes SVG, TikZ and PNG.

        >>> import einback as eb
        >>> A, x = eb.tensors("A[n,n] x[n]")
        >>> picture = (x @ A @ x).diagram()
        >>> picture.svg.startswith("<svg"), picture.tikz().count("draw[leg")
        (True, 2)
        >>> print(picture.text)
        y = x[n] A[n,n'] x[n']
        """
        tensors = (self,) if beside is None else (self, beside)
        drawing = import_module("einback.formula.diagram.diagram")  # loaded when it is needed
        picture: Diagram = drawing.diagram([subject(one) for one in tensors], slots=beside is not None, sizes=sizes)
        return picture

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str | None:
        return shown_in_html(self)  # type: ignore[arg-type]

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def subject(tensor: Printed, name: str = "") -> Subject:
    """What is printed of a tensor: its normal form, with a name that no input has."""
    known = gather([tensor.scope])
    (node,) = legible([tensor.node])
    titled = bool(name)
    given = name or ("" if isinstance(node, Input) else tensor.name)
    taken = {other.name for other in known.inputs if other is not node}
    wishes = (given,) if given else tuple(_LETTERS.get(tensor.derivative.kind if tensor.derivative else "", "yzruvw"))
    name = next((wish for wish in wishes if wish not in taken), "")
    if not name:
        name = next(one for one in (f"{given or 'y'}{'_' * k}" for k in count(1)) if one not in taken)
    inputs = tuple(one.name for one in known.inputs)
    names = Names(tensor.names, known.size_names, names_in_normal_form(known), inputs)
    return Subject(node, name, names, tensor.derivative, titled, tuple(known.inputs), bool(given))


_LETTERS = {"jacobian": "J", "hessian": "H", "gauss-newton": "G"}  # what has no name of its own
