"""Which jobs one worker runs together, and what must be there before it starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.jobs.job import Job


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


def has_own_folds(job: Job) -> bool:
    """Return whether each fold of a job is trained for itself, on given features."""
    tuned = any(other.tuning is not None for other in job.alternatives)
    return job.cell.reads_frames and not job.candidates and not tuned


def extractions_of(job: Job) -> Iterator[Extraction]:
    """Yield the extractions that a job reads, and that of its clean transcripts.

    The latter are compared with those in noise if they are there.
    """
    for one in job.alternatives:
        stages = [] if one.tuning is None else one.tuning.stages
        tuned = chain.from_iterable(stage.joint.training for stage in stages)
        conditions = (one.extraction, *(c.extraction for c in (*one.training, *tuned)))
        for condition in conditions:
            yield from condition.parts.values()
            if (words := condition.transcript_source) is not None:
                yield from (words, words.without_noise())
