"""The lengths of the clips on which heads are timed."""

from statistics import fmean

import pytest
import torch

from nserbench.benchmark.running.timed_training import _Sample, _Sizes, alike
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


SIZES = _Sizes(train=320, dev=0, test=40, batch=32, classes=4)


def sample(size: int) -> _Sample:
    """Return the times of heads that take 2 s to build, and 0.1 s and more a step."""
    steps = -(-size // 32)
    return _Sample(size, 2.0 + 0.01 * size, 0.1 * steps + 0.02 * size, 1.0)


@pytest.mark.parametrize("sizes", [[4, 12], [4, 12, 32], [4, 12, 32, 128], [32, 320]])
def test_a_training_is_estimated_alike_from_parts_of_a_batch_and_from_batches(
    sizes: list[int],
) -> None:
    found = SIZES.timed([*map(sample, sizes)])

    assert found.once == pytest.approx(2.0 + 3.2 + 1.0)
    assert found.epoch == pytest.approx(10 * 0.1 + 320 * 0.02)
    assert found.whole is (sizes[-1] >= 32)


def test_a_larger_sample_that_was_faster_does_not_make_the_rest_free() -> None:
    slow, fast = _Sample(4, 1.0, 0.3, 0.0), _Sample(12, 0.5, 0.2, 0.0)

    found = SIZES.timed([slow, fast])

    assert (found.once, found.epoch) == (0.5, 10 * 0.2)
