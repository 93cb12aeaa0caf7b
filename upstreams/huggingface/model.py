"""Any speech model of transformers: an encoder alone, or with a decoder that writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
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
    hf_transcribes,
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
"""How configurations name the most tokens that a decoder can read."""

PADDED = frozenset({"hubert", "wav2vec2"})
"""Types that hear a batch at once where they use layer norm: a test shows that padding
then stays out of their features. Group norm is over time, and so over padding. WavLM
is left out, since it masks padding in a way that torch is to drop."""


def load(options: Options, device: str) -> Upstream:
    """Load any checkpoint of transformers; a Whisper becomes our own.

    Args:
        options: ``id`` and ``revision``.
        device: Where to compute, in float32, such as ``"cuda:0"``.

    Raises:
        CheckpointMissing: if it is neither here nor to be had, or is not whole.
        BadSpec: if transformers has no speech model of its kind.
    """
    known = as_checkpoint(options)
    if read_config(options["id"], options["revision"]).get("model_type") == "whisper":
        return Whisper(known, device)
    if hf_transcribes(options):
        return SpeechEncoderDecoder(known, device)
    return SpeechEncoder(known, device)


class SpeechEncoder(Upstream):
    """The layers of an encoder such as wav2vec 2.0, HuBERT or WavLM.

    Audio is normalised as the checkpoint's own ``preprocessor_config.json`` says. Layer
    0 is what enters block 1: the projected output of the convolutions, with positions
    added. The last layer is as the encoder puts it out, so behind its closing layer
    norm where it has one, and before any adapter that shortens the time axis.

    In training mode LayerDrop and SpecAugment stay off.

    Args:
        options: ``checkpoint`` and ``revision``.
        device: Where to compute, in float32, such as ``"cuda:0"``.

    Raises:
        CheckpointMissing: if it is neither here nor to be had, or is not whole.
        BadSpec: if transformers has no such encoder for audio at `SAMPLE_RATE`.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._said = describe_checkpoint(options)
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self._extractor = load_extractor(folder)
        self.model: PreTrainedModel = load_pretrained(AutoModel, folder).to(device)
        config = self.model.config
        self._padded = (
            config.model_type in PADDED and config.feat_extract_norm == "layer"
        )

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Give the group ``encoder``."""
        parts = [batch.waves] if self._padded else [[wave] for wave in batch.waves]
        states = [one for waves in parts for one in self._states(waves)]
        return {"encoder": _group(states, self._said["encoder"])}

    def _states(self, waves: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        """Give ``(layers, frames, dim)`` of each wave."""
        inputs = _inputs(self._extractor, waves, self.device)
        states = torch.stack(_hear(self.model, inputs)[1])
        if not self._padded:
            return [states[:, 0, : _valid(inputs, states.shape[2])]]
        config = self.model.config
        windows = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        return [
            states[:, place, : _convolved(len(wave), windows)]
            for place, wave in enumerate(waves)
        ]


class SpeechEncoderDecoder(Transcriber):
    """The layers of an encoder over audio, and of a decoder over its transcript.

    The transcript is found by greedy search, at most `MOST_TOKENS` long, within what
    the checkpoint's own ``generation_config.json`` allows. One pass over the tokens
    found gives all decoder layers at once. Decoder frames are as in `Whisper`: one for
    each token chosen, end-of-text included, at the position it was predicted from.

    The encoder is as in `SpeechEncoder`. Utterances are heard one by one.

    Args:
        options: ``checkpoint`` and ``revision``.
        device: Where to compute, in float32, such as ``"cuda:0"``.

    Raises:
        CheckpointMissing: if it is neither here nor to be had, or is not whole.
        BadSpec: if transformers has no such model for audio at `SAMPLE_RATE`.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._said = describe_checkpoint(options)
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self._extractor = load_extractor(folder)
        model = load_pretrained(AutoModelForSpeechSeq2Seq, folder)
        self.model: PreTrainedModel = model.to(device)
        self._decoder = getattr(model.config, "decoder", model.config)
        self._tokenizer = load_tokenizer(folder, self._decoder.vocab_size)

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Give the groups ``encoder`` and ``decoder``, and the greedy transcripts."""
        *halves, texts = zip(*map(self._one, batch.waves), strict=True)
        features = {
            name: _group(states, self._said[name])
            for name, states in zip(("encoder", "decoder"), halves, strict=True)
        }
        return Recognised(features, texts)

    def _one(self, wave: NDArray[np.float32]) -> tuple[Tensor, Tensor, str]:
        """Give both groups, ``(layers, frames, dim)``, and the transcript."""
        inputs = _inputs(self._extractor, [wave], self.device)
        heard, layers = _hear(self.model.get_encoder(), inputs)
        mask = inputs.get("attention_mask")
        given = {"encoder_outputs": heard, "attention_mask": mask}
        with eval_mode(self.model):
            said = self._say(given)
        read = self.model(
            **given,
            decoder_input_ids=said[:, :-1],
            output_hidden_states=True,
            use_cache=False,
        ).decoder_hidden_states
        encoder = torch.stack(layers)[:, 0]
        return (
            encoder[:, : _valid(inputs, encoder.shape[1])],
            torch.stack(read)[:, 0],
            self._tokenizer.decode(said[0], skip_special_tokens=True).strip(),
        )

    @torch.no_grad()
    def _say(self, given: Mapping[str, Any]) -> Tensor:
        """Give the start token and those chosen, ``(1, tokens)``."""
        room = [getattr(self._decoder, key, None) or MOST_TOKENS for key in POSITIONS]
        said: Tensor = self.model.generate(
            **given,
            do_sample=False,
            num_beams=1,
            max_new_tokens=min(MOST_TOKENS, *room),
            # Its own would have as many layers as the encoder that came with a BART.
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
        )
        return said


def _inputs(
    extractor: SequenceFeatureExtractor,
    waves: Sequence[NDArray[np.float32]],
    device: str,
) -> Mapping[str, Tensor]:
    """Prepare waves as the checkpoint wants them, with a mask if there is padding."""
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


def _hear(encoder: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[Any, list[Tensor]]:
    """Run an encoder.

    Returns:
        What it puts out, and its layers, ``(batch, frames, dim)`` each.
    """
    adapter = getattr(encoder, "adapter", None) or nn.Identity()
    into_adapter: list[Tensor] = []
    with adapter.register_forward_pre_hook(
        lambda _, args: into_adapter.append(args[0])
    ):
        heard = encoder(**inputs, output_hidden_states=True)
    layers = list(heard.hidden_states)
    last = into_adapter[0] if into_adapter else heard.last_hidden_state
    if last.shape == layers[-1].shape:  # SEW undoes its squeezing after the last block
        layers[-1] = last
    return heard, layers


def _convolved(samples: int, windows: Sequence[tuple[int, int]]) -> int:
    """Give the frames that convolutions of some kernels and strides leave."""
    for kernel, stride in windows:
        samples = (samples - kernel) // stride + 1
    return samples


def _valid(inputs: Mapping[str, Tensor], frames: int) -> int:
    """Give the frames of one utterance that are no padding.

    Some extractors pad even a single one to a multiple of their frames.
    """
    mask = inputs.get("attention_mask")
    if mask is None or mask.shape[1] != frames:
        return frames
    return int(mask.sum())


def _group(states: Sequence[Tensor], said: GroupSpec) -> LayerGroup:
    """Pad utterances, ``(layers, frames, dim)`` each, with zeros to the longest.

    Raises:
        BadSpec: if they are not what the configuration said.
    """
    layers, _, dim = states[0].shape
    if (layers, dim) != (len(said.layers), said.dim):
        raise BadSpec(
            f"the model gives {layers} layers of {dim}, "
            f"but its config.json speaks of {len(said.layers)} of {said.dim}"
        )
    lengths = torch.tensor([one.shape[1] for one in states], device=states[0].device)
    if len(states) == 1:  # as always on a processor: spare it the copy
        return LayerGroup(states[0].unsqueeze(1), lengths)
    padded = pad_sequence([one.transpose(0, 1) for one in states], batch_first=True)
    return LayerGroup(padded.permute(2, 0, 1, 3), lengths)
