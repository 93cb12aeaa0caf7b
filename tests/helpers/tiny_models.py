"""Tiny checkpoints with weights drawn at random, for every built-in that takes one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tiny_bert import save_bert
from tiny_conformer import save_conformer
from tiny_emotion2vec import save_emotion2vec
from tiny_enhancers import TINY, save_enhancer
from tiny_hf import DEEP, EVERY, save_hf
from tiny_s3prl import SAVE, save_s3prl
from tiny_speechlm import save_speechlm
from tiny_towers import TOWERS, save_ast, save_tower
from tiny_whisper import save_english_whisper, save_whisper


def _whole(folder: Path, name: str) -> Path:
    save_tower(folder, name)
    return folder


MODELS: dict[str, Callable[[Path], Path]] = {
    "asr": save_conformer,
    "ast": save_ast,
    "bert": save_bert,
    "emotion2vec": save_emotion2vec,
    "speechlm": save_speechlm,
    "whisper": save_whisper,
    "whisper.en": save_english_whisper,
    **{name: partial(save_enhancer, name=name) for name in TINY},
    **{name: partial(save_hf, name=name) for name in (*EVERY, *DEEP)},
    **{name: partial(_whole, name=name) for name in TOWERS},
    **{name: partial(save_s3prl, name=name) for name in SAVE},
}
"""What writes the model of a name into a folder. ``asr`` is the Conformer of
speechbrain; other names are the enhancers', or those of `tiny_hf`, `tiny_towers` and
S3PRL."""


def save_tiny(folder: Path, name: str) -> Path:
    """Write a model of `MODELS` into ``folder/name``.

    Returns:
        What the option ``checkpoint`` takes: a folder or a file.
    """
    own = folder / name
    own.mkdir(parents=True)
    return MODELS[name](own)
