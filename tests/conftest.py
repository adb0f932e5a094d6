"""What all tests share: how hard Hypothesis searches, and what happens where JAX is missing.

    HYPOTHESIS_PROFILE=default   60 examples a test, the same ones every time
    HYPOTHESIS_PROFILE=ci        1,000 examples a test, the same ones every time, so that a commit keeps its verdict
    HYPOTHESIS_PROFILE=explore   1,000 other examples at every run, for whoever hunts

A test that says how many examples it wants keeps its own number.

Hypothesis draws some examples from the constants of the modules that are loaded by then. Which these are depends on
the tests that ran before in the same process, so they are left out: alone or among others, a test sees the same.

Tests marked `oracle` skip where JAX is missing, and fail instead where `EINBACK_REQUIRE_ORACLE=1` says that it must
be there.

New memory is filled with what no result may depend on, so that whatever reads an array before it is written shows.
"""

import importlib.util
import os
from functools import wraps
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

_SHARED = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", max_examples=60, derandomize=True, **_SHARED)
settings.register_profile("ci", max_examples=1000, derandomize=True, print_blob=True, **_SHARED)
settings.register_profile("explore", max_examples=1000, derandomize=False, print_blob=True, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if hasattr(providers, "_get_local_constants"):  # Hypothesis 6.131 and newer
    providers._get_local_constants = lambda: providers._local_constants

_empty = np.empty


@wraps(_empty)
def _poisoned(*args: Any, **keywords: Any) -> np.ndarray:
    """np.empty, with every byte set: floats are NaN, integers are -1."""
    made: np.ndarray = _empty(*args, **keywords)
    if not made.dtype.hasobject:
        made.ravel(order="K").view(np.uint8)[...] = 0xFF
    return made


np.empty = _poisoned


@pytest.fixture(autouse=True)
def _oracle(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("oracle") is None or importlib.util.find_spec("jax") is not None:
        return
    if os.environ.get("EINBACK_REQUIRE_ORACLE") == "1":
        pytest.fail("EINBACK_REQUIRE_ORACLE=1, and JAX is not installed")
    pytest.skip('JAX is not installed: pip install -e ".[oracle]"')
