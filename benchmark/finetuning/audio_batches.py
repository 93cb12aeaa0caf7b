"""Batches of audio and text that an upstream reads while it is fine-tuned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nserbench.benchmark.extraction.extract import read_texts
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.store.feature_store import Store
from nserbench.upstreams.base import SAMPLE_RATE, Batch
from nserbench.upstreams.enhancement.base import Enhancer

MAX_SAMPLES = 30 * SAMPLE_RATE
"""Samples in one forward and backward pass, unless a single clip is longer: about 2 GB
of memory for a model as large as wav2vec 2.0 base."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a batch that are read together.

    Attributes:
        clean: Their clean twins, for training an upstream that learns from pairs.
    """

    rows: Tensor
    batch: Batch
    clean: Batch | None = None


@dataclass(frozen=True, slots=True)
class AudioBatches:
    """Batches of a training set in all training conditions, by row."""

    job: Job
    store: Store
    enhancer: Enhancer | None

    @property
    def lengths(self) -> Tensor:
        """``(rows,)`` samples that the model receives of each row."""
        card = self.job.cell.upstream.card
        samples = torch.tensor([clip.samples for clip in self.job.clips])
        received = samples.clamp(max(card.min_samples, card.window), card.max_samples)
        if not card.reads_audio:
            received = torch.zeros_like(received)
        return received.repeat(len(self.job.training))

    def parts(self, rows: Tensor) -> list[Part]:
        """Read a batch, cut into parts whose gradients fit into memory."""
        return [Part(part, self._read(part)) for part in _cut(rows, self.lengths[rows])]

    def pairs(self, rows: Tensor) -> list[Part]:
        """Read a batch as `parts` does, with the clean twin of each utterance."""
        return [
            replace(part, clean=self._read(part.rows, clean=True))
            for part in self.parts(rows)
        ]

    def _read(self, rows: Tensor, *, clean: bool = False) -> Batch:
        return Batch.joined([self._read_row(row, clean=clean) for row in rows.tolist()])

    def _read_row(self, row: int, *, clean: bool) -> Batch:
        condition, utterance = divmod(row, len(self.job.clips))
        clip, groups = self.job.clips[utterance], frozenset(self.job.cell.groups)
        extraction = self.job.training[condition].extraction.alone
        texts = read_texts(extraction, [clip], self.store)
        if clean:
            return extraction.without_noise().batch([clip], texts, groups=groups)
        return extraction.batch([clip], texts, self.enhancer, groups)


def _cut(rows: Tensor, lengths: Tensor) -> Iterator[Tensor]:
    """Cut rows into parts of at most `MAX_SAMPLES` samples, or of one row."""
    part: list[int] = []
    total = 0
    for row, length in zip(rows.tolist(), lengths.tolist(), strict=True):
        if part and total + length > MAX_SAMPLES:
            yield torch.tensor(part)
            part, total = [], 0
        part.append(row)
        total += length
    yield torch.tensor(part)
