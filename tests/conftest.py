"""What every suite may use."""

from hypothesis import settings

pytest_plugins = ["tests.cluster.fixtures"]

# How long an example takes is the machine's business, and others may be at work on it.
settings.register_profile("lockstep", deadline=None)
settings.load_profile("lockstep")
