"""Checkpoints of transformers, loaded whole and in float32, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    SequenceFeatureExtractor,
)
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.base import SAMPLE_RATE

KNOWN = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is fetched here, and no code that lies beside weights is run."""

CHANCE = (
    "layerdrop",
    "encoder_layerdrop",
    "decoder_layerdrop",
    "mask_time_prob",
    "mask_feature_prob",
)
"""Settings by which a model in training mode skips whole layers (LayerDrop) or blots
out its input (SpecAugment). The first would change the number of hidden states."""


def load_pretrained(kind: Any, folder: Path) -> PreTrainedModel:
    """Load a checkpoint in evaluation mode, with every setting of `CHANCE` at 0.

    Args:
        kind: One of the auto classes of transformers, such as ``AutoModel``.
        folder: Where the checkpoint lies.

    Raises:
        BadSpec: if transformers knows no such model.
        CheckpointMissing: if the weights cannot be read, or are not whole.
    """
    disable_progress_bar()  # it would cut through the one that shows the run
    set_verbosity_error()  # checkpoints hold heads of other tasks, listed at length
    try:
        config = AutoConfig.from_pretrained(folder, **KNOWN)
        _still(config)
        model, found = kind.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            output_loading_info=True,
            **KNOWN,
        )
    except ValueError as error:
        raise BadSpec(f"{folder} is no model for {kind.__name__}: {error}") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointMissing(
            f"the weights in {folder} cannot be read: {error}"
        ) from error
    if missing := sorted(found["missing_keys"]):
        raise CheckpointMissing(
            f"the weights in {folder} are not whole\n"
            f"  {len(missing)} tensors are missing, such as {missing[0]}"
        )
    return model.eval()


def load_extractor(folder: Path) -> SequenceFeatureExtractor:
    """Load what prepares audio as a checkpoint wants it.

    Raises:
        CheckpointMissing: if the checkpoint does not say how.
        BadSpec: if it wants audio at another rate than `SAMPLE_RATE`.
    """
    try:
        extractor = AutoFeatureExtractor.from_pretrained(folder, **KNOWN)
    except (OSError, ValueError) as error:
        raise CheckpointMissing(
            f"{folder} does not say how it wants its audio\n"
            "  wanted: preprocessor_config.json or processor_config.json, as its "
            "authors publish them"
        ) from error
    rate = getattr(extractor, "sampling_rate", None)
    if rate != SAMPLE_RATE:
        raise BadSpec(f"{folder} wants audio at {rate} Hz, not at {SAMPLE_RATE}")
    return extractor


def load_tokenizer(folder: Path, vocabulary: int) -> PreTrainedTokenizerBase:
    """Load what turns tokens into words.

    Args:
        folder: Where the checkpoint lies.
        vocabulary: How many tokens its weights have.

    Raises:
        CheckpointMissing: if it does not come with one for its weights.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **KNOWN)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise CheckpointMissing(
            f"{folder} has no tokenizer that can be loaded: {error}"
        ) from error
    # Some types give one of a few tokens for want of files. Vocabularies are padded a
    # little to please the hardware, never twofold.
    if 2 * len(tokenizer) < vocabulary:
        raise CheckpointMissing(
            f"{folder} has no tokenizer for its weights: it has {len(tokenizer)} "
            f"tokens, they have {vocabulary}\n"
            "  wanted: the tokenizer's files, as its authors publish them"
        )
    return tokenizer


def _still(config: Any) -> None:
    halves = (getattr(config, half, None) for half in ("encoder", "decoder"))
    for part in (config, *halves):
        for setting in CHANCE:
            if hasattr(part, setting):
                setattr(part, setting, 0.0)
