import pytest

from nserbench.benchmark.plugins.registry import Plugins


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    """Return the plugins that are built in."""
    return Plugins(installed=False)
