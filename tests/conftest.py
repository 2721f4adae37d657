"""What holds for all tests: how Hypothesis works here."""

import os

from hypothesis import HealthCheck, settings

# No test here measures time, and a machine may be slow: neither a deadline nor a slow example fails one.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A run of continuous integration finds the same each time; new examples are looked for by people.
settings.register_profile("ci", settings.get_profile("house"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")
