"""Derivatives of tensors, as tensors: gradients, Jacobians, Hessians, products with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from einback.api.conventions import chosen
from einback.api.structure import flatten, rebuild
from einback.api.tensor import Tensor, combine
from einback.derive import curvature, orders
from einback.errors import DerivativeError, ShapeError, did_you_mean
from einback.formula.subject import Derivative, Kind, Variable
from einback.ir.nodes import Input, Node
from einback.ir.sizes import Equality
from einback.ir.walk import postorder
from einback.notation.unify import distinct_names

__all__ = ["default_wrt", "gauss_newton", "grad", "hessian", "hvp", "jacobian", "jvp", "vjp"]


def grad(y: Tensor, wrt: Any = None, *, convention: str = "ascent", entries: str = "projected") -> Any:
    """The gradient of a real scalar: for each tensor of `wrt`, dy/dx with x's shape and dtype.

    `wrt` is a tensor, or a list, tuple or dict of them, and the result has the same structure; left out, it
    is the list of all parameters that layers made. An intermediate tensor may stand in `wrt` too.

    At a complex z = a + ib it is dy/da + i dy/db, the direction of steepest ascent, or dy/da - i dy/db with
    `convention="conjugate"` (Kreutz-Delgado, The Complex Gradient Operator and the CR-Calculus, 2009). At a tensor
    that is declared symmetric, diagonal, lower, orthogonal or stochastic it is the gradient among such tensors, or with
    `entries="independent"` what the entries on and below the diagonal change by themselves.
    Raises `DerivativeError` where y is not a real scalar, or x holds integers or is not part of y.

    >>> import einback as eb
    >>> x, A = eb.tensors("x[n] A[n,n]")
    >>> print(eb.grad(eb.einsum("i,ij,j->", x, A, x), x))
    dx[n] = A[n,i] x[i] + x[i] A[i,n]
    """
    _scalar(y, "gradient")
    wrt = default_wrt(y) if wrt is None else wrt
    sources = flatten(wrt, "wrt")
    _check_sources(y, sources)
    nodes = orders.gradient(y.node, [x.node for x in sources], chosen(convention, entries))
    return rebuild(wrt, [_like("gradient", node, x, y) for node, x in zip(nodes, sources, strict=True)])


def vjp(y: Tensor, x: Any, g: Tensor, *, convention: str = "ascent", entries: str = "projected") -> Any:
    """Pull back: sum over y's entries of g * dy/dx, for a tensor x or a structure of them; g has y's shape.

    The switches are those of `grad`. At complex tensors the result is the gradient of Re sum(conj(g) y); with
    `convention="conjugate"` nothing is conjugated, and it is g times the complex derivative where there is one.
    """
    sources = flatten(x, "x")
    _check_sources(y, sources)
    learned = _same_shape(y, g, "g", "the tensor")
    nodes = orders.pull(y.node, [one.node for one in sources], g.node, chosen(convention, entries))
    pulled = [
        _like("pullback", node, one, y, g, equalities=learned, along=(g,))
        for node, one in zip(nodes, sources, strict=True)
    ]
    return rebuild(x, pulled)


def jvp(y: Tensor, tangents: Mapping[Tensor, Tensor]) -> Tensor:
    """Push forward: sum over x of dy/dx * dx, for `{x: dx}`; each dx has the shape of its x.

    How y changes when every x moves along its dx: exact, and linear over the real numbers at complex tensors. Of a
    dx that breaks the facts of its x, the part that keeps them counts.
    """
    learned: frozenset[Equality] = frozenset()
    _check_sources(y, list(tangents))
    for x, dx in tangents.items():
        learned |= _same_shape(x, dx, "the tangent", x.name or "the tensor")
    node = orders.push(y.node, {x.node: dx.node for x, dx in tangents.items()})
    how = _derivative("pushforward", y, *tangents, along=list(tangents.values()))
    return combine(node, y.names, [y, *tangents.values()], equalities=learned, derivative=how)


def jacobian(y: Tensor, x: Tensor, *, entries: str = "projected") -> Tensor:
    """dy/dx: the axes of y, then the axes of x; `entries` as in `grad`.

    By a complex x, y has to have a complex derivative: conj, real, imag and abs of x are a `DerivativeError`.

    >>> import einback as eb
    >>> A, x = eb.tensors("A[m,n] x[n]")
    >>> print(eb.jacobian(A @ x, x))
    J[m,n] = A[m,n]
    """
    _check_sources(y, [x])
    names = distinct_names((*y.names, *x.names))
    node = orders.jacobian(y.node, x.node, chosen(entries=entries))
    return combine(node, names, [y], like=_input(x), derivative=_derivative("jacobian", y, x), origin=(y, x))


def hessian(y: Tensor, x: Any, z: Any = None, *, entries: str = "projected") -> Any:
    """d2y / dx dz of a scalar y: the axes of x, then those of z (x again if z is left out).

    For a list, tuple or dict of tensors x the result is a structure of blocks: for each tensor of x the structure
    of z with the blocks of that tensor, so that `hessian(y, {"W": W, "b": b})["W"]["b"]` is d2y / dW db. A block
    and its mirror image are derived once, and computed once where they are compiled together.

    >>> import einback as eb
    >>> x, A = eb.tensors("x[n] A[n,n]")
    >>> y = eb.einsum("i,ij,j->", x, A, x)
    >>> print(eb.hessian(y, x))
    H[n,n'] = A[n,n'] + A[n',n]
    >>> print(eb.hessian(y, [x, A])[0][1])
    H[n,n',n''] = δ[n,n'] x[n''] + δ[n,n''] x[n']
    """
    _scalar(y, "Hessian")
    z = x if z is None else z
    rows, columns = flatten(x, "x"), flatten(z, "z")
    _check_sources(y, [*rows, *columns])
    for one in rows:
        for other in columns:
            _check_independent(one, other)
    how = chosen(entries=entries)
    blocks = curvature.hessian_blocks(y.node, [one.node for one in rows], [one.node for one in columns], how)
    return _blocks("hessian", blocks, y, x, z)


def hvp(y: Tensor, x: Tensor, v: Tensor, *, convention: str = "ascent", entries: str = "projected") -> Tensor:
    """The Hessian of a scalar y times v, of x's shape, without forming the Hessian: how `grad` changes along v."""
    _scalar(y, "Hessian")
    _check_sources(y, [x])
    learned = _same_shape(x, v, "v", x.name or "the tensor")
    node = orders.hessian_vector(y.node, x.node, v.node, chosen(convention, entries))
    return _like("product", node, x, y, v, equalities=learned)


def gauss_newton(loss: Tensor, output: Tensor, x: Any) -> Any:
    """The Gauss-Newton matrix J' H J of a scalar loss: H = d2loss / doutput2, and J = doutput / dx.

    `output` is the tensor that the loss reads, such as a model's predictions; what the loss does with x beside it,
    such as weight decay, has no part in the result. For one tensor x the result has its axes twice, for a structure
    of tensors it has blocks as `hessian` has. Where the loss is convex in the output, the matrix is positive
    semidefinite (Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, Neural
    Computation 14, 2002). Where the loss is the negative logarithm of a density whose natural parameters are the
    output, as cross-entropy on logits and squared error on means are, it is the Fisher information matrix (Martens,
    New insights and perspectives on the natural gradient method, 2014).

    Raises `DerivativeError` where the loss is not a scalar, or does not read the output, or that does not read x.

    >>> import einback as eb
    >>> X, t, w = eb.tensors("X[n,d] t[n] w[d]")
    >>> f = X @ w
    >>> print(eb.gauss_newton(eb.sum((f - t) ** 2), f, w))
    G[d,d'] = 2 X[n,d] X[n,d']
    """
    _scalar(loss, "Gauss-Newton matrix")
    sources = flatten(x, "x")
    _check_sources(loss, [output])
    _check_sources(output, sources)
    for one in sources:
        for other in sources:
            _check_independent(one, other)
    blocks = curvature.gauss_newton(loss.node, output.node, [one.node for one in sources])
    return _blocks("gauss-newton", blocks, loss, x, x)


def _blocks(kind: Kind, blocks: Mapping[tuple[Node, Node], Node], y: Tensor, x: Any, z: Any) -> Any:
    """The blocks as tensors: in the structure of x, each the structure of z."""

    def block(one: Tensor, other: Tensor) -> Tensor:
        names = distinct_names((*one.names, *other.names))
        return combine(
            blocks[one.node, other.node],
            names,
            [y],
            like=_input(one),
            derivative=_derivative(kind, y, one, other),
        )

    columns = flatten(z, "z")
    return rebuild(x, [rebuild(z, [block(one, other) for other in columns]) for one in flatten(x, "x")])


def _like(
    kind: Kind,
    node: Node,
    x: Tensor,
    y: Tensor,
    *others: Tensor,
    equalities: frozenset[Equality] = frozenset(),
    along: Sequence[Tensor] = (),
) -> Tensor:
    """A derivative of y with the axes and the dtype of x."""
    return combine(
        node,
        x.names,
        [y, *others],
        name=f"d{x.name}" if x.name else "",
        like=_input(x),
        derivative=_derivative(kind, y, x, along=along),
        equalities=equalities,
        origin=(y, x) if kind == "gradient" else None,
    )


def _derivative(kind: Kind, y: Tensor, *by: Tensor, along: Sequence[Tensor] = ()) -> Derivative:
    of, *others = (Variable(one.name, one.names) for one in (y, *by, *along))
    return Derivative(kind, of, tuple(others[: len(by)]), tuple(others[len(by) :]))


def _input(x: Tensor) -> Input | None:
    return x.node if isinstance(x.node, Input) else None


def default_wrt(y: Tensor) -> list[Tensor]:
    """All parameters that layers made on the way to y."""
    found = y.parameters
    if not found:
        raise DerivativeError(
            "the tensor has no parameters to differentiate by", hint="name the tensors: grad(y, [W, b])"
        )
    return found


def _scalar(y: Tensor, what: str) -> None:
    if not isinstance(y, Tensor):
        raise DerivativeError(f"derivatives are taken of tensors, not of {type(y).__name__}")
    if y.ndim:
        shown = ",".join(map(str, y.shape))
        raise DerivativeError(
            f"the {what} is that of a scalar, and this tensor has the shape [{shown}]",
            hint="sum it first, or ask for the jacobian",
        )


def _check_sources(y: Tensor, sources: Sequence[Tensor]) -> None:
    """Whether derivatives of y by these make sense: tensors of floats that are part of y's program."""
    for x in sources:
        if not isinstance(x, Tensor):
            raise DerivativeError(f"derivatives are taken by tensors, not by {type(x).__name__}")
    known = {node.name: node for node in y.known().inputs}
    for x in sources:
        if isinstance(x.node, Input):
            if "integer" in x.node.facts:
                raise DerivativeError(f"{x.name} holds integers: there is no derivative by it")
            if known.get(x.node.name) is not x.node:
                hint = did_you_mean(x.name, known) or f"it is made from {', '.join(known)}"
                raise DerivativeError(f"the tensor does not depend on {x.name}", hint=hint)
    computed = {x.node: x for x in sources if not isinstance(x.node, Input)}
    if computed:
        for node in computed.keys() - set(postorder([y.node])):
            raise DerivativeError(
                f"{computed[node].name or 'an intermediate tensor'} is no part of the tensor that is differentiated",
                hint="a derivative is simplified and need not hold the intermediate tensors that led to it",
            )


def _check_independent(x: Tensor, z: Tensor) -> None:
    if x.node is not z.node and (x.node in set(postorder([z.node])) or z.node in set(postorder([x.node]))):
        raise DerivativeError(
            "one of the two tensors is computed from the other: they do not vary independently",
            hint="take the Hessian by tensors of which neither is part of the other",
        )


def _same_shape(x: Tensor, other: Tensor, what: str, whose: str) -> frozenset[Equality]:
    sizes = list(zip(x.shape, other.shape, strict=False))
    clash = any(a != b and isinstance(a, int) and isinstance(b, int) for a, b in sizes)
    if x.ndim != other.ndim or clash:
        shapes = [",".join(map(str, one.shape)) for one in (x, other)]
        raise ShapeError(f"{what} has the shape [{shapes[1]}], and {whose} has [{shapes[0]}]")
    return frozenset((a, b) for a, b in sizes if a != b)
