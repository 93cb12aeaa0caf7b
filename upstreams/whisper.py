"""Whisper: every encoder layer, every decoder layer, and the transcript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import (
    PreTrainedModel,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayerGroup,
    Recognised,
    Transcriber,
    eval_mode,
)
from nserbench.upstreams.loading.configs import describe_whisper
from nserbench.upstreams.loading.hub import checkpoint_folder
from nserbench.upstreams.loading.transformers import load_pretrained

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FRAME = 320
"""Samples for each encoder frame: a 10 ms hop, halved by the strided convolution."""

LONGEST = 30 * SAMPLE_RATE
"""Samples that Whisper hears at once."""

MOST_TOKENS = 224
"""Tokens of the longest transcript, end-of-text included: half of the decoder's
positions, which is the limit of OpenAI's own decoding."""

START, END = "<|startoftranscript|>", "<|endoftext|>"
TRANSCRIBE, NO_TIMESTAMPS = "<|transcribe|>", "<|notimestamps|>"
MULTILINGUAL_VOCABULARY = 51_865
"""Tokens from which on OpenAI's code takes a checkpoint for multilingual."""


class Whisper(Transcriber):
    """The layers of a Whisper over audio and over its own greedy transcript.

    The decoder has states only for tokens, and the paper lets it generate them
    (Sec. III-B) without saying how. We take the greedy transcript without timestamps,
    at most `MOST_TOKENS` long. One pass over the tokens found (teacher forcing) then
    gives all layers at once: attention is causal, so they are those of the search.

    Decoder frames are the positions from which the transcript was predicted, one for
    each token that the search chose. The first is that of the last prompt token, which
    predicts the first token of the text; the last is that of the last token of the
    text, which predicts end-of-text. Earlier prompt tokens and end-of-text itself are
    left out. An empty transcript has one frame, one cut short has `MOST_TOKENS`.

    Encoder frames beyond the audio, which Whisper pads to 30 s, are left out as well.

    Args:
        options: ``checkpoint``, ``revision``, and ``language``: the code for every
            prompt, or None for that of each utterance where the checkpoint knows it,
            and English where not.
        device: Where to compute, in float32, such as ``"cuda:0"``.

    Raises:
        CheckpointMissing: if it is neither here nor to be had, or is not whole.
        BadSpec: if it is no Whisper, or does not know ``language``.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        describe_whisper(options)  # says so if it is no Whisper
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self.tokenizer = _tokenizer(folder)
        model = load_pretrained(WhisperForConditionalGeneration, folder)
        self.model: PreTrainedModel = model.to(device)
        self.extractor = WhisperFeatureExtractor(
            feature_size=self.model.config.num_mel_bins
        )
        self.multilingual = _is_multilingual(self.model)
        self.language: str | None = options["language"]
        self._token_ids: dict[str, int] = self.tokenizer.get_vocab()
        self._barred, self._barred_first = self._barriers()
        if self.language and not self._knows(self.language):
            raise BadSpec(
                f"{options['checkpoint']} does not know language={self.language}"
            )

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Give the groups ``encoder`` and ``decoder``, and the greedy transcripts.

        Raises:
            ValueError: if a wave is empty or longer than 30 s.
        """
        heard = self._hear(batch.waves)
        prompts = self._prompts(batch.languages)
        with eval_mode(self.model):
            said, steps = self._say(heard.last_hidden_state, prompts)
        read = self.model.model.decoder(
            input_ids=torch.cat([prompts, said[:, :-1]], dim=1),
            encoder_hidden_states=heard.last_hidden_state,
            output_hidden_states=True,
            use_cache=False,
        )
        frames = [-(-len(wave) // FRAME) for wave in batch.waves]
        features = {
            "encoder": _group(heard.hidden_states, 0, torch.tensor(frames).to(steps)),
            "decoder": _group(read.hidden_states, prompts.shape[1] - 1, steps),
        }
        return Recognised(features, self._read_out(said))

    @torch.no_grad()
    def transcribe(self, batch: Batch) -> list[str]:
        """Return the greedy transcript of each utterance.

        Raises:
            ValueError: if a wave is empty or longer than 30 s.
        """
        heard = self._hear(batch.waves)
        said, _ = self._say(heard.last_hidden_state, self._prompts(batch.languages))
        return self._read_out(said)

    def _read_out(self, said: Tensor) -> list[str]:
        texts = self.tokenizer.batch_decode(said, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _hear(self, waves: Sequence[NDArray[np.float32]]) -> Any:
        """Run the encoder: a BaseModelOutput of transformers, with all hidden states.

        Raises:
            ValueError: if a wave is empty or longer than 30 s.
        """
        for wave in waves:
            if not 1 <= len(wave) <= LONGEST:
                raise ValueError(
                    f"a wave must have 1 to {LONGEST} samples (30 s), got {len(wave)}"
                )
        mel = self.extractor(
            list(waves), sampling_rate=SAMPLE_RATE, return_tensors="pt"
        ).input_features
        return self.model.model.encoder(
            mel.to(self.model.device), output_hidden_states=True
        )

    @torch.no_grad()
    def _say(self, heard: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Choose the likeliest token, again and again, until end-of-text.

        Written out, since `generate` of transformers sorts all barred tokens anew at
        every step and mixes settings of the checkpoint into those it is given.

        Args:
            heard: ``(batch, 1500, dim)``, the last encoder layer.
            prompts: ``(batch, tokens)``.

        Returns:
            The chosen tokens ``(batch, tokens)``, with end-of-text from where it was
            chosen, and how many of them each utterance chose, end-of-text included
            ``(batch,)``.
        """
        room = self.model.config.max_target_positions - prompts.shape[1]
        end, barred, cache = self._token_ids[END], self._barred_first, None
        steps = prompts.new_zeros(len(prompts))
        going = torch.ones_like(prompts[:, :1], dtype=torch.bool)
        last = prompts
        said: list[Tensor] = []
        while len(said) < min(MOST_TOKENS, room) and going.any():
            out = self.model.model.decoder(
                input_ids=last,
                encoder_hidden_states=heard,
                past_key_values=cache,
                use_cache=True,
            )
            scores = self.model.proj_out(out.last_hidden_state[:, -1:]) + barred
            last = scores.argmax(dim=-1).where(going, end)
            said.append(last)
            steps += going[:, 0]
            going &= last != end
            cache, barred = out.past_key_values, self._barred
        return torch.cat(said, dim=1), steps

    def _prompts(self, languages: Sequence[str | None]) -> Tensor:
        """Give what stands before each transcript, all of one length."""
        rows = []
        for own in languages:
            spoken = self.language or own
            known = spoken if spoken is not None and self._knows(spoken) else "en"
            task = [f"<|{known}|>", TRANSCRIBE] if self.multilingual else []
            rows.append([self._token_ids[it] for it in (START, *task, NO_TIMESTAMPS)])
        return torch.tensor(rows, device=self.model.device)

    def _knows(self, language: str) -> bool:
        # The vocabulary of English-only checkpoints names all languages as well.
        if self.multilingual:
            return f"<|{language}|>" in self._token_ids
        return language == "en"

    def _barriers(self) -> tuple[Tensor, Tensor]:
        """Give ``(vocabulary,)`` of 0 and -inf, for all steps and for the first.

        Barred are the timestamps, which stand at the end of the vocabulary, and what
        the checkpoint itself bars: non-speech tokens, and blanks at the beginning.
        """
        asked = self.model.generation_config
        barred = torch.zeros(self.model.config.vocab_size, device=self.model.device)
        barred[asked.suppress_tokens or []] = -torch.inf
        barred[self._token_ids[NO_TIMESTAMPS] + 1 :] = -torch.inf
        first = barred.clone()
        first[asked.begin_suppress_tokens or []] = -torch.inf
        return barred, first


def _tokenizer(folder: Path) -> WhisperTokenizer:
    # Without its files, from_pretrained gives a tokenizer of one token and no error.
    tokenizer = WhisperTokenizer.from_pretrained(folder, local_files_only=True)
    if missing := {START, END, NO_TIMESTAMPS} - tokenizer.get_vocab().keys():
        raise CheckpointMissing(
            f"{folder} has no Whisper tokenizer: of {len(tokenizer)} tokens, "
            f"{', '.join(sorted(missing))} are none\n"
            "  wanted: tokenizer.json, or vocab.json, merges.txt and added_tokens.json"
        )
    return tokenizer


def _is_multilingual(model: PreTrainedModel) -> bool:
    said = getattr(model.generation_config, "is_multilingual", None)
    if said is None:  # older checkpoints leave it to the vocabulary
        return bool(model.config.vocab_size >= MULTILINGUAL_VOCABULARY)
    return bool(said)


def _group(states: Sequence[Tensor], start: int, lengths: Tensor) -> LayerGroup:
    """Stack the layers, each cut first: whole, they fill memory with padding."""
    stop = start + int(lengths.max())
    return LayerGroup(torch.stack([it[:, start:stop] for it in states]), lengths)
