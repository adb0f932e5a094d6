"""Random whole programs: value, all gradients, a Hessian-vector product and a push forward in one compiled step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import einback as eb
from tests.interpreter import evaluate
from tests.oracles import structured
from tests.oracles.compare import assert_close
from tests.oracles.complex_step import ComplexNumpy, gradients, slope
from tests.oracles.jax_lib import jax
from tests.oracles.libraries import EINBACK, jax_library
from tests.oracles.programs import CLASSICAL, Recipe, follow, follow_all, random_arrays, random_ids, recipes

_H = 1e-5  # step of the central difference that takes gradients to second order
KINDS = {"classical": CLASSICAL, "structured": structured.KINDS}
each_kind = pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)


@dataclass(frozen=True)
class Case:
    """A recipe with arrays, and as tensors of einback with the same values."""

    recipe: Recipe
    arrays: list[np.ndarray]
    ids: list[np.ndarray]
    tensors: list[Any]
    ids_tensors: list[Any]

    def values(self, library: Any, arrays: Any) -> Any:
        return follow_all(self.recipe, library, arrays, self.ids)

    def loss(self, library: Any, arrays: Any) -> Any:
        return follow(self.recipe, library, arrays, self.ids)

    @property
    def first(self) -> int:
        """The first input that is read: products are taken along it."""
        return min(k for op in self.recipe.ops for k in op.reads if k < len(self.arrays))

    def named(self, y: Any) -> dict[str, np.ndarray]:
        """The arrays that a tensor reads, by name."""
        tensors = [*self.tensors, *self.ids_tensors]
        read = {x.name for x in y.inputs}
        return {x.name: a for x, a in zip(tensors, [*self.arrays, *self.ids], strict=True) if x.name in read}


def draw_case(data: st.DataObject, kinds: Any) -> Case:
    """A recipe and arrays for it, of moderate values."""
    recipe, seed = data.draw(recipes(kinds)), data.draw(st.integers(0, 99))
    arrays, ids = random_arrays(recipe, seed), random_ids(recipe, seed)
    assume(_moderate(recipe, arrays, ids))
    tensors = [eb.tensor(f"x{k}[{','.join(shape)}]") for k, shape in enumerate(recipe.inputs)]
    wholes = [eb.tensor(f"ids{k}[{_sizes(array)}]", integer=True) for k, array in enumerate(ids)]
    return Case(recipe, arrays, ids, tensors, wholes)


def _sizes(array: np.ndarray) -> str:
    return ",".join(map(str, array.shape))


def _moderate(recipe: Recipe, arrays: list[np.ndarray], ids: list[np.ndarray]) -> bool:
    """Whether values stay below 1e3, and away from kinks by more than the differences step."""
    library = ComplexNumpy()
    with np.errstate(all="ignore"):
        follow(recipe, library, [a.astype(complex) for a in arrays], ids)
    return library.largest < 1e3 and library.nearest > 1e-3 and library.conditions > 1e-3


def _directions(case: Case, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """A direction for the first input that is read, and the same with zeros for the others."""
    v = np.random.default_rng(seed).normal(size=case.arrays[case.first].shape)
    return v, [v if k == case.first else np.zeros(a.shape) for k, a in enumerate(case.arrays)]


def _run(case: Case, v: np.ndarray) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Loss, gradients, a Hessian-vector product and a push forward along v, compiled as one program.

    The results are also those of the interpreter, which evaluates all nodes densely. The first result says which
    inputs the recipe reads: the gradients are for these, the products along the first of them.
    """
    loss = follow(case.recipe, EINBACK, case.tensors, case.ids_tensors)
    named = case.named(loss)
    used = tuple(k for k, x in enumerate(case.tensors) if x.name in named)
    x = case.tensors[used[0]]
    along = eb.tensor(f"v[{','.join(case.recipe.inputs[used[0]])}]")
    wanted = {
        "loss": loss,
        "grads": eb.grad(loss, [case.tensors[k] for k in used]),
        "hvp": eb.hvp(loss, x, along),
        "jvp": eb.jvp(loss, {x: along}),
    }
    found = eb.compile(wanted)(**named, v=v)
    flat = [wanted["loss"], *wanted["grads"], wanted["hvp"], wanted["jvp"]]
    dense = evaluate([y.node for y in flat], named | {"v": v}, equalities=loss.scope.equalities)
    for one, other in zip([found["loss"], *found["grads"], found["hvp"], found["jvp"]], dense, strict=True):
        scale = max(1.0, np.abs(other).max(initial=0))
        assert_close(one / scale, other / scale, "the interpreter", 1e-9)
    return used, found


@each_kind
@given(data=st.data())
def test_against_complex_step(data: st.DataObject, kinds: Any):
    case = draw_case(data, kinds)
    v, along = _directions(case, 1)
    used, found = _run(case, v)

    def f(values: list[np.ndarray]) -> Any:
        return case.loss(ComplexNumpy(), values)

    def moved(step: float) -> np.ndarray:
        return gradients(f, [a + step * d for a, d in zip(case.arrays, along, strict=True)])[used[0]]

    wanted = gradients(f, case.arrays)
    hvp = (moved(_H) - moved(-_H)) / (2 * _H)
    scale = max(1.0, *(np.abs(g).max(initial=0) for g in (*wanted, hvp)))
    assert_close(found["loss"], f([a.astype(complex) for a in case.arrays]).real, "loss")
    for k, gradient in zip(used, found["grads"], strict=True):
        assert_close(gradient / scale, wanted[k] / scale, f"gradient for x{k}", 1e-9)
    assert_close(found["jvp"] / scale, slope(f, case.arrays, along) / scale, "push forward", 1e-9)
    assert_close(found["hvp"] / scale, hvp / scale, "Hessian-vector product", 1e-5)


@pytest.mark.oracle
@each_kind
@settings(max_examples=75)
@given(data=st.data())
def test_against_jax(data: st.DataObject, kinds: Any):
    case = draw_case(data, kinds)
    v, along = _directions(case, 2)
    used, found = _run(case, v)

    def derivatives(xs: tuple[Any, ...]) -> tuple[Any, Any]:
        loss = jax.value_and_grad(lambda xs: case.loss(jax_library(), xs))
        return jax.jvp(loss, (xs,), (tuple(along),))

    (loss, grads), (jvp, hvps) = jax.jit(derivatives)(tuple(case.arrays))
    hvp = hvps[used[0]]
    scale = max(1.0, *(np.abs(g).max(initial=0) for g in (*grads, hvp)))
    assert_close(found["loss"], loss, "loss")
    for k, gradient in zip(used, found["grads"], strict=True):
        assert_close(gradient / scale, grads[k] / scale, f"gradient for x{k}", 1e-9)
    assert_close(found["jvp"] / scale, jvp / scale, "push forward", 1e-9)
    assert_close(found["hvp"] / scale, hvp / scale, "Hessian-vector product", 1e-9)


@each_kind
@settings(max_examples=30)
@given(data=st.data())
def test_pull_and_push_are_adjoint(data: st.DataObject, kinds: Any):
    """<g, J u> = <J' g, u>, for a tensor that is no scalar; and its value is that of NumPy's."""
    case = draw_case(data, kinds)
    values = case.values(ComplexNumpy(), [a.astype(complex) for a in case.arrays])
    y = follow_all(case.recipe, EINBACK, case.tensors, case.ids_tensors)[case.recipe.unread[-1]]
    wanted, named = values[case.recipe.unread[-1]].real, case.named(y)
    xs = [x for x in case.tensors if x.name in named]
    assume(xs)
    rng = np.random.default_rng(3)
    u = {x: rng.normal(size=named[x.name].shape) for x in xs}
    g = rng.normal(size=wanted.shape)
    along = {x: eb.tensor(f"u_{x.name}[{_sizes(array)}]") for x, array in u.items()}
    found = eb.evaluate(
        {"y": y, "jvp": eb.jvp(y, along), "vjp": eb.vjp(y, xs, eb.tensor(f"g[{_sizes(g)}]"))},
        **named, g=g, **{f"u_{x.name}": array for x, array in u.items()},
    )  # fmt: skip
    assert_close(found["y"], wanted, "value")
    pushed, pulled = np.vdot(g, found["jvp"]), sum(np.vdot(one, u[x]) for x, one in zip(xs, found["vjp"], strict=True))
    scale = 1 + np.abs(g).sum() * np.abs(found["jvp"]).max(initial=0)
    assert_close(pushed / scale, pulled / scale, "<g, J u> and <J' g, u>", 1e-9)


@each_kind
@settings(max_examples=30)
@given(data=st.data())
def test_hessians_are_symmetric_and_their_source_stands_alone(data: st.DataObject, kinds: Any):
    """H' = H and H v = hvp; the files hold the same numbers, and run without einback."""
    case = draw_case(data, kinds)
    loss, x = follow(case.recipe, EINBACK, case.tensors, case.ids_tensors), case.tensors[case.first]
    v = np.random.default_rng(4).normal(size=case.arrays[case.first].shape)
    step = eb.compile([eb.hessian(loss, x), eb.hvp(loss, x, eb.tensor(f"v[{_sizes(v)}]"))])
    arrays = case.named(loss) | {"v": v}
    hessian, product = step(**arrays)
    square = hessian.reshape(v.size, v.size)
    scale = max(1.0, np.abs(square).max(initial=0))
    assert_close(square / scale, square.T / scale, "mirrored Hessian", 1e-10)
    assert_close(np.tensordot(hessian, v, v.ndim) / scale, product / scale, "Hessian times a vector", 1e-9)
    space: dict[str, Any] = {}
    exec(step.source(), space)
    alone = space["step"](**{name: array for name, array in arrays.items() if f"    {name} " in step.source()})
    for one, other in zip(alone, (hessian, product), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
