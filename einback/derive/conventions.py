"""Which derivative is meant, where there is a choice: at complex tensors, and at tensors with facts.

Inside, cotangents are plain: g stands for the change Re(g dx), entry by entry. What the caller gets is, by default,

    complex z = x + iy     dL/dx + i dL/dy, the direction of steepest ascent: the conjugate of g
    symmetric S            (g + g') / 2, which is symmetric
    diagonal D             g on the diagonal, 0 elsewhere
    lower triangular L     g on and below the diagonal, 0 above
    orthogonal Q           (g - Q g' Q) / 2, which is tangent to the orthogonal matrices at Q
    stochastic Y           g minus its mean along the last axis, so that each row sums to zero

Each is the one array G of the tensor's own kind for which Re sum(conj(G) dx) is the change for every dx that keeps
the fact: the gradient in the Frobenius product (Srinivasan & Panda, What is the gradient of a scalar function of
a symmetric matrix?, Indian J. Pure Appl. Math. 54, 2023; for Q: Edelman, Arias & Smith, SIAM J. Matrix Anal. Appl. 20,
1998). Two switches choose otherwise: `conjugate` gives dL/dx - i dL/dy at complex tensors, and `independent` the
derivatives by the entries on and below the diagonal alone, at symmetric ones g + g' - diag(g).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einback.errors import DerivativeError
from einback.ir.build import add, broadcast, const, einsum, permute, scale
from einback.ir.nodes import Input, Map, Matrix, Node, Range, Reduce
from einback.ir.walk import children, depends_on, postorder
from einback.rules.composite import mean
from einback.rules.scalar import row

__all__ = [
    "DEFAULT",
    "Convention",
    "arriving",
    "by_entries",
    "check_curvature",
    "check_holomorphic",
    "check_real",
    "outward",
    "tangent",
]


@dataclass(frozen=True, slots=True)
class Convention:
    """The choices; all false is the gradient."""

    conjugate: bool = False
    independent: bool = False


DEFAULT = Convention()


def arriving(cotangent: Node, y: Node, how: Convention) -> Node:
    """A caller's cotangent of y as a plain one."""
    return Map("conj", (cotangent,)) if y.is_complex and not how.conjugate else cotangent


def outward(g: Node, x: Node, how: Convention) -> Node:
    """The plain cotangent of x as the caller gets it."""
    return by_entries(Map("conj", (g,)) if x.is_complex and not how.conjugate else g, x, how)


def by_entries(g: Node, x: Node, how: Convention) -> Node:
    """Derivatives by all entries of x, its axes last, as derivatives that respect the facts of x."""
    if not isinstance(x, Input):
        return g
    facts = x.facts
    if "orthogonal" in facts:
        if how.independent:
            raise DerivativeError(f"the entries of {x.name}, which is orthogonal, are not independent")
        return _across(g, x)
    if "stochastic" in facts:
        if how.independent:
            raise DerivativeError(
                f"the entries of {x.name}, which is stochastic, are not independent",
                hint="each row sums to one, so that an entry moves only if others of its row do",
            )
        return _centred(g)
    if "diagonal" in facts:
        return _diagonal(g)
    if "lower" in facts:
        return _lower(g)
    if "symmetric" in facts:
        both = add([g, _turned(g)])
        return add([both, _diagonal(g)], [1, -1]) if how.independent else scale(both, 0.5)
    return g


def tangent(t: Node, x: Node) -> Node:
    """A tangent of x as far as it keeps the facts of x; of a real x it is real."""
    if t.is_complex and not x.is_complex:
        raise DerivativeError(f"{_name(x)} is real, and its tangent is complex", hint="take its real part first")
    return by_entries(t, x, DEFAULT)


def _turned(g: Node) -> Node:
    """The transpose in the last two axes."""
    *front, a, b = range(g.rank)
    return permute(g, (*front, b, a))


def _diagonal(g: Node) -> Node:
    """What stands on the diagonal of the last two axes, zeros elsewhere."""
    *front, a, _ = range(g.rank)
    return einsum([g], [(*front, a, a)], (*front, a, a))


def _lower(g: Node) -> Node:
    """What stands on and below the diagonal of the last two axes, zeros elsewhere."""
    rank, size = g.rank, g.shape[-1]
    row, column = (broadcast(Range(size), g.shape, [axis]) for axis in (rank - 2, rank - 1))
    return Map("where", (Map("greater_equal", (row, column)), g, const(0)))


def _across(g: Node, x: Node) -> Node:
    """(g - x g' x) / 2 in the last two axes; x has no others that g lacks."""
    *lead, a, b = range(g.rank)
    own = lead[len(lead) + 2 - x.rank :]
    turned = einsum([x, g, x], [(*own, a, "q"), (*lead, "p", "q"), (*own, "p", b)], range(g.rank))
    return add([g, turned], [0.5, -0.5])


def _centred(g: Node) -> Node:
    """g minus its mean along the last axis."""
    last = g.rank - 1
    return add([g, broadcast(mean(g, [last]), g.shape, range(last))], [1, -1])


# What has no answer in any convention


_REAL_PARTS = "declare the parts, a and b, as real tensors, and take derivatives of the program of complex(a, b)"


def check_real(y: Node) -> None:
    if y.is_complex:
        raise DerivativeError(
            "the gradient is that of a real scalar, and this one is complex",
            hint="take its real part, its imaginary part or its absolute value first: real(y), imag(y), abs(y)",
        )


def check_holomorphic(y: Node, x: Node) -> None:
    """Whether y has a complex derivative by a complex x: no conj, real, imag, abs on a way on which it moves with x."""
    if not x.is_complex:
        return
    active = depends_on([y], [x])
    reached = {y}
    for node in reversed(list(postorder([y]))):
        if node is x or node not in reached:
            continue
        moving = [child for k, child in enumerate(children(node)) if child in active and _moves(node, k)]
        if any(child.is_complex for child in moving) and not _is_holomorphic(node):
            assert isinstance(node, Map | Reduce | Matrix)
            raise DerivativeError(
                f"the tensor is made with {node.fn} of {_name(x)}: it has no complex derivative",
                hint=f"grad, vjp, jvp and hvp are defined; for a whole Jacobian, {_REAL_PARTS}",
            )
        reached.update(moving)


def _moves(node: Node, k: int) -> bool:
    """Whether a node moves with its k-th child: a comparison does not, nor a choice with its condition."""
    return not isinstance(node, Map) or row(node.fn).derivatives[k] is not None or bool(row(node.fn).parts)


def _is_holomorphic(node: Node) -> bool:
    """Whether a function of complex tensors has complex derivatives."""
    return node.is_complex and not (isinstance(node, Map) and row(node.fn).parts)


def check_curvature(sources: Sequence[Node], along: bool = False) -> None:
    """Whether second derivatives by these make a Hessian, or its product with a vector (`along`)."""
    for x in sources:
        if x.is_complex and not along:
            raise DerivativeError(
                f"{_name(x)} is complex: the second derivatives of a real scalar are no one complex matrix there",
                hint=f"hvp is defined; for a whole Hessian, {_REAL_PARTS}",
            )
        if isinstance(x, Input) and "orthogonal" in x.facts:
            raise DerivativeError(f"{x.name} is orthogonal: einback knows no second derivatives along curved sets")


def _name(x: Node) -> str:
    return x.name if isinstance(x, Input) else "the tensor"
