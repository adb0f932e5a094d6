"""Rules for sums and functions: like terms, numbers, powers, and log/exp pairs in their stable forms.

a x + b x                  = (a + b) x
exp(x) - 1                 = expm1(x)
log(1 + exp x)             = softplus(x)
log(1 + x)                 = log1p(x)
log(exp a + exp b)         = logaddexp(a, b)
log(sum exp x)             = logsumexp(x)
log(exp x)                 = x
exp(log x)                 = x                          (x not negative)
1 / (1 + exp(-x))          = sigmoid(x)
(x^a)^n                    = x^(a n)                    (n an integer; x not negative where a n is one and a is not)
|x|^n                      = x^n                        (n even, x real)
(c x)^n                    = c^n x^n                    (n an integer)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction

from einback.ir.build import (
    add,
    broadcast,
    const,
    einsum,
    exact,
    fill,
    is_zero,
    ones,
    permute,
    power,
    reduce,
    scale,
    zeros,
)
from einback.ir.nodes import Add, Const, Einsum, Map, Node, Number, Ones
from einback.ir.walk import rebuild
from einback.rules.engine import Surroundings
from einback.rules.scalar import evaluate_power
from einback.rules.signs import is_whole, never_negative
from einback.rules.structure import is_size

__all__ = [
    "as_number",
    "collect_terms",
    "common_scalars",
    "common_weight",
    "difference_of_exponential",
    "exponentials",
    "flatten_sum",
    "fold_numbers",
    "logarithms",
    "powers",
    "scaled_sum",
    "trivial_choice",
]  # fmt: skip


def as_number(node: Node) -> Number | None:
    """The number that a node is at every entry, or None."""
    match node:
        case Const():
            return node.value
        case Ones():
            return Fraction(1)
        case Einsum() if all(isinstance(op, Ones) for op in node.operands):
            plain = len(set(node.out)) == len(node.out) and len(node.out) == len(node.sizes)
            return Fraction(1) if plain else None
        case Add() if len(node.terms) == 1:
            inner = as_number(node.terms[0])
            return None if inner is None else exact(inner * node.weights[0])
        case _:
            return None


def collect_terms(node: Node, _: Surroundings) -> Node | None:
    """Nested weights multiply, like terms add up, zeros go, and the terms are sorted by content."""
    assert isinstance(node, Add)
    weights: dict[Node, Number] = {}
    for term, weight in zip(node.terms, node.weights, strict=True):
        while isinstance(term, Add) and len(term.terms) == 1:
            weight, term = exact(weight * term.weights[0]), term.terms[0]
        if isinstance(term, Const):
            weight, term = exact(weight * term.value), const(1)
        weights[term] = exact(weights.get(term, 0) + weight)
    kept = sorted((item for item in weights.items() if item[1] != 0), key=lambda item: item[0].digest)
    if not kept:
        return None if is_zero(node) and as_number(node) == 0 else zeros(node.shape)
    if len(kept) == 1 and isinstance(kept[0][0], Const):
        return const(kept[0][1])
    return add([term for term, _ in kept], [weight for _, weight in kept])


def common_weight(node: Node, _: Surroundings) -> Node | None:
    """2 a - 2 b -> 2 (a - b), -a - b -> -(a + b)."""
    assert isinstance(node, Add)
    first = node.weights[0]
    size = -first if first < 0 else first
    sign = -1 if all(weight < 0 for weight in node.weights) else 1
    if len(node.terms) < 2 or sign * size in (0, 1) or any(abs(weight) != size for weight in node.weights):
        return None
    return scale(add(node.terms, [1 if sign * weight > 0 else -1 for weight in node.weights]), sign * size)


def scaled_sum(node: Node, around: Surroundings) -> Node | None:
    """2 (a - 3 b) -> 2 a - 6 b, where nothing else reads the sum and no weight is common."""
    assert isinstance(node, Add)
    inner = node.terms[0]
    if len(node.terms) > 1 or not isinstance(inner, Add) or not around.once(inner):
        return None
    if len({abs(weight) for weight in inner.weights}) == 1:
        return None
    return add(inner.terms, [exact(weight * node.weights[0]) for weight in inner.weights])


def common_scalars(node: Node, _: Surroundings) -> Node | None:
    """s a + (s b) c -> s (a + b c), where s is a scalar factor of every term."""
    assert isinstance(node, Add)
    if len(node.terms) < 2 or not node.rank:
        return None
    common = _scalar_factors(node.terms[0], _DEPTH)
    for term in node.terms[1:]:
        have = _scalar_factors(term, _DEPTH)
        common = [factor for factor in common if factor in have]
    for factor in dict.fromkeys(common):
        inner = add([_divided(term, factor, _DEPTH) or term for term in node.terms], node.weights)
        return einsum([factor, inner], [(), range(node.rank)], range(node.rank))
    return None


_DEPTH = 4  # of nested products that are searched for a scalar factor


def _scalar_factors(term: Node, depth: int) -> list[Node]:
    if not isinstance(term, Einsum) or not depth:
        return []
    own = [op for op in term.operands if not op.rank and not is_size(op)]
    return own + [factor for op in term.operands if op.rank for factor in _scalar_factors(op, depth - 1)]


def _divided(term: Node, factor: Node, depth: int) -> Node | None:
    """A product without one of its scalar factors, or None where it is no factor."""
    if not isinstance(term, Einsum) or not depth:
        return None
    for k, (operand, own) in enumerate(zip(term.operands, term.labels, strict=True)):
        if operand is factor:
            operands, labels = [*term.operands], [*term.labels]
            del operands[k], labels[k]
            return einsum(operands, labels, term.out)
        inner = _divided(operand, factor, depth - 1) if own else None
        if inner is not None:
            return einsum([*term.operands[:k], inner, *term.operands[k + 1 :]], term.labels, term.out)
    return None


def flatten_sum(node: Node, around: Surroundings) -> Node | None:
    """a + w (b + c) -> a + w b + w c, where nothing else reads the inner sum."""
    assert isinstance(node, Add)
    if len(node.terms) == 1:
        return None
    terms: list[Node] = []
    weights: list[Number] = []
    for term, weight in zip(node.terms, node.weights, strict=True):
        if isinstance(term, Add) and around.once(term):
            terms += term.terms
            weights += [exact(weight * inner) for inner in term.weights]
        else:
            terms.append(term)
            weights.append(weight)
    return None if len(terms) == len(node.terms) else add(terms, weights)


def difference_of_exponential(node: Node, _: Surroundings) -> Node | None:
    """w exp(x) - w -> w expm1(x)."""
    assert isinstance(node, Add)
    if len(node.terms) != 2:
        return None
    for k in (0, 1):
        one, other = node.terms[k], node.terms[1 - k]
        if as_number(one) == 1 and isinstance(other, Map) and other.fn == "exp":
            if node.weights[k] == -node.weights[1 - k]:
                return scale(Map("expm1", other.args), node.weights[1 - k])
    return None


def _is_map(node: Node, fn: str) -> bool:
    return isinstance(node, Map) and node.fn == fn


def _split_one(node: Node) -> Node | None:
    """The rest of a sum `1 + rest`, or None."""
    if not isinstance(node, Add) or len(node.terms) < 2:
        return None
    for k, (term, weight) in enumerate(zip(node.terms, node.weights, strict=True)):
        if weight == 1 and as_number(term) == 1:
            return add(node.terms[:k] + node.terms[k + 1 :], node.weights[:k] + node.weights[k + 1 :])
    return None


def logarithms(node: Node, _: Surroundings) -> Node | None:
    """log(exp x), log(1 + exp x), log(1 + x), log(exp a + exp b), log(sum exp x) in their stable forms."""
    assert isinstance(node, Map)
    if node.fn == "log1p" and _is_map(node.args[0], "exp"):
        return Map("softplus", node.args[0].args)  # type: ignore[attr-defined]
    if node.fn == "log1p" and _is_map(node.args[0], "expm1") and not node.is_complex:
        return node.args[0].args[0]  # type: ignore[attr-defined, no-any-return]
    if node.fn == "log1p" and not node.is_complex and (negated := _negated_sigmoid(node.args[0])) is not None:
        return scale(Map("softplus", (negated,)), -1)
    if node.fn != "log":
        return None
    match node.args[0]:
        case Map("exp", (x,)) if not x.is_complex:  # the logarithm of complex numbers forgets turns
            return x
        case Map("sigmoid", (x,)) if not x.is_complex:
            return scale(Map("softplus", (scale(x, -1),)), -1)
        case Add((Map("exp", (a,)), Map("exp", (b,))), weights) if weights == (1, 1):
            return Map("logaddexp", (a, b))
        case Add() as total if (rest := _split_one(total)) is not None:
            return Map("log1p", (rest,))
        case Einsum((Map("exp", (x,)),), (term,), out) if len(set(term)) == len(term) and len(set(out)) == len(out):
            summed = [axis for axis, label in enumerate(term) if label not in out]
            if not summed:
                return None
            kept = [label for label in term if label in out]
            return permute(reduce("logsumexp", x, summed), [out.index(label) for label in kept])
        case _:
            return None


def _negated_sigmoid(node: Node) -> Node | None:
    """x where a node is -sigmoid(x)."""
    if isinstance(node, Add) and node.weights == (-1,) and isinstance(inner := node.terms[0], Map):
        return inner.args[0] if inner.fn == "sigmoid" else None
    return None


def exponentials(node: Node, _: Surroundings) -> Node | None:
    """exp(log x) -> x, expm1(log1p x) -> x, where x is never negative: the logarithm of a negative number is NaN."""
    assert isinstance(node, Map)
    for outer, inner in (("exp", "log"), ("expm1", "log1p")):
        if node.fn == outer and _is_map(node.args[0], inner):
            (x,) = node.args[0].args  # type: ignore[attr-defined]
            return x if never_negative(x) else None
    return None


def powers(node: Node, _: Surroundings) -> Node | None:
    """x^1 -> x, x^0 -> 1, (x^a)^n -> x^(a n), (c x)^n -> c^n x^n, |x|^2 -> x^2, 1/(1 + exp x) -> sigmoid(-x)."""
    assert isinstance(node, Map)
    if node.fn != "power" or not isinstance(node.args[1], Const):
        return None
    base, exponent = node.args[0], node.args[1].value
    if exponent == 1:
        return base
    if exponent == 0:
        return ones(node.shape)
    if exponent == -1 and (rest := _split_one(base)) is not None and _is_map(rest, "exp"):
        return Map("sigmoid", (scale(rest.args[0], -1),))  # type: ignore[attr-defined]
    if not is_whole(exponent) or not isinstance(exponent, Fraction):
        return None
    if _is_map(base, "abs") and exponent % 2 == 0 and not base.args[0].is_complex:  # type: ignore[attr-defined]
        return power(base.args[0], exponent)  # type: ignore[attr-defined]
    if isinstance(base, Map) and base.fn == "power" and isinstance(base.args[1], Const):
        inner, outer = base.args[1].value, exact(base.args[1].value * exponent)
        if is_whole(inner) or not is_whole(outer) or never_negative(base.args[0]):
            return power(base.args[0], outer)
    if isinstance(base, Add) and len(base.terms) == 1:
        weight = evaluate_power(base.weights[0], exponent)
        if weight is not None:
            return scale(power(base.terms[0], exponent), weight)
    return None


def fold_numbers(node: Node, _: Surroundings) -> Node | None:
    """A function of numbers alone is a number where that is exact, and is applied before it is broadcast."""
    assert isinstance(node, Map)
    numbers = [as_number(arg) for arg in node.args]
    if all(number is not None for number in numbers):
        value = _exact_value(node.fn, numbers)  # type: ignore[arg-type]
        if value is not None:
            return fill(node.shape, value)
        if node.rank:
            small = Map(node.fn, tuple(Const(number) for number in numbers if number is not None))
            return broadcast(small, node.shape, ())
        return None
    args = [arg if number is None else Const(number) for arg, number in zip(node.args, numbers, strict=True)]
    return rebuild(node, args) if tuple(args) != node.args else None


_COMPARISONS: dict[str, Callable[[Number, Number], bool]] = {
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}

_AT_ZERO = {
    **dict.fromkeys(("exp", "cos", "cosh"), Fraction(1)),
    **dict.fromkeys(("sin", "tan", "sinh", "tanh", "arcsin", "arctan", "expm1", "log1p", "erf"), Fraction(0)),
    **dict.fromkeys(("abs", "sign", "relu"), Fraction(0)),
}


def _exact_value(fn: str, numbers: Sequence[Number]) -> Number | None:
    if fn == "power":
        return evaluate_power(numbers[0], numbers[1])
    if fn in _COMPARISONS:
        return Fraction(int(_COMPARISONS[fn](numbers[0], numbers[1])))
    if numbers == [0]:
        return _AT_ZERO.get(fn)
    if numbers == [1] and fn in ("log", "log2", "log10"):
        return Fraction(0)
    return None


def trivial_choice(node: Node, _: Surroundings) -> Node | None:
    """where(c, x, x) -> x, and zero chosen on both sides is zero."""
    assert isinstance(node, Map)
    if node.fn != "where":
        return None
    condition, a, b = node.args
    if a is b:
        return a if not isinstance(a, Const) else fill(node.shape, a.value)
    if is_zero(a) and is_zero(b):
        return zeros(node.shape)
    chosen = as_number(condition)
    if chosen is None:
        return None
    taken = a if chosen != 0 else b
    return fill(node.shape, taken.value) if isinstance(taken, Const) else taken
