"""The notations: one row each, with the module that writes text and LaTeX, which is loaded when it is asked for.

A writer takes a `Subject`, and keywords where its row has options, and returns the whole formula with its left side;
where a notation has no form for it, it raises `NotationError` that says why and names one that has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from einback.errors import NotationError, did_you_mean

__all__ = ["NOTATIONS", "Notation", "chosen_options", "notation_named"]


@dataclass(frozen=True, slots=True)
class Notation:
    """A module with `text` and `latex`; `options` are the keywords that both take, with the values of each.

    Where none are listed, a value is names of tensors.
    """

    module: str
    about: str  # one line, for help
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def text(self) -> Callable[..., str]:
        writer: Callable[..., str] = import_module(f"einback.formula.{self.module}").text
        return writer

    @property
    def latex(self) -> Callable[..., str]:
        writer: Callable[..., str] = import_module(f"einback.formula.{self.module}").latex
        return writer


NOTATIONS: Mapping[str, Notation] = {
    "index": Notation("notations.index", "index notation, as einback reads it: y[n] = A[n,m] x[m]"),
    "matrix": Notation("matrix.products", "products of matrices and vectors: y = A x"),
    "differential": Notation(
        "matrix.differential",
        "how a tensor changes with what it is differentiated by: dL = ⟨G, dW⟩ = tr(Gᵀ dW)",
        options={"form": ("both", "index", "colon", "inner", "trace", "trace-transposed")},
    ),
    "vec": Notation(
        "matrix.vec",
        "a Jacobian by a matrix as one matrix: ∂vec(Y)/∂vec(X)ᵀ = Bᵀ ⊗ A",
        options={"layout": ("numerator", "denominator"), "vec": ("column", "row"), "factor": ()},
    ),
    "columns": Notation("matrix.columns", "a derivative by a matrix as the tuple of its columns: [x_1 D, …, x_n D]"),
    "sum": Notation("entrywise.sums", "explicit sums, entry by entry: y_n = Σ_m A_nm x_m"),
    "ricci": Notation("entrywise.ricci", "upper and lower indices: y^n = A^n_m x^m"),
    "einsum": Notation("numpy_calls.calls", 'NumPy: y = np.einsum("nm,m->n", A, x)'),
}


def notation_named(name: str) -> Notation:
    """The notation of a name; an unknown one is a `NotationError` that lists those there are."""
    if name not in NOTATIONS:
        hint = did_you_mean(name, NOTATIONS) if isinstance(name, str) else ""
        raise NotationError(
            f"no notation is named {name!r}", hint=f"{hint} the notations are: {', '.join(NOTATIONS)}".strip()
        )
    return NOTATIONS[name]


def chosen_options(notation: str, options: Mapping[str, str]) -> Mapping[str, str]:
    """The options, if the notation has them; others are a `NotationError` that lists what may be chosen."""
    known = notation_named(notation).options
    for name, value in options.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise NotationError(
                f"the notation {notation} has no option {name!r}",
                hint=f"{did_you_mean(name, known)} its options are: {there}".strip(),
            )
        if not isinstance(value, str) or (known[name] and value not in known[name]):
            raise NotationError(
                f"{name}={value!r} is no choice of the notation {notation}",
                hint=f"the choices are: {', '.join(known[name])}"
                if known[name]
                else "names of tensors, with blanks between",
            )
    return options
