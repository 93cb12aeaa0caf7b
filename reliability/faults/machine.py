"""Disks, permissions and clocks that fail, and files that change while in use."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import torch

from faults.fault import Fault, NotPossible, Seen
from faults.inputs import Inputs, write_inputs
from faults.workload import Place, Ran, stopped_at_end, undisturbed, wait_for_steps

GROUP = "The machine"
LEDGER = "ledger.sqlite"
PAGE = 4096
"""Bytes; a disk in memory has pages of this size."""
DAY = 86_400  # seconds
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Runs a program of root's for which the permissions of files hold."""


def _again(place: Place, whole: Place, ended: Ran) -> Seen:
    """Run a command that a fault ended again, without the fault.

    Raises:
        AssertionError: if it repeats finished work, or its predictions differ.
    """
    stored, fits = place.stored(), place.fits()
    before = len(place.steps("extracted"))
    place.clear_log()
    place.run().checked()
    extracted, all_of_them = len(place.steps("extracted")), whole.steps("extracted")
    assert extracted == len(all_of_them) - stored, f"{extracted} utterances again"
    trained, steps = len(place.steps("trained")), len(whole.steps("trained"))
    needed = steps * (whole.fits() - fits) // whole.fits()
    assert trained == needed, f"{trained} steps of training instead of {needed}"
    place.same_as(whole)
    lost = f"{min(before, extracted)} of {len(all_of_them)} utterances"
    return Seen(lost, ended.line("Error", "failed", "damaged"))


def _limited_size(folder: Path, random: Random) -> Seen:
    """Let no file be larger than a random size (RLIMIT_FSIZE)."""
    if shutil.which("prlimit") is None:
        raise NotPossible("there is no prlimit")
    whole, place = undisturbed(), Place(folder)
    place.store.mkdir()
    shutil.copy(whole.store / LEDGER, place.store)  # it is the largest, and first
    files = [one for one in whole.folder.rglob("*") if one.is_file()]
    largest = max(one.stat().st_size for one in files if one.name != LEDGER)
    bytes_ = random.randint(whole.log.stat().st_size + 1, largest - 1)
    # Python does not notice that the limit cuts off a compiled module.
    limited = place.start(
        prefix=["prlimit", f"--fsize={bytes_}"], PYTHONDONTWRITEBYTECODE="1"
    )
    ended = limited.wait().checked(None)
    assert ended.code != 0, "no file was too large"
    return _again(place, whole, ended)


@contextmanager
def _disk(folder: Path, size: int) -> Iterator[None]:
    """Mount an empty disk of some bytes."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        raise NotPossible("it needs the right to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _full_disk(folder: Path, random: Random) -> Seen:
    """Let the disk of the store and the results be full, then larger."""
    whole, place = undisturbed(), Place(folder)
    files = [*whole.store.rglob("*.*"), *whole.results.rglob("*.*")]
    size = sum(-(-one.stat().st_size // PAGE) * PAGE for one in files if one.is_file())
    least = (whole.store / LEDGER).stat().st_size + 4 * PAGE
    with _disk(disk := folder / "disk", random.randint(least, size - 2 * PAGE)):
        for name in (place.store, place.results):
            (disk / name.name).mkdir()
            name.symlink_to(disk / name.name)
        shutil.copy(whole.store / LEDGER, place.store)  # or it would be full at once
        ended = place.run().checked(None)
        assert ended.code != 0, f"{size} bytes are not more than the disk has"
        larger = ["mount", "-o", "remount,size=64m", str(disk)]
        subprocess.run(larger, check=True, capture_output=True)
        return _again(place, whole, ended)


@functools.cache
def _preloaded() -> Path:
    """Return the library of preload.c, compiled once."""
    source = Path(__file__).with_name("preload.c")
    library = Path(tempfile.mkdtemp(prefix="nserbench-preload-")) / "preload.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    if shutil.which("cc") is None or subprocess.run(command).returncode:
        raise NotPossible("it needs a C compiler")
    return library


def _eio(folder: Path, random: Random, kind: str, what: str) -> Seen:
    """Let one call that reads or writes a file fail with EIO.

    Args:
        kind: ``read`` or ``write``.
        what: ``first`` for an empty store, ``second`` for one that holds all features
            and heads.
    """
    whole = undisturbed()
    number = random.randint(1, 120)
    for attempt in count():
        place, mark = Place(folder / str(attempt)), folder / f"failed {attempt}"
        if what == "second":
            shutil.copytree(whole.store, place.store)
        fails = {
            "LD_PRELOAD": str(_preloaded()),
            "FAULT_FAILS": kind,
            "FAULT_BELOW": str(random.choice([place.store, place.results])),
            "FAULT_AT": str(number),
            "FAULT_MARK": str(mark),
        }
        place.log.touch()
        ended = place.run(**fails).checked(None)
        if mark.exists():
            break
        number = max(1, number // 2)
    if ended.code == 0:
        place.same_as(whole)
        return Seen("", ended.line("damaged"))
    return _again(place, whole, ended)


def _read_only(folder: Path, random: Random) -> Seen:
    """Let store and results be read-only, once all is there and once nothing is."""
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        raise NotPossible("it needs root and setpriv")
    whole = undisturbed()
    full, empty = Place(folder / "full"), Place(folder / "empty")
    for name in ("store", "results"):
        shutil.copytree(whole.folder / name, full.folder / name)
        (empty.folder / name).mkdir()
    for place in (full, empty):
        place.log.touch()
        _forbid([place.store, place.results], random)
    full.start(prefix=UNPRIVILEGED).wait().checked()
    assert not full.steps("extracted"), "stored features were extracted again"
    full.same_as(whole)
    ended = empty.start(prefix=UNPRIVILEGED).wait().checked(1)
    return Seen("", ended.line("Error"))


def _forbid(folders: Sequence[Path], random: Random) -> None:
    """Let nobody write to folders: by their mode, or since another user owns them."""
    others = random.random() < 0.5
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            path.chmod((0o755 if others else 0o555) if path.is_dir() else 0o444)
            if others:
                os.chown(path, 65534, 65534)


def _foreign(folder: Path, random: Random) -> Seen:
    """Let store or results be a folder of another user that cannot even be read."""
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        raise NotPossible("it needs root and setpriv")
    whole, place = undisturbed(), Place(folder)
    name = random.choice(["store", "results"])
    shutil.copytree(whole.folder / name, closed := place.folder / name)
    closed.chmod(0o700)
    os.chown(closed, 65534, 65534)
    ended = place.start(prefix=UNPRIVILEGED).wait().checked(None)
    assert ended.code in (1, 2), ended.text
    os.chown(closed, 0, 0)
    place.run().checked()
    place.same_as(whole)
    return Seen("", ended.line("Error"))


def _clock_during(folder: Path, random: Random) -> Seen:
    """Set the clock by days while a command runs."""
    whole, place = undisturbed(), Place(folder)
    shift = random.choice([-1, 1]) * random.randint(1, 400) * DAY
    place.run(FAULT_AFTER=str(random.randint(1, 4)), **_clock(shift)).checked()
    place.same_as(whole)
    return _unchanged(place, whole)


def _clock(seconds: int) -> dict[str, str]:
    return {"LD_PRELOAD": str(_preloaded()), "FAULT_SHIFT": str(seconds)}


def _unchanged(place: Place, whole: Place) -> Seen:
    """Run a finished command again, with the right clock: nothing may be done."""
    place.clear_log()
    ran = place.run().checked()
    assert not place.steps("extracted"), "features were extracted again"
    assert not place.steps("trained"), "heads were trained again"
    place.same_as(whole)
    return Seen("", ran.line("already there"))


def _clock_between(folder: Path, random: Random) -> Seen:
    """Kill a command, set the clock by days, and run it again."""
    whole, place = undisturbed(), Place(folder)
    running = place.start(FAULTS_PACE="0.01")
    total = len(whole.steps("extracted"))
    wait_for_steps(place, "extracted", random.randint(1, total), running)
    running.kill()
    stored = place.stored()
    place.clear_log()
    shift = random.choice([-1, 1]) * random.randint(2, 400) * DAY
    place.run(**_clock(shift)).checked()
    extracted = len(place.steps("extracted"))
    assert extracted == total - stored, f"{extracted} extracted, {stored} were stored"
    place.same_as(whole)
    return _unchanged(place, whole)


def _clock_of_another(folder: Path, random: Random) -> Seen:
    """Run commands in one store whose clock is days ahead, beside one that is right."""
    whole, place = undisturbed("noisy"), Place(folder, "noisy")
    slow = place.start(FAULTS_PACE="0.01")
    with stopped_at_end(slow):
        for _ in range(2):
            place.run(**_clock(random.randint(2, 400) * DAY)).checked()
        slow.wait().checked()
    place.same_as(whole)
    return _unchanged(place, whole)


def _changed_file(folder: Path, random: Random, what: str) -> Seen:
    """Change a file while a command that reads it runs, and run it again."""
    inputs = write_inputs(folder / "inputs")
    study = {"audio": "levels", "noise": "noisy", "checkpoint": "tuned"}[what]
    place, whole = Place(folder / "ours", study, inputs=inputs), undisturbed(study)
    running = place.start(FAULTS_PACE="0.005")
    step = {"checkpoint": "trained"}.get(what, "extracted")
    total = len(whole.steps(step))
    with stopped_at_end(running):
        wait_for_steps(place, step, random.randint(1, total - 1), running)
        time.sleep(random.uniform(0, 0.05))
        _change(inputs, what, random)
        ended = running.wait().checked(None)
    old = place.answers()
    wrong = [name for name in old if old[name] != whole.answers().get(name)]
    assert not wrong, f"numbers of no file that there was: {wrong}"
    place.run().checked()
    fresh = Place(folder / "fresh", study, inputs=inputs)
    fresh.run().checked()
    place.same_as(fresh)
    return Seen("", ended.line("changed", "failed"))


def _change(inputs: Inputs, what: str, random: Random) -> None:
    """Write other content into a file, in place or by an exchange."""
    file = {
        "audio": random.choice(inputs.audio()),
        "noise": inputs.noise,
        "checkpoint": inputs.checkpoint,
    }[what]
    content = bytearray(file.read_bytes())
    if what == "checkpoint":
        state = torch.load(file)
        torch.save({name: value + 0.5 for name, value in state.items()}, file)
        return
    start = len(content) // 2 // 4 * 4
    content[start : start + 400] = bytes(400)
    if random.random() < 0.5:
        file.write_bytes(content)
        return
    other = file.with_suffix(".new")
    other.write_bytes(content)
    other.replace(file)


def _changed(what: str) -> Fault:
    name = f"{what} changed while it is used"
    return Fault(GROUP, name, partial(_changed_file, what=what), 10)


FAULTS: tuple[Fault, ...] = (
    Fault(GROUP, "full disk", _full_disk, 10, quick=1),
    Fault(GROUP, "files limited in size (RLIMIT_FSIZE)", _limited_size, 10),
    Fault(GROUP, "EIO on a read", partial(_eio, kind="read", what="second"), 10),
    Fault(GROUP, "EIO on a write", partial(_eio, kind="write", what="first"), 10),
    Fault(GROUP, "read-only store and results", _read_only, 10),
    Fault(GROUP, "store or results of another user", _foreign, 10),
    Fault(GROUP, "clock set by days during a run", _clock_during, 10),
    Fault(GROUP, "clock set by days between two runs", _clock_between, 10),
    Fault(GROUP, "another command's clock days ahead", _clock_of_another, 10),
    *map(_changed, ("audio", "noise", "checkpoint")),
)
