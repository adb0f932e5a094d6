"""A program as one function of a file of its own, for any target: cut, typed, lowered, and written.

The text names sizes, and serves arrays of all shapes that fit, where that is so: it is lowered for other sizes too, and
if anything but the names of sizes differs, lengths are written as numbers, and other shapes are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from einback.errors import CompileError, EinbackError
from einback.ir.nodes import Einsum, Input, Map, Matrix, Node, Number
from einback.ir.sizes import Classes, Equality, Size
from einback.ir.walk import inputs_of, postorder
from einback.plan.binary import binary
from einback.plan.binding import Sizes, bind, symbols_of
from einback.plan.dtypes import DType, infer_dtypes, widened
from einback.plan.factorisations import plain, share_factorisations
from einback.plan.grouping import bases, group
from einback.plan.numbers import known_numbers
from einback.rules.matrix import MATRIX_TABLE
from einback.run.functional.code import ANY, ATOM, Array, Code, atom
from einback.run.functional.dialects import Target
from einback.run.functional.lowering import Lowering
from einback.run.functional.sizes import counted, is_size, number_codes, numbers_with
from einback.run.functional.writer import Writer, input_dtypes
from einback.run.names import Namer
from einback.run.source import Describe, Structure, is_cut

__all__ = ["Asked", "Body", "body_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is written: nodes, what they take and how they are handed out, and the words for them."""

    roots: tuple[Node, ...]
    inputs: tuple[Input, ...]
    wanted: tuple[DType, ...]
    arrays: Mapping[str, DType]
    structure: Structure
    equalities: tuple[Equality, ...]
    names: Mapping[Node, str]
    letters: Mapping[Node, str]
    describe: Describe
    title: str
    function: str

    @property
    def read(self) -> list[Input]:
        found = set(inputs_of(self.roots))
        return [tensor for tensor in self.inputs if tensor in found]


@dataclass(frozen=True, slots=True)
class Body:
    """The lines of the function, what they return, the helpers that they call, and the names of arguments and sizes."""

    lines: tuple[str, ...]
    results: tuple[str, ...]
    helpers: Mapping[str, str]
    arguments: Mapping[Input, str]
    size_names: Mapping[Size, str]
    general: bool  # whether other shapes may come


def body_of(asked: Asked, target: Target, sizes: Sizes) -> Body:
    """The body for all sizes if there is one text for them, else for these."""
    for tensor in asked.read:
        dtype = asked.arrays[tensor.name]
        if dtype.char not in target.dtypes:
            raise CompileError(
                f"{tensor.name} holds {dtype}, and {target.title} has no such arrays that compute",
                hint="the NumPy program that runs, fn.source(), takes every dtype",
            )
    body = _Builder(asked, target, sizes, general=True).body()
    for other in _others(asked, sizes):
        try:
            again = _Builder(asked, target, other, general=True).body(described=False)
        except EinbackError:  # these sizes do not exist: a window would leave its axis
            again = None
        if again is None or (_code(again), again.results) != (_code(body), body.results):
            return _Builder(asked, target, sizes, general=False).body()
    return body


def _code(body: Body) -> list[str]:
    return [line for line in body.lines if not line.startswith("#")]


def _others(asked: Asked, sizes: Sizes) -> list[Sizes]:
    """Two other bindings of the sizes: what depends on them as numbers differs in one at least."""
    needed = symbols_of([*asked.read, *asked.roots])
    classes = Classes(asked.equalities)
    plain_names = [size for size in dict.fromkeys(map(classes.find, needed)) if isinstance(size, str)]
    found: list[Sizes] = []
    for step, start in ((1, 1), (2, 3)):
        given = {name: sizes[name] + start + step * k
                 for k, name in enumerate(name for name in plain_names if name.isidentifier())}  # fmt: skip
        try:
            found.append(bind(asked.inputs, {}, equalities=asked.equalities, given=given, needed=needed))
        except EinbackError:
            found.append({})
    return found if min(sizes.values(), default=1) else [{}]


class _Builder:
    """Cuts, types and lowers a program for one binding of its sizes."""

    def __init__(self, asked: Asked, target: Target, sizes: Sizes, *, general: bool) -> None:
        if not sizes and symbols_of(asked.roots):
            raise EinbackError("no other sizes")
        self._asked, self._target, self._sizes, self._general = asked, target, sizes, general
        helpers = [name for text in target.helpers for name in (text,)]
        reserved = [*helpers, "torch", "jax", "jnp", "cupy", "cupyx", "check", "erf", "complex_of", "above", "main"]
        self._namer = Namer([*reserved, "_polynomial", asked.function])
        self._arguments = {tensor: self._namer.name(tensor.name) for tensor in asked.read}

    @cached_property
    def _cut(self) -> dict[Node, Node]:
        """What each node of the program is computed as."""
        asked = self._asked
        before = counted(asked.roots) if self._general else {node: node for node in postorder(asked.roots)}
        roots = [before[root] for root in asked.roots]
        image = binary(roots, self._sizes, real=all(dtype.kind != "c" for dtype in asked.arrays.values()))
        image = share_factorisations(roots, image, shared=False)
        return {node: image[made] for node, made in before.items() if made in image}

    def _typed(self, order: Sequence[Node], numbers: Mapping[Node, Number]) -> dict[Node, DType]:
        """Types are inferred before the cut, so that they do not depend on it, then after it."""
        uncut = list(postorder(self._asked.roots))
        declared = infer_dtypes(uncut, self._asked.arrays, known_numbers(uncut, self._sizes))
        preset: dict[Node, DType] = {}
        for node, dtype in declared.items():
            if node in self._cut:
                preset.setdefault(self._cut[node], dtype)
        return widened(order, infer_dtypes(order, self._asked.arrays, numbers, preset))

    @cached_property
    def _size_names(self) -> dict[Size, str]:
        """The variable of every size that an axis of an argument has, or what equals one."""
        if not self._general:
            return {}
        classes = Classes(self._asked.equalities)
        names: dict[Size, str] = {}
        for tensor in self._asked.read:
            for size in tensor.sizes:
                root = classes.find(size)
                if isinstance(root, str) and root not in names:
                    names[root] = self._namer.name(root)
        every = {size for node in postorder(self._asked.roots) for size in node.shape if isinstance(size, str)}
        every |= {size for node in postorder(self._asked.roots) if isinstance(node, Einsum)
                  for size in node.sizes if isinstance(size, str)}  # fmt: skip
        found: dict[Size, str] = {
            size: names[classes.find(size)] for size in sorted(every) if classes.find(size) in names
        }
        return names | found

    def body(self, *, described: bool = True) -> Body:
        asked, cut = self._asked, self._cut
        roots = [cut[root] for root in asked.roots]
        order = list(postorder(roots))
        known = known_numbers(order, self._sizes)
        sized = numbers_with(order, self._sizes)
        dtypes = self._typed(order, sized)
        base = bases(order, sized)
        named = self._wishes(base)
        wanted = {base[root] for root in roots if root in base} | set(named)
        groups = group(order, wanted, base)
        arguments = self._arguments
        device = next(iter(arguments.values()), "")
        writer = Writer(self._target, self._sizes, self._size_names, input_dtypes(asked.read, asked.arrays, arguments),
                        device, self._namer)  # fmt: skip
        lowering = Lowering(writer, dtypes, number_codes(order, known, sized, writer.size), known, {})
        for tensor, name in arguments.items():
            dtype = asked.arrays[tensor.name]
            lowering.values[tensor] = atom(name, tensor.rank, dtype, mask=dtype.kind == "b")
        origins = self._origins()
        titles = {nodes[-1]: self._title(nodes[-1], named, origins) for nodes in groups}
        given: dict[Node, str] = {tensor: name for tensor, name in arguments.items()}  # noqa: C416
        given |= {node: node.name for node in order if isinstance(node, Input) and is_size(node)}
        lines: list[str] = []
        for nodes in groups:
            head = nodes[-1]
            for node in nodes:
                try:
                    lowering.values[node] = lowering.computed(node)
                except CompileError as error:
                    step = self._formula(head, titles[head], origins, given)
                    raise CompileError(f"{error.fact}: {step}", hint=error.hint) from None
            lowering.values[head] = writer.headed(lowering.values[head], titles[head])
            comment = [f"# {self._formula(head, titles[head], origins, given)}"] if described else ["#"]
            lines += [*comment, *writer.lines, ""]
            writer.lines.clear()
            given.update(dict.fromkeys([head, *origins.get(head, ())], titles[head]))
        results = tuple(
            self._result(writer, lowering, root, cut[root], base, dtype)
            for root, dtype in zip(asked.roots, asked.wanted, strict=True)
        )
        return Body((*lines, *writer.lines), results, dict(writer.helpers), arguments, self._size_names, self._general)

    # words

    def _origins(self) -> dict[Node, list[Node]]:
        """For each computed node those that it comes from, the ones of fewest factors first."""
        found: dict[Node, list[Node]] = {}
        for node, image in self._cut.items():
            found.setdefault(image, []).append(node)
        for nodes in found.values():
            nodes.sort(key=lambda node: len(node.operands) if isinstance(node, Einsum) else 0)
        return found

    def _wishes(self, base: Mapping[Node, Node]) -> dict[Node, str]:
        """Names for what is computed; a name for a view goes to what it shows, if that has none."""
        found: dict[Node, str] = {}
        for exact in (True, False):
            for node, name in self._asked.names.items():
                image = self._cut.get(node)
                seen = base.get(image) if image is not None else None
                if seen is not None and not isinstance(seen, Input) and (seen is image) == exact:
                    found.setdefault(seen, name)
        return found

    def _title(self, head: Node, named: Mapping[Node, str], origins: Mapping[Node, Sequence[Node]]) -> str:
        if head in named:
            return self._namer.name(named[head])
        letters = self._asked.letters
        return self._namer.number(next((letters[n] for n in (head, *origins.get(head, ())) if n in letters), "t"))

    def _formula(self, head: Node, name: str, origins: Mapping[Node, Sequence[Node]], given: Mapping[Node, str]) -> str:
        if isinstance(head, Matrix) and head.fn not in MATRIX_TABLE and head.arg in given:
            return f"{name} = {head.fn}({given[head.arg]})"  # several arrays, which have no indices in common
        own = origins.get(head, ())
        subject = own[0] if own and not is_cut(own[0]) else plain(head)
        return " ".join(self._asked.describe(subject, name, given).split())

    # results

    def _result(
        self, writer: Writer, lowering: Lowering, declared: Node, root: Node, base: Mapping[Node, Node], dtype: DType
    ) -> str:
        """A result as an array of its own."""
        value = lowering.value(root)
        if value.weak:
            value = replace(value, dtype=dtype)
            full = writer.dense(value, declared.shape) if root.rank else writer.number(value, dtype).code
            return full.at(ANY)
        shown = base.get(root)
        part = isinstance(shown, Map) and shown.fn in ("real", "imag")
        lent = isinstance(shown, Input) or part or None in value.axes
        code = writer.dense(value, declared.shape)
        made = writer.cast(Array(code, (), value.dtype, mask=value.mask), dtype).code
        if made == code and lent and self._target.copy:
            made = Code(f"{made.at(ATOM)}.{self._target.copy}()")
        return made.at(ANY)
