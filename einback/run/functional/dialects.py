"""What the targets call things: a row of spellings each, and tables where a function differs from NumPy's.

A template that is missing here is NumPy's, with the module's name in the place of `np`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from einback.errors import CompileError, did_you_mean

__all__ = ["TARGETS", "Target", "target_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How one library spells a program. `strict` ones compute with arrays of one dtype only, and no numbers among them.

    `functions` has templates by row of the scalar table, `reductions` templates in {0}, the array, and {1}, the axes;
    `helpers` is the source of functions that templates call. `host` and `device` turn an array into NumPy's and back.
    """

    name: str
    title: str
    imports: str
    module: str
    array: str
    axis: str = "axis"
    cast: str = "{0}.astype({1})"
    transpose: str = "transpose"
    copy: str = "copy"
    reductions: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    decorator: str = ""
    strict: bool = False
    placed: bool = False  # whether new arrays are told their device
    checks: bool = True  # whether indices can be checked
    dtypes: str = "?bhilqBHILQefdFD"  # as NumPy's characters
    prelude: str = ""
    host: str = ""
    device: str = ""


_ABOVE = "(({0} > {1}) + 0.5 * ({0} == {1}))"

_LOGSUMEXP = '''
def logsumexp(x, axis=None):
    """log(sum(exp(x))), shifted by the largest entry unless that is infinite."""
    largest = peak(x, axis, keepdims=True)
    sums = np.exp(x - largest).sum(axis=axis, keepdims=True)
    return (np.log(sums) + largest).squeeze(axis)
'''

_PEAK = '''
def peak(x, axis=None, keepdims=False):
    """The largest entry, of the real parts, or 0 where that is infinite: what exponentials are shifted by."""
    largest = x.real.max(axis=axis, keepdims=keepdims)
    return np.where(np.isinf(largest), 0, largest).astype(largest.dtype)
'''

_ADD_AT = '''
def add_at(values, index, axis, size):
    """Zeros, `size` of them along the axis, with values[.., k, ..] added to entry index[k]."""
    total = np.zeros((*values.shape[:axis], size, *values.shape[axis + 1 :]), values.dtype)
    np.add.at(total, (slice(None),) * axis + (index,), values)
    return total
'''

_CHECK = '''
def check_indices(ids, size, name):
    """Raise IndexError unless every index points into an axis of `size` entries."""
    if 0 not in ids.shape and (ids.min() < 0 or ids.max() >= size):
        raise IndexError(f"an entry of {name} points outside of an axis of {size} entries")
'''

_NUMPY_REDUCTIONS = {
    "max": "{0}.max({1})",
    "min": "{0}.min({1})",
    "prod": "{0}.prod({1})",
    "sum": "{0}.sum({1})",
    "logsumexp": "logsumexp({0}, {1})",
    "peak": "peak({0}, {1})",
}

_NUMPY_HELPERS = {"logsumexp": _LOGSUMEXP, "peak": _PEAK, "add_at": _ADD_AT, "check_indices": _CHECK}

NUMPY: Final = Target(
    name="numpy",
    title="NumPy",
    imports="import numpy as np",
    module="np",
    array="np.ndarray",
    reductions=_NUMPY_REDUCTIONS,
    functions={"above": _ABOVE},
    helpers=_NUMPY_HELPERS,
    decorator='@np.errstate(all="ignore")',
    host="np.asarray({0})",
    device="{0}",
)

CUPY: Final = Target(
    name="cupy",
    title="CuPy",
    imports="import cupy",
    module="cupy",
    array="cupy.ndarray",
    reductions=_NUMPY_REDUCTIONS,
    functions={
        "above": _ABOVE,
        "erf": "cupyx.scipy.special.erf({0})",
        "gelu": "(0.5 * {0} * (1 + cupyx.scipy.special.erf({0} / 1.4142135623730951)))",
    },
    helpers={name: text.replace("np.", "cupy.") for name, text in _NUMPY_HELPERS.items()},
    host="cupy.asnumpy({0})",
    device="cupy.asarray({0})",
)

_JAX_ADD_AT = '''
def add_at(values, index, axis, size):
    """Zeros, `size` of them along the axis, with values[.., k, ..] added to entry index[k]."""
    total = jnp.zeros((*values.shape[:axis], size, *values.shape[axis + 1 :]), values.dtype)
    return total.at[(slice(None),) * axis + (index,)].add(values)
'''

JAX: Final = Target(
    name="jax",
    title="JAX",
    imports="import jax\nimport jax.numpy as jnp",
    module="jnp",
    array="jax.Array",
    reductions={**_NUMPY_REDUCTIONS, "logsumexp": "jax.nn.logsumexp({0}, {1})"},
    functions={
        "above": _ABOVE,
        "erf": "jax.scipy.special.erf({0})",
        "gelu": "jax.nn.gelu({0}, approximate=False)",
        "relu": "jnp.maximum({0}, 0)",
        "sigmoid": "jax.nn.sigmoid({0})",
        "softplus": "jnp.logaddexp({0}, 0)",
        "silu": "jax.nn.silu({0})",
        "complex": "jax.lax.complex({0}, {1})",
        "real": "{0}.real",
        "imag": "{0}.imag",
    },
    helpers={"peak": _PEAK.replace("np.", "jnp."), "add_at": _JAX_ADD_AT},
    checks=False,
    prelude='jax.config.update("jax_enable_x64", True)',
    host="np.asarray({0})",
    device="jnp.asarray({0})",
)

_TORCH_PEAK = '''
def peak(x, dim):
    """The largest entry, of the real parts, or 0 where that is infinite: what exponentials are shifted by."""
    largest = torch.amax(x.real, dim)
    return torch.where(torch.isinf(largest), torch.zeros_like(largest), largest)
'''

_TORCH_LOGSUMEXP = '''
def logsumexp_of(x, dim):
    """log(sum(exp(x))) of complex numbers, shifted by the largest real part."""
    largest = peak(x, dim)
    for axis in sorted((dim,) if isinstance(dim, int) else dim):
        largest = largest.unsqueeze(axis)
    sums = torch.exp(x - largest).sum(dim, keepdim=True)
    return (torch.log(sums) + largest).squeeze(dim)
'''

_TORCH_ADD_AT = '''
def add_at(values, index, axis, size):
    """Zeros, `size` of them along the axis, with values[.., k, ..] added to entry index[k]."""
    total = values.new_zeros((*values.shape[:axis], size, *values.shape[axis + 1 :]))
    return total.index_add(axis, index, values)
'''

TORCH: Final = Target(
    name="torch",
    title="PyTorch",
    imports="import torch",
    module="torch",
    array="torch.Tensor",
    axis="dim",
    cast="{0}.to({1})",
    transpose="permute",
    copy="clone",
    reductions={
        "max": "{0}.amax({1})",
        "min": "{0}.amin({1})",
        "prod": "{0}.prod({1})",
        "sum": "{0}.sum({1})",
        "logsumexp": "torch.logsumexp({0}, {1})",
        "peak": "peak({0}, {1})",
        "logsumexp_of": "logsumexp_of({0}, {1})",
    },
    functions={
        "above": _ABOVE,
        "cbrt": "(torch.sign({0}) * torch.abs({0}) ** (1 / 3))",
        "erf": "torch.special.erf({0})",
        "gelu": "torch.nn.functional.gelu({0})",
        "relu": "torch.relu({0})",
        "sigmoid": "torch.sigmoid({0})",
        "softplus": "torch.logaddexp({0}, torch.zeros_like({0}))",
        "silu": "torch.nn.functional.silu({0})",
        "sign": "torch.sgn({0})",
        "rint": "torch.round({0})",
        "conj": "torch.conj({0}).resolve_conj()",
        "real": "torch.real({0})",
        "imag": "torch.imag({0})",
        "complex": "torch.complex({0}, {1})",
    },
    helpers={"peak": _TORCH_PEAK, "logsumexp_of": _TORCH_LOGSUMEXP, "add_at": _TORCH_ADD_AT, "check_indices": _CHECK},
    strict=True,
    placed=True,
    dtypes="?bhilqBefdFD",
    host="{0}.numpy()",
    device="torch.from_numpy(np.array({0}))",
)

TARGETS: Final[dict[str, Target]] = {target.name: target for target in (NUMPY, CUPY, TORCH, JAX)}


def target_named(name: object) -> Target:
    """The row of a target.

    Raises `CompileError` for a name that none has.

    >>> target_named("torch").title
    'PyTorch'
    """
    if isinstance(name, str) and name in TARGETS:
        return TARGETS[name]
    guess = did_you_mean(name, TARGETS) if isinstance(name, str) else ""
    raise CompileError(f"{name!r} is no target of source text", hint=guess or f"targets: {', '.join(TARGETS)}")
