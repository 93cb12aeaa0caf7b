"""What a result says of the software and the machine."""

from typing import Any

from nserbench.benchmark.results.environment import PACKAGES, environment


def test_what_a_caller_changes_is_not_in_the_next_environment() -> None:
    first: Any = environment("cpu")
    versions = dict(first["packages"])
    first["packages"].clear()

    second = environment("cpu")

    assert second["packages"] == versions
    assert list(versions) == list(PACKAGES)
