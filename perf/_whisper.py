"""Write a Whisper of the size of tiny, with random weights."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HELPERS = Path(__file__).parents[1] / "tests/helpers"
TINY = {
    "d_model": 384,
    "encoder_layers": 4,
    "decoder_layers": 4,
    "encoder_attention_heads": 6,
    "decoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "decoder_ffn_dim": 1536,
}


def save_whisper(folder: Path, **size: int) -> Path:
    """Write a Whisper; return its folder.

    Args:
        folder: New folder.
        size: Settings of its configuration that differ from those in the tests.
    """
    sys.path.append(str(HELPERS))
    helper = importlib.import_module("tiny_whisper")
    import transformers as lib

    lib.utils.logging.disable_progress_bar()
    helper.save_whisper(folder)
    config = lib.WhisperConfig.from_pretrained(folder, init_std=0.02, **size)
    model = lib.WhisperForConditionalGeneration(config)
    model.generation_config = lib.GenerationConfig.from_pretrained(folder)
    model.save_pretrained(folder)
    return folder
