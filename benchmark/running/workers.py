"""Run the cells of studies in several worker processes.

Each utterance of a condition is extracted by one worker, so that nothing is extracted
twice. A cell starts when its own features are there. Cells that are fitted together,
such as a stack of pooled heads, go to one worker. Where there are fewer passes or cells
than workers, utterances and folds are shared, too.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from socket import gethostname
from threading import Lock
from typing import Any, NamedTuple
from uuid import uuid4

import torch

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.extraction.need import Need
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.jobs.prepare import PreparedStudy, prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.environment import choose_device
from nserbench.benchmark.results.result import Status
from nserbench.benchmark.running.assemble import job_folder
from nserbench.benchmark.running.executors import TaskExecutor
from nserbench.benchmark.running.relocation import Relocation
from nserbench.benchmark.running.runner import Runner, is_fatal
from nserbench.benchmark.running.shares import divide, extractions_of, has_own_folds
from nserbench.benchmark.running.tasks import Task, run_tasks
from nserbench.benchmark.running.time_left import TimeLeftOfWorkers
from nserbench.benchmark.store.feature_store import Entry, Store
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
    """All that a worker needs to make the same studies as the main process.

    Attributes:
        requests: The request of each study.
        todo: Positions of the jobs of each study that are to be run.
        plugins: Plugins that are not installed, as typed.
        settings: Settings with the absolute folders of the store and the results.
        folder: Working folder, from which relative paths start.
        device: Device as typed, such as ``auto``: each worker chooses its own.
        threads: Threads that a worker may use; None for all that it has.
        command: Differs for each command, so that a worker that stays between commands
            looks at the files anew.
    """

    requests: Sequence[Request]
    todo: Sequence[Sequence[int]]
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
        self, studies: Sequence[PreparedStudy], needs: Needs, progress: Progress
    ) -> Iterator[Status]:
        """Run the jobs of studies, and yield the status of each.

        Raises:
            NserbenchError: if no worker can be started, or one makes another study of
                the request.
            OSError: if a file cannot be written, as on a full disk.
        """
        order = pickle.dumps(self._order(studies))
        # A new store: one remembers the files it saw, and the workers write others.
        store = Store(self.settings.store)
        tasks = _Tasks(order, dict(_named(studies)), needs, store)
        jobs = [job for one in studies for job in one.jobs_to_run]
        first, shares = [*tasks.passes(self.executor.workers)], divide(jobs)
        if len(shares) < self.executor.workers:
            first += tasks.folds(jobs)
        if first:
            progress.stage("features and folds, by workers", len(first), "tasks")
        left = TimeLeftOfWorkers(len(jobs), len(first))
        every: list[Task[Any]] = [*first, *map(tasks.cells, shares)]
        for report in run_tasks(self.executor, every, progress.note):
            if not isinstance(report, WorkerReport):
                for text in report:
                    progress.note(text)
                progress.advance()
                left.end_task()
                continue
            for text in report.notes:
                progress.note(text)
            for name, outcome in report.ended:
                progress.left(left.end_cell())
                progress.cell(name, outcome)
            yield from report.outcomes.elements()

    def _order(self, studies: Sequence[PreparedStudy]) -> WorkOrder:
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
            [moved.request(one.study.request) for one in studies],
            [one.todo for one in studies],
            [moved.text(name) for name in self.plugins],
            moved.settings(settings),
            moved.path(Path.cwd()),
            self.device,
            self.executor.threads,
        )


class JobName(NamedTuple):
    """What says a job to a worker: its place, and its folder, which must agree."""

    study: int
    position: int
    folder: str


def _named(studies: Sequence[PreparedStudy]) -> Iterator[tuple[int, JobName]]:
    """Yield the identity in memory and the name of each job that is to be run."""
    for number, one in enumerate(studies):
        for position in one.todo:
            job = one.jobs[position]
            yield id(job), JobName(number, position, job_folder(job))


@dataclass(frozen=True, slots=True)
class _Tasks:
    """Makes the tasks of an order.

    Attributes:
        names: Name of each job, by its identity in memory.
    """

    order: bytes
    names: Mapping[int, JobName]
    needs: Needs
    store: Store

    def passes(self, workers: int) -> Iterator[Task[Sequence[str]]]:
        """Yield tasks that extract what the store lacks.

        Where there are few passes, each is shared by utterances. Passes of a fine-tuned
        upstream are left to the worker that fine-tunes it. One that ends its worker is
        left out, since its cells do so, too.
        """
        passes = [
            (named.name, one)
            for named in self.needs
            if named.need.extraction.upstream.tuned is None
            for one in named.need.passes(self.store)
        ]
        blocks = -(-workers // max(1, len(passes)))
        for name, one in passes:
            source = one.extraction.transcripts
            after = [] if source is None else [self.needs.name_of(source)]
            for block in range(blocks):
                keys = [*one.clips][block::blocks]
                run = partial(_extract, self.order, name, one.entries, keys)
                yield Task(run, instead=tuple[str], gives=name, after=frozenset(after))

    def folds(self, jobs: Sequence[Job]) -> list[Task[Sequence[str]]]:
        """Return tasks that train one fold of a cell each."""
        folds: dict[Path, Task[Sequence[str]]] = {
            Fit(job, split).file(self.store): Task(
                partial(_fit, self.order, self.names[id(job)], split.fold),
                instead=tuple[str],
                gives=self.names[id(job)],
                after=self._read_by(job),
            )
            for job in jobs
            for split in job.splits
            if has_own_folds(job)
        }
        return list(folds.values())

    def cells(self, share: Sequence[Job]) -> Task[WorkerReport]:
        """Return the task that runs the cells of a share."""
        names = [self.names[id(job)] for job in share]
        after = frozenset(names).union(*map(self._read_by, share))
        return replace(_task(self.order, names), after=after)

    def _read_by(self, job: Job) -> frozenset[str]:
        """Return the names of all extractions that a job reads."""
        return frozenset(map(self.needs.name_of, extractions_of(job)))


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
def _order_of(pickled: bytes) -> WorkOrder:
    """Return the order that was pickled; read once for all tasks."""
    order: WorkOrder = pickle.loads(pickled)  # noqa: S301 - from the main process
    return order


@lru_cache(maxsize=1)
def _open_studies(pickled: bytes) -> tuple[Runner, Sequence[Sequence[Job]]]:
    """Return the runner and the jobs of each study; made once for all tasks."""
    order = _order_of(pickled)
    settings = order.settings
    plugins = Plugins(order.plugins, settings)
    store, device = Store(settings.store), choose_device(order.device)
    runner = Runner(store, settings.results, plugins, device, Silent())
    jobs = [
        prepare(make_study(request, plugins, settings), store, Silent())
        for request in order.requests
    ]
    return runner, jobs


@lru_cache(maxsize=1)
def _needs(pickled: bytes) -> Needs:
    """Return what the jobs of an order read that are run; made once for all tasks."""
    order = _order_of(pickled)
    runner, studies = _open_studies(pickled)
    positions = zip(studies, order.todo, strict=True)
    todo = [jobs[n] for jobs, numbers in positions for n in numbers if n < len(jobs)]
    return Needs(todo, runner.store)


@lru_cache(maxsize=1)
def _models(name: str, device: str) -> ModelCache:
    """Keep the models of one upstream for the next condition."""
    return ModelCache(device)


def _extract(
    order: bytes, name: str, entries: frozenset[Entry], keys: Sequence[str]
) -> Sequence[str]:
    """Extract entries of some utterances; return messages for the user.

    An error that is not fatal occurs again when the cells run.
    """
    with _running(_order_of(order)):
        runner, _ = _open_studies(order)
        known = _needs(order).named(name)
        if known is None or not known.clips.keys() >= set(keys):
            raise _other_study()
        clips = {key: known.clips[key] for key in keys}
        need = Need(known.extraction, clips, dict.fromkeys(clips, entries))
        runner.store.look_again()
        models = _models(need.extraction.models, runner.device)
        runner.store.note = (notes := list[str]()).append
        try:
            extract_missing(need, runner.store, models, Silent())
        except BaseException as error:
            if is_fatal(error):
                raise
        return notes


def _fit(order: bytes, name: JobName, fold: str) -> Sequence[str]:
    """Train the head of a cell on one fold, and return messages for the user.

    An error that is not fatal occurs again when the cell runs.
    """
    with _jobs_of(order, [name]) as (runner, (job,), report):
        try:
            runner.train_fold(job, fold)
        except BaseException as error:
            if is_fatal(error):
                raise
    return report.notes


def _task(order: bytes, names: Sequence[JobName]) -> Task[WorkerReport]:
    """Return the task that runs some cells."""
    half = len(names) // 2
    parts = [names[:half], names[half:]] if half else []
    return Task(
        partial(_run, order, names),
        divide=lambda: [_task(order, part) for part in parts],
        instead=partial(_fail, order, names),
    )


def _run(order: bytes, names: Sequence[JobName]) -> WorkerReport:
    """Run some cells."""
    with _jobs_of(order, names) as (runner, jobs, report):
        report.outcomes.update(runner.run_jobs(jobs, _needs(order)))
    return report


def _fail(order: bytes, names: Sequence[JobName]) -> WorkerReport:
    """Write that some cells failed, since each ends its worker."""
    error = NserbenchError(
        "the worker process died whenever it ran this cell\n"
        "  a crash in the code of a plugin or library ends a process, and so does the "
        "system if memory is short; run this cell without --on to see the last message"
    )
    with _jobs_of(order, names) as (runner, jobs, report):
        report.outcomes.update(runner.fail(job, error) for job in jobs)
    return report


@contextmanager
def _jobs_of(
    order: bytes, names: Sequence[JobName]
) -> Iterator[tuple[Runner, Sequence[Job], WorkerReport]]:
    """Yield the jobs of some cells, a runner, and the report that it fills."""
    with _running(_order_of(order)):
        runner, studies = _open_studies(order)
        share = [
            job
            for name in names
            for job in studies[name.study][name.position : name.position + 1]
        ]
        if [job_folder(job) for job in share] != [name.folder for name in names]:
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
