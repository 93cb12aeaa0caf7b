import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch

from nserbench.benchmark.plugins.side_by_side import side_by_side
from nserbench.interrupts import OWN_THREADS


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def collect(
    function: Callable[[int], Any], items: Iterable[int], at_once: int, each: int = 1
) -> list[Any]:
    with side_by_side(function, items, at_once, each) as results:
        return [result() for result in results]


def test_values_come_in_the_order_of_the_items() -> None:
    first_may_end = threading.Event()

    def double(item: int) -> int:
        if item == 0:
            assert first_may_end.wait(10)
        else:
            first_may_end.set()
        return 2 * item

    assert collect(double, range(20), 2) == list(range(0, 40, 2))


def test_as_many_items_run_at_once_as_there_are_threads() -> None:
    all_here = threading.Barrier(3)

    def meet(_: int) -> None:
        all_here.wait(10)  # raises if fewer than three run at once

    assert collect(meet, range(6), 3) == [None] * 6


@pytest.mark.parametrize(("at_once", "each"), [(4, 1), (2, 2), (8, 1)])
def test_each_thread_computes_in_so_many(at_once: int, each: int) -> None:
    counts = collect(lambda _: torch.get_num_threads(), range(9), at_once, each)

    assert set(counts) == {each}
    assert torch.get_num_threads() == 4


def test_few_items_are_begun_before_they_are_asked_for() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with side_by_side(lambda item: item, items(), 2) as results:
        next(results)

        assert len(taken) <= 6


def fails_at(bad: int, raises: Callable[[], BaseException]) -> Callable[[int], int]:
    def check(item: int) -> int:
        if item == bad:
            raise raises()
        return item

    return check


@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, StopIteration]
)
def test_an_error_is_raised_where_its_value_would_be(
    kind: type[BaseException],
) -> None:
    values = []

    def take() -> None:
        with side_by_side(fails_at(3, kind), range(50), 2) as results:
            for result in results:
                values.append(result())

    with pytest.raises(kind):
        take()

    assert values == [0, 1, 2]
    assert torch.get_num_threads() == 4


def test_what_has_begun_is_waited_for_after_an_error() -> None:
    ended = []
    second_has_begun = threading.Event()

    def slow_or_bad(item: int) -> None:
        if item == 0:
            assert second_has_begun.wait(10)
            raise ValueError("bad")
        second_has_begun.set()
        threading.Event().wait(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="bad"):
        collect(slow_or_bad, range(2), 2)

    assert ended == [1]


def test_nothing_is_waited_for_after_an_interruption_by_the_user() -> None:
    may_end, ended = threading.Event(), threading.Event()

    def wait(item: int) -> None:
        if item:
            may_end.wait(10)
            ended.set()

    def interrupt() -> None:
        with side_by_side(wait, range(2), 2) as results:
            next(results)()
            raise KeyboardInterrupt  # as if a signal came while it waits

    with pytest.raises(KeyboardInterrupt):
        interrupt()

    assert not ended.is_set()
    may_end.set()


def test_a_copy_of_the_process_ends_with_the_call() -> None:
    def copy(_: int) -> int:
        return os.fork()

    (child,) = collect(copy, [0], 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_what_is_printed_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    collect(lambda item: print("hello", item), range(2), 2)

    written = capsys.readouterr()
    assert (written.out, sorted(written.err.splitlines())) == (
        "",
        ["hello 0", "hello 1"],
    )


def test_the_threads_are_known_by_name() -> None:
    names = collect(lambda _: threading.current_thread().name, range(4), 2)

    assert all(name.startswith(OWN_THREADS) for name in names)
