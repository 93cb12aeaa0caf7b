"""Say beforehand whose results will have no word errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from nserbench.benchmark.extraction.need import Need
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Store


def without_word_errors(
    jobs: Sequence[Job], needs: Needs, store: Store
) -> Iterator[str]:
    """Say which upstreams could transcribe, but will not, since nothing reads it."""
    fine_tuned: dict[str, bool] = {}
    fitted = chain.from_iterable(job.alternatives for job in jobs)
    for job in {id(job.extraction): job for job in fitted}.values():
        label = job.cell.upstream.label
        if label not in fine_tuned and _loses_word_errors(job, needs, store):
            fine_tuned[label] = job.tuning is not None
    hint = "\n  to have them, run `nserbench transcribe` on the same speech first"
    for label, tuned in fine_tuned.items():
        why = "results will have no word errors, since nothing reads its transcripts"
        yield f"{label}: {why}{'' if tuned else hint}"


def _loses_word_errors(job: Job, needs: Needs, store: Store) -> bool:
    """Return whether there would be word errors if the upstream transcribed."""
    source = job.folds(store)[0].extraction.transcript_source
    if source is None or needs.has(source, TRANSCRIPT):
        return False
    spoken = all(clip.utterance.text is not None for clip in job.clips)
    if not spoken and source.noise is None:
        return False
    return bool(Need.of(source, job.clips, [TRANSCRIPT]).passes(store))
