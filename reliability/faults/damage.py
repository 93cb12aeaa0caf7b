"""Damage of files that are kept between commands, and files exchanged for others."""

from __future__ import annotations

import functools
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from faults.fault import Fault, Seen
from faults.inputs import Inputs, shared_inputs, write_inputs
from faults.workload import (
    Place,
    Ran,
    Running,
    stopped_at_end,
    undisturbed,
    wait_for_steps,
)

SICK = Path(__file__).with_name("sick.py")
AT_ONCE = 3
"""Files that one attempt damages, each in a way of its own."""
WAYS = "flip", "cut", "empty", "random", "folder", "delete", "swap"
_MORE = ("--seeds", "2")


def damage(file: Path, way: str, rng: Random, other: Path) -> set[Path]:
    """Damage a file, and return the files that are not what they were.

    Args:
        file: The file.
        way: One of `WAYS`.
        rng: Chooses the place, and whether the file's time is kept.
        other: Another file of the same kind, to swap it with.
    """
    stat, content = file.stat(), bytearray(file.read_bytes())
    if way == "flip":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif way == "cut":
        del content[rng.randrange(len(content)) :]
    elif way == "empty":
        content.clear()
    elif way == "random":
        content[:] = rng.randbytes(len(content))
    elif way == "swap":
        theirs = other.read_bytes()
        other.write_bytes(content)
        file.write_bytes(theirs)
        return {file, other}
    if way in ("folder", "delete"):
        file.unlink()
    if way == "folder":
        file.mkdir()
    elif way != "delete":
        file.write_bytes(content)
    if rng.random() < 0.5 and way != "delete":
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return {file}


@dataclass(frozen=True)
class Frozen:
    """A study of frozen upstreams: pooled features, frames, transcripts and heads."""

    place: Place

    def start(self) -> Running:
        """Start the study."""
        inputs = self.place.inputs
        corpora = [f"{n}:path={inputs.manifest}" for n in ("manifest", "manifest-hiss")]
        each = [word for corpus in corpora for word in ("-c", corpus)]
        plugin = ["--plugin", str(SICK), "--epochs", "2", "--device", "cpu"]
        config = ["--config", str(inputs.folder / "nserbench.toml")]
        folders = ["--store", str(self.place.store), "--out", str(self.place.results)]
        names = ["-u", "scribe", "-d", "mean,bigru"]
        return self.place.start_command(
            "run", *names, *each, *_MORE, *plugin, *config, *folders
        )

    def run(self) -> Ran:
        """Run the study to its end."""
        return self.start().wait()


@functools.cache
def whole() -> Place:
    """Return a place where the study of frozen upstreams ran without a fault."""
    place = Place(shared_inputs().folder.with_name("undisturbed frozen"))
    Frozen(place).run().checked()
    table(place)
    return place


def table(place: Place) -> str:
    """Return the leaderboard as the user sees it, without the name of its folder."""
    ran = place.command("leaderboard", str(place.results)).checked(None)
    return ran.text.replace(str(place.folder), "FOLDER")


def copy(source: Place, folder: Path, *, results: bool) -> Place:
    """Copy a store, and its results if wanted."""
    place = Place(folder, source.study, source.more, source.inputs)
    shutil.copytree(source.store, place.store)
    if results:
        shutil.copytree(source.results, place.results)
    return place


def hurt(files: Sequence[Path], rng: Random, count: int = AT_ONCE) -> set[Path]:
    """Damage some files of one kind; return those that are not what they were."""
    assert files, "there is no such file"
    changed: set[Path] = set()
    for file in rng.sample(files, min(count, len(files))):
        others = [one for one in files if one not in changed and one != file]
        ways = [way for way in WAYS if way != "swap" or others]
        if file not in changed:
            other = rng.choice(others) if others else file
            changed |= damage(file, rng.choice(ways), rng, other)
    return changed


def marks(store: Path, pattern: str) -> dict[Path, tuple[int, int]]:
    """Return what changes if a file is written again, by its path."""
    files = (file for file in store.glob(pattern) if ".damaged-" not in file.name)
    return {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def stored(pattern: str, tuned: bool = False) -> Callable[[Path, Random], Seen]:
    """Return an attempt that damages files of the store, and runs the study again."""

    def attempt(folder: Path, rng: Random) -> Seen:
        source = undisturbed("tuned") if tuned else whole()
        place = copy(source, folder, results=False)
        changed = hurt(sorted(place.store.glob(pattern)), rng)
        before = marks(place.store, "*/**/*.safetensors")
        kept = {file: mark for file, mark in before.items() if file not in changed}

        ran = (place.run() if tuned else Frozen(place).run()).checked()

        place.same_as(source)
        now = marks(place.store, "*/**/*.safetensors")
        again = [file.name for file, mark in kept.items() if now.get(file) != mark]
        assert not again, f"made again although undamaged: {again}"
        assert len(now) <= len(kept) + len(changed), "more work was done again"
        assert_same_table(place, source)
        return Seen(f"{len(changed)} files", ran.line("damaged", "moved to"))

    return attempt


def assert_same_table(place: Place, source: Place) -> None:
    """Compare the leaderboards of two places."""
    ours, theirs = table(place), table(source)
    assert ours == theirs, f"another leaderboard:\n{ours}\ninstead of\n{theirs}"


def results(name: str) -> Callable[[Path, Random], Seen]:
    """Return an attempt that damages a file of a result, and shows the leaderboard."""

    def attempt(folder: Path, rng: Random) -> Seen:
        place = copy(whole(), folder, results=True)
        changed = hurt(sorted(place.results.glob(f"*/{name}")), rng, 1)

        shown = table(place)

        told = any(file.parent.name in shown for file in changed)
        gone = not any(file.exists() for file in changed)
        assert told or gone or shown == table(whole()), f"no word:\n{shown}"
        for file in changed:
            shutil.rmtree(file.parent)
        Frozen(place).run().checked()
        place.same_as(whole())
        line = next((one for one in shown.splitlines() if name in one), "")
        return Seen(f"{len(changed)} cells", line)

    return attempt


def without_result(folder: Path, rng: Random) -> Seen:
    """Delete ``result.json`` beside predictions, or put a folder in its place."""
    place = copy(whole(), folder, results=True)
    file = rng.choice(sorted(place.results.glob("*/result.json")))
    damage(file, rng.choice(["delete", "folder"]), rng, file)
    ran = Frozen(place).run().checked()
    place.same_as(whole())
    assert_same_table(place, whole())
    return Seen("1 cell", ran.line("done"))


def cache(folder: Path, rng: Random) -> Seen:
    """Damage the cache of the leaderboard."""
    place = copy(whole(), folder, results=True)
    for file in place.results.glob("*/*"):  # files of the last two seconds are not kept
        os.utime(file, ns=(0, 0))
    table(place)
    kept = sorted((place.store / "leaderboard").glob("*.npz"))
    for _ in range(AT_ONCE):
        before = {file: file.read_bytes() for file in kept if file.is_file()}
        hurt(kept, rng, 1)
        assert_same_table(place, whole())
        for file, content in before.items():
            if file.is_dir():
                file.rmdir()
            file.write_bytes(content)
    return Seen()


def unfinished(folder: Path, rng: Random) -> Seen:
    """Kill a fine-tuning, and damage its checkpoint."""
    source = undisturbed("tuned")
    place = Place(folder, "tuned", source.more)
    running = place.start(FAULTS_PACE="0.02")
    with stopped_at_end(running):
        while running.alive and not [*place.store.glob("tuned/*.partial")]:
            time.sleep(0.01)
        steps = len(place.steps("tuned")) + rng.randrange(40)  # within an epoch
        wait_for_steps(place, "tuned", steps, running)
        running.kill()
    partial = sorted(place.store.glob("tuned/*.partial"))
    hurt(partial, rng, 1)
    ran = place.run().checked()
    place.same_as(source)
    return Seen("the epochs of 1 fold", ran.line("damaged", "moved to"))


def exchange(file: Path, content: bytes) -> None:
    """Replace a file by another of the same size and time."""
    stat = file.stat()
    assert len(content) == stat.st_size
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def exchanged(
    study: str, choose: Callable[[Inputs], Sequence[Path]]
) -> Callable[[Path, Random], Seen]:
    """Return an attempt that exchanges an input file, and runs the study again."""

    def attempt(folder: Path, rng: Random) -> Seen:
        inputs = write_inputs(folder / "inputs")
        place = Place(folder / "place", study, inputs=inputs)
        place.run().checked()
        file = rng.choice(choose(inputs))
        content = bytearray(file.read_bytes())
        where = rng.randrange(len(content) // 2, len(content) - 4) // 4 * 4
        content[where] ^= 1 << rng.randrange(3, 8)
        exchange(file, bytes(content))
        fresh = Place(folder / "fresh", study, inputs=inputs)

        ran, anew = place.run().checked(None), fresh.run().checked(None)

        assert ran.code == anew.code, ran.text
        if ran.code == 0:
            place.same_as(fresh)
            assert len(place.answers()) > len(fresh.answers()), "the old number stands"
        return Seen("what the file is in", ran.line("Error", "failed", "cannot"))

    return attempt


_STORED: Mapping[str, tuple[str, bool]] = {
    "pooled features": ("features/*/pooled-*", False),
    "frames": ("features/*/frames-*", False),
    "transcripts": ("features/*/transcripts-*", False),
    "trained heads": ("fits/*", False),
    "fine-tuned weights": ("tuned/*.safetensors", True),
    "`about.json`": ("features/*/about.json", False),
    "`ledger.sqlite`": ("ledger.sqlite", False),
}
_WAYS = "flipped, cut, emptied, random, a folder, deleted, swapped"

FAULTS = (
    *(
        Fault("Damage", f"{name}: {_WAYS}", stored(pattern, tuned), 10)
        for name, (pattern, tuned) in _STORED.items()
    ),
    Fault(
        "Damage", f"checkpoint of an unfinished fine-tuning: {_WAYS}", unfinished, 30
    ),
    Fault("Damage", f"cache of the leaderboard: {_WAYS}", cache, 10),
    Fault("Damage", f"`result.json`: {_WAYS}", results("result.json"), 30),
    Fault("Damage", f"`predictions.csv`: {_WAYS}", results("predictions.csv"), 30),
    Fault("Damage", "`result.json` gone, predictions there", without_result, 10),
    Fault("Exchanged files", "audio", exchanged("levels", Inputs.audio), 30),
    Fault("Exchanged files", "noise", exchanged("noisy", lambda i: [i.noise]), 30),
    Fault(
        "Exchanged files",
        "checkpoint",
        exchanged("tuned", lambda i: [i.checkpoint]),
        30,
    ),
)
"""Faults of files that are kept, and of files that are exchanged."""
