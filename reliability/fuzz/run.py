"""Read many inputs in a process that may die, and keep those that end badly."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from random import Random
from types import FrameType

from fuzz.mutate import changed
from fuzz.target import Files, Target
from nserbench.errors import NserbenchError

SECONDS = 5.0
"""Processor time for one input."""
HANGS = 30.0
"""Seconds without a new input after which the process is ended from outside."""
MEMORY = 2 << 30
"""Bytes that a process may take beyond what it has before the first input."""
KEPT = 3
"""Inputs kept of failures that arise in the same place."""


class TooSlow(BaseException):
    """An input that takes more than `SECONDS`; no code of nserbench catches it."""


@dataclass
class Outcome:
    """What the inputs of a target showed.

    Attributes:
        inputs: Number of inputs that were read.
        refused: Those that ended in a message for the user.
        failures: Number of failures by their place, such as
            ``KeyError in result.py, line 3``.
        slowest: Seconds of processor time of the slowest input.
        memory: Bytes of the process at its highest, beyond those before the first
            input.
    """

    target: str
    inputs: int = 0
    refused: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    memory: int = 0


def fuzz(target: Target, count: int, seed: int, failed: Path, scratch: Path) -> Outcome:
    """Read inputs of a target, each made from ``seed`` and its number.

    Args:
        target: What is read.
        count: Number of inputs.
        seed: Seed of all inputs.
        failed: Folder for the inputs that failed.
        scratch: Folder for the input that is read, best in memory.
    """
    outcome = Outcome(target.name)
    seeds = list(target.seeds())
    _check(target, seeds, scratch / "input")
    done: Synchronized[int] = multiprocessing.Value(ctypes.c_int64, 0)
    while done.value < count:
        begin = done.value
        _run_worker(_Job(target, seeds, seed, begin, count, failed, scratch), done)
        _add(outcome, scratch / "outcome.json")
        if done.value < count:
            number = done.value
            _keep(
                outcome,
                failed / target.name,
                "the process died",
                made(target, seeds, seed, number),
                f"input {number} of seed {seed}",
            )
            done.value = number + 1
    outcome.inputs = count
    return outcome


def _check(target: Target, seeds: Sequence[Files], folder: Path) -> None:
    """Read the valid inputs; an error ends the program, since they are to be read."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    target.prepare(folder)
    for files in seeds:
        attempt(target, files, folder)


def made(target: Target, seeds: Sequence[Files], seed: int, number: int) -> Files:
    """Return an input, which its number and the seed determine."""
    return changed(target, seeds, Random(f"{seed} {target.name} {number}"))


@dataclass(frozen=True)
class _Job:
    target: Target
    seeds: Sequence[Files]
    seed: int
    begin: int
    count: int
    failed: Path
    scratch: Path


def _run_worker(job: _Job, done: Synchronized[int]) -> None:
    """Read inputs in a process of its own until all are read, or it dies or hangs."""
    (job.scratch / "outcome.json").unlink(missing_ok=True)
    worker = multiprocessing.get_context("fork").Process(target=_work, args=(job, done))
    worker.start()
    last, since = -1, time.monotonic()
    while worker.is_alive():
        worker.join(0.2)
        if done.value != last:
            last, since = done.value, time.monotonic()
        elif time.monotonic() - since > HANGS:
            worker.kill()
            worker.join()


def _work(job: _Job, done: Synchronized[int]) -> None:
    warnings.simplefilter("ignore")
    outcome, folder = Outcome(job.target.name), job.scratch / "input"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job.target.prepare(folder)
    before = _limit_memory()
    for number in range(job.begin, job.count):
        done.value = number
        files = made(job.target, job.seeds, job.seed, number)
        problem = _timed(job.target, files, folder, outcome)
        if problem is not None:
            place = job.failed / job.target.name
            about = f"input {number} of seed {job.seed}\n\n{problem[1]}"
            _keep(outcome, place, problem[0], files, about)
        if number % 64 == 0 or problem is not None or number == job.count - 1:
            outcome.memory = max(outcome.memory, _peak() - before)
            (job.scratch / "outcome.json").write_text(json.dumps(vars(outcome)))
    done.value = job.count


def _timed(
    target: Target, files: Files, folder: Path, outcome: Outcome
) -> tuple[str, str] | None:
    """Read an input; return the place and the traceback of a failure."""
    began = time.process_time()
    try:
        with _alarm():
            attempt(target, files, folder)
    except NserbenchError:
        outcome.refused += 1
    except (Exception, SystemExit, TooSlow) as error:  # noqa: BLE001 - these are sought
        return _place(error), traceback.format_exc()[-8000:]
    finally:
        outcome.slowest = max(outcome.slowest, time.process_time() - began)
    return None


def attempt(target: Target, files: Files, folder: Path) -> None:
    """Write an input into a folder, and read it."""
    if target.clears:
        shutil.rmtree(folder)
        folder.mkdir()
        target.prepare(folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    target.read(folder)


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise `TooSlow` in the block when its time is over."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {SECONDS:g} s")

    signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _limit_memory() -> int:
    """Limit the memory of this process; return the bytes that it has now."""
    pages = Path("/proc/self/statm").read_text().split()[0]
    limit = int(pages) * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return _peak()


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _place(error: BaseException) -> str:
    """Return the type of an error and the innermost line of nserbench."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/reliability/" not in frame.filename]
    root = str(Path(__file__).parents[2])
    inner = [one for one in ours if one.filename.startswith(root)] or ours or frames
    place = f"{Path(inner[-1].filename).name}, line {inner[-1].lineno}"
    return f"{type(error).__name__} in {place}"


def _keep(outcome: Outcome, folder: Path, place: str, files: Files, about: str) -> None:
    """Count a failure, and write the first inputs of its place to a folder."""
    outcome.failures[place] = outcome.failures.get(place, 0) + 1
    number = outcome.failures[place]
    if number > KEPT:
        return
    kept = folder / f"{place.replace(' ', '-').replace(',', '')}-{number}"
    for name, content in files.items():
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_bytes(content)
    (kept / "ABOUT.txt").write_text(f"{place}\n{about}\n", errors="replace")


def _add(outcome: Outcome, file: Path) -> None:
    """Add what a process wrote before it ended."""
    if not file.exists():
        return
    part = Outcome(**json.loads(file.read_text()))
    outcome.refused += part.refused
    outcome.slowest = max(outcome.slowest, part.slowest)
    outcome.memory = max(outcome.memory, part.memory)
    for place, number in part.failures.items():
        outcome.failures[place] = outcome.failures.get(place, 0) + number
