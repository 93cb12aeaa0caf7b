from importlib.metadata import version

import pytest

import nserbench


def test_the_version_is_that_of_the_package() -> None:
    assert nserbench.__version__ == version("nserbench")


def test_an_unknown_name_raises_an_attribute_error() -> None:
    name = "UpstreamCrad"

    with pytest.raises(AttributeError, match="has no attribute 'UpstreamCrad'"):
        getattr(nserbench, name)
