"""Any speech model of transformers: an encoder, or an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForSpeechSeq2Seq,
    DynamicCache,
    EncoderDecoderCache,
    GenerationConfig,
    PreTrainedModel,
    SequenceFeatureExtractor,
)

from nserbench.cards import Options
from nserbench.errors import BadSpec
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    Upstream,
    eval_mode,
)
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.huggingface.config import (
    Reading,
    as_checkpoint,
    describe_hf,
    read_checkpoint,
)
from nserbench.upstreams.huggingface.families import Family
from nserbench.upstreams.huggingface.frames import Pieces
from nserbench.upstreams.huggingface.inputs import MAKERS
from nserbench.upstreams.loading.hub import checkpoint_folder, read_config
from nserbench.upstreams.loading.shards import shards_with
from nserbench.upstreams.loading.towers import load_tower, tower_class
from nserbench.upstreams.loading.transformers import (
    load_extractor,
    load_pretrained,
    load_tokenizer,
)
from nserbench.upstreams.recorded_layers import LayerRecorder
from nserbench.upstreams.whisper import Whisper, languages_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_TOKENS = 224
"""Tokens of the longest transcript, end-of-text included, as for Whisper."""

TOKENS = (
    "bos_token_id",
    "decoder_start_token_id",
    "eos_token_id",
    "pad_token_id",
    "forced_bos_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
    "bad_words_ids",
)
"""Settings of a checkpoint that say which tokens begin and end its transcripts, and
which it never writes."""

POSITIONS = ("max_position_embeddings", "max_target_positions")
"""Names in configurations of the highest number of tokens that a decoder reads."""


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


def known_languages(options: Options) -> frozenset[str] | None:
    """Return the languages that a Whisper knows; None for any other checkpoint."""
    if read_config(options["id"], options["revision"]).get("model_type") == "whisper":
        return languages_of(as_checkpoint(options))
    return None


class SpeechEncoder(Upstream):
    """The layers of an encoder such as wav2vec 2.0, alone or in a larger model.

    Audio is prepared as the checkpoint's ``preprocessor_config.json`` says. Layer 0
    is the input of block 1: the projected output of the convolutions, with positions
    added. The last layer is the encoder's output: after its final layer norm if it has
    one, and before anything that shortens the time axis.

    In training mode LayerDrop and SpecAugment stay off.

    Args:
        options: ``checkpoint`` and ``revision``.
        blocks: Keep only that many of its first blocks; None for all.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if transformers has no such encoder for audio at `SAMPLE_RATE`.
    """

    thread_safe = False  # until the checkpoint is known

    def __init__(
        self, options: Options, device: str, blocks: int | None = None
    ) -> None:
        super().__init__(options, device)
        self._reading = read_checkpoint(options)
        model, folder = _load_encoder(self._reading, options)
        if blocks is not None:
            self._reading = self._reading.first(blocks)
            stack = model.get_submodule(self._reading.family.blocks)
            assert isinstance(stack, nn.ModuleList)  # noqa: S101 - in every family
            del stack[blocks:]
        self._extractor = load_extractor(folder)
        self.model: PreTrainedModel = model.to(device)
        family, config = self._reading.family, self._reading.config
        self._together = family.takes_batches(config)
        self.thread_safe = family.thread_safe
        self._recorder = _recorder(self.model, family)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``encoder``."""
        if self._together:
            states = self._states(batch.waves)
        else:
            states = [self._pieces(wave) for wave in batch.waves]
        return {"encoder": _group(states, self._reading.groups["encoder"])}

    def _pieces(self, wave: NDArray[np.float32]) -> Tensor:
        """Return ``(layers, frames, dim)`` of a wave, read in pieces if it is long."""
        pieces = _cut(wave, self._reading.pieces)
        return torch.cat([self._states([piece])[0] for piece in pieces], dim=1)

    def _states(self, waves: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        """Return ``(layers, frames, dim)`` of each wave, without padding."""
        inputs = _inputs(self._reading, self._extractor, waves, self.model)
        with self._recorder.recording() as layers:
            self.model(**inputs)
        return _valid(self._reading, layers, waves)


class SpeechEncoderDecoder(Transcriber):
    """The layers of an encoder over audio, and of a decoder over its transcript.

    The transcript is that of a greedy search, at most `MOST_TOKENS` long, without the
    tokens that the checkpoint's ``generation_config.json`` suppresses. One pass over
    the chosen tokens returns all decoder layers. Decoder frames are as in `Whisper`:
    one for each chosen token, end-of-text included, at the position from which it was
    predicted. A token that the checkpoint forces to be the first has none.

    Encoder, options and errors are as in `SpeechEncoder`. Utterances run one by one.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._reading = read_checkpoint(options)
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self._extractor = load_extractor(folder)
        model = load_pretrained(AutoModelForSpeechSeq2Seq, folder)
        self.model: PreTrainedModel = model.to(device)
        self.model.generation_config = greedy_settings(model, options["checkpoint"])
        self._recorder = _recorder(self.model.get_encoder(), self._reading.family)
        self._decoder = getattr(model.config, "decoder", model.config)
        self._tokenizer = load_tokenizer(folder, self._decoder.vocab_size)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return both groups; ``encoder`` alone, without a search, if it alone is read.

        In training both are returned: the random numbers that the head draws come after
        those of the decoder's dropout.
        """
        if batch.reads("decoder") or self.model.training:
            return self.forward_and_transcribe(batch).features
        states = [self._encode(wave)[0] for wave in batch.waves]
        return {"encoder": _group(states, self._reading.groups["encoder"])}

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Return the groups ``encoder`` and ``decoder``, and the greedy transcripts."""
        *halves, texts = zip(*map(self._utterance, batch.waves), strict=True)
        features = {
            name: _group(states, self._reading.groups[name])
            for name, states in zip(("encoder", "decoder"), halves, strict=True)
        }
        return Recognised(features, texts)

    def _utterance(self, wave: NDArray[np.float32]) -> tuple[Tensor, Tensor, str]:
        """Return both groups, ``(layers, frames, dim)``, and the transcript."""
        states, read = self._encode(wave)
        with eval_mode(self.model):
            tokens = self._search(read)
        decoded = self.model(
            **read,
            decoder_input_ids=tokens[:, :-1],
            output_hidden_states=True,
            use_cache=False,
        ).decoder_hidden_states
        return (
            states,
            torch.stack(decoded)[:, 0, self._forced :],
            self._tokenizer.decode(tokens[0], skip_special_tokens=True).strip(),
        )

    def _encode(self, wave: NDArray[np.float32]) -> tuple[Tensor, dict[str, Any]]:
        """Return the encoder's states, ``(layers, frames, dim)``, and what is decoded.

        The latter are arguments for the whole model.
        """
        encoder = self.model.get_encoder()
        inputs = _inputs(self._reading, self._extractor, [wave], encoder)
        with self._recorder.recording() as layers:
            encoded = encoder(**inputs)
        mask = inputs.get("attention_mask")
        states = _valid(self._reading, layers, [wave])[0]
        return states, {"encoder_outputs": encoded, "attention_mask": mask}

    @property
    def _forced(self) -> int:
        """Tokens, such as that of a language, that are set and not predicted."""
        return int(self.model.generation_config.forced_bos_token_id is not None)

    @torch.no_grad()
    def _search(self, read: Mapping[str, Any]) -> Tensor:
        """Return the start token and the chosen tokens, ``(1, tokens)``."""
        positions = [getattr(self._decoder, key, None) for key in POSITIONS]
        limits = [MOST_TOKENS + self._forced, *filter(None, positions)]
        tokens: Tensor = self.model.generate(
            **read,
            max_new_tokens=min(limits),
            # The default cache has as many layers as the encoder, not as the decoder.
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
        )
        return tokens


def greedy_settings(model: PreTrainedModel, checkpoint: str) -> GenerationConfig:
    """Return settings of a greedy search with the checkpoint's own tokens.

    Its other settings, such as beams and penalties for repetition, are not used: a
    decoder frame is then a token that was the most probable one.

    Raises:
        BadSpec: if it does not say which token begins and which ends a transcript.
    """
    its = model.generation_config
    start = its.decoder_start_token_id
    if start is None:
        start = its.bos_token_id
    if start is None or its.eos_token_id is None:
        which = "begins" if start is None else "ends"
        key = "decoder_start_token_id" if start is None else "eos_token_id"
        raise BadSpec(
            f"{checkpoint} does not say which token {which} a transcript\n"
            f"  wanted: {key} in its generation_config.json or config.json"
        )
    kept = {key: getattr(its, key) for key in TOKENS if getattr(its, key) is not None}
    return GenerationConfig(**kept, do_sample=False, num_beams=1)


def _load_encoder(reading: Reading, options: Options) -> tuple[PreTrainedModel, Path]:
    """Load the encoder of a checkpoint, and return its folder, too."""
    place, kind = reading.place, tower_class(reading.family.tower)
    checkpoint, revision = options["checkpoint"], options["revision"]
    if not place.weights:
        folder = checkpoint_folder(checkpoint, revision)
        return load_pretrained(kind, folder), folder
    shards = shards_with(checkpoint, revision, place.weights)
    return load_tower(kind, shards, place.path, place.weights), shards[0].parent


def _recorder(encoder: nn.Module, family: Family) -> LayerRecorder:
    blocks = list(encoder.get_submodule(family.blocks).children())
    return LayerRecorder(
        blocks, encoder.get_submodule(family.norm) if family.norm else None
    )


def _inputs(
    reading: Reading,
    extractor: SequenceFeatureExtractor,
    waves: Sequence[NDArray[np.float32]],
    encoder: PreTrainedModel,
) -> dict[str, Tensor | None]:
    """Prepare waves for an encoder, on its device."""
    made = MAKERS[reading.family.inputs](extractor, waves, encoder.config)
    return {
        name: value if value is None else value.to(encoder.device)
        for name, value in made.items()
    }


def _cut(wave: NDArray[np.float32], pieces: Pieces | None) -> list[NDArray[np.float32]]:
    """Cut a wave into pieces of what an encoder reads at once."""
    if pieces is None or len(wave) <= pieces.window:
        return [wave]
    starts = range(0, len(wave) - pieces.least + 1, pieces.step)
    return [wave[start : start + pieces.window] for start in starts]


def _valid(
    reading: Reading, layers: Sequence[Tensor], waves: Sequence[NDArray[np.float32]]
) -> list[Tensor]:
    """Return ``(layers, frames, dim)`` of each wave, without padding.

    Raises:
        BadSpec: if there are fewer frames than the audio has.
    """
    states = torch.stack(list(layers))
    # Some encoders cut a clip into rows of a batch, or have no batch.
    rows = states.reshape(len(layers), len(waves), -1, states.shape[-1])
    found = []
    for row, wave in enumerate(waves):
        over_time = reading.family.over_time(reading.config, rows[:, row])
        frames = reading.frames(len(wave))
        if not 1 <= frames <= over_time.shape[1]:
            raise BadSpec(
                f"the model returns {over_time.shape[1]} frames for {len(wave)} "
                f"samples, but its config.json describes {frames}\n"
                "  wanted: configuration and feature extractor of one model"
            )
        found.append(over_time[:, :frames])
    return found


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
