"""Load checkpoints of transformers in float32; incomplete ones raise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
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

from nserbench.errors import (
    BadSpec,
    CheckpointMissing,
    MissingExtra,
    NserbenchError,
)
from nserbench.upstreams.base import SAMPLE_RATE
from nserbench.upstreams.loading.size_limit import SizeLimit
from nserbench.upstreams.loading.torch_files import (
    BROKEN,
    reason,
    refuse_placeholders,
    torch_file,
)

KNOWN = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is downloaded here, and no code of a checkpoint is run."""

RANDOM_SKIPS = (
    "layerdrop",
    "encoder_layerdrop",
    "decoder_layerdrop",
    "speech_encoder_layerdrop",
    "mask_time_prob",
    "mask_feature_prob",
)
"""Settings by which a model in training skips layers (LayerDrop) or masks its input
(SpecAugment). LayerDrop would change the number of hidden states."""


def load_pretrained(kind: Any, folder: Path) -> PreTrainedModel:
    """Load a checkpoint in evaluation mode, with every setting of `RANDOM_SKIPS` at 0.

    Args:
        kind: One of the auto classes of transformers, such as ``AutoModel``.

    Raises:
        BadSpec: if transformers knows no such model.
        CheckpointMissing: if the weights cannot be read, or are incomplete.
    """
    quiet_library()
    safe = sorted(folder.glob("*.safetensors"))
    refuse_placeholders(safe)
    pickled = sorted(folder.glob("pytorch_model*.bin"))
    for file in pickled:
        with torch_file(file):
            pass  # the checks are made on entry
    try:
        config = AutoConfig.from_pretrained(folder, **KNOWN)
        disable_random_skips(config)
        with SizeLimit(safe or pickled):
            model, report = kind.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                output_loading_info=True,
                **KNOWN,
            )
    except NserbenchError:
        raise
    except ValueError as error:
        raise BadSpec(f"{folder} is no model for {kind.__name__}: {error}") from error
    except (*BROKEN, SafetensorError, StrictDataclassError) as error:
        raise CheckpointMissing(
            f"the weights in {folder} cannot be read: {reason(error)}"
        ) from error
    refuse_incomplete(model, report, folder)
    return model.eval()


def quiet_library() -> None:
    """Let transformers print nothing while it loads."""
    disable_progress_bar()  # it would disturb our own progress bar
    set_verbosity_error()  # else it lists unused weights of other tasks


def refuse_incomplete(
    model: PreTrainedModel, report: Mapping[str, Any], folder: Path
) -> None:
    """Refuse weights that do not fit the configuration, or are not numbers.

    Args:
        report: The loading info of transformers.

    Raises:
        CheckpointMissing: if tensors are missing, or there are blocks that the
            configuration does not count, or values are NaN or infinite.
    """
    if missing := sorted(report["missing_keys"]):
        raise CheckpointMissing(
            f"the weights in {folder} are incomplete\n"
            f"  {len(missing)} tensors are missing, such as {missing[0]}"
        )
    # Names that differ from one of the model only in the number of a block.
    known = {_without_numbers(name, model) for name in model.state_dict()}
    if more := sorted(
        name
        for name in report["unexpected_keys"]
        if _without_numbers(name, model) in known
    ):
        raise CheckpointMissing(
            f"the weights in {folder} have more layers than its config.json says\n"
            f"  {len(more)} tensors would not be used, such as {more[0]}\n"
            "  wanted: config.json and weights of one model"
        )
    for name, weights in model.named_parameters():
        if not bool(weights.isfinite().all()):
            raise CheckpointMissing(
                f"the weights in {folder} have values that are NaN or infinite, "
                f"such as in {name}\n"
                "  wanted: the weights as the model's authors publish them"
            )


def _without_numbers(name: str, model: PreTrainedModel) -> str:
    bare = name.removeprefix(f"{model.base_model_prefix}.")
    return re.sub(r"\d+", "#", bare)


def load_extractor(folder: Path) -> SequenceFeatureExtractor:
    """Load the feature extractor of a checkpoint, which prepares its audio.

    Raises:
        CheckpointMissing: if the checkpoint has none.
        BadSpec: if it needs audio at another rate than `SAMPLE_RATE`.
        MissingExtra: if it computes with torchaudio, which is not installed.
    """
    try:
        extractor = AutoFeatureExtractor.from_pretrained(folder, **KNOWN)
    except (OSError, ValueError) as error:
        raise CheckpointMissing(
            f"{folder} does not say how to prepare its audio\n"
            "  wanted: preprocessor_config.json or processor_config.json, as its "
            "authors publish them"
        ) from error
    except ImportError as error:  # that of Granite Speech needs torchaudio
        if "torchaudio" not in str(error):
            raise
        raise MissingExtra(f"the audio of {folder}", "granite") from error
    rate = getattr(extractor, "sampling_rate", None)
    if rate != SAMPLE_RATE:
        raise BadSpec(f"{folder} reads audio at {rate} Hz, not at {SAMPLE_RATE}")
    return extractor


def load_tokenizer(folder: Path, vocabulary: int) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint.

    Args:
        vocabulary: Number of tokens in its weights.

    Raises:
        CheckpointMissing: if it has none that fits its weights.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **KNOWN)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise CheckpointMissing(
            f"{folder} has no tokenizer that can be loaded: {error}"
        ) from error
    # If files are missing, some types load a tokenizer of a few tokens. Vocabularies
    # are padded a little for the hardware, but never doubled.
    if 2 * len(tokenizer) < vocabulary:
        raise CheckpointMissing(
            f"{folder} has no tokenizer for its weights: it has {len(tokenizer)} "
            f"tokens, they have {vocabulary}\n"
            "  wanted: the tokenizer's files, as its authors publish them"
        )
    return tokenizer


def disable_random_skips(config: Any) -> None:
    """Set every setting of `RANDOM_SKIPS` to 0, in the nested configurations, too."""
    halves = (getattr(config, half, None) for half in ("encoder", "decoder"))
    for part in (config, *halves):
        for setting in RANDOM_SKIPS:
            if hasattr(part, setting):
                setattr(part, setting, 0.0)
