"""Whether an interruption is by the user."""

import signal
from collections.abc import Iterator

import pytest

from nserbench.interrupts import by_user, watch_interrupts


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN])
def handler(request: pytest.FixtureRequest) -> Iterator[object]:
    """Let the process take interrupts, or ignore them as one in the background does."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_that_a_plugin_raises_is_not_the_users(handler: object) -> None:
    with watch_interrupts(), watch_interrupts():
        assert not by_user(KeyboardInterrupt())

    assert signal.getsignal(signal.SIGINT) is handler


def test_a_signal_is_an_interrupt_of_the_user() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with watch_interrupts():
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
        assert by_user(caught.value)
    signal.signal(signal.SIGINT, before)
