"""Load the audio encoder of a larger model, and none of the model's other weights."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel

from nserbench.errors import BadSpec, CheckpointMissing, NserbenchError
from nserbench.upstreams.loading.size_limit import SizeLimit
from nserbench.upstreams.loading.torch_files import BROKEN, reason, refuse_placeholders
from nserbench.upstreams.loading.transformers import (
    KNOWN,
    disable_random_skips,
    quiet_library,
    refuse_incomplete,
)


def tower_class(name: str) -> Any:
    """Return a class ``module:class`` of ``transformers.models``; AutoModel for none.

    Raises:
        BadSpec: if this version of transformers does not have it.
    """
    if not name:
        return AutoModel
    module, _, kind = name.partition(":")
    try:
        return getattr(importlib.import_module(f"transformers.models.{module}"), kind)
    except (AttributeError, ImportError) as error:
        raise BadSpec(
            f"the installed transformers has no {kind}: {error}\n"
            "  a newer one: pip install --upgrade transformers"
        ) from error


def load_tower(
    kind: Any, shards: Sequence[Path], path: Sequence[str], prefixes: Sequence[str]
) -> PreTrainedModel:
    """Load an encoder from the files of a larger model, in float32.

    Args:
        kind: The encoder's class.
        shards: Files with its weights, in one folder with ``config.json``.
        path: Attributes from the model's configuration to the encoder's.
        prefixes: What the names of its weights may begin with.

    Raises:
        BadSpec: if transformers does not know the model.
        CheckpointMissing: if the weights cannot be read, or are incomplete.
    """
    quiet_library()
    refuse_placeholders(shards)
    folder = shards[0].parent
    try:
        config: Any = AutoConfig.from_pretrained(folder, **KNOWN)
        for attribute in path:
            config = getattr(config, attribute)
        disable_random_skips(config)
        weights = _weights(shards, prefixes)
        with SizeLimit(shards):
            model, report = kind.from_pretrained(
                None,
                config=config,
                state_dict=weights,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except NserbenchError:
        raise
    except (AttributeError, StrictDataclassError, ValueError) as error:
        raise BadSpec(f"{folder} is no model for {kind.__name__}: {error}") from error
    except (*BROKEN, SafetensorError) as error:
        raise CheckpointMissing(
            f"the weights in {folder} cannot be read: {reason(error)}"
        ) from error
    refuse_incomplete(model, report, folder)
    return model.eval()


def _weights(shards: Sequence[Path], prefixes: Sequence[str]) -> dict[str, Tensor]:
    """Return the tensors of a part by their names without prefix."""
    weights = {}
    for shard in shards:
        with safe_open(shard, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dictionary
                for prefix in prefixes:
                    if name.startswith(prefix):
                        weights[name.removeprefix(prefix)] = file.get_tensor(name)
    return weights
