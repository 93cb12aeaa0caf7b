"""What a result says of its inputs, so that a table can compare them."""

from __future__ import annotations

from itertools import chain

from nserbench.benchmark.extraction.head_input import HeadInput
from nserbench.benchmark.extraction.unknown_languages import unknown_languages
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.results.environment import environment
from nserbench.benchmark.store.digests import digest
from nserbench.corpora.noise.mixing import MIX_VERSION


def provenance_of(job: Job, device: str) -> dict[str, object]:
    """Return what a cell was made of and with: digests, versions and machine."""
    noise = job.extraction.noise
    utterances = [clip.utterance for clip in job.clips]
    return {
        **environment(device),
        **_weights(job.extraction),
        "code": job.code,
        "noise": noise and noise.digest,
        **_replaced_noises(job),
        **_foreign_prompts(job),
        "noise_segments": job.extraction.noise_segments(job.clips),
        "training_noise": _training_noise(job),
        "mix_version": MIX_VERSION if noise else None,
        "corpus": digest([[clip.utterance.id, clip.digest] for clip in job.clips]),
        "recordings": digest(sorted(clip.digest for clip in job.clips)),
        "labels": digest([[u.id, u.label, u.independent, u.fold] for u in utterances]),
        "texts": job.opened.texts,
    }


def _foreign_prompts(job: Job) -> dict[str, str]:
    """Say of which languages the transcripts are that the features depend on."""
    own = job.extraction.own_groups(job.cell.groups)
    upstreams = chain.from_iterable(
        part.transcribers(own[name]) for name, part in job.extraction.parts.items()
    )
    lines = unknown_languages(upstreams, job.cell.corpus.label, job.clips)
    said = "; ".join(dict.fromkeys(lines))
    return {"foreign_prompts": said} if said else {}


def _replaced_noises(job: Job) -> dict[str, str]:
    """Name the noises of the cell that only have the name of a noise of a plugin."""
    heard = [job.extraction, *(part.extraction for part in job.training)]
    names = {one.noise.name for one in heard if one.noise is not None}
    replaced = sorted(names & job.opened.replaced)
    return {"replaced_noises": ", ".join(replaced)} if replaced else {}


def _training_noise(job: Job) -> dict[str, str]:
    """Return the digest of the segments of each noise in the training set, by name."""
    by_noise = {part.extraction.noise: part.extraction for part in job.training}
    return {
        noise.name: used
        for noise, heard in by_noise.items()
        if noise and (used := heard.noise_segments(job.clips))
    }


def _weights(extraction: HeadInput) -> dict[str, object]:
    """Return digests of weights; of upstreams side by side those of each, by name."""
    by_part = {
        name: {
            "weights": part.upstream.weights or None,
            "enhancer": part.enhancer and part.enhancer.weights,
            "transcriber": part.transcripts and part.transcripts.upstream.weights,
        }
        for name, part in extraction.parts.items()
    }
    if "" in by_part:
        return {**by_part[""]}
    models = "weights", "enhancer", "transcriber"
    return {
        model: {name: part[model] for name, part in by_part.items()} for model in models
    }
