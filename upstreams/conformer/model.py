"""Conformer: every encoder and decoder layer of an ASR of speechbrain."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nserbench.cards import Options
from nserbench.errors import CheckpointMissing, NserbenchError
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    eval_mode,
)
from nserbench.upstreams.conformer.config import (
    FILE,
    LANGUAGE_MODEL,
    conformer_folder,
    conformer_weights,
    describe_conformer,
)
from nserbench.upstreams.conformer.safe_yaml import safe_hyperparams
from nserbench.upstreams.loading.size_limit import SizeLimit
from nserbench.upstreams.loading.torch_files import BROKEN, reason, torch_file
from nserbench.upstreams.recorded_layers import LayerRecorder

# On import, speechbrain would switch TF32 on for all models of the process.
os.environ.setdefault("SB_DISABLE_QUIRKS", "allow_tf32,disable_jit_profiling")

from speechbrain.inference.ASR import EncoderDecoderASR
from speechbrain.utils.checkpoints import torch_patched_state_dict_load
from speechbrain.utils.fetching import FetchConfig, LocalStrategy
from speechbrain.utils.importutils import DeprecatedModuleRedirect

# Old names of moved modules: they import the new ones, or fail to, as soon as a tool
# inspects all loaded modules. Nothing here needs the old names.
for _name, _module in list(sys.modules.items()):
    if isinstance(_module, DeprecatedModuleRedirect):
        del sys.modules[_name]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Conformer(Transcriber):
    """The layers of a Conformer over audio and over its own transcript.

    The decoder has states only for tokens, and the paper does not say which it reads.
    As for Whisper, we take the model's own transcript: greedy, without the language
    model, and at most as long as the checkpoint's ``max_decode_ratio`` allows. With
    ``search=beam`` it is that of the checkpoint's beam search, which also uses the
    language model. One pass over the chosen tokens (teacher forcing) then returns all
    layers.

    Decoder frames are the positions from which the transcript was predicted, one for
    each token chosen. The first is that of begin-of-sentence, the last that of the last
    token of the text, which predicts end-of-sentence. An empty transcript has one
    frame; one that was cut has no frame for its last token, which predicts none.

    Utterances run one by one: padding would change the convolutions' output.

    Args:
        options: ``checkpoint``, ``revision``, and ``search``: ``greedy`` or ``beam``.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if it is no such ASR, or its ``hyperparams.yaml`` names code that
            is not allowed.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        describe_conformer(options)  # raises if it is no such ASR
        asr = _load(options, device)
        searcher = asr.mods.decoder
        self.tokenizer = asr.tokenizer
        # For a very short clip a search would take no step.
        searcher.change_max_decoding_length = lambda least, most: (least, max(1, most))
        self.beam = searcher if options["search"] == "beam" else None
        self.start, self.end = searcher.bos_index, searcher.eos_index
        self.tokens_per_frame: float = searcher.max_decode_ratio
        self.encode, self.transformer = asr.mods.encoder, searcher.model
        self.output = searcher.fc
        self._encoder = _recorder(self.transformer.encoder)
        self._decoder = _recorder(self.transformer.decoder)
        # In training, LayerDrop would leave out the states of a layer.
        self.transformer.encoder.layerdrop_prob = 0.0
        # Without beam search, the language model is not kept.
        parts = nn.ModuleDict(
            {
                "front": nn.ModuleList(
                    _before_transformer(self.encode, self.transformer)
                ),
                "transformer": self.transformer,
                "output": self.output,
            }
        )
        self.model: nn.Module = asr.mods if self.beam else parts
        self.model.eval()

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return both groups; ``encoder`` alone, without a search, if it alone is read.

        In training both are returned: the random numbers that the head draws come after
        those of the decoder's dropout.

        Raises:
            ValueError: if a wave is empty.
        """
        if batch.reads("decoder") or self.model.training:
            return self.forward_and_transcribe(batch).features
        return {"encoder": LayerGroup.pad([self._encode(wave) for wave in batch.waves])}

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Return the groups ``encoder`` and ``decoder``, and the transcripts.

        Raises:
            ValueError: if a wave is empty.
        """
        encoded = [self._encode(wave) for wave in batch.waves]
        with eval_mode(self.model):
            tokens = [self._search(states[-1]) for states in encoded]
        decoded = [
            self._decode(chosen, states[-1])
            for chosen, states in zip(tokens, encoded, strict=True)
        ]
        texts = [self.tokenizer.decode_ids(chosen) for chosen in tokens]
        groups = {
            "encoder": LayerGroup.pad(encoded),
            "decoder": LayerGroup.pad(decoded),
        }
        return Recognised(groups, texts)

    def _encode(self, wave: NDArray[np.float32]) -> Tensor:
        """Return the encoder's states, ``(layers, frames, dim)``."""
        if not len(wave):
            raise ValueError("a wave must have samples, got none")
        samples = torch.from_numpy(wave).to(self.device)
        with self._encoder.recording() as states:
            self.encode(samples[None], torch.ones(1, device=self.device))
        return torch.cat(states)

    def _decode(self, chosen: Sequence[int], encoded: Tensor) -> Tensor:
        """Return the decoder's states over a transcript, ``(layers, tokens, dim)``."""
        tokens = [self.start, *chosen][: self._most_tokens(encoded)]
        # The method itself is wrapped in no_grad.
        decode = inspect.unwrap(type(self.transformer).decode)
        with self._decoder.recording() as states:
            decode(self.transformer, self._row(tokens), encoded[None])
        return torch.cat(states)

    @torch.no_grad()
    def _search(self, encoded: Tensor) -> list[int]:
        """Return the chosen tokens, without end-of-sentence.

        Args:
            encoded: ``(frames, dim)``, the last encoder layer.
        """
        if self.beam is not None:
            best, *_ = self.beam(encoded[None], torch.ones(1, device=self.device))
            return list(best[0])
        chosen: list[int] = []
        while len(chosen) < self._most_tokens(encoded):
            states, _ = self.transformer.decode(
                self._row([self.start, *chosen]), encoded[None]
            )
            token = int(self.output(states[0, -1]).argmax())
            if token == self.end:
                break
            chosen.append(token)
        return chosen

    def _most_tokens(self, encoded: Tensor) -> int:
        """Return the highest number of tokens, end-of-sentence included."""
        return max(1, int(len(encoded) * self.tokens_per_frame))

    def _row(self, tokens: Sequence[int]) -> Tensor:
        return torch.tensor([tokens], device=self.device)


def _load(options: Options, device: str) -> Any:
    """Load an EncoderDecoderASR without freezing its parameters."""
    weights = conformer_weights(options)
    values: dict[str, Any] = {
        "pretrainer": {
            "paths": {part: str(file.absolute()) for part, file in weights.items()},
            "conditions": {
                part: part in weights for part in (*weights, LANGUAGE_MODEL)
            },
        }
    }
    for part in weights.values():
        with torch_file(part):
            pass  # the checks are made on entry
    file = conformer_folder(options) / FILE
    with TemporaryDirectory() as folder:  # speechbrain writes next to the file
        (Path(folder) / FILE).write_text(safe_hyperparams(file, values), "utf-8")
        try:
            with SizeLimit(list(weights.values())):
                asr = EncoderDecoderASR.from_hparams(
                    source=folder,
                    savedir=folder,
                    local_strategy=LocalStrategy.NO_LINK,
                    fetch_config=FetchConfig(allow_network=False),
                    run_opts={"device": device},
                    freeze_params=False,
                )
        except NserbenchError:
            raise
        except BROKEN as error:
            raise CheckpointMissing(
                f"{file.parent} cannot be read: {reason(error)}"
            ) from error
    _check_complete(asr.hparams.pretrainer.loadables, weights)
    return asr


def _check_complete(parts: dict[str, Any], weights: dict[str, Path]) -> None:
    """Raise if a file lacks weights, which speechbrain would leave random."""
    for name, file in weights.items():
        if not isinstance(parts[name], nn.Module):
            continue
        stored = torch_patched_state_dict_load(file).keys()
        if missing := sorted(parts[name].state_dict().keys() - stored):
            raise CheckpointMissing(
                f"the weights in {file} are incomplete\n"
                f"  {len(missing)} tensors are missing, such as {missing[0]}"
            )


def _before_transformer(encoder: nn.Module, transformer: nn.Module) -> list[nn.Module]:
    """Return the parts of an encoder that come before its transformer."""
    return [part for part in encoder.children() if transformer not in part.modules()]


def _recorder(stack: nn.Module) -> LayerRecorder:
    layers: Any = stack.layers
    norm: Any = stack.norm
    return LayerRecorder(list(layers), norm)
