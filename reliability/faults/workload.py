"""A small study, commands that run it in processes of their own, and comparisons.

The study has 80 utterances of four speakers in two folds. Its plugin logs every step,
so that an attempt can say which work was done twice.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from faults.inputs import EPOCHS, Inputs, scratch, shared_inputs
from nserbench.benchmark.results.result import PREDICTIONS, RESULT
from nserbench.benchmark.store.feature_store import Store

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).with_name("logged_steps.py")
SHARD = 32
"""Utterances of a shard of the store."""
FOLDS = 2
FIT_STEPS = 2 * EPOCHS
"""Steps of training of a fit: 40 utterances in batches of 32."""
_TIMEOUT = 120.0  # seconds


def _take_interrupts() -> None:
    """Let a new process take Ctrl-C, as one in the foreground does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Ran:
    """A command that has ended.

    Attributes:
        code: Exit code; negative for a signal.
        stdout: What it printed.
        stderr: Its progress and messages.
    """

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All that the user saw."""
        return self.stdout + self.stderr

    def line(self, *words: str) -> str:
        """Return the first line that has one of some words; empty if there is none."""
        lines = (line.strip() for line in self.text.splitlines())
        return next((one for one in lines if any(word in one for word in words)), "")

    def checked(self, code: int | None = 0) -> Ran:
        """Return this command if it ended as expected.

        Args:
            code: Exit code that it must have; None for any.

        Raises:
            AssertionError: if it has another code, or printed a traceback.
        """
        assert "Traceback" not in self.text, f"a traceback:\n{self.text}"
        expected = self.code if code is None else code
        assert self.code == expected, f"exit code {self.code}:\n{self.text}"
        return self


@dataclass(frozen=True)
class Running:
    """A command that runs.

    Attributes:
        process: Its process, which leads a group of its own.
        out: Receives what it prints.
        err: Receives its progress and messages.
    """

    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def kill(self) -> Ran:
        """Kill the process, not its children, and return what it printed."""
        self.process.kill()
        return self.wait()

    def wait(self, seconds: float = _TIMEOUT) -> Ran:
        """Wait until it ends.

        Raises:
            AssertionError: if it does not end in time; then it is killed.
        """
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it still ran after {seconds:.0f} s") from None
        texts = []
        for stream in (self.out, self.err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
            stream.close()
        return Ran(code, *texts)


@dataclass(frozen=True)
class Place:
    """A store, results and a log, and the study that fills them.

    Attributes:
        folder: Folder of all three, created if missing.
        study: Name of the study; see `Inputs.names`.
        more: More options of ``nserbench run``, such as ``--seeds 2``.
        inputs: Files that the study reads.
        environment: More environment variables.
    """

    folder: Path
    study: str = "levels"
    more: Sequence[str] = ()
    inputs: Inputs = field(default_factory=shared_inputs)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def store(self) -> Path:
        """Folder of the store."""
        return self.folder / "store"

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.folder / "results"

    @property
    def log(self) -> Path:
        """File of the steps."""
        return self.folder / "log"

    def start(
        self, *more: str, prefix: Sequence[str] = (), **variables: str
    ) -> Running:
        """Start ``nserbench run`` for the study.

        Args:
            more: More options.
            prefix: A program that runs it, with its options, such as ``setpriv``.
            variables: More environment variables.
        """
        words = [*self.inputs.names(self.study), "--plugin", str(PLUGIN), *self.more]
        config = ["--config", str(self.inputs.folder / "nserbench.toml")]
        folders = ["--store", str(self.store), "--out", str(self.results)]
        words += [*config, *folders, "--device", "cpu", *more]
        return self.start_command("run", *words, prefix=prefix, **variables)

    def run(self, *more: str, **variables: str) -> Ran:
        """Run the study to its end."""
        return self.start(*more, **variables).wait()

    def start_command(
        self, *words: str, prefix: Sequence[str] = (), **variables: str
    ) -> Running:
        """Start any command of nserbench with this store.

        Args:
            words: The command and its options.
            prefix: A program that runs it, with its options, such as ``setpriv``.
            variables: More environment variables.
        """
        command = [*prefix, sys.executable, "-m", "nserbench", *words]
        return self.start_program(command, **variables)

    def start_program(self, words: Sequence[str], **variables: str) -> Running:
        """Start a program in this folder, with the environment of the commands."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "NSERBENCH_STORE": str(self.store),
            "FAULTS_LOG": str(self.log),
            **self.environment,
            **variables,
        }
        out = tempfile.TemporaryFile()  # noqa: SIM115 - `Running.wait` closes both
        err = tempfile.TemporaryFile()  # noqa: SIM115
        process = subprocess.Popen(
            words,
            env=environment,
            preexec_fn=_take_interrupts,
            stdout=out,
            stderr=err,
            cwd=self.folder,
            start_new_session=True,
        )
        return Running(process, out, err)

    def command(self, *words: str, **variables: str) -> Ran:
        """Run any command of nserbench with this store to its end."""
        return self.start_command(*words, **variables).wait()

    def steps(self, what: str) -> list[tuple[int, str]]:
        """Return process and name of each step of a kind in the log."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        steps = (line.split(" ") for line in lines if line.count(" ") == 2)
        return [(int(process), name) for process, kind, name in steps if kind == what]

    def clear_log(self) -> None:
        """Begin a new log."""
        self.log.unlink(missing_ok=True)

    def stored(self) -> int:
        """Return the number of utterances whose pooled features are in the store."""
        return sum(len(one.keys("pooled")) for one in Store(self.store).all_features())

    def fits(self) -> int:
        """Return the number of trained heads in the store."""
        return len(Store(self.store).fits())

    def finished(self) -> int:
        """Return the number of finished cells."""
        return len([*self.results.glob(f"[!.]*/{RESULT}")])

    def answers(self) -> dict[str, bytes]:
        """Return the predictions of each cell, by the name of its folder."""
        files = sorted(self.results.glob(f"[!.]*/{PREDICTIONS}"))
        return {file.parent.name: file.read_bytes() for file in files}

    def same_as(self, other: Place) -> None:
        """Compare the predictions with those of another place, byte by byte.

        Raises:
            AssertionError: if a cell is missing here or has other predictions.
        """
        ours, theirs = self.answers(), other.answers()
        assert theirs, f"{other.results} is empty"
        missing = sorted(set(theirs) - set(ours))
        assert not missing, f"cells are missing: {missing}"
        changed = [name for name in theirs if ours[name] != theirs[name]]
        assert not changed, f"other predictions: {changed}"


@functools.cache
def undisturbed(study: str = "levels", more: Sequence[str] = ()) -> Place:
    """Return a place where a study ran without a fault; made once."""
    place = Place(scratch() / f"undisturbed {study} {' '.join(more)}", study, more)
    place.run().checked()
    return place


def wait_for_steps(place: Place, what: str, count: int, running: Running) -> bool:
    """Wait until the log has a number of steps; return False if the command ended."""
    while len(place.steps(what)) < count:
        if not running.alive:
            return False
        time.sleep(0.002)
    return True


def assert_all_ended(command: Running, seconds: float = 20) -> None:
    """Check that no process that a command started goes on.

    Args:
        command: The command, which has ended. Its processes are in one group.
        seconds: How long they may take to end.

    Raises:
        AssertionError: if one goes on; then they are killed.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.killpg(command.process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(command.process.pid, signal.SIGKILL)
    raise AssertionError("a process goes on after its command has ended")


@contextmanager
def stopped_at_end(*commands: Running) -> Iterator[None]:
    """Kill commands that still run at the end, so that no attempt leaves one."""
    try:
        yield
    finally:
        for command in commands:
            if command.alive:
                command.process.kill()
                command.process.wait()
