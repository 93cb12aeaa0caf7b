"""A cell with all that it needs, and what identifies each thing made on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.side_by_side import HeadInput
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.cell import Cell
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.study.study import OpenedCorpus
from nserbench.downstreams.base import Recipe
from nserbench.upstreams.base import Groups

TRAINER = 4
"""Raised whenever the same head would be trained to other weights."""

TUNER = 2
"""Raised whenever the same upstream would be tuned to other weights."""


@dataclass(frozen=True, slots=True)
class TrainingCondition:
    """A corpus in one of the conditions that a head is trained on.

    Attributes:
        extraction: Its features.
        keys: Of the features of each utterance.
    """

    extraction: HeadInput
    keys: Sequence[str]

    def tuned(self, file: Path) -> TrainingCondition:
        """Give the same of an upstream with other weights; see `Extraction.tuned`."""
        return replace(self, extraction=self.extraction.tuned(file))


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
        splits: The folds, in the order they are tested.
        protocol: All that fixes the number, as JSON can hold it.
        training: What the head is trained on; the cell's own features where that is
            matched.
        candidates: Of a head that chooses among heads, a job for each of them.
        tuning: How the upstream is tuned in each fold; None where it stays as it came,
            and where ``extraction`` and ``training`` are of its tuned weights already.
        reference: Of a head on frames, the job of `mean` on the same layers: a pooled
            head that it is held against. None for a pooled head.
    """

    cell: Cell
    extraction: HeadInput
    opened: OpenedCorpus
    clips: Sequence[Clip]
    keys: Sequence[str]
    stored: Groups
    splits: Sequence[Split]
    protocol: Mapping[str, Any]
    training: Sequence[TrainingCondition]
    candidates: Sequence[Job] = ()
    tuning: FineTuning | None = None
    reference: Job | None = None

    @property
    def matched(self) -> bool:
        """Whether the head is trained in the cell's own condition alone."""
        (first, *others) = self.training
        return not others and first.extraction.identity == self.extraction.identity

    @property
    def alternatives(self) -> Sequence[Job]:
        """The heads that are fitted: those it chooses among, or its own alone."""
        return self.candidates or [self]

    @property
    def heads(self) -> Sequence[Job]:
        """Every head that is fitted for it: the alternatives, and their references."""
        references = [one.reference for one in self.alternatives]
        return [*self.alternatives, *(one for one in references if one is not None)]

    @property
    def recipe(self) -> Recipe:
        """How the head is trained."""
        return Recipe(**self.protocol["recipe"])

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
                **self._tuned_by(),
            }
        )

    def _tuned_by(self) -> dict[str, object]:
        if self.tuning is not None:
            return {"tuning": [self.tuning.identity(split) for split in self.splits]}
        tuned = [one.digest for one in self.candidates if one.tuning is not None]
        return {"tuning": tuned} if tuned else {}

    @property
    def head_identity(self) -> dict[str, object]:
        """All that decides the untrained head besides its seed."""
        head = self.cell.downstream
        return {
            **head.card.identity,
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

    def fold(self, split: Split, store: Store) -> Job:
        """Give the job of a fold: over what its own tuned upstream hears, if tuned.

        Args:
            split: The fold.
            store: Where tuned weights are.
        """
        return self if self.tuning is None else self.tuning.over(self, split, store)

    def folds(self, store: Store) -> list[Job]:
        """Give itself, or a job of one fold each where the upstream is tuned."""
        if self.tuning is None:
            return [self]
        return [self.fold(split, store) for split in self.splits]


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How an upstream is tuned: under a head, on the training part of each fold.

    Attributes:
        joint: The job of that head over the upstream as it came, which gives its
            training part, its conditions, its recipe and its seed.
        learning_rate: Of the upstream's weights; the head's is that of its recipe.
    """

    joint: Job
    learning_rate: float

    @property
    def frozen(self) -> Sequence[str]:
        """Names of the modules that stay as they are."""
        upstream = self.joint.cell.upstream
        return upstream.card.frozen_modules(upstream.options)

    def identity(self, split: Split) -> dict[str, object]:
        """All that decides the tuned weights of a fold."""
        return {
            **self.joint.fit_identity(split),
            "learning_rate": self.learning_rate,
            "frozen": list(self.frozen),
            "tuner": TUNER,
        }

    def file(self, split: Split, store: Store) -> Path:
        """Give where the tuned weights of a fold are, there or not."""
        return store.tuned_file(self.identity(split))

    def over(self, job: Job, split: Split, store: Store) -> Job:
        """Give a job's fold over what the tuned upstream hears."""
        file = self.file(split, store)
        return replace(
            job,
            extraction=job.extraction.tuned(file),
            training=[part.tuned(file) for part in job.training],
            splits=[split],
            tuning=None,
        )

    def head(self, split: Split, store: Store) -> Job:
        """Give the job of the head that was trained together with the upstream."""
        return self.over(self.joint, split, store)
