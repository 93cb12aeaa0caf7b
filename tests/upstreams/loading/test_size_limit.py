"""Configurations that describe larger models than the weights beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModel, BertConfig, BertModel

from nserbench.errors import CheckpointMissing
from nserbench.upstreams.loading.size_limit import SizeLimit
from nserbench.upstreams.loading.transformers import load_pretrained

BERT = {
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "vocab_size": 20,
    "max_position_embeddings": 16,
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "weights.bin"
    file.write_bytes(bytes(100))
    return file


def test_a_layer_that_is_too_large_takes_no_memory(weights: Path) -> None:
    said = "far larger than its weights, which have 100 B"
    with pytest.raises(CheckpointMissing, match=said), SizeLimit([weights]):
        nn.Linear(10**6, 10**6)


def test_layers_are_bounded_in_number(weights: Path) -> None:
    said = "far larger than its weights"
    with pytest.raises(CheckpointMissing, match=said), SizeLimit([weights]):
        [nn.Linear(1, 1) for _ in range(10**9)]


def test_a_model_that_fits_is_built_and_random_numbers_are_the_same(
    weights: Path,
) -> None:
    torch.manual_seed(3)
    plain = nn.Linear(7, 5)
    torch.manual_seed(3)

    with SizeLimit([weights]):
        limited = nn.Linear(7, 5)

    assert torch.equal(plain.weight, limited.weight)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 10**6},
        {"num_hidden_layers": 10**9},
        {"intermediate_size": 10**9},
        {"vocab_size": 10**10},
    ],
)
def test_a_checkpoint_of_transformers_is_refused_by_its_configuration(
    tmp_path: Path, change: dict[str, int]
) -> None:
    BertModel(BertConfig(**BERT)).save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))

    with pytest.raises(CheckpointMissing, match="far larger than its weights"):
        load_pretrained(AutoModel, tmp_path)
