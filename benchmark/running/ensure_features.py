"""The features that jobs lack: upstreams are tuned where asked, then they hear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing, lacking
from nserbench.benchmark.extraction.extraction import Extraction
from nserbench.benchmark.finetuning.finetune import fine_tune
from nserbench.benchmark.jobs.job import FineTuning, Fit, Job
from nserbench.benchmark.jobs.prepare import needed
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
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
    for tuning, fits in _by_fine_tuning(shown, store):
        if any(_needs_fine_tuning(tuning, fit, store) for fit in fits):
            fine_tune(tuning, fits[0].split, store, models, progress)
        own = ModelCache(models.device)
        _hear([fit.job for fit in fits], store, own, progress)


def _by_fine_tuning(
    jobs: Sequence[Job], store: Store
) -> Iterator[tuple[FineTuning, list[Fit]]]:
    """Yield each fine-tuning of a fold, with the fits on its features."""
    tunings: dict[str, FineTuning] = {}
    fits: dict[str, list[Fit]] = defaultdict(list)
    for job in jobs:
        if job.tuning is not None:
            for split in job.splits:
                name = job.tuning.file(split, store).name
                tunings.setdefault(name, job.tuning)
                fits[name].append(Fit(job.fold(split, store), split))
    yield from ((tunings[name], fits[name]) for name in fits)


def _needs_fine_tuning(tuning: FineTuning, fit: Fit, store: Store) -> bool:
    """Return whether a fit lacks something that only fine-tuning makes."""
    file = fit.file(store)
    if file == tuning.head(fit.split, store).file(store) and not file.exists():
        return True
    if tuning.file(fit.split, store).exists():
        return False
    return any(_lacks(one, fit.job, store) for one in _extractions([fit.job]))


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
