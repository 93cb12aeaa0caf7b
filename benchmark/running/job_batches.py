"""Jobs that run together, and the order in which frames need least room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path

from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.room import Disposable


def job_batches(jobs: Iterable[Job]) -> list[list[Job]]:
    """Return jobs in their order, as batches of one upstream in one condition.

    The pooled heads of a batch are trained together.
    """
    # Each study has opened its corpora itself: it may use fewer utterances.
    alike = groupby(
        jobs,
        key=lambda job: (
            job.cell.upstream.label,
            id(job.opened),
            str(job.cell.condition),
        ),
    )
    return [list(group) for _, group in alike]


@dataclass(frozen=True, slots=True)
class JobBatch:
    """Jobs of one upstream in one condition, and what they use of the store.

    Attributes:
        extractions: Extractions that are made for them, by their folder.
        frames: Frames that they read.
        weights: Files of fine-tuned weights that they use.
        trainings: What heads are trained on. Batches that share it may share heads.
        heads: Bytes of each head that the store lacks, by its file; see `HeadSizes`.
    """

    jobs: Sequence[Job]
    extractions: dict[Path, Extraction]
    frames: frozenset[Disposable]
    weights: frozenset[Path]
    trainings: frozenset[Hashable]
    heads: Mapping[Path, int] = field(default_factory=dict)

    @classmethod
    def of(cls, jobs: Sequence[Job], needs: Needs, store: Store) -> JobBatch:
        """Return the batch of some jobs."""
        alternatives = list(chain.from_iterable(job.alternatives for job in jobs))
        folds = list(chain.from_iterable(job.folds(store) for job in alternatives))
        made = chain(*map(_made_for_head, folds), *map(_made_for_tuning, alternatives))

        def folder(extraction: Extraction) -> Path:
            return store.root / "features" / needs.name_of(extraction)

        frames = {
            Disposable(folder(extraction), form)
            for job in folds
            if (form := job.cell.form) != "pooled"
            for extraction in _read_by_head(job)
        }
        trainings = {
            tuple(
                needs.name_of(one)
                for part in job.training
                for one in part.extraction.parts.values()
            )
            for job in folds
        }
        weights = chain.from_iterable(job.tuned_files(store) for job in alternatives)
        return cls(
            jobs,
            {folder(one): one for one in made},
            frozenset(frames),
            frozenset(weights),
            frozenset(trainings),
        )

    @property
    def disposables(self) -> frozenset[Disposable]:
        """What can be deleted when no batch that is left uses it.

        Means over time stay, but for those of fine-tuned weights: there are as many as
        folds and conditions, and other commands hardly ever read them.
        """
        tuned = {
            folder
            for folder, one in self.extractions.items()
            if one.upstream.tuned is not None
        }
        return frozenset(
            [
                *self.frames,
                *(Disposable(file, "weights") for file in self.weights),
                *(Disposable(folder, "pooled") for folder in tuned),
            ]
        )


def in_order_of_frames(every: Sequence[JobBatch]) -> list[JobBatch]:
    """Return batches in an order in which few frames are needed at once.

    The next batch is the one that needs the fewest further folders of frames; of
    several, the first. Batches that may share heads keep their order, so that every
    head is trained together with the same others as without a limit.
    """
    readers = Counter(one.path for batch in every for one in batch.frames)
    before = _predecessors(every)
    left, there, order = dict.fromkeys(range(len(every))), set[Path](), list[JobBatch]()

    def further(index: int) -> int:
        made = every[index].extractions.keys() - there
        return sum(readers[folder] > 0 for folder in made)

    while left:
        free = [index for index in left if not before[index] & left.keys()]
        chosen = min(free, key=further)
        del left[chosen]
        order.append(every[chosen])
        readers.subtract(one.path for one in every[chosen].frames)
        made = there | every[chosen].extractions.keys()
        there = {folder for folder in made if readers[folder] > 0}
    return order


def _predecessors(every: Sequence[JobBatch]) -> list[set[int]]:
    """Return, for each batch, the last ones before it that may share its heads."""
    last: dict[Hashable, int] = {}
    before = []
    for index, batch in enumerate(every):
        before.append({last[name] for name in batch.trainings if name in last})
        last |= dict.fromkeys(batch.trainings, index)
    return before


def _read_by_head(job: Job) -> Iterator[Extraction]:
    """Yield the extractions whose features a head reads."""
    for source in (*(part.extraction for part in job.training), job.extraction):
        yield from source.parts.values()


def _made_for_head(job: Job) -> Iterator[Extraction]:
    """Yield the extractions that must be there before a head is trained and tested."""
    for extraction in _read_by_head(job):
        yield extraction
        if extraction.transcripts is not None:
            yield extraction.transcripts


def _made_for_tuning(job: Job) -> Iterator[Extraction]:
    """Yield the extractions that must be there before an upstream is fine-tuned."""
    for stage in job.tuning.stages if job.tuning is not None else ():
        yield from _made_for_head(stage.joint)
