"""The plan of a program: a value that holds its steps with what they cost, and prints as a report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from einback.errors import ArrayError, CompileError
from einback.ir.nodes import Einsum, Input, Map, Matrix, Node, Number, OneHot, Ones, Reduce, Window
from einback.ir.walk import children, inputs_of, postorder
from einback.plan.accumulation import added_in_place
from einback.plan.binary import binary
from einback.plan.binding import Sizes, resolve
from einback.plan.cost import elements, flops
from einback.plan.dtypes import DType, infer_dtypes, widened
from einback.plan.factorisations import share_factorisations, solver
from einback.plan.grouping import bases, group
from einback.plan.layouts import laid_out
from einback.plan.numbers import known_numbers
from einback.plan.paths import WIDEST
from einback.plan.schedule import Memory, memory_profile, schedule
from einback.plan.symmetric import symmetric
from einback.rules.scalar import row

__all__ = ["Plan", "PlanStep", "make_plan", "spec"]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step: `node` is what it makes, `nodes` all that it computes on the way, operands first."""

    node: Node
    nodes: tuple[Node, ...]
    shape: tuple[int, ...]
    dtype: DType
    flops: int
    nbytes: int  # of what it makes
    live: int  # most bytes alive while it runs, inputs not counted
    forward: bool
    formula: str

    def __str__(self) -> str:
        shape = "×".join(map(str, self.shape)) or "scalar"
        return f"{self.formula:<56} {shape:>14} {self.dtype!s:>9} {self.flops:>16,} {self.nbytes:>14,} {self.live:>14,}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A program cut into steps, in the order in which they run.

    `image` maps the nodes that were planned to the nodes that are computed; `numbers` are the nodes known
    without any array. Costs are exact: flops count a multiplication, an addition or an elementwise function
    as one; bytes are those of whole arrays, temporaries inside a NumPy call not counted.
    """

    roots: tuple[Node, ...]
    steps: tuple[PlanStep, ...]
    image: Mapping[Node, Node]
    base: Mapping[Node, Node]
    sizes: Sizes
    dtypes: Mapping[Node, DType]
    numbers: Mapping[Node, Number]
    input_bytes: int
    space: int = 0  # bytes of the workspace, once the program is lowered
    exact: bool = False  # whether nothing but the workspace and the results is allocated

    @property
    def flops(self) -> int:
        return sum(step.flops for step in self.steps)

    @property
    def forward_flops(self) -> int:
        return sum(step.flops for step in self.steps if step.forward)

    @property
    def peak_bytes(self) -> int:
        """The most bytes alive at one time, inputs not counted: a workspace outlives the call, and results join it."""
        alive = max((step.live for step in self.steps), default=0)
        if not self.space and not self.exact:
            return alive
        roots = [root for root in dict.fromkeys(self.roots) if root in self.dtypes]
        results = sum(_nbytes(root, self.dtypes[root], self.sizes) for root in roots)
        return self.space + results if self.exact else max(alive, self.space + results)

    def described(self, formulas: Sequence[str]) -> Plan:
        """The plan with other formulas, one a step; a step that solves says so."""
        words = (f"{text} (solve)" if any(solver(node) is not None for node in step.nodes) else text
                 for step, text in zip(self.steps, formulas, strict=True))  # fmt: skip
        steps = tuple(replace(step, formula=text) for step, text in zip(self.steps, words, strict=True))
        return replace(self, steps=steps)

    def __str__(self) -> str:
        counts = f"{self.flops:,} flops"
        if any(step.forward for step in self.steps):
            counts += f" (forward {self.forward_flops:,}, backward {self.flops - self.forward_flops:,})"
        peak = f"peak {self.peak_bytes:,} bytes, and {self.input_bytes:,} bytes of inputs"
        title = f"{'step':<56} {'shape':>14} {'dtype':>9} {'flops':>16} {'bytes':>14} {'alive':>14}"
        count = "1 step" if len(self.steps) == 1 else f"{len(self.steps)} steps"
        return "\n".join([f"{count}, {counts}", peak, "", title, *map(str, self.steps)])


def make_plan(
    roots: Sequence[Node],
    *,
    sizes: Sizes,
    arrays: Mapping[str, DType],
    forward: Sequence[Node] = (),
    named: Iterable[Node] = (),
) -> Plan:
    """Cut, type, group and order a program.

    `sizes` binds every symbol, `arrays` gives the dtype of every input that is read, `forward` lists the nodes
    whose computation counts as the forward pass, and nodes in `named` get a step of their own.
    """
    declared = all(node.is_complex or arrays[node.name].kind != "c" for node in inputs_of([*roots, *forward]))
    real = all(dtype.kind != "c" for dtype in arrays.values())
    # Types are inferred before the cut, so that they do not depend on the contraction order, then after it.
    uncut = list(postorder(roots))
    declared_dtypes = infer_dtypes(uncut, arrays, known_numbers(uncut, sizes))
    halved = symmetric([*roots, *forward], sizes, declared_dtypes)
    whole = [halved[root] for root in (*roots, *forward)]
    cut = share_factorisations(whole, binary(whole, sizes, real=declared, alike=_alike(whole, arrays)), shared=real)
    image = {node: cut[now] for node, now in halved.items() if now in cut}
    heads = [image[node] for node in dict.fromkeys((*roots, *forward))]
    laid = laid_out(heads, {image[node] for node in named if node in image}, sizes)
    image = {node: laid[now] for node, now in image.items() if now in laid}
    new = tuple(image[root] for root in roots)
    order = list(postorder(new))
    numbers = known_numbers(order, sizes)
    preset: dict[Node, DType] = {}
    for node, dtype in declared_dtypes.items():
        if node in image:
            preset.setdefault(image[node], dtype)
    dtypes = widened(order, infer_dtypes(order, arrays, numbers, preset))
    own = {*new, *(image[node] for node in named if node in image)}
    base = bases(order, numbers, added_in_place(new, own, numbers, dtypes))
    _check(order, base, sizes)
    results = {base[root] for root in new if root in base}
    wanted = results | {base[image[node]] for node in named if image.get(node) in base}
    memory = Memory({node: _nbytes(node, dtypes[node], sizes) for node in dtypes}, dtypes, base, results)
    wanted |= {base[node.arg] for node in order if isinstance(node, Matrix) and node.arg in base}
    groups = schedule(group(order, wanted, base), memory)
    first_pass = set(postorder(image[node] for node in forward))
    steps = tuple(
        _step(nodes, live, first_pass, memory, sizes)
        for nodes, live in zip(groups, memory_profile(groups, memory), strict=True)
    )
    input_bytes = sum(memory.nbytes[node] for node in order if isinstance(node, Input))
    return Plan(new, steps, image, base, sizes, dtypes, numbers, input_bytes)


def _alike(roots: Sequence[Node], arrays: Mapping[str, DType]) -> bool:
    """Whether the arrays that a program reads have one floating dtype, of 32 bits or more a number."""
    dtypes = {arrays[tensor.name] for tensor in inputs_of(roots)}
    return len(dtypes) == 1 and next(iter(dtypes)).char in "fdFD"


def _step(nodes: tuple[Node, ...], live: int, first_pass: Collection[Node], memory: Memory, sizes: Sizes) -> PlanStep:
    node = nodes[-1]
    return PlanStep(
        node=node,
        nodes=nodes,
        shape=resolve(node.shape, sizes),
        dtype=memory.dtypes[node],
        flops=sum(flops(each, sizes) for each in nodes),
        nbytes=memory.nbytes[node],
        live=live,
        forward=node in first_pass,
        formula=spec(node, lambda operand: operand.name if isinstance(operand, Input) else "…"),
    )


def _nbytes(node: Node, dtype: DType, sizes: Sizes) -> int:
    """The bytes of a node's array; that of a comparison holds bools."""
    is_mask = isinstance(node, Map) and row(node.fn).predicate
    return elements(node, sizes) * (1 if is_mask else dtype.itemsize)


def _check(order: Iterable[Node], base: Mapping[Node, Node], sizes: Sizes) -> None:
    """What NumPy would refuse in the middle of a run is refused before it."""
    for node in order:
        if node.rank > WIDEST and node in base:
            raise CompileError(
                f"this program makes an array of {node.rank} axes, and NumPy allows {WIDEST}: {spec(node, _plain)}"
            )
        if isinstance(node, Reduce) and node.fn in ("max", "min") and node in base:
            lengths = resolve(node.arg.shape, sizes)
            if 0 in [lengths[axis] for axis in node.axes]:
                raise ArrayError(f"{node.fn} over an axis of length 0: {spec(node, _plain)}")


def _plain(node: Node) -> str:
    return node.name if isinstance(node, Input) else type(node).__name__


def spec(node: Node, name: Callable[[Node], str]) -> str:
    """One node in short, its operands as `name` has them; an Einsum as an einsum string."""
    match node:
        case Einsum():
            terms = [(op, ls) for op, ls in zip(node.operands, node.labels, strict=True) if not isinstance(op, Ones)]
            letters = [_letter(k) for k in range(len(node.sizes))]
            left = ",".join("".join(letters[k] for k in labels) for _, labels in terms)
            right = "".join(letters[k] for k in node.out)
            return f"einsum('{left}->{right}'{''.join(f', {_operand(op, name)}' for op, _ in terms)})"
        case Reduce():
            return f"{node.fn}({name(node.arg)}, axes {list(node.axes)})"
        case _:
            fn = getattr(node, "fn", type(node).__name__.lower())
            return f"{fn}({', '.join(name(child) for child in children(node))})"


def _operand(node: Node, name: Callable[[Node], str]) -> str:
    match node:
        case Window():
            return "window"
        case OneHot():
            return f"one_hot({name(node.ids)})"
        case _:
            return name(node)


def _letter(k: int) -> str:
    letters = "ijklmnopqrstuvwxyzabcdefghABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[k] if k < len(letters) else chr(0x100 + k)
