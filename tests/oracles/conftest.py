"""Oracle tests skip where JAX is missing, and fail instead where `EINBACK_REQUIRE_ORACLE=1` says it must be there."""

import os

import pytest

from tests.oracles import jax_lib


@pytest.fixture(autouse=True)
def _oracle(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("oracle") is None or jax_lib.jax is not None:
        return
    if os.environ.get("EINBACK_REQUIRE_ORACLE") == "1":
        pytest.fail("EINBACK_REQUIRE_ORACLE=1, and JAX is not installed")
    pytest.skip('JAX is not installed: pip install -e ".[oracle]"')
