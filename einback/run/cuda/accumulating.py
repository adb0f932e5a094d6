"""Products that scale and add: what follows a call of cuBLAS with a factor, or adds two of them, is done by these.

u = A @ B, v = u / n                 one call, with a factor of 1 / n
u = A @ B, w = C @ D, v = u - w      two calls: the second adds to what the first wrote, with a factor of -1
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from math import isfinite

from einback.run.arrays import Arrays
from einback.run.steps import Expr, Infix, Into, Launch, Literal, Ref, Statement
from einback.run.walking import changed, reads

__all__ = ["accumulated"]


def accumulated(statements: Sequence[Statement], arrays: Arrays, kept: Collection[int]) -> list[Statement | None]:
    """What stands in the place of each statement; arrays whose roots are in `kept` are wanted as they are."""
    return _Accumulating(statements, arrays, kept).made


class _Accumulating:
    def __init__(self, statements: Sequence[Statement], arrays: Arrays, kept: Collection[int]) -> None:
        self.made: list[Statement | None] = [*statements]
        self._arrays, self._kept = arrays, kept
        self._writers: defaultdict[int, list[int]] = defaultdict(list)
        self._readers: Counter[int] = Counter()
        for place, statement in enumerate(statements):
            for register in dict.fromkeys(map(arrays.root, changed(statement))):
                self._writers[register].append(place)
            self._readers.update(set(map(arrays.root, reads(statement))))
        for place, statement in enumerate(statements):
            match statement:
                case Into(function, (left, right), Ref(target)) if self._is_made_here(target):
                    if self._scaled(function, left, right, target) or self._added(function, left, right, target):
                        self.made[place] = None

    def _is_made_here(self, register: int) -> bool:
        own = register in self._arrays.written and self._arrays.root(register) == register
        return own and len(self._writers[register]) == 1

    def _product(self, expr: Expr, target: int) -> list[int]:
        """The places of the calls that make an array like the target, which nothing else reads."""
        if not isinstance(expr, Ref) or expr.register in self._kept or self._readers[expr.register] != 1:
            return []
        places = self._writers[expr.register]
        alone = all(isinstance(call := self.made[k], Launch) and call.scale is not None for k in places)
        alike = self._arrays.kinds.get(expr.register) == self._arrays.kinds.get(target)
        return places if alone and alike else []

    def _scaled(self, function: str, left: Expr, right: Expr, target: int) -> bool:
        """A product with a number."""
        factor, array = _number(right), left
        if function == "np.multiply" and factor is None:
            factor, array = _number(left), right
        elif function == "np.divide" and factor:
            factor = 1 / factor
        elif function != "np.multiply":
            return False
        places = self._product(array, target)
        if factor is None or not isfinite(factor) or not places:
            return False
        self._turn(places, target, factor, adds=False)
        self._writers[target] = places
        return True

    def _added(self, function: str, left: Expr, right: Expr, target: int) -> bool:
        """The sum or the difference of two products, one after the other."""
        if function not in ("np.add", "np.subtract") or left == right:
            return False
        first, second = self._product(left, target), self._product(right, target)
        if not first or not second:
            return False
        sign = -1.0 if function == "np.subtract" else 1.0
        if max(first) < min(second):
            self._turn(first, target, 1.0, adds=False)
            self._turn(second, target, sign, adds=True)
        elif max(second) < min(first):
            self._turn(second, target, sign, adds=False)
            self._turn(first, target, 1.0, adds=True)
        else:
            return False
        self._writers[target] = sorted([*first, *second])
        return True

    def _turn(self, places: Iterable[int], target: int, factor: float, adds: bool) -> None:
        """Let calls write into another array, with a factor, or add to what it holds."""
        for place in places:
            call = self.made[place]
            assert isinstance(call, Launch)
            assert call.scale is not None
            before, added = call.scale
            self.made[place] = replace(call, scale=(before * factor, added or adds), outs=(Ref(target),))


def _number(expr: Expr) -> float | None:
    match expr:
        case Literal(int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case Infix("/", Literal(int() | float() as above), Literal(int() | float() as below)) if below:
            return above / below
        case _:
            return None
