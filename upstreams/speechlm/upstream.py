"""SpeechLM: every layer of its speech and of its unit transformer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nserbench.cards import Options
from nserbench.errors import BadSpec, NserbenchError
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream
from nserbench.upstreams.loading.size_limit import SizeLimit
from nserbench.upstreams.loading.torch_files import reason
from nserbench.upstreams.loading.torch_weights import fill, read_torch_weights
from nserbench.upstreams.speechlm.config import (
    checkpoint_file,
    read_speechlm_config,
)
from nserbench.upstreams.speechlm.network import SpeechLMModel

SHORTEST = 400
"""Samples of the first frame: 25 ms."""

_DICTIONARY = "fairseq.data.dictionary.Dictionary"
_PRE_TRAINING = (
    "final_proj_list.",
    "label_embs_list.",
    "mask_emb",
    "target_glu.",
    "unit_embed_tokens.",
    "unit_encoder.embed_tokens.",
    "unit_encoder.version",
    "unit_encoder_ctc_head.",
)
"""Prefixes of weights that are used only in pre-training."""


class SpeechLM(Upstream):
    """The layers of a SpeechLM (Zhang et al., arXiv:2209.15329) over audio.

    Utterances are run one by one, in float32: the first convolution of Base is
    normalised over the whole clip, so padding would change every frame.

    Args:
        options: ``checkpoint``, a ``.pt`` file of the authors: as training wrote it,
            or cleaned by them. No code that it names is run.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if it is no pre-trained SpeechLM, or holds more than plain data and
            training dictionaries.
    """

    thread_safe = True

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        file = checkpoint_file(options)
        with SizeLimit([file]):
            self.model: SpeechLMModel = _built(file)
        # Files written by training hold dictionaries, which are not needed here.
        weights = read_torch_weights(file, keep=("cfg", "model"), ignored=[_DICTIONARY])
        _refuse_unknown(self.model, weights, file)
        fill(self.model, weights, file)
        self.model.eval().to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the groups ``speech`` and ``unit``; padding is 0.

        Raises:
            ValueError: if a wave has fewer than `SHORTEST` samples.
        """
        for wave in batch.waves:
            if len(wave) < SHORTEST:
                raise ValueError(
                    f"a wave must have at least {SHORTEST} samples, got {len(wave)}"
                )
        pairs = [
            self.model(torch.as_tensor(wave, device=self.device)[None])
            for wave in batch.waves
        ]
        return {
            "speech": LayerGroup.pad([speech[:, 0] for speech, _ in pairs]),
            "unit": LayerGroup.pad([unit[:, 0] for _, unit in pairs]),
        }


def _built(file: Path) -> SpeechLMModel:
    """Build the model that a checkpoint describes, without its weights.

    Raises:
        BadSpec: if its sizes do not fit together.
    """
    config = read_speechlm_config(file)
    try:
        return SpeechLMModel(config)
    except NserbenchError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadSpec(f"{file} is no known SpeechLM: {reason(error)}") from error


def _refuse_unknown(
    model: SpeechLMModel, weights: Mapping[str, Tensor], file: Path
) -> None:
    unknown = sorted(filter(_is_unknown, weights.keys() - model.state_dict().keys()))
    if unknown:
        raise BadSpec(
            f"{file} is no pre-trained SpeechLM\n"
            f"  {len(unknown)} tensors have no place in one, such as {unknown[0]}"
        )


def _is_unknown(name: str) -> bool:
    # Post-norm blocks have a norm_k that they never use.
    return not name.startswith(_PRE_TRAINING) and ".norm_k." not in name
