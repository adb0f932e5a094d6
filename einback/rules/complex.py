"""Rules for complex numbers: conjugates, real and imaginary parts, the imaginary unit.

    conj(x) = real(x) = x, imag(x) = 0                      (x real)
    conj(conj z)               = z
    conj(a b) = conj(a) conj(b), and sums                   (whichever has fewer conjugates)
    f(conj z)                  = conj(f(z))                 (f real on the real axis: exp, sin, z^x, ..)
    real(a + ib) = a, imag(a + ib) = b
    real(w z)                  = w real(z)                  (w a real number; imag likewise)
    z + conj(z)                = 2 real(z)
    |z| z/|z|                  = z
    (a + ib) (c + id)          = (ac - bd) + i (ad + bc)    (numbers)

A conjugate costs a pass over its tensor, and a product that others read too should not be formed twice. So where
the count of conjugates is the same, conj(a b) stays whole if a b has other readers, and is written conj(a) conj(b),
with conj(b) = b for a real b, if it has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from einback.errors import EinbackError
from einback.ir.build import add, const, einsum, exact, fill, power, scale, zeros
from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Ones, Reduce
from einback.ir.walk import children, rebuild
from einback.rules.engine import Surroundings
from einback.rules.scalar import row
from einback.rules.signs import never_negative

__all__ = [
    "check_defined",
    "complex_number",
    "conjugate_inward",
    "conjugate_of_function",
    "conjugate_of_reduction",
    "conjugate_outward",
    "conjugate_unshared",
    "modulus_times_sign",
    "numbers_of_power",
    "product_of_numbers",
    "real_parts",
    "sum_with_conjugate",
]

_REFUSED = frozenset({"hypot"})  # analytic, but not what a reader takes it for
_REDUCTIONS = frozenset({"sum", "mean", "prod", "logsumexp"})
_MOST_FACTORS = 64  # of a power of a number that is multiplied out

Labels = tuple[int, ...]


def check_defined(fn: str, args: Sequence[Node]) -> None:
    """Raise `EinbackError` where a function or a reduction is not defined at complex arguments."""
    given = [arg.is_complex for arg in args]
    if not any(given) or fn in _REDUCTIONS or (fn == "where" and not given[0]):
        return
    if fn == "complex":
        raise EinbackError("complex(a, b) is a + ib of real tensors, and one of them is complex")
    if fn == "where":
        raise EinbackError("the condition of where is complex", hint="compare its real part, or its absolute value")
    if fn in ("max", "min") or fn in _REFUSED or not (row(fn).analytic or row(fn).parts):
        raise EinbackError(
            f"{fn} is not defined for complex tensors", hint="take real(z), imag(z) or abs(z), which are real"
        )


# Numbers


def complex_number(value: complex) -> Node:
    """A complex number as a scalar node; a real one is a constant."""
    return _numbered(exact(value.real), exact(value.imag))


def _numbered(re: Number, im: Number) -> Node:
    """re + i im: a constant, a multiple of the imaginary unit, or the two together."""
    if not im:
        return Const(re)
    return Map("complex", (Const(re), Const(im))) if re else scale(Map("complex", (const(0), const(1))), im)


def _number(node: Node) -> tuple[Number, Number] | None:
    """The real and imaginary part of a node that is a complex number."""
    match node:
        case Map(fn="complex", args=(Const(value=re), Const(value=im))):
            return re, im
        case _:
            return None


def _times(a: tuple[Number, Number], b: tuple[Number, Number]) -> tuple[Number, Number]:
    return exact(a[0] * b[0] - a[1] * b[1]), exact(a[0] * b[1] + a[1] * b[0])


def product_of_numbers(node: Node, _: Surroundings) -> Node | None:
    """(a + ib) (c + id) x -> ((ac - bd) + i (ad + bc)) x."""
    assert isinstance(node, Einsum)
    found = [k for k, operand in enumerate(node.operands) if _number(operand) is not None]
    if len(found) < 2:
        return None
    value: tuple[Number, Number] = (Fraction(1), Fraction(0))
    for k in found:
        value = _times(value, _number(node.operands[k]) or value)
    rest = [k for k in range(len(node.operands)) if k not in found]
    operands = [_numbered(*value), *(node.operands[k] for k in rest)]
    return einsum(operands, [(), *(node.labels[k] for k in rest)], node.out)


def numbers_of_power(node: Node, _: Surroundings) -> Node | None:
    """(a + ib)^n -> the number that it is, for a whole n."""
    assert isinstance(node, Map)
    if node.fn != "power" or not isinstance(node.args[1], Const) or (base := _number(node.args[0])) is None:
        return None
    exponent = node.args[1].value
    if not isinstance(exponent, Fraction) or exponent.denominator != 1 or not 0 < abs(exponent) <= _MOST_FACTORS:
        return None
    if exponent < 0:
        size = exact(base[0] * base[0] + base[1] * base[1])
        base = exact(base[0] / size), exact(-base[1] / size)
    value: tuple[Number, Number] = (Fraction(1), Fraction(0))
    for _step in range(abs(exponent.numerator)):
        value = _times(value, base)
    return _numbered(*value)


def _split(node: Node) -> tuple[Node, Node] | None:
    """The parts of a tensor that shows them: of a + ib, of a real tensor times a complex number, and of sums."""
    if not isinstance(node, Add):
        return _split_term(node)
    found = [_split_term(term) for term in node.terms]
    parts = [pair for pair in found if pair is not None]
    if len(parts) < len(found):
        return None
    return add([re for re, _ in parts], node.weights), add([im for _, im in parts], node.weights)


def _split_term(node: Node) -> tuple[Node, Node] | None:
    if not node.is_complex:
        return node, zeros(node.shape)
    match node:
        case Map(fn="complex"):
            re, im = (fill(node.shape, arg.value) if isinstance(arg, Const) else arg for arg in node.args)
            return re, im
        case Einsum():
            complexes = [k for k, operand in enumerate(node.operands) if operand.is_complex]
            number = _number(node.operands[complexes[0]])
            if len(complexes) > 1 or number is None:
                return None
            re, im = (_with_operand(node, complexes[0], Const(part)) for part in number)
            return re, im
        case _:
            return None


def _with_operand(node: Einsum, k: int, operand: Node) -> Node:
    return rebuild(node, [*node.operands[:k], operand, *node.operands[k + 1 :]])


# Parts


def real_parts(node: Node, _: Surroundings) -> Node | None:
    """conj, real and imag of what is real, of conjugates, of a + ib, and of scaled tensors."""
    assert isinstance(node, Map)
    if node.fn not in ("conj", "real", "imag", "abs"):
        return None
    (z,) = node.args
    if not z.is_complex:
        return None if node.fn == "abs" else zeros(node.shape) if node.fn == "imag" else z
    sign = -1 if node.fn == "imag" else 1
    if node.fn == "conj":
        turned = conjugate(z)
        return None if turned is node else turned
    if _is_conj(z):
        return scale(Map(node.fn, children(z)), sign)
    if node.fn == "abs":
        return None
    parts = _split(z)
    if parts is not None:
        return parts[0] if node.fn == "real" else parts[1]
    if not isinstance(z, Add):
        return None
    if len(z.terms) == 1:
        return scale(Map(node.fn, z.terms), z.weights[0])
    if any(map(_is_conj, z.terms)):
        flips = [sign if _is_conj(term) else 1 for term in z.terms]
        terms = [conjugate(term) if _is_conj(term) else term for term in z.terms]
        return Map(node.fn, (add(terms, [exact(w * flip) for w, flip in zip(z.weights, flips, strict=True)]),))
    return None


def sum_with_conjugate(node: Node, _: Surroundings) -> Node | None:
    """z + conj(z) -> 2 real(z)."""
    assert isinstance(node, Add)
    weights = dict(zip(node.terms, node.weights, strict=True))
    for term, weight in weights.items():
        own = children(term)[0] if _is_conj(term) else None
        if own is not None and weights.get(own) == weight and len(weights) == len(node.terms):
            rest = [(t, w) for t, w in weights.items() if t is not own and t is not term]
            rest.append((Map("real", (own,)), exact(2 * weight)))
            return add([t for t, _ in rest], [w for _, w in rest])
    return None


def modulus_times_sign(node: Node, _: Surroundings) -> Node | None:
    """|z|^p sign(z) -> z |z|^(p-1) for p >= 1, and its conjugate: what it is at 0 needs no convention."""
    assert isinstance(node, Einsum)
    for k, (operand, term) in enumerate(zip(node.operands, node.labels, strict=True)):
        direction = children(operand)[0] if _is_conj(operand) else operand
        if not (isinstance(direction, Map) and direction.fn == "sign"):
            continue
        z = direction.args[0]
        for m, (other, own) in enumerate(zip(node.operands, node.labels, strict=True)):
            base, exponent = _base(other)
            if base is not Map("abs", (z,)) or own != term or exponent < 1:
                continue
            operands, labels = list(node.operands), list(node.labels)
            operands[k] = conjugate(z) if direction is not operand else z
            operands[m] = power(base, exact(exponent - 1))
            if exponent == 1:
                del operands[m], labels[m]
            return einsum(operands, labels, node.out)
    return None


def _base(node: Node) -> tuple[Node, Number]:
    match node:
        case Map(fn="power", args=(base, Const(value=exponent))):
            return base, exponent
        case _:
            return node, Fraction(1)


# Conjugates of products, sums and functions


def conjugate(node: Node) -> Node:
    """conj of a node; weights stay outside, and what shows its parts shows those of the conjugate."""
    number = _number(node)
    if not node.is_complex:
        return node
    if number is not None:
        return _numbered(number[0], exact(-number[1]))
    match node:
        case Map(fn="conj"):
            return node.args[0]
        case Map(fn="complex", args=(re, im)):
            return Map("complex", (re, const(-im.value) if isinstance(im, Const) else scale(im, -1)))
        case Add(terms=(term,)):
            return rebuild(node, [conjugate(term)])
        case Einsum() | Add() if _split(node) is not None:
            return rebuild(node, list(map(conjugate, children(node))))
        case _:
            return Map("conj", (node,))


def _is_conj(node: Node) -> bool:
    return isinstance(node, Map) and node.fn == "conj" and node.is_complex


def _is_compound(node: Node) -> bool:
    """A product of several tensors or a sum of several terms."""
    if isinstance(node, Einsum):
        return sum(not isinstance(operand, Ones) for operand in node.operands) > 1
    return isinstance(node, Add) and len(node.terms) > 1


def _counts(nodes: Iterable[Node]) -> tuple[int, int]:
    """How many of some nodes are conjugates, and how many would become ones; what shows its parts does not count."""
    inner = [node.terms[0] if isinstance(node, Add) and len(node.terms) == 1 else node for node in nodes]
    found = [_is_conj(node) for node in inner if _split(node) is None]
    return sum(found), len(found) - sum(found)


def _conjugated(node: Node) -> Node:
    return rebuild(node, list(map(conjugate, children(node))))


def conjugate_inward(node: Node, _: Surroundings) -> Node | None:
    """conj(conj(a) b) -> a conj(b): as many conjugates or fewer are left."""
    if not _is_conj(node) or not _is_compound(z := children(node)[0]):
        return None
    have, more = _counts(children(z))
    return _conjugated(z) if more <= have else None


def conjugate_unshared(node: Node, around: Surroundings) -> Node | None:
    """conj(a b) -> a conj(b), where a is real and nothing else reads a b."""
    if not _is_conj(node) or not _is_compound(z := children(node)[0]) or not around.once(z):
        return None
    have, more = _counts(children(z))
    return _conjugated(z) if more == have + 1 else None


def conjugate_outward(node: Node, _: Surroundings) -> Node | None:
    """conj(a) conj(b) -> conj(a b)."""
    if not node.is_complex or not _is_compound(node):
        return None
    have, more = _counts(children(node))
    return Map("conj", (_conjugated(node),)) if have > more + 1 else None


def conjugate_of_function(node: Node, _: Surroundings) -> Node | None:
    """f(conj z) -> conj(f(z)), for functions that are real on the real axis."""
    assert isinstance(node, Map)
    if not node.is_complex or node.fn in ("conj", "complex") or not any(map(_is_conj, node.args)):
        return None
    if any(arg.is_complex and not _is_conj(arg) for arg in node.args):
        return None
    if node.fn == "power" and not node.args[0].is_complex and not never_negative(node.args[0]):
        return None  # (-1)^z is exp(i pi z), which is not real on the real axis
    return Map("conj", (_conjugated(node),))


def conjugate_of_reduction(node: Node, _: Surroundings) -> Node | None:
    """prod(conj z) -> conj(prod z), and likewise logsumexp."""
    assert isinstance(node, Reduce)
    return Map("conj", (_conjugated(node),)) if _is_conj(node.arg) else None
