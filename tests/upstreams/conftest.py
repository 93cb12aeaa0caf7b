"""Tiny Whispers in real folders, and sounds to put into them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import pre_tokenizers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from nserbench.upstreams.base import Batch
from nserbench.upstreams.whisper import Whisper

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

Wave = NDArray[np.float32]
MakeSound = Callable[..., Wave]
OpenWhisper = Callable[..., Whisper]


def save_whisper(
    folder: Path,
    multilingual: bool,
    allowed: Sequence[int],
    barred_first: Sequence[int] = (),
) -> Path:
    """Write a Whisper with random weights that may only say some tokens."""
    torch.manual_seed(40)
    vocabulary = END + 1 + len(TOKENS)
    config = WhisperConfig(
        vocab_size=vocabulary,
        d_model=16,
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
    tokenizer = WhisperTokenizer(
        vocab={byte: place for place, byte in enumerate(BYTES)}
        | {"<|endoftext|>": END},
        merges=[],
        additional_special_tokens=list(SPECIAL),
    )
    tokenizer.add_tokens(list(TIMES))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep tensors this small off other cores, where they only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a Whisper that knows en, zh and de, and says a few letters."""
    return save_whisper(tmp_path_factory.mktemp("multi"), True, (*SPOKEN, END))


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an English-only Whisper; as the real one, it has words for languages."""
    folder = tmp_path_factory.mktemp("english")
    return save_whisper(folder, False, (*SPOKEN, END), barred_first=(*SPOKEN[1:], END))


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a Whisper that itself would say nothing but timestamps."""
    times = [TOKENS[time] for time in TIMES]
    return save_whisper(tmp_path_factory.mktemp("clock"), True, (*times, END))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Give a function that copies a checkpoint, to be broken."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def open_whisper() -> OpenWhisper:
    """Give a function that loads a Whisper from a folder."""

    def load(folder: Path, language: str | None = None) -> Whisper:
        options = {"checkpoint": str(folder), "revision": None, "language": language}
        return Whisper(options, "cpu")

    return load


@pytest.fixture(scope="session")
def whisper(multilingual: Path, open_whisper: OpenWhisper) -> Whisper:
    """Give the multilingual Whisper, loaded."""
    return open_whisper(multilingual)


@pytest.fixture(scope="session")
def sound() -> MakeSound:
    """Give a function that makes noise that swells and fades."""

    def make(samples: int, seed: int = 0) -> Wave:
        noise = np.random.default_rng(seed).standard_normal(samples)
        return (0.1 * noise * np.hanning(samples)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def batch(sound: MakeSound) -> Batch:
    """Give four sounds of different lengths, three of them in a language."""
    waves = [sound(length, length) for length in (16_000, 5_001, 1, 30_400)]
    return Batch("abcd", waves, [None] * 4, ["de", None, "en", "zh"])
