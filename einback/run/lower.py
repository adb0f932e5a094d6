"""Lowering: a plan becomes a routine, node by node in the plan's order.

Views and numbers become values and never a statement; each computed node becomes a pending expression, and the
node that heads a step gets a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from einback.ir.nodes import Add, Delta, Einsum, Input, Map, Matrix, Node, Number, Ones, Range, Reduce, Window
from einback.ir.walk import children, inputs_of
from einback.plan.binding import resolve
from einback.plan.dtypes import HALF, SINGLE, DType
from einback.plan.factorisations import is_divisor, solver
from einback.plan.grouping import operands
from einback.plan.numbers import times
from einback.plan.plan import Plan
from einback.plan.views import is_embedding, relation_at
from einback.run.casting import cast, literal, number_value, typed
from einback.run.contraction import contract
from einback.run.elementwise import add, scale
from einback.run.emitter import Emitter
from einback.run.functions import apply, power
from einback.run.linalg import apply_matrix, solve
from einback.run.reduction import add_embedded, embed, reduce, total
from einback.run.related import Related
from einback.run.steps import Call, DTypeName, Expr, Index, Literal, Method, Parameter, Ref, Routine
from einback.run.values import Labels, Term, Value, array, dense, laid
from einback.run.walking import refs

__all__ = ["lower"]


def lower(
    plan: Plan,
    inputs: Sequence[Input],
    arrays: Mapping[str, DType],
    wanted: Sequence[DType],
    *,
    device: bool = False,
    cutensor: bool = False,
) -> Routine:
    """The routine of a plan, its parameters in the order of `inputs`; result k has the dtype `wanted[k]`.

    For a `device`, operations stay apart, to be fused where they meet; with `cutensor`, contractions that cuBLAS
    needs copies for stay whole.
    """
    return _Lowering(plan, arrays, Emitter(device, cutensor)).routine(inputs, wanted)


class _Lowering:
    def __init__(self, plan: Plan, arrays: Mapping[str, DType], emitter: Emitter) -> None:
        self._plan, self._arrays, self._emitter = plan, arrays, emitter
        self._values: dict[Node, Value] = {}
        self._related = Related(self._emitter, plan, self._value)
        self._uses = Counter(plan.base[root] for root in plan.roots if root in plan.base)
        for step in plan.steps:
            for node in step.nodes:
                self._uses.update(operands(node, plan.base))

    def routine(self, inputs: Sequence[Input], wanted: Sequence[DType]) -> Routine:
        read = set(inputs_of(self._plan.roots))
        parameters = tuple(self._parameter(tensor) for tensor in inputs if tensor in read)
        for k, step in enumerate(self._plan.steps):
            for node in step.nodes:
                self._values[node] = self._computed(node)
            head = self._named(step.node)
            assert isinstance(head.expr, Ref)
            self._emitter.close(step.node, head.expr.register, last=k == len(self._plan.steps) - 1)
        handed: set[int] = set()
        results = tuple(self._result(root, dtype, handed) for root, dtype in zip(self._plan.roots, wanted, strict=True))
        return Routine(
            parameters,
            tuple(self._emitter.blocks),
            results,
            tuple(self._emitter.registers),
            self._emitter.kinds,
            tuple(self._emitter.helpers),
            any(dtype.kind in "fc" for dtype in self._plan.dtypes.values()),
        )

    def _parameter(self, tensor: Input) -> Parameter:
        shape, dtype = resolve(tensor.sizes, self._plan.sizes), self._arrays[tensor.name]
        register = self._emitter.parameter(tensor, shape, dtype)
        self._values[tensor] = Value(Ref(register), shape, dtype, tuple(range(len(shape))), row_major=not shape)
        return Parameter(tensor, register, shape, dtype)

    def _named(self, node: Node) -> Value:
        """The node that heads a step, in a register of its own."""
        value, uses = self._values[node], self._uses[node]
        if not (value.plain and isinstance(value.expr, Ref) and self._emitter.adopt(value.expr.register, node, uses)):
            if value.named and value.shape:  # another's array: the step is the identity
                value = replace(value, expr=Method(value.expr, "copy"), row_major=True)
            value = self._emitter.settled(value, node, uses)
        self._values[node] = value
        return value

    # values

    def _value(self, node: Node) -> Value:
        """An array as it is read by others: computed before, given, or a view of one of these."""
        waiting = []
        while node not in self._values:
            waiting.append(node)
            node = next(child for child in children(node) if not isinstance(child, Ones | Window))
        value = self._values[node]
        for view in reversed(waiting):
            assert isinstance(view, Einsum)
            value = self._values[view] = self._related.view(value, view)
        return value

    def _computed(self, node: Node) -> Value:
        dtype = self._plan.dtypes[node]
        if dtype != HALF or not any(self._value(k).dtype == SINGLE for k in children(node) if k in self._plan.base):
            return self._computed_in(node, dtype)
        value = self._computed_in(node, SINGLE)  # 16-bit entries meet a 32-bit sum
        return cast(value, dtype) if value.dtype == SINGLE else value

    def _computed_in(self, node: Node, dtype: DType) -> Value:
        match node:
            case Einsum():
                return self._einsum(node, dtype)
            case Add():
                pairs = list(zip(node.terms, node.weights, strict=True))
                numbers = self._plan.numbers
                constant: Number = Fraction(0)
                for term, weight in pairs:
                    constant = constant + times(weight, numbers[term]) if term in numbers else constant
                terms = [(self._value(term), weight) for term, weight in pairs if term in self._plan.base]
                total = add(self._emitter, terms, constant, dtype)
                for term, weight in pairs:
                    if term not in self._plan.base and term not in numbers:
                        total = self._added(cast(total, dtype), term, weight)
                return total
            case Map():
                return self._map(node, dtype)
            case Reduce():
                shape = resolve(node.arg.shape, self._plan.sizes)
                return reduce(self._emitter, node.fn, dense(self._filled(node.arg, dtype), shape), node.axes, dtype)
            case Matrix():
                return self._matrix(node, dtype)
            case Range():
                (length,) = resolve(node.shape, self._plan.sizes)
                counted = array(Call("np.arange", (Literal(length),)), (length,), dtype, row_major=True)
                return self._emitter.settled(counted) if self._emitter.device else counted
            case Delta():
                shape = resolve(node.shape, self._plan.sizes)
                return embed(self._emitter, *self._embedded(node, dtype), lengths=shape, dtype=dtype)
            case _:
                raise TypeError(f"unknown node {type(node).__name__}")

    def _added(self, total: Value, term: Node, weight: Number) -> Value:
        """An array that no others have seen yet, with weight * a scatter or a diagonal added into it."""
        own = self._related.own(total, resolve(term.shape, self._plan.sizes))
        if is_embedding(term):
            add_embedded(self._emitter, own, *self._embedded(term, own.dtype), weight)
        else:
            assert isinstance(term, Einsum)
            self._related.add_into(own, term, weight)
        return own

    def _embedded(self, node: Node, dtype: DType) -> tuple[Term, Labels]:
        """What a diagonal holds, and the labels of the array that it is written to."""
        if isinstance(node, Delta):
            return Term(number_value(Fraction(1), 1, dtype), (0,)), (0, 0)
        assert isinstance(node, Einsum)
        ((operand, labels),) = _tensors(node)
        return Term(self._argument(operand, len(labels), dtype), labels), node.out

    def _einsum(self, node: Einsum, dtype: DType) -> Value:
        lengths = resolve(node.sizes, self._plan.sizes)
        k = solver(node)
        if k is not None:
            return self._solve(node, k, lengths, dtype)
        if relation_at(node) is not None:
            return self._related.computed(node, dtype)
        terms = _tensors(node)
        if len(terms) == 2:
            return self._pair(terms, node.out, lengths, dtype)
        if is_embedding(node):
            return embed(self._emitter, *self._embedded(node, dtype), lengths=lengths, dtype=dtype)
        ((operand, labels),) = terms
        term = Term(self._argument(operand, len(labels), dtype), labels)
        return total(self._emitter, term, node.out, lengths=lengths, dtype=dtype)

    def _pair(self, terms: Sequence[tuple[Node, Labels]], out: Labels, lengths: Sequence[int], dtype: DType) -> Value:
        for (operand, labels), (other, _) in (terms, terms[::-1]):
            if other in self._plan.numbers:
                scaled = Term(self._value(operand), labels).over(out)
                return scale(self._emitter, scaled, self._plan.numbers[other], dtype)
        a, b = (Term(self._value(operand), labels) for operand, labels in terms)
        return contract(self._emitter, (a, b), out, lengths=lengths, dtype=dtype)

    def _solve(self, node: Einsum, k: int, lengths: Sequence[int], dtype: DType) -> Value:
        divisor, right = node.operands[k], node.operands[1 - k]
        assert isinstance(divisor, Matrix)
        kept = self._filled(divisor.arg, dtype) if is_divisor(divisor) else self._value(divisor)
        terms = Term(kept, node.labels[k]), Term(self._filled(right, dtype), node.labels[1 - k])
        return solve(self._emitter, divisor.fn, terms, node.out, lengths=lengths, dtype=dtype)

    def _matrix(self, node: Matrix, dtype: DType) -> Value:
        given = node.arg.arg if isinstance(node.arg, Matrix) and is_divisor(node.arg) else node.arg
        arg = dense(self._filled(given, dtype), resolve(given.shape, self._plan.sizes))
        return apply_matrix(self._emitter, node, arg, resolve(node.shape, self._plan.sizes), dtype)

    def _map(self, node: Map, dtype: DType) -> Value:
        rank = node.rank
        args = [self._argument(arg, rank, dtype) for arg in node.args]
        exponent = self._plan.numbers.get(node.args[-1])
        if node.fn == "power" and exponent is not None and node.args[0] not in self._plan.numbers:
            return power(self._emitter, args[0], exponent, dtype)
        return apply(self._emitter, node.fn, args, dtype)

    def _argument(self, node: Node, rank: int, dtype: DType) -> Value:
        """A node as an operand, where a number stands for itself."""
        number = self._plan.numbers.get(node)
        return self._value(node) if number is None else number_value(number, rank, dtype)

    def _filled(self, node: Node, dtype: DType) -> Value:
        """A node as an array, even where it is a number."""
        if node not in self._plan.numbers:
            return self._value(node)
        shape = resolve(node.shape, self._plan.sizes)
        number = typed(literal(self._plan.numbers[node], dtype), dtype)
        return array(Call("np.full", (Literal(shape), number)), shape, dtype, row_major=True)

    # results

    def _result(self, root: Node, dtype: DType, handed: set[int]) -> Expr:
        """A result as a fresh array in C order, or a scalar, that shares memory with nothing else."""
        shape = resolve(root.shape, self._plan.sizes)
        if root in self._plan.numbers:
            number = literal(self._plan.numbers[root], dtype)
            if not shape:
                return typed(number, dtype)
            return Call("np.full", (Literal(shape), number), (("dtype", DTypeName(dtype)),))
        value = self._value(root)
        if not shape:
            return self._scalar_result(value, dtype)
        whole = dense(value, shape)
        expr = laid(whole, range(len(shape)))
        if value.dtype != dtype:
            expr = cast(Value(expr, shape, value.dtype, tuple(range(len(shape)))), dtype).expr
            assert isinstance(expr, Method)
            return Method(expr.operand, "astype", expr.args, (("order", Literal("C")),))
        register = next(refs(expr))
        owned = isinstance(value.expr, Ref) and self._emitter.owns(register)
        if whole is not value or register in handed or not owned:
            return Method(expr, "copy")
        handed.add(register)
        if isinstance(expr, Ref) and value.row_major:
            return expr
        return Call("np.ascontiguousarray", (expr,))

    def _scalar_result(self, value: Value, dtype: DType) -> Expr:
        if value.dtype != dtype:
            return cast(value, dtype).expr
        if not isinstance(value.expr, Ref):  # an entry that is picked
            return value.expr
        if self._emitter.makes_scalar(value.expr.register):
            return value.expr
        if dtype.kind == "O":  # Python's integers are no arrays
            return Index(Call("np.asarray", (value.expr,), (("dtype", DTypeName(dtype)),)), ())
        return Index(value.expr, ())


def _tensors(node: Einsum) -> list[tuple[Node, Labels]]:
    """The operands of a product but for ones, unless these are all."""
    terms: list[tuple[Node, Labels]] = list(zip(node.operands, node.labels, strict=True))
    return [term for term in terms if not isinstance(term[0], Ones)] or terms[:1]
