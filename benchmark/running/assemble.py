"""Assemble the result of a cell: its predictions, costs, provenance and notes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain

import torch

from nserbench.benchmark.extraction.clips import Clip, clips_over
from nserbench.benchmark.extraction.extract import read_transcripts
from nserbench.benchmark.extraction.word_errors import recognition
from nserbench.benchmark.jobs.best_layer import LayerChoice
from nserbench.benchmark.jobs.fit import FitResult
from nserbench.benchmark.jobs.head import class_numbers
from nserbench.benchmark.jobs.job import FineTuning, Fit, Job
from nserbench.benchmark.jobs.suspect_heads import review
from nserbench.benchmark.results.environment import peak_memory
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import CellName, Result, Status
from nserbench.benchmark.results.software import MADE_BY, differences, distinct
from nserbench.benchmark.results.suspect_flags import ALL_FOLDS, MIXED
from nserbench.benchmark.running.provenance import provenance_of
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.shard_parts import ShardPart
from nserbench.benchmark.study.cell import Cell
from nserbench.benchmark.study.overlap import overlap
from nserbench.upstreams.base import SAMPLE_RATE
from nserbench.upstreams.side_by_side import remarks_of, training_data_of


def cell_name(cell: Cell) -> CellName:
    """Return the names of a cell as tables and results spell them."""
    return CellName(
        upstream=cell.upstream.label,
        downstream=cell.downstream.label,
        corpus=cell.corpus.label,
        condition=str(cell.condition),
        protocol=cell.protocol.label,
        seed=cell.seed,
    )


def job_folder(job: Job) -> str:
    """Return the name of a job's result folder."""
    return cell_name(job.cell).folder(job.digest)


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """The predictions of a cell whose folds have all been tested.

    Attributes:
        fits: Predictions and training log of each fold, in the order of the splits.
        choices: Layer that was chosen in each fold; empty unless the head chooses.
        reference: For a head on frames, the fits of the pooled head that it is compared
            with, in the same order; empty for a pooled head.
    """

    fits: Sequence[FitResult]
    choices: Mapping[str, LayerChoice]
    reference: Sequence[FitResult]


def completed_result(
    job: Job, outcome: CellOutcome, store: Store, device: str, seconds: float
) -> Result:
    """Return the result of a cell whose folds have all been tested.

    Args:
        seconds: Time that the cell took, without extraction.
    """
    fits = outcome.fits
    makers = _makers(job, fits, store)
    flags = review(job, fits, outcome.reference)
    mixed = [
        f"{MIXED}: the {what} were made by {differences(software)}"
        for what, software in makers.items()
        if len(software) > 1
    ]
    if mixed:
        flags[ALL_FOLDS] = [*flags.get(ALL_FOLDS, ()), *mixed]
    upstream = job.cell.upstream
    choices = {fold: asdict(choice) for fold, choice in outcome.choices.items()}
    layer_weights = _by_fold(job, (fit.layer_weights for fit in fits))
    return Result(
        status="done",
        digest=job.digest,
        **asdict(cell_name(job.cell)),
        protocol_details={**job.protocol, "digest": digest(job.protocol)},
        classes=job.opened.corpus.classes,
        predictions=_predictions(job, fits),
        recognition=_recognition(job, store),
        costs=_costs(job, fits, store, seconds),
        provenance={
            **provenance_of(job, device),
            "finished": _now(),
            "made_by": makers,
        },
        notes={
            **_corpus_notes(job),
            "training": _by_fold(job, (asdict(fit.log.epochs) for fit in fits)),
            **({"flags": flags} if flags else {}),
            **({"layer_weights": layer_weights} if layer_weights else {}),
            **({"choices": choices} if choices else {}),
            **_fine_tuning_notes(job),
            **_training_data_notes(job.cell),
            **({"upstream_remark": said} if (said := remarks_of(upstream)) else {}),
            "overlap": asdict(overlap(job.opened.corpus, job.opened.splits)),
        },
    )


def incomplete_result(
    cell: Cell, status: Status, reason: str, job_digest: str | None = None
) -> Result:
    """Return the result of a cell that failed or cannot exist.

    Args:
        status: ``failed`` or ``not applicable``.
        job_digest: Digest of the cell. None where it has no job; then the digest of its
            names is used.
    """
    names, protocol = asdict(cell_name(cell)), cell.protocol
    return Result(
        status=status,
        reason=reason,
        digest=job_digest or digest(names),
        **names,
        protocol_details={"name": protocol.label, "version": protocol.version},
        classes=(),
        provenance={"finished": _now()},
    )


def _predictions(job: Job, fits: Sequence[FitResult]) -> Predictions:
    rows = torch.cat([fit.rows for fit in fits])
    probabilities = torch.cat([fit.probabilities for fit in fits])
    tested = [job.clips[row].utterance for row in rows.tolist()]
    return Predictions(
        utterances=tuple(utterance.id for utterance in tested),
        speakers=tuple(utterance.speaker for utterance in tested),
        units=tuple(utterance.independent for utterance in tested),
        folds=tuple(
            split.fold
            for split, fit in zip(job.opened.splits, fits, strict=True)
            for _ in fit.rows
        ),
        classes=job.opened.corpus.classes,
        labels=class_numbers(job)[rows].numpy(),
        predicted=probabilities.argmax(dim=1).numpy(),
        probabilities=probabilities.float().double().numpy(),  # as the CSV holds them
    )


def _costs(
    job: Job, fits: Sequence[FitResult], store: Store, seconds: float
) -> dict[str, float | int | None]:
    folds, groups = _extracting_jobs(job, store), job.cell.groups
    by_fold = [
        fold.extraction.stored_parts(store, groups, fold.clips) for fold in folds
    ]
    parts = [part for part in chain.from_iterable(by_fold) if part]
    # Where a later pass added a group, each pass counts for the heads that read of it.
    shards = [*chain.from_iterable(parts)]
    models = _total(part[0].facts.get("parameters") for part in by_fold[0])
    tuned, tuning, frozen = 0.0, 0.0, models
    if (how := _fine_tuning(job)) is not None:
        tuned = _total([parts[0][0].facts.get("tuned_parameters")])
        frozen -= tuned if how.lora is None else 0  # else its weights are those added
        tuning = _total(part[0].facts.get("tuning_seconds") for part in parts)
    training_peak = _max_known(fit.log.peak for fit in fits)
    peaks = (shard.facts.get("peak") for shard in shards)
    extraction_peak = _max_known(int(peak) for peak in peaks if peak is not None)
    training = sum(fit.log.seconds for fit in fits)
    if how is not None and _is_trained_with(how, job, store):
        training = 0.0  # its log has the time of the fine-tuning
    before = training if training > seconds else 0.0  # together with others, or earlier
    return {
        "seconds": _or_none(seconds + before + tuning),
        "training_seconds": round(training, 3),
        **({"tuning_seconds": _or_none(tuning)} if how else {}),
        "extraction_seconds": _or_none(sum(map(_seconds_of, shards))),
        "peak_memory_bytes": _max_known([training_peak, extraction_peak])
        or peak_memory(),
        "training_peak_bytes": training_peak,
        "extraction_peak_bytes": extraction_peak,
        "trainable_parameters": _or_none(fits[0].log.parameters + tuned, digits=0),
        "frozen_parameters": _or_none(frozen, digits=0),
        "store_bytes": sum(
            fold.extraction.stored_bytes(store, groups, fold.clips) for fold in folds
        ),
    }


def _is_trained_with(tuning: FineTuning, job: Job, store: Store) -> bool:
    """Return whether the head of a job is the one that its upstream is tuned with."""
    folds = zip(job.alternatives[0].folds(store), job.splits, strict=True)
    heads = ((Fit(fold, split), tuning.head(split, store)) for fold, split in folds)
    return all(one.file(store) == other.file(store) for one, other in heads)


def _seconds_of(part: ShardPart) -> float:
    """Return the time of a pass for its utterances; NaN if it is not known.

    A pass may have been over more utterances, as of another corpus or limit.
    """
    return float(part.facts.get("seconds", "nan")) * part.share


def _total(facts: Iterable[str | None]) -> float:
    """Return the sum of facts of shards; NaN if one is not known.

    Shards that an older nserbench wrote say less.
    """
    return sum((math.nan if fact is None else float(fact) for fact in facts), 0.0)


def _or_none(value: float, digits: int = 3) -> float | int | None:
    """Return a cost, without a fraction for 0 digits; None if it is not known."""
    if math.isnan(value):
        return None
    return round(value, digits) if digits else int(value)


def _max_known(peaks: Iterable[int | None]) -> int | None:
    """Return the largest value that is not None; None if there is none."""
    return max((peak for peak in peaks if peak is not None), default=None)


def _extracting_jobs(job: Job, store: Store) -> list[Job]:
    """Return the job, or one job per fold where the upstream is fine-tuned per fold.

    A head that chooses reads the features of its candidates; the first stands for all.
    """
    return job.alternatives[0].folds(store)


def _recognition(job: Job, store: Store) -> dict[str, str | float | int]:
    """Compare transcripts with reference texts and with clean transcripts, if known.

    Empty if there are no transcripts in the store: none are made for a head that can do
    without.
    """
    if not has_transcripts(job, store):
        return {}
    clips, texts, clean_texts = zip(*_transcripts(job, store), strict=True)
    references = [clip.utterance.text for clip in clips]
    languages = [clip.utterance.language for clip in clips]
    errors = recognition(references, texts, languages)
    from_clean = recognition(clean_texts, texts, languages)
    content: dict[str, str | float | int] = {}
    if errors is not None:
        content = {**asdict(errors), "clips": len(clips)}
    if from_clean is not None:
        content["clean_rate"] = from_clean.rate
        content["clean_match_error"] = from_clean.match_error
    return content


def has_transcripts(job: Job, store: Store) -> bool:
    """Return whether there is a transcript of each utterance in the cell's condition.

    If the upstream is fine-tuned, whether there is one by the model of every fold.
    """
    for fold in _extracting_jobs(job, store):
        words = fold.extraction.transcript_source
        if words is None:
            return False
        stored = store.features(words.identity).keys("transcripts")
        if not stored.issuperset(words.keys(fold.clips)):
            return False
    return True


def _transcripts(job: Job, store: Store) -> Iterator[tuple[Clip, str, str | None]]:
    """Yield clips with their transcript, and the one without noise if it is stored.

    The clips are those that are tested, as for the scores. If the upstream is
    fine-tuned, each transcript is of the fold in which the clip is tested.
    """
    for fold in _extracting_jobs(job, store):
        words = fold.extraction.transcript_source
        assert words is not None  # noqa: S101 - as for the job itself
        rows = sorted({row for split in fold.splits for row in split.test})
        clips = [fold.clips[row] for row in rows]
        quiet = words.without_noise()
        stored = store.features(quiet.identity).keys("transcripts")
        clean_texts: Sequence[str | None] = [None] * len(clips)
        if words.noise is not None and stored.issuperset(quiet.keys(clips)):
            clean_texts = read_transcripts(quiet, clips, store)
        yield from zip(
            clips, read_transcripts(words, clips, store), clean_texts, strict=True
        )


def _makers(
    job: Job, fits: Sequence[FitResult], store: Store
) -> dict[str, list[Mapping[str, str]]]:
    folds = _extracting_jobs(job, store)
    inputs = (
        (condition, fold)
        for fold in folds
        for condition in (fold.extraction, *(part.extraction for part in fold.training))
    )
    parts = chain.from_iterable(
        condition.stored_parts(store, job.cell.groups, fold.clips)
        for condition, fold in inputs
    )
    features = (shard.facts for shard in chain.from_iterable(parts))
    return {
        "features": distinct(shard.get(MADE_BY, "{}") for shard in features),
        "heads": distinct(fit.log.made_by for fit in fits),
    }


def _fine_tuning(job: Job) -> FineTuning | None:
    """Return how the upstream is fine-tuned, if it is; also of a head that chooses."""
    return job.alternatives[0].tuning


def _fine_tuning_notes(job: Job) -> dict[str, object]:
    if (tuning := _fine_tuning(job)) is None:
        return {}
    settings = {
        "learning_rate": tuning.learning_rate,
        "frozen": list(tuning.frozen),
        **({} if tuning.lora is None else {"lora": tuning.lora}),
        "recipe": tuning.joint.protocol["recipe"],
    }
    return {"tuning": settings}


def _training_data_notes(cell: Cell) -> dict[str, object]:
    """Return what the upstream was trained on, so that a leaderboard can warn."""
    data = training_data_of(cell.upstream)
    return {} if data is None else {"trained_on": asdict(data)}


def _by_fold(job: Job, values: Iterable[Collection[object]]) -> dict[str, object]:
    """Return the value of each fold that has one."""
    folds = zip([split.fold for split in job.splits], values, strict=True)
    return {fold: value for fold, value in folds if value}


def _corpus_notes(job: Job) -> dict[str, object]:
    """Return the amount of speech, and which clips were padded or cut (in seconds)."""
    card, corpus = job.cell.upstream.card, job.opened.corpus
    longest = card.max_samples
    return {
        "edition": corpus.edition,
        **({"remark": corpus.remark} if corpus.remark else {}),
        **({"warnings": list(corpus.warnings)} if corpus.warnings else {}),
        "left_out": dict(corpus.left_out),
        "utterances": len(job.clips),
        "hours": round(sum(clip.samples for clip in job.clips) / SAMPLE_RATE / 3600, 4),
        "padded": [
            clip.utterance.id for clip in job.clips if clip.samples < card.min_samples
        ],
        "cut": [clip.utterance.id for clip in clips_over(job.clips, longest)],
        "cut_to": longest and longest / SAMPLE_RATE,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
