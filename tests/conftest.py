"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A deadline, or a check that drawing is fast, would fail on a slow machine for nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
