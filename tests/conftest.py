"""Settings that all tests share: how hard Hypothesis searches.

    HYPOTHESIS_PROFILE=default   60 examples a test, the same ones every time
    HYPOTHESIS_PROFILE=ci        1,000 examples a test, the same ones every time, so that a commit keeps its verdict
    HYPOTHESIS_PROFILE=explore   1,000 other examples at every run, for whoever hunts

A test that says how many examples it wants keeps its own number.
"""

import os

from hypothesis import HealthCheck, settings

_SHARED = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", max_examples=60, derandomize=True, **_SHARED)
settings.register_profile("ci", max_examples=1000, derandomize=True, print_blob=True, **_SHARED)
settings.register_profile("explore", max_examples=1000, derandomize=False, print_blob=True, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
