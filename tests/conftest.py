from hypothesis import settings

pytest_plugins = ["tests.fixtures.servers"]

# The same examples in every run: a test that fails on one machine fails on all.
settings.register_profile("default", derandomize=True, deadline=None)
settings.load_profile("default")
