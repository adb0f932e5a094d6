"""Factorisations: which matrix is factored once for all that reads it, IR to IR, after the cut into pairs.

A pair that contracts inv(A) with B over one axis of A is a solve, and an inverse that is read by nothing but solves
is never formed. In what this pass returns, Matrix functions of plans alone stand for what a matrix is kept as:

    divisor      A itself: the pair that reads it is one call of NumPy's solve
    triangle     A itself, a lower triangle: the pair solves by substitution
    factor       a Cholesky factor of the symmetric A, or Q and R where A is not positive definite
    qr           Q and R of any A
    slogdet      the sign and the logarithm of the determinant
    eigh         the eigenvalues and the eigenvectors

The functions of A that remain (inv, det, logdet, sign, eigvalsh, eigvecs) read one of these in the place of A. NumPy
has no LU factors to share, and QR costs as much as four of its solves; so QR is shared only where calls of NumPy
one by one would cost nearly as much, while a symmetric matrix, whose factor costs half a solve, is always shared.
(Golub & Van Loan, Matrix Computations, 2013, sections 3.2, 4.2 and 5.2, for the counts of flops.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Final

from einback.ir.build import einsum
from einback.ir.nodes import Einsum, Input, Matrix, Node, Ones
from einback.ir.walk import children, postorder, rebuild
from einback.plan.binding import Sizes, resolve
from einback.rules.matrix import MATRIX_TABLE
from einback.rules.relations import is_relation
from einback.rules.symmetry import is_symmetric

__all__ = ["is_divisor", "matrix_elements", "matrix_flops", "plain", "share_factorisations", "solve_flops", "solver"]

_DIVISORS: Final = frozenset(["divisor", "triangle"])  # the matrix itself: nothing is computed
_SOLVERS: Final = _DIVISORS | {"factor", "qr"}
_DETERMINANTS: Final = ("det", "logdet", "sign")
_SLACK = Fraction(3, 2)  # what sharing may cost, measured by calls of NumPy one by one

# Flops in units of n^3.
_COSTS: Final = {"factor": Fraction(1, 3), "qr": Fraction(8, 3), "slogdet": Fraction(2, 3), "eigh": Fraction(9)}
_INVERSE_FROM: Final = {"factor": Fraction(2), "qr": Fraction(1), "triangle": Fraction(1)}
_SOLVE, _SIGN_OF_Q = Fraction(2, 3), Fraction(2, 3)  # beside what the right-hand sides cost


def is_divisor(node: Node) -> bool:
    """Whether a node stands for a given matrix that a pair solves with."""
    return isinstance(node, Matrix) and node.fn in _DIVISORS


def solver(node: Node) -> int | None:
    """The operand of a pair that it solves with, or None for other nodes."""
    if isinstance(node, Einsum):
        for k, operand in enumerate(node.operands):
            if isinstance(operand, Matrix) and operand.fn in _SOLVERS:
                return k
    return None


def plain(node: Node) -> Node:
    """A node that reads factors as what it computes: a product with an inverse, a function of the matrix itself."""
    match node:
        case Matrix(arg=Matrix(fn=kept, arg=a)) if kept not in MATRIX_TABLE:
            return Matrix(node.fn, a, node.keeps)
        case Einsum() if solver(node) is not None:
            return rebuild(
                node,
                [
                    Matrix("inv", op.arg, 2) if isinstance(op, Matrix) and op.fn in _SOLVERS else op
                    for op in node.operands
                ],
            )
        case _:
            return node


def share_factorisations(roots: Sequence[Node], image: Mapping[Node, Node], *, shared: bool) -> dict[Node, Node]:
    """The image of every node of a program that is cut into pairs, now with solves, and with shared factors.

    `shared` allows factors; complex matrices are not factored here.
    """
    order = list(postorder(image.values()))
    if not any(isinstance(node, Matrix) for node in order):
        return dict(image)
    symmetric = {image[node.arg] for node in postorder(image) if isinstance(node, Matrix) and is_symmetric(node.arg)}
    uses = _uses([image[root] for root in roots])
    rewriter = _Rewriter(uses, symmetric, shared)
    for node in order:
        rewriter.visit(node)
    return {node: rewriter.new[cut] for node, cut in image.items()}


@dataclass(slots=True)
class _Uses:
    """What is read of one matrix: how many solves, and which functions as they are."""

    solves: int = 0
    read: dict[str, None] = field(default_factory=dict)


def _uses(roots: Sequence[Node]) -> dict[Node, _Uses]:
    """By matrix, what a program that is cut into pairs reads of it."""
    order = list(postorder(roots))
    as_is: set[Node] = set(roots)
    uses: dict[Node, _Uses] = {}
    for node in order:
        if isinstance(node, Matrix):
            uses.setdefault(node.arg, _Uses())
        k = _divided(node)
        for m, child in enumerate(children(node)):
            if m != k:
                as_is.add(child)
            elif isinstance(child, Matrix):
                uses[child.arg].solves += 1
    for node in order:
        if isinstance(node, Matrix) and node in as_is:
            uses[node.arg].read[node.fn] = None
    return uses


def _divided(node: Node) -> int | None:
    """Which operand of a pair is an inverse that is contracted over one of its axes, the other one being kept.

    A sum over an axis of an inverse, or over both, counts too: it is a product with a vector of ones.
    """
    if not isinstance(node, Einsum) or len(node.operands) > 2:
        return None
    if len(node.operands) == 1:
        (inverse,), (own,) = node.operands, node.labels
        sums = isinstance(inverse, Matrix) and inverse.fn == "inv" and not set(own[-2:]) <= set(node.out)
        return 0 if sums and len(set(own)) == len(own) else None
    for k in (0, 1):
        inverse, other = node.operands[k], node.operands[1 - k]
        if not isinstance(inverse, Matrix) or inverse.fn != "inv" or isinstance(other, Ones) or is_relation(other):
            continue
        own, theirs = node.labels[k], node.labels[1 - k]
        summed = [label for label in own[-2:] if label in theirs and label not in node.out]
        kept = [label for label in own[-2:] if label in node.out and label not in theirs]
        if len(summed) == len(kept) == 1 and len(set(own)) == len(own) and len(set(theirs)) == len(theirs):
            return k
    return None


@dataclass(slots=True)
class _Rewriter:
    """Every node with what its matrices are kept as; `new` is by node, children first."""

    uses: Mapping[Node, _Uses]
    symmetric: set[Node]
    shared: bool
    new: dict[Node, Node] = field(default_factory=dict)

    def visit(self, node: Node) -> None:
        k = _divided(node)
        if isinstance(node, Einsum) and k is not None:
            self.new[node] = self._solve(node, k)
        elif isinstance(node, Matrix):
            self.new[node] = Matrix(node.fn, self._kept(node.arg, node.fn), node.keeps)
        else:
            kids = children(node)
            self.new[node] = rebuild(node, [self.new[child] for child in kids]) if kids else node

    def _kept(self, old: Node, fn: str) -> Node:
        """What a function of a matrix reads; `fn` is "solve" for a solve."""
        a, use = self.new[old], self.uses.get(old, _Uses())
        kind = ""
        if _is_triangle(a):
            kind = "triangle" if fn in ("solve", "inv") else ""
        elif fn in ("solve", "inv", *_DETERMINANTS) and self._pays(use, old in self.symmetric):
            kind = "factor" if old in self.symmetric else "qr"
        elif fn == "solve":
            kind = "divisor"
        elif fn in ("logdet", "sign") and use.read.keys() >= {"logdet", "sign"}:
            kind = "slogdet"
        elif fn in ("eigvalsh", "eigvecs") and use.read.keys() >= {"eigvalsh", "eigvecs"}:
            kind = "eigh"
        return Matrix(kind, a, 2) if kind else a

    def _pays(self, use: _Uses, symmetric: bool) -> bool:
        """Whether a factor of one matrix for all its readers costs no more than calls of NumPy, or not much more."""
        inverts, dets = "inv" in use.read, [fn for fn in _DETERMINANTS if fn in use.read]
        readers = use.solves + inverts + bool(dets)
        if not self.shared or readers < 2:
            return False
        kind = "factor" if symmetric else "qr"
        signed = kind == "qr" and dets not in ([], ["logdet"])
        together = _COSTS[kind] + inverts * _INVERSE_FROM[kind] + signed * _SIGN_OF_Q
        calls = 2 if "det" in dets and len(dets) > 1 else bool(dets)
        apart = use.solves * _SOLVE + inverts * MATRIX_TABLE["inv"].cost + calls * MATRIX_TABLE["det"].cost
        return symmetric or together <= _SLACK * apart

    def _solve(self, node: Einsum, k: int) -> Node:
        inverse, own = node.operands[k], node.labels[k]
        assert isinstance(inverse, Matrix)
        if inverse.arg in self.symmetric and own[-1] in node.out:
            own = (*own[:-2], own[-1], own[-2])  # A' is A: the same solve, however it was written
        operands = [self.new[operand] for operand in node.operands]
        operands[k] = self._kept(inverse.arg, "solve")
        labels = [own if m == k else term for m, term in enumerate(node.labels)]
        summed = tuple(label for label in own[:-2] if label not in node.out)
        if len(operands) == 1:
            over = own[-1] if own[-1] not in node.out else own[-2]
            operands.append(Ones(inverse.shape[-1]))
            labels.append((over,))
            summed += tuple(label for label in own[-2:] if label != over and label not in node.out)
        out = (*node.out, *summed)
        solved = einsum(operands, labels, out)
        return einsum([solved], [out], node.out) if summed else solved


def _is_triangle(node: Node) -> bool:
    return (isinstance(node, Matrix) and node.fn == "cholesky") or (isinstance(node, Input) and "lower" in node.facts)


# What these cost


def matrix_flops(node: Matrix, sizes: Sizes) -> int:
    """The flops of a function of matrices, or of a factorisation."""
    *batch, n, _ = resolve(node.arg.shape, sizes)
    known = node.arg.fn if isinstance(node.arg, Matrix) else ""
    if is_divisor(node):
        return 0
    if node.fn == "inv" and known in _INVERSE_FROM:
        return prod(batch) * int(_INVERSE_FROM[known] * n**3)
    if known == "qr" and node.fn in ("det", "sign"):
        return prod(batch) * int(_SIGN_OF_Q * n**3)
    if known in _COSTS:
        return prod(batch) * n
    cost = _COSTS[node.fn] if node.fn in _COSTS else MATRIX_TABLE[node.fn].cost
    return prod(batch) * int(cost * n**3)


def solve_flops(node: Einsum, sizes: Sizes, product: int) -> int:
    """The flops of a pair that solves, where `product` are those of a product in its place."""
    k = solver(node)
    divisor = node.operands[k] if k is not None else None
    if not isinstance(divisor, Matrix):
        return product
    match divisor.fn:
        case "divisor":
            *batch, n, _ = resolve(divisor.shape, sizes)
            return product + prod(batch) * int(_SOLVE * n**3)
        case "qr":
            return product + product // 2
        case "triangle":
            return product // 2
        case _:
            return product


def matrix_elements(node: Matrix, sizes: Sizes) -> int:
    """How many numbers a function of matrices, or a factorisation, keeps."""
    shape = resolve(node.shape, sizes)
    match node.fn:
        case "qr":
            return 2 * prod(shape)
        case "slogdet":
            return 2 * prod(shape[:-2])
        case "eigh":
            return prod(shape) + prod(shape[:-1])
        case _:
            return prod(shape)
