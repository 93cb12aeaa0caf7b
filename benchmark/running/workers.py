"""Run the cells of a study in several worker processes.

Features are extracted first, each utterance of a condition by one worker, so that
nothing is extracted twice. Then the cells are trained. Cells that are fitted together,
such as a stack of pooled heads, go to one worker. Where there are fewer cells than
workers, the utterances of a condition and the folds of a cell are shared, too.
"""

from __future__ import annotations

import pickle
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from socket import gethostname
from threading import Lock
from uuid import uuid4

import torch

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing, lacking
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.environment import choose_device
from nserbench.benchmark.results.result import CellName, Status
from nserbench.benchmark.running.assemble import cell_name, job_folder
from nserbench.benchmark.running.cost import NeededFeatures, needed_features
from nserbench.benchmark.running.executors import TaskExecutor
from nserbench.benchmark.running.relocation import Relocation
from nserbench.benchmark.running.runner import Runner, is_fatal
from nserbench.benchmark.running.tasks import Task, run_tasks
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import make_study
from nserbench.errors import NserbenchError
from nserbench.interrupts import watch_interrupts
from nserbench.progress import Progress, Silent
from nserbench.settings import PREFIX, Settings

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
            NserbenchError: if no worker can be started, or one makes another study of
                the request.
            OSError: if a file cannot be written, as on a full disk.
        """
        order = pickle.dumps(self._order(request))
        # A new store: one remembers the files it saw, and the workers write others.
        store = Store(self.settings.store)
        for needs in _extraction_rounds(jobs, store):
            blocks = -(-self.executor.workers // len(needs))
            self._share(
                "features, by workers",
                [
                    partial(_extract, order, key, forms, slice(block, None, blocks))
                    for key, forms in needs
                    for block in range(blocks)
                ],
                progress,
            )
        shares = divide(jobs)
        few = len(shares) < self.executor.workers
        folds = {
            Fit(job, split).file(store): partial(_fit, order, *_named(job), split.fold)
            for job in jobs
            for split in job.splits
            if few and _has_own_folds(job)
        }
        self._share("folds, by workers", list(folds.values()), progress)
        tasks = [_task(order, dict(map(_named, share))) for share in shares]
        for report in run_tasks(self.executor, tasks, progress.note):
            for text in report.notes:
                progress.note(text)
            for name, outcome in report.ended:
                progress.cell(name, outcome)
            yield from report.outcomes.elements()

    def _share(
        self,
        title: str,
        calls: Sequence[Callable[[], Sequence[str]]],
        progress: Progress,
    ) -> None:
        """Run calls that return messages for the user.

        One that ends its worker is left out, since its cells do so, too.
        """
        if calls:
            progress.stage(title, len(calls), "tasks")
        tasks = [Task(call, instead=tuple[str]) for call in calls]
        for notes in run_tasks(self.executor, tasks, progress.note):
            for text in notes:
                progress.note(text)
            progress.advance()

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
        moved = Relocation.of(self.settings)
        return WorkOrder(
            moved.request(request),
            [moved.text(name) for name in self.plugins],
            moved.settings(settings),
            moved.path(Path.cwd()),
            self.device,
            self.executor.threads,
        )


def _named(job: Job) -> tuple[CellName, str]:
    """Return a job's name and its result folder, which say the job to a worker."""
    return cell_name(job.cell), job_folder(job)


def _has_own_folds(job: Job) -> bool:
    """Return whether each fold of a job is trained for itself, on given features."""
    tuned = any(other.tuning is not None for other in job.alternatives)
    return job.cell.reads_frames and not job.candidates and not tuned


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
def _open_study(pickled: bytes) -> tuple[Runner, Mapping[CellName, Job]]:
    """Return the runner and the jobs of an order; made once for all its tasks."""
    order: WorkOrder = pickle.loads(pickled)  # noqa: S301 - from the main process
    plugins, settings = Plugins(order.plugins), order.settings
    store, device = Store(settings.store), choose_device(order.device)
    study = make_study(order.request, plugins, settings)
    runner = Runner(store, settings.results, plugins, device, Silent())
    jobs = prepare(study, store, Silent())
    return runner, {cell_name(job.cell): job for job in jobs}


@lru_cache(maxsize=1)
def _needs(order: bytes) -> Mapping[str, NeededFeatures]:
    """Return the features that an order needs; made once for all its tasks."""
    runner, jobs = _open_study(order)
    needs = needed_features(list(jobs.values()), runner.store)
    return {_key(need): need for need in needs}


@lru_cache(maxsize=1)
def _models(name: str, device: str) -> ModelCache:
    """Keep the models of one upstream for the next condition."""
    return ModelCache(device)


def _extract(
    order: bytes, key: str, forms: Sequence[Form], part: slice
) -> Sequence[str]:
    """Extract features of a part of the utterances; return messages for the user.

    An error that is not fatal occurs again when the cells run.
    """
    with _running(pickle.loads(order)):  # noqa: S301
        runner, _ = _open_study(order)
        if key not in _needs(order):
            raise _other_study()
        need = _needs(order)[key]
        runner.store.look_again()
        models = _models(need.extraction.models, runner.device)
        runner.store.note = (notes := list[str]()).append
        try:
            extract_missing(
                need.extraction, need.clips[part], forms, runner.store, models, Silent()
            )
        except BaseException as error:
            if is_fatal(error):
                raise
        return notes


def _fit(order: bytes, name: CellName, folder: str, fold: str) -> Sequence[str]:
    """Train the head of a cell on one fold, and return messages for the user.

    An error that is not fatal occurs again when the cell runs.
    """
    with _jobs_of(order, {name: folder}) as (runner, (job,), report):
        try:
            runner.train_fold(job, fold)
        except BaseException as error:
            if is_fatal(error):
                raise
    return report.notes


def _task(order: bytes, folders: Mapping[CellName, str]) -> Task[WorkerReport]:
    """Return the task that runs some cells, each given with its result folder."""
    items, half = list(folders.items()), len(folders) // 2
    parts = [dict(items[:half]), dict(items[half:])] if half else []
    return Task(
        partial(_run, order, folders),
        divide=lambda: [_task(order, part) for part in parts],
        instead=partial(_fail, order, folders),
    )


def _run(order: bytes, folders: Mapping[CellName, str]) -> WorkerReport:
    """Run some cells, each given with its result folder."""
    with _jobs_of(order, folders) as (runner, jobs, report):
        report.outcomes.update(runner.run_jobs(jobs))
    return report


def _fail(order: bytes, folders: Mapping[CellName, str]) -> WorkerReport:
    """Write that some cells failed, since each ends its worker."""
    error = NserbenchError(
        "the worker process died whenever it ran this cell\n"
        "  a crash in the code of a plugin or library ends a process, and so does the "
        "system if memory is short; run this cell without --on to see the last message"
    )
    with _jobs_of(order, folders) as (runner, jobs, report):
        report.outcomes.update(runner.fail(job, error) for job in jobs)
    return report


@contextmanager
def _jobs_of(
    order: bytes, folders: Mapping[CellName, str]
) -> Iterator[tuple[Runner, Sequence[Job], WorkerReport]]:
    """Yield the jobs of some cells, a runner, and the report that it fills."""
    with _running(pickle.loads(order)):  # noqa: S301
        runner, jobs = _open_study(order)
        share = [jobs[name] for name in folders if name in jobs]
        if [job_folder(job) for job in share] != list(folders.values()):
            raise _other_study()
        runner.store.look_again()
        report = WorkerReport()
        runner.store.note = report.note
        yield replace(runner, progress=report), share, report


def _other_study() -> NserbenchError:
    """Return the error where the same request makes another study."""
    return NserbenchError(
        f"{gethostname()} makes another study of the same command\n"
        "  its corpora, weights or packages differ from those of the machine where "
        "the command runs"
    )
