"""Whisper's decoder: a greedy search, and the states over the tokens that it chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache
from transformers.models.whisper.modeling_whisper import WhisperAttention

from nserbench.matmul import compute_threads

Attended: TypeAlias = Sequence[tuple[Tensor, Tensor]]
"""For each layer of the decoder, keys and values of the audio, each
``(utterances, heads, frames, dim)``."""

CLOSE = 1e-3
"""Two scores are close if they differ by at most this part of the range of all scores.

On a CPU the scores of an utterance differ by rounding when it is searched with others:
by at most 3.5e-6 of the range (Whisper tiny.en, 24 clips of EmoDB in babble at 0 dB,
all steps). Nearly 300 times as much leaves room for deeper models and for products by
other libraries. Of those steps 1.2 % were close.
"""


@dataclass(frozen=True, slots=True)
class WhisperDecoder:
    """The decoder of a Whisper.

    Attributes:
        model: The Whisper.
        end: The token that ends a text.
        bias: ``(vocabulary,)``, added to scores: -inf for a token that is never chosen.
        bias_first: The same for the first token.
    """

    model: WhisperForConditionalGeneration
    end: int
    bias: Tensor
    bias_first: Tensor

    def attended(self, encoded: Sequence[Tensor]) -> Attended:
        """Return what the decoder reads of the audio, with gradients.

        Args:
            encoded: Last encoder layers, each ``(utterances, frames, dim)``. Each is
                projected alone, so that its bits do not depend on the others.
        """
        layers = [layer.encoder_attn for layer in self.model.model.decoder.layers]
        return [
            (
                torch.cat([_heads(layer.k_proj(part), layer) for part in encoded]),
                torch.cat([_heads(layer.v_proj(part), layer) for part in encoded]),
            )
            for layer in layers
        ]

    def states(self, attended: Attended, tokens: Tensor) -> Sequence[Tensor]:
        """Return the states of each layer, ``(utterances, tokens, dim)``.

        They have gradients, and do not depend on later tokens: attention is causal.

        Args:
            attended: As `attended` returns it.
            tokens: ``(utterances, tokens)``, prompts included.
        """
        cache = _cache(attended)
        states: Sequence[Tensor] = self._run(
            tokens, cache, output_hidden_states=True
        ).hidden_states
        return states

    @torch.no_grad()
    def search(self, attended: Attended, prompts: Tensor, most: int) -> list[list[int]]:
        """Return the most probable token at each step, until end-of-text.

        Utterances are searched together, so that the weights are read once for all. On
        a CPU each gets the tokens that it gets alone: where its best two scores are
        close, the token is that of a pass over this utterance alone, up to there.

        `generate` of transformers is slower, and mixes settings of the checkpoint with
        those of the call.

        Args:
            attended: As `attended` returns it.
            prompts: ``(utterances, tokens)``.
            most: Most tokens of an utterance, end-of-text included.

        Returns:
            The tokens of each utterance, after its prompt.
        """
        found: list[list[int]] = prompts.tolist()
        rows, last, cache = list(range(len(found))), prompts, _cache(attended)
        with compute_threads(1):  # the products are small
            for step in range(most):
                best, close = self._best(last, cache, first=not step)
                for row, one in enumerate(rows):
                    if found[one][-1] == self.end:
                        continue
                    if close[row]:
                        best[row] = self._alone(attended, one, found[one], not step)
                    found[one].append(best[row])
                left = [n for n, one in enumerate(rows) if found[one][-1] != self.end]
                if not left:
                    break
                if 2 * len(left) <= len(rows):
                    rows = [rows[row] for row in left]
                    cache.batch_select_indices(self._on_device(left))
                last = self._on_device([found[one][-1:] for one in rows])
        return [tokens[prompts.shape[1] :] for tokens in found]

    def _run(self, tokens: Tensor, cache: EncoderDecoderCache, **wanted: bool) -> Any:
        """Run the decoder; what it reads of the audio is in the cache."""
        nothing = self.bias.new_empty(0)  # not read, but no audio is read without it
        return self.model.model.decoder(
            input_ids=tokens,
            encoder_hidden_states=nothing,
            past_key_values=cache,
            use_cache=True,
            **wanted,
        )

    def _best(
        self, tokens: Tensor, cache: EncoderDecoderCache, *, first: bool
    ) -> tuple[list[int], list[bool]]:
        """Return the best next token of each row, and whether another one is close.

        None is close on a GPU, where utterances are encoded together, too.
        """
        hidden = self._run(tokens, cache).last_hidden_state[:, -1:]
        scores = self.model.proj_out(hidden)[:, 0]
        low, high = scores.aminmax(dim=-1)
        best = (scores + (self.bias_first if first else self.bias)).topk(2)
        margin = best.values[:, 0] - best.values[:, 1]
        far = margin > CLOSE * (high - low)  # False for NaN
        close = ~far if scores.is_cpu else far.new_zeros(far.shape)
        return best.indices[:, 0].tolist(), close.tolist()

    def _alone(
        self, attended: Attended, one: int, tokens: Sequence[int], first: bool
    ) -> int:
        """Return the best token of an utterance after others, computed alone."""
        cache = _cache(rows_of(attended, slice(one, one + 1)))
        return self._best(self._on_device([tokens]), cache, first=first)[0][0]

    def _on_device(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(numbers, device=self.bias.device)


def rows_of(attended: Attended, rows: slice) -> Attended:
    """Return what is read of some of the utterances; no copy."""
    return [(keys[rows], values[rows]) for keys, values in attended]


def _heads(values: Tensor, layer: WhisperAttention) -> Tensor:
    shape = (*values.shape[:2], layer.num_heads, layer.head_dim)
    return values.view(shape).transpose(1, 2)


def _cache(attended: Attended) -> EncoderDecoderCache:
    """Return a cache with what is read of the audio, and without tokens."""
    audio = DynamicCache()
    for keys, values in attended:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values  # `update` would copy them
        audio.layers.append(layer)
    return EncoderDecoderCache(DynamicCache(), audio)
