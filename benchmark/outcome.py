"""From a cell that was run, or could not be, to its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch

from nserbench.benchmark.cell import Cell
from nserbench.benchmark.choosing import Choice
from nserbench.benchmark.digests import digest
from nserbench.benchmark.environment import environment, peak_memory
from nserbench.benchmark.fits import Fitted, class_numbers
from nserbench.benchmark.hearing import said
from nserbench.benchmark.predictions import Predictions
from nserbench.benchmark.prepare import Job
from nserbench.benchmark.results import Result, Status, folder_name
from nserbench.benchmark.store import Store
from nserbench.benchmark.transcription import recognised
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


def done(
    job: Job,
    fitted: Sequence[Fitted],
    choices: Mapping[str, Choice],
    store: Store,
    device: str,
    seconds: float,
) -> Result:
    """Make the result of a cell whose folds have all been tested.

    Args:
        job: The cell.
        fitted: Each fold's answers, in the order of the splits.
        choices: What was chosen in each fold; empty unless the head chooses.
        store: Where the features are.
        device: Where it was computed.
        seconds: That the cell took, features apart.
    """
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
            **({"choices": _plain(choices)} if choices else {}),
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


def _predictions(job: Job, fitted: Sequence[Fitted]) -> Predictions:
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
        probabilities=probabilities.numpy(),
    )


def _costs(
    job: Job, fitted: Sequence[Fitted], store: Store, seconds: float
) -> dict[str, float | int | None]:
    features = job.features(store)
    return {
        "seconds": round(seconds, 3),
        "training_seconds": round(sum(one.log.seconds for one in fitted), 3),
        "extraction_seconds": round(features.seconds, 3),
        "peak_memory_bytes": peak_memory(),
        "trainable_parameters": fitted[0].log.parameters,
        "frozen_parameters": features.about["parameters"],
        "store_bytes": features.size,
    }


def _recognition(job: Job, store: Store) -> dict[str, str | float | int]:
    """Compare the transcripts with what was said, where both are known."""
    if (words := job.extraction.words) is None:
        return {}
    ones = [clip.utterance for clip in job.clips]
    found = recognised(
        [one.text for one in ones],
        said(words, job.clips, store),
        [one.language for one in ones],
    )
    return {} if found is None else asdict(found)


def _provenance(job: Job, device: str) -> dict[str, object]:
    extraction = job.extraction
    return {
        **environment(device),
        "finished": _now(),
        "weights": extraction.upstream.weights or None,
        "enhancer": extraction.enhancer and extraction.enhancer.weights,
        "noise": extraction.noise.digest if extraction.noise else None,
        "corpus": digest([[clip.utterance.id, clip.digest] for clip in job.clips]),
    }


def _plain(choices: Mapping[str, Choice]) -> dict[str, dict[str, Any]]:
    return {fold: asdict(choice) for fold, choice in choices.items()}


def _training(job: Job, fitted: Sequence[Fitted]) -> Mapping[str, dict[str, Any]]:
    folds = [split.fold for split in job.opened.splits]
    seen = [asdict(one.log.epochs) for one in fitted]
    return dict(zip(folds, seen, strict=True))


def _heard(job: Job) -> dict[str, object]:
    """Count the speech, and list the clips that were not heard as they are."""
    card, corpus = job.cell.upstream.card, job.opened.corpus
    most = card.max_samples
    return {
        "edition": corpus.edition,
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
