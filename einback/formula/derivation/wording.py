"""What the rules of a derivation are called, and the sentence that a teacher adds to them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Final

from einback.derive.partials import is_linear, partial, real_linear
from einback.formula.forms import log_softmax, softmax
from einback.formula.index import Names, expression
from einback.ir.nodes import Add, Const, Delta, Einsum, Input, Map, Matrix, Node, OneHot, Ones, Reduce, Window
from einback.ir.walk import depends_on, postorder, substitute
from einback.rules.simplify import normalise

__all__ = ["Rule", "convention_rule", "forward_rule", "reverse_rule", "simplifications"]

_VALUE: Final = "\N{MATHEMATICAL DOUBLE-STRUCK CAPITAL V}"  # stands for the function's value while a slope is written

Rule = tuple[str, str]  # its name, and a sentence or ""

_MATRIX: Final = {
    "inv": ("inverse rule", "d inv(A) = -inv(A) dA inv(A)"),
    "det": ("determinant rule", "d det(A) = det(A) tr(inv(A) dA)"),
    "logdet": ("log-determinant rule", "d log|det A| = tr(inv(A) dA)"),
    "cholesky": ("Cholesky rule", "dL = L Φ(inv(L) dA inv(L)'); Φ keeps the lower triangle, and half of the diagonal"),
    "eigvalsh": ("eigenvalue rule", "each eigenvalue moves by v' dA v, with its eigenvector v"),
    "eigvecs": ("eigenvector rule", "each eigenvector turns towards the others by v' dA u over the gap of eigenvalues"),
}  # fmt: skip
_REDUCE: Final = {
    "logsumexp": ("logsumexp rule", "its slope is the softmax"),
    "max": ("maximum rule", "only the largest entry moves it; entries that tie share evenly"),
    "min": ("minimum rule", "only the smallest entry moves it; entries that tie share evenly"),
    "prod": ("product rule", "each entry counts with the product of all the others"),
}
_FACTS: Final = {
    "orthogonal": ("tangent to the orthogonal matrices", "the part of the gradient along which {0} stays orthogonal"),
    "stochastic": (
        "projection onto rows that sum to zero",
        "{0} is stochastic: each row of the gradient loses its mean",
    ),
    "diagonal": ("projection onto diagonal matrices", "{0} is diagonal: of the gradient, the diagonal counts"),
    "lower": ("projection onto lower triangles", "{0} is lower triangular: what stands above the diagonal is dropped"),
    "symmetric": ("projection onto symmetric matrices", "{0} is symmetric: the mean of the gradient and its transpose"),
    "complex": ("steepest ascent", "{0} is complex: the gradient is the conjugate of the cotangent"),
}
# Rules of simplification by name, in the order in which a reader hears of them.
_SIMPLIFIED: Final = {
    "drop_deltas": "deltas are contracted",
    "cancel_inverses": "a matrix meets its inverse",
    "cancel_orthogonal": "an orthogonal matrix meets its transpose",
    "sum_of_rows": "rows sum to one",
    "softmax_of_exponentials": "exponentials over their sum are a softmax",
    "masked_relu": "a mask meets its own relu",
    "masks_select": "masks select",
    "brackets_select": "masks select",
    "collect_powers": "powers are collected",
    "collect_terms": "like terms are collected",
    "common_factors": "common factors are taken out",
    "drop_transpose": "symmetric factors are read one way round",
    "turn_declared": "symmetric factors are read one way round",
    "read_diagonal": "diagonal matrices are read on the diagonal",
}


def forward_rule(node: Node, moving: Container[Node]) -> Rule:
    """The rule by which a definition is differentiated along the inputs that move."""
    match node:
        case _ if softmax(node) is not None:
            return "softmax rule", "by argument j entry i has the slope p[i] (δ[i,j] - p[j])"
        case _ if log_softmax(node) is not None:
            return "log-softmax rule", "by argument j entry i has the slope δ[i,j] - p[j], with p the softmax"
        case Input():
            return "another name", ""
        case Reduce():
            return _REDUCE[node.fn]
        case Matrix():
            return _MATRIX[node.fn]
        case Map():
            return _of_function(node, moving)
        case Einsum() | Add():
            return _of_products(node, moving)
        case _:
            raise TypeError(f"no rule is known for the node {type(node).__name__}")


def _of_function(node: Map, moving: Container[Node]) -> Rule:
    if node.fn == "power" and isinstance(node.args[1], Const):
        return "power rule", ""
    if node.fn == "where":
        return "choice rule", "what is chosen moves, what is not does not"
    active = _active(node, moving)
    slots = [k for k, arg in enumerate(node.args) if arg in active and not isinstance(arg, Const)]
    told = [one for k in slots if (one := _slope(node, k))]
    inner = all(isinstance(node.args[k], Input) for k in slots)
    return "elementwise derivative" + ("" if inner else ", chain rule"), "; ".join(told)


def _slope(node: Map, k: int) -> str:
    """The row of the table: tanh'(x) = 1 - tanh(x)²."""
    alone = sum(not isinstance(arg, Const) for arg in node.args) == 1
    letters = "x" * len(node.args) if alone else "abc"
    args = [arg if isinstance(arg, Const) else Input(letters[m], (), _facts(arg)) for m, arg in enumerate(node.args)]
    own = Map(node.fn, tuple(args))
    if is_linear(own, k) or real_linear(own, k) is not None:
        return f"{node.fn} is linear over the real numbers"
    slope = partial(own, k)
    if slope is None:
        return ""
    short = normalise(substitute([slope], {own: Input(_VALUE, (), _facts(node))}))[0]
    told = " ".join(expression(short, Names()).split()).replace(_VALUE, expression(own, Names()))
    return f"{node.fn}'(x) = {told}" if len(args) == 1 else f"∂ {expression(own, Names())} / ∂{letters[k]} = {told}"


def _facts(node: Node) -> tuple[str, ...]:
    return ("complex",) if node.is_complex else ()


def _of_products(node: Node, moving: Container[Node]) -> Rule:
    active = _active(node, moving)
    names: dict[str, None] = {}
    relations: dict[str, None] = {}
    constants = False
    for part in postorder([node]):
        if part not in active:
            continue
        match part:
            case Add():
                moved = sum(term in active for term in part.terms)
                constants = constants or moved < len(part.terms)
                if moved > 1:
                    names["sum rule"] = None
            case Einsum():
                if sum(operand in active for operand in part.operands) > 1:
                    names["product rule"] = None
                relations.update(dict.fromkeys(_relations(part.operands)))
            case Map(fn="power"):
                names["power rule"] = None
            case Map():
                names["chain rule"] = None
    told = [*(["what does not move drops out"] if constants else []), *(f"{one} is linear" for one in relations)]
    return ", ".join(names) or "linearity", "; ".join(told)


def reverse_rule(node: Node, read: Input) -> Rule:
    """The rule by which the cotangent of a definition is given back to one of the tensors that it reads."""
    match node:
        case _ if softmax(node) is not None:
            return "softmax rule", ""
        case _ if log_softmax(node) is not None:
            return "log-softmax rule", ""
        case Input():
            return "another name", ""
        case Reduce():
            return _REDUCE[node.fn][0], ""
        case Matrix():
            return _MATRIX[node.fn][0], ""
        case Map(fn="where"):
            return "choice rule", "what is not chosen gets nothing"
        case Map():
            return "chain rule, entry by entry", ""
        case _:
            return "slot exchange", _moved_out(node, read)


def _moved_out(node: Node, read: Input) -> str:
    """What moving the differential of a tensor out of a sum of products does to its indices."""
    active = _active(node, {read})
    found: dict[str, None] = {}
    for part in postorder([node]):
        if part in active and isinstance(part, Einsum):
            found.update(dict.fromkeys(_adjoints(part, active)))
    return "; ".join(found)


def _adjoints(node: Einsum, active: Container[Node]) -> Iterator[str]:
    held = {label for op, own in zip(node.operands, node.labels, strict=True) if op in active for label in own}
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Window) and not held.isdisjoint(labels):
            yield "what was read through a window is added up where windows overlap"
        if isinstance(operand, OneHot) and not held.isdisjoint(labels):
            yield "what was gathered is scattered, and rows read several times add up"
        if isinstance(operand, Delta) and not held.isdisjoint(labels):
            yield "the delta is contracted"
        if isinstance(operand, Ones) and labels[0] in node.out:
            yield "what was repeated along an index is summed over it"


def _relations(operands: Iterable[Node]) -> Iterator[str]:
    for operand in operands:
        if isinstance(operand, Window):
            yield "reading through a window"
        if isinstance(operand, OneHot):
            yield "gathering"


def _active(node: Node, moving: Container[Node]) -> set[Node]:
    return depends_on([node], [one for one in postorder([node]) if isinstance(one, Input) and one in moving])


def convention_rule(x: Input) -> Rule | None:
    """What the facts of a tensor make of its gradient; None without such facts."""
    for fact, (name, sentence) in _FACTS.items():
        if fact in x.facts:
            return name, sentence.format(x.name)
    return None


def simplifications(fired: Iterable[str]) -> list[str]:
    """What simplification did, of the rules that fired."""
    names = set(fired)
    return list(dict.fromkeys(words for name, words in _SIMPLIFIED.items() if name in names))
