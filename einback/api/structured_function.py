"""`StructuredFunction`: a compiled program that gives its results as factors.

Which arrays a result is kept as depends on the sizes, so each set of sizes has its layout. The core arrays of all
results are the outputs of one program, planned as a whole.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from os import PathLike
from typing import Any, NoReturn

import numpy as np

from einback.api.function import Function, describer
from einback.api.scope import gather, names_in_normal_form
from einback.api.structure import flatten, rebuild
from einback.api.structured import Structured
from einback.errors import CompileError
from einback.formula.labels import letters
from einback.ir.nodes import Input, Node
from einback.ir.walk import postorder
from einback.plan.binding import Sizes, resolve, symbols_of
from einback.plan.factoring import Product, factored
from einback.plan.numbers import is_integral
from einback.plan.plan import Plan
from einback.rules.simplify import normalise
from einback.run.callable import Compiled
from einback.run.guards import refuse_missing
from einback.run.keeping import remember
from einback.run.report import SlicedPlan
from einback.run.structured import Form, FormTerm

__all__ = ["StructuredFunction"]


Core = tuple[Node, Input | None]  # what is computed, and the input whose dtype it takes
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Result:
    """One result: its form, and the numbers of its cores among the outputs of the program."""

    form: Form
    cores: tuple[int, ...]
    like: Input | None
    index_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The program of all cores for one set of sizes, and the results that its outputs make up."""

    program: Compiled
    keywords: frozenset[str]  # that the program knows
    core_names: tuple[str, ...]
    results: tuple[_Result, ...]

    def known(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in self.keywords}


class StructuredFunction(Function):
    """A compiled program whose results are `Structured`, one for each tensor, in the structure asked for."""

    def __init__(self, outputs: Any) -> None:
        super().__init__(outputs)
        self._tensors = flatten(outputs, "what is compiled")
        self._known = gather(tensor.scope for tensor in self._tensors)
        self._layouts: dict[Key, _Layout] = {}  # by sizes, the latest last
        self._found: dict[Key, _Layout] = {}  # by the shapes of arrays
        self._guard = threading.Lock()

    def __call__(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> Any:
        values: dict[str, Any] = named if arrays is None else {**arrays, **named}
        plain = all(type(value) is np.ndarray for value in values.values())
        key = tuple((name, value.shape, value.dtype) for name, value in values.items()) if plain else ()
        layout = self._found.get(key) if plain else None
        if layout is None:
            refuse_missing(list(values), self._required)
            layout = self._layout_for(values)
            if plain:
                with self._guard:
                    remember(self._found, key, layout)
        made = [np.asarray(core) for core in layout.program(layout.known(values))]
        for core in made:
            core.flags.writeable = False
        return rebuild(self.outputs, [_structured(result, made, layout, values) for result in layout.results])

    def plan(self, arrays: Mapping[str, object] | None = None, /, **named: Any) -> Plan | SlicedPlan:
        """The plan of the program that computes all cores; arguments as for `Function.plan`."""
        values = {**(arrays or {}), **named}
        layout = self._latest(values)
        return layout.program.plan(layout.known(values))

    def source(
        self,
        arrays: Mapping[str, object] | None = None,
        /,
        *,
        target: str = "numpy",
        readable: bool | None = None,
        with_check: bool = False,
        function_name: str | None = None,
        **named: Any,
    ) -> str:
        """The program that computes all cores, as a standalone file that returns a list of them.

        Arguments as for `Function.source`; cores are no gradients, and such a file has no check.
        """
        values = {**(arrays or {}), **named}
        layout = self._latest(values)
        return layout.program.source(
            layout.known(values), target=target, readable=readable, with_check=with_check, function_name=function_name
        )

    def save(self, path: str | PathLike[str], arrays: Mapping[str, object] | None = None, /, **named: Any) -> NoReturn:
        """Refused: what a structured result is made of depends on sizes in ways that a file does not hold."""
        raise CompileError("a structured program is not saved in this version",
                           hint="compile without structured=True, and save that")  # fmt: skip

    def _latest(self, values: Mapping[str, object]) -> _Layout:
        if not values and self._layouts:
            return next(reversed(self._layouts.values()))
        return self._layout_for(values)

    def _layout_for(self, values: Mapping[str, Any]) -> _Layout:
        sizes = self.sizes(values)
        dtypes = [_dtype_of(tensor.like, values) for tensor in self._tensors]
        key = (*sorted(sizes.items()), *map(str, dtypes))
        with self._guard:
            layout = self._layouts.pop(key, None) or self._laid_out(sizes, dtypes)
            remember(self._layouts, key, layout)
        return layout

    def _laid_out(self, sizes: Sizes, dtypes: Sequence[np.dtype[Any] | None]) -> _Layout:
        first: dict[np.dtype[Any] | Input | None, Input | None] = {}  # results of one dtype share cores
        likes = [first.setdefault(dtype or tensor.like, tensor.like)
                 for tensor, dtype in zip(self._tensors, dtypes, strict=True)]  # fmt: skip
        sums = [factored(root, sizes) for root in self._program.roots]
        nodes = list(dict.fromkeys(node for products in sums for product in products for node, _ in product.factors))
        normal = dict(zip(nodes, normalise(nodes), strict=True))
        cores: dict[Core, int] = {}
        results: list[_Result] = []
        for tensor, like, root, products in zip(self._tensors, likes, self._program.roots, sums, strict=True):
            used = dict.fromkeys(normal[node] for product in products for node, _ in product.factors)
            numbers = tuple(cores.setdefault((node, like), len(cores)) for node in used)
            form = _form(resolve(root.shape, sizes), products, normal, list(used), sizes)
            results.append(_Result(form, numbers, like, tensor.names))
        names = tuple(_core_names(cores, {tensor.name for tensor in self._program.inputs}))
        program = self._core_program(cores, names, results)
        keywords = {tensor.name for tensor in self._program.inputs} | set(
            symbols_of([*self._program.inputs, *(node for node, _ in cores)])
        )
        return _Layout(program, frozenset(keywords), names, tuple(results))

    def _core_program(self, cores: Mapping[Core, int], names: Sequence[str], results: Sequence[_Result]) -> Compiled:
        nodes = [node for node, _ in cores]
        axes: dict[Node, tuple[str, ...]] = {}
        for result in results:
            for term in result.form.terms:
                for core, labels in term.factors:
                    axes.setdefault(nodes[result.cores[core]], tuple(_axis_name(result, term, k) for k in labels))
        forward = [
            nodes[core]
            for tensor, result in zip(self._tensors, results, strict=True)
            if not tensor.derived
            for core in result.cores
        ]
        named = names_in_normal_form(self._known)
        own = {node: name for node, name in zip(nodes, names, strict=True) if not isinstance(node, Input)}
        return Compiled(
            nodes,
            self._program.inputs,
            structure=list(range(len(nodes))),
            equalities=self._program.equalities,
            strictly=self._strictly,
            likes=[like for _, like in cores],
            forward=forward,
            names={**named, **own},
            letters=letters(list(postorder(nodes))),
            describe=describer(self._known, axes, named),
        )


def _form(
    shape: tuple[int, ...],
    products: Sequence[Product],
    normal: Mapping[Node, Node],
    cores: Sequence[Node],
    sizes: Sizes,
) -> Form:
    number = {node: k for k, node in enumerate(cores)}
    terms = tuple(
        FormTerm(p.weight, tuple((number[normal[node]], labels) for node, labels in p.factors), p.axes)
        for p in products
    )
    return Form(shape, tuple(resolve(node.shape, sizes) for node in cores), terms)


def _core_names(cores: Iterable[Core], taken: Collection[str]) -> Iterator[str]:
    """A core that is an input has its name, the others are C1, C2, .."""
    fresh = (name for k in count(1) if (name := f"C{k}") not in taken)
    for node, _ in cores:
        yield node.name if isinstance(node, Input) else next(fresh)


def _axis_name(result: _Result, term: FormTerm, label: int) -> str:
    return result.index_names[term.axes.index(label)] if label in term.axes else ""


def _structured(result: _Result, made: Sequence[Any], layout: _Layout, values: Mapping[str, Any]) -> Structured:
    cores = tuple(made[k] for k in result.cores)
    names = tuple(layout.core_names[k] for k in result.cores)
    return Structured(result.form, cores, _dtype(result, cores, values), result.index_names, names)


def _dtype_of(like: Input | None, values: Mapping[str, Any]) -> np.dtype[Any] | None:
    """The dtype of the array for an input, if both are there and it holds floats; a shape stands for float64."""
    if like is None or like.name not in values:
        return None
    value = values[like.name]
    dtype = np.dtype(np.float64) if isinstance(value, tuple) else np.asarray(value).dtype
    return dtype if dtype.kind in "fc" else None


def _dtype(result: _Result, cores: Sequence[Any], values: Mapping[str, Any]) -> np.dtype[Any]:
    """That of the array for `like`, else NumPy's for the product of cores and weights."""
    whole = all(is_integral(term.weight) for term in result.form.terms)
    promoted = np.result_type(*cores, *([] if cores and whole else [np.float64(0)]))
    own = _dtype_of(result.like, values) or promoted
    return np.result_type(own, np.complex64) if promoted.kind == "c" and own.kind == "f" else own
