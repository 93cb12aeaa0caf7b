"""Running a study: features that are missing, then cells that are missing."""

from __future__ import annotations

import sqlite3
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.best_layer import LayerChoice, choose
from nserbench.benchmark.jobs.fit import (
    FitResult,
    fit_fold,
    fit_reference,
    fit_stacks,
    open_sources,
)
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.index import is_done
from nserbench.benchmark.results.result import Result, write_result
from nserbench.benchmark.running.assemble import CellOutcome, done, job_folder, undone
from nserbench.benchmark.running.ensure_features import ensure_features
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.study import Request, Study
from nserbench.errors import NserbenchError
from nserbench.progress import Progress

Share: TypeAlias = Callable[[Request, Sequence[Job], Progress], Iterable[str]]
"""Runs jobs of what was asked for elsewhere, and gives the outcome of each."""

_OF_THE_MACHINE = (OSError, sqlite3.Error)


@dataclass(slots=True)
class RunReport:
    """What a run did.

    Attributes:
        folders: The result of each cell that can exist, in the order of the grid.
        outcomes: How many cells were ``done``, ``already there``, ``failed``, or
            ``not applicable``.
    """

    folders: list[Path] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Runner:
    """Runs the cells of a study that have no result yet.

    Attributes:
        store: Where features and fitted heads are.
        results: Where results go.
        plugins: Who hears of finished cells.
        device: Where to compute, such as ``cpu``.
        progress: Who hears of everything.
        share: Shares the jobs out; None to run them in this process.
    """

    store: Store
    results: Path
    plugins: Plugins
    device: str
    progress: Progress
    share: Share | None = None

    def run(self, study: Study) -> RunReport:
        """Run what is missing.

        A cell that fails is written down as failed, and tried again next time; the
        others go on.

        Raises:
            BadAudio: if any audio cannot be used.
            CheckpointMissing: if any weights are missing.
            OSError: if a file cannot be written, as on a full disk.
        """
        jobs = prepare(study, self.store, self.progress)
        report = RunReport([self.results / job_folder(job) for job in jobs])
        for cell in study.cells:
            if cell.refused is not None:
                result = undone(cell, "not applicable", cell.refused)
                write_result(self.results, result)
                report.outcomes["not applicable"] += 1
        todo = [
            job
            for job, folder in zip(jobs, report.folders, strict=True)
            if not is_done(folder)
        ]
        report.outcomes["already there"] = len(jobs) - len(todo)
        self.progress.cells(len(jobs), len(jobs) - len(todo))
        if self.share is None:
            report.outcomes.update(self.run_jobs(todo))
        else:
            report.outcomes.update(self.share(study.request, todo, self.progress))
        return report

    def run_jobs(self, jobs: Sequence[Job]) -> Iterable[str]:
        """Run jobs here, and give the outcome of each; see `run` for what it raises."""
        for _, same in groupby(jobs, key=lambda job: job.cell.upstream.label):
            yield from self._run_upstream(list(same))

    def _run_upstream(self, jobs: Sequence[Job]) -> Iterable[str]:
        """Run jobs of one upstream, loaded at most once, condition by condition."""
        models = ModelCache(self.device)
        for _, same in groupby(jobs, key=_condition):
            here = list(same)
            try:
                ensure_features(here, self.store, models, self.progress)
            except Exception as error:
                if concerns_all(error):
                    raise
                yield from [self._failed(job, error) for job in here]
            else:
                fit_stacks(here, self.store, self.device, self.progress)
                yield from map(self._run_job, here)

    def _run_job(self, job: Job) -> str:
        began = time.perf_counter()
        self.progress.stage(str(job.cell), len(job.splits), "folds")
        fitted, choices = list[FitResult](), dict[str, LayerChoice]()
        try:
            for fold in job.folds(self.store):
                sources = None
                if not job.candidates:
                    sources = open_sources(fold, self.store, self.device)
                for split in fold.splits:
                    if sources is not None:
                        one = fit_fold(
                            Fit(fold, split), sources, self.store, self.device
                        )
                    else:
                        one, choice = choose(job, split, self.store, self.device)
                        choices[split.fold] = choice
                    fitted.append(one)
                    self.progress.advance()
            reference = fit_reference(job, self.store, self.device)
        except Exception as error:
            if concerns_all(error):
                raise
            return self._failed(job, error)
        seconds = time.perf_counter() - began
        outcome = CellOutcome(fitted, choices, reference)
        result = done(job, outcome, self.store, self.device, seconds)
        return self._finish(job, result)

    def _failed(self, job: Job, error: Exception) -> str:
        result = undone(job.cell, "failed", _reason(error), job.digest)
        return self._finish(job, result)

    def _finish(self, job: Job, result: Result) -> str:
        write_result(self.results, result)
        outcome = f"failed: {result.reason}" if result.reason else result.status
        self.progress.cell(str(job.cell), outcome)
        for error in self.plugins.cell_finished(result):
            self.progress.note(f"a tracker failed: {_reason(error)}")
        return result.status


def _condition(job: Job) -> tuple[str, str]:
    return job.cell.corpus.label, str(job.cell.condition)


def concerns_all(error: Exception) -> bool:
    """Tell whether an error, such as a full disk, would meet every other cell too."""
    return isinstance(error, _OF_THE_MACHINE) and not isinstance(error, NserbenchError)


def _reason(error: Exception) -> str:
    """Say why a cell failed; of an error that is not ours, also its kind and place."""
    if isinstance(error, NserbenchError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    return f"{type(error).__name__}: {error} ({where})"
