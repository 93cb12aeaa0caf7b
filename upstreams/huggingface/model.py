"""Any speech model of transformers: an encoder, or an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForSpeechSeq2Seq,
    DynamicCache,
    EncoderDecoderCache,
    PreTrainedModel,
    SequenceFeatureExtractor,
)

from nserbench.cards import Options
from nserbench.errors import BadSpec
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    GroupSpec,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    Upstream,
    eval_mode,
)
from nserbench.upstreams.huggingface.config import (
    as_checkpoint,
    describe_checkpoint,
    describe_hf,
)
from nserbench.upstreams.loading.hub import checkpoint_folder, read_config
from nserbench.upstreams.loading.transformers import (
    load_extractor,
    load_pretrained,
    load_tokenizer,
)
from nserbench.upstreams.whisper import Whisper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_TOKENS = 224
"""Tokens of the longest transcript, end-of-text included, as for Whisper."""

POSITIONS = ("max_position_embeddings", "max_target_positions")
"""Names in configurations of the highest number of tokens that a decoder reads."""

PADDED = frozenset({"hubert", "wav2vec2"})
"""Types that read a batch at once if they use layer norm: a test shows that padding
then does not change their features. Group norm is over time, and so over padding.
WavLM is not in this list, since it masks padding in a way that torch deprecates."""


def load(options: Options, device: str) -> Upstream:
    """Load any checkpoint of transformers; a Whisper is loaded as `Whisper`.

    Args:
        options: ``id`` and ``revision``.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if transformers has no speech model of its kind.
    """
    checkpoint = as_checkpoint(options)
    if read_config(options["id"], options["revision"]).get("model_type") == "whisper":
        return Whisper(checkpoint, device)
    writes = describe_hf(options).transcribes
    return (SpeechEncoderDecoder if writes else SpeechEncoder)(checkpoint, device)


class SpeechEncoder(Upstream):
    """The layers of an encoder such as wav2vec 2.0, HuBERT or WavLM.

    Audio is normalised as the checkpoint's ``preprocessor_config.json`` says. Layer 0
    is the input of block 1: the projected output of the convolutions, with positions
    added. The last layer is the encoder's output: after its final layer norm if it has
    one, and before any adapter that shortens the time axis.

    In training mode LayerDrop and SpecAugment stay off.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if transformers has no such encoder for audio at `SAMPLE_RATE`.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._described = describe_checkpoint(options)
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self._extractor = load_extractor(folder)
        self.model: PreTrainedModel = load_pretrained(AutoModel, folder).to(device)
        config = self.model.config
        self._padded = (
            config.model_type in PADDED and config.feat_extract_norm == "layer"
        )

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``encoder``."""
        batches = [batch.waves] if self._padded else [[wave] for wave in batch.waves]
        states = [alone for waves in batches for alone in self._states(waves)]
        return {"encoder": _group(states, self._described["encoder"])}

    def _states(self, waves: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        """Return ``(layers, frames, dim)`` of each wave."""
        inputs = _inputs(self._extractor, waves, self.device)
        states = torch.stack(_encode(self.model, inputs)[1])
        if not self._padded:
            return [states[:, 0, : _valid(inputs, states.shape[2])]]
        config = self.model.config
        windows = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        return [
            states[:, index, : _convolved(len(wave), windows)]
            for index, wave in enumerate(waves)
        ]


class SpeechEncoderDecoder(Transcriber):
    """The layers of an encoder over audio, and of a decoder over its transcript.

    The transcript is that of a greedy search, at most `MOST_TOKENS` long, within the
    limits of the checkpoint's ``generation_config.json``. One pass over the chosen
    tokens returns all decoder layers. Decoder frames are as in `Whisper`: one for each
    chosen token, end-of-text included, at the position from which it was predicted.

    Encoder, options and errors are as in `SpeechEncoder`. Utterances run one by one.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._described = describe_checkpoint(options)
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self._extractor = load_extractor(folder)
        model = load_pretrained(AutoModelForSpeechSeq2Seq, folder)
        self.model: PreTrainedModel = model.to(device)
        self._decoder = getattr(model.config, "decoder", model.config)
        self._tokenizer = load_tokenizer(folder, self._decoder.vocab_size)

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Return the groups ``encoder`` and ``decoder``, and the greedy transcripts."""
        *halves, texts = zip(*map(self._utterance, batch.waves), strict=True)
        features = {
            name: _group(states, self._described[name])
            for name, states in zip(("encoder", "decoder"), halves, strict=True)
        }
        return Recognised(features, texts)

    def _utterance(self, wave: NDArray[np.float32]) -> tuple[Tensor, Tensor, str]:
        """Return both groups, ``(layers, frames, dim)``, and the transcript."""
        inputs = _inputs(self._extractor, [wave], self.device)
        encoded, layers = _encode(self.model.get_encoder(), inputs)
        mask = inputs.get("attention_mask")
        encoder = {"encoder_outputs": encoded, "attention_mask": mask}
        with eval_mode(self.model):
            tokens = self._search(encoder)
        decoded = self.model(
            **encoder,
            decoder_input_ids=tokens[:, :-1],
            output_hidden_states=True,
            use_cache=False,
        ).decoder_hidden_states
        states = torch.stack(layers)[:, 0]
        return (
            states[:, : _valid(inputs, states.shape[1])],
            torch.stack(decoded)[:, 0],
            self._tokenizer.decode(tokens[0], skip_special_tokens=True).strip(),
        )

    @torch.no_grad()
    def _search(self, encoder: Mapping[str, Any]) -> Tensor:
        """Return the start token and the chosen tokens, ``(1, tokens)``."""
        limits = [getattr(self._decoder, key, None) or MOST_TOKENS for key in POSITIONS]
        tokens: Tensor = self.model.generate(
            **encoder,
            do_sample=False,
            num_beams=1,
            max_new_tokens=min(MOST_TOKENS, *limits),
            # The default cache has as many layers as the encoder, not as the decoder.
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
        )
        return tokens


def _inputs(
    extractor: SequenceFeatureExtractor,
    waves: Sequence[NDArray[np.float32]],
    device: str,
) -> Mapping[str, Tensor]:
    """Prepare waves for the checkpoint, with a mask if there is padding."""
    inputs = extractor(
        list(waves),
        sampling_rate=SAMPLE_RATE,
        padding=True,
        return_attention_mask=True,
        return_tensors="pt",
    ).to(device)
    return {
        key: value
        for key, value in inputs.items()
        if key != "attention_mask" or not value.all()  # any mask makes WavLM warn
    }


def _encode(
    encoder: nn.Module, inputs: Mapping[str, Tensor]
) -> tuple[Any, list[Tensor]]:
    """Run an encoder.

    Returns:
        Its output object, and its layers, ``(batch, frames, dim)`` each.
    """
    adapter = getattr(encoder, "adapter", None) or nn.Identity()
    into_adapter: list[Tensor] = []
    with adapter.register_forward_pre_hook(
        lambda _, args: into_adapter.append(args[0])
    ):
        output = encoder(**inputs, output_hidden_states=True)
    layers = list(output.hidden_states)
    last = into_adapter[0] if into_adapter else output.last_hidden_state
    if last.shape == layers[-1].shape:  # SEW upsamples after the last block
        layers[-1] = last
    return output, layers


def _convolved(samples: int, windows: Sequence[tuple[int, int]]) -> int:
    """Return the number of frames after convolutions of some kernels and strides."""
    for kernel, stride in windows:
        samples = (samples - kernel) // stride + 1
    return samples


def _valid(inputs: Mapping[str, Tensor], frames: int) -> int:
    """Return the number of valid frames of one utterance.

    Some extractors pad even a single utterance, to a multiple of their frames.
    """
    mask = inputs.get("attention_mask")
    if mask is None or mask.shape[1] != frames:
        return frames
    return int(mask.sum())


def _group(states: Sequence[Tensor], described: GroupSpec) -> LayerGroup:
    """Pad utterances, ``(layers, frames, dim)`` each, with zeros to the longest.

    Raises:
        BadSpec: if layers or width differ from the configuration.
    """
    layers, _, dim = states[0].shape
    if (layers, dim) != (len(described.layers), described.dim):
        raise BadSpec(
            f"the model returns {layers} layers of width {dim}, but its config.json "
            f"describes {len(described.layers)} of {described.dim}"
        )
    if len(states) > 1:
        return LayerGroup.pad(states)
    # One utterance, as always on a CPU: without a copy. The order in which means are
    # summed depends on the memory layout, and so their last bits.
    lengths = torch.tensor([states[0].shape[1]], device=states[0].device)
    return LayerGroup(states[0].unsqueeze(1), lengths)
