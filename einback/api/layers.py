"""Layers: one line of index notation, or an einsum string, with its own parameters."""

from __future__ import annotations

from einback.api.declaring import from_parsed
from einback.api.tensor import Tensor
from einback.errors import EinbackError, NotationError
from einback.notation.layer_text import LayerText, parse_layer

__all__ = ["Layer", "layer"]


class Layer:
    """A reusable line. Calling it binds tensors to the line's slots and makes inputs of the rest."""

    def __init__(self, text: LayerText) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"layer({self._text.text!r})"

    def __call__(self, *args: Tensor, name: str = "", **named: Tensor | int | str) -> Tensor:
        """Apply the layer. Positional tensors bind to the slots in order of appearance.

        A keyword that names a slot shares a tensor (`W=other`); one that names an index fixes its size
        (`k=128`, or a symbol `k="hidden"`). Slots left over become parameters `W_name`, one set per `name`;
        a size left open is the symbol `k_name`. The result's `parameters` lists them. Two calls with one name
        share their parameters.
        """
        if name and not f"_{name}".isidentifier():
            raise NotationError(f"a layer cannot be named {name!r}", hint="use letters, digits and underscores")
        shared = {key: value for key, value in named.items() if isinstance(value, Tensor)}
        sizes = {key: value for key, value in named.items() if not isinstance(value, Tensor)}
        for arg in args:
            if not isinstance(arg, Tensor):
                raise EinbackError(f"a layer is applied to tensors, not to {type(arg).__name__}")
        bound = self._text.bind([arg.node for arg in args], {key: one.node for key, one in shared.items()})
        given = dict(zip(self._text.slots, args, strict=False)) | shared
        parsed = self._text.build(bound, name, sizes)
        program = from_parsed(parsed, given, parameters=True)
        result = program[self._text.output]
        return Tensor(result.node, result.names, result.scope)


def layer(text: str) -> Layer:
    """Declare a layer: `layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])")` or `layer("nd,dk->nk")`.

    >>> import einback as eb
    >>> dense = eb.layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])")
    >>> H = dense(eb.tensor("X[n,d]"), name="1", k=128)
    >>> [(one.name, one.shape) for one in H.parameters]
    [('W_1', ('d', 128)), ('b_1', (128,))]
    """
    return Layer(parse_layer(text))
