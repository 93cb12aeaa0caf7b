"""The time of tasks in several workers."""

from nserbench.benchmark.running.makespan import TimedTask, makespan


def test_workers_share_tasks_in_the_order_of_their_needs() -> None:
    work = [
        TimedTask("a", 2),
        TimedTask("b", 3),
        TimedTask("c", 4, ["a"]),
        TimedTask("d", 1, ["a", "b"]),
    ]

    assert makespan(work, 1) == 10
    assert makespan(work, 2) == 6
    assert makespan([], 2) == 0


def test_a_task_waits_for_all_parts_of_what_it_needs() -> None:
    work = [TimedTask("a", 1), TimedTask("a", 5), TimedTask("b", 1, ["a", "there"])]

    assert makespan(work, 9) == 6


def test_the_longest_chain_is_the_least_time() -> None:
    work = [TimedTask(n, 10, [n - 1]) for n in range(5)]

    assert makespan(work, 100) == 50
