"""From a cell that was run, or could not be, to its result."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import torch

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import said
from nserbench.benchmark.extraction.side_by_side import HeadInput
from nserbench.benchmark.extraction.transcripts import recognised
from nserbench.benchmark.jobs.best_layer import LayerChoice
from nserbench.benchmark.jobs.fit import FitResult
from nserbench.benchmark.jobs.head import class_numbers
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.jobs.suspect_heads import review
from nserbench.benchmark.results.environment import environment, peak_memory
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result, Status, folder_name
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.cell import Cell
from nserbench.benchmark.study.overlap import overlap
from nserbench.corpora.noise.mixing import MIX_VERSION
from nserbench.upstreams.base import SAMPLE_RATE


def names(cell: Cell) -> dict[str, Any]:
    """Give the names by which a table shows a cell."""
    return {
        "upstream": cell.upstream.label,
        "downstream": cell.downstream.label,
        "corpus": cell.corpus.label,
        "condition": str(cell.condition),
        "protocol": cell.protocol.label,
        "seed": cell.seed,
    }


def job_folder(job: Job) -> str:
    """Name the folder of a job's result."""
    return folder_name(**names(job.cell), digest=job.digest)


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """What came of a cell whose folds have all been tested.

    Attributes:
        fitted: Each fold's answers, in the order of the splits.
        choices: What was chosen in each fold; empty unless the head chooses.
        reference: Of a head on frames, the answers of the pooled head that it is held
            against, in the same order; empty for a pooled head.
    """

    fitted: Sequence[FitResult]
    choices: Mapping[str, LayerChoice]
    reference: Sequence[FitResult]


def done(
    job: Job,
    outcome: CellOutcome,
    store: Store,
    device: str,
    seconds: float,
) -> Result:
    """Make the result of a cell whose folds have all been tested.

    Args:
        job: The cell.
        outcome: What came of it.
        store: Where the features are.
        device: Where it was computed.
        seconds: That the cell took, features apart.
    """
    fitted, choices = outcome.fitted, outcome.choices
    suspect = review(job, fitted, outcome.reference)
    return Result(
        status="done",
        digest=job.digest,
        **names(job.cell),
        protocol_details={**job.protocol, "digest": digest(job.protocol)},
        classes=job.opened.corpus.classes,
        predictions=_predictions(job, fitted),
        recognition=_recognition(job, store),
        costs=_costs(job, fitted, store, seconds),
        provenance=_provenance(job, device),
        notes={
            **_heard(job),
            "training": _training(job, fitted),
            **({"flags": suspect} if suspect else {}),
            **_told("layer_weights", job, (one.layer_weights for one in fitted)),
            **({"choices": _plain(choices)} if choices else {}),
            **_tuned(job),
            "overlap": asdict(overlap(job.opened.corpus, job.opened.splits)),
        },
    )


def undone(cell: Cell, status: Status, reason: str, name: str | None = None) -> Result:
    """Make the result of a cell that failed or cannot exist.

    Args:
        cell: The cell.
        status: Which of the two.
        reason: Why.
        name: The digest of the cell; of its names where it has none.
    """
    protocol = cell.protocol
    return Result(
        status=status,
        reason=reason,
        digest=name or digest(names(cell)),
        **names(cell),
        protocol_details={"name": protocol.label, "version": protocol.version},
        classes=(),
        provenance={"finished": _now()},
    )


def _predictions(job: Job, fitted: Sequence[FitResult]) -> Predictions:
    rows = torch.cat([one.rows for one in fitted])
    probabilities = torch.cat([one.probabilities for one in fitted])
    tested = [job.clips[row].utterance for row in rows.tolist()]
    return Predictions(
        utterances=tuple(one.id for one in tested),
        speakers=tuple(one.speaker for one in tested),
        units=tuple(one.independent for one in tested),
        folds=tuple(
            split.fold
            for split, one in zip(job.opened.splits, fitted, strict=True)
            for _ in one.rows
        ),
        classes=job.opened.corpus.classes,
        labels=class_numbers(job)[rows].numpy(),
        predicted=probabilities.argmax(dim=1).numpy(),
        probabilities=probabilities.float().double().numpy(),  # as they are written
    )


def _costs(
    job: Job, fitted: Sequence[FitResult], store: Store, seconds: float
) -> dict[str, float | int | None]:
    folds = [one.extraction.kept(store) for one in _heard_by(job, store)]
    heard, models = [*chain.from_iterable(folds)], [one.about for one in folds[0]]
    tuned = models[0].get("tuned_parameters", 0)
    tuning = sum(one.about.get("tuning_seconds", 0.0) for one in heard)
    trained = _most(one.log.peak for one in fitted)
    extracted = _most(one.peak for one in heard)
    return {
        "seconds": round(seconds, 3),
        "training_seconds": round(sum(one.log.seconds for one in fitted), 3),
        **({"tuning_seconds": round(tuning, 3)} if tuned else {}),
        "extraction_seconds": round(sum(one.seconds for one in heard), 3),
        "peak_memory_bytes": _most([trained, extracted]) or peak_memory(),
        "training_peak_bytes": trained,
        "extraction_peak_bytes": extracted,
        "trainable_parameters": fitted[0].log.parameters + tuned,
        "frozen_parameters": sum(one["parameters"] for one in models) - tuned,
        "store_bytes": sum(one.size for one in heard),
    }


def _most(peaks: Iterable[int | None]) -> int | None:
    """Give the largest that is known; None if none is."""
    return max((one for one in peaks if one is not None), default=None)


def _heard_by(job: Job, store: Store) -> list[Job]:
    """Give the job, or those of its folds where each hears with an upstream of its own.

    A head that chooses hears what its candidates hear; the first stands for all.
    """
    return job.alternatives[0].folds(store)


def _recognition(job: Job, store: Store) -> dict[str, str | float | int]:
    """Compare the transcripts with what was said, where both are known."""
    if job.extraction.words is None:
        return {}
    heard = list(_words(job, store))
    ones, texts = [one.clip.utterance for one in heard], [one.text for one in heard]
    languages = [one.language for one in ones]
    found = recognised([one.text for one in ones], texts, languages)
    from_clean = recognised([one.clean for one in heard], texts, languages)
    told: dict[str, str | float | int] = {} if found is None else asdict(found)
    if from_clean is not None:
        told["clean_rate"] = from_clean.rate
        told["clean_match_error"] = from_clean.match_error
    return told


@dataclass(frozen=True, slots=True)
class _TranscriptRow:
    """What was taken to be said in an utterance.

    Attributes:
        clip: The utterance.
        text: Its transcript.
        clean: The transcript of the same without noise; None where the store has none.
    """

    clip: Clip
    text: str
    clean: str | None


def _words(job: Job, store: Store) -> Iterator[_TranscriptRow]:
    """Give utterances with their transcripts.

    Those of upstreams that were tuned are of the fold that they are tested in.
    """
    tuned = _tuning(job) is not None
    for one in _heard_by(job, store):
        words = one.extraction.words
        assert words is not None  # noqa: S101 - as of the job itself
        places = one.splits[0].test if tuned else range(len(one.clips))
        clips = [one.clips[place] for place in places]
        quiet = words.without_noise()
        held = store.features(quiet.identity).keys("transcripts")
        clean: Sequence[str | None] = [None] * len(clips)
        if words.noise is not None and held.issuperset(quiet.keys(clips)):
            clean = said(quiet, clips, store)
        yield from map(_TranscriptRow, clips, said(words, clips, store), clean)


def _provenance(job: Job, device: str) -> dict[str, object]:
    noise, ones = job.extraction.noise, [clip.utterance for clip in job.clips]
    return {
        **environment(device),
        "finished": _now(),
        **_weights(job.extraction),
        "noise": noise and noise.digest,
        "mix_version": MIX_VERSION if noise else None,
        "corpus": digest([[clip.utterance.id, clip.digest] for clip in job.clips]),
        "labels": digest(
            [[one.id, one.label, one.independent, one.fold] for one in ones]
        ),
    }


def _weights(extraction: HeadInput) -> dict[str, object]:
    """Give digests of weights; of upstreams side by side those of each, by name."""
    told = {
        name: {
            "weights": one.upstream.weights or None,
            "enhancer": one.enhancer and one.enhancer.weights,
            "transcriber": one.transcripts and one.transcripts.upstream.weights,
        }
        for name, one in extraction.parts.items()
    }
    if "" in told:
        return {**told[""]}
    whats = "weights", "enhancer", "transcriber"
    return {what: {name: one[what] for name, one in told.items()} for what in whats}


def _tuning(job: Job) -> FineTuning | None:
    """Give how the upstream is tuned, if it is, also of a head that chooses."""
    return job.alternatives[0].tuning


def _tuned(job: Job) -> dict[str, object]:
    """Say how the upstream was tuned, if it was."""
    if (tuning := _tuning(job)) is None:
        return {}
    own = {
        "learning_rate": tuning.learning_rate,
        "frozen": list(tuning.frozen),
        "recipe": tuning.joint.protocol["recipe"],
    }
    return {"tuning": own}


def _plain(choices: Mapping[str, LayerChoice]) -> dict[str, dict[str, Any]]:
    return {fold: asdict(choice) for fold, choice in choices.items()}


def _training(job: Job, fitted: Sequence[FitResult]) -> Mapping[str, dict[str, Any]]:
    folds = [split.fold for split in job.opened.splits]
    seen = [asdict(one.log.epochs) for one in fitted]
    return dict(zip(folds, seen, strict=True))


def _told(
    name: str, job: Job, each: Iterable[Collection[object]]
) -> dict[str, dict[str, object]]:
    """Give what there is to say of each fold under one name; nothing if of none."""
    folds = zip([split.fold for split in job.splits], each, strict=True)
    found = {fold: one for fold, one in folds if one}
    return {name: dict(found)} if found else {}


def _heard(job: Job) -> dict[str, object]:
    """Count the speech, and list the clips that were not heard as they are."""
    card, corpus = job.cell.upstream.card, job.opened.corpus
    most = card.max_samples
    return {
        "edition": corpus.edition,
        **({"remark": corpus.remark} if corpus.remark else {}),
        "left_out": dict(corpus.left_out),
        "utterances": len(job.clips),
        "hours": round(sum(one.samples for one in job.clips) / SAMPLE_RATE / 3600, 4),
        "padded": [
            one.utterance.id for one in job.clips if one.samples < card.min_samples
        ],
        "cut": [
            one.utterance.id
            for one in job.clips
            if most is not None and one.samples > most
        ],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
