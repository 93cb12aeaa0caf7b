"""Make the features that jobs need: fine-tune upstreams where asked, then extract."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.finetuning.finetune import fine_tune
from nserbench.benchmark.jobs.job import FineTuning, Fit, Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.progress import Progress


def ensure_features(
    jobs: Sequence[Job],
    needs: Needs,
    store: Store,
    models: ModelCache,
    progress: Progress,
) -> None:
    """Make the features that jobs need for training and test, and that are missing.

    Whatever other jobs read of the same utterances is made in the same pass.

    Args:
        jobs: Jobs of one upstream on one corpus in one condition.
        needs: What all jobs of the command read.
        store: Where the features go.
        models: Models with their original weights. A fine-tuned model is loaded for
            its fold only.
        progress: Receives each pass.

    Raises:
        NserbenchError: if a model cannot be loaded or breaks its contract, or if the
            loss of fine-tuning diverges.
    """
    fitted = list(chain.from_iterable(job.alternatives for job in jobs))
    frozen = [job for job in fitted if job.tuning is None]
    if frozen:
        _extract(frozen, needs, store, models, progress)
    for tuning, fits in _grouped_by_tuned_weights(fitted, store):
        if any(_needs_fine_tuning(tuning, fit, needs, store) for fit in fits):
            split = fits[0].split
            for stage in tuning.stages:
                if stage is tuning or not store.holds(stage.file(split, store)):
                    fine_tune(stage, split, needs, store, models, progress)
        tuned = [fit.job for fit in fits]
        _extract(tuned, needs, store, ModelCache(models.device), progress)


def _grouped_by_tuned_weights(
    jobs: Sequence[Job], store: Store
) -> Iterator[tuple[FineTuning, list[Fit]]]:
    """Yield the fine-tuning of each fold, with the fits that use its weights."""
    tunings: dict[str, FineTuning] = {}
    fits: dict[str, list[Fit]] = defaultdict(list)
    for job in jobs:
        if job.tuning is not None:
            for split in job.splits:
                name = job.tuning.file(split, store).name
                tunings.setdefault(name, job.tuning)
                fits[name].append(Fit(job.fold(split, store), split))
    yield from ((tunings[name], fits[name]) for name in fits)


def _needs_fine_tuning(
    tuning: FineTuning, fit: Fit, needs: Needs, store: Store
) -> bool:
    """Return whether a head or features are missing that need fine-tuning."""
    file = fit.file(store)
    if file == tuning.head(fit.split, store).file(store) and not store.holds(file):
        return True
    if store.holds(tuning.file(fit.split, store)):
        return False
    return any(
        needs.of(extraction, fit.job.clips).passes(store)
        for extraction in _extractions([fit.job])
    )


def _extract(
    jobs: Sequence[Job],
    needs: Needs,
    store: Store,
    models: ModelCache,
    progress: Progress,
) -> None:
    for extraction in _extractions(jobs):
        needs.ensure(extraction, jobs[0].clips, store, models, progress)


def _extractions(jobs: Sequence[Job]) -> list[Extraction]:
    """Return the extractions that jobs are trained and tested on, each once."""
    conditions = chain.from_iterable(job.training for job in jobs)
    inputs = [jobs[0].extraction, *(part.extraction for part in conditions)]
    extractions = chain.from_iterable(one.parts.values() for one in inputs)
    return list({digest(one.identity): one for one in extractions}.values())
