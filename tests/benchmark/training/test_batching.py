import pytest
import torch

from nserbench.benchmark.training.batching import WINDOW, by_length, shuffled

SIZE = 4


def deal(
    rows: torch.Tensor, lengths: torch.Tensor | None, seed: int = 0, epochs: int = 1
) -> list[list[list[int]]]:
    """Return the batches of each epoch as lists."""
    order = torch.Generator().manual_seed(seed)
    return [
        [batch.tolist() for batch in shuffled(rows, lengths, SIZE, order)]
        for _ in range(epochs)
    ]


def padding(batches: list[list[int]], lengths: torch.Tensor) -> int:
    """Count the frames of padding."""
    each = [lengths[batch] for batch in batches]
    return sum(int((one.max() - one).sum()) for one in each)


LENGTHS = torch.randint(10, 1000, (203,), generator=torch.Generator().manual_seed(1))
ROWS = torch.arange(203)[::2]


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["pooled", "frames"])
def test_every_row_comes_once_in_an_epoch(lengths: torch.Tensor | None) -> None:
    for batches in deal(ROWS, lengths, epochs=3):
        assert sorted(row for batch in batches for row in batch) == ROWS.tolist()
        assert max(map(len, batches)) == SIZE
        assert len(batches) <= -(-len(ROWS) // SIZE)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["pooled", "frames"])
def test_epochs_differ_and_a_seed_repeats_them(lengths: torch.Tensor | None) -> None:
    first, second = deal(ROWS, lengths, epochs=2)

    together = [{frozenset(batch) for batch in epoch} for epoch in (first, second)]
    assert len(together[0] & together[1]) < len(first) / 4
    assert deal(ROWS, lengths, epochs=2) == [first, second]
    assert deal(ROWS, lengths, seed=1) != [first]


def test_batches_of_frames_hold_far_less_padding_than_random_ones() -> None:
    (dealt,), (random,) = deal(ROWS, LENGTHS), deal(ROWS, None)

    assert padding(dealt, LENGTHS) < padding(random, LENGTHS) / 3


def test_batches_do_not_come_from_short_to_long() -> None:
    (dealt,) = deal(ROWS[: SIZE * WINDOW], LENGTHS)

    longest = [int(LENGTHS[batch].max()) for batch in dealt]
    assert longest != sorted(longest)


def test_rows_of_one_length_keep_their_order() -> None:
    lengths = torch.tensor([2, 1, 2, 1, 2])

    assert by_length(torch.tensor([4, 3, 2, 1, 0]), lengths).tolist() == [3, 1, 4, 2, 0]
