"""Whether the costs of a store and of a task grow with what there is already.

Prints a line ``NAME RATIO (bar N) ok|short`` for each: with much, divided by with few.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from _clips import write_clips
from _measure import at_most, medians, seconds

from nserbench.benchmark.running import workers
from nserbench.benchmark.running.assemble import job_folder
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.file_facts import FileFact, FileFacts, state_of
from nserbench.benchmark.study.request import Request
from nserbench.settings import Settings

FILES, CELLS, ROUNDS = 100_000, (32, 3200), 11


def ledger(folder: Path, files: int) -> Callable[[], float]:
    """Return what times the look-up of a file among so many others."""
    folder.mkdir()
    file = folder / "one.wav"
    file.write_bytes(b"sound")
    facts = FileFacts(folder / "ledger.sqlite")
    state = state_of("audio", file)
    others = (Path(f"/some/where/{number:032x}.wav") for number in range(files))
    facts.save(FileFact("audio", path, state, "{}") for path in (file, *others))
    return lambda: seconds(lambda: facts.known("audio", [file]))


def task(manifest: Path, cells: int) -> Callable[[], float]:
    """Return what times the start of a later task in a study of so many cells."""
    request = Request(
        upstreams=["mel"],
        downstreams=["mean"],
        corpora=[f"manifest:path={manifest}"],
        seeds=list(range(cells)),
    )
    folders = {"store": manifest.parent / "store", "results": manifest.parent / "r"}
    settings = Settings(folders, environment={})
    order = pickle.dumps(
        workers.WorkOrder(
            [request], [range(cells)], [], settings, manifest.parent, "cpu", None
        )
    )
    job = workers._open_studies(order)[1][0][0]
    name = workers.JobName(0, 0, job_folder(job))

    def measure() -> float:
        with patch.object(Runner, "run_jobs", lambda runner, jobs, needs: []):
            workers._run(order, [name])  # the first of the process opens the studies
            job = workers._open_studies(order)[1][0][0]
            vars(job).pop("digest", None)  # as in a process that has not needed it yet
            return seconds(lambda: workers._run(order, [name]))

    return measure


def report(folder: Path, files: int, cells: tuple[int, int], rounds: int) -> list[str]:
    """Measure both, and return the lines to print."""
    few, many = (ledger(folder / str(count), count) for count in (0, files))
    little, much = medians(few, many, rounds=rounds)
    manifest = write_clips(folder / "clips", 200, (0.2, 0.3))
    small, large = medians(*(task(manifest, count) for count in cells), rounds=rounds)
    return [
        at_most("ledger-growth", much / little, 1.5),
        at_most("task-growth", large / small, 2.0),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(*report(Path(temporary), FILES, CELLS, ROUNDS), sep="\n")
