"""`derivation`: a gradient or a Jacobian step by step, each step an equation that can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from einback.api.derivatives import grad, jacobian
from einback.api.printing import subject
from einback.api.scope import Scope, gather
from einback.api.tensor import Tensor
from einback.api.verifying import Verification, verified
from einback.derive.conventions import DEFAULT, by_entries, outward
from einback.derive.orders import identity, prepared
from einback.derive.reverse import vjp
from einback.errors import DerivativeError, did_you_mean
from einback.formula.derivation import html, plain, tex
from einback.formula.derivation.calculus import Calculus, calculus
from einback.formula.derivation.cutting import End, cut
from einback.formula.derivation.entries import EntryWriter
from einback.formula.derivation.letters import DIFFERENTIAL
from einback.formula.derivation.marks import plain_quotients
from einback.formula.derivation.page import Entry, Page, page_of
from einback.formula.derivation.steps import Writer, fired_rules
from einback.formula.mathml import available
from einback.formula.notations import notation_named
from einback.formula.subject import Subject
from einback.ir.build import const
from einback.ir.nodes import Input, Node
from einback.ir.walk import inputs_of, postorder, substitute

# The styles, by name.
_WRITERS: Mapping[str, type[Writer]] = {"differentials": Writer, "entries": EntryWriter}

__all__ = ["Derivation", "Step", "derivation"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a derivation.

    `section` says what the step is for: "definitions", "differentials", "cotangents" or "result".
    """

    _entry: Entry
    _tensor: Tensor

    @property
    def number(self) -> int:
        return self._entry.number

    @property
    def section(self) -> str:
        return self._entry.part.section

    @property
    def rule(self) -> str:
        """The name of the rule by which the step holds."""
        return self._entry.part.rule

    @property
    def about(self) -> str:
        """What the rule says here; "" where its name says it all."""
        return self._entry.part.about

    @property
    def uses(self) -> tuple[int, ...]:
        """The numbers of the steps that it follows from."""
        return self._entry.uses

    @property
    def text(self) -> str:
        """The step as text: the rule, and its equations below each other."""
        return plain.entry_text(self._entry, "index")

    @property
    def latex(self) -> str:
        """Its equations in LaTeX mathematics."""
        return plain.entry_block(self._entry, "index")

    @property
    def equation(self) -> tuple[str, Tensor]:
        """The equation in which the step ends: the name on the left, and the right side.

        The right side is a tensor that reads inputs, earlier definitions and cotangents, and differentials by name:
        dZ for that of Z, G_Z for its cotangent, J_Z at a result with axes.
        """
        return _shown(self._entry.part.equation.name), self._tensor

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Derivation:
    """A derivation: what `derivation` returns. Printed, it is text; notebooks show it as HTML."""

    steps: tuple[Step, ...]
    of: Tensor
    by: Tensor
    result: Tensor
    _page: Page
    _found: Calculus

    def text(self, notation: str = "index") -> str:
        """The derivation as text. A step that the notation has no form for stands in index notation."""
        notation_named(notation)
        return plain.text(self._page, notation)

    def markdown(self, notation: str = "index") -> str:
        """The derivation in Markdown: headings, the rules in words, formulas between dollar signs."""
        notation_named(notation)
        return plain.markdown(self._page, notation)

    def latex(self, notation: str = "index") -> str:
        """The derivation as one `aligned` block of LaTeX mathematics, steps numbered, rules beside them."""
        notation_named(notation)
        return tex.latex(self._page, notation)

    def html(self, notation: str = "index") -> str:
        """The derivation as a page of HTML that needs nothing else: MathML, collapsible steps, formulas to copy.

        Needs the package `latex2mathml`: `pip install einback[html]`.
        """
        notation_named(notation)
        return html.document(self._page, notation)

    def verify(self, arrays: Mapping[str, Any] | None = None, /, *, seed: int = 0, **named: Any) -> Verification:
        """Check every step numerically, on arrays of small sizes drawn at random, or on those that are given.

        Definitions are evaluated one after the other. Differentials are compared with central differences along
        random directions, every cotangent by what it says that a small change of its tensor does to what reads it, and
        equal expressions with each other; the last step with differences of the whole program.
        """
        return verified(self._page, self._found, self.of, self.by, {**(arrays or {}), **named}, seed)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<{self._page.title}: {len(self.steps)} steps>"

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str | None:
        return html.fragment(self._page, "index") if available() else None


def derivation(y: Tensor, x: Tensor, *, style: str = "differentials") -> Derivation:
    """How the gradient of y by x is found, step by step; of a y with axes, the Jacobian.

    First come the definitions, each a step small enough to differentiate at a glance; then the differential of each,
    with the rule's name; then, from y back to x, the cotangent G of every tensor on the way, for which the change of y
    is the sum of G's entries times those of the differential; last the result, as `grad(y, x)` prints it. Names are the
    user's where there are any. With `style="entries"` derivatives are written entry by entry instead: ∂y/∂x[i] as the
    sum of ∂y/∂z[j] ∂z[j]/∂x[i]. Raises `DerivativeError` as `grad` does, and for complex results with axes.

    >>> import einback as eb
    >>> p = eb.program("y[m] = W[m,n] x[n]" + chr(10) + "f = y[m] y[m]")
    >>> d = eb.derivation(p["f"], p["W"])
    >>> print(d)
    The gradient of f by W
    <BLANKLINE>
    Definitions
      (1) y[m] = W[m,n] x[n]
      (2) f = y[m]²
    <BLANKLINE>
    Differentials
      (3) from (1), linearity
          dy[m] = dW[m,n] x[n]
      (4) from (2), power rule
          df = 2 y[m] dy[m]
    <BLANKLINE>
    Backwards, from the result to the variable
      (5) from (4), slot exchange
          df = 2 y[m] dy[m]
             = G_y[m] dy[m]
          G_y[m] = 2 y[m]
      (6) from (3) and (5), slot exchange
          df = G_y[m] dy[m]
             = G_y[m] dW[m,n] x[n]
             = G_W[m,n] dW[m,n]
          G_W[m,n] = G_y[m] x[n]
    <BLANKLINE>
    Result
      (7) insertion: the steps before are inserted, one into the other
          G_W[m,n] = 2 y[m] x[n]
      (8) final form of G_W: the definitions are inserted; dW names the derivative here
          dW[m,n] = 2 W[m,n'] x[n'] x[n]
    >>> d.steps[5].rule, d.steps[5].equation[0], d.verify().passed
    ('slot exchange', 'G_W', True)
    """
    if not isinstance(y, Tensor) or not isinstance(x, Tensor):
        other = x if isinstance(y, Tensor) else y
        raise DerivativeError(f"a derivation is of a tensor by a tensor, not of {type(other).__name__}")
    result = jacobian(y, x) if y.ndim else grad(y, x)
    _check(y, x, style)
    known = y.known()
    ends = (End(y.node, y.name, y.names), End(x.node, x.name, x.names))
    program = cut(*ends, known.tensors, known.inputs, known.size_names)
    found = calculus(program, style == "entries")
    made = _by_convention(found, bool(y.ndim))
    last = _named(subject(result), found)
    fired = fired_rules(_before_simplification(y.node, x.node))
    writer = _WRITERS[style](found, program.pool)
    parts = list(writer.steps(last, made, fired))
    title = f"The {'Jacobian' if y.ndim else 'gradient'} of {found.result.name} by {found.variable.name}"
    page = page_of(title, parts)
    steps = [Step(entry, _tensor(entry.part.equation, found, y)) for entry in page.entries[:-1]]
    return Derivation((*steps, Step(page.entries[-1], result)), y, x, result, page, found)


def _check(y: Tensor, x: Tensor, style: str) -> None:
    """Whether there is a derivation where there is a derivative."""
    if y.ndim and (y.node.is_complex or x.node.is_complex):
        raise DerivativeError(
            "there is no derivation of the Jacobian of complex tensors",
            hint="jacobian gives it; a derivation is of a real scalar, or of real tensors",
        )
    if style not in _WRITERS:
        hint = did_you_mean(str(style), _WRITERS) or f"it is one of {' and '.join(_WRITERS)}"
        raise DerivativeError(f"no style of derivations is named {style!r}", hint=hint)
    if style == "entries" and any(node.is_complex for node in postorder([y.node])):
        raise DerivativeError("complex tensors have no derivatives entry by entry", hint='use style="differentials"')


def _shown(name: str) -> str:
    """The name of a tensor, of a differential or of a derivative as that of an input."""
    return plain_quotients(name.replace(DIFFERENTIAL, "d"))


def _named(last: Subject, found: Calculus) -> Subject:
    """The result with the names that the derivation gives to what is differentiated, and by what."""
    how = last.derivative
    if how is None:
        return last
    of = replace(how.of, name=how.of.name or found.result.name)
    by = tuple(replace(one, name=one.name or found.variable.name) for one in how.by)
    return replace(last, derivative=replace(how, of=of, by=by))


def _by_convention(found: Calculus, entries: bool) -> Node | None:
    """What the facts of the variable make of its cotangent; None where they leave it as it is."""
    cotangent, x = found.cotangents.get(found.variable), found.variable
    if cotangent is None:
        return None
    made = by_entries(cotangent, x, DEFAULT) if entries else outward(cotangent, x, DEFAULT)
    return None if made is cotangent else made


def _before_simplification(y: Node, x: Node) -> Node:
    """The gradient or Jacobian as reverse mode makes it."""
    arriving = identity(y) if y.rank else const(1)
    return vjp(prepared(y, [x]), arriving, [x])[0]


def _tensor(equation: Subject, found: Calculus, y: Tensor) -> Tensor:
    """The right side of an equation, differentials under plain names."""
    known = gather([y.scope])
    read = inputs_of([equation.node])
    renamed = {one: Input(_shown(one.name), one.sizes, one.facts) for one in read}
    (node,) = substitute([equation.node], {old: new for old, new in renamed.items() if old is not new})
    names = {renamed[one]: found.axes.get(one, ("",) * one.rank) for one in read}
    scope = Scope(inputs=names, size_names=equation.names.pool, equalities=known.equalities)
    return Tensor(node, equation.names.free, scope)
