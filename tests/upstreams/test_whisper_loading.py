import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import WhisperForConditionalGeneration

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams import whisper as module
from nserbench.upstreams.base import Batch
from nserbench.upstreams.whisper import Whisper, languages_of

OpenWhisper = Callable[..., Whisper]


def test_a_language_that_the_checkpoint_lacks_is_refused(
    multilingual: Path, english: Path, open_whisper: OpenWhisper
) -> None:
    for folder, language in ((multilingual, "fr"), (english, "de")):
        with pytest.raises(BadSpec, match=f"does not know language={language}"):
            open_whisper(folder, language)


def test_the_languages_of_a_checkpoint_are_known_before_it_is_loaded(
    multilingual: Path, english: Path
) -> None:
    options = {"checkpoint": str(multilingual), "revision": None, "language": None}

    found = languages_of(options)

    assert found is not None
    assert {"de", "en", "zh"} <= found
    assert "fr" not in found
    assert languages_of({**options, "checkpoint": str(english)}) == frozenset({"en"})
    assert languages_of({**options, "language": "zh"}) is None


def test_without_a_word_on_languages_the_vocabulary_decides(
    multilingual: Path,
    copy_of: Callable[[Path], Path],
    open_whisper: OpenWhisper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = copy_of(multilingual)
    file = folder / "generation_config.json"
    file.write_text(file.read_text().replace("is_multilingual", "is_anything"))
    found = [open_whisper(folder).multilingual]
    monkeypatch.setattr(module, "MULTILINGUAL_VOCABULARY", 200)

    found.append(open_whisper(folder).multilingual)

    assert found == [False, True]


def test_tokens_beyond_the_vocabulary_need_no_suppression(
    multilingual: Path,
    copy_of: Callable[[Path], Path],
    open_whisper: OpenWhisper,
    sound: Callable[..., NDArray[np.float32]],
) -> None:
    folder = copy_of(multilingual)
    file = folder / "generation_config.json"
    settings = json.loads(file.read_text())
    wanted = open_whisper(folder).transcribe(Batch.of(sound(9_000, 1)))
    for key in ("suppress_tokens", "begin_suppress_tokens"):
        settings[key] = [*(settings.get(key) or []), 50_256, 70_000]
    file.write_text(json.dumps(settings))

    found = open_whisper(folder).transcribe(Batch.of(sound(9_000, 1)))

    assert found == wanted


def test_a_checkpoint_without_settings_for_generation_is_read(
    multilingual: Path,
    copy_of: Callable[[Path], Path],
    open_whisper: OpenWhisper,
    sound: Callable[..., NDArray[np.float32]],
) -> None:
    folder = copy_of(multilingual)
    (folder / "generation_config.json").unlink()

    groups = open_whisper(folder).extract(Batch.of(sound(9_000, 1)))

    assert groups["encoder"].lengths.tolist() == [29]


def test_a_whisper_that_does_not_read_30_s_at_once_is_refused(
    multilingual: Path, copy_of: Callable[[Path], Path], open_whisper: OpenWhisper
) -> None:
    file = copy_of(multilingual) / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"max_source_positions": 750}))

    with pytest.raises(BadSpec, match=r"30 s at once.*750\n  wanted: .*1500"):
        open_whisper(file.parent)


def test_a_checkpoint_without_a_tokenizer_is_refused(
    multilingual: Path, copy_of: Callable[[Path], Path], open_whisper: OpenWhisper
) -> None:
    folder = copy_of(multilingual)
    for file in folder.glob("tokenizer*"):
        file.unlink()

    with pytest.raises(
        CheckpointMissing, match=r"of 1 tokens.*\n  wanted: tokenizer\."
    ):
        open_whisper(folder)


def test_incomplete_weights_are_refused(
    multilingual: Path, copy_of: Callable[[Path], Path], open_whisper: OpenWhisper
) -> None:
    file = copy_of(multilingual) / "model.safetensors"
    weights = load_file(file)
    del weights["model.decoder.layers.2.fc1.weight"]
    save_file(weights, file, {"format": "pt"})

    with pytest.raises(
        CheckpointMissing, match=r"1 tensors are missing.*layers\.2\.fc1"
    ):
        open_whisper(file.parent)


def test_weights_that_end_too_soon_are_refused(
    multilingual: Path, copy_of: Callable[[Path], Path], open_whisper: OpenWhisper
) -> None:
    file = copy_of(multilingual) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(CheckpointMissing, match="cannot be read"):
        open_whisper(file.parent)


def test_half_precision_weights_are_used_in_single(
    multilingual: Path, copy_of: Callable[[Path], Path], open_whisper: OpenWhisper
) -> None:
    folder = copy_of(multilingual)
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    model.half().save_pretrained(folder)

    loaded = open_whisper(folder)

    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float32}


def test_parameters_are_counted(whisper: Whisper) -> None:
    assert whisper.parameter_count() == sum(
        weight.numel() for weight in whisper.model.model.parameters()
    )
