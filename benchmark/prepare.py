"""A study whose audio and weights have been digested: every cell has its identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nserbench.benchmark.cell import Cell
from nserbench.benchmark.digests import digest
from nserbench.benchmark.extraction import Extraction
from nserbench.benchmark.progress import Progress
from nserbench.benchmark.store import Features, Store
from nserbench.benchmark.study import Opened, Study
from nserbench.benchmark.survey import Clip, survey
from nserbench.cards import Bound
from nserbench.upstreams.base import Groups, UpstreamCard


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
    """

    cell: Cell
    extraction: Extraction
    opened: Opened
    clips: Sequence[Clip]
    keys: Sequence[str]
    stored: Groups
    protocol: Mapping[str, Any]

    @property
    def keyed(self) -> dict[str, Clip]:
        """The utterances by key; two of the same audio share one."""
        return dict(zip(self.keys, self.clips, strict=True))

    @property
    def digest(self) -> str:
        """The identity of the cell: equal only where the number must be equal."""
        head = self.cell.downstream
        return digest(
            {
                "features": self.extraction.identity,
                "utterances": [
                    [clip.utterance.id, key, clip.utterance.label]
                    for clip, key in zip(self.clips, self.keys, strict=True)
                ],
                "speakers": [clip.utterance.speaker for clip in self.clips],
                "folds": [clip.utterance.fold for clip in self.clips],
                "head": self.head_identity,
                "names": [self.cell.upstream.label, head.label],
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

    def fit_identity(self, train: Sequence[int], fold: str) -> dict[str, object]:
        """All that decides the weights of a fitted head."""
        return {
            "features": self.extraction.identity,
            "train": [
                [self.keys[row], self.clips[row].utterance.label] for row in train
            ],
            "head": self.head_identity,
            "recipe": self.protocol["recipe"],
            "seed": self.cell.seed,
            "fold": fold,
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
    weights = {label: _weights(one, store) for label, one in upstreams.items()}
    stored = {label: one.card.describe(one.options) for label, one in upstreams.items()}
    clips = {
        label: survey(opened.corpus.utterances, store.ledger, progress)
        for label, opened in study.corpora.items()
    }
    keys: dict[str, list[str]] = {}
    jobs = []
    for cell in cells:
        opened = study.corpora[cell.corpus.label]
        extraction = Extraction(
            cell.upstream,
            weights[cell.upstream.label],
            opened.noise(cell.condition),
            cell.condition.snr,
            cell.protocol.mix_seed,
        )
        heard = clips[cell.corpus.label]
        name = f"{cell.upstream.label} {cell.corpus.label} {cell.condition}"
        if name not in keys:
            keys[name] = extraction.keys(heard)
        jobs.append(
            Job(
                cell,
                extraction,
                opened,
                heard,
                keys[name],
                stored[cell.upstream.label],
                cell.protocol.details(cell.downstream.card, opened.splits),
            )
        )
    return jobs


def _weights(upstream: Bound[UpstreamCard], store: Store) -> str:
    """Digest a checkpoint by its files' names and contents, wherever they lie."""
    files = upstream.card.checkpoint_files(upstream.options)
    if not files:
        return ""
    found = store.ledger.digests(files)
    return digest(sorted([path.name, found[path]] for path in files))
