"""Run the cells of a study in several worker processes.

Features are extracted first, each condition of an upstream by one worker, so that
nothing is extracted twice. Then the cells are trained. Cells that are fitted together,
such as a stack of pooled heads, go to one worker.
"""

from __future__ import annotations

import pickle
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, as_completed
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from socket import gethostname
from threading import Lock
from typing import TypeVar
from uuid import uuid4

import torch

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing, lacking
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.environment import choose_device
from nserbench.benchmark.results.result import Status
from nserbench.benchmark.running.assemble import job_folder
from nserbench.benchmark.running.cost import NeededFeatures, needed_features
from nserbench.benchmark.running.executors import TaskExecutor
from nserbench.benchmark.running.interrupts import watch_interrupts
from nserbench.benchmark.running.runner import Runner, is_fatal
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import make_study
from nserbench.errors import NserbenchError
from nserbench.progress import Progress, Silent
from nserbench.settings import PREFIX, Settings

T = TypeVar("T")

ATTEMPTS = 3
"""How often a task is started at most, if the workers that run it die."""
_ONE_AT_A_TIME = Lock()
"""Lets one task run at a time in a process. A worker of Dask runs a task in each of its
threads, but seeds, thread counts and the working folder belong to the whole process."""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """All that a worker needs to make the same study as the main process.

    Attributes:
        plugins: Plugins that are not installed, as typed.
        settings: Settings with the absolute folders of the store and the results.
        folder: Working folder, from which relative paths start.
        device: Device as typed, such as ``auto``: each worker chooses its own.
        threads: Threads that a worker may use; None for all that it has.
        command: Differs for each command, so that a worker that stays between commands
            looks at the files anew.
    """

    request: Request
    plugins: Sequence[str]
    settings: Settings
    folder: Path
    device: str
    threads: int | None
    command: str = field(default_factory=lambda: uuid4().hex)


@dataclass(slots=True)
class WorkerReport(Silent):
    """What a worker reports about its cells.

    Attributes:
        ended: Name of each cell, and its outcome in words.
    """

    outcomes: Counter[Status] = field(default_factory=Counter)
    ended: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a message for the user."""
        self.notes.append(text)

    def cell(self, name: str, outcome: str) -> None:
        """Keep the outcome of a cell."""
        self.ended.append((name, outcome))


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """Workers that share the cells of a study."""

    executor: TaskExecutor
    plugins: Sequence[str]
    settings: Settings
    device: str

    def run(
        self, request: Request, jobs: Sequence[Job], progress: Progress
    ) -> Iterator[Status]:
        """Run jobs of a request, and yield the status of each.

        Raises:
            NserbenchError: if a worker ends before its task, or makes another study of
                the request.
            OSError: if a file cannot be written, as on a full disk.
        """
        order = pickle.dumps(self._order(request))
        # A new store: one remembers the files it saw, and the workers write others.
        for needs in _extraction_rounds(jobs, Store(self.settings.store)):
            progress.stage("features, by workers", len(needs), "passes")
            extractions = [partial(_extract, order, key, forms) for key, forms in needs]
            for notes in _results(self.executor, extractions, progress):
                for text in notes:
                    progress.note(text)
                progress.advance()
        shares = [[job_folder(job) for job in share] for share in divide(jobs)]
        calls = [partial(_run, order, share) for share in shares]
        for report in _results(self.executor, calls, progress):
            for text in report.notes:
                progress.note(text)
            for name, outcome in report.ended:
                progress.cell(name, outcome)
            yield from report.outcomes.elements()

    def _order(self, request: Request) -> WorkOrder:
        environment = {
            name: value
            for name, value in self.settings.environment.items()
            if name.startswith(PREFIX)
        }
        settings = replace(self.settings, environment=environment).using(
            results=self.settings.results.absolute(),
            store=self.settings.store.absolute(),
        )
        return WorkOrder(
            request,
            self.plugins,
            settings,
            Path.cwd(),
            self.device,
            self.executor.threads,
        )


def divide(jobs: Sequence[Job]) -> list[list[Job]]:
    """Divide jobs into shares for one worker each, the longest shares first.

    The pooled heads of a condition are one share, since they are fitted together. A
    head on frames is a share of its own. Conditions that use the same fit or the same
    fine-tuned upstream are one share.
    """
    shares: dict[tuple[object, ...], list[Job]] = defaultdict(list)
    for job in jobs:
        cell, tuned = job.cell, job.alternatives[0].tuning is not None
        frames = cell.reads_frames and not tuned
        shares[
            not frames,
            cell.upstream.label,
            cell.corpus.label,
            str(cell.condition) if job.matched and not tuned else "",
            cell.downstream.label if frames else "",
            cell.seed if frames else "",
        ].append(job)
    return [shares[key] for key in sorted(shares, key=lambda key: bool(key[0]))]


def _extraction_rounds(
    jobs: Sequence[Job], store: Store
) -> Iterator[list[tuple[str, Sequence[Form]]]]:
    """Yield the missing extractions: first those that give the transcripts of others.

    Extractions with a fine-tuned upstream are made by the worker that fine-tunes it.
    """
    needs = [
        need
        for need in needed_features(jobs, store)
        if need.extraction.upstream.tuned is None
        and lacking(need.extraction, need.clips, need.forms, store)[0]
    ]
    for reads_transcripts in (False, True):
        extractions: list[tuple[str, Sequence[Form]]] = [
            (_key(need), need.forms)
            for need in needs
            if (need.extraction.transcripts is not None) is reads_transcripts
        ]
        if extractions:
            yield extractions


def _key(need: NeededFeatures) -> str:
    return digest([need.corpus, need.extraction.identity])


def _results(
    executor: TaskExecutor, calls: Sequence[Callable[[], T]], progress: Progress
) -> Iterator[T]:
    """Yield the results of calls as they end; an error cancels those not started.

    If a worker process dies, the calls that it took with it are started again; each is
    started `ATTEMPTS` times at most.
    """
    for attempt in range(1, ATTEMPTS + 1):
        lost: list[Callable[[], T]] = []
        tasks: dict[Future[T], Callable[[], T]] = {}
        try:
            for call in calls:
                try:
                    tasks[executor.pool.submit(call)] = call
                except BrokenExecutor:
                    lost.append(call)
            for task in as_completed(tasks):
                try:
                    yield task.result()
                except BrokenExecutor as error:
                    if executor.new_pool is None or attempt == ATTEMPTS:
                        raise _worker_ended(error) from error
                    lost.append(tasks[task])
                except Exception as error:
                    if isinstance(error, NserbenchError) or is_fatal(error):
                        raise
                    raise _worker_ended(error) from error
        finally:
            for task in tasks:
                task.cancel()
        if not lost or executor.new_pool is None:
            return
        progress.note(f"a worker process died: {len(lost)} tasks are started again")
        executor.pool, calls = executor.new_pool(), lost


def _worker_ended(error: Exception) -> NserbenchError:
    kind = type(error).__name__
    return NserbenchError(
        f"a worker ended before its task: {kind}: {error}\n"
        "  finished cells are kept; run the same command again to continue"
    )


@contextmanager
def _running(order: WorkOrder) -> Iterator[None]:
    """Run one task at a time in the folder of the order, with errors that pickle."""
    with _ONE_AT_A_TIME, chdir(order.folder), watch_interrupts():
        if order.threads is not None:
            torch.set_num_threads(order.threads)
        try:
            yield
        except NserbenchError as error:  # subclasses cannot be unpickled
            raise NserbenchError(str(error)) from None


@lru_cache(maxsize=1)
def _open_study(pickled: bytes) -> tuple[Runner, Sequence[Job]]:
    """Return the runner and the jobs of an order; made once for all its tasks."""
    order: WorkOrder = pickle.loads(pickled)  # noqa: S301 - from the main process
    plugins, settings = Plugins(order.plugins), order.settings
    store, device = Store(settings.store), choose_device(order.device)
    study = make_study(order.request, plugins, settings)
    runner = Runner(store, settings.results, plugins, device, Silent())
    return runner, prepare(study, store, Silent())


@lru_cache(maxsize=1)
def _models(name: str, device: str) -> ModelCache:
    """Keep the models of one upstream for the next condition."""
    return ModelCache(device)


def _extract(order: bytes, key: str, forms: Sequence[Form]) -> Sequence[str]:
    """Extract features, and return messages for the user.

    An error that is not fatal occurs again when the cells run.
    """
    with _running(pickle.loads(order)):  # noqa: S301
        runner, jobs = _open_study(order)
        needs = {_key(need): need for need in needed_features(jobs, runner.store)}
        _refuse_other_study([key], needs)
        extraction, clips = needs[key].extraction, needs[key].clips
        models = _models(extraction.models, runner.device)
        runner.store.note = (notes := list[str]()).append
        try:
            extract_missing(extraction, clips, forms, runner.store, models, Silent())
        except BaseException as error:
            if is_fatal(error):
                raise
        return notes


def _run(order: bytes, folders: Sequence[str]) -> WorkerReport:
    with _running(pickle.loads(order)):  # noqa: S301
        runner, jobs = _open_study(order)
        by_folder = {job_folder(job): job for job in jobs}
        _refuse_other_study(folders, by_folder)
        share, report = [by_folder[folder] for folder in folders], WorkerReport()
        runner.store.note = report.note
        report.outcomes.update(replace(runner, progress=report).run_jobs(share))
        return report


def _refuse_other_study(wanted: Sequence[str], known: Collection[str]) -> None:
    """Refuse to run where the same request makes another study."""
    if not set(wanted) <= set(known):
        raise NserbenchError(
            f"{gethostname()} makes another study of the same command\n"
            "  its corpora, weights or packages differ from those of the machine where "
            "the command runs"
        )
