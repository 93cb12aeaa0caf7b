"""The lengths of the clips on which heads are timed."""

from statistics import fmean

import pytest
import torch

from nserbench.benchmark.running.timed_training import alike
from nserbench.benchmark.training.batching import shuffled


def longest_sum(lengths: list[float], batch: int) -> float:
    """Return the padded length of all clips, by the batches of several epochs."""
    generator, values = torch.Generator().manual_seed(7), torch.tensor(lengths)
    every = torch.arange(len(values))
    epochs = [shuffled(every, values, batch, generator) for _ in range(9)]
    return fmean(
        sum(len(rows) * float(values[rows].max()) for rows in epoch) for epoch in epochs
    )


@pytest.mark.parametrize("batches", [1, 2, 4, 8, 16, 20])
def test_a_sample_of_batches_has_as_much_padding_as_all_batches(batches: int) -> None:
    draw = torch.Generator().manual_seed(1)
    lengths = sorted((torch.randn(640, generator=draw) * 0.5).exp().tolist())
    whole = longest_sum(lengths, 32) / 20

    sample = longest_sum(alike(lengths, batches * 32, 32, 640), 32) / batches

    assert sample == pytest.approx(whole, rel=0.1)


def test_a_part_of_a_batch_is_as_long_as_a_padded_batch() -> None:
    lengths = [float(n) for n in range(1, 101)]

    part = alike(lengths, 4, 32, 100)

    assert max(part) == pytest.approx(longest_sum(lengths, 32) / 100, rel=0.1)
