"""Where tensors come from: declarations, structural tensors, einsum strings, index programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from einback.api.scope import Scope, names_in_normal_form
from einback.api.tensor import Tensor, combine, declared, nodes_of
from einback.errors import EinbackError, NotationError, did_you_mean
from einback.formula.index import Names, texts
from einback.ir.build import ones as ones_of
from einback.ir.facts import facts_of
from einback.ir.nodes import Delta, Input
from einback.notation.declarations import Declared, parse_declaration, parse_declarations, parse_sizes
from einback.notation.einsum_string import einsum_node
from einback.notation.elaborate import Program as ParsedProgram
from einback.notation.elaborate import elaborate
from einback.rules.simplify import normalise

__all__ = ["Program", "einsum", "eye", "from_parsed", "ones", "program", "tensor", "tensors"]


def tensors(text: str, **facts: bool) -> tuple[Tensor, ...]:
    """Declare tensors: `"X[n,d] W[d,c] b[c] lam"`, all of them with the same facts, if any (see `tensor`).

    Names in brackets are sizes, equal names are equal sizes; whole numbers fix a size; a name without
    brackets is a scalar. Raises `NotationError` with a caret.

    >>> X, s = tensors("X[n,3] s")
    >>> X.shape, s.shape
    (('n', 3), ())
    """
    return tuple(_declare(one, facts) for one in parse_declarations(text))


def tensor(
    text: str,
    *,
    integer: bool = False,
    complex: bool = False,
    positive: bool = False,
    symmetric: bool = False,
    diagonal: bool = False,
    lower: bool = False,
    positive_definite: bool = False,
    orthogonal: bool = False,
    stochastic: bool = False,
) -> Tensor:
    """Declare one tensor, with facts that its arrays keep; simplification and derivatives use them.

    `integer` marks whole numbers, which have no gradient, `complex` complex numbers, `positive` entries larger
    than 0. Of the last two axes, which are of one size: `symmetric`, `diagonal`, `lower` (triangular),
    `positive_definite` (symmetric too), `orthogonal`. Of the last axis: `stochastic`, no entry is negative and each
    row sums to one. Arrays are checked for them at every call. docs/complex.md and docs/facts.md say which
    derivatives are meant.

    Raises `NotationError` with a caret for the text, `EinbackError` for facts that contradict each other and
    `ShapeError` for facts of matrices about other shapes.

    >>> import einback as eb
    >>> S, x = tensor("S[n,n]", symmetric=True), tensor("x[n]")
    >>> print(eb.grad(eb.einsum("i,ij,j->", x, S, x), x))
    dx[n] = 2 S[n,i] x[i]
    """
    words = {
        "integer": integer,
        "complex": complex,
        "positive": positive,
        "symmetric": symmetric,
        "diagonal": diagonal,
        "lower": lower,
        "positive_definite": positive_definite,
        "orthogonal": orthogonal,
        "stochastic": stochastic,
    }
    return _declare(parse_declaration(text), words)


def _declare(one: Declared, words: Mapping[str, bool]) -> Tensor:
    facts = facts_of([word for word, holds in words.items() if holds], one.name, one.sizes)
    return declared(Input(one.name, one.sizes, facts), one.index_names)


def ones(sizes: str) -> Tensor:
    """The tensor of ones, `ones("[n,d]")`. It is never stored unless it is a result."""
    shape, names = parse_sizes(sizes)
    return Tensor(ones_of(shape), names, Scope())


def eye(size: str | int) -> Tensor:
    """The identity matrix of a size, `eye("n")`. It is contracted away, never multiplied with."""
    shape, names = parse_sizes(f"[{size},{size}]")
    return Tensor(Delta(shape[0]), names, Scope())


def einsum(spec: str, *operands: Tensor) -> Tensor:
    """NumPy's einsum, on symbols: `einsum("nd,dc->nc", X, W)`.

    All of NumPy's notation: implicit output, `...`, repeated labels, blanks. Beyond it, a label may stand
    twice in the output (`"i->ii"` embeds a diagonal), and a term with blanks inside makes words of all
    labels (`"batch head, head k -> batch k"`). Raises `NotationError` or `ShapeError` with a caret.

    >>> A, x = tensors("A[n,m] x[m]")
    >>> print(einsum("ij,j->i", A, x))
    y[i] = A[i,j] x[j]
    """
    nodes = nodes_of(operands)
    given = [operand.name if isinstance(operand, Tensor) else "" for operand in operands]
    result = einsum_node(spec, nodes, given)
    size_names: dict[str | int, tuple[str, ...]] = {}
    for label, size in result.label_sizes.items():
        size_names[size] = (*size_names.get(size, ()), label)
    return combine(
        result.node,
        result.out_names,
        [operand for operand in operands if isinstance(operand, Tensor)],
        equalities=result.equalities,
        size_names=size_names,
    )


class Program(Mapping[str, Tensor]):
    """An index program: a mapping from every name of the text, inputs too, to its tensor.

    `inputs` lists the inputs in order of appearance, `outputs` the left-hand sides in order.
    """

    def __init__(self, items: dict[str, Tensor], inputs: tuple[Tensor, ...], outputs: tuple[str, ...]) -> None:
        self._items = MappingProxyType(items)
        self.inputs = inputs
        self.outputs = outputs

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._items:
            raise NotationError(f"the program has no tensor {name!r}", hint=did_you_mean(name, self._items))
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __reduce__(self) -> tuple[object, ...]:
        return Program, (dict(self._items), self.inputs, self.outputs)

    def __str__(self) -> str:
        chosen = [self[name] for name in self.outputs]
        names = []
        for one in chosen:
            known = one.known()
            names.append(Names(one.names, known.size_names, names_in_normal_form(known)))
        return texts(normalise([one.node for one in chosen]), self.outputs, names)


def program(text: str, /, **named: Tensor | int | str) -> Program:
    """Read an index program, one definition a line. Keywords bind names to tensors, and indices to sizes (`u=2`).

    An index that is not on the left is summed over the smallest term that holds all its occurrences, a term
    being a whole product between + and -: `L = (O[i] - Y[i])^2` adds up the squared errors, `(x[i] y[i])^2`
    squares a dot product. Where a reader could place the sum in two ways, as in `exp(Z[i])`, it is an error
    that asks for `sum[i](..)`. A name that is read and never defined is an input, its sizes named by its
    indices. Positions may be computed: `x[b,c,2*i+u]` is a convolution's, `E[token[b,t],d]` a gather, `x[n,(h w)]`
    two axes as one; docs/notation.md has the whole notation. Raises `NotationError` with line and caret.

    >>> p = program('''
    ...     Z[n,c] = X[n,d] W[d,c] + b[c]
    ...     s      = Z[n,c]^2 / size(n)
    ... ''')
    >>> [one.name for one in p.inputs], p["s"].shape
    (['X', 'W', 'b'], ())
    """
    given = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    sizes = {name: value for name, value in named.items() if not isinstance(value, Tensor)}
    for name, value in sizes.items():
        if not isinstance(value, int | str):
            raise EinbackError(f"{name} is bound to a tensor or to a size, not to {type(value).__name__}")
    parsed = elaborate(text, {name: one.node for name, one in given.items()}, sizes)
    for name in given:
        if name not in parsed.tensors:
            hint = did_you_mean(name, parsed.tensors) or f"it reads {', '.join(parsed.tensors)}"
            raise NotationError(f"{name} is given, but the text does not read it", hint=hint)
    return from_parsed(parsed, given)


def from_parsed(parsed: ParsedProgram, given: Mapping[str, Tensor], *, parameters: bool = False) -> Program:
    """The tensors of a parsed text; `parameters` marks the inputs it makes as a layer's own."""
    items: dict[str, Tensor] = {}
    named = {node: name for name, node in parsed.tensors.items() if name in parsed.outputs}
    shared = Scope(
        inputs={
            node: _axes(parsed, name)
            for name, node in parsed.tensors.items()
            if isinstance(node, Input) and name not in given
        },
        parameters=parsed.inputs if parameters else (),
        size_names=parsed.size_names,
        equalities=parsed.equalities,
        tensors={} if parameters else named,
        parents=tuple(dict.fromkeys(one.scope for one in given.values())),
    )
    for name, node in parsed.tensors.items():
        names = _axes(parsed, name)
        if name in given:
            items[name] = given[name]
        elif isinstance(node, Input):
            items[name] = declared(node, names, parameter=parameters)
        else:
            items[name] = combine(node, names, [Tensor(node, names, shared)], name=name)
    inputs = tuple(one for name, one in items.items() if isinstance(one.node, Input) and name not in parsed.outputs)
    return Program(items, inputs, parsed.outputs)


def _axes(parsed: ParsedProgram, name: str) -> tuple[str, ...]:
    return parsed.index_names.get(name, ("",) * parsed.tensors[name].rank)
