"""Flattening for a device: statements of one operation each, every result in an array of its own.

Nothing is overwritten and nothing is shared that NumPy would share to save a pass through memory: operations that meet
are fused later, and what is left over has its place in the workspace by liveness. Arrays without axes are arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einback.run.flatten import Flattened
from einback.run.kinds import kind_of
from einback.run.steps import Call, Expr, Fill, Into, Kind, Literal, Method, Transposed

__all__ = ["DeviceFlattened"]


class DeviceFlattened(Flattened):
    """The statements of a routine, for a device."""

    device = True

    def holds(self, kind: Kind | None) -> bool:
        return kind is not None and not isinstance(kind.dtype, type) and kind.dtype.kind != "O"

    def _write(self, expr: Expr, out: Expr, kind: Kind | None, *, fresh: bool = True) -> bool:
        match expr:
            case Call(function, args, keywords) if function.startswith("scalar."):
                self._statements.append(Into(function, tuple(map(self._operand, args)), out, keywords))
                return True
            case Call("gathered", (operand, ids, shared), ()):
                self._statements.append(Into("gathered", (self._operand(operand), self._operand(ids), shared), out))
                return True
            case Call("contracted", (pattern, left, right), ()):
                operands = tuple(map(self._operand, (left, right)))
                self._statements.append(Into("contracted", (pattern, *operands), out))
                return True
            case Call("np.arange", (Literal(),), ()):
                self._statements.append(Into("np.arange", (), out))
                return True
            case Call("np.vdot", (left, right), ()):
                self._statements.append(Into("np.vdot", (self._operand(left), self._operand(right)), out))
                return True
            case Call(_, (operand,), ()) if kind == Kind((), kind.dtype if kind else object) and self._is_cast(expr):
                self._statements.append(Fill(out, self._operand(operand)))
                return True
            case _:
                return super()._write(expr, out, kind, fresh=fresh)

    def _is_cast(self, expr: Call) -> bool:
        """Whether a call such as np.float32(x) makes an entry of another dtype."""
        return kind_of(expr, self.kinds) is not None and isinstance(
            getattr(np, expr.function.removeprefix("np."), None), type
        )

    def _elementwise(self, function: str, args: Sequence[Expr], out: Expr, kind: Kind | None, fresh: bool) -> bool:
        self._statements.append(Into(function, tuple(map(self._operand, args)), out))
        return True

    def _chosen(self, condition: Expr, yes: Expr, no: Expr, out: Expr, kind: Kind | None, fresh: bool) -> bool:
        self._statements.append(Into("np.where", tuple(map(self._operand, (condition, yes, no))), out))
        return True

    def _through_view(self, expr: Expr, out: Expr) -> bool:
        match expr:
            case Transposed(operand, axes):  # a product writes its rows, or its columns, at any distance
                kind = kind_of(operand, self.kinds)
                inverse = tuple(sorted(range(len(axes)), key=axes.__getitem__))
                return self.holds(kind) and self._write(operand, Transposed(out, inverse), kind)
            case _:
                return super()._through_view(expr, out)

    def _product(self, left: Expr, right: Expr, out: Expr) -> bool:
        self._statements.append(Into("np.matmul", (self._operand(left), self._operand(right)), out))
        return True

    def _reduction(self, expr: Method, out: Expr, kind: Kind | None) -> bool:
        inner = kind_of(expr.operand, self.kinds)
        words = dict(expr.keywords)
        start = {"sum": Literal(0), "prod": Literal(1)}.get(expr.name, words.get("initial"))
        if inner is not None and 0 in inner.shape and start is not None:  # over no entries
            self._statements.append(Fill(out, start))
            return True
        return super()._reduction(expr, out, kind)

    def _summed_by_blas(self, operand: Expr, inner: Kind, axis: Expr, out: Expr, kind: Kind | None) -> bool:
        return False
