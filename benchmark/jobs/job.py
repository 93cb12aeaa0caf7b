"""A cell with all that it needs, and the identity of everything made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.head_input import HeadInput
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.cell import Cell
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.study.study import OpenedCorpus
from nserbench.benchmark.training.sources import layer_indices
from nserbench.downstreams.base import Recipe
from nserbench.upstreams.groups import Groups

TRAINER = 4
"""Raised whenever the same head would be trained to other weights."""

_UNSAID = 4
"""The last trainer whose results were not identified by it."""

TUNER = 2
"""Raised whenever the same upstream would be fine-tuned to other weights."""


@dataclass(frozen=True, slots=True)
class TrainingCondition:
    """A corpus in one of the conditions that a head is trained on.

    Attributes:
        extraction: The features of the corpus in this condition.
        keys: Key of each utterance's features.
        keys_digest: Digest of the keys.
    """

    extraction: HeadInput
    keys: Sequence[str]
    keys_digest: str

    def tuned(self, file: Path) -> TrainingCondition:
        """Return the same with fine-tuned weights; see `Extraction.tuned`."""
        return replace(self, extraction=self.extraction.tuned(file))


@dataclass(frozen=True)
class Job:
    """A cell with all that it needs.

    Attributes:
        cell: The cell.
        extraction: The features in the condition that is tested.
        opened: The corpus.
        clips: The utterances, in the order of the corpus.
        keys: Key of each utterance's features.
        stored: All groups of the upstream with all their layers.
        splits: The folds, in the order in which they are tested.
        protocol: All that fixes the number, as JSON can hold it.
        training: The conditions of the training set; the tested one alone if training
            and test are matched.
        candidates: A job for each candidate, if the head chooses among heads.
        tuning: How the upstream is fine-tuned in each fold; None if it is not, and if
            ``extraction`` and ``training`` already have the fine-tuned weights.
        reference: The job of the pooled head `mean` on the same layers, with which a
            head on frames is compared; None for a pooled head.
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
    def layers(self) -> dict[str, range]:
        """The layers that the head reads of each group, counted from 0."""
        return {
            name: layer_indices(self.stored[name], spec.layers)
            for name, spec in self.cell.groups.items()
        }

    @property
    def matched(self) -> bool:
        """Whether the head is trained in the cell's own condition alone."""
        (first, *others) = self.training
        return not others and first.extraction.identity == self.extraction.identity

    @property
    def alternatives(self) -> Sequence[Job]:
        """The jobs of its candidates; itself if it has none."""
        return self.candidates or [self]

    @property
    def heads(self) -> Sequence[Job]:
        """The jobs of all heads that are fitted: alternatives, then references."""
        references = [job.reference for job in self.alternatives]
        return [*self.alternatives, *(job for job in references if job is not None)]

    @property
    def recipe(self) -> Recipe:
        """How the head is trained."""
        return Recipe(**self.protocol["recipe"])

    @cached_property
    def digest(self) -> str:
        """The identity of the cell: equal only if the results must be equal."""
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
                **self._also_compared(),
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

    def _also_compared(self) -> dict[str, object]:
        """Return what else a table takes as equal; see `leave_out_unlike`.

        So a cell that is left out for it can be run again, if only to be tested anew.
        What is not there in most cells is left out, and so is the trainer that made the
        first results.
        """
        noise = self.extraction.noise
        unheard = [[clip.utterance.id, clip.digest] for clip in self.clips]
        facts = {
            "texts": self.opened.texts,
            "training_keys": None
            if self.matched
            else [part.keys_digest for part in self.training],
            "trainer": TRAINER if TRAINER > _UNSAID else None,
            "unheard": None
            if self.extraction.reads_audio
            else digest([unheard, noise and noise.digest]),
        }
        return {name: fact for name, fact in facts.items() if fact is not None}

    @property
    def code(self) -> dict[str, str]:
        """Digests of the code behind the names of a row, and of files in its options.

        Of the upstream, of the head, and of the training of a fine-tuned upstream; see
        `Card.identity`.
        """
        heads = [self.cell, *(candidate.cell for candidate in self.candidates)]
        cards = {digest(cell.downstream.card.identity) for cell in heads}
        options = self.cell.downstream.key_options()
        tuning = self.alternatives[0].tuning
        return {
            "upstream": digest(self.extraction.cards),
            "head": digest([TRAINER, sorted(cards), options]),
            **({} if tuning is None else {"tuning": digest([TUNER, tuning.cards])}),
        }

    def _tuned_by(self) -> dict[str, object]:
        if self.tuning is not None:
            return {"tuning": [self.tuning.identity(split) for split in self.splits]}
        tuned = [job.digest for job in self.candidates if job.tuning is not None]
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

    def fold(self, split: Split, store: Store) -> Job:
        """Return the job of one fold, with the features of its fine-tuned upstream.

        Without fine-tuning it is the job itself.

        Args:
            split: The fold.
            store: Where fine-tuned weights are.
        """
        return self if self.tuning is None else self.tuning.apply(self, split, store)

    def stored_paths(self, store: Store) -> set[Path]:
        """Return the files and folders of the store that this job reads or writes."""
        paths = set()
        for job in self.heads:
            for fold in job.folds(store):
                inputs = (fold.extraction, *(part.extraction for part in fold.training))
                paths |= {path for item in inputs for path in item.folders(store)}
                paths |= {Fit(fold, split).file(store) for split in fold.splits}
            paths |= job.tuned_files(store)
        return paths

    def tuned_files(self, store: Store) -> set[Path]:
        """Return the files of all weights that are fine-tuned for this job."""
        stages = [] if self.tuning is None else self.tuning.stages
        return {one.file(split, store) for one in stages for split in self.splits}

    def folds(self, store: Store) -> list[Job]:
        """Return a job for each fold if the upstream is fine-tuned, else itself."""
        if self.tuning is None:
            return [self]
        return [self.fold(split, store) for split in self.splits]


@dataclass(frozen=True, slots=True)
class Fit:
    """A head to fit on the training set of one fold.

    Attributes:
        job: The cell; if its upstream is fine-tuned, its `Job.fold`.
        split: The fold.
    """

    job: Job
    split: Split

    @property
    def identity(self) -> dict[str, object]:
        """All that decides the weights of the fitted head."""
        job, split = self.job, self.split
        return {
            "features": [part.extraction.identity for part in job.training],
            "train": self._labelled_keys(split.train),
            "dev": self._labelled_keys(split.dev),
            "head": job.head_identity,
            "recipe": job.protocol["recipe"],
            "seed": job.cell.seed,
            "fold": split.fold,
            "trainer": TRAINER,
            **self._coded(),
        }

    def _coded(self) -> dict[str, object]:
        """Return the form of features that are stored with loss; else nothing."""
        form = self.job.cell.form
        return {"form": form} if form == "frames_int8" else {}

    def file(self, store: Store) -> Path:
        """Return the path of the fitted head, which may not exist yet."""
        return store.fit_file(self.identity)

    def _labelled_keys(self, rows: Sequence[int]) -> list[list[str]]:
        parts, clips = self.job.training, self.job.clips
        return [
            [*(part.keys[row] for part in parts), clips[row].utterance.label]
            for row in rows
        ]


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How an upstream is fine-tuned: with a head, on the training set of each fold.

    Attributes:
        joint: The job of that head on the original upstream; it decides training set,
            conditions, recipe and seed.
        learning_rate: Learning rate of the upstream's weights; the head's is that of
            its recipe.
        frozen: Names of the modules that are not trained.
        lora: Rank of the updates that are trained in place of the weights; None if the
            weights are.
        teacher: How the teacher is fine-tuned before; None if there is none.
    """

    joint: Job
    learning_rate: float
    frozen: Sequence[str]
    lora: int | None = None
    teacher: FineTuning | None = None

    @property
    def cards(self) -> list[dict[str, object]]:
        """What identifies the code of the heads that the stages train with."""
        return [one.joint.cell.downstream.card.identity for one in self.stages]

    @property
    def stages(self) -> list[FineTuning]:
        """What is fine-tuned one after another: the teacher, if any, then this."""
        return [*([] if self.teacher is None else self.teacher.stages), self]

    def name(self, split: Split) -> str:
        """Return what progress and messages call the fine-tuning of a fold.

        The upstream has the options of its fine-tuning, so that two of them differ.
        """
        cell, tuned = self.joint.cell, {"lr": self.learning_rate, "lora": self.lora}
        options = cell.upstream.options
        options = {key: tuned.get(key, value) for key, value in options.items()}
        upstream = replace(cell.upstream, options=options).label
        trained = [str(one.extraction.alone.condition) for one in self.joint.training]
        where = trained[0] if len(trained) == 1 else f"in {len(trained)} conditions"
        return (
            f"{upstream} with head {cell.downstream.label} on {cell.corpus.label} "
            f"{where}, seed {cell.seed}, fold {split.fold}"
        )

    def identity(self, split: Split) -> dict[str, object]:
        """Return all that decides the fine-tuned weights of a fold."""
        return {
            **Fit(self.joint, split).identity,
            "learning_rate": self.learning_rate,
            "frozen": list(self.frozen),
            "tuner": TUNER,
            **({} if self.lora is None else {"lora": self.lora}),
            **({"teacher": self.teacher.identity(split)} if self.teacher else {}),
        }

    def file(self, split: Split, store: Store) -> Path:
        """Return the path of a fold's fine-tuned weights, which may not exist yet."""
        return store.tuned_file(self.identity(split))

    def apply(self, job: Job, split: Split, store: Store) -> Job:
        """Return the job of one fold, with the features of the fine-tuned upstream."""
        file = self.file(split, store)
        return replace(
            job,
            extraction=job.extraction.tuned(file),
            training=[part.tuned(file) for part in job.training],
            splits=[split],
            tuning=None,
        )

    def head(self, split: Split, store: Store) -> Fit:
        """Return the fit of the head that is trained together with the upstream."""
        return Fit(self.apply(self.joint, split, store), split)
