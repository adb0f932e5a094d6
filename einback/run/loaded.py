"""`Loaded`: a saved program as a callable, with the face that it had when it was compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from einback.errors import ArrayError, CompileError
from einback.ir.nodes import Input
from einback.run.executing import steps_in
from einback.run.facts import depends_on_entries
from einback.run.guards import checked_arrays, is_shape, refuse_missing, sorted_out
from einback.run.linalg import explained
from einback.run.pool import Steps
from einback.run.saved import Saved, SavedPlan, Specialisation

__all__ = ["Loaded"]

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A specialisation, the function that its source defines, and the sizes that no array tells."""

    saved: Specialisation
    steps: Steps
    untold: frozenset[str]

    def fits(self, given: Mapping[str, int]) -> bool:
        """Whether it is for some sizes, given that it is for the arrays."""
        told = all(self.saved.sizes.get(name) == length for name, length in given.items())
        return told and self.untold <= given.keys()

    def __call__(self, values: Mapping[str, Any]) -> Any:
        try:
            return self.steps(**{name: values[array] for name, array in self.saved.parameters.items()})
        except np.linalg.LinAlgError as error:
            raise explained(error, self.saved.source) from error
        except IndexError as reason:
            raise ArrayError(str(reason)) from None


class Loaded:
    """A saved program: it takes arrays of the shapes and dtypes that it was saved for, and compiles nothing."""

    def __init__(self, saved: Saved) -> None:
        self.saved = saved
        self._inputs = [Input(one.name, one.sizes, one.facts) for one in saved.inputs]
        self._made: dict[Key, list[_Ready]] = {}  # by the arrays
        for one in saved.specialisations:
            told = {size for tensor in self._inputs if tensor.name in one.shapes for size in tensor.sizes}
            self._latest = _Ready(one, steps_in(one.source, one.function), frozenset(one.given.keys() - told))
            self._made.setdefault(_key(one.shapes, one.dtypes), []).append(self._latest)
        self._fast: dict[Key, _Ready] = {}  # by the arrays exactly as they were passed
        objects = any("|O" in one.dtypes.values() for one in saved.specialisations)
        self._looks = objects or any(map(depends_on_entries, self._inputs))  # at the entries, at each call

    def __repr__(self) -> str:
        count = len(self.saved.specialisations)
        kinds = "one set of shapes" if count == 1 else f"{count} sets of shapes"
        return f"<saved program of {', '.join(map(str, self.saved.inputs))}: {kinds}>"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.saved,)

    def __call__(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> Any:
        values: dict[str, Any] = named if arrays is None else {**arrays, **named}
        plain = all(type(value) is np.ndarray for value in values.values())
        exact = tuple((name, value.shape, value.dtype) for name, value in values.items()) if plain else None
        made = self._fast.get(exact) if exact is not None else None
        if made is None:
            made, checked = self._prepared(values)
            as_passed = all(checked.get(name) is value for name, value in values.items())
            if exact is not None and as_passed and not self._looks:
                self._fast[exact] = made
            values = checked
        self._latest = made
        return made(values)

    def plan(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> SavedPlan:
        """The report of the plan for some arrays, shapes (tuples) or sizes (numbers); by default the latest one."""
        return self._looked_up({**(arrays or {}), **named}).plan

    def source(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> str:
        """The program as a standalone file; arguments as for `plan`. What is saved is the text for NumPy alone."""
        declared = {tensor.name for tensor in self._inputs}
        for keyword in ("target", "readable", "with_check", "function_name"):
            if keyword in named and keyword not in declared:
                raise CompileError(
                    f"a saved program holds one text, and {keyword} asks for another",
                    hint="take fn.source() of the program before it is saved",
                )
        return self._looked_up({**(arrays or {}), **named}).source

    def _prepared(self, values: Mapping[str, Any]) -> tuple[_Ready, dict[str, Any]]:
        tensors, given = self._sorted_out(values)
        refuse_missing(list(tensors), self.saved.required)
        arrays = checked_arrays(self._inputs, tensors, self.saved.strictly)
        shapes = {name: array.shape for name, array in arrays.items()}
        dtypes = {name: array.dtype.str for name, array in arrays.items()}
        for made in self._made.get(_key(shapes, dtypes), ()):
            if made.fits(given):
                return made, arrays
        raise self._not_saved({name: f"{array.shape} {array.dtype}" for name, array in arrays.items()}, given)

    def _sorted_out(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        return sorted_out(values, [tensor.name for tensor in self._inputs], self.saved.symbols)

    def _looked_up(self, values: Mapping[str, Any]) -> Specialisation:
        """The last one saved that fits arrays, shapes and sizes; without any, the one that ran last."""
        if not values:
            return self._latest.saved
        tensors, given = self._sorted_out(values)
        fitting = [one for one in self.saved.specialisations
                   if all(one.sizes.get(name) == length for name, length in given.items())
                   and all(_fits(one, name, value) for name, value in tensors.items())]  # fmt: skip
        if not fitting:
            met = {name: value if is_shape(value) else np.shape(value) for name, value in tensors.items()}
            raise self._not_saved(met, given)
        return fitting[-1]

    def _not_saved(self, shapes: Mapping[str, object], given: Mapping[str, int]) -> ArrayError:
        met = [f"{name} {shape}" for name, shape in sorted(shapes.items())]
        met += [f"{name}={length}" for name, length in sorted(given.items())]
        return ArrayError(
            f"no program was saved for {', '.join(met) or 'no arrays'}; there is one for "
            + "; one for ".join(map(str, self.saved.specialisations)),
            hint="call the compiled program with such arrays, and save it again",
        )


def _key(shapes: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, str]) -> Key:
    return (*sorted(shapes.items()), *sorted(dtypes.items()))


def _fits(one: Specialisation, name: str, value: object) -> bool:
    if is_shape(value):
        return one.shapes.get(name) == value
    array = np.asarray(value)
    return one.shapes.get(name) == array.shape and one.dtypes.get(name) == array.dtype.str
