"""Random products with one to three relations beside arrays, for any layer to be tested with."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from einback.ir.build import einsum
from einback.ir.nodes import Input, Node, OneHot, Window


@st.composite
def products(draw: Any, *, most: int = 3) -> tuple[Node, list[Input], dict[str, int]]:
    """A product, its inputs, and the lengths of its sizes: each label has a size of its own.

    Labels are shared between arrays and relations at random, also twice in one of them, in `out` or not.
    Windows stride, dilate, run backwards and leave their axis, but a window without a minus sign does not.
    """
    lengths = [draw(st.integers(1, 4)) for _ in range(draw(st.integers(2, 5)))]
    labels = range(len(lengths))
    sizes = {f"s{label}": length for label, length in enumerate(lengths)}

    def some(least: int, most: int) -> list[int]:
        return draw(st.lists(st.sampled_from(labels), min_size=least, max_size=most))

    inputs: list[Input] = []
    operands: list[Node] = []
    terms: list[list[int]] = []
    for k in range(draw(st.integers(1, most))):
        if draw(st.integers(0, 2)):
            place, *indices = some(1, 4)
            steps = tuple(draw(st.integers(-2, 3)) for _ in indices)
            offset = draw(st.integers(-3, 3))
            reach = offset + sum(step * (lengths[label] - 1) for step, label in zip(steps, indices, strict=True))
            if min([*steps, offset]) >= 0 and reach >= lengths[place]:
                offset = -1
            operands.append(Window(f"s{place}", tuple(f"s{label}" for label in indices), steps, offset))
            terms.append([place, *indices])
        else:
            place, *indices = some(1, 3)
            ids = Input(f"ids{k}", tuple(f"s{label}" for label in indices), ("integer", f"below {lengths[place]}"))
            inputs.append(ids)
            operands.append(OneHot(ids, f"s{place}"))
            terms.append([*indices, place])
    for k in range(draw(st.integers(0, 3))):
        own = some(1, 3)
        inputs.append(Input(f"x{k}", tuple(f"s{label}" for label in own), ()))
        operands.append(inputs[-1])
        terms.append(own)
    seen = list(dict.fromkeys(label for term in terms for label in term))
    out = [label for label in seen if draw(st.booleans())]
    order = draw(st.permutations(range(len(operands))))
    return einsum([operands[k] for k in order], [terms[k] for k in order], draw(st.permutations(out))), inputs, sizes


def arrays_for(inputs: list[Input], sizes: dict[str, int], seed: int, dtype: str = "f8") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = {}
    for tensor in inputs:
        shape = tuple(sizes[str(size)] for size in tensor.sizes)
        if tensor.facts:
            arrays[tensor.name] = rng.integers(0, int(tensor.facts[1].split()[1]), shape)
        else:
            arrays[tensor.name] = _values(rng, shape, dtype)
    return arrays


def _values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    kind = np.dtype(dtype).kind
    if kind in "iuO":
        return rng.integers(0 if kind == "u" else -4, 5, shape).astype(dtype)
    values = rng.normal(size=shape)
    return (values + 1j * rng.normal(size=shape) if kind == "c" else values).astype(dtype)
