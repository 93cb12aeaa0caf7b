"""The cells of a study, shared out among processes.

Features are made first, each condition of an upstream by one process, so that nothing
is heard twice; then cells are trained. What one process fits at once, such as a stack
of pooled heads, stays together.
"""

from __future__ import annotations

import pickle
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from threading import Lock
from typing import TypeVar

import torch

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing, lacking
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.environment import choose_device
from nserbench.benchmark.running.assemble import job_folder
from nserbench.benchmark.running.cost import NeededFeatures, all_needs
from nserbench.benchmark.running.executors import TaskExecutor
from nserbench.benchmark.running.runner import Runner, concerns_all
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.study import Request, make_study
from nserbench.errors import NserbenchError
from nserbench.progress import Progress, Silent
from nserbench.settings import PREFIX, Settings

T = TypeVar("T")

_ONE_AT_A_TIME = Lock()
"""A worker of Dask takes a task for each of its threads, but chance, the number of
threads and the working folder are the whole process's."""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """All that a process needs to see a study as it was asked for.

    Attributes:
        request: What was asked for.
        plugins: Those that are not installed.
        settings: With the folders of the store and the results.
        folder: Where relative paths start.
        device: Such as ``auto``: each process looks for its own.
        threads: That it may use; None for as many as it has.
    """

    request: Request
    plugins: Sequence[str]
    settings: Settings
    folder: Path
    device: str
    threads: int | None


@dataclass(slots=True)
class WorkerReport(Silent):
    """What a process has to tell of its cells.

    Attributes:
        outcomes: How many cells ended how.
        ended: Each cell with its outcome in words.
        notes: What the user should read.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    ended: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Remember it."""
        self.notes.append(text)

    def cell(self, name: str, outcome: str) -> None:
        """Remember it."""
        self.ended.append((name, outcome))


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """Processes that share the cells of a study.

    Attributes:
        engine: Who takes the tasks.
        plugins: That are not installed.
        settings: With the folders of the store and the results.
        device: Such as ``auto``.
    """

    engine: TaskExecutor
    plugins: Sequence[str]
    settings: Settings
    device: str

    def run(
        self, request: Request, jobs: Sequence[Job], progress: Progress
    ) -> Iterator[str]:
        """Run jobs of what was asked for, and give the outcome of each.

        Raises:
            NserbenchError: if a process ends before its task, or sees another study.
            OSError: if a file cannot be written, as on a full disk.
        """
        order, submit = pickle.dumps(self._order(request)), self.engine.executor.submit
        # One of its own, since a store remembers what was there, and others write.
        for needs in _rounds(jobs, Store(self.settings.store)):
            progress.stage("features, shared out", len(needs), "passes")
            heard = [submit(_hear, order, name, forms) for name, forms in needs]
            for _ in _ended(heard):
                progress.advance()
        folders = [[job_folder(job) for job in part] for part in shares(jobs)]
        for told in _ended([submit(_work, order, each) for each in folders]):
            for text in told.notes:
                progress.note(text)
            for name, outcome in told.ended:
                progress.cell(name, outcome)
            yield from told.outcomes.elements()

    def _order(self, request: Request) -> WorkOrder:
        said = self.settings
        own = {
            name: one
            for name, one in said.environment.items()
            if name.startswith(PREFIX)
        }
        settings = replace(said, environment=own).using(
            results=said.results.absolute(), store=said.store.absolute()
        )
        return WorkOrder(
            request,
            self.plugins,
            settings,
            Path.cwd(),
            self.device,
            self.engine.threads,
        )


def shares(jobs: Sequence[Job]) -> list[list[Job]]:
    """Divide jobs into those that one process should run, the longest parts first.

    Pooled heads of a condition are fitted together. A head that reads frames is alone.
    Conditions stay together where they share a fit or a tuned upstream.
    """
    found: dict[tuple[object, ...], list[Job]] = defaultdict(list)
    for job in jobs:
        cell, tuned = job.cell, job.alternatives[0].tuning is not None
        frames = cell.reads_frames and not tuned
        found[
            not frames,
            cell.upstream.label,
            cell.corpus.label,
            str(cell.condition) if job.matched and not tuned else "",
            cell.downstream.label if frames else "",
            cell.seed if frames else "",
        ].append(job)
    return [found[name] for name in sorted(found, key=lambda name: bool(name[0]))]


def _rounds(
    jobs: Sequence[Job], store: Store
) -> Iterator[list[tuple[str, Sequence[Form]]]]:
    """Give what no process should hear twice: transcripts before those who read them.

    What tuned upstreams hear is left to those who tune them.
    """
    needs = [
        need
        for need in all_needs(jobs, store)
        if need.extraction.upstream.tuned is None
        and lacking(need.extraction, need.clips, need.forms, store)[0]
    ]
    for reads in (False, True):
        found: list[tuple[str, Sequence[Form]]] = [
            (_name(need), need.forms)
            for need in needs
            if (need.extraction.transcripts is not None) is reads
        ]
        if found:
            yield found


def _name(need: NeededFeatures) -> str:
    return digest([need.corpus, need.extraction.identity])


def _ended(tasks: Sequence[Future[T]]) -> Iterator[T]:
    """Give what tasks return as they end; after an error no other one is started."""
    try:
        for task in as_completed(tasks):
            try:
                yield task.result()
            except Exception as error:
                if isinstance(error, NserbenchError) or concerns_all(error):
                    raise
                kind = type(error).__name__
                raise NserbenchError(
                    f"a process ended before its task: {kind}: {error}\n"
                    "  what it finished is kept; the same command goes on"
                ) from error
    finally:
        for task in tasks:
            task.cancel()


@contextmanager
def _in_place(order: WorkOrder) -> Iterator[None]:
    """Be where the order was given, alone in this process, with errors that travel."""
    with _ONE_AT_A_TIME, chdir(order.folder):
        if order.threads is not None:
            torch.set_num_threads(order.threads)
        try:
            yield
        except NserbenchError as error:  # whose own arguments do not travel
            raise NserbenchError(str(error)) from None


@dataclass(frozen=True, slots=True)
class _WorkerStudy:
    """A study as a process sees it."""

    runner: Runner
    jobs: Sequence[Job]


@lru_cache(maxsize=1)
def _see(order: bytes) -> _WorkerStudy:
    """Look everything up that was asked for; once for all tasks of a study."""
    asked: WorkOrder = pickle.loads(order)  # noqa: S301 - from the process that asks
    plugins, settings = Plugins(asked.plugins), asked.settings
    store, device = Store(settings.store), choose_device(asked.device)
    study = make_study(asked.request, plugins, settings)
    runner = Runner(store, settings.results, plugins, device, Silent())
    return _WorkerStudy(runner, prepare(study, store, Silent()))


@lru_cache(maxsize=1)
def _models(name: str, device: str) -> ModelCache:
    """Keep the models of one upstream, for the next condition."""
    return ModelCache(device)


def _hear(order: bytes, name: str, forms: Sequence[Form]) -> None:
    """Make some features. What is wrong with them is left for their cells to meet."""
    with _in_place(pickle.loads(order)):  # noqa: S301
        seen = _see(order)
        store, device = seen.runner.store, seen.runner.device
        needs = {_name(one): one for one in all_needs(seen.jobs, store)}
        _refuse_strange([name], needs)
        extraction, clips = needs[name].extraction, needs[name].clips
        models = _models(extraction.models, device)
        try:
            extract_missing(extraction, clips, forms, store, models, Silent())
        except Exception as error:
            if concerns_all(error):
                raise


def _work(order: bytes, folders: Sequence[str]) -> WorkerReport:
    """Run the jobs of some folders."""
    with _in_place(pickle.loads(order)):  # noqa: S301
        seen, told = _see(order), WorkerReport()
        jobs = {job_folder(job): job for job in seen.jobs}
        _refuse_strange(folders, jobs)
        mine = [jobs[folder] for folder in folders]
        told.outcomes.update(replace(seen.runner, progress=told).run_jobs(mine))
        return told


def _refuse_strange(wanted: Sequence[str], seen: Collection[str]) -> None:
    """Refuse to go on where the same request means something else."""
    if not set(wanted) <= set(seen):
        raise NserbenchError(
            f"{gethostname()} does not see what was asked for\n"
            "  its corpora, weights or packages are not those where the command runs"
        )
