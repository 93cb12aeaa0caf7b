"""Conformer: every encoder and decoder layer of an ASR of speechbrain."""

from __future__ import annotations

import inspect
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nserbench.cards import Options
from nserbench.errors import CheckpointMissing
from nserbench.upstreams.base import (
    Batch,
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

# On import, speechbrain would switch TF32 on for all models of the process.
os.environ.setdefault("SB_DISABLE_QUIRKS", "allow_tf32,disable_jit_profiling")

from speechbrain.inference.ASR import EncoderDecoderASR
from speechbrain.utils.checkpoints import torch_patched_state_dict_load
from speechbrain.utils.fetching import FetchConfig, LocalStrategy
from speechbrain.utils.importutils import DeprecatedModuleRedirect

# They stand for modules that have moved, and import them, or fail to, as soon as a tool
# looks through all that is loaded. Nothing here needs the old names.
for _name, _module in list(sys.modules.items()):
    if isinstance(_module, DeprecatedModuleRedirect):
        del sys.modules[_name]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UNREADABLE = (EOFError, KeyError, OSError, RuntimeError, ValueError)


class Conformer(Transcriber):
    """The layers of a Conformer over audio and over its own transcript.

    The decoder has states only for tokens, and the paper does not say which it reads.
    As for Whisper, we take the model's own transcript: greedy, without the language
    model, and at most as long as the checkpoint's ``max_decode_ratio`` allows. With
    ``search=beam`` it is that of the checkpoint's own beam search, which reads the
    language model as well. One pass over the tokens found (teacher forcing) then gives
    all layers at once.

    Decoder frames are the positions from which the transcript was predicted, one for
    each token chosen. The first is that of begin-of-sentence, the last that of the last
    token of the text, which predicts end-of-sentence. An empty transcript has one
    frame; one that was cut short has no frame for its last token, which predicts none.

    Utterances are worked on one by one: padding would reach the convolutions.

    Args:
        options: ``checkpoint``, ``revision``, and ``search``: ``greedy`` or ``beam``.
        device: Where to compute, in float32, such as ``"cuda:0"``.

    Raises:
        CheckpointMissing: if it is neither here nor to be had, or is not whole.
        BadSpec: if it is no such ASR, or its ``hyperparams.yaml`` names code that is
            not run.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        describe_conformer(options)  # says so if it is no such ASR
        asr = _load(options, device)
        searcher = asr.mods.decoder
        self.tokenizer = asr.tokenizer
        # A very short clip would leave a search without a single step.
        searcher.change_max_decoding_length = lambda least, most: (least, max(1, most))
        self.beam = searcher if options["search"] == "beam" else None
        self.start, self.end = searcher.bos_index, searcher.eos_index
        self.tokens_per_frame: float = searcher.max_decode_ratio
        self.hear, self.transformer = asr.mods.encoder, searcher.model
        self.output = searcher.fc
        # In training, a dropped layer's state would be missing.
        self.transformer.encoder.layerdrop_prob = 0.0
        # Without a beam, the language model is left behind here.
        parts = nn.ModuleDict(
            {
                "front": nn.ModuleList(_in_front(self.hear, self.transformer)),
                "transformer": self.transformer,
                "output": self.output,
            }
        )
        self.model: nn.Module = asr.mods if self.beam else parts
        self.model.eval()

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Give the groups ``encoder`` and ``decoder``, and the transcripts.

        Raises:
            ValueError: if a wave is empty.
        """
        heard = [self._hear(wave) for wave in batch.waves]
        with eval_mode(self.model):
            said = [self._say(states[-1]) for states in heard]
        read = [
            self._read(tokens, states[-1])
            for tokens, states in zip(said, heard, strict=True)
        ]
        texts = [self.tokenizer.decode_ids(tokens) for tokens in said]
        return Recognised({"encoder": _group(heard), "decoder": _group(read)}, texts)

    def _hear(self, wave: NDArray[np.float32]) -> Tensor:
        """Give the encoder's states, ``(layers, frames, dim)``."""
        if not len(wave):
            raise ValueError("a wave must have samples, got none")
        samples = torch.from_numpy(wave).to(self.device)
        with _states(self.transformer.encoder) as states:
            self.hear(samples[None], torch.ones(1, device=self.device))
        return torch.cat(states)

    def _read(self, said: Sequence[int], heard: Tensor) -> Tensor:
        """Give the decoder's states over a transcript, ``(layers, tokens, dim)``."""
        tokens = [self.start, *said][: self._room(heard)]
        # The method itself is wrapped in no_grad.
        decode = inspect.unwrap(type(self.transformer).decode)
        with _states(self.transformer.decoder) as states:
            decode(self.transformer, self._row(tokens), heard[None])
        return torch.cat(states)

    @torch.no_grad()
    def _say(self, heard: Tensor) -> list[int]:
        """Choose tokens until end-of-sentence, which is not given.

        Args:
            heard: ``(frames, dim)``, the last encoder layer.
        """
        if self.beam is not None:
            best, *_ = self.beam(heard[None], torch.ones(1, device=self.device))
            return list(best[0])
        said: list[int] = []
        while len(said) < self._room(heard):
            states, _ = self.transformer.decode(
                self._row([self.start, *said]), heard[None]
            )
            token = int(self.output(states[0, -1]).argmax())
            if token == self.end:
                break
            said.append(token)
        return said

    def _room(self, heard: Tensor) -> int:
        """Give the most tokens that may be chosen, end-of-sentence included."""
        return max(1, int(len(heard) * self.tokens_per_frame))

    def _row(self, tokens: Sequence[int]) -> Tensor:
        return torch.tensor([tokens], device=self.device)


def _load(options: Options, device: str) -> Any:
    """Load an EncoderDecoderASR, its parameters untouched by speechbrain's freezing."""
    weights = conformer_weights(options)
    values: dict[str, Any] = {
        "pretrainer": {
            "paths": {part: str(file.absolute()) for part, file in weights.items()},
            "conditions": {
                part: part in weights for part in (*weights, LANGUAGE_MODEL)
            },
        }
    }
    file = conformer_folder(options) / FILE
    with TemporaryDirectory() as folder:  # speechbrain would write beside the file
        (Path(folder) / FILE).write_text(safe_hyperparams(file, values), "utf-8")
        try:
            asr = EncoderDecoderASR.from_hparams(
                source=folder,
                savedir=folder,
                local_strategy=LocalStrategy.NO_LINK,
                fetch_config=FetchConfig(allow_network=False),
                run_opts={"device": device},
                freeze_params=False,
            )
        except (*_UNREADABLE, pickle.UnpicklingError) as error:
            raise CheckpointMissing(f"{file.parent} cannot be read: {error}") from error
    _check_whole(asr.hparams.pretrainer.loadables, weights)
    return asr


def _check_whole(parts: dict[str, Any], weights: dict[str, Path]) -> None:
    """Refuse a file that lacks weights: speechbrain would leave them at random."""
    for name, file in weights.items():
        if not isinstance(parts[name], nn.Module):
            continue
        found = torch_patched_state_dict_load(file).keys()
        if missing := sorted(parts[name].state_dict().keys() - found):
            raise CheckpointMissing(
                f"the weights in {file} are not whole\n"
                f"  {len(missing)} tensors are missing, such as {missing[0]}"
            )


def _in_front(encoder: nn.Module, transformer: nn.Module) -> list[nn.Module]:
    """Give the parts of an encoder that stand before the transformer in it."""
    return [part for part in encoder.children() if transformer not in part.modules()]


@contextmanager
def _states(stack: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what enters a stack's first block and what each block puts out.

    The output of the last block is replaced by the normalised one.
    """
    states: list[Tensor] = []
    layers: Any = stack.layers
    norm: Any = stack.norm
    hooks = [
        layers[0].register_forward_pre_hook(lambda _, given: states.append(given[0])),
        *(
            layer.register_forward_hook(lambda _, __, out: states.append(out[0]))
            for layer in layers
        ),
        norm.register_forward_hook(lambda _, __, out: states.__setitem__(-1, out)),
    ]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def _group(states: Sequence[Tensor]) -> LayerGroup:
    """Put utterances of ``(layers, frames, dim)`` into one group, padded with zeros."""
    lengths = torch.tensor([one.shape[1] for one in states], device=states[0].device)
    padded = pad_sequence([one.transpose(0, 1) for one in states], batch_first=True)
    return LayerGroup(padded.permute(2, 0, 1, 3), lengths)
