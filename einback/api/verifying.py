"""Derivations by numbers: every step evaluated at arrays, and compared with differences where it is a derivative.

With h = 6e-6 a central difference (f(x + h t) - f(x - h t)) / 2h is exact to about 1e-10 for functions that are smooth
there; where that misses, shorter steps are taken, since a steep function bends within a long one. A cotangent G of c is
checked where it is made: at a definition v = f(c, ..) with the cotangent G_v, the sum of G_v times the difference of f
along a direction t has to be the sum of G times t.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from einback.api.samples import Sample, direction, samples
from einback.api.tensor import Tensor
from einback.errors import ArrayError
from einback.formula.derivation.calculus import Calculus, Edge
from einback.formula.derivation.letters import DIFFERENTIAL
from einback.formula.derivation.marks import quotients_text
from einback.formula.derivation.page import Entry, Page
from einback.ir.facts import without
from einback.ir.nodes import Input, Matrix, Node
from einback.ir.walk import inputs_of, substitute
from einback.rules.matrix import matrix_row
from einback.rules.simplify import normalise
from einback.run.callable import Compiled

__all__ = ["StepCheck", "Verification", "verified"]

Array = np.ndarray[Any, Any]
Slope = tuple[Array, Array]  # a difference quotient, and the noise in it

_STEPS = [float(np.cbrt(np.finfo(float).eps)) / shorter for shorter in (1, 8, 64, 512)]
_NOISE = 64 * float(np.finfo(float).eps)  # of a difference, in units of what is differenced
_LITTLE = 1e-3  # noise, in units of what is compared, up to which a shorter step is taken
_DIFFERENCE, _EXACT = 1e-5, 1e-9  # relative errors that pass


@dataclass(frozen=True, slots=True)
class StepCheck:
    """One step: what it was compared with, the largest error, and the largest entry compared."""

    number: int
    name: str
    against: str
    error: float
    largest: float
    tolerance: float
    noise: float = 0.0  # what rounding may make of a difference

    @property
    def passed(self) -> bool:
        return bool(self.error <= self.tolerance * max(1.0, self.largest) + self.noise)

    def __str__(self) -> str:
        verdict = "ok" if self.passed else "WRONG"
        return f"({self.number}) {self.name}: error {self.error:.1e} against {self.against}: {verdict}"


@dataclass(frozen=True, slots=True)
class Verification:
    """The report of `Derivation.verify`: a line a check when printed, true if all pass."""

    checks: tuple[StepCheck, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def steps(self) -> int:
        """How many steps were checked."""
        return len({check.number for check in self.checks})

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))


def verified(page: Page, found: Calculus, y: Tensor, x: Tensor, given: Mapping[str, Any], seed: int) -> Verification:
    """All checks of a derivation, at arrays at which every definition has a value."""
    checker = _checker(found, y, x, given, seed)
    checks = [check for entry in page.entries for check in checker.checked(entry)]
    return Verification(tuple(checks))


def _checker(found: Calculus, y: Tensor, x: Tensor, given: Mapping[str, Any], seed: int) -> _Checker:
    known = y.known()
    for name in given:
        if all(one.name != name for one in inputs_of([y.node])):
            raise ArrayError(f"the program reads no tensor named {name}")
    checker = None
    for sample in samples(y.node, known.equalities, given, seed):
        checker = _Checker(found, y, x, sample, np.random.default_rng(seed))
        try:
            if checker.evaluated():
                return checker
        except (ArrayError, FloatingPointError):
            continue
    raise ArrayError(
        "no arrays were found at which every definition has a value", hint="pass arrays: verify(X=.., W=..)"
    )


@dataclass(slots=True)
class _Checker:
    found: Calculus
    y: Tensor
    x: Tensor
    sample: Sample
    rng: np.random.Generator
    values: dict[str, Array] = field(default_factory=dict)  # of definitions and cotangents
    moves: dict[Input, Array] = field(default_factory=dict)
    bodies: dict[Input, Node] = field(default_factory=dict)
    programs: dict[Node, Compiled] = field(default_factory=dict)

    def evaluated(self) -> bool:
        """Evaluate all definitions; whether each has a value."""
        self.values = dict(self.sample.arrays)
        self.bodies = {one.symbol: one.node for one in self.found.definitions}
        variable = self.found.variable
        if variable is not self.x.node:
            self.values[variable.name] = self.run(normalise([self.x.node])[0])
        for one in self.found.definitions:
            self.values[one.symbol.name] = self.run(one.node)
        return not any(np.isnan(value).any() for value in self.values.values())

    def run(self, node: Node, values: Mapping[str, Array] | None = None) -> Array:
        """A node in normal form, at the values of what it reads; values that moved may have passed below zero."""
        if values is None:
            values = self.values
        else:
            free: dict[Node, Node] = {
                one: without(one, "stochastic") for one in inputs_of([node]) if "stochastic" in one.facts
            }
            (node,) = substitute([node], free) if free else (node,)
        program = self.programs.get(node)
        if program is None:
            program = self.programs[node] = Compiled(normalise([node]), inputs_of([node]))
        arrays: dict[str, Any] = {one.name: values[one.name] for one in program.inputs}
        sizes = {name: self.sample.sizes[name] for name in sorted(program.symbols - arrays.keys())}
        return np.asarray(program(arrays | sizes))

    def moving(self) -> dict[Input, Array]:
        """The differentials of all definitions, for one direction of the variable."""
        if not self.moves:
            variable = self.found.variable
            self.moves[variable] = direction(variable, self.values[variable.name], self.rng)
            for symbol, edges in self.found.edges.items():
                tangents = {self.found.tangents[edge.read].name: self.moves[edge.read] for edge in edges}
                self.moves[symbol] = self.run(self.found.differential(symbol), ChainMap(tangents, self.values))
        return self.moves

    def checked(self, entry: Entry) -> Iterator[StepCheck]:
        match entry.part.section:
            case "definitions":
                yield from self.definition(entry)
            case "differentials":
                yield self.differential(entry)
            case "derivatives" if entry.part.edge is not None:
                yield self.derivative(entry, entry.part.edge)
            case "cotangents" if entry.part.edge is not None:
                yield from self.given_back(entry, entry.part.edge)
            case "cotangents":
                self.remember(entry)
                shares = [self.values[one.name] for one in inputs_of([entry.part.equation.node])]
                yield self.compared(
                    entry, "the shares", self.values[entry.part.equation.name], np.sum(shares, axis=0), _EXACT
                )
            case "result":
                yield from self.result(entry)

    def remember(self, entry: Entry) -> None:
        equation = entry.part.equation
        self.values[equation.name] = self.run(equation.node)

    def definition(self, entry: Entry) -> Iterator[StepCheck]:
        """The last definition is the program itself."""
        symbol = entry.part.symbol
        if symbol is self.found.result:
            wanted = self.run(normalise([self.y.node])[0])
            yield self.compared(entry, "the program", self.values[symbol.name], wanted, _EXACT)

    def differential(self, entry: Entry) -> StepCheck:
        edges = self.found.edges[entry.part.symbol]
        values = self.nearby(edges)
        moved = {edge.read: self.along(edge, values) for edge in edges}
        tangents = {self.found.tangents[one].name: along for one, along in moved.items()}
        told = self.run(entry.part.equation.node, values | tangents)
        return self.differenced(entry, told, self.difference(edges[0], values, moved))

    def derivative(self, entry: Entry, edge: Edge) -> StepCheck:
        """All entries of a derivative, times a direction."""
        self.remember(entry)
        values = self.nearby([edge])
        moved = self.along(edge, values)
        told = np.tensordot(self.run(entry.part.equation.node, values), moved, axes=moved.ndim)
        return self.differenced(entry, told, self.difference(edge, values, {edge.read: moved}))

    def nearby(self, edges: Sequence[Edge]) -> dict[str, Array]:
        """Values of what a definition reads, moved off kinks such as the zeros of a relu, and of itself there."""
        definition = edges[0].reader
        values = dict(self.values)
        for edge in edges:
            if edge.read is not self.found.variable:
                values[edge.read.name] = _own(edge, self.off_kinks(values[edge.read.name]))
        for symbol in (*self.helping(edges), definition.symbol):
            values[symbol.name] = self.run(self.bodies[symbol], values)
        return values

    def off_kinks(self, old: Array) -> Array:
        """Other values of the same signs, none so near to zero that a difference could reach over it."""
        noise = self.rng.uniform(0.5, 1.0, old.shape)
        return np.where(np.abs(old) < 0.05, np.where(old < 0, -0.1, 0.1) * noise, old * (0.97 + 0.03 * noise))

    def helping(self, edges: Sequence[Edge]) -> list[Input]:
        """The softmaxes that the derivatives of a definition read."""
        read = inputs_of([node for edge in edges for node in (edge.push, edge.pull)])
        return [one for one in read if one in self.found.helpers]

    def along(self, edge: Edge, values: Mapping[str, Array]) -> Array:
        """A direction for what a definition reads."""
        return _own(edge, direction(edge.read, values[edge.read.name], self.rng))

    def difference(self, edge: Edge, values: Mapping[str, Array], moved: Mapping[Input, Array]) -> Iterator[Slope]:
        """How a definition changes along directions of what it reads."""

        def at(step: float) -> Array:
            there = {one.name: values[one.name] + step * along for one, along in moved.items()}
            return self.run(edge.reader.node, {**values, **there})

        return _slopes(at)

    def differenced(
        self, entry: Entry, told: Array, slopes: Iterator[Slope], against: str = "differences"
    ) -> StepCheck:
        """A derivative along a direction against differences: a right one agrees with one of the steps."""
        checks: list[StepCheck] = []
        for change, noise in slopes:
            check = self.compared(entry, against, told, change, _DIFFERENCE, noise)
            if checks and check.noise > _LITTLE * check.largest:
                break  # a shorter step tells less
            checks.append(check)
            if check.passed:
                return check
        return min(checks, key=lambda check: check.error)

    def given_back(self, entry: Entry, edge: Edge) -> Iterator[StepCheck]:
        """The chain of equal expressions, and the cotangent against what the definition does to the result."""
        found, reader = self.found, edge.reader.symbol
        self.remember(entry)
        if edge.alone:
            moves = self.moving()
            whole = self.paired(self.values[entry.part.equation.name], moves[edge.read])
            yield self.compared(entry, "the differential of the result", whole, moves[found.result], _EXACT)
        values = self.nearby([edge])
        along = self.along(edge, values)
        values[found.tangents[edge.read].name] = along
        values[found.tangents[reader].name] = self.run(edge.push, values)
        arriving = found.cotangents[reader]
        if reader is not found.result:
            old = self.values[arriving.name]
            values[arriving.name] = direction(arriving, old, self.rng)
        mark, entries = found.derivative(edge)
        if any(mark in inputs_of([one.node]) for one in entry.part.chain):
            values[mark.name] = self.run(entries, values)
        own = values[entry.part.equation.name] = self.run(entry.part.equation.node, values)
        said = [self.run(one.node, values) for one in entry.part.chain]
        said += [own] if entry.part.chain and entry.part.chain[0].name == entry.part.equation.name else []
        for other in said[1:]:
            yield self.compared(entry, "equal expressions", other, said[0], _EXACT)
        slopes = self.difference(edge, values, {edge.read: along})
        if reader is not found.result:
            arrived = values[arriving.name]
            slopes = ((self.paired(arrived, change), self.paired(np.abs(arrived), noise)) for change, noise in slopes)
        yield self.differenced(entry, self.paired(own, along), slopes)

    def paired(self, cotangent: Array, moved: Array) -> Array:
        product = np.tensordot(cotangent, moved, axes=moved.ndim)
        return product if self.found.result.is_complex else product.real

    def result(self, entry: Entry) -> Iterator[StepCheck]:
        """The result, in the forms that it takes one after the other, and against differences of the program."""
        equation, variable = entry.part.equation, self.found.variable
        array = self.values[variable.name]
        along = direction(variable, array, self.rng)
        cotangent = self.values.get(self.found.cotangents[variable].name)
        told = self.run(equation.node, self.values)
        if entry.part.rule == "insertion" and cotangent is not None:
            yield self.compared(entry, "the cotangent", told, cotangent, _EXACT)
            return
        change = np.tensordot(np.conj(told), along, axes=along.ndim).real
        if cotangent is not None:
            yield self.compared(entry, "the cotangent", change, self.paired(cotangent, along), _EXACT)
        slopes = _slopes(lambda step: self.moved(array + step * along))
        yield self.differenced(entry, change, slopes, "differences of the program")

    def moved(self, array: Array) -> Array:
        """The result where the variable has other values, by the definitions one after the other."""
        values = self.values | {self.found.variable.name: array}
        for one in self.found.definitions:
            values[one.symbol.name] = self.run(one.node, values)
        return values[self.found.result.name]

    def compared(
        self, entry: Entry, against: str, told: Array, wanted: Array, tolerance: float, noise: Any = 0.0
    ) -> StepCheck:
        error = float(np.max(np.abs(_gap(np.asarray(told), np.asarray(wanted))), initial=0.0))
        largest = float(np.max(np.abs(np.nan_to_num(wanted, posinf=0.0, neginf=0.0)), initial=0.0))
        name = quotients_text(entry.part.equation.name.replace(DIFFERENTIAL, "d"))
        return StepCheck(entry.number, name, against, error, largest, tolerance, float(np.max(noise, initial=0.0)))


def _own(edge: Edge, array: Array) -> Array:
    """An array as a definition takes it: functions of symmetric matrices are defined for these alone."""
    node = edge.reader.node
    symmetric = isinstance(node, Matrix) and matrix_row(node.fn).symmetric
    return (array + np.swapaxes(array, -1, -2)) / 2 if symmetric else array


def _gap(told: Array, wanted: Array) -> Array:
    """The difference; infinities of one sign have none."""
    with np.errstate(invalid="ignore"):
        return np.where(told == wanted, 0.0, told - wanted)


def _slopes(at: Callable[[float], Array]) -> Iterator[Slope]:
    """Difference quotients of shorter and shorter steps, each with what rounding may make of it."""
    for step in _STEPS:
        ahead, behind = at(step), at(-step)
        size = np.abs(np.nan_to_num(behind, posinf=0.0, neginf=0.0))
        yield _gap(ahead, behind) / (2 * step), _NOISE / step * size
