"""What an upstream reads while it is tuned, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nserbench.benchmark.extraction.extract import read_texts
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.store.feature_store import Store
from nserbench.upstreams.base import SAMPLE_RATE, Batch
from nserbench.upstreams.enhancement.base import Enhancer

HEARD = 30 * SAMPLE_RATE
"""Samples whose gradients are held at once, or one longer clip: about 2 GB of a model
as large as wav2vec 2.0 base."""


@dataclass(frozen=True, slots=True)
class AudioBatches:
    """What an upstream reads, by the rows of what is trained on.

    Attributes:
        job: Of the head.
        store: Where transcripts are.
        enhancer: What cleans the audio.
    """

    job: Job
    store: Store
    enhancer: Enhancer | None

    @property
    def lengths(self) -> Tensor:
        """``(rows,)`` samples that the model hears of each row."""
        card = self.job.cell.upstream.card
        if not card.reads_audio:
            return torch.zeros(len(self.job.clips), dtype=torch.int64)
        own = torch.tensor([clip.samples for clip in self.job.clips])
        heard = own.clamp(max(card.min_samples, card.window), card.max_samples)
        return heard.repeat(len(self.job.training))

    def parts(self, rows: Tensor) -> list[tuple[Tensor, Batch]]:
        """Read a batch, cut into parts whose gradients fit into memory."""
        return [(part, self._read(part)) for part in _cut(rows, self.lengths[rows])]

    def _read(self, rows: Tensor) -> Batch:
        batches = [self._one(row) for row in rows.tolist()]
        return Batch(
            *(
                [one for batch in batches for one in getattr(batch, name)]
                for name in ("ids", "waves", "texts", "languages")
            )
        )

    def _one(self, row: int) -> Batch:
        part, place = divmod(row, len(self.job.clips))
        clip = self.job.clips[place]
        extraction = self.job.training[part].extraction.alone
        texts = read_texts(extraction, [clip], self.store)
        return extraction.batch([clip], texts, self.enhancer)


def _cut(rows: Tensor, lengths: Tensor) -> Iterator[Tensor]:
    """Cut rows into parts of at most `HEARD` samples, or of one row."""
    part: list[int] = []
    total = 0
    for row, length in zip(rows.tolist(), lengths.tolist(), strict=True):
        if part and total + length > HEARD:
            yield torch.tensor(part)
            part, total = [], 0
        part.append(row)
        total += length
    yield torch.tensor(part)
