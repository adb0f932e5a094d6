"""Random programs of many operations that share what they make, as a device runs them: fused, in parts, replayed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import einback as eb
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import cupy_stand_in

pytestmark = pytest.mark.skipif(not available(), reason="there is no g++ to compile kernels for the host")

INPUTS = {"x": "nm", "y": "mn", "z": "nmk", "u": "n", "v": "m", "s": ""}
UNARY = [
    eb.tanh, eb.sin, eb.relu, eb.sigmoid, eb.softplus, lambda a: a * a, lambda a: 1 - a / 3, lambda a: 1 / (1 + a**2)
]  # fmt: skip
BINARY = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, eb.maximum, lambda a, b: a / (1 + b**2)]
REDUCED = [eb.sum, eb.max, eb.logsumexp, eb.mean]

Grown = tuple[Any, str]  # a tensor, and the letters of its axes


class Program:
    """Grows tensors over axes n, m and k; each reads what was grown before, the latest more often."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        declared = [f"{name}[{','.join(axes)}]" if axes else name for name, axes in INPUTS.items()]
        self.inputs = list(zip(map(eb.tensor, declared), INPUTS.values(), strict=True))
        self.grown: list[Grown] = list(self.inputs)

    def pick(self) -> Grown:
        back = self.draw(st.integers(0, min(8, len(self.grown) - 1)))
        return self.grown[-1 - back] if self.draw(st.booleans()) else self.draw(st.sampled_from(self.grown))

    def grow(self) -> None:
        a, axes = self.pick()
        match self.draw(st.sampled_from(["unary", "binary", "binary", "reduced", "product", "product", "softmax"])):
            case "unary":
                self.grown.append((self.draw(st.sampled_from(UNARY))(a), axes))
            case "binary":
                b, others = self.pick()
                out = "".join(self.draw(st.permutations(sorted({*axes, *others}))))
                left, right = (eb.einsum(f"{own},{out}->{out}", one, self.ones(out)) for one, own in
                               ((a, axes), (b, others)))  # fmt: skip
                self.grown.append((self.draw(st.sampled_from(BINARY))(left, right), out))
            case "reduced" if axes:
                gone = self.draw(st.sampled_from(axes))
                made = self.draw(st.sampled_from(REDUCED))(a, axis=axes.index(gone))
                self.grown.append((eb.tanh(made), axes.replace(gone, "")))
            case "product":
                b, others = self.pick()
                shared = sorted({*axes} & {*others})
                if not shared:
                    return
                gone = self.draw(st.sampled_from(shared))
                out = "".join(self.draw(st.permutations(sorted({*axes, *others} - {gone}))))
                self.grown.append((eb.tanh(eb.einsum(f"{axes},{others}->{out}", a, b)), out))
            case "softmax" if axes:
                self.grown.append((eb.softmax(a, axis=self.draw(st.integers(0, len(axes) - 1))), axes))

    def ones(self, axes: str) -> Any:
        return eb.ones(f"[{','.join(axes)}]") if axes else eb.ones("[]")

    def outputs(self) -> list[Any]:
        made = [tensor for tensor, _ in self.grown[len(self.inputs) :]] or [self.inputs[0][0]]
        wanted = [*self.draw(st.lists(st.sampled_from(made), max_size=4)), made[-1]]
        if self.draw(st.booleans()):
            loss = eb.sum(made[-1]) if made[-1].ndim else made[-1]
            read = {one.name for one in loss.inputs}
            wanted += eb.grad(loss, [tensor for tensor, _ in self.inputs if tensor.name in read])
        return wanted


def laid(cupy: Any, array: np.ndarray, how: int) -> Any:
    """The array on the device, in one of several layouts."""
    if how == 0 or not array.ndim:
        return cupy.asarray(array)
    if how == 1:
        return cupy.asarray(np.ascontiguousarray(array.T)).T
    if how == 2:
        back = (slice(None, None, -1),) * array.ndim
        return cupy.asarray(np.ascontiguousarray(array[back]))[back]
    return cupy.asarray(np.repeat(array, 2, axis=-1))[..., ::2]


@settings(max_examples=60)
@given(data=st.data())
def test_random_dags(data: st.DataObject) -> None:
    program = Program(data.draw)
    for _ in range(data.draw(st.integers(1, 24))):
        program.grow()
    outputs = program.outputs()
    lengths = {axis: data.draw(st.sampled_from([1, 2, 3, 8, 33])) for axis in "nmk"}
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    host = eb.compile(outputs)
    arrays = {one.name: rng.normal(size=[lengths[axis] for axis in INPUTS[one.name]]) for one in host.inputs}
    sizes = {axis: length for axis, length in lengths.items() if axis in host.symbols}
    wanted = host(**arrays, **sizes)
    step = eb.compile(outputs, graph=data.draw(st.booleans()))
    with cupy_stand_in() as cupy:
        device = {name: laid(cupy, array, data.draw(st.integers(0, 3))) for name, array in arrays.items()}
        for _ in range(2):
            found = step(**device, **sizes)
            for one, other in zip(found, wanted, strict=True):
                assert one.dtype == np.asarray(other).dtype
                assert one.shape == np.asarray(other).shape
                scale = max(1.0, float(np.abs(other).max(initial=0)))
                np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-9, atol=1e-9 * scale)
