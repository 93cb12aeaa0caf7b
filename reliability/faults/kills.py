"""Processes that are killed: of one command, of several, workers, and of Dask."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

from faults.fault import Fault, Seen
from faults.workload import (
    FIT_STEPS,
    SHARD,
    Place,
    Ran,
    Running,
    assert_all_ended,
    stopped_at_end,
    undisturbed,
    wait_for_steps,
)

GROUP = "Kills"
MANY = ("--seeds", "12")
_DELAY = 0.02  # seconds at most between a step and the kill
_SLOW = {"FAULTS_PACE": "0.005"}


def _kill_command(
    folder: Path, random: Random, study: str, what: str, most_lost: int
) -> Seen:
    """Kill a command after a step of a kind, and run it again."""
    whole = undisturbed(study)
    for number in count():
        place = Place(folder / str(number), study)
        running = place.start(**_SLOW)
        wait_for_steps(place, what, random.randint(1, len(whole.steps(what))), running)
        time.sleep(random.uniform(0, _DELAY))
        if running.kill().code == -signal.SIGKILL:
            break
    return _continue(place, whole, what, most_lost)


def _continue(place: Place, whole: Place, what: str, most_lost: int) -> Seen:
    """Run a killed command again, and compare the steps that it does.

    Raises:
        AssertionError: if it repeats finished work, or its predictions differ from
            those of an undisturbed run.
    """
    before, stored = len(place.steps(what)), place.stored()
    place.clear_log()
    ran = place.run().checked()
    extracted = len(place.steps("extracted"))
    assert extracted == len(whole.steps("extracted")) - stored, (
        f"{extracted} utterances were extracted, although {stored} were stored"
    )
    repeated = before + len(place.steps(what)) - len(whole.steps(what))
    assert 0 <= repeated <= most_lost, f"{repeated} times {what!r} was repeated"
    place.same_as(whole)
    units = {"extracted": "utterances extracted", "trained": "steps of training"}
    lost = f"{repeated} of {len(whole.steps(what))} {units.get(what, what)}"
    return Seen(lost, ran.line("already there"))


def _kill_fine_tuning(folder: Path, random: Random) -> Seen:
    """Kill a command while it fine-tunes; an epoch of 2 steps is lost at most."""
    return _kill_command(folder, random, "tuned", "trained", 2)


def _kill_writing_results(folder: Path, random: Random) -> Seen:
    """Kill a command between or within the writing of result folders."""
    whole = undisturbed("levels", MANY)
    for number in count():
        place = Place(folder / str(number), "levels", MANY)
        running, wanted = place.start(), random.randint(1, whole.finished() - 1)
        while running.alive and place.finished() < wanted:
            pass
        time.sleep(random.uniform(0, _DELAY))
        if running.kill().code == -signal.SIGKILL:
            break
    finished, fits = place.finished(), place.fits()
    place.clear_log()
    ran = place.run().checked()
    assert f"{finished} already there" in ran.text, ran.text
    trained = len(place.steps("trained"))
    assert trained == (whole.fits() - fits) * FIT_STEPS, "a finished head was trained"
    place.same_as(whole)
    return Seen("", ran.line("already there"))


def _kill_cache(folder: Path, random: Random) -> Seen:
    """Kill ``nserbench leaderboard`` while it writes its cache."""
    whole = undisturbed("levels", MANY)
    table = _leaderboard(whole).checked().stdout
    for number in count():
        place = Place(folder / str(number))
        shutil.copytree(whole.results, place.results)
        cache = place.store / "leaderboard"
        time.sleep(2.1)  # the cache keeps only what has not changed for 2 s
        running = place.start_command("leaderboard", str(place.results))
        while running.alive and not (cache.is_dir() and any(cache.iterdir())):
            pass
        time.sleep(random.choice([0.0, random.uniform(0, 0.01)]))
        if running.kill().code == -signal.SIGKILL:
            break
    again = _leaderboard(place).checked()
    assert again.stdout == table, f"another table:\n{again.stdout}"
    return Seen("", "")


def _leaderboard(place: Place) -> Ran:
    return place.command("leaderboard", str(place.results))


def _kill_one_of(commands: int, folder: Path, random: Random) -> Seen:
    """Kill one of several commands that share a store and results."""
    whole = undisturbed("noisy")
    total = len(whole.steps("extracted")) + len(whole.steps("trained"))
    for number in count():
        place = Place(folder / str(number), "noisy")
        running = [place.start(**_SLOW) for _ in range(commands)]
        with stopped_at_end(*running):
            wanted = random.randint(1, commands * total)
            while _steps(place) < wanted and all(one.alive for one in running):
                time.sleep(0.002)
            killed = running.pop(random.randrange(commands)).kill()
            for one in running:
                one.wait().checked()
        place.same_as(whole)
        if killed.code == -signal.SIGKILL:
            break
    return Seen("", _assert_nothing_left(place).line("already there"))


def _steps(place: Place) -> int:
    return len(place.steps("extracted")) + len(place.steps("trained"))


@contextmanager
def _two_workers(place: Place, random: Random) -> Iterator[tuple[Running, str]]:
    """Start a command with two workers; yield it at some step, and the step's kind."""
    what = random.choice(["extracted", "trained"])
    most = len(undisturbed("noisy").steps(what)) - 1
    running = place.start("--on", "processes:2", **_SLOW)
    with stopped_at_end(running):
        wait_for_steps(place, what, random.randint(1, most), running)
        yield running, what


def _kill_worker(folder: Path, random: Random) -> Seen:
    """Kill a worker of ``--on processes:2`` that is at work."""
    whole = undisturbed("noisy")
    for number in count():
        place = Place(folder / str(number), "noisy")
        with _two_workers(place, random) as (running, what):
            steps = place.steps(what)
            died = bool(steps) and _kill(steps[-1][0])  # the one that worked last
            ran = running.wait().checked()
        place.same_as(whole)
        if died:
            break
    repeated = len(place.steps("extracted")) - len(whole.steps("extracted"))
    assert repeated <= 2 * SHARD, f"{repeated} utterances were extracted again"
    _assert_nothing_left(place)
    message = ran.line("a worker process died")
    assert message, f"no word of the worker that died:\n{ran.text}"
    return Seen(_utterances(repeated, whole), message)


def _assert_nothing_left(place: Place) -> Ran:
    """Run a finished command again, and return what it said.

    Raises:
        AssertionError: if it extracts or trains anything.
    """
    place.clear_log()
    ran = place.run().checked()
    assert _steps(place) == 0, "work was left to do"
    return ran


def _kill_command_of_workers(folder: Path, random: Random) -> Seen:
    """Kill a command with ``--on processes:2``, but none of its workers."""
    whole = undisturbed("noisy")
    for number in count():
        place = Place(folder / str(number), "noisy")
        with _two_workers(place, random) as (running, _):
            killed = running.kill()
        assert_all_ended(running)
        if killed.code == -signal.SIGKILL:
            break
    stored = place.stored()
    place.clear_log()
    ran = place.run("--on", "processes:2").checked()
    extracted, needed = len(place.steps("extracted")), len(whole.steps("extracted"))
    assert extracted == needed - stored, f"{extracted} extracted, {stored} were stored"
    place.same_as(whole)
    return Seen("", ran.line("already there"))


def _deadly_head(folder: Path, random: Random) -> Seen:
    """Run a head that ends its worker process beside a healthy one."""
    whole, place = undisturbed("noisy"), Place(folder, "noisy")
    name = random.choice(["SIGSEGV", "SIGABRT", "SIGKILL", "SIGBUS"])
    options = ["-d", f"deadly:signal={name}", "--on", "processes:2"]
    ran = place.run(*options).checked(1)
    place.same_as(whole)
    failed = [line for line in ran.text.splitlines() if "failed: the worker" in line]
    assert len(failed) == 2, ran.text
    assert all("x deadly" in line for line in failed), ran.text
    assert len(place.answers()) == whole.finished(), "a deadly cell has predictions"
    return Seen("", "failed: " + failed[0].partition("failed: ")[2])


def _kill(process: int) -> bool:
    """Kill a process; return False if it has ended."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _utterances(repeated: int, whole: Place) -> str:
    return f"{repeated} of {len(whole.steps('extracted'))} utterances extracted"


@contextmanager
def _dask(place: Place, workers: int) -> Iterator[tuple[str, list[Running]]]:
    """Start a scheduler of Dask and workers; yield its address and their processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    commands = [["scheduler", *options, "--port", str(port)]]
    worker = ["worker", f"tcp://{address}", "--nthreads", "1", "--no-nanny", *options]
    commands += [worker for _ in range(workers)]
    with ExitStack() as stack:
        running = [_start_dask(place, command) for command in commands]
        stack.enter_context(stopped_at_end(*running))
        _wait_for_port(port)
        yield address, running


def _start_dask(place: Place, words: Sequence[str]) -> Running:
    program = Path(sys.executable).with_name("dask")
    return place.start_program([str(program), *words], **_SLOW)


def _wait_for_port(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the scheduler of Dask did not start")


def _kill_dask_worker(folder: Path, random: Random) -> Seen:
    """Kill one of two workers of Dask."""
    whole, place = undisturbed("noisy"), Place(folder, "noisy")
    what = random.choice(["extracted", "trained"])
    with _dask(place, workers=2) as (address, (_, *workers)):
        running = place.start("--on", f"dask://{address}")
        with stopped_at_end(running):
            most = len(whole.steps(what)) - 1
            wait_for_steps(place, what, random.randint(1, most), running)
            last = place.steps(what)[-1][0]  # the one that worked last
            next(one for one in workers if one.process.pid == last).process.kill()
            running.wait().checked()
    place.same_as(whole)
    repeated = len(place.steps("extracted")) - len(whole.steps("extracted"))
    assert repeated <= 2 * SHARD, f"{repeated} utterances were extracted again"
    _assert_nothing_left(place)
    return Seen(_utterances(repeated, whole), "")


def _kill_dask_scheduler(folder: Path, random: Random) -> Seen:
    """Kill the scheduler of Dask, and run the command again without it."""
    whole, place = undisturbed("noisy"), Place(folder, "noisy")
    what = random.choice(["extracted", "trained"])
    with _dask(place, workers=1) as (address, (scheduler, _)):
        running = place.start("--on", f"dask://{address}")
        with stopped_at_end(running):
            most = len(whole.steps(what)) - 1
            wait_for_steps(place, what, random.randint(1, most), running)
            scheduler.process.kill()
            ended = running.wait().checked(None)
    if ended.code == 0:  # it had all results
        place.same_as(whole)
        return Seen("", "")
    stored = place.stored()
    place.clear_log()
    place.run().checked()
    again = len(place.steps("extracted"))
    assert again == len(whole.steps("extracted")) - stored, "stored features made again"
    place.same_as(whole)
    return Seen("", ended.line("Error", "ended"))


FAULTS: tuple[Fault, ...] = (
    Fault(
        GROUP,
        "SIGKILL in extraction",
        partial(_kill_command, study="levels", what="extracted", most_lost=SHARD),
        30,
    ),
    Fault(
        GROUP,
        "SIGKILL in training",
        partial(_kill_command, study="levels", what="trained", most_lost=FIT_STEPS),
        30,
    ),
    Fault(GROUP, "SIGKILL in fine-tuning", _kill_fine_tuning, 30),
    Fault(GROUP, "SIGKILL while results are written", _kill_writing_results, 30),
    Fault(GROUP, "SIGKILL while the leaderboard writes its cache", _kill_cache, 30),
    Fault(
        GROUP,
        "SIGKILL of one of two commands with one store",
        partial(_kill_one_of, 2),
        30,
    ),
    Fault(
        GROUP,
        "SIGKILL of one of four commands with one store",
        partial(_kill_one_of, 4),
        30,
    ),
    Fault(GROUP, "SIGKILL of a worker of `--on processes:2`", _kill_worker, 30),
    Fault(
        GROUP,
        "SIGKILL of a command with `--on processes:2`",
        _kill_command_of_workers,
        30,
        quick=1,
    ),
    Fault(
        GROUP,
        "a head that ends its worker of `--on processes:2`",
        _deadly_head,
        10,
    ),
    Fault(GROUP, "SIGKILL of one of two workers of Dask", _kill_dask_worker, 30),
    Fault(GROUP, "SIGKILL of the scheduler of Dask", _kill_dask_scheduler, 30),
)
