"""The features that jobs lack: upstreams are tuned where asked, then they hear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing, lacking
from nserbench.benchmark.extraction.extraction import Extraction
from nserbench.benchmark.finetuning.finetune import tune
from nserbench.benchmark.jobs.head import head_file
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.jobs.prepare import needed
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.splits import Split
from nserbench.progress import Progress


def ensure_features(
    jobs: Sequence[Job], store: Store, models: ModelCache, progress: Progress
) -> None:
    """Make the features that jobs lack, to train and to test.

    Args:
        jobs: Of one upstream on one corpus in one condition.
        store: Where features and tuned weights go.
        models: Who opens models as they came. A tuned one is let go after its fold.
        progress: Hears of everything.

    Raises:
        NserbenchError: if a model cannot be loaded or gives what it should not, or if
            a tuning diverges.
    """
    shown = list(chain.from_iterable(one.alternatives for one in jobs))
    plain = [job for job in shown if job.tuning is None]
    if plain:
        _hear(plain, store, models, progress)
    for same in _tuned_alike(shown, store):
        if any(one.wants_tuning(store) for one in same):
            tune(same[0].tuning, same[0].split, store, models, progress)
        own = ModelCache(models.device)
        _hear([one.job.fold(one.split, store) for one in same], store, own, progress)


@dataclass(frozen=True, slots=True)
class _FineTunedFold:
    """A fold of a job whose upstream is tuned."""

    job: Job
    tuning: FineTuning
    split: Split

    def wants_tuning(self, store: Store) -> bool:
        """Tell whether anything is missing that only a tuning gives."""
        split = self.split
        fold, joint = self.job.fold(split, store), self.tuning.head(split, store)
        head = head_file(fold, split, store)
        if head == head_file(joint, split, store) and not head.exists():
            return True
        if self.tuning.file(split, store).exists():
            return False
        return any(_lacks(one, fold, store) for one in _extractions([fold]))


def _tuned_alike(jobs: Sequence[Job], store: Store) -> Iterator[list[_FineTunedFold]]:
    """Give the folds of the jobs that are tuned, those of one tuning together."""
    found: dict[str, list[_FineTunedFold]] = defaultdict(list)
    for job in jobs:
        if job.tuning is not None:
            for split in job.splits:
                one = _FineTunedFold(job, job.tuning, split)
                found[job.tuning.file(split, store).name].append(one)
    yield from found.values()


def _hear(
    jobs: Sequence[Job], store: Store, models: ModelCache, progress: Progress
) -> None:
    """Let the upstream of jobs hear what the store lacks."""
    for one in _extractions(jobs):
        extract_missing(one, jobs[0].clips, needed(jobs, one), store, models, progress)


def _lacks(extraction: Extraction, job: Job, store: Store) -> bool:
    return bool(lacking(extraction, job.clips, needed([job], extraction), store)[0])


def _extractions(jobs: Sequence[Job]) -> list[Extraction]:
    """Give what jobs are tested and trained on, each once."""
    parts = chain.from_iterable(job.training for job in jobs)
    read = [jobs[0].extraction, *(part.extraction for part in parts)]
    wanted = chain.from_iterable(one.parts.values() for one in read)
    return list({digest(one.identity): one for one in wanted}.values())
