"""Results: arrays that are new at each call, in C order, and share memory with nothing.

Large ones are made anew only where the caller still holds those of earlier calls: the pages of new memory cost more
than the arithmetic that fills them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import prod

import numpy as np

from einback.plan.dtypes import DType
from einback.run.flatten import Flattened
from einback.run.kinds import as_operator, ufunc
from einback.run.steps import (
    Assign,
    Call,
    DTypeName,
    Expr,
    Fill,
    Into,
    Kind,
    Launch,
    Literal,
    Method,
    Ref,
    Run,
    Sliced,
    Statement,
    Template,
    Transposed,
)
from einback.run.views import base_of, is_view
from einback.run.walking import changed, refs

__all__ = ["Handed"]

_LARGE, _HUGE = 1 << 17, 1 << 26  # bytes of arrays that are given out again; larger ones are not kept between calls


class Handed:
    """What a routine hands out: `fresh` says how its arrays are created, by root; `results` are as they are read."""

    def __init__(self, flat: Flattened, name: Callable[[int], int], pinned: Collection[int]) -> None:
        self._flat, self._name = flat, name
        self._natural: set[int] = set()  # arrays that NumPy's functions make, in an order that is seen to at the end
        self.fresh: dict[int, list[Statement]] = {}
        self.results: list[Expr] = []
        self.prepared: list[Statement] = []
        self.static: set[int] = set()  # results whose arrays are there before a call
        self.helpers: tuple[str, ...] = ()
        whole = self._written_whole()
        first = whole & self._elementwise_first()
        for result in flat.results:
            view, axes = _order_of(result)
            root = self._flat.root(view.register) if view is not None else -1
            kind = self._flat.kinds.get(root)
            other = view is not None and self._flat.array(view.register) != root
            taken = other or root in self.fresh or root in self.static
            if view is None or taken or root not in self._flat.written or root in pinned or kind is None:
                self.results.append(self._copied(result))
                continue
            assert isinstance(kind.dtype, np.dtype)
            empty = tuple(kind.shape[k] for k in axes) if axes else kind.shape
            made = self._created(empty, kind.dtype)
            if self._flat.static and not axes:
                self.prepared.append(Assign(self._name(root), made))
                self.static |= {root, self._name(root)}
                self.results.append(view)
            elif not axes:
                self.fresh[root] = [Assign(self._name(root), made)]
                natural = root in first and result is not view and isinstance(made, Call)
                self.results.append(result if natural else view)
                self._natural |= {self._name(root)} if natural or (root in first and len(kind.shape) == 1) else set()
            elif root in whole:
                array = self._flat.register(Kind(empty, kind.dtype))
                back = tuple(sorted(range(len(axes)), key=axes.__getitem__))
                self.fresh[root] = [Assign(array, made), Assign(self._name(root), Transposed(Ref(array), back))]
                self.results.append(Ref(array))
            else:
                self.results.append(self._copied(result))

    def _created(self, shape: tuple[int, ...], dtype: DType) -> Expr:
        """A new array, or one of an earlier call that nobody holds any more."""
        kind = Literal(shape), DTypeName(dtype)
        if self._flat.device or not _LARGE <= prod(shape) * dtype.itemsize <= _HUGE:
            return Call("np.empty", kind)
        maker = self._flat.register(Kind((), object))
        self.prepared.append(Assign(maker, Call("results", kind)))
        self.helpers = (_RESULTS,)
        return Template("{0}()", (Ref(maker),))

    def made(self, array: int, writing: list[Statement]) -> list[Statement]:
        """The statements that create a result and first write into it; one, where it is NumPy's own result."""
        creation = self.fresh[array]
        match creation, writing:
            case [Assign(root)], [Fill(Ref(target), Literal(0))] if target == root:
                kind = self._flat.kinds[root]
                assert isinstance(kind.dtype, np.dtype)
                return [Assign(root, Call("np.zeros", (Literal(kind.shape), DTypeName(kind.dtype))))]
            case [Assign(_, Template()), *_], _:
                pass
            case [Assign(root)], [Into("dot", (left, right), Ref(target))] if target == root:
                return [Assign(root, Method(left, "dot", (right,)))]
            case [Assign(root)], [Into(function, args, Ref(target), ())] if target == root and root in self._natural:
                if ufunc(function) is not None:
                    return [Assign(root, as_operator(function, args))]
        return [*creation, *writing]

    def _copied(self, result: Expr) -> Expr:
        """A result that would show memory of the workspace as a copy; in C order, as all results."""
        match result:
            case Ref(register) if self._flat.root(register) in self._flat.written:
                return Method(result, "copy")
            case Call("np.ascontiguousarray", (operand,)) if is_view(operand):
                base = base_of(operand)
                inside = base is not None and self._flat.root(base) in self._flat.written
                return Method(operand, "copy") if inside else result
            case _:
                return result

    def _elementwise_first(self) -> set[int]:
        """The arrays that an elementwise function writes first: NumPy's own result may lie in another order."""
        seen: dict[int, bool] = {}
        for statement in (s for block in self._flat.blocks for s in block):
            for register in changed(statement):
                match statement:
                    case Into(function, _, Ref(), ()):
                        seen.setdefault(self._flat.root(register), function not in ("dot", "np.matmul", "np.vecdot"))
                    case _:
                        seen.setdefault(self._flat.root(register), False)
        return {root for root, elementwise in seen.items() if elementwise}

    def _written_whole(self) -> set[int]:
        """The arrays that are only ever written as a whole, so that their axes may lie in any order."""
        found = set(self._flat.written)
        for statement in (s for block in self._flat.blocks for s in block):
            match statement:
                case Into("dot", _, out):  # which writes in C order only
                    found.difference_update(self._flat.root(register) for register in refs(out))
                case Into(_, _, out) | Fill(out) if not isinstance(out, Ref):
                    found.difference_update(self._flat.root(register) for register in refs(out))
                case Sliced() | Run() | Launch():
                    found.difference_update(self._flat.root(register) for register in changed(statement))
        return found


def _order_of(result: Expr) -> tuple[Ref | None, tuple[int, ...]]:
    """The array that a result is made of, if it is one as it stands or with its axes in another order."""
    match result:
        case Ref():
            return result, ()
        case Call("np.ascontiguousarray", (Ref() as array,), ()):
            return array, ()
        case Call("np.ascontiguousarray", (Transposed(Ref() as array, axes),), ()):
            return array, axes
        case _:
            return None, ()


_RESULTS = '''
def results(shape, dtype):
    """Makes arrays: an earlier one again, where nobody holds it any more."""
    kept = [np.empty(shape, dtype)]

    def held():
        return [sys.getrefcount(array) for array in kept]

    counts = getattr(sys, "_is_gil_enabled", lambda: True)()  # else they are not exact
    alone = held()[0] if counts else -1

    def new():
        for k, count in enumerate(held()):
            found = kept[k]
            if count == alone and found.shape == shape and found.dtype == dtype and found.flags.writeable:
                return found
        made = np.empty(shape, dtype)
        if len(kept) < 2:
            kept.append(made)
        return made

    return new
'''
