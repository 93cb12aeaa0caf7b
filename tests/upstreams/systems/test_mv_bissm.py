"""MV-BiSSM: its views, the selective state space, padding."""

from typing import Any

import numpy as np
import pytest
import torch

from nserbench.cards import bind
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch
from nserbench.upstreams.systems.cards import MV_BISSM
from nserbench.upstreams.systems.deltas import with_deltas
from nserbench.upstreams.systems.selective_scan import BothWays, SelectiveScan, scan


def opened(options: str) -> Any:
    torch.manual_seed(0)
    bound = bind(MV_BISSM, parse_spec(f"mv-bissm:dim=16,depth=1,{options}"))
    return MV_BISSM.open(bound.options, "cpu")


def test_the_scan_is_the_recurrence_written_out() -> None:
    rng = np.random.default_rng(0)
    values, steps = rng.standard_normal((2, 5, 3)), rng.random((2, 5, 3))
    rates = -rng.random((3, 4))
    write, read = rng.standard_normal((2, 2, 5, 4))

    found = scan(*map(torch.tensor, (values, steps, rates, write, read)))

    expected = np.zeros_like(values)
    for row in range(2):
        for feature in range(3):
            state = np.zeros(4)
            for t in range(5):
                step = steps[row, t, feature]
                state = np.exp(step * rates[feature]) * state
                state += step * write[row, t] * values[row, t, feature]
                expected[row, t, feature] = read[row, t] @ state
    np.testing.assert_allclose(found, expected)


def test_a_cell_sees_the_past_alone_and_both_ways_see_all() -> None:
    torch.manual_seed(0)
    cells = SelectiveScan(16, 4), SelectiveScan(16, 4)
    both, lengths = BothWays(16, *cells), torch.tensor([6])
    sequence = torch.randn(1, 6, 16)
    changed = sequence.clone()
    changed[:, 4] += 1.0

    ahead = cells[0](sequence, lengths) - cells[0](changed, lengths)
    whole = both(sequence, lengths) - both(changed, lengths)

    assert ahead[0, :4].abs().max() == 0
    assert ahead[0, 4:].abs().amin(1).min() > 0
    assert whole[0].abs().amax(1).min() > 0


def test_differences_are_slopes_with_the_ends_repeated() -> None:
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((7, 2))

    found = with_deltas(torch.tensor(frames)[None])[0].numpy()

    padded = np.pad(frames, ((2, 2), (0, 0)), "edge")
    first = [(2 * (p[4] - p[0]) + p[3] - p[1]) / 10 for p in _windows(padded)]
    again = np.pad(np.stack(first), ((2, 2), (0, 0)), "edge")
    second = [(2 * (p[4] - p[0]) + p[3] - p[1]) / 10 for p in _windows(again)]
    np.testing.assert_allclose(found, np.stack([frames, first, second]))


def _windows(frames: Any) -> list[Any]:
    return [frames[start : start + 5] for start in range(len(frames) - 4)]


@pytest.mark.parametrize("options", ["cell=ssm", "cell=lstm", "lld=yes"])
def test_padding_changes_nothing_with_any_cell_or_view(options: str) -> None:
    if options == "lld=yes":
        pytest.importorskip("opensmile")
    model = opened(options)
    rng = np.random.default_rng(0)
    short, long = (0.1 * rng.random(n, np.float32) for n in (9_000, 20_000))

    alone = model.extract(Batch.of(short))["embedding"].states[0, 0]
    together = model.extract(Batch.of(short, long))["embedding"].states[0, 0]

    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    assert len(model.model.views) == (4 if options == "lld=yes" else 3)
