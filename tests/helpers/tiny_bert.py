"""Writes a BERT of a few thousand random weights, whose tokens are letters."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import BertConfig, BertForPreTraining

LETTERS = "abcdefghijklmnopqrstuvwxyzäöüß!?.,'"
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
]


def save_bert(folder: Path, positions: int = 512) -> Path:
    """Write a BERT with heads as in the published ones, which reads some tokens."""
    config = BertConfig(
        vocab_size=len(VOCABULARY) + 2,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        initializer_range=0.5,
    )
    torch.manual_seed(40)
    BertForPreTraining(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    limits = {"tokenizer_class": "BertTokenizer", "model_max_length": positions}
    (folder / "tokenizer_config.json").write_text(json.dumps(limits))
    return folder
