"""Low-rank updates: what they compute, which weights get one, and what is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import save_tiny
from torch import Tensor, nn
from torch.nn import functional as F
from values import not_none

from nserbench.benchmark.extraction.low_rank import add_low_rank, update_bytes
from nserbench.benchmark.extraction.tuned_weights import (
    load_tuned,
    save_tuned,
    trainable,
    tuned_bytes,
    tuned_facts,
)
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.errors import NserbenchError, StoreDamaged
from nserbench.matmul import use_fast_products
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch

FRAMES = torch.linspace(-1, 1, 15).view(3, 5)


class Small(nn.Module):
    """Two linear layers, the first behind another module's name."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(nn.Linear(5, 6))
        self.last = nn.Linear(6, 4)
        self.words = nn.Embedding(9, 4)
        self.output = nn.Linear(4, 9, bias=False)
        self.output.weight = self.words.weight

    def forward(self, frames: Tensor) -> Tensor:
        out: Tensor = self.last(self.front(frames).relu())
        return out


@pytest.fixture
def small() -> Small:
    """Return a model with weights drawn at random."""
    torch.manual_seed(0)
    return Small()


def draw(model: nn.Module) -> None:
    """Fill all updates with values, as if they had been trained."""
    with torch.no_grad():
        for weight in trainable(model).values():
            weight.normal_(std=0.5)


def test_an_update_adds_the_product_of_its_factors(small: Small) -> None:
    before = {name: one.clone() for name, one in small.state_dict().items()}
    add_low_rank(small, (), rank=2)
    draw(small)
    own = trainable(small)

    found = small(FRAMES)

    hidden = FRAMES
    for place in ("front.0", "last"):
        w, b = before[f"{place}.weight"], before[f"{place}.bias"]
        up, down = (
            own[f"{place}.parametrizations.weight.0.{n}"] for n in ("up", "down")
        )
        hidden = hidden.relu() if place == "last" else hidden
        hidden = F.linear(hidden, w, b) + F.linear(F.linear(hidden, down), up)
    torch.testing.assert_close(found, hidden)
    assert sorted(p.shape for p in own.values()) == [(2, 5), (2, 6), (4, 2), (6, 2)]


def test_a_model_begins_as_it_was(small: Small) -> None:
    before = small(FRAMES)

    add_low_rank(small, (), rank=2)

    assert torch.equal(small(FRAMES), before)


def test_frozen_modules_and_shared_matrices_get_no_update(small: Small) -> None:
    add_low_rank(small, ["front"], rank=2)

    assert {name.partition(".")[0] for name in trainable(small)} == {"last"}


@pytest.mark.parametrize("fast", [False, True])
def test_stored_updates_give_what_the_trained_model_gives(
    small: Small, tmp_path: Path, fast: bool
) -> None:
    file, fresh = tmp_path / "tuned.safetensors", Small()
    fresh.load_state_dict(small.state_dict())
    if fast:
        use_fast_products(small)
    size = tuned_bytes(small, ["front"], 2)
    add_low_rank(small, ["front"], rank=2)
    draw(small)

    save_tuned(file, small, 1.0, seed=0)
    load_tuned(file, fresh)

    with torch.no_grad():
        torch.testing.assert_close(fresh(FRAMES), small(FRAMES), rtol=0, atol=1e-6)
    assert torch.equal(fresh.last.weight, small.last.weight)
    assert size == update_bytes(fresh, ["front"], 2) == 4 * 2 * (4 + 6)
    assert tuned_facts(file) == (2 * (4 + 6), 1.0)


def test_a_model_that_is_one_linear_layer_gets_its_update(tmp_path: Path) -> None:
    file, model, fresh = (
        tmp_path / "tuned.safetensors",
        nn.Linear(5, 4),
        nn.Linear(5, 4),
    )
    fresh.load_state_dict(model.state_dict())
    add_low_rank(model, (), rank=1)
    draw(model)

    save_tuned(file, model, 1.0, seed=0)
    load_tuned(file, fresh)

    assert torch.equal(fresh.weight, model.weight)


def test_stored_updates_of_another_model_are_refused(
    small: Small, tmp_path: Path
) -> None:
    file = tmp_path / "tuned.safetensors"
    add_low_rank(small, (), rank=2)
    save_tuned(file, small, 1.0, seed=0)

    with pytest.raises(StoreDamaged, match=r"updates of another model: front\.0"):
        load_tuned(file, nn.Linear(5, 6))


def test_a_rank_that_saves_nothing_is_refused(small: Small) -> None:
    with pytest.raises(NserbenchError, match=r"lora=5 is too large: .* is 5\n"):
        add_low_rank(small, (), rank=5)


def test_a_model_without_linear_layers_is_refused() -> None:
    with pytest.raises(NserbenchError, match="has no linear layer"):
        add_low_rank(nn.Conv1d(2, 2, 3), (), rank=1)


def test_updates_are_float32_under_autocast(small: Small) -> None:
    add_low_rank(small, (), rank=2)
    draw(small)
    whole = small.last.weight.detach()

    with torch.autocast("cpu", torch.bfloat16):
        found = small.last.weight

    assert torch.equal(found, whole)


@pytest.mark.parametrize(
    ("typed", "tiny"),
    [
        ("wavlm:checkpoint={}", "wavlm"),
        ("conformer:checkpoint={}", "asr"),
        ("s3prl:wavlm_local,checkpoint={}", "wavlm_local"),
    ],
)
def test_updates_train_attention_that_reads_weights_without_their_layers(
    typed: str, tiny: str, tmp_path: Path
) -> None:
    spec = parse_spec(typed.format(save_tiny(tmp_path, tiny)))
    bound = Plugins(installed=False).bind("upstream", spec)
    upstream = bound.card.open(bound.options, "cpu")
    model = not_none(upstream.model)
    wave = np.random.default_rng(0).standard_normal(8_000).astype(np.float32)

    add_low_rank(model, bound.card.describe(bound.options).frozen, rank=1)
    features = upstream.forward(Batch.of(wave))

    torch.stack(
        [one.states.square().mean() for one in features.values()]
    ).sum().backward()
    attention = {
        name: weight
        for name, weight in trainable(model).items()
        if "att" in name and name.endswith(".up")
    }
    assert attention
    for name, weight in attention.items():
        assert weight.grad is not None, name
        assert bool(weight.grad.any()), name
