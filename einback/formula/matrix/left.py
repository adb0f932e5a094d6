"""Left sides: ∂L/∂W, ∂y/∂xᵀ, ∂²L/∂x∂xᵀ, and names for what has none."""

from __future__ import annotations

from collections.abc import Callable, Container

from einback.formula.latex import tensor_latex
from einback.formula.subject import Subject, Variable

__all__ = ["differential_name", "left_latex", "left_text", "named", "own_name", "spelled"]


def left_text(subject: Subject, taken: Container[str]) -> str:
    """The left side of a result in text: the user's name for it, or what it is a derivative of."""
    return _left(subject, taken, str, lambda top, bottom: f"{top}/{bottom}", "ᵀ", "²", "∂")


def left_latex(subject: Subject, taken: Container[str]) -> str:
    return _left(
        subject, taken, spelled, lambda top, bottom: rf"\frac{{{top}}}{{{bottom}}}", r"^{\top}", "^{2}",
        r"\partial ",
    )  # fmt: skip


def spelled(name: str) -> str:
    """A name in LaTeX; what is no name, such as d(X^{-1}), stands as it is given."""
    return tensor_latex(name) if name.replace("'", "").isidentifier() else name


def _left(
    subject: Subject, taken: Container[str], spell: Callable[[str], str], over: Callable[[str, str], str],
    transposed: str, squared: str, d: str,
) -> str:  # fmt: skip
    how = subject.derivative
    if how is None or subject.titled or not all(one.name for one in how.by):
        return spell(own_name(subject, taken))
    of = spell(named(how.of, taken))
    by = [spell(one.name) for one in how.by]
    match how.kind:
        case "gradient":
            return over(d + of, d + by[0])
        case "jacobian":
            column = how.of.rank == 1 and how.by[0].rank == 1
            return over(d + of, d + by[0] + (transposed if column else ""))
        case "hessian":
            first, second = by
            column = how.by[1].rank == 1
            if not column and first == second:
                return over(d.rstrip() + squared + of, d + first + squared)
            gap = " " if d.endswith(" ") else ""
            return over(d.rstrip() + squared + gap + of, d + first + gap + d + second + (transposed if column else ""))
        case "pushforward":
            return ("d" if d == "∂" else r"\mathrm{d}") + of
        case _:
            return spell(own_name(subject, taken))


def own_name(subject: Subject, taken: Container[str]) -> str:
    """What a tensor is called; one that the user gave no name, and that is a matrix, by a capital."""
    capital = subject.name.upper()
    return capital if not subject.called and subject.node.rank == 2 and capital not in taken else subject.name


def named(variable: Variable, taken: Container[str]) -> str:
    """A tensor's name; one without is L, y or Y by its axes, or what is free."""
    if variable.name:
        return variable.name
    wishes = {0: "Lf", 1: "yf"}.get(variable.rank, "YF")
    return next((wish for wish in wishes if wish not in taken), f"{wishes[0]}_")


def differential_name(name: str, taken: Container[str]) -> str:
    """What dX is called where a tensor is called so."""
    found = f"d{name}"
    while found in taken:
        found += "'"
    return found
