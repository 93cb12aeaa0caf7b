"""Make the features that jobs need: fine-tune upstreams where asked, then extract."""

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
    """Make the features that jobs need for training and test, and that are missing.

    Args:
        jobs: Jobs of one upstream on one corpus in one condition.
        store: Store of features and fine-tuned weights.
        models: Models with their original weights. A fine-tuned model is loaded for
            its fold only.
        progress: Receives every step.

    Raises:
        NserbenchError: if a model cannot be loaded or breaks its contract, or if the
            loss of fine-tuning diverges.
    """
    fitted = list(chain.from_iterable(job.alternatives for job in jobs))
    frozen = [job for job in fitted if job.tuning is None]
    if frozen:
        _extract(frozen, store, models, progress)
    for folds in _grouped_by_tuned_weights(fitted, store):
        if any(fold.needs_fine_tuning(store) for fold in folds):
            tune(folds[0].tuning, folds[0].split, store, models, progress)
        tuned = [fold.job.fold(fold.split, store) for fold in folds]
        _extract(tuned, store, ModelCache(models.device), progress)


@dataclass(frozen=True, slots=True)
class _FineTunedFold:
    """A fold of a job whose upstream is fine-tuned."""

    job: Job
    tuning: FineTuning
    split: Split

    def needs_fine_tuning(self, store: Store) -> bool:
        """Return whether a head or features are missing that need fine-tuning."""
        split = self.split
        fold, joint = self.job.fold(split, store), self.tuning.head(split, store)
        head = head_file(fold, split, store)
        if head == head_file(joint, split, store) and not head.exists():
            return True
        if self.tuning.file(split, store).exists():
            return False
        return any(
            lacking(extraction, fold.clips, needed([fold], extraction), store)[0]
            for extraction in _extractions([fold])
        )


def _grouped_by_tuned_weights(
    jobs: Sequence[Job], store: Store
) -> Iterator[list[_FineTunedFold]]:
    """Yield the folds of fine-tuned jobs, in groups that share the tuned weights."""
    groups: dict[str, list[_FineTunedFold]] = defaultdict(list)
    for job in jobs:
        if job.tuning is not None:
            for split in job.splits:
                name = job.tuning.file(split, store).name
                groups[name].append(_FineTunedFold(job, job.tuning, split))
    yield from groups.values()


def _extract(
    jobs: Sequence[Job], store: Store, models: ModelCache, progress: Progress
) -> None:
    for extraction in _extractions(jobs):
        forms = needed(jobs, extraction)
        extract_missing(extraction, jobs[0].clips, forms, store, models, progress)


def _extractions(jobs: Sequence[Job]) -> list[Extraction]:
    """Return the extractions that jobs are trained and tested on, each once."""
    conditions = chain.from_iterable(job.training for job in jobs)
    inputs = [jobs[0].extraction, *(part.extraction for part in conditions)]
    extractions = chain.from_iterable(one.parts.values() for one in inputs)
    return list({digest(one.identity): one for one in extractions}.values())
