"""Parts of a plugin that fail or misbehave beside a healthy one."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from faults import sick
from faults.fault import Fault, Seen
from faults.inputs import shared_inputs
from faults.workload import Place, Ran, Running, assert_all_ended, stopped_at_end

LIMIT = 5.0
"""Seconds in which Ctrl-C must end a command."""
_PATIENT = ("thread", "forks-on")
"""Ways that have attempts of their own."""


def start(place: Place, *words: str, **variables: str) -> Running:
    """Start ``nserbench run`` with the plugin, in the folder of a place."""
    shutil.copy(Path(sick.__file__), place.folder)
    inputs = shared_inputs()
    folders = ["--store", str(place.store), "--out", str(place.results)]
    more = ["--plugin", "sick.py", "--epochs", "2", "--device", "cpu", *folders]
    corpus = ["-c", f"manifest:path={inputs.manifest}"]
    told = {"SICK_CORPUS": str(inputs.manifest), "SICK_NOISE": str(inputs.noise)}
    return place.start_command("run", *words, *corpus, *more, **told, **variables)


@functools.cache
def healthy() -> bytes:
    """Return the predictions of the healthy cell without a neighbour."""
    place = Place(shared_inputs().folder.with_name("healthy"))
    start(place, "-u", "mel", "-d", "mean").wait().checked()
    (predictions,) = place.answers().values()
    return predictions


def outcomes(place: Place) -> dict[str, str]:
    """Return why each cell failed, by upstream and head; empty if it is done."""
    contents = [json.loads(f.read_text()) for f in place.results.glob("*/result.json")]
    return {
        f"{one['cell']['upstream']} x {one['cell']['downstream']}": one["reason"] or ""
        for one in contents
    }


def beside(kind: str, sick_names: Sequence[str], place: Place, rng: Random) -> Ran:
    """Run sick parts beside a healthy one, in a random order; check the healthy one."""
    order = [*sick_names, "healthy"]
    rng.shuffle(order)
    upstreams = {"upstream": "{}", "enhancer": "mel:enhance={}"}.get(kind)
    names = [
        (upstreams or "{}").format(name) if name != "healthy" else
        ("mel" if upstreams else "mean")
        for name in order
    ]  # fmt: skip
    words = ["-u", ",".join(names), "-d", "mean"]
    if kind == "head":
        words = ["-u", "mel", "-d", ",".join(names)]
    ran = start(place, *words, "--json").wait().checked(None)
    found = [a for name, a in place.answers().items() if name.startswith("mel_mean_")]
    assert found == [healthy()], f"the healthy cell changed:\n{ran.text}"
    json.loads(ran.stdout)  # what plugins print must not be in it
    return ran


def raising(kind: str) -> Callable[[Path, Random], Seen]:
    """Return an attempt with parts that raise everything that can be raised."""

    def attempt(folder: Path, rng: Random) -> Seen:
        place, moments = Place(folder), ("import", "begin", "call")
        names = [f"{way}-{when}" for way in sick.RAISES for when in moments]
        ran = beside(kind, names, place, rng)
        assert ran.code == 1, ran.text
        failed = [reason for reason in outcomes(place).values() if reason]
        assert len(failed) == len(names), "a cell is missing"
        unnamed = [r for r in failed if "(sick.py, line " not in r and "sick:" not in r]
        assert not unnamed, f"no file and line: {unnamed}"
        return Seen(f"{len(names)} sick cells", ran.line("failed: OSError"))

    return attempt


def returning(kind: str, values: Sequence[str]) -> Callable[[Path, Random], Seen]:
    """Return an attempt with parts that return wrong values."""

    def attempt(folder: Path, rng: Random) -> Seen:
        place, names = Place(folder), [f"{value}-value" for value in values]
        ran = beside(kind, names, place, rng)
        passed = [name for name, reason in outcomes(place).items() if not reason]
        assert passed == ["mel x mean"], f"these gave a number: {passed}"
        assert ran.code == 1, ran.text
        return Seen(f"{len(names)} sick cells", ran.line("failed: "))

    return attempt


def changing(kind: str) -> Callable[[Path, Random], Seen]:
    """Return an attempt with parts that change the process, and then work."""

    def attempt(folder: Path, rng: Random) -> Seen:
        ways = [way for way in sick.CHANGES if way not in _PATIENT]
        names = [f"{way}-{rng.choice(['import', 'begin', 'call'])}" for way in ways]
        ran = beside(kind, names, Place(folder), rng)
        return Seen("", ran.line("failed: "))

    return attempt


def lasting(way: str) -> Callable[[Path, Random], Seen]:
    """Return an attempt with a part that leaves a thread or a copy of the process."""

    def attempt(folder: Path, rng: Random) -> Seen:
        kind = rng.choice(["head", "upstream", "enhancer"])
        when = rng.choice(["import", "begin", "call"])
        ran = beside(kind, [f"{way}-{when}"], Place(folder), rng).checked()
        return Seen("", ran.line("warning: "))

    return attempt


def refused(
    way_of: Callable[[str], Sequence[str]], hint: str = ""
) -> Callable[[Path, Random], Seen]:
    """Return an attempt with a part without which no cell can begin.

    Args:
        way_of: Returns the options that name the part that fails in a way.
        hint: What the message must say; file and line if empty.
    """

    def attempt(folder: Path, rng: Random) -> Seen:
        place, way = Place(folder), rng.choice([*sick.RAISES])
        words = ["-u", "mel", "-d", "mean"]
        ran = start(place, *words, *way_of(way)).wait().checked(1)
        assert (hint or "(sick.py, line ") in ran.text, ran.text
        start(place, *words).wait().checked()
        assert [*place.answers().values()] == [healthy()]
        return Seen("nothing", ran.line("Error: "))

    return attempt


def importing(folder: Path, rng: Random) -> Seen:
    """Import a plugin that fails, and run without it."""
    place, way = Place(folder), rng.choice([*sick.RAISES])
    words = ["-u", "mel", "-d", "mean"]
    ran = start(place, *words, SICK_MODULE=f"{way}-import").wait().checked(1)
    assert "plugin sick.py cannot be used" in ran.text, ran.text
    start(place, *words).wait().checked()
    assert [*place.answers().values()] == [healthy()]
    return Seen("nothing", ran.line("Error: "))


def tracking(folder: Path, rng: Random) -> Seen:
    """Finish a cell beside a tracker that fails."""
    place, way = Place(folder), rng.choice([*sick.RAISES])
    words = ["-u", "mel", "-d", "mean"]
    ran = start(place, *words, SICK_HOOK=f"{way}-call").wait().checked()
    assert "a tracker failed: " in ran.text, ran.text
    assert "(sick.py, line " in ran.text, ran.text
    assert [*place.answers().values()] == [healthy()]
    return Seen("nothing", ran.line("a tracker failed"))


def hanging(way: str, *more: str) -> Callable[[Path, Random], Seen]:
    """Return an attempt with a head that never comes back, and Ctrl-C.

    Args:
        way: Name of the head.
        more: More options.
    """

    def attempt(folder: Path, rng: Random) -> Seen:
        place = Place(folder)
        running = start(place, "-u", "mel", "-d", f"mean,{way}-call", *more)
        with stopped_at_end(running):
            until = time.monotonic() + 120
            while time.monotonic() < until and "hangs now" not in read(running):
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 0.5))
            os.kill(running.process.pid, signal.SIGINT)
            ran = running.wait(LIMIT).checked(130)
        assert more or f"mel x {way}-call" in ran.stderr, "the cell is not named"
        assert "stopped; finished results are kept" in ran.stderr, ran.stderr
        assert_all_ended(running)
        assert more or [*place.answers().values()] == [healthy()]
        return Seen("the cell that hung", ran.line("stopped; "))

    return attempt


def read(running: Running) -> str:
    """Return what a running command wrote to standard error so far."""
    return os.pread(running.err.fileno(), 1 << 20, 0).decode(errors="replace")


def killing(folder: Path, rng: Random) -> Seen:
    """End the process inside a head (``os._exit``), and run without it."""
    place = Place(folder)
    names = ["mean", "kills-call"]
    rng.shuffle(names)
    ran = start(place, "-u", "mel", "-d", ",".join(names)).wait()
    assert ran.code == 9, ran.text
    start(place, "-u", "mel", "-d", "mean").wait().checked()
    assert [*place.answers().values()] == [healthy()]
    return Seen("the cell that runs")


_VALUES = {
    "head": tuple(sick.LOGITS),
    "upstream": sick.STATES,
    "enhancer": tuple(sick.WAVES),
}
_NAMES = {"head": "a head", "upstream": "an upstream", "enhancer": "an enhancer"}

FAULTS = (
    *(
        fault
        for kind, name in _NAMES.items()
        for fault in (
            Fault(
                "Plugins",
                f"{name} raises, in {3 * len(sick.RAISES)} ways at once",
                raising(kind),
                3,
            ),
            Fault(
                "Plugins",
                f"{name} returns something else, in {len(_VALUES[kind])} ways at once",
                returning(kind, _VALUES[kind]),
                3,
            ),
            Fault(
                "Plugins",
                f"{name} changes the process, in {len(sick.CHANGES) - 1} ways at once",
                changing(kind),
                3,
            ),
        )
    ),
    Fault("Plugins", "a thread that never ends", lasting("thread"), 3),
    Fault("Plugins", "a copy of the process goes on", lasting("forks-on"), 3),
    Fault(
        "Plugins",
        "a corpus reader raises: refused",
        refused(lambda way: ["-c", f"c-{way}-call"]),
        20,
    ),
    Fault(
        "Plugins",
        "a noise raises: refused",
        refused(lambda way: ["--noise", f"n-{way}-call"]),
        20,
    ),
    Fault("Plugins", "the import of a plugin raises: refused", importing, 20),
    Fault("Plugins", "`nserbench_cell_finished` raises: a note", tracking, 20),
    *(
        Fault("Plugins", f"a head {text}; Ctrl-C", hanging(way), 3)
        for way, text in {
            "hangs": "sleeps without end",
            "hangs-on": "sleeps without end and catches every error",
            "hangs-in-c": "waits in C without end",
        }.items()
    ),
    *(
        Fault(
            "Plugins",
            f"a head hangs in a worker of `--on processes:2`, {text}; Ctrl-C",
            hanging(way, "--on", "processes:2"),
            10,
            quick=int(way == "hangs-in-c"),
        )
        for way, text in {
            "hangs-on": "and catches every error",
            "hangs-in-c": "in C",
        }.items()
    ),
    Fault("Plugins", "a head ends the process (`os._exit`): exit code 9", killing, 3),
)
"""Ways in which the code of a plugin fails."""
