"""A study whose audio and weights have been digested: every cell has its identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nserbench.benchmark.cell import Cell, Condition
from nserbench.benchmark.digests import digest
from nserbench.benchmark.extraction import Extraction, M, Model
from nserbench.benchmark.names import written_by
from nserbench.benchmark.progress import Progress
from nserbench.benchmark.splits import Split
from nserbench.benchmark.store import Features, Form, Store
from nserbench.benchmark.study import Opened, Study
from nserbench.benchmark.survey import Clip, survey
from nserbench.cards import Bound
from nserbench.corpora.base import Corpus
from nserbench.upstreams.base import Groups, UpstreamCard
from nserbench.upstreams.enhancement import EnhancerCard

TRAINER = 3
"""Raised whenever the same head would be trained to other weights."""


@dataclass(frozen=True, slots=True)
class Part:
    """A corpus in one of the conditions that a head is trained on.

    Attributes:
        extraction: Its features.
        keys: Of the features of each utterance.
    """

    extraction: Extraction
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Job:
    """A cell with all that it needs.

    Attributes:
        cell: The cell.
        extraction: Its features.
        opened: Its corpus.
        clips: Its utterances, in the corpus's order.
        keys: Of the features of each.
        stored: All groups of the upstream with all their layers.
        protocol: All that fixes the number, as JSON can hold it.
        training: What the head is trained on; the cell's own features where that is
            matched.
        candidates: Of a head that chooses among heads, a job for each of them.
    """

    cell: Cell
    extraction: Extraction
    opened: Opened
    clips: Sequence[Clip]
    keys: Sequence[str]
    stored: Groups
    protocol: Mapping[str, Any]
    training: Sequence[Part]
    candidates: Sequence[Job] = ()

    @property
    def matched(self) -> bool:
        """Whether the head is trained in the cell's own condition alone."""
        (first, *others) = self.training
        return not others and first.extraction.identity == self.extraction.identity

    @property
    def digest(self) -> str:
        """The identity of the cell: equal only where the number must be equal."""
        head = self.cell.downstream
        return digest(
            {
                "features": self.extraction.identity,
                "training": [part.extraction.identity for part in self.training],
                "utterances": [
                    [clip.utterance.id, key, clip.utterance.label]
                    for clip, key in zip(self.clips, self.keys, strict=True)
                ],
                "units": [
                    [clip.utterance.speaker, clip.utterance.independent]
                    for clip in self.clips
                ],
                "folds": [clip.utterance.fold for clip in self.clips],
                "head": self.head_identity,
                "names": [
                    self.cell.upstream.label,
                    head.label,
                    str(self.cell.condition),
                ],
                "protocol": self.protocol,
                "seed": self.cell.seed,
            }
        )

    @property
    def head_identity(self) -> dict[str, object]:
        """All that decides the untrained head besides its seed."""
        head = self.cell.downstream
        return {
            "load": head.card.load,
            "version": head.card.version,
            "options": head.key_options(),
            "groups": {
                name: [spec.layers.start, spec.layers.stop, spec.dim]
                for name, spec in self.cell.groups.items()
            },
            "classes": list(self.opened.corpus.classes),
        }

    def fit_identity(self, split: Split) -> dict[str, object]:
        """All that decides the weights of a fitted head."""

        def told(rows: Sequence[int]) -> list[list[str]]:
            return [
                [
                    *(part.keys[row] for part in self.training),
                    self.clips[row].utterance.label,
                ]
                for row in rows
            ]

        return {
            "features": [part.extraction.identity for part in self.training],
            "train": told(split.train),
            "dev": told(split.dev),
            "head": self.head_identity,
            "recipe": self.protocol["recipe"],
            "seed": self.cell.seed,
            "fold": split.fold,
            "trainer": TRAINER,
        }

    def features(self, store: Store) -> Features:
        """Open its features."""
        return store.features(self.extraction.identity)


def prepare(study: Study, store: Store, progress: Progress) -> list[Job]:
    """Digest audio and checkpoints, and give a job for every cell that can exist.

    Raises:
        BadAudio: if any audio file cannot be used.
        CheckpointMissing: if weights are neither here nor to be had.
    """
    cells = [cell for cell in study.cells if cell.refused is None]
    upstreams = {cell.upstream.label: cell.upstream for cell in cells}
    models = {label: identify(one, store) for label, one in upstreams.items()}
    stored = {label: one.card.describe(one.options) for label, one in upstreams.items()}
    clips = _surveyed(study, store, progress)
    parts: dict[str, Part] = {}

    def part(cell: Cell, condition: Condition) -> Part:
        name = f"{cell.upstream.label} {cell.corpus.label} {condition}"
        if name not in parts:
            opened = study.corpora[cell.corpus.label]
            upstream = models[cell.upstream.label]
            extraction = upstream.over(opened, condition, cell.protocol.mix_seed)
            keys = extraction.keys(clips[cell.corpus.label])
            parts[name] = Part(extraction, keys)
        return parts[name]

    def job(cell: Cell) -> Job:
        opened, own = study.corpora[cell.corpus.label], part(cell, cell.condition)
        trained = trained_on(cell, cells)
        return Job(
            cell,
            own.extraction,
            opened,
            clips[cell.corpus.label],
            own.keys,
            stored[cell.upstream.label],
            cell.protocol.details(
                cell.downstream.card,
                opened.splits,
                opened.corpus.unit,
                [str(one) for one in trained],
            ),
            [part(cell, one) for one in trained],
            [job(candidate) for candidate in cell.candidates],
        )

    return [job(cell) for cell in cells]


def _surveyed(
    study: Study, store: Store, progress: Progress
) -> dict[str, Sequence[Clip]]:
    """Read the audio of every corpus once, and say what is special about it."""
    for label, opened in study.corpora.items():
        for line in _remarks(label, opened.corpus):
            progress.note(line)
    return {
        label: survey(opened.corpus.utterances, store.ledger, progress)
        for label, opened in study.corpora.items()
    }


def trained_on(cell: Cell, cells: Sequence[Cell]) -> list[Condition]:
    """Give the conditions that the head of a cell is trained on.

    Args:
        cell: The cell.
        cells: All of the study, whose conditions ``multi`` joins.
    """
    match cell.protocol.training:
        case "matched":
            return [cell.condition]
        case "clean":
            return [Condition()]
        case "multi":
            same = [one for one in cells if one.corpus.label == cell.corpus.label]
            return list(dict.fromkeys(one.condition for one in same))


def needed(jobs: Sequence[Job]) -> list[Form]:
    """Give the forms that jobs of one extraction need.

    Pooled features cost nothing beside frames, and transcripts nothing beside either.
    """
    forms: list[Form] = ["pooled"]
    if any(job.cell.downstream.card.tier == "frames" for job in jobs):
        forms.append("frames")
    if jobs[0].extraction.transcribes:
        forms.append("transcripts")
    return forms


def _remarks(label: str, corpus: Corpus) -> Iterator[str]:
    """Say what a user should know of a corpus before it is used."""
    if corpus.edition:
        yield f"{label}: {corpus.edition}"
    for name, why in corpus.left_out.items():
        yield f"{label}: {name} is left out: {why}"


@dataclass(frozen=True, slots=True)
class Identified:
    """An upstream, with the models that its options name, all digested.

    Attributes:
        upstream: The upstream.
        enhancer: What cleans its audio.
        transcriber: Who writes down what it reads.
    """

    upstream: Model[UpstreamCard]
    enhancer: Model[EnhancerCard] | None
    transcriber: Identified | None

    def over(self, opened: Opened, condition: Condition, mix_seed: int) -> Extraction:
        """Give its extraction over a corpus in a condition."""
        writer = self.transcriber
        return Extraction(
            self.upstream,
            self.enhancer,
            writer.over(opened, condition, mix_seed) if writer else None,
            opened.noise(condition),
            condition.snr,
            mix_seed,
        )


def identify(upstream: Bound[UpstreamCard], store: Store) -> Identified:
    """Digest the checkpoint of an upstream, and of the models that its options name.

    Raises:
        CheckpointMissing: if weights are neither here nor to be had.
    """
    enhancer, writer = upstream.options.get("enhance"), written_by(upstream)
    return Identified(
        _model(upstream, store),
        _model(enhancer, store) if enhancer is not None else None,
        identify(writer, store) if writer is not None else None,
    )


def _model(bound: Bound[M], store: Store) -> Model[M]:
    """Digest a checkpoint by its files' names and contents, wherever they lie."""
    if bound.card.extra is not None:
        bound.card.resolve(bound.card.load)  # so that a missing package is met now
    files = bound.card.checkpoint_files(bound.options)
    if not files:
        return Model(bound, "")
    found = store.ledger.digests(files)
    return Model(bound, digest(sorted([path.name, found[path]] for path in files)))
