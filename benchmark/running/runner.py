"""Run a study: extract the features that are missing, then run the missing cells."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from traceback import format_exception
from typing import TypeAlias, TypeVar

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.best_layer import LayerChoice, choose
from nserbench.benchmark.jobs.fit import (
    FitResult,
    fit_fold,
    fit_reference,
    fit_stacks,
    fitted_head,
    open_sources,
)
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.jobs.prepare import PreparedStudy, prepare_studies
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.index import is_done
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import RESULT, Outcome, Result, Status
from nserbench.benchmark.results.write_results import sweep_results, write_result
from nserbench.benchmark.running.assemble import (
    CellOutcome,
    completed_result,
    incomplete_result,
    job_folder,
)
from nserbench.benchmark.running.ensure_features import ensure_features
from nserbench.benchmark.running.job_batches import job_batches
from nserbench.benchmark.running.limited import LimitedRun
from nserbench.benchmark.running.stopwatch import Stopwatch, slowed_line
from nserbench.benchmark.running.time_left import TimeLeft
from nserbench.benchmark.running.word_error_note import without_word_errors
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.leases import lease
from nserbench.benchmark.store.room import Room
from nserbench.benchmark.study.study import Study
from nserbench.error_origin import arose_in_plugin, describe_error, message_of
from nserbench.errors import NserbenchError, StoreFull
from nserbench.interrupts import by_user, watch_interrupts
from nserbench.progress import Progress, ignore_epochs

T = TypeVar("T")
Share: TypeAlias = Callable[
    [Sequence[PreparedStudy], Needs, Progress], Iterable[Status]
]
"""Runs the jobs of studies in worker processes, and returns the status of each."""

_MACHINE_ERRORS = (OSError, sqlite3.Error)


@dataclass(slots=True)
class RunReport:
    """What a run did.

    Attributes:
        folders: Result folder of each cell that can exist, in the order of the grid.
        refused: Result folder of each cell that cannot exist.
        outcomes: Number of cells that are ``done``, ``already there``, ``failed`` or
            ``not applicable``.
    """

    folders: list[Path] = field(default_factory=list)
    refused: list[Path] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)


@dataclass(slots=True)
class Runner:
    """Runs the cells of a study that have no result yet.

    Attributes:
        plugins: Plugins, whose trackers are called after each cell.
        share: Runs the jobs in worker processes; None to run them in this process.
        limit: Most bytes that the store may take on disk; None for no limit. Only in
            this process.
        traceback: Whether to show the whole traceback of an unexpected error.
    """

    store: Store
    results: Path
    plugins: Plugins
    device: str
    progress: Progress
    share: Share | None = None
    limit: int | None = None
    traceback: bool = False
    _time: TimeLeft = field(default_factory=lambda: TimeLeft([]))
    _watch: Stopwatch = field(init=False)
    _slowed: bool = False  # whether the user was told

    def __post_init__(self) -> None:
        self._watch = Stopwatch(self.device)

    def run(self, *studies: Study) -> RunReport:
        """Run the cells of studies that have no result; see `run_prepared`.

        Raises:
            BadAudio: if any audio cannot be used.
            CheckpointMissing: if any weights are missing.
            OSError: if a file cannot be written, as on a full disk.
        """
        return self.run_prepared(prepare_studies(studies, self.store, self.progress))

    def run_prepared(self, studies: Sequence[PreparedStudy]) -> RunReport:
        """Run the cells that have no result, study by study.

        What any of them reads of an utterance is extracted in one pass of the upstream.
        A cell that fails gets a result with the status ``failed``, and is tried again
        by the next run. The other cells still run.

        Raises:
            OSError: if a file cannot be written, as on a full disk.
        """
        self.store.sweep()
        sweep_results(self.results)
        jobs = [job for prepared in studies for job in prepared.jobs]
        report = RunReport([self.results / job_folder(job) for job in jobs])
        for prepared in studies:
            self._write_refused(prepared.study, report)
        todo = without_result(studies, self.results)
        jobs = [job for prepared in todo for job in prepared.jobs_to_run]
        report.outcomes["already there"] = len(report.folders) - len(jobs)
        self.progress.cells(len(report.folders), len(report.folders) - len(jobs))
        if jobs:
            refuse_read_only(self.results)
            needs = Needs(jobs, self.store)
            for line in without_word_errors(jobs, needs, self.store):
                self.progress.note(line)
            paths = {path for job in jobs for path in job.stored_paths(self.store)}
            with lease(self.store.root, paths) as own_lease, watch_interrupts():
                if self.share is not None:
                    statuses = self.share(todo, needs, self.progress)
                elif self.limit is not None:
                    room = Room(self.store, self.limit, own_lease)
                    limited = LimitedRun(self, room, needs)
                    every = [job for prepared in studies for job in prepared.jobs]
                    statuses = limited.run(jobs, every)
                else:
                    statuses = self.run_jobs(jobs, needs)
                report.outcomes.update(statuses)
        self._count_deleted(report)
        return report

    def _write_refused(self, study: Study, report: RunReport) -> None:
        """Write the results of cells that cannot exist, and count them."""
        for cell in study.cells:
            if cell.refused is not None:
                result = incomplete_result(cell, "not applicable", cell.refused)
                if not _is_same(self.results / result.folder, result):
                    write_result(self.results, result)
                report.refused.append(self.results / result.folder)
                report.outcomes["not applicable"] += 1

    def _count_deleted(self, report: RunReport) -> None:
        """Count results as deleted that somebody deleted while this command ran."""
        folders = set(report.folders)
        count = sum(not (folder / RESULT).is_file() for folder in folders)
        if not count:
            return
        self.progress.note(
            f"{count} results were deleted while this command ran: run it again"
        )
        report.outcomes["deleted"] = count
        for name in ("done", "already there", "failed"):
            taken = min(count, report.outcomes[name])
            report.outcomes[name] -= taken
            count -= taken

    def run_jobs(self, jobs: Sequence[Job], needs: Needs) -> Iterable[Status]:
        """Run jobs in this process, and yield the status of each.

        Args:
            jobs: The jobs.
            needs: What all jobs of the command read.

        Raises:
            OSError: if a file cannot be written, as on a full disk.
        """
        every = job_batches(jobs)
        self.prepare(every)
        # An upstream is loaded at most once.
        for _, group in groupby(every, key=lambda batch: batch[0].cell.upstream.label):
            models = ModelCache(self.device)
            for batch in group:
                yield from self.run_batch(batch, needs, models)

    def prepare(self, batches: Sequence[Sequence[Job]]) -> None:
        """Prepare for the batches that will be run, in order."""
        self._time = TimeLeft(list(batches))

    def fail(self, job: Job, error: BaseException) -> Status:
        """Write the result of a cell that failed, and return its status.

        Raises:
            OSError: if it cannot be written.
        """
        if self.traceback and not isinstance(error, NserbenchError):
            self.progress.note("".join(format_exception(error)).rstrip())
        result = incomplete_result(job.cell, "failed", _reason(error), job.digest)
        return self._finish(job, result)

    def run_batch(
        self, jobs: Sequence[Job], needs: Needs, models: ModelCache
    ) -> Iterable[Status]:
        """Run jobs of one upstream in one condition, and yield the status of each.

        Args:
            jobs: The jobs.
            needs: What all jobs of the command read.
            models: The models with their original weights.

        Raises:
            OSError: if a file cannot be written, as on a full disk.
        """
        self._time.begin_condition()
        try:
            ensure_features(jobs, needs, self.store, models, self.progress)
        except BaseException as error:
            if is_fatal(error):
                raise
            self._time.end_shared()
            yield from [self.fail(job, error) for job in jobs]
        else:
            place = self.store, self.device
            with own_state():
                self._train(partial(fit_stacks, jobs, *place, self.progress, is_fatal))
            self._time.end_shared()
            yield from map(self._run_job, jobs)

    def _run_job(self, job: Job) -> Status:
        began = time.perf_counter()
        epochs = _epochs_to_train(job, self.store)
        total, unit = (epochs, "epochs") if epochs else (len(job.splits), "folds")
        self.progress.stage(str(job.cell), total, unit)
        try:
            with own_state():
                outcome = self._train(partial(self._fit_folds, job, epochs > 0))
            seconds = time.perf_counter() - began
            result = completed_result(job, outcome, self.store, self.device, seconds)
        except BaseException as error:
            if is_fatal(error):
                raise
            return self.fail(job, error)
        return self._finish(job, result)

    def _train(self, call: Callable[[], T]) -> T:
        """Return what training returns; say once if other programs slow it down."""
        result = self._watch.time(call).result
        if not self._slowed and (line := slowed_line(self._watch)):
            self.progress.note(line)
            self._slowed = True
        return result

    def train_fold(self, job: Job, fold: str) -> None:
        """Train a head on one fold, and keep it in the store.

        Raises:
            NserbenchError: if the training diverges.
        """
        (split,) = [split for split in job.splits if split.fold == fold]
        with own_state():
            fit = Fit(job, split)
            if not self.store.holds(fit.file(self.store)):
                sources = open_sources(job, self.store, self.device)
                fitted_head(fit, sources, self.store, self.device)

    def _fit_folds(self, job: Job, by_epoch: bool) -> CellOutcome:
        fits, choices = list[FitResult](), dict[str, LayerChoice]()
        on_epoch = self.progress.advance if by_epoch else ignore_epochs
        for fold in job.folds(self.store):
            if not job.candidates:
                sources = open_sources(fold, self.store, self.device)
            for split in fold.splits:
                if job.candidates:
                    fit, choice = choose(job, split, self.store, self.device, on_epoch)
                    choices[split.fold] = choice
                else:
                    fit = fit_fold(
                        Fit(fold, split), sources, self.store, self.device, on_epoch
                    )
                fits.append(fit)
                if not by_epoch:
                    self.progress.advance()
        return CellOutcome(fits, choices, fit_reference(job, self.store, self.device))

    def _finish(self, job: Job, result: Result) -> Status:
        write_result(self.results, result)
        outcome = f"failed: {result.reason}" if result.reason else result.status
        self.progress.left(self._time.end_cell(done=result.status == "done"))
        self.progress.cell(str(job.cell), outcome)
        for error in self.plugins.cell_finished(result):
            self.progress.note(f"a tracker failed: {_reason(error)}")
        return result.status


def _epochs_to_train(job: Job, store: Store) -> int:
    """Return the epochs of all folds of a cell; 0 if all its heads are in the store."""
    fits = [
        Fit(fold, split)
        for head in job.alternatives
        for fold in head.folds(store)
        for split in fold.splits
    ]
    if all(store.holds(fit.file(store)) for fit in fits):
        return 0
    return sum(fit.job.recipe.epochs for fit in fits)


def _is_same(folder: Path, result: Result) -> bool:
    """Return whether a folder holds this result of a cell that cannot exist."""
    return (folder / RESULT).is_file() and read_result(folder).reason == result.reason


def without_result(
    studies: Sequence[PreparedStudy], results: Path
) -> list[PreparedStudy]:
    """Return studies whose jobs to run are those without a result, each once."""
    seen: set[Path] = set()
    todo = []
    for prepared in studies:
        missing = []
        for position, job in enumerate(prepared.jobs):
            folder = results / job_folder(job)
            if folder not in seen and not is_done(folder):
                missing.append(position)
            seen.add(folder)
        todo.append(replace(prepared, todo=missing))
    return todo


def refuse_read_only(results: Path) -> None:
    """Fail before the first cell if the folder of results is not writable.

    Raises:
        OSError: if it cannot be written.
    """
    results.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:  # it names the temporary file
        raise OSError(error.errno, error.strerror, str(results)) from error


def is_fatal(error: BaseException) -> bool:
    """Return whether an error would stop all other cells, too.

    Where it arose decides, not its class: an `OSError` of a plugin's code stops only
    the plugin's cells, one of the store or the results, such as a full disk, stops all.
    """
    if isinstance(error, NserbenchError):
        return isinstance(error, StoreFull)
    if by_user(error):
        return True
    stops_all = isinstance(error, _MACHINE_ERRORS) or not isinstance(error, Exception)
    return stops_all and not arose_in_plugin(error)


def _reason(error: BaseException) -> str:
    """Return why a cell failed; for an unexpected error also its type and line."""
    plain = isinstance(error, NserbenchError)
    return message_of(error) if plain else describe_error(error)
