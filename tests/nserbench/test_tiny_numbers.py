import torch

from nserbench.tiny_numbers import flushes, tiny_numbers_are_zero


def half_of_the_smallest() -> float:
    return (torch.full((8,), 2.0**-126) * 0.5)[3].item()


def test_denormal_numbers_are_zero_inside_and_kept_outside() -> None:
    with tiny_numbers_are_zero():
        assert half_of_the_smallest() == 0.0

    assert half_of_the_smallest() == 2.0**-127


def test_a_block_inside_a_block_changes_nothing() -> None:
    with tiny_numbers_are_zero():
        with tiny_numbers_are_zero():
            pass
        assert flushes()

    assert not flushes()
