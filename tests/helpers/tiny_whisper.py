"""Writes a Whisper of a few thousand weights drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
END = len(BYTES)
SPECIAL = (
    "<|startoftranscript|>",
    "<|en|>",
    "<|zh|>",
    "<|de|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
TIMES = tuple(f"<|{0.02 * step:.2f}|>" for step in range(11))
SPOKEN = tuple(BYTES.index(letter) for letter in "abc")
TOKENS = {token: END + 1 + place for place, token in enumerate((*SPECIAL, *TIMES))}


def save_whisper(
    folder: Path,
    multilingual: bool = True,
    allowed: Sequence[int] = (*SPOKEN, END),
    barred_first: Sequence[int] = (),
    dim: int = 16,
) -> Path:
    """Write a Whisper that may only say some tokens, a few letters unless told.

    A multilingual one knows en, zh and de. Its tokenizer has words for languages in
    either case, as that of the real English-only ones.
    """
    torch.manual_seed(40)
    vocabulary = END + 1 + len(TOKENS)
    config = WhisperConfig(
        vocab_size=vocabulary,
        d_model=dim,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        init_std=0.5,
        dropout=0.5,
        encoder_layerdrop=0.5,
        decoder_layerdrop=0.5,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
        decoder_start_token_id=TOKENS["<|startoftranscript|>"],
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
        decoder_start_token_id=TOKENS["<|startoftranscript|>"],
        no_timestamps_token_id=TOKENS["<|notimestamps|>"],
        suppress_tokens=sorted(set(range(vocabulary)) - set(allowed)),
        begin_suppress_tokens=list(barred_first),
        is_multilingual=multilingual,
        max_length=448,
    )
    if multilingual:
        tasks = {task: TOKENS[f"<|{task}|>"] for task in ("transcribe", "translate")}
        model.generation_config.lang_to_id = {it: TOKENS[it] for it in SPECIAL[1:4]}
        model.generation_config.task_to_id = tasks
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


def save_english_whisper(folder: Path) -> Path:
    """Write an English-only Whisper."""
    return save_whisper(folder, multilingual=False, barred_first=(*SPOKEN[1:], END))


def _tokenizer() -> WhisperTokenizer:
    letters = {byte: place for place, byte in enumerate(BYTES)}
    tokenizer = WhisperTokenizer(
        vocab=letters | {"<|endoftext|>": END},
        merges=[],
        additional_special_tokens=list(SPECIAL),
    )
    tokenizer.add_tokens(list(TIMES))
    return tokenizer
