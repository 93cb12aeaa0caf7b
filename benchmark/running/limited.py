"""Run jobs so that the store stays below a limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from nserbench.benchmark.extraction.expected_size import least_bytes
from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.results.result import Status
from nserbench.benchmark.running.head_sizes import HeadSizes
from nserbench.benchmark.running.job_batches import (
    JobBatch,
    in_order_of_frames,
    job_batches,
)
from nserbench.benchmark.store.feature_store import FRAME_FORMS, Form, Store
from nserbench.benchmark.store.room import HINT, MARGIN, Disposable, Room
from nserbench.byte_sizes import size
from nserbench.errors import StoreFull


class BatchRunner(Protocol):
    """Runs batches of jobs; see `Runner`."""

    store: Store
    device: str

    def prepare(self, batches: Sequence[Sequence[Job]]) -> None:
        """Prepare for the batches that will be run, in order."""

    def run_batch(
        self, jobs: Sequence[Job], needs: Needs, models: ModelCache
    ) -> Iterable[Status]:
        """Run jobs of one upstream in one condition, and yield the status of each."""


class Occupancy(NamedTuple):
    """What the store needs at least while a batch runs.

    Attributes:
        batch: The batch.
        passing: Bytes of frames and fine-tuned weights that can be deleted later.
        staying: Bytes of means, transcripts and heads that this command adds.
        before: Bytes that the store has already, and that this command keeps.
    """

    batch: JobBatch
    passing: int
    staying: int
    before: int

    @property
    def total(self) -> int:
        """Bytes of all, with those that stay free."""
        return self.passing + self.staying + self.before + MARGIN


@dataclass(frozen=True, slots=True)
class LimitedRun:
    """Runs the jobs of a command within the room of a store.

    Jobs that read the same frames run one after another. What no job left uses may
    then be deleted, and is when room is needed; see `JobBatch.disposables`. Other means
    over time, transcripts and heads stay.

    Attributes:
        runner: Runs one batch after another.
        room: The room of its store. Only what the jobs of this command use is deleted.
        needs: What the jobs read. Frames that no job left reads are removed.
    """

    runner: BatchRunner
    room: Room
    needs: Needs

    @property
    def store(self) -> Store:
        """The store of the runner."""
        return self.runner.store

    def run(self, jobs: Sequence[Job], every: Sequence[Job]) -> Iterator[Status]:
        """Run jobs, and yield the status of each.

        Args:
            jobs: The jobs without a result.
            every: All jobs of the command. What the others have left may be deleted.

        Raises:
            StoreFull: if the limit is too small, as far as possible before the first
                pass.
            OSError: if a file cannot be written, as on a full disk.
        """
        order = in_order_of_frames(self._batches(jobs))
        users = Counter(chain.from_iterable(batch.disposables for batch in order))
        finished = JobBatch.of(every, self.needs, self.store).disposables - users.keys()
        self.room.dispose(finished)
        self._refuse_too_small(order)
        self.runner.prepare([batch.jobs for batch in order])
        with self.room.guard():
            for _, group in groupby(order, key=_models):
                models = ModelCache(self.runner.device)
                for batch in group:
                    self.room.make(self._least_bytes(batch))
                    yield from self.runner.run_batch(batch.jobs, self.needs, models)
                    users.subtract(batch.disposables)
                    self._release(one for one in batch.disposables if not users[one])

    def _batches(self, jobs: Sequence[Job]) -> list[JobBatch]:
        sizes = HeadSizes()
        return [
            replace(
                JobBatch.of(batch, self.needs, self.store),
                heads=sizes.missing(batch, self.store),
            )
            for batch in job_batches(jobs)
        ]

    def _release(self, disposables: Iterable[Disposable]) -> None:
        """Allow that what no job left uses is deleted, and do not make it again."""
        released = sorted(disposables)
        for one in released:
            if one.kind in FRAME_FORMS:
                self.needs.remove(one.path.name, one.kind)
        self.room.dispose(released)

    def _least_bytes(self, batch: JobBatch) -> int:
        """Return the bytes that the passes and heads of a batch take at least."""
        clips = batch.jobs[0].clips
        needs = [self.needs.of(one, clips) for one in batch.extractions.values()]
        passes = sum(sum(least_bytes(need, self.store).values()) for need in needs)
        heads = batch.heads.items()
        return passes + sum(count for file, count in heads if not file.exists())

    def _refuse_too_small(self, order: Sequence[JobBatch]) -> None:
        """Refuse a limit below what some batch needs at once.

        Raises:
            StoreFull: if it is too small.
        """
        peak = max(self._occupancies(order), key=lambda one: one.total)
        if peak.total > self.room.limit:
            cell = peak.batch.jobs[0].cell
            raise StoreFull(
                f"the store needs at least {size(peak.total)}, but its limit is "
                f"{size(self.room.limit)}\n"
                f"  most is needed for {cell.upstream.label} on {cell.corpus.label} in "
                f"{cell.condition}: {size(peak.passing)} of frames and fine-tuned "
                f"weights that are still read, {size(peak.staying)} of means, "
                f"transcripts and heads that stay, and {size(peak.before)} that the "
                f"store has already\n  {HINT}"
            )

    def _occupancies(self, order: Sequence[JobBatch]) -> Iterator[Occupancy]:
        """Yield what the store needs at least while each batch runs."""
        expected = self._expected(order)
        users = Counter(chain.from_iterable(batch.disposables for batch in order))
        there = {
            one: self.room.disposable_bytes(one) for one in {*self.room.known, *users}
        }
        before = self.room.used - sum(there.values())
        before += sum(there[one] for one in self.room.in_use(there))
        staying, made = 0, set[Path]()
        for batch in order:
            staying += sum(
                expected[folder]["pooled"]
                for folder in batch.extractions.keys() - made
                if Disposable(folder, "pooled") not in users
            )
            staying += sum(batch.heads[file] for file in batch.heads.keys() - made)
            made |= batch.extractions.keys() | batch.heads.keys()
            held = [one for one in users if users[one]]
            passing = sum(there[one] for one in held)
            passing += sum(
                _expected_of(one, expected) for one in held if one.path in made
            )
            yield Occupancy(batch, passing, staying, before)
            users.subtract(batch.disposables)

    def _expected(self, order: Sequence[JobBatch]) -> Mapping[Path, Mapping[Form, int]]:
        """Return what is still to be stored at least, by folder of features."""
        folders = set(chain.from_iterable(batch.extractions for batch in order))
        needs = {folder: self.needs.named(folder.name) for folder in folders}
        return {
            folder: Counter[Form]() if need is None else least_bytes(need, self.store)
            for folder, need in needs.items()
        }


def _expected_of(one: Disposable, expected: Mapping[Path, Mapping[Form, int]]) -> int:
    """Return the bytes that are still to be stored of a disposable at least."""
    return 0 if one.kind == "weights" else expected[one.path][one.kind]


def _models(batch: JobBatch) -> frozenset[str]:
    """Return the names of the models that the jobs of a batch load."""
    inputs = (job.extraction.parts.values() for job in batch.jobs)
    return frozenset(one.models for one in chain.from_iterable(inputs))
