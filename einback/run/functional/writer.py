"""What lowering writes to: statements in blocks, names, sizes, and a target's spellings of the commonest things."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from einback.ir.nodes import Input, Number
from einback.ir.sizes import Size
from einback.plan.binding import Sizes, length
from einback.plan.dtypes import DType
from einback.rules.scalar import row
from einback.run.functional.code import ANY, ATOM, PRODUCT, Array, Code, Labels, combine, literal, matched, relabelled
from einback.run.functional.dialects import Target
from einback.run.names import Namer

__all__ = ["Writer", "input_dtypes", "number_array", "tupled"]

_LONGEST = 64  # characters of an expression that stands inside of another


@dataclass(slots=True)
class Writer:
    """Collects the lines of a function's body.

    `size_names` are the variables of sizes, by size; without them lengths are written as numbers.
    """

    target: Target
    sizes: Sizes
    size_names: Mapping[Size, str]
    dtype_names: Mapping[DType, str]
    device: str  # the array whose device new arrays get
    namer: Namer
    lines: list[str] = field(default_factory=list)
    helpers: dict[str, str] = field(default_factory=dict)
    settled_as: dict[str, str] = field(default_factory=dict)  # texts that have a name

    # statements and names

    def assign(self, name: str, code: Code) -> str:
        self.lines.append(f"{name} = {code.at(ANY)}")
        return name

    def settled(self, value: Array) -> Array:
        """The value under a name, where its text is more than that."""
        if value.weak or value.code.text.isidentifier():
            return value
        text = value.code.text  # no name is given twice, so that one text has one value
        if text not in self.settled_as:
            self.settled_as[text] = self.assign(self.namer.number("t"), value.code)
        return replace(value, code=Code(self.settled_as[text]), below=None)

    def index(self, code: Code) -> Code:
        """An array of places under a name."""
        return self.settled(Array(code, (), np.dtype(np.int64))).code

    def check_indices(self, ids: Code, size: str) -> None:
        """A statement that refuses indices outside of an axis, once."""
        line = f'check_indices({ids.text}, {size}, "{ids.text}")'
        if line not in self.settled_as:
            self.helper("check_indices")
            self.lines.append(line)
            self.settled_as[line] = ids.text

    def headed(self, value: Array, name: str) -> Array:
        """The value under the name of a step, its axes in the order of the formula."""
        places = [k for k, axis in enumerate(value.axes) if axis is not None]
        self.assign(name, matched(value, places, self.transposed))
        at = {place: axis for axis, place in enumerate(places)}
        return replace(value, code=Code(name), axes=tuple(map(at.get, range(len(value.axes)))), below=None)

    def inlined(self, value: Array) -> Array:
        """The value as it can stand in a longer expression."""
        return self.settled(value) if len(value.code.text) > _LONGEST else value

    def helper(self, name: str) -> None:
        self.helpers[name] = self.target.helpers[name]

    def spelled_helper(self, fn: str) -> None:
        """The helper that NumPy's spelling of a row calls."""
        if row(fn).helper:
            self.helpers[fn] = row(fn).helper.replace("np.", f"{self.target.module}.")

    # sizes and dtypes

    def length(self, size: Size) -> int:
        return length(size, self.sizes)

    def size(self, size: Size) -> str:
        """A size as it is written: a name, or a number."""
        return str(size) if isinstance(size, int) else self.size_names.get(size) or str(self.length(size))

    def shape(self, sizes: Sequence[Size]) -> str:
        return tupled(map(self.size, sizes))

    def dtype(self, dtype: DType) -> str:
        """A dtype: that of an argument where one has it, so that the text serves others too."""
        if dtype in self.dtype_names:
            return self.dtype_names[dtype]
        return f"{self.target.module}.{np.dtype(dtype).name if dtype.kind != 'b' else 'bool'}{self._suffix(dtype)}"

    def _suffix(self, dtype: DType) -> str:
        return "_" if dtype.kind == "b" and not self.target.strict else ""

    def placed(self, dtype: DType | None) -> str:
        """The keywords of a new array."""
        own = f", dtype={self.dtype(dtype)}" if dtype is not None else ""
        return own + (f", device={self.device}.device" if self.target.placed and self.device else "")

    # spellings

    def function(self, name: str, *args: str) -> Code:
        return Code(f"{self.target.module}.{name}({', '.join(args)})")

    def transposed(self, code: Code, order: Sequence[int]) -> Code:
        if tuple(order) == (1, 0):
            return Code(f"{code.at(ATOM)}.T")
        return Code(f"{code.at(ATOM)}.{self.target.transpose}({', '.join(map(str, order))})")

    def cast(self, value: Array, dtype: DType) -> Array:
        """The value in a dtype; numbers adapt by themselves."""
        if value.weak or (value.dtype == dtype and value.mask == (dtype.kind == "b")):
            return value
        template = self.target.cast
        if value.dtype.kind == "c" and dtype.kind != "c":
            template = template.replace("{0}", "{0}.real")
        code = Code(template.format(value.code.at(ATOM), self.dtype(dtype)))
        return Array(code, value.axes, dtype)

    def number(self, value: Array, dtype: DType) -> Array:
        """A Python number as an array, for functions that take nothing else."""
        if not value.weak:
            return value
        made = self.function("tensor" if self.target.strict else "asarray", value.code.at(ANY) + self.placed(dtype))
        return Array(made, value.axes, dtype)

    def arange(self, size: Size) -> Code:
        return self.function("arange", self.size(size) + self.placed(None))

    # arrays

    def combined(self, values: Sequence[Array], dtype: DType, write: Callable[[list[Code]], Code]) -> Array:
        return combine([self.inlined(value) for value in values], dtype, write, self.transposed)

    def over(self, value: Array, labels: Labels, out: Labels) -> Code:
        """The text with its axes as `out` has them, all that it lacks to be broadcast."""
        return matched(relabelled(value, labels, out), range(len(out)), self.transposed)

    def dense(self, value: Array, shape: Sequence[Size]) -> Code:
        """The text with all of its axes, in order."""
        if value.weak:
            return self.function("full", self.shape(shape), value.code.at(ANY) + self.placed(value.dtype))
        code = matched(value, range(len(shape)), self.transposed)
        return self.function("broadcast_to", code.at(ANY), self.shape(shape)) if None in value.axes else code

    def whole(self, value: Array, shape: Sequence[Size]) -> Array:
        return Array(self.dense(value, shape), tuple(range(len(shape))), value.dtype, mask=value.mask)

    def along(self, axes: Sequence[int], rank: int) -> str:
        """The keyword that names axes, empty where these are all there are."""
        if len(axes) == rank:
            return ""
        return f"{self.target.axis}={axes[0] if len(axes) == 1 else tuple(axes)}"

    def reduced(self, fn: str, code: Code, axes: Sequence[int], rank: int) -> Code:
        """A reduction over some axes of a text that has all of its own."""
        if not axes:
            return code
        template = self.target.reductions[fn]
        if fn in self.target.helpers:
            self.helper(fn)
            if "peak" in self.target.helpers[fn]:
                self.helper("peak")
        if fn == "prod" and self.target.strict:  # one axis at a time
            for axis in sorted(axes, reverse=True):
                code = Code(template.format(code.at(ATOM), f"{self.target.axis}={axis}"))
            return code
        needs_all = self.target.strict and fn in ("logsumexp", "logsumexp_of", "peak")
        where = f"{self.target.axis}={tuple(axes)}" if needs_all and len(axes) > 1 else self.along(axes, rank)
        where = where or (f"{self.target.axis}=0" if needs_all else "")
        wrapped = template.startswith("{0}")
        return Code(template.format(code.at(ATOM) if wrapped else code.at(ANY), where).replace(", )", ")"))

    # arithmetic

    def product(self, a: Array, b: Array, dtype: DType) -> Array:
        """a * b over the same axes; what is one over something divides."""
        for one, other in ((a, b), (b, a)):
            if one.weak and one.code.text == "1" and not other.weak:
                return self.cast(other, dtype)
        if (a.below and not b.below) or (a.weak and b.weak and b.code.text == "1"):
            a, b = b, a
        if a.mask and not b.weak and not b.mask:
            a, b = b, a
        if b.mask and (a.mask or a.dtype != dtype):
            b = self.cast(b, dtype)
        a = self.cast(a, dtype)
        b = b if b.mask else self.cast(b, dtype)
        if b.below and (a.below is None or a.weak):
            top, below = a, replace(b, code=b.below, below=None)
            if top.weak and top.code.text == "1":
                return b
            return self.combined([top, below], dtype, lambda e: Code(f"{e[0].at(PRODUCT)} / {e[1].at(ATOM)}", PRODUCT))
        return self.combined([a, b], dtype, lambda e: Code(f"{e[0].at(PRODUCT)} * {e[1].at(ATOM)}", PRODUCT))

    def typed_literal(self, value: Array, dtype: DType) -> Array:
        return self.number(value, dtype) if self.target.strict else value


def tupled(items: Sequence[str] | map[str]) -> str:
    """A tuple as Python writes it."""
    parts = list(items)
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def input_dtypes(inputs: Sequence[Input], arrays: Mapping[str, DType], names: Mapping[Input, str]) -> dict[DType, str]:
    """How dtypes are named after the arguments that have them."""
    found: dict[DType, str] = {}
    for tensor in inputs:
        if tensor.name in arrays and arrays[tensor.name].kind in "fc":
            found.setdefault(arrays[tensor.name], f"{names[tensor]}.dtype")
    return found


def number_array(value: Number, axes: int, dtype: DType) -> Array:
    """A number at every entry of so many axes."""
    return Array(literal(value), (None,) * axes, dtype, weak=True)
